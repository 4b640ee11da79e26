"""The driver's promises, with evaluators of every shape."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.trial import TrialState
from toy_search import EPOCHS, RUNGS, ToyEvaluator, loss, make_driver, open_arms, suggest

from slaf_automl.driver import RunFolder
from slaf_automl.errors import StudyError
from slaf_automl.spec import Desk, Job, TrialResult


def counts(arms: list) -> list[int]:
    return [len(arm.finished()) for arm in arms]


@pytest.mark.parametrize(("at_once", "backwards"), [(1, False), (4, False), (4, True), (100, True)])
def test_evaluators_of_every_shape_fill_both_arms_exactly(run, at_once, backwards):
    arms = open_arms(run)
    evaluator = ToyEvaluator(at_once=at_once, backwards=backwards)
    make_driver(run, arms, 9).run(evaluator)
    assert counts(arms) == [9, 9]
    assert len({(j.arm, j.number) for j in evaluator.jobs}) == len(evaluator.jobs) == 18
    assert {t.state for arm in arms for t in arm.finished()} == {
        TrialState.COMPLETE,
        TrialState.PRUNED,
    }


def test_the_arms_take_turns(run):
    arms = open_arms(run)
    evaluator = ToyEvaluator()
    make_driver(run, arms, 5).run(evaluator)
    assert [job.arm for job in evaluator.jobs] == ["mix", "relu"] * 5


def test_halving_stops_the_worse_at_shared_rungs_and_keeps_the_best(run):
    arms = open_arms(run, ("mix",))
    evaluator = ToyEvaluator()
    make_driver(run, arms, 20).run(evaluator)
    last = {}
    for _, number, epoch in evaluator.trained:
        last[number] = epoch
    assert set(last.values()) <= {*RUNGS, EPOCHS}
    assert RUNGS[0] in last.values()
    best = min(evaluator.jobs, key=loss)
    assert last[best.number] == EPOCHS
    assert arms[0].best().number == best.number


def test_finished_trials_carry_seed_driver_parameters_and_result(run):
    arms = open_arms(run, ("mix",))
    make_driver(run, arms, 3).run(ToyEvaluator())
    for trial in arms[0].finished():
        assert {"seed", "driver", "parameters", "result"} <= set(trial.user_attrs)
        assert TrialResult.from_json(trial.user_attrs["result"]).epochs in (*RUNGS, EPOCHS)


def test_the_same_total_again_does_nothing_and_a_larger_one_extends(run):
    arms = open_arms(run)
    make_driver(run, arms, 4).run(ToyEvaluator())
    before = [t.datetime_complete for arm in arms for t in arm.finished()]
    again = ToyEvaluator()
    make_driver(run, arms, 4).run(again)
    assert again.jobs == []
    make_driver(run, arms, 6).run(again)
    assert counts(arms) == [6, 6]
    assert [t.datetime_complete for arm in arms for t in arm.finished()[:4]] == before


def test_one_seed_gives_one_search_whole_or_in_two_halves(tmp_path: Path):
    def parameters(folder: str, totals: tuple[int, ...]) -> list:
        with RunFolder(tmp_path / folder) as run:
            arms = open_arms(run)
            for total in totals:
                make_driver(run, arms, total).run(ToyEvaluator())
            return [(t.params, t.user_attrs["seed"]) for arm in arms for t in arm.finished()]

    # 20 trials: past TPE's ten random ones.
    assert parameters("whole", (20,)) == parameters("halves", (13, 20))


def test_another_seed_gives_another_search(tmp_path: Path):
    found = []
    for seed in (0, 1):
        with RunFolder(tmp_path / str(seed)) as run:
            arms = open_arms(run, ("mix",))
            make_driver(run, arms, 3, seed=seed).run(ToyEvaluator())
            found.append([t.params for t in arms[0].finished()])
    assert found[0] != found[1]


def test_stopping_hands_the_running_job_back_for_the_next_start(run):
    arms = open_arms(run, ("mix",))
    seen = []

    def stopping() -> bool:
        seen.append(1)
        return len(seen) > 40

    make_driver(run, arms, 50, stopping=stopping).run(ToyEvaluator())
    study = arms[0].study
    failed = [t for t in study.trials if t.state == TrialState.FAIL]
    waiting = [t for t in study.trials if t.state == TrialState.WAITING]
    assert len(failed) == len(waiting) == 1
    assert waiting[0].user_attrs["retried_from"] == failed[0].number
    finished = len(arms[0].finished())
    make_driver(run, arms, finished + 1).run(ToyEvaluator())
    retried = arms[0].finished()[-1]
    assert retried.params == failed[0].params
    assert retried.user_attrs["seed"] == failed[0].user_attrs["seed"]


def test_a_search_that_is_stopping_hands_out_nothing(run):
    arms = open_arms(run)
    evaluator = ToyEvaluator()
    make_driver(run, arms, 5, stopping=lambda: True).run(evaluator)
    assert evaluator.jobs == []


def test_an_evaluator_that_drops_a_job_is_told_so(run):
    def forgetful(desk: Desk) -> None:
        desk.pull(1)

    with pytest.raises(StudyError, match="left trial 0 of arm 'mix' unfinished"):
        make_driver(run, open_arms(run), 2).run(forgetful)


def test_checkpoints_of_finished_trials_are_removed(run):
    make_driver(run, open_arms(run), 6).run(ToyEvaluator())
    assert list(run.checkpoints.iterdir()) == []


def test_best_among_the_first_trials_ignores_the_later_ones(run):
    arms = open_arms(run, ("mix",))
    make_driver(run, arms, 12).run(ToyEvaluator())
    first = arms[0].finished()[:3]
    complete = [t for t in first if t.state == TrialState.COMPLETE]
    assert arms[0].best(first=3).value == min(t.value for t in complete)
    assert arms[0].best(first=0) is None


def test_a_diverged_value_is_recorded_as_given(run):
    def diverging(desk: Desk) -> None:
        while jobs := desk.pull(1):
            job: Job = jobs[0]
            desk.finish([(job, TrialResult("complete", 7.0, 1, diverged=True))])

    arms = open_arms(run, ("mix",))
    make_driver(run, arms, 2).run(diverging)
    assert [t.value for t in arms[0].finished()] == [7.0, 7.0]
    assert all(t.user_attrs["result"]["diverged"] for t in arms[0].finished())


def test_interruptions_again_and_again_lose_neither_the_trial_nor_its_rungs(run):
    """Short time slots: each start trains a few epochs of the same trial and is stopped."""
    arms = open_arms(run, ("mix",))
    evaluator = ToyEvaluator()
    for _ in range(12):
        asked = []

        def stopping(asked=asked) -> bool:
            asked.append(1)
            return len(asked) > 15

        make_driver(run, arms, 2, stopping=stopping).run(evaluator)
    assert len(arms[0].finished()) == 2
    assert arms[0].best() is not None
    assert list(run.checkpoints.glob("*.ckpt")) == []


def test_the_ghosts_of_interrupted_trials_hold_no_places_at_the_rungs(run):
    arms = open_arms(run, ("mix",))
    study = arms[0].study
    for _ in range(6):  # Six failed trials that were better at the first rung than any to come.
        trial = study.ask()
        suggest(trial)
        trial.report(-100.0, step=RUNGS[0])
        trial.should_prune()
        study.tell(trial, state=TrialState.FAIL)
    make_driver(run, arms, 3).run(ToyEvaluator())
    assert arms[0].best() is not None
