"""What a study is a study of; a resumed study must be of the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import optuna

from slaf_automl.errors import SlafError, StudyError
from slaf_automl.spec import Budget

_KEY = "slaf_automl"
_SCHEMA = 1
_WORDS = {
    "space": "space",
    "space_version": "version of the space",
    "space_identity": "content of the space",
    "budget": "parameter budget",
    "data": "data",
    "data_identity": "content, target or split of the data",
    "metric": "metric",
    "seed": "seed",
    "population": "population",
    "arm": "arm",
}


@dataclass(frozen=True)
class Identity:
    """Everything that must stay the same for the life of a study.

    Args:
        arm: `mix` or `relu`.
        space: the space's name.
        space_version: its version.
        space_identity: hash of its content.
        budget: the limits; see `stored_budget`.
        data: where the data came from, for people.
        data_identity: hash of its content, target and split.
        metric: what is optimised.
        seed: the study's seed.
        population: how many candidates are asked for at once.
    """

    arm: str
    space: str
    space_version: int
    space_identity: str
    budget: int | Mapping[str, int]
    data: str
    data_identity: str
    metric: str
    seed: int
    population: int = 1


def stored_budget(budget: Budget) -> int | dict[str, int]:
    """Return how an identity holds a budget: every limit by name, of parameters alone the number.

    The number is what studies held before budgets had other limits.

    Example:
        >>> stored_budget(Budget(5_000)), stored_budget(Budget(5_000, relus=0))
        (5000, {'parameters': 5000, 'relus': 0})
    """
    limits = budget.limits
    return limits["parameters"] if set(limits) == {"parameters"} else limits


def claim_study(study: optuna.Study, identity: Identity, where: str) -> None:
    """Write the identity into a new study, or check it against the one that is there.

    Raises:
        StudyError: the study is of something else; the message says what differs.
    """
    wanted = {"schema": _SCHEMA, **asdict(identity)}
    stored = study.user_attrs.get(_KEY)
    if stored is None:
        if study.get_trials(deepcopy=False):
            raise StudyError(
                f"{where} holds a study {study.study_name!r} that slaf_automl did not make",
                remedy="choose another folder or storage",
            )
        study.set_user_attr(_KEY, wanted)
        return
    if stored.get("schema") != _SCHEMA:
        raise StudyError(
            f"{where} was written by another version of slaf_automl (schema "
            f"{stored.get('schema')!r})",
            expected=f"schema {_SCHEMA}",
            remedy="choose another folder",
        )
    require_same(stored, identity, where)


def require_same(stored: Mapping[str, Any], identity: Identity, where: str) -> None:
    """Raise a `StudyError` that says what differs, unless the stored identity is this one."""
    wanted = asdict(identity)
    for key, word in _WORDS.items():
        # The source's name may change (a copied file); its content may not.
        if key != "data" and stored.get(key) != wanted[key]:
            there, here = repr(stored.get(key)), repr(wanted[key])
            if key == "budget" and not (there.isdigit() and here.isdigit()):
                word = "budget"
                there, here = (_budget_in_words(s) for s in (stored.get(key), wanted[key]))
            again = f"with --population {there}" if key == "population" else "for the same"
            raise StudyError(
                f"{where} holds a study of another {word}: {there} there, {here} here",
                remedy=f"choose another folder (--out), or search {again} again",
            )


def _budget_in_words(stored: Any) -> str:
    try:
        return (Budget(**stored) if isinstance(stored, Mapping) else Budget(stored)).in_words()
    except (SlafError, TypeError):  # written by another version
        return repr(stored)
