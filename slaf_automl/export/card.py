"""The model card: what the exported network is, how good, and how to use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slaf_automl.networks.families import layout
from slaf_automl.report import budget_in_words, costs_in_words, result_table, slot_in_words
from slaf_automl.spec import Candidate, DataInfo

_SHOWN = 12


def model_card(candidate: Candidate, info: DataInfo, metrics: Mapping[str, Any]) -> str:
    """Return the model card as Markdown."""
    architecture, recipe = candidate.architecture, candidate.recipe
    features = ", ".join(f"`{name}`" for name in info.features[:_SHOWN])
    if len(info.features) > _SHOWN:
        features += f" and {len(info.features) - _SHOWN} more (see `candidate.json`)"
    words = [*metrics[metrics["winner"]]["slots"]]
    names = [str(i) for i in range(len(words))]
    if architecture.input_activation is not None:
        names.append("inputs")
        words.append(slot_in_words(architecture.input_activation))
    slots = "\n".join(
        f"| {name} | {step.channels} | {slot} |"
        for name, step, slot in zip(names, layout(architecture).slots(), words, strict=True)
    )
    budget = budget_in_words(metrics).removesuffix(" parameters")
    outputs = "the target value" if info.task == "regression" else "logits"
    labels = "" if info.task == "regression" else ", `probabilities` and `label`"
    return f"""# Model card

A {info.task} network that predicts `{info.target}` from {len(info.features)} features with
{metrics["parameters"]:,} stored values (budget {budget}).
Costs: {costs_in_words(metrics)}.

## Figures

```
{result_table(metrics)}
```

## Network

| slot | units | activation |
|---|---|---|
{slots}

Trained by the routine `{recipe.routine}`, AdamW at {recipe.learning_rate:.3g}, weight decay
{recipe.weight_decay:.3g}, batches of {recipe.batch_size}, at most {recipe.epochs} epochs.

## Data

Source: {metrics["data"]["source"]}, split {metrics["data"]["split"]}: {info.rows} training,
{metrics["data"]["validation_rows"]} validation and {metrics["data"]["test_rows"]} test rows.
Features: {features}.

## Use

`model.onnx` takes `features` (rows × {len(info.features)}, float32, raw) and gives `output`
({outputs}){labels}. In Python:

```python
import slaf_automl

network = slaf_automl.load("path/to/this/folder")
outputs = network(features)  # raw float32 features, (rows, {len(info.features)})
```

On the command line: `slaf-automl predict path/to/this/folder rows.csv --out predictions.csv`.
"""
