import pytest
import torch
from slaf_reference import AVERAGED, EPSILON, Average, assert_near, normal, randomised
from torch import nn

from slaf_automl.activations import SLAF, estimate_statistics
from slaf_automl.activations.channels import Moments, along, batch_moments
from slaf_automl.activations.fixed import FixedActivation
from slaf_automl.activations.statistics import InputNormaliser, RunningMoments, pooled_statistics
from slaf_automl.errors import ActivationError


def biased(x):
    mean = x.mean(0)
    return mean, ((x - mean) ** 2).mean(0)


def unlike_batches(channels=3, seed=0):
    """Batches of several sizes, means and spreads, so that equal weights would show."""
    return [
        (1.0 + k) * normal(rows, channels, seed=seed + k) + 2.0 * k
        for k, rows in enumerate((5, 17, 1, 40))
    ]


@pytest.mark.parametrize("channel_dim", [1, -1])
def test_batch_moments_are_biased_and_per_channel(channel_dim):
    x = normal(4, 3, 5) + 2.0
    rows = x.movedim(channel_dim, -1).reshape(-1, x.shape[channel_dim])
    mean, variance = batch_moments(x, channel_dim)
    assert_near(mean, biased(rows)[0], 1e-13)
    assert_near(variance, biased(rows)[1], 1e-13)


def test_running_moments_average_exponentially_from_the_first_batch():
    # A momentum that every dtype holds exactly.
    running = RunningMoments((3,), momentum=0.25).double()
    (m1, v1), (m2, v2) = pairs = [biased(x) for x in unlike_batches()[:2]]
    for mean, variance in pairs:
        running.observe(Moments(mean, variance), 10)
    assert_near(running.mean, 0.75 * m1 + 0.25 * m2, 1e-14)
    assert_near(running.variance, 0.75 * v1 + 0.25 * v2, 1e-14)
    assert running.rows.item() == 20


def test_running_moments_have_momentum_a_tenth():
    running, average = RunningMoments((3,)).double(), Average()
    for x in unlike_batches():
        running.observe(Moments(*biased(x)), len(x))
        average.update(x)
    assert_near(running.mean, average.values[0], AVERAGED)
    assert_near(running.variance, average.values[1], AVERAGED)


def test_a_batch_without_rows_is_not_observed():
    running = RunningMoments((2,))
    running.observe(Moments(*[torch.full((2,), torch.nan)] * 2), 0)
    assert running.mean.tolist() == [0.0, 0.0]
    with pytest.raises(ActivationError, match="before its statistics were set"):
        running.require_set()


def test_observed_moments_carry_no_gradient():
    x = normal(5, 2).requires_grad_()
    running = RunningMoments((2,)).double()
    running.observe(batch_moments(x, 1), 5)
    assert not running.mean.requires_grad
    assert not running.variance.requires_grad


@pytest.mark.parametrize("tracked", [False, True])
def test_pooling_gives_the_moments_of_all_rows_at_once(tracked):
    running = RunningMoments((3,), tracked=tracked).double()
    running.observe(Moments(*(torch.full((3,), 7.0, dtype=torch.float64),) * 2), 9)
    batches = unlike_batches()
    with pooled_statistics(running):
        for x in batches:
            running.observe(Moments(*biased(x)), len(x))
    if tracked:
        # Set once, it stays what the network was trained with.
        assert running.mean.tolist() == running.variance.tolist() == [7.0] * 3
        assert running.rows.item() == 9
        return
    mean, variance = biased(torch.cat(batches))
    assert_near(running.mean, mean, 1e-13)
    assert_near(running.variance, variance, 1e-13)
    assert running.rows.item() == 63


