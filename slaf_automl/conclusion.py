"""The end of a search: confirm both winners, decide, read the test rows once, export."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from optuna.trial import FrozenTrial

from slaf_automl.driver import Arm, RunFolder, derive_seed
from slaf_automl.errors import BundleError, SlafError, StudyError
from slaf_automl.export import Bundle, read_bundle, write_bundle
from slaf_automl.export.bundle import FILES
from slaf_automl.files import read_json, write_json
from slaf_automl.networks import count_cost
from slaf_automl.report import (
    ArmFigures,
    choose_winner,
    gain_in_words,
    gain_without_twin,
    paired_difference,
    slot_in_words,
)
from slaf_automl.report.figure_data import arm_data, read_figure_data, write_figure_data
from slaf_automl.report.verdict import SCHEMA
from slaf_automl.spec import Budget, Candidate
from slaf_automl.training import TableData
from slaf_automl.training.baselines import (
    constant_value,
    fit_linear,
    linear_parameters,
    linear_value,
)
from slaf_automl.training.confirmation import ConfirmedNetwork, Confirmer
from slaf_automl.winners import ArmWinner, known, timed

_OPENINGS = "test_openings"
_EVIDENCE = "evidence.json"
"""Decision and figures together: the test rows are not read again for a decision that stands."""


@dataclass(frozen=True)
class Conclusion:
    """Everything the conclusion of a search needs.

    Args:
        run: the open run folder.
        arms: the finished studies, the mix first.
        data: the table.
        budget: the budget of the search.
        twin: whether a ReLU network can meet the budget; the mix is held against the linear
            predictor where none can.
        confirmer: trains the winners again.
        seed: the search's seed; confirmation seeds derive from it.
        confirmations: how many fresh seeds.
        refit: whether the winner is trained once more on training and validation rows.
        latency: whether both winners are timed in onnxruntime.
    """

    run: RunFolder
    arms: list[Arm]
    data: TableData
    budget: Budget
    twin: bool
    confirmer: Confirmer
    seed: int
    confirmations: int
    refit: bool
    latency: bool = False

    def conclude(self) -> Bundle:
        """Confirm, decide, open the test rows, export; return the bundle in the run folder.

        A conclusion that stands already, for the same trials and seeds, is returned as it is, and
        the test rows stay closed.

        Raises:
            StudyError: an arm has no complete trial.
            SlafError: the confirmation was interrupted, or the folder cannot be written.
        """
        chosen = self._choose()
        seeds = [derive_seed(self.seed, "confirmation", i) for i in range(self.confirmations)]
        decision = self._decision(chosen, seeds)
        metrics = self._standing(decision)
        bundle = None if metrics is None else self._standing_bundle()
        if bundle is not None and read_figure_data(self.run.folder, decision) is not None:
            return bundle
        winners = [self._confirm(arm, trial, count, seeds) for arm, trial, count in chosen]
        mix, relu = winners[0], winners[1] if len(winners) > 1 else None
        better = self.confirmer.metric.better
        name = choose_winner(mix.figures, relu.figures if relu else None, better)
        winner = mix if relu is None or name == mix.figures.name else relu
        exported = self._export_network(winner)
        self._write_figures(decision, winners, winner, exported)
        if bundle is not None:
            return bundle
        # Written down before the test rows are opened.
        validation = {w.figures.name: list(w.figures.validation) for w in winners}
        write_json(
            self.run.folder / "decision.json",
            {**decision, "winner": name, "validation": validation, "exported": exported.seed},
        )
        if metrics is None:
            if self.latency:
                winners = timed(winners, self.data, better)
            metrics = self._open_test(winners, winner, exported)
            write_json(self.run.folder / _EVIDENCE, {"decision": decision, "metrics": metrics})
        bundle = Bundle(exported.network, winner.candidate, self.data.info, metrics)
        sample = self.data.validation[0][:512]
        write_bundle(self.run.bundle, bundle, sample, self.data.statistics.target_spread)
        return read_bundle(self.run.bundle)

    def _choose(self) -> list[tuple[Arm, FrozenTrial, int]]:
        """Return each arm's best among the same number of finished trials."""
        count = min(len(arm.finished()) for arm in self.arms)
        chosen = []
        for arm in self.arms:
            best = arm.best(first=count)
            if best is None:
                raise StudyError(
                    f"arm {arm.name!r} has no complete trial yet",
                    remedy="run the same command again to go on",
                )
            chosen.append((arm, best, count))
        return chosen

    def _decision(
        self, chosen: list[tuple[Arm, FrozenTrial, int]], seeds: list[int]
    ) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "seeds": seeds,
            "refit": self.refit,
            "arms": {
                arm.name: {"trial": trial.number, "parameters": dict(trial.params), "trials": count}
                for arm, trial, count in chosen
            },
        }

    def _standing(self, decision: dict[str, Any]) -> dict[str, Any] | None:
        """Return the figures of an earlier conclusion of the same decision, if there are any."""
        try:
            evidence = read_json(self.run.folder / _EVIDENCE)
            metrics: dict[str, Any] = evidence["metrics"]
            return metrics if evidence["decision"] == decision else None
        except (SlafError, KeyError, TypeError):
            return None

    def _standing_bundle(self) -> Bundle | None:
        """Return the bundle of the run folder, None if a file of it is missing or damaged."""
        try:
            if not all((self.run.bundle / name).is_file() for name in FILES):
                return None
            return read_bundle(self.run.bundle)
        except BundleError:
            return None

    def _confirm(self, arm: Arm, trial: FrozenTrial, count: int, seeds: list[int]) -> ArmWinner:
        candidate = arm.decode(trial.params)
        networks = self.confirmer.confirm(arm.name, candidate, seeds)
        given = candidate.architecture.input_activation
        figures = ArmFigures(
            name=arm.name,
            parameters=count_cost(candidate.architecture).parameters,
            trials=count,
            slots=tuple(slot_in_words(spec) for spec in candidate.architecture.placement),
            widths=candidate.architecture.widths,
            learned=any(spec.kind == "slaf" for spec in candidate.architecture.specs),
            costs=_costs(candidate),
            inputs=None if given is None else slot_in_words(given),
            validation=tuple(known(n.validation) for n in networks),
        )
        return ArmWinner(candidate, trial.number, networks, figures)

    def _export_network(self, winner: ArmWinner) -> ConfirmedNetwork:
        """Return the seed with the best validation, or the refit on all rows but the test's."""
        best = winner.best(self.confirmer.metric.better)
        if best is None:
            raise StudyError(
                f"the winner of arm {winner.figures.name!r} diverged with every fresh seed",
                remedy="lower the learning rates of the space, or make more trials",
            )
        if not self.refit:
            return best
        epochs = sorted(n.epochs for n in winner.networks)[len(winner.networks) // 2]
        seed = derive_seed(self.seed, "refit")
        again = self.confirmer.refit(winner.candidate, seed, max(1, epochs))
        return again if again.finite else best

    def _write_figures(
        self,
        decision: dict[str, Any],
        winners: list[ArmWinner],
        winner: ArmWinner,
        exported: ConfirmedNetwork,
    ) -> None:
        """Write what a report draws and could not find once the data are gone."""
        arms = {}
        for one in winners:
            shown = exported if one is winner else one.best(self.confirmer.metric.better)
            arms[one.figures.name] = arm_data(
                one.candidate,
                None if shown is None else shown.network,
                self.data.validation[0],
                [(network.seed, network.epochs, network.curve) for network in one.networks],
            )
        write_figure_data(self.run.folder, decision, arms)

    def _open_test(
        self, winners: list[ArmWinner], winner: ArmWinner, exported: ConfirmedNetwork
    ) -> dict[str, Any]:
        """Read the test rows, once, and return `metrics.json`."""
        study, kind = self.arms[0].study, self.confirmer.metric
        openings = int(study.user_attrs.get(_OPENINGS, 0)) + 1
        study.set_user_attr(_OPENINGS, openings)
        test = self.data.open_test()
        value = self.confirmer.value
        figures = {
            w.figures.name: replace(
                w.figures, test=tuple(value(n.network, test) for n in w.networks)
            )
            for w in winners
        }
        mix, relu = figures[self.arms[0].name], figures.get("relu")
        own = figures[winner.figures.name].to_json()
        info, validation = self.data.info, self.data.validation
        model = fit_linear(self.data)
        linear = linear_value(self.data, kind, test, model)
        comparison, gain = relu and relu.name, gain_in_words(mix, relu, kind.better)
        if not self.twin:
            comparison = "linear"
            gain = gain_without_twin(mix, linear, self.budget.in_words(), kind.better)
        return {
            "schema": SCHEMA,
            "metric": kind.name,
            "direction": kind.direction,
            "parameters": winner.figures.parameters,
            "budget": self.budget.parameters,
            "limits": self.budget.limits,
            "costs": _costs(winner.candidate),
            "winner": winner.figures.name,
            "exported": {
                "seed": exported.seed,
                "validation": exported.validation,
                "test": value(exported.network, test),
                "refit": exported.validation is None,
            },
            "test": {key: own[key] for key in ("mean", "spread", "values")},
            "mix": mix.to_json(),
            "relu": None if relu is None else relu.to_json(),
            "difference": None if relu is None else paired_difference(mix, relu),
            "comparison": comparison,
            "gain": gain,
            "linear": {
                "parameters": linear_parameters(info),
                "validation": linear_value(self.data, kind, validation, model),
                "test": linear,
            },
            "constant": {
                "parameters": info.outputs,
                "validation": constant_value(self.data, kind, validation),
                "test": constant_value(self.data, kind, test),
            },
            "test_openings": openings,
            "data": {
                "source": self.data.table.source,
                "split": self.data.split,
                "identity": self.data.fingerprint(),
                "validation_rows": len(validation[1]),
                "test_rows": self.data.test_rows,
            },
        }


def _costs(candidate: Candidate) -> dict[str, int | None]:
    totals = count_cost(candidate.architecture).totals
    return {name: None if cost == math.inf else int(cost) for name, cost in totals.items()}
