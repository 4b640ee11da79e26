"""What is saved of a population or of a lane, and whether it may be taken back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from slaf_automl.errors import SlafError
from slaf_automl.spec import Candidate
from slaf_automl.training.population.lane import Lane

_SCHEMA = 1


def saved(
    lanes: Iterable[Lane], *, batch_size: int | None, batch_seed: int, data: str
) -> dict[str, Any]:
    """Return a population as plain values and tensors.

    Args:
        lanes: with their values written back.
        batch_size: of all lanes; None before there was one.
        batch_seed: of lanes without their own.
        data: the data's fingerprint.
    """
    return {
        "schema": _SCHEMA,
        "batch_size": batch_size,
        "batch_seed": batch_seed,
        "data": data,
        "lanes": [lane.state() for lane in lanes],
    }


def require_own(state: Mapping[str, Any], *, batch_seed: int, data: str) -> None:
    """Raise a `SlafError` unless a population's state is of these data and batches."""
    if state["schema"] != _SCHEMA:
        raise SlafError(
            f"a population's state of schema {state['schema']}", expected=f"schema {_SCHEMA}"
        )
    for what, mine in (("data", data), ("batch_seed", batch_seed)):
        if state[what] != mine:
            raise SlafError(
                f"a population's state with {what} {state[what]!r}", expected=repr(mine)
            )


def require_same_lane(
    state: Mapping[str, Any], name: str, candidate: Candidate, seed: int, batch_seed: int
) -> None:
    """Raise a `SlafError` unless a lane's state is of this candidate and these seeds."""
    wanted = candidate.to_json(), seed, batch_seed
    if (state["candidate"], state["seed"], state["batch_seed"]) != wanted:
        raise SlafError(
            f"the state of another candidate or seed for lane {name!r}",
            expected="a state of the same candidate and seeds",
        )
