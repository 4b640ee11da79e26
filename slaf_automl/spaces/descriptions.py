"""Any space file in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from slaf_automl.spaces.dimensions import dimension_lines
from slaf_automl.spaces.files import find_space_file, read_document
from slaf_automl.spaces.placement_file import parse_placement
from slaf_automl.spaces.space import SearchSpace


def space_description(name_or_file: str | Path) -> str:
    """Return the dimensions of a space of any family, one a line.

    Raises:
        SpaceError: no such space, or a key or value that its schema does not allow.

    Example:
        >>> print(space_description("placement").splitlines()[0])
        placement (version 1, family placement, encoding slots)
    """
    path = find_space_file(name_or_file)
    document = read_document(path)
    if not isinstance(document, Mapping) or document.get("family") != "placement":
        return SearchSpace.load(name_or_file).description()
    file = parse_placement(document, str(path))
    lines = [f"{file.name} (version {file.version}, family placement, encoding {file.encoding})"]
    lines += dimension_lines(file.dimensions, file.encoding)
    lines.append(
        f"  {'slots':20} those of the network: SearchSpace.for_model(model, example_input)"
    )
    return "\n".join(lines)
