"""The driver: hands jobs out, takes reports and results in, keeps the studies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from slaf_automl.driver.lease import DRIVER, RETRIED_FROM, SEED, Lease, queue_again, requeue_orphans
from slaf_automl.driver.progress import ProgressLine, Standing
from slaf_automl.driver.sampling import seeded_sampler
from slaf_automl.driver.seeds import derive_seed
from slaf_automl.errors import StudyError
from slaf_automl.spec import (
    ActivationSpec,
    Architecture,
    Candidate,
    Evaluator,
    Job,
    Report,
    TrialResult,
)

SLOTS = "slots"
"""Trial attribute, for reports: what fills each slot; see `shown_slots`."""

_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
_COUNTED = (*_FINISHED, TrialState.RUNNING)


@dataclass(frozen=True)
class Arm:
    """One study and the space it searches.

    Args:
        name: `mix` or `relu`.
        study: an Optuna study; the metric is its first objective.
        suggest: trial ↦ candidate.
        decode: stored parameters of a trial ↦ candidate.
        costs: candidate ↦ its further objectives.
    """

    name: str
    study: optuna.Study
    suggest: Callable[[Trial], Candidate]
    decode: Callable[[Mapping[str, Any]], Candidate]
    costs: Callable[[Candidate], tuple[float, ...]] = lambda candidate: ()

    def finished(self) -> list[FrozenTrial]:
        """Return the trials that count towards the total, by number."""
        return self.study.get_trials(deepcopy=False, states=_FINISHED)

    def best(self, first: int | None = None) -> FrozenTrial | None:
        """Return the best complete trial among the `first` finished ones (all by default).

        Where none is complete yet, it is the best at the rungs that the others came to.
        """
        finished = [t for t in self.finished()[:first] if t.values is not None]
        complete = [t for t in finished if t.state == TrialState.COMPLETE] or finished
        if not complete:
            return None
        sign = -1.0 if self.study.directions[0].name == "MAXIMIZE" else 1.0
        return min(complete, key=lambda t: (sign * float(t.values[0]), t.number))


class Driver:
    """The desk of a search; see `slaf_automl.spec.Desk`.

    The arms are served in turn, so that at any stop they have made the same number of trials
    (within one). Trials of drivers that are gone are queued again when the driver is made.

    Args:
        arms: the studies to fill.
        trials: finished (complete or pruned) trials that each study shall hold.
        seed: the search's seed.
        checkpoints: folder for the states at rungs.
        parameters: candidate ↦ its deployed parameters.
        stopping: whether the search is ending.
        progress: where to show how it goes.
        alone: no other driver can have the studies open.
        flush: write what the storage holds back.

    Raises:
        StudyError: another, living driver runs trials of these studies.
    """

    def __init__(
        self,
        arms: list[Arm],
        *,
        trials: int,
        seed: int,
        checkpoints: Path,
        parameters: Callable[[Candidate], int],
        stopping: Callable[[], bool],
        progress: ProgressLine,
        alone: bool,
        flush: Callable[[], None] = lambda: None,
    ) -> None:
        self._flush = flush
        self._arms = {arm.name: arm for arm in arms}
        self._trials, self._seed, self._checkpoints = trials, seed, checkpoints
        self._parameters, self._stopping, self._progress = parameters, stopping, progress
        for arm in arms:
            requeue_orphans(arm.study, alone=alone)
        self._leases = {arm.name: Lease(arm.study) for arm in arms}
        self._running: dict[tuple[str, int], Trial] = {}

    def run(self, evaluator: Evaluator) -> None:
        """Let the evaluator work until every arm has its trials or the search is ending.

        Raises:
            StudyError: the evaluator left a job without a result.
        """
        self._show()
        try:
            evaluator(self)
        finally:
            self._progress.close()
        if self._running:
            arm, number = next(iter(self._running))
            raise StudyError(f"the evaluator left trial {number} of arm {arm!r} unfinished")

    def stopping(self) -> bool:
        """Say whether the search is ending; asked at every batch, so leases are renewed here."""
        for lease in self._leases.values():
            lease.renew()
        return self._stopping()

    def pull(self, count: int = 1) -> list[Job]:
        """Return up to `count` new jobs, none when the search is over or ending."""
        jobs: list[Job] = []
        while len(jobs) < count and not self.stopping():
            arm = self._hungriest()
            if arm is None:
                break
            jobs.append(self._ask(arm))
        self._flush()
        return jobs

    def report(self, reports: Sequence[Report]) -> list[bool]:
        """Record values at rungs; True to go on, False where successive halving stops the job."""
        trials = [self._running[one.job.arm, one.job.number] for one in reports]
        for trial, one in zip(trials, reports, strict=True):
            trial.report(one.value, step=one.epoch)
        self._flush()
        return [not trial.should_prune() for trial in trials]

    def finish(self, results: Sequence[tuple[Job, TrialResult]]) -> None:
        """Record how jobs ended; an interrupted one is queued again for the next start."""
        for job, result in results:
            self._tell(job, result)
        self._flush()
        for job, result in results:
            if result.state != "interrupted":
                for number in self._lineage(job.arm, job.number):
                    self._checkpoint(job.arm, number).unlink(missing_ok=True)
        self._show()

    def _tell(self, job: Job, result: TrialResult) -> None:
        trial = self._running.pop((job.arm, job.number))
        study = self._arms[job.arm].study
        trial.set_user_attr("result", result.to_json())
        if result.state == "interrupted":
            queue_again(study, study.trials[job.number], crashed=False)
            study.tell(trial, state=TrialState.FAIL)
        elif result.state == "pruned":
            study.tell(trial, state=TrialState.PRUNED)
        else:
            costs = self._arms[job.arm].costs(job.candidate)
            study.tell(trial, [result.value, *costs])

    def _hungriest(self) -> Arm | None:
        """Return the arm with the fewest trials, finished or running, None if all are full."""
        counts = {
            name: len(arm.study.get_trials(deepcopy=False, states=_COUNTED))
            for name, arm in self._arms.items()
        }
        name = min(counts, key=lambda n: counts[n])
        return self._arms[name] if counts[name] < self._trials else None

    def _ask(self, arm: Arm) -> Job:
        number = len(arm.study.get_trials(deepcopy=False))
        arm.study.sampler = seeded_sampler(derive_seed(self._seed, arm.name, "sampler", number))
        trial = arm.study.ask()
        seed = trial.user_attrs.get(SEED, derive_seed(self._seed, arm.name, "trial", trial.number))
        trial.set_user_attr(DRIVER, self._leases[arm.name].driver)
        trial.set_user_attr(SEED, seed)
        candidate = arm.suggest(trial)
        trial.set_user_attr("parameters", self._parameters(candidate))
        trial.set_user_attr(SLOTS, shown_slots(candidate.architecture))
        self._running[arm.name, trial.number] = trial
        kept = [self._checkpoint(arm.name, n) for n in self._lineage(arm.name, trial.number)]
        resumable = next((path for path in kept if path.exists()), None)
        return Job(
            arm=arm.name,
            number=trial.number,
            candidate=candidate,
            seed=int(seed),
            checkpoint=str(self._checkpoint(arm.name, trial.number)),
            resume_from=None if resumable is None else str(resumable),
        )

    def _lineage(self, arm: str, number: int) -> list[int]:
        """Return a trial's number and those it was retried from, the latest first."""
        trials = self._arms[arm].study.get_trials(deepcopy=False)
        numbers = [number]
        while (earlier := trials[numbers[-1]].user_attrs.get(RETRIED_FROM)) is not None:
            numbers.append(int(earlier))
        return numbers

    def _checkpoint(self, arm: str, number: int) -> Path:
        return self._checkpoints / f"{arm}-{number:05d}.ckpt"

    def _show(self) -> None:
        standings = []
        for arm in self._arms.values():
            best = arm.best()
            standings.append(
                Standing(arm.name)
                if best is None
                else Standing(arm.name, best.values[0], best.user_attrs["parameters"])
            )
        self._progress.update(sum(len(a.finished()) for a in self._arms.values()), standings)


def shown_slots(architecture: Architecture) -> dict[str, dict[str, Any]]:
    """Return what differs from slot to slot, by the slot's name; that of the inputs comes first.

    Example:
        >>> relu = ActivationSpec("relu", {"normaliser": "none"})
        >>> shown_slots(Architecture("mlp", 4, 3, (5, 5), (relu, relu)))
        {'slot 0': {'kind': 'relu'}, 'slot 1': {'kind': 'relu'}}
    """
    inputs = architecture.input_activation
    shown = {}
    if inputs is not None:
        shared = {"sharing": "layer"} if inputs["sharing"] == "layer" else {}
        shown["inputs"] = {**_shown(inputs), **shared}
    return shown | {f"slot {i}": _shown(spec) for i, spec in enumerate(architecture.placement)}


def _shown(spec: ActivationSpec) -> dict[str, Any]:
    own = {name: spec.parameters.get(name) for name in ("basis", "degree", "hybrid")}
    return {"kind": spec.kind, **{name: value for name, value in own.items() if value is not None}}
