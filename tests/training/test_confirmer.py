"""Confirmation: fresh seeds, networks kept and found again, refits, and a call to stop."""

import math

import pytest
import torch
from small_tables import (
    make_candidate,
    make_contrary_data,
    make_data,
    relu,
    same_state,
    slaf,
)

from slaf_automl.training import METRICS, fit
from slaf_automl.training.baselines import constant_value
from slaf_automl.training.confirmation import ConfirmationInterruptedError, Confirmer
from slaf_automl.training.metrics import evaluate

SEEDS = [11, 12]


@pytest.fixture(scope="module")
def data():
    return make_data("regression")


class Notes:
    """A confirmer's progress, and when to stop."""

    def __init__(self, data, folder, stopping=lambda: False):
        self.said = []
        self.confirmer = Confirmer(data, METRICS["rmse"], folder, "cpu", stopping, self.said.append)


def value_of(network, data, part):
    with torch.no_grad():
        return evaluate(METRICS["rmse"], data.info, network(part[0]), part[1])


def test_each_seed_is_one_training_of_its_own(data, tmp_path):
    candidate = make_candidate(data, (slaf(normaliser="none"), relu()), epochs=6)
    notes = Notes(data, tmp_path)
    found = notes.confirmer.confirm("mix", candidate, SEEDS)
    assert [network.seed for network in found] == SEEDS
    assert not same_state(found[0].network, found[1].network)
    for network in found:
        alone = fit(candidate, data, seed=network.seed, accelerator="cpu")
        wanted = alone.module.deployed().state_dict()
        for name, tensor in network.network.state_dict().items():  # Sums are in another order.
            assert torch.allclose(tensor, wanted[name], rtol=1e-3, atol=1e-4)
        assert network.epochs == alone.best_epoch
        assert network.validation == value_of(network.network, data, data.validation)
    assert notes.said[0] == "confirming mix: 2 seeds at once"
    assert notes.said[1:] == ["confirming mix: seed 1 of 2", "confirming mix: seed 2 of 2"]
    assert data.test_openings == 0


def test_networks_in_the_folder_are_not_trained_again(data, tmp_path):
    candidate = make_candidate(data)
    first = Notes(data, tmp_path).confirmer.confirm("mix", candidate, SEEDS)

    def never():
        raise AssertionError("trained again")

    again = Notes(data, tmp_path, never).confirmer.confirm("mix", candidate, SEEDS)
    for one, other in zip(first, again, strict=True):
        assert same_state(one.network, other.network)
        assert (one.seed, one.validation, one.epochs, one.curve) == (
            other.seed,
            other.validation,
            other.epochs,
            other.curve,
        )
        assert len(one.curve) == candidate.recipe.epochs


@pytest.mark.parametrize("change", ["candidate", "seed", "refit"])
def test_another_candidate_seed_or_refit_is_another_network(data, tmp_path, change):
    candidate = make_candidate(data)
    confirmer = Notes(data, tmp_path).confirmer
    confirmer.confirm("mix", candidate, [11])
    before = set(tmp_path.iterdir())
    if change == "candidate":
        confirmer.confirm("mix", make_candidate(data, learning_rate=2e-2), [11])
    elif change == "seed":
        confirmer.confirm("mix", candidate, [12])
    else:
        confirmer.refit(candidate, 11, candidate.recipe.epochs)
    added = sorted(path.suffix for path in set(tmp_path.iterdir()) - before)
    assert added == [".json", ".safetensors"]


def test_damaged_network_in_the_folder_is_trained_again(data, tmp_path):
    candidate = make_candidate(data)
    first = Notes(data, tmp_path).confirmer.confirm("mix", candidate, [11])
    (stored,) = tmp_path.glob("*.safetensors")
    stored.write_bytes(stored.read_bytes()[:-8])
    again = Notes(data, tmp_path).confirmer.confirm("mix", candidate, [11])
    assert same_state(first[0].network, again[0].network)


def test_refit_trains_on_training_and_validation_rows_for_so_many_epochs(tmp_path):
    data = make_contrary_data()
    candidate = make_candidate(data, (relu("input"), relu("input")), epochs=9, patience=1)
    refit = Notes(data, tmp_path).confirmer.refit(candidate, 11, 20)
    assert refit.validation is None
    again = Notes(data, tmp_path).confirmer.refit(candidate, 11, 20)
    assert again.validation is None
    assert same_state(again.network, refit.network)
    # The validation rows contradict the others; it knows them only if it has seen them.
    plain = fit(candidate, data, seed=11, accelerator="cpu", epochs=20).module.deployed()
    seen, unseen = (value_of(n, data, data.validation) for n in (refit.network, plain))
    assert seen < 0.9 * unseen
    assert data.test_openings == 0


def test_stopping_keeps_what_was_trained(data, tmp_path):
    candidate = make_candidate(data)
    batches = iter(range(25))  # enough for the first winner, not for the second
    notes = Notes(data, tmp_path, lambda: next(batches, None) is None)
    notes.confirmer.confirm("mix", candidate, SEEDS)
    other = make_candidate(data, (relu("input"),))
    with pytest.raises(ConfirmationInterruptedError, match="what was trained is kept"):
        notes.confirmer.confirm("relu", other, SEEDS)
    assert len(list(tmp_path.glob("*.json"))) == 2
    again = Notes(data, tmp_path)
    assert len(again.confirmer.confirm("mix", candidate, SEEDS)) == 2
    assert again.said[0].startswith("confirming mix: seed 1")


def test_value_is_as_measured_and_the_constant_s_where_outputs_are_not_finite(data, tmp_path):
    confirmer = Notes(data, tmp_path).confirmer
    network = fit(make_candidate(data), data, accelerator="cpu").module.deployed()
    constant = constant_value(data, METRICS["rmse"], data.validation)
    network.layers[-1].bias.fill_(1e6)
    # What `predict` on the bundle will reproduce, however bad.
    assert confirmer.value(network, data.validation) == pytest.approx(1e6, rel=0.01)
    for ruin in (math.nan, math.inf):
        network.layers[-1].bias.fill_(ruin)
        assert confirmer.value(network, data.validation) == constant
