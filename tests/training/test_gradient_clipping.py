"""Gradient clipping: on by default, and the Trainer's own limit wins."""

import pytest
import torch
from small_tables import make_candidate, make_data
from step_recorder import StepRecorder, plain_trainer

from slaf_automl import SlafModule
from slaf_automl.spec import Recipe


def norms(tmp_path, recipe, **trainer):
    """Return the gradient's norm at each step of a network that starts with steep weights."""
    data, recorder = make_data("regression"), StepRecorder()
    module = SlafModule(make_candidate(data, **recipe), data)
    with torch.no_grad():
        module.network.layers[-1].weight.mul_(100)
    plain_trainer(tmp_path, recorder, enable_checkpointing=False, **trainer).fit(
        module, datamodule=data
    )
    return recorder.norms


def test_without_a_limit_the_gradients_are_as_steep_as_the_test_needs(tmp_path):
    assert min(norms(tmp_path, {"gradient_clip": None})) > 10


def test_default_recipe_clips_the_global_norm_at_one(tmp_path):
    assert Recipe().gradient_clip == 1.0
    found = norms(tmp_path, {})
    assert found == pytest.approx([1.0] * len(found), rel=1e-3)


def test_recipe_s_own_limit_counts(tmp_path):
    found = norms(tmp_path, {"gradient_clip": 0.2})
    assert found == pytest.approx([0.2] * len(found), rel=1e-3)


@pytest.mark.parametrize("recipe", [{}, {"gradient_clip": None}, {"gradient_clip": 0.01}])
def test_trainer_s_own_limit_wins(tmp_path, recipe):
    found = norms(tmp_path, recipe, gradient_clip_val=0.5)
    assert found == pytest.approx([0.5] * len(found), rel=1e-3)


def test_trainer_s_own_way_of_clipping_counts(tmp_path):
    data, recorder = make_data("regression"), StepRecorder()
    module = SlafModule(make_candidate(data), data)
    trainer = plain_trainer(
        tmp_path,
        recorder,
        enable_checkpointing=False,
        gradient_clip_val=1e-4,
        gradient_clip_algorithm="value",
    )
    trainer.fit(module, datamodule=data)
    values = sum(p.numel() for p in module.parameters())
    # Each value is at the limit; as a norm the limit would be 1e-4 for all of them together.
    assert recorder.norms[0] > 3e-4
    assert max(recorder.norms) <= 1e-4 * values**0.5 * (1 + 1e-5)
