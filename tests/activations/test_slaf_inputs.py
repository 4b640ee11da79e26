"""What SLAF takes and refuses: shapes, hybrid shares, extreme inputs, saving, wrong arguments."""

import copy
import io
import math
import pickle
from fractions import Fraction

import pytest
import torch
from slaf_reference import BASIS_NAMES, normal, settled

from slaf_automl.activations import SLAF
from slaf_automl.activations.slaf import learned_channels
from slaf_automl.errors import ActivationError

NORMALISER_NAMES = ("none", "input", "element")


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("hybrid", [0.0, 0.4])
@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
def test_trailing_dimensions_are_more_rows(normaliser, hybrid, training):
    slaf = settled(SLAF(3, normaliser=normaliser, hybrid=hybrid).double(), 3).train(training)
    x = normal(2, 3, 4, 5)
    flat = x.permute(0, 2, 3, 1).reshape(-1, 3)
    y, wanted = copy.deepcopy(slaf)(x), slaf(flat)
    torch.testing.assert_close(y.permute(0, 2, 3, 1).reshape(-1, 3), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("channel_dim", [-1, 3])
@pytest.mark.parametrize("hybrid", [0.0, 0.4])
@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
def test_channels_may_come_last(normaliser, hybrid, channel_dim, training):
    first = settled(SLAF(3, normaliser=normaliser, hybrid=hybrid).double(), 3).train(training)
    last = SLAF(3, normaliser=normaliser, hybrid=hybrid, channel_dim=channel_dim).double()
    last.load_state_dict(first.state_dict())
    last.train(training)
    x = normal(2, 3, 4, 5)
    wanted = first(x).permute(0, 2, 3, 1)
    torch.testing.assert_close(last(x.permute(0, 2, 3, 1)), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
def test_output_has_the_dtype_of_module_and_input(normaliser, dtype):
    slaf = SLAF(4, normaliser=normaliser, hybrid=0.5).to(dtype)
    y = slaf(normal(8, 4).to(dtype))
    assert y.dtype == dtype
    assert y.shape == (8, 4)
    assert y.isfinite().all()


@pytest.mark.parametrize("share", ["0.0", "0.1", "0.2", "0.25", "0.4", "0.5", "0.6", "0.75", "0.8"])
def test_slaf_share_rounds_half_up(share):
    def exact(channels):
        return math.floor((1 - Fraction(share)) * channels + Fraction(1, 2))

    wanted = [exact(channels) for channels in range(1, 101)]
    assert [learned_channels(channels, float(share)) for channels in range(1, 101)] == wanted
    slaf = SLAF(10, degree=1, normaliser="none", hybrid=float(share))
    assert (slaf.learned, slaf.coefficients.shape[0]) == (wanted[9], wanted[9])


def test_share_that_leaves_no_slaf_channel_is_refused():
    with pytest.raises(ActivationError, match=r"hybrid 0\.75 leaves no SLAF channel of 1"):
        SLAF(1, hybrid=0.75)
    assert SLAF(2, hybrid=0.75).learned == 1


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("basis", BASIS_NAMES)
def test_hybrid_channels_are_exactly_relu(basis, training):
    slaf = settled(SLAF(5, basis=basis, normaliser="none", hybrid=0.5), 5).train(training)
    x = 3.0 * normal(20, 5, dtype=torch.float32)
    y = slaf(x)
    assert torch.equal(y[:, 3:], torch.relu(x[:, 3:]))
    assert not torch.isclose(y[:, :3], torch.relu(x[:, :3])).any(0).all()


@pytest.mark.parametrize("training", [True, False])
def test_hybrid_channels_are_relu_of_the_normalised_input(training):
    slaf = settled(SLAF(5, normaliser="input", hybrid=0.5), 5).train(training)
    x = 3.0 * normal(20, 5, dtype=torch.float32)
    wanted = torch.relu(copy.deepcopy(slaf.rectifier.before)(x[:, 3:]))
    torch.testing.assert_close(slaf(x)[:, 3:], wanted, rtol=1e-6, atol=1e-6)


def test_hybrid_channels_under_element_are_normalised_relu():
    slaf = settled(SLAF(5, normaliser="element", hybrid=0.5).double(), 5).train()
    x = 3.0 * normal(20, 5)
    wanted = torch.nn.functional.batch_norm(torch.relu(x), None, None, training=True)
    torch.testing.assert_close(slaf(x)[:, 3:], wanted[:, 3:], rtol=0, atol=1e-12)


EXTREMES = {
    "large": torch.full((6, 3), 1e4),
    "small": torch.full((6, 3), -1e4),
    "both": torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e-4], [1e4, 1e4, 1.0]]),
    "constant": torch.full((6, 3), 0.7),
    "zero": torch.zeros(6, 3),
    "one row": torch.tensor([[0.3, -1e4, 2.0]]),
}


