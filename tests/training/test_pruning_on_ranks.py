"""PruningCallback on several ranks: who reports, who is told, and what is out of reach."""

import os
import subprocess
import sys

import optuna
import pytest
import torch
from optuna.pruners import BasePruner
from pruned_line import PruneAt, ask, rank, reported, train

from slaf_automl import PruningCallback


@pytest.mark.parametrize("prune", [True, False])
def test_other_ranks_do_as_rank_0_says_and_report_nothing(prune):
    callback, trainer = PruningCallback(None, "weight"), rank(1, prune, weight=1.0)
    if prune:
        with pytest.raises(optuna.TrialPruned, match="weight = 1 at validation 1"):
            callback.on_validation_end(trainer, None)
    else:
        callback.on_validation_end(trainer, None)
    assert len(trainer.strategy.heard) == 1


@pytest.mark.parametrize("prune", [True, False])
def test_rank_0_tells_the_others(prune):
    callback = PruningCallback(ask(pruner=PruneAt(2 if prune else None)), "weight")
    trainer = rank(0, weight=torch.tensor(1.0))
    callback.on_validation_end(trainer, None)
    if prune:
        with pytest.raises(optuna.TrialPruned):
            callback.on_validation_end(trainer, None)
    else:
        callback.on_validation_end(trainer, None)
    assert trainer.strategy.heard == [False, prune]


def test_a_report_that_fails_stops_the_other_ranks_too():
    class Broken(BasePruner):
        def prune(self, study, trial):
            raise OSError("no storage")

    trainer = rank(0, weight=1.0)
    with pytest.raises(OSError, match="no storage"):
        PruningCallback(ask(pruner=Broken()), "weight").on_validation_end(trainer, None)
    assert trainer.strategy.heard == [True]


SCRIPT = """
import os, sys
sys.path.insert(0, {tests!r})
import optuna, torch
from lightning.pytorch import Trainer
from pruned_line import Line, PruneAt, PruningCallback, rows

class Ranked(Line):
    def validation_step(self, batch, index):
        self.log("rank", float(self.global_rank), sync_dist=True)

number = int(os.environ.get("LOCAL_RANK", 0))
url = "sqlite:///{folder}/study.db"
trial = None
if number == 0:
    trial = optuna.create_study(storage=url, study_name="s", pruner=PruneAt(2)).ask()
trainer = Trainer(
    max_epochs=5, accelerator="cpu", devices=2, strategy="ddp", logger=False,
    enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
    callbacks=[PruningCallback(trial, "rank")],
)
try:
    trainer.fit(Ranked(), rows(), rows())
except optuna.TrialPruned as pruned:
    open(f"{folder}/rank{{number}}", "w").write(f"{{pruned}}, epoch {{trainer.current_epoch}}")
"""


@pytest.mark.slow
def test_two_processes_report_once_and_stop_together(tmp_path):
    tests = os.path.dirname(__file__)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(tests=tests, folder=tmp_path))
    environment = {n: v for n, v in os.environ.items() if n not in ("LOCAL_RANK", "WORLD_SIZE")}
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**environment, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    said = "rank = 0.5 at validation 2, epoch 1"
    assert [(tmp_path / f"rank{n}").read_text() for n in (0, 1)] == [said, said]
    study = optuna.load_study(study_name="s", storage=f"sqlite:///{tmp_path}/study.db")
    assert study.trials[0].intermediate_values == {1: 0.5, 2: 0.5}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning:lightning")
def test_processes_out_of_reach_are_refused():
    trial = ask()
    with pytest.raises(torch.multiprocessing.ProcessRaisedException, match='strategy="ddp"'):
        train(trial, strategy="ddp_spawn", devices=1)
    assert reported(trial) == {}
