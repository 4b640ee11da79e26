"""Whether every combination of a file's values can be built."""

from __future__ import annotations

from slaf_automl.activations.kinds import find_kind
from slaf_automl.errors import SlafError, SpaceError
from slaf_automl.spaces.inputs import may_learn_inputs
from slaf_automl.spaces.schema import SpaceFile


def require_buildable(file: SpaceFile, where: str) -> None:
    """Raise a `SpaceError` if some combination of values is refused by what it is for."""
    slot = {n: file.dimensions[f"slot.{n}"] for n in ("basis", "degree", "hybrid")}
    shared = {n: file.dimensions[n] for n in ("sharing", "normaliser", "clip", "start")}
    for name, dimension in {**slot, **shared}.items():
        for value in dimension.values():
            try:
                find_kind("slaf").spec(**{name: value})
            except SlafError as error:
                raise SpaceError(f"{where}: {name}: {error}") from None
    if may_learn_inputs(file) and "warm_start" in file.dimensions["routine"].values():
        raise SpaceError(
            f"{where}: routine warm_start with inputs.activation slaf",
            expected="another routine: inputs have no ReLU to begin with",
        )
    widest = max(float(share or 0.0) for share in slot["hybrid"].values())
    needed = find_kind("slaf").least_channels(find_kind("slaf").spec(hybrid=widest))
    if file.widths.most < needed:
        raise SpaceError(
            f"{where}: widths.most {file.widths.most}",
            expected=f"at least {needed} for a hybrid share of {widest:g}",
        )