@pytest.mark.parametrize("degree", [3, 16])
@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
@pytest.mark.parametrize("basis", BASIS_NAMES)
def test_extreme_inputs_give_finite_outputs_and_gradients(basis, normaliser, degree):
    start = SLAF(3, basis=basis, normaliser=normaliser, degree=degree, hybrid=0.4)
    for first in EXTREMES.values():
        slaf = copy.deepcopy(start)
        for x in (first, *EXTREMES.values()):
            y = slaf(x)
            assert y.isfinite().all()
            gradients = torch.autograd.grad(y.sum(), list(slaf.parameters()))
            assert all(g.isfinite().all() for g in gradients)
        slaf.eval()
        assert all(slaf(x).isfinite().all() for x in EXTREMES.values())


@pytest.mark.parametrize("sharing", ["layer", "channel"])
@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
def test_saved_state_restores_the_function(normaliser, sharing):
    options = {"normaliser": normaliser, "sharing": sharing, "hybrid": 0.4, "degree": 4}
    trained = settled(SLAF(5, **options), 5)
    file = io.BytesIO()
    torch.save(trained.state_dict(), file)
    file.seek(0)
    loaded = SLAF(5, start="identity", **options).eval()
    loaded.load_state_dict(torch.load(file, weights_only=True))
    x = normal(20, 5, dtype=torch.float32)
    assert torch.equal(loaded(x), trained(x))
    # Running averages go on where they stopped.
    assert torch.equal(loaded.train()(x), trained.train()(x))
    assert torch.equal(loaded.eval()(x), trained.eval()(x))


@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
def test_deepcopy_is_equal_and_independent(normaliser):
    slaf = settled(SLAF(4, normaliser=normaliser, hybrid=0.5), 4)
    x = normal(20, 4, dtype=torch.float32)
    before = slaf(x)
    clone = copy.deepcopy(slaf)
    assert torch.equal(clone(x), before)
    clone.train()(9.0 * x)
    clone.coefficients.data += 1.0
    assert torch.equal(slaf(x), before)


@pytest.mark.parametrize("clip", [None, 3.0])
@pytest.mark.parametrize("normaliser", ["input", "element"])
def test_evaluation_before_any_statistics_is_refused(normaliser, clip):
    slaf = SLAF(3, normaliser=normaliser, clip=clip).eval()
    for use in (lambda: slaf(torch.zeros(2, 3)), slaf.fold):
        with pytest.raises(ActivationError, match="before its statistics were set") as caught:
            use()
        assert "estimate_statistics" in str(caught.value)


def test_without_a_normaliser_evaluation_needs_no_training():
    x = normal(5, 3, dtype=torch.float32)
    slaf = SLAF(3, normaliser="none")
    assert torch.equal(slaf.eval()(x), slaf.train()(x))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.bool])
def test_integer_input_is_refused(dtype):
    with pytest.raises(ActivationError, match=str(dtype)) as caught:
        SLAF(3)(torch.ones(4, 3, dtype=dtype))
    assert "floating point" in str(caught.value)


