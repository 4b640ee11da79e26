"""A 32-trial search on digits from a cold cache: the fused passes beside plain PyTorch.

python scripts/benchmarks/cold_search.py [--trials 32] [--pairs 3]

Each search is a process of its own on one thread; the fused one starts with an empty cache, so that
its time includes every compilation. They run in turn, A B A B, and medians are compared.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

SEARCH = """
import torch, slaf_automl
torch.set_num_threads(1)
result = slaf_automl.search("sklearn:digits", budget=5_000, trials={trials}, control=False,
                            confirmations=1, progress=False)
print(len(result.study.trials), "trials, best", result.study.best_value)
"""


def seconds(trials: int, kernels: str) -> float:
    """Return how long one search takes from start to end of its process."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "XDG_CACHE_HOME": cache, "SLAF_AUTOML_KERNELS": kernels}
        began = time.perf_counter()
        script = SEARCH.format(trials=trials)
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True
        )
        spent = time.perf_counter() - began
        if done.returncode:
            raise SystemExit(done.stderr)
        compiled = sum(name.endswith(".so") for _, _, names in os.walk(cache) for name in names)
    last = done.stdout.strip().splitlines()[-1]
    name = "plain" if kernels == "off" else "fused"
    print(f"  {name} {spent:7.1f} s, {compiled} compiled: {last}", flush=True)
    return spent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=32)
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    fused, plain = [], []
    for _ in range(options.pairs):
        fused.append(seconds(options.trials, "on"))
        plain.append(seconds(options.trials, "off"))
    ratio = statistics.median(a / b for a, b in zip(fused, plain, strict=True))
    print(f"fused from a cold cache takes {ratio:.2f} x the plain search's time (bar: below 1)")
    return int(ratio >= 1)


if __name__ == "__main__":
    sys.exit(main())
