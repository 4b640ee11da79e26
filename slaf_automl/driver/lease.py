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

LEASE_SECONDS = 300.0
"""A lease of another machine that was not renewed for so long has run out."""

_PREFIX = "lease:"
DRIVER = "driver"
"""Trial attribute: id of the driver that runs it."""
RETRIED_FROM = "retried_from"
"""Trial attribute: number of the orphan whose parameters it takes up again."""
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


def requeue_orphans(study: optuna.Study) -> int:
    """Fail the running trials whose driver is gone and queue each one's parameters again, once.

    The new trial has a new number, `retried_from`, and the orphan's seed. An orphan that was a
    retry already is failed only.

    Returns:
        How many were queued again.
    """
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    orphans = [trial for trial in running if not _driver_lives(study, trial)]
    for trial in orphans:
        queue_again(study, trial)
        study.tell(trial.number, state=TrialState.FAIL)
    return len(orphans)


def queue_again(study: optuna.Study, trial: FrozenTrial) -> None:
    """Queue a trial's parameters under a new number, unless that was done before."""
    retried = {t.user_attrs.get(RETRIED_FROM) for t in study.get_trials(deepcopy=False)}
    incomplete = DRIVER not in trial.user_attrs
    if incomplete or RETRIED_FROM in trial.user_attrs or trial.number in retried:
        return
    attributes = {RETRIED_FROM: trial.number, SEED: trial.user_attrs[SEED]}
    study.enqueue_trial(trial.params, user_attrs=attributes)


def _driver_lives(study: optuna.Study, trial: FrozenTrial) -> bool:
    lease: dict[str, Any] | None = study.user_attrs.get(_PREFIX + str(trial.user_attrs.get(DRIVER)))
    if lease is None:
        return False
    if lease["host"] == socket.gethostname():
        born = _born(int(lease["pid"]))
        return born is not None and born == str(lease["born"])
    return time.time() - float(lease["renewed"]) < LEASE_SECONDS


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
