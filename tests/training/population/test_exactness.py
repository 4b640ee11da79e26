"""A lane is the same experiment as its candidate alone."""

import itertools

import pytest
from lanes import BATCH_SEED, assert_same, started, trained
from small_tables import HOPELESS, make_candidate, make_contrary_data, make_data, relu, slaf

from slaf_automl.training.fit import fit

NORMALISERS = ("none", "input", "frozen", "element")
ROUTINES = ("joint", "alternate", "two_speed", "warm_start")
BASES = ("chebyshev", "hermite", "legendre", "monomial", "bernstein", "chebyshev_second")


def mixture(data, epochs, some=slice(None)):
    """Every basis, normaliser and clip, with the other choices taken in turn."""
    candidates = []
    for i, (basis, normaliser, clip) in enumerate(
        itertools.product(BASES, NORMALISERS, (3.0, None)), start=1
    ):
        placement = (
            slaf(
                basis=basis,
                degree=2 + i % (5 if clip else 3),
                normaliser=normaliser,
                clip=clip,
                sharing=("layer", "channel", 2)[i % 3],
                hybrid=(0.0, 0.25, 0.5)[i % 3 - (i // 3) % 3],
            ),
            relu(NORMALISERS[(i // 2) % 4]),
            slaf(normaliser=NORMALISERS[i % 4], degree=7 if i % 5 == 0 else 3),
        )[: 1 + i % 3]
        candidates.append(
            make_candidate(
                data,
                placement=placement,
                widths=(5 + i % 4, 6, 4 + i % 3)[: len(placement)],
                routine=ROUTINES[i % 4],
                coefficient_rate=2.0,
                coefficient_decay=0.01,
                coefficient_l1=(0.0, 0.0, 1e-2)[(i // 2) % 3],
                gradient_clip=(1.0, None, 3.0)[i % 3],
                hold_statistics=(None, 0.05, 0.5)[(i // 4) % 3],
                learning_rate=1e-2 if clip else 2e-3,
                patience=(None, None, 3)[i % 3],
                epochs=epochs,
            )
        )
    for k, normaliser in enumerate(NORMALISERS):
        slots = (relu(normaliser),) * (1 + k % 3)
        candidates.append(
            make_candidate(data, slots, epochs=epochs, gradient_clip=(None, 3.0)[k % 2])
        )
    return candidates[some]


@pytest.mark.slow
def test_every_kind_of_lane_ends_where_its_candidate_alone_does(double):
    """224 steps in float64: all of the mixture in one population, depths 1 to 3 together."""
    data = make_data("multiclass", rows=330)
    candidates = mixture(data, epochs=16)
    population = trained(started(data, candidates))
    assert population.steps * 16 == 224
    for seed, candidate in enumerate(candidates):
        assert_same(population, str(seed), candidate, data, 1e-8)


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_tasks(double, task):
    data = make_data(task)
    candidates = mixture(data, epochs=4, some=slice(None, None, 11))
    population = trained(started(data, candidates, together=3))
    for seed, candidate in enumerate(candidates):
        assert_same(population, str(seed), candidate, data, 1e-8)


@pytest.mark.parametrize("basis", ["fourier", "gaussian", "bspline", "hat", "chebyshev"])
def test_without_compiled_passes(double, basis):
    """Bases that are not polynomial share a population with others, in PyTorch's operations."""
    data = make_data("multiclass")
    candidates = [
        make_candidate(
            data, [slaf(basis=basis, normaliser=n, hybrid=0.3, sharing="layer"), relu(n)]
        )
        for n in NORMALISERS
    ]
    population = trained(started(data, candidates, compiled=basis == "fourier"))
    for seed, candidate in enumerate(candidates):
        assert_same(population, str(seed), candidate, data, 1e-8)


@pytest.mark.parametrize("placement", [(relu(),), (slaf(normaliser="input"), relu("input"))])
def test_warm_start_whose_projection_falls_on_the_first_step_of_an_epoch(double, placement):
    data = make_data("binary")
    candidate = make_candidate(data, placement, routine="warm_start", epochs=10)
    population = trained(started(data, [candidate]))
    assert_same(population, "0", candidate, data, 1e-8)


def test_a_metric_that_only_gets_worse(double):
    data = make_contrary_data()
    candidates = [make_candidate(data, epochs=8, patience=p) for p in (1, 3, None)]
    population = trained(started(data, candidates))
    for seed, candidate in enumerate(candidates):
        assert_same(population, str(seed), candidate, data, 1e-8)


def test_a_hopeless_candidate_has_the_constant_predictors_value():
    data = make_data("regression")
    candidate = make_candidate(data, [relu()], **HOPELESS)
    population = trained(started(data, [candidate]))
    assert population.standing("0").value == population.constant


def test_float32_follows_the_candidate_alone():
    """Outputs, not weights: a bias before a normaliser has a gradient of rounding alone."""
    data = make_data("multiclass")
    candidates = mixture(data, epochs=2, some=slice(None, None, 7))
    population = trained(started(data, candidates))
    x = data.validation[0]
    for seed, candidate in enumerate(candidates):
        alone = fit(candidate, data, seed=seed, batch_seed=BATCH_SEED)
        module = population.unstack(str(seed), best=True).eval()
        assert population.standing(str(seed)).best_epoch == alone.best_epoch
        assert module(x).allclose(alone.module(x), rtol=1e-3, atol=1e-3)


def test_statistics_pooled_over_several_batches(double):
    """More rows than one ordered batch holds: each batch by its own moments, then pooled."""
    data = make_data("regression", rows=13_000)
    assert data.info.rows > 8192
    candidates = [
        make_candidate(data, [slaf(normaliser=n), relu(n)], epochs=2, batch_size=1024)
        for n in NORMALISERS
    ]
    population = trained(started(data, candidates))
    for seed, candidate in enumerate(candidates):
        assert_same(population, str(seed), candidate, data, 1e-8)
