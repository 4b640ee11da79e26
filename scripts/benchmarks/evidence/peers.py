"""Peers of the searched mixes: other learned activations and a stock MLP of the same size.

* `kan`: splines on every edge (Liu et al. 2024, arXiv:2404.19756), of 0 to 2 hidden layers.
* `rational`: an MLP with a rational function in each hidden layer (Boullé, Nakatsukasa and Townsend
  2020, arXiv:2004.01902; Molina et al. 2020, arXiv:1907.06732), of 1 to 3 hidden layers.
* `sklearn`: scikit-learn's ReLU MLP under its own Adam, of 1 or 2 hidden layers.

Each is searched by as many trials (multivariate TPE) as it is given, on the validation rows alone,
every network with as many units as the budget holds and as many steps as the `mlp` space gives;
the winner is trained again with fresh seeds and then the test rows are read once. Standardisation
counts nothing, as in the package's own networks where it folds. This favours the peers: a KAN would
have to store it, and all would where columns lie far from zero, as the package's then do. Grids
count nothing either.

The authors' own `pykan` (0.2.8) installs and imports under PyTorch 2.13 and Python 3.11, but 20 of
its LBFGS steps take 5.5 s at 1,000 values and 741 rows on one thread, so it is no peer here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TypeVar

import optuna
import torch
from optuna.samplers import TPESampler
from optuna.trial import BaseTrial

from evidence.peer_networks import (
    RATIONAL_VALUES,
    SHAPES,
    dense_cost,
    kan_cost,
    kan_network,
    rational_network,
    spread_widths,
)
from evidence.peer_sklearn import StockSettings, train_stock
from evidence.peer_training import Trained, train
from slaf_automl import SearchSpace, TableData
from slaf_automl.driver.seeds import derive_seed
from slaf_automl.errors import BudgetError
from slaf_automl.training.baselines import constant_value
from slaf_automl.training.metrics import find_metric

GRIDS = (2, 5)
"""Fewest and most intervals of a KAN's splines."""

KAN_DEPTHS = (0, 1, 2)
RATIONAL_DEPTHS = (1, 2, 3)
STOCK_DEPTHS = (1, 2)
"""Numbers of hidden layers."""

T = TypeVar("T")


@dataclass(frozen=True)
class PeerFigures:
    """What a peer reached on a set.

    Args:
        name: the peer.
        parameters: values that the winner stores.
        trials: how many networks were tried.
        validation: the metric of each confirmation on the validation rows.
        test: the same on the test rows.
        seconds: of search and confirmations.
        chosen: the winner's settings in words.
    """

    name: str
    parameters: int
    trials: int
    validation: tuple[float, ...]
    test: tuple[float, ...]
    seconds: float
    chosen: str


@dataclass(frozen=True)
class Proposal:
    """A network and how it is trained.

    Args:
        parameters: values that it stores.
        words: its settings.
        train: seed ↦ the trained network.
    """

    parameters: int
    words: str
    train: Callable[[int], Trained]


def epochs_of(data: TableData) -> int:
    """Return how many epochs the `mlp` space gives."""
    return SearchSpace.load("mlp").epochs(data)


def propose_kan(trial: BaseTrial, data: TableData, budget: int) -> Proposal:
    """Let a trial choose a KAN; a grid too fine for the budget is the finest that fits."""
    inputs, outputs = len(data.info.features), data.info.outputs

    def cost(widths: tuple[int, ...], grid: int) -> int:
        return kan_cost(inputs, outputs, widths, grid)

    feasible = [d for d in KAN_DEPTHS if cost((1,) * d, GRIDS[0]) <= budget]
    least = min(cost((1,) * d, GRIDS[0]) for d in KAN_DEPTHS)
    depth = _choose(trial, "depth", feasible, budget, least)
    grid = trial.suggest_int("grid", *GRIDS)
    while cost((1,) * depth, grid) > budget:
        grid -= 1
    half = trial.suggest_float("half", 1.0, 4.0)
    widths = spread_widths(depth, "constant", partial(cost, grid=grid), budget)
    assert widths is not None
    rate, decay, words = _recipe(trial)

    def trained(seed: int) -> Trained:
        generator = torch.Generator().manual_seed(seed)
        network = kan_network((inputs, *widths, outputs), grid, half, generator)
        return train(network, data, rate, decay, epochs_of(data), seed)

    where = f"grid of {grid} on ±{half:.2g}"
    return Proposal(cost(widths, grid), f"{_units(widths)}, {where}, {words}", trained)


