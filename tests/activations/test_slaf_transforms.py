"""SLAF under PyTorch's transforms, other precisions, copies, and compilers that fail."""

import copy
import io
import itertools
import json
import os
import pickle
import subprocess
import sys

import pytest
import torch
from slaf_reference import assert_near, normal, randomised, settled
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap

from slaf_automl.activations import SLAF
from slaf_automl.activations.passes import compiler

NORMALISER_NAMES = ("none", "input", "frozen", "element")
CHANNELS = 4
has_compiler = compiler._compiler() is not None
needs_compiler = pytest.mark.skipif(not has_compiler, reason="no C++ compiler")


@pytest.fixture
def fresh_dynamo():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def values_and_gradients(module, slaf, x):
    x = x.detach().requires_grad_()
    y = module(x)
    g = normal(*y.shape, seed=7, dtype=y.dtype)
    return [y.detach(), *torch.autograd.grad(y, (x, *slaf.parameters()), g)]


def assert_all_near(actual, wanted, tolerance):
    for a, b in zip(actual, wanted, strict=True):
        assert_near(a.detach().double(), b.detach().double(), tolerance)


FORMS = {
    **{name: {"normaliser": name} for name in NORMALISER_NAMES},
    "groups": {"normaliser": "element", "sharing": 2, "hybrid": 0.25, "degree": 6},
    "unclipped": {"normaliser": "element", "clip": None, "basis": "monomial"},
    "periodic": {"normaliser": "input", "basis": "fourier"},
}
FOLLOWERS = ("frozen", "element", "groups")


# The debugging backend of torch 2.13 recomputes reads of buffers that have moved since, so what
# follows running statistics is compiled by the real one, below.
@pytest.mark.usefixtures("fresh_dynamo")
@pytest.mark.parametrize(
    ("form", "backend"), [(f, "aot_eager") for f in FORMS if f not in FOLLOWERS]
)
def test_compiled_without_a_graph_break(form, backend):
    slaf = randomised(SLAF(CHANNELS, **FORMS[form]).double())
    other = copy.deepcopy(slaf)
    module = torch.compile(other, fullgraph=True, backend=backend)
    for step in range(2):
        x = 1.5 * normal(12, CHANNELS, seed=step) + 0.3
        assert_all_near(
            values_and_gradients(module, other, x), values_and_gradients(slaf, slaf, x), 1e-9
        )
    # Running statistics move in there, too.
    assert_all_near(other.buffers(), slaf.buffers(), 1e-9)
    assert all(m.rows == 24 for m in other.modules() if hasattr(m, "rows"))
    slaf.eval()
    module.eval()
    x = 2.0 * normal(12, CHANNELS, seed=9)
    assert_all_near(
        values_and_gradients(module, other, x), values_and_gradients(slaf, slaf, x), 1e-9
    )
    with torch.no_grad():
        assert_near(module(x), slaf(x), 1e-9)


@pytest.mark.usefixtures("fresh_dynamo")
def test_a_network_is_one_graph():
    network = nn.Sequential(nn.Linear(3, 4), SLAF(4), nn.Linear(4, 4), SLAF(4, basis="hat"))
    found = torch._dynamo.explain(network)(normal(8, 3, dtype=torch.float32))
    assert found.graph_break_count == 0
    assert found.graph_count == 1


