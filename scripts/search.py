"""Launch a search from Python and take the result away.

Usage: python scripts/search.py [DATA] [BUDGET] [OUT]
"""

import sys

import slaf_automl


def main(
    data: str = "sklearn:breast_cancer", budget: str = "1000", out: str = "runs/search"
) -> None:
    result = slaf_automl.search(data, budget=int(budget), trials=16, out=out)
    print(result)  # mix, ReLU of the same size, linear and constant predictor
    print("best widths:", result.best.architecture.widths)
    print("best value of the study:", result.study.best_value)
    print("stored values:", sum(t.numel() for t in result.model.state_dict().values()))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except slaf_automl.SlafError as error:
        sys.exit(f"search.py: {error}")