def propose_rational(trial: BaseTrial, data: TableData, budget: int) -> Proposal:
    """Let a trial choose an MLP with rational functions."""
    inputs, outputs = len(data.info.features), data.info.outputs
    cost = partial(dense_cost, inputs, outputs, each=RATIONAL_VALUES)
    widths = _dense_widths(trial, cost, RATIONAL_DEPTHS, budget)
    rate, decay, words = _recipe(trial)

    def trained(seed: int) -> Trained:
        generator = torch.Generator().manual_seed(seed)
        network = rational_network((inputs, *widths, outputs), generator)
        return train(network, data, rate, decay, epochs_of(data), seed)

    return Proposal(cost(widths), f"{_units(widths)}, {words}", trained)


def propose_sklearn(trial: BaseTrial, data: TableData, budget: int) -> Proposal:
    """Let a trial choose scikit-learn's MLP."""
    cost = partial(dense_cost, len(data.info.features), data.info.outputs)
    widths = _dense_widths(trial, cost, STOCK_DEPTHS, budget)
    rate = trial.suggest_float("learning_rate_init", 1e-3, 1e-1, log=True)
    alpha = trial.suggest_float("alpha", 1e-6, 1e-1, log=True)
    times = trial.suggest_categorical("batch", (0.5, 1.0, 2.0))
    settings = StockSettings(widths, rate, alpha, int(times * data.info.batch_size))

    def trained(seed: int) -> Trained:
        steps = epochs_of(data) * -(-data.info.rows // data.info.batch_size)
        return train_stock(settings, data, steps, seed)

    words = f"learning rate {rate:.2g}, alpha {alpha:.2g}, batches of {settings.batch_size}"
    return Proposal(cost(widths), f"{_units(widths)}, {words}", trained)


def compare(
    name: str,
    propose: Callable[[BaseTrial, TableData, int], Proposal],
    data: TableData,
    budget: int,
    trials: int,
    confirmations: int,
    seed: int,
) -> PeerFigures:
    """Search a peer, train its winner again and read the test rows once.

    Args:
        name: the peer.
        propose: (trial, data, budget) ↦ a network within the budget.
        data: the table.
        budget: the most values that the network may store.
        trials: networks tried.
        confirmations: fresh seeds for the winner.
        seed: of the sampler, and of all that is drawn.

    Raises:
        BudgetError: not even the smallest network of the peer fits.
    """
    began = time.perf_counter()
    metric = find_metric(None, data.info)
    constant = constant_value(data, metric, data.validation)
    # Else all sets would begin with the same settings.
    own = derive_seed(seed, name, data.fingerprint())
    sampler = TPESampler(seed=own, multivariate=True)
    study = optuna.create_study(direction=metric.direction, sampler=sampler)
    for i in range(trials):
        trial = study.ask()
        trained = propose(trial, data, budget).train(derive_seed(seed, name, i))
        study.tell(trial, metric.floored(trained.value, constant))
    winner = propose(study.best_trial, data, budget)
    seeds = [derive_seed(seed, name, "confirmation", i) for i in range(confirmations)]
    confirmed = [winner.train(one) for one in seeds]
    test = data.open_test()
    return PeerFigures(
        name,
        winner.parameters,
        trials,
        tuple(one.value for one in confirmed),
        tuple(one.measure(data, test) for one in confirmed),
        time.perf_counter() - began,
        winner.words,
    )


PEERS: Mapping[str, Callable[[TableData, int, int, int, int], PeerFigures]] = MappingProxyType(
    {
        "kan": partial(compare, "kan", propose_kan),
        "rational": partial(compare, "rational", propose_rational),
        "sklearn": partial(compare, "sklearn", propose_sklearn),
    }
)
"""Each peer: (data, budget, trials, confirmations, seed) ↦ its figures."""


def _recipe(trial: BaseTrial) -> tuple[float, float, str]:
    rate = trial.suggest_float("learning_rate", 3e-3, 2e-1, log=True)
    decay = trial.suggest_float("weight_decay", 1e-4, 1.0, log=True)
    return rate, decay, f"learning rate {rate:.2g}, weight decay {decay:.2g}"


def _choose(trial: BaseTrial, name: str, feasible: list[T], budget: int, least: int) -> T:
    """Let a trial choose among what fits the budget."""
    if not feasible:
        raise BudgetError(f"a budget of {budget:,}", expected=f"at least {least:,}")
    return trial.suggest_categorical(name, feasible)


def _dense_widths(
    trial: BaseTrial, cost: Callable[[tuple[int, ...]], int], depths: tuple[int, ...], budget: int
) -> tuple[int, ...]:
    """Let a trial choose depth and shape of hidden layers."""
    feasible = [d for d in depths if cost((1,) * d) <= budget]
    depth = _choose(trial, "depth", feasible, budget, cost((1,)))
    shape = trial.suggest_categorical("shape", tuple(SHAPES))
    widths = spread_widths(depth, shape, cost, budget)
    assert widths is not None
    return widths


def _units(widths: tuple[int, ...]) -> str:
    return "hidden layers of " + "-".join(map(str, widths)) if widths else "no hidden layer"