@pytest.mark.slow
@needs_compiler
@pytest.mark.usefixtures("fresh_dynamo")
@pytest.mark.filterwarnings("ignore")  # PyTorch's own
def test_compiled_by_the_default_backend():
    slaf = randomised(SLAF(CHANNELS).double())
    other = copy.deepcopy(slaf)
    module = torch.compile(other, fullgraph=True, backend="inductor")
    for step in range(2):
        x = 1.5 * normal(12, CHANNELS, seed=step) + 0.3
        assert_all_near(
            values_and_gradients(module, other, x), values_and_gradients(slaf, slaf, x), 1e-9
        )
    assert_all_near(other.buffers(), slaf.buffers(), 1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_exported_program(form):
    slaf = settled(SLAF(CHANNELS, **FORMS[form]).double(), CHANNELS)
    rows = torch.export.Dim("rows", min=2)
    x = 2.0 * normal(12, CHANNELS)
    program = torch.export.export(slaf, (x,), dynamic_shapes=({0: rows},))
    again = 2.0 * normal(5, CHANNELS, seed=1)
    for given in (x, again):
        assert_near(program.module()(given).detach(), slaf(given).detach(), 1e-9)


def loss_of(slaf, parameters, sample):
    y = functional_call(slaf, parameters, (sample[None],))
    return y.square().sum()


@pytest.mark.parametrize("form", FORMS)
def test_gradients_per_sample_in_evaluation(form):
    slaf = settled(SLAF(CHANNELS, **FORMS[form]).double(), CHANNELS)
    before = [b.clone() for b in slaf.buffers()]
    parameters = {name: p.detach() for name, p in slaf.named_parameters()}
    x = 2.0 * normal(6, CHANNELS)
    found = vmap(grad(lambda p, s: loss_of(slaf, p, s)), in_dims=(None, 0))(parameters, x)
    for row, sample in enumerate(x):
        wanted = torch.autograd.grad(slaf(sample[None]).square().sum(), list(slaf.parameters()))
        assert_all_near([found[name][row] for name in parameters], wanted, 1e-9)
    assert all(torch.equal(a, b) for a, b in zip(before, slaf.buffers(), strict=True))


def test_gradients_per_sample_in_training_without_statistics():
    slaf = randomised(SLAF(CHANNELS, normaliser="none").double())
    parameters = {name: p.detach() for name, p in slaf.named_parameters()}
    x = 2.0 * normal(6, CHANNELS)
    found = vmap(grad(lambda p, s: loss_of(slaf, p, s)), in_dims=(None, 0))(parameters, x)
    for row, sample in enumerate(x):
        wanted = torch.autograd.grad(slaf(sample[None]).square().sum(), list(slaf.parameters()))
        assert_all_near([found[name][row] for name in parameters], wanted, 1e-9)


@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
def test_a_function_in_training_leaves_the_running_statistics(normaliser):
    slaf = randomised(SLAF(CHANNELS, normaliser=normaliser).double())
    slaf(normal(12, CHANNELS, seed=1))
    before = [b.clone() for b in slaf.buffers()]
    parameters = {name: p.detach() for name, p in slaf.named_parameters()}
    x = normal(12, CHANNELS)

    def loss(parameters):
        return functional_call(slaf, parameters, (x,)).square().sum()

    found = grad(loss)(parameters)
    assert all(torch.equal(a, b) for a, b in zip(before, slaf.buffers(), strict=True))
    wanted = torch.autograd.grad(slaf(x).square().sum(), list(slaf.parameters()))
    assert_all_near([found[name] for name in parameters], wanted, 1e-9)


@pytest.mark.parametrize("normaliser", ["none", "element"])
def test_several_sets_of_parameters_at_once(normaliser):
    slafs = [SLAF(CHANNELS, normaliser=normaliser, degree=4).double() for _ in range(3)]
    state = settled(copy.deepcopy(slafs[0]), CHANNELS).state_dict()
    for seed, slaf in enumerate(slafs):
        slaf.load_state_dict(state)
        randomised(slaf, seed=seed).eval()
    parameters, _ = stack_module_state(slafs)
    x = 2.0 * normal(10, CHANNELS)
    found = vmap(lambda p: functional_call(slafs[0], p, (x,)))(parameters)
    for row, slaf in zip(found, slafs, strict=True):
        assert_near(row.detach(), slaf(x).detach(), 1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_autocast_after_a_linear_layer(form):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, CHANNELS), SLAF(CHANNELS, **FORMS[form]))
    other = copy.deepcopy(network)
    x = normal(64, 6, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert network[0](x).dtype == torch.bfloat16
        y = network(x)
    assert y.dtype == torch.bfloat16
    y.float().square().sum().backward()
    wanted = other(x)
    wanted.square().sum().backward()
    assert_near(y.detach(), wanted.detach(), 0.03)
    for p, q in zip(network.parameters(), other.parameters(), strict=True):
        assert p.grad.dtype == torch.float32
        assert p.grad.isfinite().all()
        assert (p.grad - q.grad).norm() <= 0.1 * q.grad.norm() + 0.1


PRECISIONS_SCRIPT = """
import itertools, torch
from slaf_automl.activations import SLAF

PRECISIONS = (torch.float32, torch.float64, torch.bfloat16)
generator = torch.Generator().manual_seed(0)
x = torch.randn(64, 9, generator=generator, dtype=torch.float64)
tolerances = {torch.float64: 1e-5, torch.float32: 1e-4, torch.bfloat16: 0.05}
for normaliser in ("none", "input", "frozen", "element"):
    exact = SLAF(9, normaliser=normaliser).double()
    wanted = [exact(x) for _ in range(3)][-1]
    for module, given in itertools.product(PRECISIONS, PRECISIONS):
        slaf = SLAF(9, normaliser=normaliser).to(module)
        inputs = x.detach().clone().to(given).requires_grad_()
        y = [slaf(inputs) for _ in range(3)][-1]
        y.square().sum().backward()
        assert y.dtype == inputs.grad.dtype == given
        assert all(p.grad.dtype == p.dtype == module for p in slaf.parameters())
        assert all(p.grad.isfinite().all() for p in slaf.parameters())
        tolerance = max(tolerances[module], tolerances[given])
        assert (y.double() - wanted).abs().max() <= tolerance * wanted.abs().max(), (module, given)
        found = dict(slaf.named_buffers())
        for name, buffer in exact.named_buffers():
            scale = max(1.0, buffer.abs().max().item())
            error = (found[name].double() - buffer.double()).abs().max().item()
            assert error <= tolerance * scale, (normaliser, module, given, name, error)
        y = slaf.eval()(inputs)
        assert y.dtype == given and y.isfinite().all()
print("all precisions")
"""


def run(script, *arguments, **environment):
    """Run a script in a process of its own; returns its output and its messages."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, "MALLOC_CHECK_": "3", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.slow
def test_precisions_of_module_and_input_mix():
    # In a process of its own: passes that took one precision for another would write beyond their
    # buffers.
    assert run(PRECISIONS_SCRIPT)[0].strip() == "all precisions"


@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
def test_double_is_float64_throughout(normaliser):
    slaf = SLAF(CHANNELS, normaliser=normaliser, hybrid=0.25)
    x = 2.0 * normal(20, CHANNELS)
    single = copy.deepcopy(slaf)(x.float())
    slaf.double()
    y = slaf(x)
    assert y.dtype == torch.float64
    assert all(t.dtype in (torch.float64, torch.int64) for t in slaf.state_dict().values())
    assert_near(single.detach().double(), y.detach(), 1e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("training", [False, True])
def test_copies_go_on_where_the_original_stopped(form, training):
    slaf = settled(SLAF(CHANNELS, **FORMS[form]), CHANNELS).train(training)
    x = 2.0 * normal(20, CHANNELS, dtype=torch.float32)
    slaf(x)
    file = io.BytesIO()
    torch.save(slaf, file)
    file.seek(0)
    copies = [
        copy.deepcopy(slaf),
        pickle.loads(pickle.dumps(slaf)),
        torch.load(file, weights_only=False),
    ]
    assert slaf._passes._plans
    for clone in copies:
        assert not clone._passes._plans  # compiled passes belong to their process
        assert clone._passes is not slaf._passes
        assert clone.training is training
    y = slaf(x)
    for clone in copies:
        assert torch.equal(clone(x), y)
        for a, b in zip(clone.buffers(), slaf.buffers(), strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("form", FORMS)
def test_saved_state_in_a_fresh_module(form):
    trained = settled(SLAF(CHANNELS, **FORMS[form]), CHANNELS)
    fresh = SLAF(CHANNELS, start="identity", **FORMS[form])
    fresh.load_state_dict(trained.state_dict())
    x = 2.0 * normal(20, CHANNELS, dtype=torch.float32)
    assert torch.equal(fresh.eval()(x), trained(x))


@pytest.mark.parametrize("rows", [0, 1])
@pytest.mark.parametrize("tail", [(), (3,), (2, 5)])
@pytest.mark.parametrize("form", FORMS)
def test_no_row_and_one_row(form, tail, rows):
    slaf = settled(SLAF(CHANNELS, **FORMS[form]), CHANNELS)
    before = [b.clone() for b in slaf.buffers()]
    x = normal(rows, CHANNELS, *tail, dtype=torch.float32)
    for training in (False, True):
        slaf.train(training)
        given = x.clone().requires_grad_()
        y = slaf(given)
        assert y.shape == x.shape
        assert y.isfinite().all()
        y.square().sum().backward()
        assert given.grad.shape == x.shape
        assert given.grad.isfinite().all()
        assert all(p.grad.isfinite().all() for p in slaf.parameters())
        if rows == 0:
            assert all(not p.grad.any() for p in slaf.parameters())
            assert all(torch.equal(a, b) for a, b in zip(before, slaf.buffers(), strict=True))


SCRIPT = """
import json, logging, sys, torch
from slaf_automl.activations import SLAF

records = []
class Keep(logging.Handler):
    def emit(self, record):
        records.append((record.levelname, record.getMessage()))
logging.getLogger("slaf_automl").addHandler(Keep())
generator = torch.Generator().manual_seed(0)
x = torch.randn(20, 4, generator=generator)
found = []
for degree in (2, 3):
    slaf = SLAF(4, degree=degree)
    given = x.clone().requires_grad_()
    for _ in range(2):
        y = slaf(given)
    y.square().sum().backward()
    found += [y.flatten().tolist(), given.grad.flatten().tolist()]
    found += [b.flatten().tolist() for b in slaf.buffers()]
    found += [slaf.eval()(x).flatten().tolist()]
fused = [plan is not None for plan in slaf._passes._plans.values()]
print(json.dumps({"values": found, "fused": fused, "records": records}))
"""


@pytest.fixture(scope="module")
def here():
    """What the script finds in the usual surroundings."""
    return json.loads(run(SCRIPT)[0])


def assert_same_values(found, wanted):
    for a, b in zip(found["values"], wanted["values"], strict=True):
        assert a == pytest.approx(b, rel=1e-4, abs=1e-4)


@pytest.mark.slow
def test_switched_off(here, tmp_path):
    output, _ = run(SCRIPT, SLAF_AUTOML_KERNELS="off", XDG_CACHE_HOME=str(tmp_path))
    found = json.loads(output)
    assert not any(found["fused"])
    assert found["records"] == []
    assert not list(tmp_path.rglob("*.so"))
    assert_same_values(found, here)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "words"), [("/bin/false", "cannot compile"), ("/nonexistent", "no C++ compiler")]
)
def test_a_compiler_that_fails_is_named_once(here, tmp_path, command, words):
    output, _ = run(SCRIPT, CXX=command, XDG_CACHE_HOME=str(tmp_path))
    found = json.loads(output)
    assert not any(found["fused"])
    assert len(found["records"]) == 1
    level, message = found["records"][0]
    assert level == "WARNING"
    assert words in message
    assert "\n" not in message
    assert not list(tmp_path.rglob("*.so"))
    assert_same_values(found, here)


@pytest.mark.slow
@needs_compiler
def test_a_cache_folder_that_is_a_file(here, tmp_path):
    place = tmp_path / "file"
    place.write_text("not a folder")
    output, _ = run(SCRIPT, XDG_CACHE_HOME=str(place), TMPDIR=str(tmp_path))
    found = json.loads(output)
    assert all(found["fused"])
    assert found["records"] == []
    assert_same_values(found, here)
    assert place.read_text() == "not a folder"


@pytest.mark.slow
@needs_compiler
def test_the_next_process_takes_what_is_compiled(here, tmp_path):
    listings = []
    for _ in range(2):
        found = json.loads(run(SCRIPT, XDG_CACHE_HOME=str(tmp_path))[0])
        assert all(found["fused"])
        assert_same_values(found, here)
        files = tmp_path.rglob("*.so")
        listings.append(sorted((file.name, file.stat().st_mtime_ns) for file in files))
    assert len(listings[0]) == 2
    assert listings[0] == listings[1]
    folders = [folder for folder in tmp_path.rglob("*") if folder.is_dir()]
    assert all(not folder.stat().st_mode & 0o022 for folder in folders)


@needs_compiler
@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no owners of folders here")
def test_a_cache_folder_others_can_write_is_not_trusted(tmp_path, monkeypatch):
    folder = tmp_path / "slaf_automl" / "kernels"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = compiler._cache.__wrapped__()
    assert found != folder
    found.rmdir()
    folder.chmod(0o700)
    assert compiler._cache.__wrapped__() == folder


def test_other_precisions_and_the_switch_ask_for_no_compiler(monkeypatch):
    monkeypatch.setattr(compiler, "_compiler", lambda: pytest.fail("asked for a compiler"))
    assert compiler.kernel.__wrapped__(3, torch.bfloat16) is None
    for word in ("off", "OFF"):
        monkeypatch.setenv(compiler.SWITCH, word)
        assert compiler.kernel.__wrapped__(3, torch.float32) is None


def test_words_of_the_compiler_may_have_arguments(monkeypatch):
    monkeypatch.setenv("CXX", "false -pipe --flag='a b'")
    found = compiler._compiler()
    assert found is not None
    assert found[1:] == ("-pipe", "--flag=a b")


def test_names_of_libraries_tell_what_they_were_compiled_for():
    if not has_compiler:
        pytest.skip("no C++ compiler")
    folder = compiler._cache()
    for degree, dtype in itertools.product((2, 3), (torch.float32, torch.float64)):
        assert compiler.kernel(degree, dtype) is not None
        real = {torch.float32: "float", torch.float64: "double"}[dtype]
        assert list(folder.glob(f"{real}{degree}-*.so"))
