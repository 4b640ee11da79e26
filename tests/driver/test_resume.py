"""Nothing is lost: kills, orphans, leases, torn writes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from optuna.trial import TrialState
from toy_search import EPOCHS, RUNGS, ToyEvaluator, make_driver, open_arms

from slaf_automl.driver import RunFolder
from slaf_automl.driver.lease import LEASE_SECONDS, requeue_orphans
from slaf_automl.errors import StudyError

TOY = Path(__file__).with_name("toy_search.py")


def start(folder: Path, trials: int, seconds: float, log: Path) -> subprocess.Popen:
    command = [sys.executable, str(TOY), str(folder), str(trials), str(seconds), str(log)]
    return subprocess.Popen(command)


def finished_numbers(folder: Path) -> dict:
    with RunFolder(folder) as run:
        return {
            (arm.name, t.number): (t.state, t.params, t.datetime_complete)
            for arm in open_arms(run)
            for t in arm.finished()
        }


@pytest.mark.slow
def test_a_search_killed_again_and_again_reaches_its_total(tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log"
    kept: dict = {}
    for _ in range(4):
        process = start(folder, 12, 0.01, log)
        deadline = time.monotonic() + 60
        lines = len(log.read_text().splitlines()) if log.exists() else 0
        while time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.02)
            if log.exists() and len(log.read_text().splitlines()) > lines + 45:
                break
        process.kill()
        process.wait()
        now = finished_numbers(folder)
        assert kept.items() <= now.items(), "a finished trial was changed or lost"
        kept = now
    assert start(folder, 12, 0.0, log).wait(timeout=120) == 0
    with RunFolder(folder) as run:
        arms = open_arms(run)
        assert [len(arm.finished()) for arm in arms] == [12, 12]
        states = Counter(t.state for arm in arms for t in arm.study.trials)
        assert states[TrialState.RUNNING] == states[TrialState.WAITING] == 0
        retried = [
            (arm.name, t.user_attrs["retried_from"])
            for arm in arms
            for t in arm.study.trials
            if "retried_from" in t.user_attrs
        ]
    assert retried, "no kill hit a running trial; the test shows nothing"
    assert len(set(retried)) == len(retried)
    epochs = Counter(log.read_text().splitlines())
    assert max(epochs.values()) == 1, "a number was trained twice"


def test_a_retried_trial_goes_on_from_its_rung(run):
    arms = open_arms(run, ("mix",))

    class KilledError(Exception):
        pass

    class Killed(ToyEvaluator):
        def train(self, desk, job):
            wanted = desk.report

            def report(reports):
                wanted(reports)
                raise KilledError

            desk.report = report
            super().train(desk, job)

    with pytest.raises(KilledError):
        make_driver(run, arms, 1).run(Killed())
    (orphan,) = arms[0].study.trials
    make_it_foreign(arms[0].study, orphan)
    evaluator = ToyEvaluator()
    make_driver(run, arms, 1).run(evaluator)
    (job,) = evaluator.jobs
    assert job.number == 1
    assert job.resume_from is not None
    assert [epoch for _, _, epoch in evaluator.trained] == list(range(RUNGS[0] + 1, EPOCHS + 1))
    (trial,) = arms[0].finished()
    # The rung that the orphan had passed stands under the new number too.
    assert list(trial.intermediate_values) == list(RUNGS)


def make_it_foreign(study, trial, host=None, pid=None, renewed=0.0):
    """Turn a trial's lease into that of another, dead process."""
    name = "lease:" + trial.user_attrs["driver"]
    lease = dict(study.user_attrs[name])
    lease.update(host=host or socket.gethostname(), pid=pid or 2**22 + 1, renewed=renewed)
    study.set_user_attr(name, lease)


def leave_running(run):
    arms = open_arms(run, ("mix",))
    driver = make_driver(run, arms, 5)
    (job,) = driver.pull(1)
    return arms[0].study, arms[0].study.trials[job.number]


