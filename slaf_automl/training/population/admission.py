"""Which candidates may train together."""

from __future__ import annotations

from slaf_automl.errors import SlafError
from slaf_automl.networks import require_fit
from slaf_automl.spec import Candidate, DataInfo


def require_admission(
    candidate: Candidate, info: DataInfo, *, images: bool, batch_size: int | None
) -> None:
    """Raise a `SlafError` unless a candidate fits the data and the others of a population.

    Args:
        candidate: the candidate.
        info: the data.
        images: whether the others' networks take images.
        batch_size: the others'; None if there were none.
    """
    require_fit(candidate, info)
    if (candidate.architecture.image is not None) != images:
        raise SlafError(
            f"a candidate of family {candidate.architecture.family!r} in a population "
            f"{'of' if images else 'without'} images",
            remedy="train it in another population",
        )
    size = candidate.recipe.batch_size
    if batch_size not in (None, size):
        raise SlafError(
            f"batch size {size} in a population of batch size {batch_size}",
            expected="one batch size for all lanes",
            remedy="train it in another population",
        )
