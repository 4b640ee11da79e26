"""SearchSpace: YAML ↔ distributions ↔ candidates."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import BaseTrial

from slaf_automl.activations.passes import FIXED
from slaf_automl.errors import BudgetError, DataError, SpaceError
from slaf_automl.spaces.buildable import require_buildable
from slaf_automl.spaces.candidates import CandidateChooser, build_candidate, stretch
from slaf_automl.spaces.dimensions import (
    Constant,
    StoredChooser,
    TrialChooser,
    contains,
    described,
    dimension_lines,
)
from slaf_automl.spaces.files import find_space_file, read_document
from slaf_automl.spaces.identity import space_identity
from slaf_automl.spaces.limits import limit_space, smallest_limits
from slaf_automl.spaces.placement_space import PlacementSpace
from slaf_automl.spaces.promised import promised_degrees, promised_distributions
from slaf_automl.spaces.samplers import doubtful_sampler, require_served
from slaf_automl.spaces.schema import INPUTS, SpaceFile, parse_space
from slaf_automl.spaces.slot_kinds import counts_slots, every_slot
from slaf_automl.spec import Budget, Candidate, DataInfo, Scalar
from slaf_automl.spec.budget import require_budget


class HasInfo(Protocol):
    """Data that knows its `DataInfo`."""

    info: DataInfo


Data = DataInfo | HasInfo


@dataclass(frozen=True)
class SearchSpace:
    """A space of candidates: every one that it suggests is within the budget by construction.

    Dimension names are public: `depth`, `shape`, `slot<i>.activation`, `slot<i>.basis`,
    `slot<i>.degree`, `slot<i>.hybrid` (under `encoding: pattern` one `pattern`, `count`, `basis`,
    `degree` and `hybrid` for all slots), `sharing`, `normaliser`, `start`, `clip`, `learning_rate`,
    `weight_decay`, `routine`, `coefficient_rate`; and, of spaces whose inputs may have an
    activation of their own, `inputs.activation`, `inputs.basis`, `inputs.degree`. Those that a
    candidate does not need (the degree of a ReLU slot, the shape of one layer) are not asked for.

    Args:
        file: the validated space file.
        fixed: the activation of the slots that learn none: `relu`, `silu` or `gelu`.

    Example:
        >>> space = SearchSpace.load("mlp")
        >>> info = DataInfo(("a", "b"), "y", "regression", (), rows=100)
        >>> sorted(space.distributions(info, Budget(parameters=1_000)))[:3]
        ['coefficient_rate', 'depth', 'inputs.activation']
    """

    file: SpaceFile
    fixed: str = "relu"

    def __post_init__(self) -> None:
        if self.fixed not in FIXED:
            raise SpaceError(
                f"fixed activation {self.fixed!r}", expected="one of " + ", ".join(FIXED)
            )

    @classmethod
    def load(cls, name_or_file: str | Path) -> SearchSpace:
        """Load a shipped space by name, or a YAML file.

        Raises:
            SpaceError: no such space, or a key or value that the schema does not allow.
        """
        path = find_space_file(name_or_file)
        document = read_document(path)
        if isinstance(document, Mapping) and document.get("family") == "placement":
            raise SpaceError(
                f"{path} is for the slots of a network of one's own",
                remedy=f"use SearchSpace.for_model(model, example_input, space={str(path)!r})",
            )
        file = parse_space(document, str(path))
        require_buildable(file, str(path))
        return cls(file)

    for_model = staticmethod(PlacementSpace.of)

    @property
    def name(self) -> str:
        """The space's name."""
        return self.file.name

    @property
    def degrees(self) -> tuple[int, ...]:
        """Every degree that a SLAF in a slot, or a polynomial one of the inputs, may have."""
        return promised_degrees(self.file)

    def description(self) -> str:
        """Return the dimensions and their values as text, one a line."""
        encoding = "" if self.file.encoding == "slots" else f", encoding {self.file.encoding}"
        lines = [f"{self.name} (version {self.file.version}, family {self.file.family}{encoding})"]
        lines += dimension_lines(self.file.dimensions, self.file.encoding)
        if counts_slots(self.file):
            lines.append(f"  {'count':20} of slots under first and last, 1 to all of them")
        widths, schedule = self.file.widths, self.file.schedule
        lines.append(f"  {'widths':20} from the budget, {widths.least} to {widths.most:,} units")
        lines.append(
            f"  {'training':20} {schedule.epochs} epochs (at least {schedule.least_steps} steps), "
            f"first rung at {schedule.first_rung}, 1 in {schedule.reduction} goes on"
        )
        return "\n".join(lines)

    def control(self, fixed: str = "relu") -> SearchSpace:
        """Return the same space with every slot ReLU, or another fixed activation: the control.

        Args:
            fixed: `relu`, `silu` or `gelu`.

        Raises:
            SpaceError: an unknown activation.

        Example:
            >>> from optuna.trial import FixedTrial
            >>> info = DataInfo(("a", "b"), "y", "regression", (), rows=100)
            >>> space = SearchSpace.load("mlp").control("silu")
            >>> trial = FixedTrial({"depth": 1, "normaliser": "none",
            ...     "learning_rate": 0.01, "weight_decay": 0.01})
            >>> space.suggest(trial, info, Budget(50)).architecture.kinds
            ('silu',)
        """
        name, value = every_slot(self.file, "relu")
        dimensions = {**self.file.dimensions, name: Constant(value)}
        if INPUTS[0] in dimensions:
            dimensions[INPUTS[0]] = Constant("none")
        return SearchSpace(replace(self.file, dimensions=dimensions), fixed)

    def identity(self) -> str:
        """Return a hash of everything in the space; equal spaces have equal identities."""
        return space_identity(self.file, self.fixed)

    def epochs(self, data: Data) -> int:
        """Return how many epochs every candidate trains on this data."""
        return self.file.schedule.epochs * stretch(self.file, info_of(data))

    def rungs(self, data: Data) -> tuple[int, ...]:
        """Return the epochs at which candidates are compared, before the last."""
        schedule, times = self.file.schedule, stretch(self.file, info_of(data))
        rungs, rung = [], schedule.first_rung
        while rung < schedule.epochs:
            rungs.append(rung * times)
            rung *= schedule.reduction
        return tuple(rungs)

    def smallest_budget(self, data: Data, costs: Collection[str] = ("parameters",)) -> Budget:
        """Return the smallest limits under which something is left of the space.

        Each is the smallest whatever the other limits, so a larger one never hurts; beside others
        that take away costly choices, a smaller one may do. Where a hybrid share needs wider layers
        than the file's least width, it may be a few values more than the very smallest.

        Args:
            data: the data.
            costs: what to limit, names of `slaf_automl.spec.COSTS`.

        Raises:
            BudgetError: the space lacks a value that a limit on depth leaves no choice but to take.
        """
        return smallest_limits(self.file, info_of(data), costs)

    def has_twin(self, data: Data, budget: Budget) -> bool:
        """Say whether the control has a network within a budget that this space can meet.

        It has none under a depth limit, or where not even the narrowest ReLU layers are within the
        limit of ReLU evaluations.
        """
        try:
            limit_space(self.control().file, info_of(data), budget)
        except BudgetError:
            return False
        return True

    def distributions(self, data: Data, budget: Budget) -> dict[str, BaseDistribution]:
        """Return every dimension's distribution by its public name.

        The budget may leave fewer layers, degrees and choices than the file names; what it leaves
        without a choice is no dimension. See `slaf_automl.spaces.limits.limit_space`.

        Raises:
            BudgetError: the budget leaves nothing; the message says which limit or value is why.
        """
        return promised_distributions(limit_space(self.file, info_of(data), budget))

    def suggest(self, trial: BaseTrial, data: Data, budget: Budget) -> Candidate:
        """Let a trial of any Optuna study suggest a candidate within the budget.

        Raises:
            BudgetError: the budget leaves nothing; the message says which limit or value is why.
            SpaceError: the study's sampler cannot serve the space; see `require_sampler`.
        """
        require_budget("budget", budget)
        info, chooser = info_of(data), TrialChooser(trial)
        if (sampler := doubtful_sampler(trial)) is not None:
            self._require_sampler(sampler, info, budget, trial.params)
        file = limit_space(self.file, info, budget)
        return build_candidate(file, chooser, info, budget, self.fixed)

    def require_sampler(self, sampler: BaseSampler, data: Data, budget: Budget) -> None:
        """Refuse a sampler of Optuna that cannot serve this space, before a study begins.

        `suggest` does so at a study's first trial. Optuna's `BruteForceSampler` takes no continuous
        dimensions, and `CmaEsSampler(with_margin=True)` no numbers that only some trials have; all
        others serve any space.

        Raises:
            SpaceError: it cannot; the message names the dimensions that are why.
            BudgetError: the budget leaves nothing of the space.

        Example:
            >>> from optuna.samplers import TPESampler
            >>> info = DataInfo(("a", "b"), "y", "regression", (), rows=100)
            >>> SearchSpace.load("mlp").require_sampler(TPESampler(), info, Budget(1_000))
        """
        self._require_sampler(sampler, info_of(data), budget)

    def _require_sampler(
        self, sampler: BaseSampler, info: DataInfo, budget: Budget, asked: Collection[str] = ()
    ) -> None:
        file = limit_space(self.file, info, budget)
        require_served(
            sampler,
            self.name,
            lambda chooser: build_candidate(file, chooser, info, budget, self.fixed),
            asked,
        )

    def decode(self, parameters: Mapping[str, Scalar], data: Data, budget: Budget) -> Candidate:
        """Return the candidate of stored parameters; the inverse of `encode`.

        Raises:
            SpaceError: a parameter is unknown, missing or out of range.
            BudgetError: the budget leaves nothing of the space.
        """
        info = info_of(data)
        known = self.distributions(info, budget)
        if unknown := sorted(set(parameters) - set(known)):
            raise SpaceError(
                f"unknown parameter {unknown[0]!r} for space {self.name!r}",
                expected="one of " + ", ".join(sorted(known)),
            )
        for name, value in parameters.items():
            if not contains(known[name], value):
                raise SpaceError(f"{name} = {value!r}", expected=described(known[name]))
        file = limit_space(self.file, info, budget)
        return build_candidate(file, StoredChooser(parameters), info, budget, self.fixed)

    def encode(self, candidate: Candidate, data: Data, budget: Budget) -> dict[str, Scalar]:
        """Return the parameters that decode to this candidate.

        Raises:
            SpaceError: the candidate is not in the space under this budget.
            BudgetError: the budget leaves nothing of the space.
        """
        info = info_of(data)
        file = limit_space(self.file, info, budget)
        # Widths follow from shape and budget, so the shape is the one that gives these widths.
        for shape in file.dimensions["shape"].values():
            chooser = CandidateChooser(file, candidate, shape)
            try:
                rebuilt = build_candidate(file, chooser, info, budget, self.fixed)
            except (SpaceError, BudgetError):
                continue
            if rebuilt == candidate:
                return chooser.asked
        raise SpaceError(
            f"a candidate with widths {candidate.architecture.widths} and activations "
            f"{candidate.architecture.kinds} is not in space {self.name!r} under "
            f"{budget.in_words()}"
        )


def info_of(data: Data) -> DataInfo:
    """Return the `DataInfo` of data, or the info itself."""
    info = data if isinstance(data, DataInfo) else getattr(data, "info", None)
    if not isinstance(info, DataInfo):
        raise DataError(
            f"data of type {type(data).__name__}",
            expected="a TableData or a DataInfo",
            remedy="read a table with TableData.load(...)",
        )
    return info
