"""`prunemark.debug`: `prune` in this process, with a real context."""

import pytest
import torch
from support.quick_cli import EXAMPLE, SUBMISSIONS

import prunemark
from prunemark.benchmark.metering.meter import BudgetExceeded
from prunemark.setups.errors import InputError


class Watched(prunemark.FilterCriterion):
    """Says what it sees."""

    bias: float = prunemark.setting(0.0, "added to each score")

    def score(self, layer, context):
        print("scoring", tuple(layer.weight.shape))
        return layer.weight.flatten(1).norm(dim=1) + self.bias


class Greedy(prunemark.PruningMethod):
    """Trains for longer than it may."""

    def prune(self, model, context):
        context.train(model, epochs=context.pruning_epochs + 1)
        return context.decide({})


def test_it_runs_here_and_says_that_nothing_counts(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    state = torch.random.get_rng_state()
    done = prunemark.debug(Watched, level="90%", settings={"bias": 1.0}, base_epochs=0)
    said = capsys.readouterr().out
    assert said.count("scoring (") == 3 and "Nothing of this counts" in said and "Nothing of this counts" in repr(done)
    assert torch.equal(state, torch.random.get_rng_state()) and list(tmp_path.iterdir()) == []
    assert done.kept == {name: len(kept) for name, kept in done.decision.kept.items()}
    assert sum(done.total.values()) == 56 and done.speedup_macs == pytest.approx(6.373, rel=0.01)
    assert (done.metered.epochs, done.metered.steps) == (0, 0)
    assert prunemark.debug(Watched, level="90%", base_epochs=0).kept == done.kept


def test_training_and_weights_are_metered_as_in_a_trial():
    done = prunemark.debug(f"{SUBMISSIONS}:Trains", base_epochs=0)
    assert done.metered.epochs > 0 and done.metered.steps == done.metered.epochs * 8  # 1,024 images in batches of 128
    weights = prunemark.debug(f"{SUBMISSIONS}:FineWeights", level="95%", base_epochs=0)
    assert sum(weights.kept.values()) / sum(weights.total.values()) == pytest.approx(0.05, abs=0.001)
    assert prunemark.debug(f"{EXAMPLE}:GeometricMedian").text.startswith("GeometricMedian on digits-resnet8@1 at 50%")


def test_errors_are_the_methods_own():
    with pytest.raises(RuntimeError, match="the Hessian is singular"):
        prunemark.debug(f"{SUBMISSIONS}:Raises", base_epochs=0)
    with pytest.raises(BudgetExceeded):
        prunemark.debug(Greedy, base_epochs=0)
    with pytest.raises(InputError, match="unknown setting of Watched 'bais'"):
        prunemark.debug(Watched, settings={"bais": 1})
    with pytest.raises(InputError, match=r"Watched .* Choose another track, such as digits-resnet8$"):
        prunemark.debug(Watched, track="digits-resnet8-weights")
