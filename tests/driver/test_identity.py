import re

import optuna
import pytest
from toy_search import identity

from slaf_automl.driver import RunFolder, stored_budget
from slaf_automl.errors import StudyError
from slaf_automl.spec import Budget

CHANGES = {
    "space": ("other", "space"),
    "space_version": (2, "version of the space"),
    "space_identity": ("xyz", "content of the space"),
    "budget": (99, "parameter budget"),
    "data_identity": ("xyz", "content, target or split of the data"),
    "metric": ("mae", "metric"),
    "seed": (1, "seed"),
    "population": (8, "population"),
}


@pytest.mark.parametrize("field", CHANGES)
def test_a_study_of_something_else_is_refused_in_words(run, field):
    study = run.study(identity("mix"), "minimize", None)
    value, words = CHANGES[field]
    before = dict(study.user_attrs)
    with pytest.raises(StudyError) as error:
        run.study(identity("mix", **{field: value}), "minimize", None)
    message = str(error.value)
    assert f"another {words}" in message
    assert repr(value) in message
    assert "\n" not in message
    assert study.user_attrs == before


def test_the_same_identity_opens_the_same_study(run):
    first = run.study(identity("mix"), "minimize", None)
    first.add_trial(optuna.trial.create_trial(value=1.0))
    again = run.study(identity("mix", data="elsewhere/copy.csv"), "minimize", None)
    assert len(again.trials) == 1


def test_a_foreign_study_of_that_name_is_refused(run):
    foreign = optuna.create_study(study_name="mix", storage=run._storage)
    foreign.add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(StudyError, match="did not make"):
        run.study(identity("mix"), "minimize", None)


def test_two_folders_of_one_name_share_a_storage(tmp_path):
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    names = set()
    for parent in ("x", "y"):
        with RunFolder(tmp_path / parent / "run", url) as run:
            names.add(run.study(identity("mix"), "minimize", None).study_name)
    assert len(names) == 2


def test_a_folder_keeps_to_its_search_whatever_the_storage(tmp_path):
    with RunFolder(tmp_path / "run") as run:
        run.study(identity("mix"), "minimize", None)
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    with (
        RunFolder(tmp_path / "run", url) as run,
        pytest.raises(StudyError, match="another parameter budget"),
    ):
        run.study(identity("mix", budget=99), "minimize", None)


MIXED = {"parameters": 100, "relus": 0}


@pytest.mark.parametrize(
    ("there", "here", "words"),
    [
        (100, MIXED, "another budget: 100 parameters there, 100 parameters and 0 ReLU evaluations"),
        (MIXED, 100, "another budget: 100 parameters and 0 ReLU evaluations there, 100 parameters"),
        (MIXED, {**MIXED, "relus": 1}, "0 ReLU evaluations there, 100 parameters and 1 ReLU"),
        ({"macs": 100}, 100, "another budget: 100 macs there, 100 parameters here"),
        ({"macs": 100}, {"bytes": 9}, "another budget: 100 macs there, {'bytes': 9} here"),
    ],
)
def test_every_limit_is_part_of_the_identity(run, there, here, words):
    run.study(identity("mix", budget=there), "minimize", None)
    with pytest.raises(StudyError, match=re.escape(words)):
        run.study(identity("mix", budget=here), "minimize", None)
    assert run.study(identity("mix", budget=there), "minimize", None).trials == []


def test_a_budget_of_parameters_is_held_as_before_there_were_others(run):
    assert stored_budget(Budget(100)) == 100
    study = run.study(identity("mix", budget=stored_budget(Budget(100))), "minimize", None)
    # As written by the version before; it resumes, and so it does the other way round.
    old = {"arm": "mix", "space": "toy", "space_version": 1, "space_identity": "abc"}
    old |= {"budget": 100, "data": "toy.csv", "data_identity": "def", "metric": "rmse", "seed": 0}
    assert study.user_attrs["slaf_automl"] == {"schema": 1, "population": 1, **old}


@pytest.mark.parametrize("limits", [{"macs": 5}, {"parameters": 5, "depth": 3}, {"relus": 0}])
def test_other_budgets_are_held_with_every_limit(limits):
    assert stored_budget(Budget(**limits)) == limits


def test_optunas_own_verbosity_is_left_alone(run):
    before = optuna.logging.get_verbosity()
    run.study(identity("mix"), "minimize", None)
    assert optuna.logging.get_verbosity() == before


def test_a_newer_schema_is_refused(run):
    study = run.study(identity("mix"), "minimize", None)
    study.set_user_attr("slaf_automl", {**study.user_attrs["slaf_automl"], "schema": 99})
    with pytest.raises(StudyError, match="another version"):
        run.study(identity("mix"), "minimize", None)


def test_another_storage_is_used_and_a_wrong_one_is_one_line(tmp_path):
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    with RunFolder(tmp_path / "run", url) as run:
        study = run.study(identity("mix"), "minimize", None)
    assert re.fullmatch(r"run-[0-9a-f]{8}/mix", study.study_name)
    assert not (tmp_path / "run" / "study.journal").exists()
    assert optuna.get_all_study_names(url) == [study.study_name]
    with (
        pytest.raises(StudyError, match="cannot open storage") as error,
        RunFolder(tmp_path / "other", "nosuchdatabase://x"),
    ):
        pass
    assert "\n" not in str(error.value)
