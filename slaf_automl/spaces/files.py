"""Where space files are: shipped with the package, or a path of the user's."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from slaf_automl.errors import SpaceError

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_folder() -> Path:
    """Return the folder of the shipped spaces: inside a wheel, or beside an editable install."""
    packaged = _PACKAGE / "_search_spaces"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "search_spaces"


def shipped_names() -> tuple[str, ...]:
    """Return the names of the shipped spaces, sorted.

    Example:
        >>> "mlp" in shipped_names()
        True
    """
    return tuple(sorted(path.stem for path in shipped_folder().glob("*.yaml")))


def find_space_file(name_or_file: str | Path) -> Path:
    """Return the file of a shipped space's name, or the path itself where it is a file.

    Raises:
        SpaceError: neither a shipped name nor a file.
    """
    if str(name_or_file) in shipped_names():
        return shipped_folder() / f"{name_or_file}.yaml"
    path = Path(name_or_file)
    with contextlib.suppress(OSError):  # A name too long for the file system is no file.
        if path.is_file():
            return path
    raise SpaceError(
        f"unknown space {str(name_or_file)!r}",
        expected="a shipped space (" + ", ".join(shipped_names()) + ") or a YAML file",
    )


def read_document(path: Path) -> Any:
    """Read a YAML file as plain data; a key that is given twice is refused.

    Raises:
        SpaceError: it cannot be read or is not valid YAML.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SpaceError(f"{path} is not valid YAML: {error}") from None
    except OSError as error:
        raise SpaceError(f"cannot read {path}: {error.strerror}") from None


class _StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader, which alone would let the last of two equal keys win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        plain = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        keys = [self.construct_object(key, deep=True) for key in plain]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"key {key!r} is given twice")
        return super().construct_mapping(node, deep)
