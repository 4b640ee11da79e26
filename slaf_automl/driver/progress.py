"""One line on the terminal for the whole search."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from tqdm import tqdm


@dataclass(frozen=True)
class Standing:
    """Where one arm stands: its best value and that candidate's parameters, once there is one."""

    arm: str
    value: float | None = None
    parameters: int | None = None

    def __str__(self) -> str:
        if self.value is None or self.parameters is None:
            return f"{self.arm} –"
        return f"{self.arm} {self.value:.4g} ({self.parameters:,} parameters)"


class StepLine:
    """Steps done of a known number, what is being done, time left; silent like `ProgressLine`."""

    def __init__(self, total: int, *, quiet: bool = False) -> None:
        self._bar = tqdm(
            total=total,
            file=sys.stderr,
            disable=quiet or not sys.stderr.isatty(),
            dynamic_ncols=True,
            bar_format="{n_fmt}/{total_fmt} {desc} {remaining} left",
        )
        self._begun = False

    def begin(self, text: str) -> None:
        """Show that the step before is done and this one begins."""
        if self._begun:
            self._bar.update(1)
        self._begun = True
        self._bar.set_description_str(text)

    def close(self) -> None:
        """Leave the line as it is."""
        self._bar.close()


class ProgressLine:
    """Trials done, best value of each arm with its parameters, time left.

    Silent unless standard error is a terminal.

    Args:
        total: trials of all arms together.
        done: trials finished before this start.
        metric: name of the value.
        quiet: silent on a terminal too.
    """

    def __init__(self, total: int, done: int, metric: str, *, quiet: bool = False) -> None:
        self._bar = tqdm(
            total=total,
            initial=done,
            file=sys.stderr,
            disable=quiet or not sys.stderr.isatty(),
            dynamic_ncols=True,
            mininterval=0.2,
            bar_format="{n_fmt}/{total_fmt} trials {bar:12} {desc} {remaining} left",
        )
        self._metric = metric

    def update(self, done: int, standings: list[Standing]) -> None:
        """Show that `done` trials are finished and where the arms stand."""
        if self._bar.disable:
            return
        best = " · ".join(map(str, standings))
        self._bar.set_description_str(f"best {self._metric}: {best}", refresh=False)
        self._bar.update(done - self._bar.n)
        self._bar.refresh()

    def close(self) -> None:
        """Leave the line as it is."""
        self._bar.close()
