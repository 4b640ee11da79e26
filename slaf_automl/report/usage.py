"""How to load and use the network of a run, as a report shows it."""

from __future__ import annotations

from dataclasses import dataclass

from slaf_automl.report.run import Run

_SHOWN = 12
_LONGEST = 60


@dataclass(frozen=True)
class Usage:
    """What a page says about the bundle.

    Args:
        target: what is predicted.
        inputs: how many features, in words.
        features: their names, of many the first ones.
        classes: the labels, empty without classes.
        python: code.
        shell: commands.
        formats: in words, what else is in the bundle.
    """

    target: str
    inputs: str
    features: str
    classes: str
    python: str
    shell: str
    formats: str


def usage(run: Run) -> Usage | None:
    """Return how the network of a run is used, None before it has one."""
    info = run.info
    if info is None:
        return None
    count = len(info.features)
    gives = "target values" if info.task == "regression" else "logits"
    python = (
        "import slaf_automl\n\n"
        'network = slaf_automl.load("RUN")  # a torch.nn.Module in evaluation mode\n'
        f"outputs = network(features)  # raw float32 (rows, {count}) to {gives} "
        f"(rows, {info.outputs})\n\n"
        "import onnxruntime\n\n"
        'session = onnxruntime.InferenceSession("RUN/best/model.onnx")\n'
        'outputs = session.run(None, {"features": features.numpy()})'
    )
    shell = (
        "slaf-automl predict RUN rows.csv --out predictions.csv\n"
        "slaf-automl export RUN --format onnx --out model.onnx"
    )
    return Usage(
        target=_short(info.target),
        inputs="1 feature" if count == 1 else f"{count:,} features",
        features=_listed([str(name) for name in info.features]),
        classes=_listed([str(label) for label in info.classes]),
        python=python,
        shell=shell,
        formats=(
            "Beside model.onnx lie model.safetensors (the stored values), candidate.json "
            "(architecture, recipe, columns), metrics.json (every number of this page's table) "
            "and MODEL_CARD.md."
        ),
    )


def _listed(names: list[str]) -> str:
    """Return names, of many the first ones, of long ones the beginning.

    Example:
        >>> _listed(["a", "b"])
        'a, b'
        >>> _listed([str(i) for i in range(15)])
        '0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 3 more'
    """
    shown = ", ".join(map(_short, names[:_SHOWN]))
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
