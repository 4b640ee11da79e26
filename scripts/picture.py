"""Draw a run: the learned activations of its network, and its figures beside ReLU's.

Needs matplotlib (the extra `docs`). Usage: python scripts/picture.py RUN OUT.svg
"""

import json
import sys
from pathlib import Path

import matplotlib as mpl
import torch
from matplotlib import pyplot as plt

import slaf_automl

INK, SOFT, MIX, RELU = "#333333", "#bbbbbb", "#c2410c", "#1d4ed8"


def draw_activations(axes, network) -> None:
    """Draw every channel of the first learned slot over its clipped input."""
    slot = next(s for s in network.slots if hasattr(s, "coefficients"))
    x = torch.linspace(-1.25, 1.25, 400)
    curves = slot(x[:, None].expand(-1, slot.polynomials).contiguous())
    axes.plot(x, curves - curves[200], color=MIX, alpha=0.35, linewidth=1.0)
    axes.plot(x, torch.relu(x), color=RELU, linewidth=2.2, linestyle="--")
    axes.text(1.2, 1.25, "ReLU", color=RELU, ha="right", va="bottom")
    axes.set_title(f"{curves.shape[1]} learned activations of the first slot", color=INK)
    axes.set_xlabel("input, in units of the clip range", color=INK)


def draw_figures(axes, metrics) -> None:
    """Draw the test metric of both arms, one point a confirmation seed."""
    rows = [("relu", RELU), ("mix", MIX)]
    for height, (arm, colour) in enumerate(rows):
        values = metrics[arm]["values"]
        axes.plot(values, [height] * len(values), "o", color=colour, alpha=0.6, markersize=8)
        axes.plot([metrics[arm]["mean"]] * 2, [height - 0.25, height + 0.25], color=colour, lw=2)
    axes.axvline(metrics["linear"]["test"], color=SOFT, linestyle=":")
    axes.text(metrics["linear"]["test"], 1.45, "linear", color=INK, ha="center", fontsize=9)
    labels = [f"{arm}\n{metrics[arm]['parameters']:,} values" for arm, _ in rows]
    axes.set_yticks([0, 1], labels, color=INK)
    axes.set_ylim(-0.6, 1.7)
    axes.set_title(f"test {metrics['metric']}, {metrics['data']['source']}", color=INK)
    axes.set_xlabel("a point per fresh seed, the bar is their mean", color=INK)


def main(run: str, out: str) -> None:
    mpl.rcParams["svg.hashsalt"] = "slaf_automl"
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6), layout="constrained")
    draw_activations(left, slaf_automl.load(run))
    draw_figures(right, json.loads((Path(run) / "best" / "metrics.json").read_text()))
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK)
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