def test_estimation_of_one_slot_equals_all_rows_at_once():
    # Clip range settled first: the elements of a row then depend on that row alone.
    slot = SLAF(3, basis="legendre", degree=4, clip=2.0, hybrid=0.4).double()
    slot(3.0 * normal(50, 3, seed=9))
    batches = unlike_batches()
    estimate_statistics(slot, batches)
    rows = torch.cat(batches)
    u = (rows[:, :2] - slot.reach.mean) / torch.sqrt(slot.reach.variance + EPSILON)
    elements = slot.basis.elements(u.clamp(-2, 2) / 2, 4)
    means, variances = zip(*(biased(e) for e in elements), strict=True)
    assert_near(slot.moments.mean, torch.stack(means, 1), 1e-12)
    assert_near(slot.moments.variance, torch.stack(variances, 1), 1e-12)
    mean, variance = biased(torch.relu(rows[:, 2:]))
    assert_near(slot.rectifier.after.mean, mean, 1e-12)
    assert_near(slot.rectifier.after.variance, variance, 1e-12)
    assert slot.moments.rows.item() == 63


@pytest.mark.parametrize("normaliser", ["input", "element"])
def test_estimation_does_not_depend_on_what_was_there(normaliser):
    fresh = SLAF(3, normaliser=normaliser, clip=None, hybrid=0.4).double()
    used = SLAF(3, normaliser=normaliser, clip=None, hybrid=0.4).double()
    used(100.0 + normal(20, 3))
    for slot in (fresh, used):
        estimate_statistics(slot, unlike_batches())
    for name, value in fresh.state_dict().items():
        torch.testing.assert_close(used.state_dict()[name], value, rtol=0, atol=0)


@pytest.mark.parametrize("channel_dim", [1, -1])
@pytest.mark.parametrize("normaliser", ["input", "element"])
def test_every_position_of_an_image_is_a_row(normaliser, channel_dim):
    # Images of two sizes: counting images instead of positions would weigh them wrongly.
    images = [normal(2, 3, 4, 5), 1.0 + 2.0 * normal(6, 3, 1, 2, seed=1)]
    options = {"normaliser": normaliser, "clip": None, "hybrid": 0.4}
    slot = SLAF(3, channel_dim=channel_dim, **options).double()
    flat = SLAF(3, **options).double()
    estimate_statistics(slot, [x.movedim(1, channel_dim) for x in images])
    estimate_statistics(flat, [x.movedim(1, -1).reshape(-1, 3) for x in images])
    for name, value in flat.state_dict().items():
        torch.testing.assert_close(slot.state_dict()[name], value, rtol=1e-11, atol=1e-12)
    assert {m.rows.item() for m in slot.modules() if isinstance(m, RunningMoments)} == {52}


def network(normaliser, clip):
    torch.manual_seed(0)
    options = {"normaliser": normaliser, "clip": clip}
    layers = [nn.Linear(4, 5), SLAF(5, hybrid=0.4, **options), nn.Linear(5, 3), SLAF(3, **options)]
    return nn.Sequential(*layers, FixedActivation(3, normaliser=normaliser)).double()


@pytest.mark.parametrize("clip", [None, 2.0])
@pytest.mark.parametrize("normaliser", ["input", "element"])
def test_after_one_batch_evaluation_equals_training(normaliser, clip):
    model = randomised(network(normaliser, clip))
    model(normal(30, 4, seed=1))
    outputs = []
    model.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    x = 2.0 * normal(25, 4) + 1.0
    estimate_statistics(model, [x])
    model.eval()(x)
    assert_near(outputs[1], outputs[0], 1e-11)


def test_clip_range_does_not_move_once_set():
    slot = SLAF(3, clip=2.0).double()
    slot(normal(20, 3))
    state = {name: value.clone() for name, value in slot.reach.state_dict().items()}
    estimate_statistics(slot, unlike_batches())
    assert all(torch.equal(state[name], v) for name, v in slot.reach.state_dict().items())
    # In training it follows again.
    slot(unlike_batches()[3])
    assert not torch.equal(slot.reach.mean, state["mean"])


def test_clip_range_never_set_is_that_of_the_first_batch():
    slot = SLAF(3, clip=2.0).double()
    batches = unlike_batches()
    estimate_statistics(slot, batches)
    mean, variance = biased(batches[0])
    assert_near(slot.reach.mean, mean, 1e-13)
    assert_near(slot.reach.variance, variance, 1e-13)


