"""What a SLAF costs beside nn.ReLU, forward and backward, and beside other ways to write one.

python scripts/benchmarks/speed.py [--repeats 15]

One thread, float32, medians; in every repeat all rows run in turn, so that a ratio compares what
ran side by side. Freed memory stays with the process (MALLOC_ variables), or page faults after
each large tensor would drown the difference, for ReLU as for the others.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable

KEPT = {"MALLOC_TRIM_THRESHOLD_": "4000000000", "MALLOC_MMAP_THRESHOLD_": "4000000000"}
SHAPES = ((64, 64, 32, 32), (256, 128))
BARS = {  # row: the most it may cost by shape, as a multiple of ReLU
    "SLAF element, degree 3": (2.5, 4.0),
    "SLAF element, degree 7": (6.0, None),
    "SLAF none, degree 3": (2.0, 2.0),
}


def rows(channels: int) -> dict[str, Callable[[], object]]:
    import torch
    from reference_activations import NaiveSLAF, PowerByPower, Rational

    from slaf_automl import SLAF

    return {
        "nn.ReLU": torch.nn.ReLU,
        "SLAF element, degree 3": lambda: SLAF(channels),
        "SLAF element, degree 7": lambda: SLAF(channels, degree=7),
        "SLAF none, degree 3": lambda: SLAF(channels, normaliser="none"),
        "SLAF input, degree 3": lambda: SLAF(channels, normaliser="input"),
        "SLAF frozen, degree 3": lambda: SLAF(channels, normaliser="frozen"),
        "a batch norm for each element, degree 3": lambda: NaiveSLAF(channels, 3),
        "power by power, degree 3": lambda: PowerByPower(channels, 3),
        "rational of degrees 3 and 2": lambda: Rational(3, 2),
    }


def measure(shape: tuple[int, ...], repeats: int) -> dict[str, float]:
    """Return each row's median seconds for a forward and a backward pass."""
    import torch

    x = torch.randn(shape, requires_grad=True)
    gradient = torch.randn(shape)
    modules = {name: build() for name, build in rows(shape[1]).items()}

    def step(module: torch.nn.Module) -> None:
        x.grad = None
        for parameter in module.parameters():
            parameter.grad = None
        module(x).backward(gradient)

    calls = max(1, 2_000_000 // x.numel())
    seconds: dict[str, list[float]] = {name: [] for name in modules}
    for repeat in range(-2, repeats):  # two rounds of warm-up
        for name, module in modules.items():
            began = time.perf_counter()
            for _ in range(calls):
                step(module)
            if repeat >= 0:
                seconds[name].append((time.perf_counter() - began) / calls)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    if any(os.environ.get(name) != value for name, value in KEPT.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **KEPT})
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    missed = 0
    for place, shape in enumerate(SHAPES):
        found = measure(shape, repeats)
        print(f"\n{shape}, forward and backward")
        print(f"{'':42}{'ms':>9}{'x ReLU':>9}{'bar':>7}")
        for name, seconds in found.items():
            ratio = seconds / found["nn.ReLU"]
            bar = BARS.get(name, (None, None))[place]
            missed += bar is not None and ratio > bar
            limit = "" if bar is None else f"{bar:.1f}" + (" missed" if ratio > bar else "")
            print(f"{name:42}{1e3 * seconds:9.3f}{ratio:9.2f}{limit:>7}")
        ours = found["SLAF none, degree 3"]
        for name in ("power by power, degree 3", "rational of degrees 3 and 2"):
            print(f"SLAF none is {found[name] / ours:.1f} x as fast as {name}")
        naive = found["a batch norm for each element, degree 3"]
        ours = found["SLAF element, degree 3"]
        print(f"SLAF element is {naive / ours:.1f} x as fast as a batch norm for each element")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
