"""A driver's lease on its running trials, and the trials of drivers that are gone.

Optuna's heartbeat serves only `Study.optimize`. Here each driver writes a lease into the study and
its id into every trial it runs; a trial is an orphan when its driver's process is gone (same
machine) or its lease ran out (another machine).
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from slaf_automl.errors import StudyError

LEASE_SECONDS = 300.0
"""A lease of another machine that was not renewed for so long has run out."""

_PREFIX = "lease:"
DRIVER = "driver"
"""Trial attribute: id of the driver that runs it."""
RETRIED_FROM = "retried_from"
"""Trial attribute: number of the orphan whose parameters it takes up again."""
CRASHES = "crashes"
"""Trial attribute: how often its parameters were running when a driver died."""
SEED = "seed"
"""Trial attribute: seed of its initial weights; a retried trial keeps the orphan's."""


class Lease:
    """This process's lease on one study."""

    def __init__(self, study: optuna.Study) -> None:
        self._study = study
        self.driver = uuid.uuid4().hex
        self._renewed = 0.0
        self.renew()

    def renew(self) -> None:
        """Say that this driver is alive, at most a few times per lease."""
        now = time.time()
        if now - self._renewed < LEASE_SECONDS / 5:
            return
        self._renewed = now
        pid = os.getpid()
        lease = {"host": socket.gethostname(), "pid": pid, "born": _born(pid), "renewed": now}
        self._study.set_user_attr(_PREFIX + self.driver, lease)


def requeue_orphans(study: optuna.Study, *, alone: bool) -> int:
    """Fail the running trials whose driver is gone and queue their parameters again.

    A trial that has crashed twice is not queued a third time: it may be what kills the driver.

    Args:
        study: the study.
        alone: no other driver can have the study open, so every running trial is an orphan.

    Returns:
        How many were queued again.

    Raises:
        StudyError: a living driver runs trials of this study.
    """
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    queued = 0
    for trial in running:
        lease = None if alone else _living_lease(study, trial)
        if lease is not None:
            raise StudyError(
                f"another driver (host {lease['host']}, process {lease['pid']}) runs trials of "
                f"study {study.study_name!r}",
                remedy=f"stop it, or wait {LEASE_SECONDS:.0f} s for its lease to run out",
            )
        queued += queue_again(study, trial, crashed=True)
        study.tell(trial.number, state=TrialState.FAIL)
    return queued


def queue_again(study: optuna.Study, trial: FrozenTrial, *, crashed: bool) -> bool:
    """Queue a trial's parameters under a new number, unless that was done before."""
    retried = {t.user_attrs.get(RETRIED_FROM) for t in study.get_trials(deepcopy=False)}
    crashes = int(trial.user_attrs.get(CRASHES, 0)) + crashed
    if SEED not in trial.user_attrs or trial.number in retried or crashes > 1:
        return False
    attributes = {RETRIED_FROM: trial.number, SEED: trial.user_attrs[SEED], CRASHES: crashes}
    study.enqueue_trial(trial.params, user_attrs=attributes)
    return True


def _living_lease(study: optuna.Study, trial: FrozenTrial) -> dict[str, Any] | None:
    """Return the lease of the driver that runs a trial, None if it is gone."""
    lease: dict[str, Any] | None = study.user_attrs.get(_PREFIX + str(trial.user_attrs.get(DRIVER)))
    if lease is None:
        return None
    if lease["host"] == socket.gethostname():
        born = _born(int(lease["pid"]))
        return lease if born is not None and born == str(lease["born"]) else None
    return lease if time.time() - float(lease["renewed"]) < LEASE_SECONDS else None


def _born(pid: int) -> str | None:
    """Return a token of the process's start (so that a reused pid does not count), None if gone."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.exists():
        # Field 22 is the start time; field 2, the name, may hold spaces.
        return stat.read_text().rsplit(")", 1)[1].split()[19]
    if Path("/proc/self/stat").exists():
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return "alive"
    return "alive"