def test_training_after_an_estimation_averages_again():
    slot = SLAF(2, basis="monomial", degree=1, clip=None).double()
    first, second = normal(10, 2), 5.0 + normal(20, 2, seed=1)
    estimate_statistics(slot, [first])
    slot(second)
    assert_near(slot.moments.mean[:, 0], 0.9 * first.mean(0) + 0.1 * second.mean(0), AVERAGED)


@pytest.mark.parametrize("fails", [False, True])
def test_modes_are_restored(fails):
    model = network("element", 2.0)
    model(normal(10, 4))
    model.train()
    model[1].eval()
    model[3].moments.eval()
    modes = {name: module.training for name, module in model.named_modules()}
    if fails:
        # The second batch has the wrong width, so the first layer raises.
        with pytest.raises(RuntimeError, match="mat1 and mat2"):
            estimate_statistics(model, [normal(5, 4), normal(5, 3)])
    else:
        estimate_statistics(model, [normal(5, 4)])
    assert {name: module.training for name, module in model.named_modules()} == modes
    assert set(modes.values()) == {True, False}
    assert not any(m.pooling for m in model.modules() if isinstance(m, RunningMoments))


def test_estimation_records_no_gradient():
    model = network("input", None)
    seen = []
    model.register_forward_hook(lambda module, inputs, output: seen.append(output.requires_grad))
    estimate_statistics(model, [normal(5, 4)])
    assert seen == [False]


def test_a_network_without_statistics_is_not_run():
    def batches():
        raise AssertionError("no batch should be asked for")
        yield

    estimate_statistics(nn.Sequential(SLAF(3, normaliser="none"), nn.BatchNorm1d(3)), batches())


@pytest.mark.parametrize("dims", [(20,), (6, 5), (4, 3, 2)])
def test_input_normaliser_is_batch_norm(dims):
    x = 3.0 * normal(*dims[:1], 3, *dims[1:]) + 1.0
    normaliser = randomised(InputNormaliser(3)).double()
    weight, bias = normaliser.weight, normaliser.bias
    wanted = nn.functional.batch_norm(x, None, None, weight, bias, training=True, eps=EPSILON)
    assert_near(normaliser(x), wanted, 1e-12)
    mean, variance = biased(x.movedim(1, -1).reshape(-1, 3))
    y = normal(*dims[:1], 3, *dims[1:], seed=1)
    wanted = nn.functional.batch_norm(y, mean, variance, weight, bias, eps=EPSILON)
    assert_near(normaliser.eval()(y), wanted, 1e-12)
    scale, shift = normaliser.affine()
    assert_near(along(scale, y, 1) * y + along(shift, y, 1), wanted, 1e-12)


def test_input_normaliser_needs_statistics_in_evaluation():
    with pytest.raises(ActivationError, match="estimate_statistics"):
        InputNormaliser(3).eval()(torch.zeros(2, 3))


def test_along_lays_values_along_the_channels():
    values = torch.arange(3.0)
    assert along(values, torch.zeros(2, 3), 1).shape == (1, 3)
    assert along(values, torch.zeros(2, 3, 4, 5), 1).shape == (1, 3, 1, 1)
    assert along(values, torch.zeros(2, 4, 5, 3), -1).shape == (1, 1, 1, 3)


def test_estimation_leaves_dropout_off_and_foreign_normalisers_alone():
    norm = nn.BatchNorm1d(2)
    network = nn.Sequential(nn.Dropout(0.5), norm, SLAF(2, clip=None, degree=1))
    x = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0)) + 1
    before = norm.running_mean.clone()
    estimate_statistics(network, [x])
    assert torch.equal(norm.running_mean, before)
    # With dropout on, the variance would be 3.
    torch.testing.assert_close(
        network[2].moments.variance.flatten(), torch.ones(2), rtol=0.1, atol=0
    )


def test_a_failed_estimation_leaves_the_statistics():
    slaf = SLAF(2)
    slaf(torch.randn(16, 2, generator=torch.Generator().manual_seed(0)))
    before = {name: tensor.clone() for name, tensor in slaf.state_dict().items()}

    def batches():
        yield torch.ones(8, 2)
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        estimate_statistics(slaf, batches())
    estimate_statistics(slaf, [])
    assert all(torch.equal(before[name], tensor) for name, tensor in slaf.state_dict().items())
