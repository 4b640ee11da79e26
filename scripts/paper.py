"""Reproduce the published SLAF experiments, our figure beside the published one.

Usage: python scripts/paper.py spirals|polynomials|boston|mnist [OPTIONS]; --help lists them.
Goyal, Goyal, Lall 2019, https://arxiv.org/abs/1906.09529.
"""

import sys

from paper.cli import main

if __name__ == "__main__":
    sys.exit(main())