def test_a_living_drivers_trials_are_left_alone(run):
    study, trial = leave_running(run)
    with pytest.raises(StudyError, match=r"another driver .* runs trials"):
        requeue_orphans(study, alone=False)
    assert study.trials[trial.number].state == TrialState.RUNNING


def test_under_the_folders_lock_every_running_trial_is_an_orphan(run):
    # Restarted under another host name, a container would otherwise wait for its own old lease.
    study, trial = leave_running(run)
    make_it_foreign(study, trial, host="elsewhere", renewed=time.time())
    assert requeue_orphans(study, alone=True) == 1


def test_a_dead_process_of_this_machine_leaves_orphans(run):
    study, trial = leave_running(run)
    make_it_foreign(study, trial)
    assert requeue_orphans(study, alone=False) == 1
    assert [t.state for t in study.trials] == [TrialState.FAIL, TrialState.WAITING]
    seed = trial.user_attrs["seed"]
    assert study.trials[1].user_attrs == {"retried_from": 0, "seed": seed, "crashes": 1}


def test_a_reused_process_number_does_not_count_as_alive(run):
    study, trial = leave_running(run)
    make_it_foreign(study, trial, pid=1)  # Alive, but born at another time.
    assert requeue_orphans(study, alone=False) == 1


def test_another_machines_lease_holds_until_it_runs_out(run):
    study, trial = leave_running(run)
    make_it_foreign(study, trial, host="elsewhere", renewed=time.time())
    with pytest.raises(StudyError, match="host elsewhere"):
        requeue_orphans(study, alone=False)
    make_it_foreign(study, trial, host="elsewhere", renewed=time.time() - LEASE_SECONDS - 1)
    assert requeue_orphans(study, alone=False) == 1


def test_what_crashed_twice_is_not_queued_a_third_time(run):
    study, trial = leave_running(run)
    make_it_foreign(study, trial)
    assert requeue_orphans(study, alone=False) == 1
    arms = open_arms(run, ("mix",))
    (job,) = make_driver(run, arms, 5).pull(1)
    retry = study.trials[job.number]
    assert retry.user_attrs["retried_from"] == 0
    make_it_foreign(study, retry)
    requeue_orphans(study, alone=False)
    assert not [t for t in study.trials if t.state == TrialState.WAITING]


def test_a_line_torn_by_a_kill_is_dropped(tmp_path):
    folder = tmp_path / "run"
    with RunFolder(folder) as run:
        make_driver(run, open_arms(run), 3).run(ToyEvaluator())
    whole = finished_numbers(folder)
    with (folder / "study.journal").open("ab") as file:
        file.write(b'{"op_code":4,"worker_id":"x","study_i')
    assert finished_numbers(folder) == whole
    with RunFolder(folder) as run:
        arms = open_arms(run)
        make_driver(run, arms, 4).run(ToyEvaluator())
        assert [len(arm.finished()) for arm in arms] == [4, 4]


def test_a_damaged_journal_is_one_clear_line(tmp_path):
    folder = tmp_path / "run"
    with RunFolder(folder) as run:
        make_driver(run, open_arms(run), 2).run(ToyEvaluator())
    journal = folder / "study.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:3], b"rubbish\n", *lines[3:]]))
    with pytest.raises(StudyError, match=r"study\.journal is damaged"), RunFolder(folder):
        pass


def test_two_searches_cannot_hold_one_folder(tmp_path):
    log = tmp_path / "log"
    process = start(tmp_path / "run", 50, 0.05, log)
    try:
        deadline = time.monotonic() + 60
        while not log.exists() or not log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with (
            pytest.raises(StudyError, match="another search is running"),
            RunFolder(tmp_path / "run"),
        ):
            pass
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with RunFolder(tmp_path / "run") as run:  # The kernel gave the dead process's lock back.
        assert run.folder.is_dir()
