"""Compiles the fused passes once a degree and keeps them in the user's cache folder."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import itertools
import logging
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

SWITCH = "SLAF_AUTOML_KERNELS"
"""Environment variable: `off` keeps to plain PyTorch."""

_SOURCE = Path(__file__).with_name("kernel.cpp")
_TENTS = Path(__file__).with_name("tents.cpp")
_REALS = {torch.float32: ("float", "int32_t"), torch.float64: ("double", "int64_t")}
_OPTIONS = (("-march=native", "-fopenmp"), ("-march=native",), ("-mcpu=native",), ())
_TIMEOUT = 120.0
_compiling = threading.Lock()
_log = logging.getLogger("slaf_automl")


@dataclass(frozen=True)
class Kernel:
    """The compiled passes of one degree and dtype, as C functions (see kernel.cpp).

    `forwards` and `backwards` make many passes in turn, of any degrees.
    """

    forward: Any
    backward: Any
    forwards: Any
    backwards: Any


@functools.cache
def kernel(degree: int, dtype: torch.dtype) -> Kernel | None:
    """Return the compiled passes, or None where plain PyTorch must serve.

    The first call for a degree compiles for about a second and keeps the result for later processes
    in `$XDG_CACHE_HOME/slaf_automl` (`~/.cache/slaf_automl`). Without a C++ compiler (`$CXX`, or
    `c++`, `g++` or `clang++` on the path) one line is logged and None returned; under
    `SLAF_AUTOML_KERNELS=off` None is returned in silence.
    """
    if dtype not in _REALS:
        return None
    real, mask = _REALS[dtype]
    defines = (f"-DREAL={real}", f"-DMASK={mask}", f"-DDEGREE={degree}")
    library = compiled_library(_SOURCE, f"{real}{degree}", defines)
    return None if library is None else _bound(library)


@functools.cache
def tent_passes(dtype: torch.dtype) -> tuple[Any, Any] | None:
    """Return the compiled passes of a line and tents, forward and backward, of any degree.

    None where plain PyTorch must serve; see `kernel`.
    """
    if dtype not in _REALS:
        return None
    real, _ = _REALS[dtype]
    library = compiled_library(_TENTS, f"{real}_tents", (f"-DREAL={real}",))
    return None if library is None else (library.forward, library.backward)


def compiled_library(source: Path, name: str, defines: tuple[str, ...]) -> ctypes.CDLL | None:
    """Return the shared library of a C++ source, or None where plain PyTorch must serve.

    Args:
        source: one file without includes of ours.
        name: what its file in the cache begins with.
        defines: the compiler's `-D` options.
    """
    if os.environ.get(SWITCH, "").lower() == "off" or os.name != "posix":
        return None
    compiler = _compiler()
    if compiler is None:
        _say(
            "no C++ compiler was found: SLAF runs in plain PyTorch, which is several times slower; "
            "install g++ or set CXX"
        )
        return None
    with _compiling:  # Who comes second finds the file.
        for options in _OPTIONS:
            library = _library(compiler, options, source, name, defines)
            if library is not None:
                return library
    _say(f"{' '.join(compiler)} cannot compile the SLAF passes: they run in plain PyTorch, slower")
    return None


@contextmanager
def compiled_ahead(
    degrees: Iterable[int], before: Iterable[Callable[[], object]] = ()
) -> Iterator[None]:
    """Within the block, compile the float32 passes of these degrees in the background, in turn.

    A short search would otherwise wait a second at each degree that it meets first; on a second
    core it need not. Which passes a SLAF runs in does not depend on it: `kernel` waits for what it
    needs. Leaving the block waits for the compilation that is under way, if any.

    Args:
        degrees: whose passes.
        before: called first, each compiles something.

    Example:
        >>> with compiled_ahead([3]):
        ...     found = kernel(3, torch.float32)
    """
    stop = threading.Event()

    def compile_in_turn() -> None:
        passes: Iterable[Callable[[], object]] = (
            functools.partial(kernel, degree, torch.float32) for degree in degrees
        )
        for compile_one in itertools.chain(before, passes):
            if stop.is_set():
                return
            compile_one()

    thread = threading.Thread(target=compile_in_turn, name="slaf_automl kernels", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _compiler() -> tuple[str, ...] | None:
    named = shlex.split(os.environ.get("CXX", ""))
    for words in [named] if named else [["c++"], ["g++"], ["clang++"]]:
        found = shutil.which(words[0])
        if found is not None:
            return (found, *words[1:])
    return None


def _library(
    compiler: tuple[str, ...],
    options: tuple[str, ...],
    source: Path,
    name: str,
    defines: tuple[str, ...],
) -> ctypes.CDLL | None:
    flags = (
        *("-x", "c++", "-std=gnu++17", "-O3", "-fno-math-errno", "-fPIC", "-shared", *options),
        *defines,
    )
    stamp = Path(compiler[0]).stat()
    parts = (source.read_text("utf-8"), compiler, flags, stamp.st_size, stamp.st_mtime, _machine())
    target = _cache() / f"{name}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:24]}.so"
    try:
        if not target.exists():
            _compile((*compiler, *flags), source, target)
        return ctypes.CDLL(str(target))
    except (OSError, subprocess.SubprocessError) as error:
        _log.debug("compiling %s: %s", target.name, error)
        return None


def _compile(command: tuple[str, ...], source: Path, target: Path) -> None:
    # Written beside its place and renamed: two processes may compile the same one at once.
    handle, partial = tempfile.mkstemp(suffix=".so", dir=target.parent)
    os.close(handle)
    try:
        subprocess.run(
            [*command, str(source), "-o", partial],
            check=True,
            capture_output=True,
            timeout=_TIMEOUT,
            start_new_session=True,  # Ctrl-C at a search is not meant for the compiler.
        )
        os.chmod(partial, 0o700)
        os.replace(partial, target)
    finally:
        Path(partial).unlink(missing_ok=True)


@functools.lru_cache(maxsize=1)
def _cache() -> Path:
    """Return a folder that only this user can write: what lies in it is run."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = Path(home) / "slaf_automl" / "kernels"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = folder.stat()
        mine = status.st_uid == os.getuid() and not status.st_mode & 0o022
        if mine and os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="slaf_automl_"))


def _machine() -> str:
    """Name what `-march=native` depends on: a home folder may serve unlike machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return " ".join((platform.machine(), platform.processor(), sys.platform, flags))


def _bound(library: ctypes.CDLL) -> Kernel:
    library.forward.argtypes = [ctypes.c_void_p] * 6
    library.backward.argtypes = [ctypes.c_void_p] * 10
    library.forwards.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]
    library.backwards.argtypes = [ctypes.c_void_p, ctypes.c_int64]
    functions = (library.forward, library.backward, library.forwards, library.backwards)
    for function in functions:
        function.restype = ctypes.c_int
    return Kernel(*functions)


@functools.cache
def _say(message: str) -> None:
    _log.warning(message)
