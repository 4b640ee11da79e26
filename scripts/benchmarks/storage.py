"""What Optuna's storages cost under TPE: seconds a trial late in a study, journal beside SQLite.

Usage: python scripts/benchmarks/storage.py [TRIALS]
"""

import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path

import optuna
from optuna.storages import InMemoryStorage, RDBStorage

from slaf_automl import Budget, DataInfo, SearchSpace
from slaf_automl.driver.sampling import seeded_sampler
from slaf_automl.driver.storage import open_storage

LAST = 50


def seconds_a_trial(storage, trials: int, flush=lambda: None) -> float:
    """Return the median time of the last trials: ask, suggest, report, attributes, tell."""
    space, budget = SearchSpace.load("mlp"), Budget(parameters=5_000)
    info = DataInfo(tuple(map(str, range(64))), "y", "multiclass", tuple(range(10)), rows=1149)
    study = optuna.create_study(storage=storage)
    times = []
    for number in range(trials):
        study.sampler = seeded_sampler(number)
        began = time.perf_counter()
        trial = study.ask()
        candidate = space.suggest(trial, info, budget)
        flush()
        trial.report(candidate.recipe.learning_rate, 6)
        for name in ("driver", "seed", "parameters", "result"):
            trial.set_user_attr(name, 1)
        study.tell(trial, candidate.recipe.learning_rate)
        flush()
        times.append(time.perf_counter() - began)
    return statistics.median(times[-LAST:])


def main(trials: int = 1000) -> None:
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        memory = seconds_a_trial(InMemoryStorage(), trials)
        storage, held = open_storage(None, Path(folder))
        held.hold()
        journal = seconds_a_trial(storage, trials, held.flush)
        sqlite = seconds_a_trial(RDBStorage(f"sqlite:///{folder}/study.db"), trials)
    print(f"median of the last {LAST} of {trials} trials, TPE:")
    print(f"  in memory  {memory * 1e3:7.1f} ms")
    print(f"  journal    {journal * 1e3:7.1f} ms  ({journal / memory:.2f} × memory)")
    print(f"  SQLite     {sqlite * 1e3:7.1f} ms  ({sqlite / memory:.2f} × memory)")
    print(f"storage alone: SQLite costs {(sqlite - memory) / (journal - memory):.1f} × the journal")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
