"""Passes that are compiled in the background, while a search begins."""

import threading

import pytest
import torch

from slaf_automl.activations.passes import compiled_ahead, compiler


def test_all_degrees_are_compiled_in_turn(monkeypatch):
    asked, done = [], threading.Event()

    def kernel(degree, dtype):
        asked.append((degree, dtype))
        if degree == 5:
            done.set()

    monkeypatch.setattr(compiler, "kernel", kernel)
    with compiled_ahead((2, 3, 5)):
        assert done.wait(5)
    assert asked == [(2, torch.float32), (3, torch.float32), (5, torch.float32)]


def test_leaving_waits_for_the_one_under_way_and_begins_no_other(monkeypatch):
    asked, begun, go_on = [], threading.Event(), threading.Event()

    def kernel(degree, dtype):
        asked.append(degree)
        begun.set()
        assert go_on.wait(5)

    monkeypatch.setattr(compiler, "kernel", kernel)

    def leave_by_an_error():
        with compiled_ahead((2, 3, 4)):
            assert begun.wait(5)
            threading.Timer(0.1, go_on.set).start()
            raise KeyError

    with pytest.raises(KeyError):
        leave_by_an_error()
    assert asked == [2]
    assert not [t for t in threading.enumerate() if t.name == "slaf_automl kernels"]


@pytest.mark.skipif(compiler._compiler() is None, reason="no C++ compiler")
def test_who_needs_a_degree_waits_for_it_and_finds_it(monkeypatch, tmp_path):
    monkeypatch.setattr(compiler, "_cache", lambda: tmp_path)
    compiler.kernel.cache_clear()
    try:
        with compiled_ahead((2,)):
            found = compiler.kernel(2, torch.float32)
        assert found is not None
        assert [path.suffix for path in tmp_path.iterdir()] == [".so"]
        assert next(tmp_path.iterdir()).name.startswith("float2-")
    finally:
        compiler.kernel.cache_clear()
