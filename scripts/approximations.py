"""How well each basis holds common activation functions: root mean square errors, as a table.

Usage: python scripts/approximations.py [--degrees 3 5 8 12] [--clip 3.0]

The error is under a standard normal input, at the least-squares coefficients that a SLAF would
start from (`slaf_automl.fit_activation`).
"""

import argparse
import sys

from slaf_automl import SlafError, fit_activation
from slaf_automl.activations import BASES
from slaf_automl.activations.projection import TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--degrees", type=int, nargs="+", default=[3, 5, 8, 12])
    parser.add_argument("--clip", type=float, default=3.0, help="in standard deviations")
    options = parser.parse_args()
    targets = [name for name in TARGETS if name != "identity"]
    try:
        for degree in options.degrees:
            print(f"\ndegree {degree}, clipped at {options.clip:g} standard deviations")
            print(f"{'':17}" + "".join(f"{name:>11}" for name in targets))
            for basis in BASES:
                errors = (
                    fit_activation(name, basis, degree, clip=options.clip).error for name in targets
                )
                print(f"{basis:17}" + "".join(f"{error:11.1e}" for error in errors))
    except SlafError as error:
        print(f"approximations.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
