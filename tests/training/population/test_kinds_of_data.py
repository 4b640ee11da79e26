"""Lanes on every kind of data: several targets, weighed classes, categories and gaps."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from lanes import assert_same, started, trained
from small_tables import make_candidate, make_data, make_table, normal_rows, relu, slaf

from slaf_automl.networks import count_cost
from slaf_automl.spec import Architecture, Candidate, Recipe
from slaf_automl.training import TableData, fit
from slaf_automl.training.data import Table


def several_targets():
    x = normal_rows()
    y = np.stack([np.sin(2 * x[:, 0]), 100 + 20 * x[:, 1] ** 2, 1e-3 * x[:, 2]], 1)
    table = Table("made up", ("x0", "x1", "x2"), x, "a,b,c", y, targets=("a", "b", "c"))
    return TableData(table)


def weighed(task):
    return TableData(make_data(task).table, class_weights="balanced")


def gaps_and_categories():
    x = normal_rows(columns=4)
    y = np.sin(2 * x[:, 0]) + (x[:, 3] > 0)
    x[::7, 0] = np.nan
    x[::5, 1] = np.nan
    x[:, 1] = 1e3 + x[:, 1]
    x[:, 3] = x[:, 3] > 0
    levels = (None, None, None, ("no", "yes"))
    return TableData(replace(make_table(x, y), levels=levels))


CASES = {
    "several targets": several_targets,
    "weighed binary": lambda: weighed("binary"),
    "weighed multiclass": lambda: weighed("multiclass"),
    "gaps and categories": gaps_and_categories,
}


def candidate(data, placement=None, **recipe):
    found = make_candidate(make_data("regression"), placement, **recipe)
    architecture = replace(
        found.architecture,
        inputs=len(data.info.features),
        outputs=data.info.outputs,
        centred_inputs=data.info.centred_inputs,
        filled_inputs=data.info.filled,
    )
    return replace(found, architecture=architecture)


@pytest.mark.parametrize("case", CASES)
def test_lanes_end_where_their_candidates_alone_do(case, double):
    data = CASES[case]()
    candidates = [
        candidate(data),
        candidate(data, (relu(), slaf(normaliser="input")), routine="warm_start"),
    ]
    population = trained(started(data, candidates))
    for i, one in enumerate(candidates):
        assert_same(population, str(i), one, data, 1e-8)


def test_convolutional_lanes_weigh_classes_too(double):
    x = normal_rows(columns=16)
    y = np.where(x[:, 5] > 0.9, "rare", "frequent")
    table = replace(make_table(x, y), image=(1, 4, 4))
    data = TableData(table, class_weights="balanced")
    architecture = Architecture("cnn", 16, 1, (3,), (slaf(),), image=(1, 4, 4), pooling="max")
    one = Candidate(architecture, Recipe(epochs=3, batch_size=16, learning_rate=1e-2))
    population = trained(started(data, [one], images=True))
    assert_same(population, "0", one, data, 1e-8)


def test_what_is_filled_is_stored_counted_and_folded():
    data = gaps_and_categories()
    assert data.info.filled == (0, 2)
    assert data.info.centred_inputs
    one = candidate(data)
    module = fit(one, data, accelerator="cpu").module.eval()
    deployed = module.deployed()
    stored = sum(tensor.numel() for tensor in deployed.state_dict().values())
    assert stored == count_cost(one.architecture).parameters
    known = data.training[0][~data.training[0].isnan().any(1)]
    assert deployed.fills[1] == pytest.approx(1e3, abs=1)
    with torch.no_grad():
        for x in (data.validation[0], known):
            wanted = module(x)
            assert torch.isfinite(wanted).all()
            assert torch.allclose(deployed(x), wanted, atol=1e-4)
        # A gap is the mean, but for the input that says so.
        gap = data.validation[0][:1].clone()
        gap[0, 0] = torch.nan
        mean = gap.clone()
        mean[0, 0] = module.mean[0]
        assert torch.allclose(module(gap), module(mean), atol=1e-6)
        # Where training had no gaps, one is no number afterwards either.
        gap[0, 4] = torch.nan
        assert deployed(gap).isnan().all()


def test_balanced_weights_make_every_class_count_the_same():
    data = weighed("multiclass")
    counts = torch.bincount(data.training[1])
    assert torch.allclose(data.statistics.class_weights * counts, torch.tensor(96 / 3.0))
    assert TableData(data.table).fingerprint() != data.fingerprint()
