"""The model card: figures, network, data and how to use it."""

import re
from dataclasses import replace

from slaf_automl.activations import find_kind
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


def test_card_names_every_limit_and_cost(exported):
    case = exported("iris")
    limits = {"macs": 900, "depth": 6}
    costs = {"parameters": 50, "macs": 80, "relus": 0, "depth": 5}
    changed = {**case.bundle.metrics, "budget": None, "limits": limits, "costs": costs}
    card = model_card(case.bundle.candidate, case.data.info, changed)
    assert "(budget 900 macs and 6 levels of multiplicative depth)." in card
    assert (
        "Costs: 50 parameters, 80 macs, 0 ReLU evaluations, 5 levels of multiplicative depth."
    ) in card
    changed |= {"limits": {"macs": 900}, "costs": {**costs, "depth": None}}
    card = model_card(case.bundle.candidate, case.data.info, changed)
    assert "(budget 900 macs)." in card
    assert "0 ReLU evaluations, not a polynomial." in card


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


def test_card_names_the_activation_of_the_inputs(exported):
    case = exported("iris")
    candidate = case.bundle.candidate
    spec = find_kind("slaf").spec(basis="tent", degree=4, normaliser="frozen")
    architecture = replace(candidate.architecture, input_activation=spec)
    recipe = replace(candidate.recipe, routine="joint")
    learned = replace(candidate, architecture=architecture, recipe=recipe)
    card = model_card(learned, case.data.info, case.bundle.metrics)
    assert "| inputs | 4 | slaf tent 4, frozen-normalised |" in card