@pytest.mark.parametrize("shape", [(4, 2), (4, 4), (3,), (3, 1, 3), (4, 1)])
def test_input_of_another_shape_is_refused(shape):
    with pytest.raises(ActivationError) as caught:
        SLAF(3)(torch.ones(shape))
    message = str(caught.value)
    assert str(shape) in message
    assert "3 channels at dimension 1" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ({"degree": 0}, "degree 0"),
        ({"degree": 60}, "degree 60"),
        ({"degree": 2.5}, "degree 2.5"),
        ({"degree": True}, "degree True"),
        ({"basis": "wavelet"}, "basis 'wavelet'"),
        ({"basis": None}, "basis None"),
        ({"normaliser": "batch"}, "normaliser 'batch'"),
        ({"normaliser": None}, "normaliser None"),
        ({"sharing": "row"}, "sharing 'row'"),
        ({"sharing": True}, "sharing True"),
        ({"hybrid": 1.0}, "hybrid 1.0"),
        ({"hybrid": -0.1}, "hybrid -0.1"),
        ({"hybrid": math.nan}, "hybrid nan"),
        ({"hybrid": "0.5"}, "hybrid '0.5'"),
        ({"hybrid": True}, "hybrid True"),
        ({"clip": 0}, "clip 0"),
        ({"clip": -3.0}, "clip -3.0"),
        ({"clip": math.inf}, "clip inf"),
        ({"clip": math.nan}, "clip nan"),
        ({"clip": "3"}, "clip '3'"),
        ({"channels": 0}, "0 channels"),
        ({"channels": -2}, "-2 channels"),
        ({"channels": 3.0}, "3.0 channels"),
        ({"start": "swish"}, "target 'swish'"),
    ],
)
def test_wrong_arguments_are_named_in_one_line(options, given):
    with pytest.raises(ActivationError) as caught:
        SLAF(**{"channels": 3, **options})
    message = str(caught.value)
    assert given in message
    assert "expected" in message
    assert "\n" not in message


def test_an_unknown_keyword_is_not_swallowed():
    with pytest.raises(TypeError, match="normalizer"):
        SLAF(3, normalizer="none")


def test_slaf_pickles():
    slaf = SLAF(3, basis="legendre", degree=4)
    x = torch.randn(16, 3, generator=torch.Generator().manual_seed(0))
    slaf(x)
    copy = pickle.loads(pickle.dumps(slaf)).eval()
    assert torch.equal(copy(x), slaf.eval()(x))


@pytest.mark.parametrize(
    ("channels", "hybrid", "learned"),
    # In floats each of these falls short of its half.
    [(5, 0.9, 1), (15, 0.9, 2), (45, 0.3, 32), (25, 0.34, 17), (30, 0.55, 14), (50, 0.67, 17)],
)
def test_halves_round_up_whatever_floats_make_of_the_share(channels, hybrid, learned):
    assert SLAF(channels, hybrid=hybrid).learned == learned


@pytest.mark.parametrize("normaliser", ["input", "element"])
def test_an_evaluation_survives_a_training_step_before_its_backward(normaliser):
    slaf = SLAF(3, normaliser=normaliser)
    x = torch.randn(16, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    slaf(x)
    value = slaf.eval()(x).sum()
    slaf.train()(x)
    value.backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("normaliser", ["none", "input", "element"])
def test_an_empty_batch_passes_and_leaves_the_statistics(normaliser):
    slaf = SLAF(3, normaliser=normaliser)
    slaf(torch.randn(16, 3, generator=torch.Generator().manual_seed(0)))
    before = {name: tensor.clone() for name, tensor in slaf.state_dict().items()}
    assert slaf(torch.empty(0, 3)).shape == (0, 3)
    assert all(torch.equal(before[name], tensor) for name, tensor in slaf.state_dict().items())


def test_one_batch_that_overflows_does_not_spoil_the_statistics():
    slaf = SLAF(2, basis="monomial", degree=3)
    x = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    slaf(x)
    slaf(torch.full_like(x, 1e30) * x)
    slaf(x)
    assert torch.isfinite(slaf.eval()(x)).all()
