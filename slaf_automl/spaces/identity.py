"""What tells one space from another: a hash of everything in its file."""

from __future__ import annotations

import hashlib
import json

from optuna.distributions import distribution_to_json

from slaf_automl.spaces.dimensions import Constant
from slaf_automl.spaces.schema import SpaceFile


def space_identity(file: SpaceFile, fixed: str) -> str:
    """Return a hash of everything in a space; equal spaces have equal ones.

    Args:
        file: the validated space file.
        fixed: the activation of the slots that learn none.
    """
    dimensions = {
        name: {"value": d.value}
        if isinstance(d, Constant)
        else json.loads(distribution_to_json(d.distribution))
        for name, d in file.dimensions.items()
    }
    parts = [file.name, file.version, file.family, repr(file.widths)]
    if file.encoding != "slots":  # Files without the key keep the identity they had.
        parts.append(file.encoding)
    if fixed != "relu":
        parts.append(fixed)
    document = json.dumps([*parts, dimensions, repr(file.schedule)], sort_keys=True)
    return hashlib.sha256(document.encode()).hexdigest()[:16]
