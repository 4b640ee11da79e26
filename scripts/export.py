"""Load an exported model and use it in plain PyTorch.

Usage: python scripts/export.py [RUN] [OUT]
"""

import sys
from pathlib import Path

import torch

import slaf_automl


def main(run: str = "runs/search", out: str = "network.pt2") -> None:
    network = slaf_automl.load(run)  # a torch.nn.Module in evaluation mode, raw features in
    inputs = network.layers[0].in_features
    rows = torch.zeros(2, inputs)
    print("outputs for two rows of zeros:", network(rows).tolist())
    rows_dim = {0: torch.export.Dim("rows")}
    program = torch.export.export(network, (rows,), dynamic_shapes=(rows_dim,))
    torch.export.save(program, Path(out))
    print(f"wrote {out}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except slaf_automl.SlafError as error:
        sys.exit(f"export.py: {error}")
