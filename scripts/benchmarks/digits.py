"""Digits under 5,000 parameters: the whole search on the splits 0–4, test figures side by side.

Usage: python scripts/benchmarks/digits.py [TRIALS] [OUT]
"""

import statistics
import sys

import torch

import slaf_automl


def main(trials: str = "24", out: str = "runs/digits") -> None:
    torch.set_num_threads(1)
    exported, mixes, relus = [], [], []
    for split in range(5):
        result = slaf_automl.search(
            "sklearn:digits",
            budget=5_000,
            trials=int(trials),
            split=split,
            out=f"{out}/split{split}",
        )
        metrics = result.metrics
        exported.append(metrics["exported"]["test"])
        mixes.append(metrics["mix"]["mean"])
        relus.append(metrics["relu"]["mean"])
        relu = metrics["relu"]
        print(
            f"split {split}: winner {metrics['winner']}, exported {exported[-1]:.4f}, "
            f"mix {mixes[-1]:.4f} ± {metrics['mix']['spread']:.4f}, "
            f"relu {relus[-1]:.4f} ± {relu['spread']:.4f}",
            flush=True,
        )
    print(
        f"mean test accuracy: exported {statistics.fmean(exported):.4f}, "
        f"mix {statistics.fmean(mixes):.4f}, relu {statistics.fmean(relus):.4f}"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
