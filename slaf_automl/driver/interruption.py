"""Reasons to end a search early: a timeout, Ctrl-C, SIGTERM."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


class Interruption:
    """Turns the first Ctrl-C or SIGTERM into a wish to stop, which the driver honours.

    As a context manager it installs handlers (in the main thread only) and puts the old ones back.
    The search is then concluded: what is finished is confirmed and exported. A further signal wants
    that left out too (`abandoning`); a third raises `KeyboardInterrupt`.

    Args:
        timeout: seconds from now after which to stop; None for no limit.
    """

    def __init__(self, timeout: float | None = None) -> None:
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._previous: dict[signal.Signals, Any] = {}
        self._signals: list[str] = []
        self._heard = 0

    @property
    def reason(self) -> str | None:
        """Why to stop: `Ctrl-C`, `SIGTERM`, `timeout`, or None to go on."""
        if self._signals:
            return self._signals[0]
        if self._deadline is not None and time.monotonic() >= self._deadline:
            return "timeout"
        return None

    def stopping(self) -> bool:
        """Say whether to stop."""
        return self.reason is not None

    def conclude(self) -> None:
        """Say that the conclusion begins: from now on any signal abandons it."""
        self._heard = min(len(self._signals), 1)

    def abandoning(self) -> bool:
        """Say whether a signal came that the conclusion is to be abandoned for."""
        return len(self._signals) > self._heard

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._previous = {s: signal.signal(s, self._handle) for s in _SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._signals.append(_SIGNALS[signal.Signals(number)])
        if len(self._signals) > 2:
            raise KeyboardInterrupt
