"""Where space files are: shipped with the package, or a path of the user's."""

from __future__ import annotations

from pathlib import Path

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
    if path.is_file():
        return path
    raise SpaceError(
        f"unknown space {str(name_or_file)!r}",
        expected="a shipped space (" + ", ".join(shipped_names()) + ") or a YAML file",
    )
