"""Mistakes of a first hour with one's own study or network: each gets one clear line."""

import optuna
import pytest
import torch
from torch import nn

from slaf_automl import (
    Budget,
    SearchSpace,
    SlafError,
    SlafModule,
    TableData,
    deploy_slots,
    replace,
)

ROW = torch.zeros(3, 4)


def mlp(layers=1):
    hidden = [nn.Linear(8, 8), nn.ReLU()] * (layers - 1)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), *hidden, nn.Linear(8, 2))


@pytest.fixture(scope="module")
def space():
    return SearchSpace.for_model(mlp(), ROW)


@pytest.fixture(scope="module")
def iris():
    return TableData.load("sklearn:iris")


def refused(make, *words):
    with pytest.raises(SlafError) as caught:
        make()
    message = str(caught.value)
    assert "\n" not in message
    assert not [word for word in words if word not in message], message


def test_two_spaces_in_one_study(space):
    study = optuna.create_study()
    space.suggest(study.ask())
    space.suggest(study.ask())
    deeper = SearchSpace.for_model(nn.Sequential(mlp(), nn.ReLU()), ROW)
    refused(lambda: deeper.suggest(study.ask()), "in one study", "prefix")
    beside = SearchSpace.for_model(mlp(), ROW, prefix="b.")
    beside.suggest(study.ask())


def test_two_table_spaces_in_one_study(iris):
    study, budget = optuna.create_study(), Budget(parameters=300)
    for _ in range(3):  # so that every name has been used
        SlafModule.from_trial(study.ask(), iris, budget, SearchSpace.load("mlp"))
    other = SearchSpace.load("mlp_tiny")
    refused(
        lambda: [SlafModule.from_trial(study.ask(), iris, budget, other) for _ in range(9)],
        "has other values in this study",
        "a study of its own",
    )


@pytest.mark.parametrize("given", [{"budget": 300}, {"extra": 300}])
def test_a_number_for_a_budget(space, given):
    refused(
        lambda: space.suggest(optuna.create_study().ask(), **given), "300", "Budget(parameters=300)"
    )


@pytest.mark.parametrize("trial", [None, optuna.create_study()])
def test_no_trial(space, iris, trial):
    refused(lambda: space.suggest(trial), "a trial of type", "optuna.trial.Trial")
    load = SearchSpace.load("mlp")
    refused(lambda: load.suggest(trial, iris, Budget(parameters=300)), "a trial of type")


def test_wrong_things_for_a_module(iris, space):
    trial, budget = optuna.create_study().ask(), Budget(parameters=300)
    load = SearchSpace.load("mlp")
    refused(lambda: SlafModule.from_trial(trial, iris, 300, load), "300", "a Budget")
    refused(lambda: SlafModule.from_trial(trial, iris, budget, "mlp"), "'mlp'", "SearchSpace.load")
    refused(lambda: SlafModule.from_trial(trial, iris, load, budget), "a SearchSpace")
    refused(lambda: SlafModule.from_trial(trial, iris, budget, space), "a SearchSpace")
    refused(lambda: SlafModule.from_trial(trial, ROW, budget, load), "Tensor", "TableData.load")


def test_wrong_things_to_deploy(space):
    trial = optuna.trial.FixedTrial(
        {
            "slot0.activation": "slaf", "slot0.basis": "chebyshev", "slot0.degree": 3,
            "slot0.hybrid": 0.0, "sharing": "layer", "normaliser": "none",
        }
    )  # fmt: skip
    model = mlp()
    placement = space.suggest(trial)
    new = replace(model, placement)
    refused(lambda: deploy_slots(placement, new), "type", "a Placement")
    refused(lambda: deploy_slots(placement, placement), "a model of type Placement")
    refused(lambda: deploy_slots(model, placement), "replace returned")
    deployed = deploy_slots(new, dict(placement))
    assert torch.equal(deployed(ROW), deploy_slots(new, placement)(ROW))
