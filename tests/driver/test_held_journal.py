"""The journal that holds records back: what it reads, what a kill leaves, what others see."""

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from slaf_automl.driver.journal import HeldJournal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.journal"


def opened(path):
    journal = HeldJournal(JournalFileBackend(str(path)))
    return JournalStorage(journal), journal


def lines(path):
    return len(path.read_text().splitlines()) if path.exists() else 0


def trial_of(study, value):
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    trial.set_user_attr("pair", (1, {2: "two"}))
    trial.report(value, step=3)
    study.tell(trial, value)


def test_held_records_read_as_if_they_were_written(path):
    storage, journal = opened(path)
    study = optuna.create_study(storage=storage, study_name="s")
    journal.hold()
    before = lines(path)
    trial_of(study, 0.5)
    assert lines(path) == before
    (trial,) = study.trials
    assert trial.value == 0.5
    assert trial.intermediate_values == {3: 0.5}
    assert trial.user_attrs["pair"] == [1, {"2": "two"}]  # As a file would give it back.
    journal.flush()
    assert lines(path) > before
    others, _ = opened(path)
    (again,) = optuna.load_study(study_name="s", storage=others).trials
    assert again == trial


def test_what_is_not_flushed_is_lost_and_nothing_else(path):
    storage, journal = opened(path)
    study = optuna.create_study(storage=storage, study_name="s")
    journal.hold()
    trial_of(study, 0.5)
    journal.flush()
    trial_of(study, 0.25)
    others, _ = opened(path)
    assert [t.value for t in optuna.load_study(study_name="s", storage=others).trials] == [0.5]


def test_after_release_every_record_is_written_at_once(path):
    storage, journal = opened(path)
    study = optuna.create_study(storage=storage, study_name="s")
    journal.hold()
    trial_of(study, 0.5)
    journal.release()
    before = lines(path)
    study.set_user_attr("more", 1)
    assert lines(path) == before + 1
    others, _ = opened(path)
    # What another process writes is seen when nothing is held back.
    optuna.load_study(study_name="s", storage=others).set_user_attr("other", 2)
    assert study.user_attrs == {"more": 1, "other": 2}


def test_holding_and_writing_in_turns(path):
    storage, journal = opened(path)
    study = optuna.create_study(storage=storage, study_name="s")
    for turn in range(4):
        if turn % 2:
            journal.hold()
        trial_of(study, turn / 4)
        if turn == 2:
            journal.flush()
        if turn % 2:
            journal.release()
    others, _ = opened(path)
    values = [t.value for t in optuna.load_study(study_name="s", storage=others).trials]
    assert values == [t.value for t in study.trials] == [0.0, 0.25, 0.5, 0.75]
