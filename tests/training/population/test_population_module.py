"""The population in a Trainer of Lightning's."""

import pytest
import torch
from lanes import BATCH_SEED, assert_same
from small_tables import make_candidate, make_data, relu, slaf
from step_recorder import plain_trainer

from slaf_automl.training.population import Population, PopulationModule, Start

pytestmark = pytest.mark.usefixtures("double")


class Queue:
    """Hands candidates out in turn, and lets lanes go on while they are not worse than `bar`."""

    def __init__(self, candidates, bar=-1.0, steps=None):
        self.waiting = list(enumerate(candidates))
        self.bar, self.steps = bar, steps
        self.started, self.reports, self.ended = [], [], {}

    def start(self, places):
        some, self.waiting = self.waiting[:places], self.waiting[places:]
        self.started += [str(seed) for seed, _ in some]
        return [Start(str(seed), candidate, seed) for seed, candidate in some]

    def report(self, standings):
        self.reports += [(standing.name, standing.epoch) for standing in standings]
        return [standing.value >= self.bar for standing in standings]

    def finish(self, standings, *, pruned):
        self.ended |= {standing.name: (standing, pruned) for standing in standings}

    def stopping(self):
        if self.steps is not None:
            self.steps -= 1
        return self.steps is not None and self.steps <= 0


@pytest.fixture
def data():
    return make_data("multiclass")


@pytest.fixture
def candidates(data):
    slots = (slaf(), relu("element"), slaf(normaliser="none", basis="legendre"))
    return [make_candidate(data, slots[: 1 + k % 3], epochs=3 + k % 2) for k in range(5)]


def trainer_of(tmp_path, **options):
    return plain_trainer(tmp_path, epochs=-1, enable_checkpointing=False, **options)


def test_candidates_take_free_places_until_none_is_left(tmp_path, data, candidates):
    queue, population = Queue(candidates), Population(data, batch_seed=BATCH_SEED)
    module = PopulationModule(population, queue, places=2, rungs=(1, 3))
    ended = {}
    keep, queue.finish = (
        queue.finish,
        lambda s, *, pruned: (
            keep(s, pruned=pruned),
            ended.update({s.name: (s, population.unstack(s.name, best=True)) for s in s}),
        ),
    )
    trainer_of(tmp_path).fit(module)
    assert set(queue.ended) == {"0", "1", "2", "3", "4"}
    assert not any(pruned for _, pruned in queue.ended.values())
    # A rung at the last epoch is not reported.
    long = ("1", "3")
    assert sorted(queue.reports) == sorted([(n, 1) for n in queue.ended] + [(n, 3) for n in long])
    assert population.names == ()
    again = Population(data, batch_seed=BATCH_SEED)
    for name in ("0", "4"):
        again.start(name, candidates[int(name)], int(name))
        while not again.standing(name).finished:
            again.train_epoch()
        assert_same(again, name, candidates[int(name)], data, 1e-8)
        assert ended[name][0].best_epoch == again.standing(name).best_epoch


def test_lanes_below_the_bar_leave_at_the_rung(tmp_path, data, candidates):
    queue, population = Queue(candidates, bar=2.0), Population(data)
    trainer_of(tmp_path).fit(PopulationModule(population, queue, places=3, rungs=(2,)))
    assert {(s.epoch, pruned) for s, pruned in queue.ended.values()} == {(2, True)}


def test_it_stops_within_an_epoch_when_asked(tmp_path, data, candidates):
    queue, population = Queue(candidates, steps=3), Population(data)
    module = PopulationModule(population, queue, places=4)
    trainer_of(tmp_path).fit(module)
    assert module.stopped
    assert not queue.ended
    assert population.names == ("0", "1", "2", "3")
    assert population.standing("0").epoch == 0


def test_the_state_at_a_rung_is_saved_before_it_is_reported(tmp_path, data, candidates):
    path, seen = tmp_path / "population.pt", []

    class Watching(Queue):
        def report(self, standings):
            state = torch.load(path, weights_only=True)
            seen.append([lane["epoch"] for lane in state["lanes"]])
            return super().report(standings)

    module = PopulationModule(
        Population(data), Watching(candidates), places=5, rungs=(2,), checkpoint=path
    )
    trainer_of(tmp_path).fit(module)
    assert seen == [[2] * 5]
    assert not path.with_suffix(".partial").exists()


def test_a_trainers_checkpoint_resumes(tmp_path, data, candidates):
    def module(candidates):
        queue = Queue(candidates)
        return queue, PopulationModule(Population(data, batch_seed=1), queue, places=5)

    whole, one = module(candidates)
    trainer_of(tmp_path).fit(one)
    _, first = module(candidates)
    trainer = plain_trainer(tmp_path, epochs=2, enable_checkpointing=False)
    trainer.fit(first)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    rest, second = module([])
    trainer_of(tmp_path).fit(second, ckpt_path=tmp_path / "half.ckpt", weights_only=True)
    assert rest.ended == whole.ended


def test_a_lane_that_diverges_at_once_leaves(tmp_path, data, candidates):
    data.training[0][0, 0] = float("nan")
    queue = Queue(candidates)
    trainer_of(tmp_path).fit(PopulationModule(Population(data), queue, places=2))
    assert all(standing.diverged for standing, _ in queue.ended.values())
    assert len(queue.ended) == 5
