import contextlib
import fcntl
import os
import pty
import struct
import sys
import termios

from slaf_automl.driver import ProgressLine, StepLine, derive_seed
from slaf_automl.driver.progress import Standing


def test_nothing_is_written_where_there_is_no_terminal(capsys):
    line = ProgressLine(4, 0, "rmse")
    line.update(1, [Standing("mix", 0.5, 100)])
    line.close()
    steps = StepLine(2)
    steps.begin("confirming")
    steps.close()
    assert capsys.readouterr() == ("", "")


def _read_all(parent, stream):
    """Read what was written so far, up to a mark that is written last."""
    print("<end>", end="", file=stream, flush=True)
    text = ""
    while not text.endswith("<end>"):
        text += os.read(parent, 65536).decode()
    return text.removesuffix("<end>")


@contextlib.contextmanager
def terminal(monkeypatch):
    """Make standard error a terminal; yields what reads the characters written to it so far."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 160, 0, 0))
    stream = os.fdopen(child, "w")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        yield lambda: _read_all(parent, stream)
    os.close(parent)  # First: closing the other end would wait until everything is read.
    with contextlib.suppress(OSError):
        stream.close()


def test_one_line_says_trials_best_parameters_and_time_left(monkeypatch):
    with terminal(monkeypatch) as read:
        line = ProgressLine(48, 0, "accuracy")
        line.update(12, [Standing("mix", 0.97222, 4987), Standing("relu")])
        line.close()
        shown = read()
    assert "12/48 trials" in shown
    assert "best accuracy: mix 0.9722 (4,987 parameters) · relu –" in shown
    assert "left" in shown
    assert shown.count("\n") == 1


def test_the_steps_of_the_confirmation_are_one_line_too(monkeypatch):
    with terminal(monkeypatch) as read:
        steps = StepLine(2)
        steps.begin("confirming mix: seed 1 of 2")
        steps.begin("confirming mix: seed 2 of 2")
        steps.close()
        shown = read()
    assert "1/2 confirming mix: seed 2 of 2" in shown
    assert shown.count("\n") == 1


def test_quiet_is_quiet_on_a_terminal_too(monkeypatch):
    with terminal(monkeypatch) as read:
        line = ProgressLine(2, 0, "rmse", quiet=True)
        line.update(1, [])
        line.close()
        print("end", end="", file=sys.stderr)
        assert read() == "end"


def test_seeds_depend_on_every_part_and_their_order():
    seeds = {
        derive_seed(*parts)
        for parts in [(0, "mix", 1), (0, "mix", 2), (0, "relu", 1), (1, "mix", 1), ("mix", 0, 1)]
    }
    assert len(seeds) == 5
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert derive_seed(0, "mix", 1) == derive_seed(0, "mix", 1)
