import ctypes

import pytest

from slaf_automl.training import heap
from slaf_automl.training.heap import kept_heap


@pytest.fixture
def calls(monkeypatch):
    """What would be asked of the C library."""
    found = []
    library = (lambda *pair: found.append(pair) or 1, lambda pad: found.append("trim") or 1)
    monkeypatch.setattr(heap, "_glibc", lambda: library)
    return found


def test_the_heap_is_kept_and_given_back(calls):
    with kept_heap(True):
        assert calls == [(-1, 2**31 - 1), (-3, 2**30)]
    assert calls[2:] == [(-1, 2**26), (-3, 2**25), "trim"]


def test_given_back_after_an_error_too(calls):
    with pytest.raises(ValueError, match="here"), kept_heap(True):
        raise ValueError("here")
    assert calls[-1] == "trim"


def test_nothing_where_it_is_not_wanted(calls):
    with kept_heap(False):
        pass
    assert not calls


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(heap.sys, "platform", "darwin")
    assert heap._glibc() is None


def test_other_c_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert heap._glibc() is None


def test_the_real_one_takes_what_it_is_asked():
    library = heap._glibc()
    if library is None:
        pytest.skip("no glibc")
    mallopt, trim = library
    for limits in (heap._KEPT, heap._GIVEN_BACK):
        assert mallopt(heap._TRIM_THRESHOLD, limits[0]) == 1
        assert mallopt(heap._MMAP_THRESHOLD, limits[1]) == 1
    assert trim(0) in (0, 1)
