"""The model card: figures, network, data and how to use it."""

import re
from dataclasses import replace

from slaf_automl.export.card import model_card
from slaf_automl.report import result_table


def test_card_carries_the_figures_and_the_network(each):
    metrics, info = each.bundle.metrics, each.data.info
    card = (each.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert result_table(metrics) in card
    assert f"{metrics['parameters']:,} stored values (budget {metrics['budget']:,})" in card
    assert f"A {info.task} network that predicts `{info.target}`" in card
    assert f"{info.rows} training" in card
    architecture = each.bundle.candidate.architecture
    slots = re.findall(r"^\| (\d+) \| (\d+) \| (.+) \|$", card, re.MULTILINE)
    assert [(int(i), int(w)) for i, w, _ in slots] == list(enumerate(architecture.widths))
    assert [words for _, _, words in slots] == metrics["mix"]["slots"]


def test_card_names_the_outputs_of_the_onnx_file(each):
    card = (each.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    regression = each.data.info.task == "regression"
    assert ("`probabilities` and `label`" in card) is not regression
    assert ("the target value" in card) is regression


def test_card_cuts_a_long_list_of_features(exported):
    case = exported("iris")
    many = replace(case.data.info, features=tuple(f"f{i}" for i in range(15)))
    card = model_card(case.bundle.candidate, many, case.bundle.metrics)
    assert "`f11` and 3 more (see `candidate.json`)" in card
    assert "`f12`" not in card
    assert "more (see" not in (case.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
