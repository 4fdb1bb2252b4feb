"""A process that has used a GPU cannot fork one that does: until its last fork, a trial on a GPU leaves it alone.

Without a GPU: the trial is one on "cuda", whatever asks for that device is told of the CPU, and each time a child is
forked it is asked what this process has done so far. Gradients count, of a CPU too: at its first one autograd takes up
every GPU there is.
"""

import dataclasses

import pytest
import torch

from prunemark.benchmark.images import data
from prunemark.benchmark.sandbox import trainer
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.trial import base_model, pipeline, preflight, pruning, pruning_stage, report, stages
from prunemark.benchmark.trial.plan import Request, make_trials
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Entrant
from prunemark.setups.comparison import SETUPS
from prunemark.setups.errors import WorkFailed
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.track_files import find_track

SHORT = Recipe(lr=parse_schedule("0:1e-1,1:1e-2", 2))
TRACK = dataclasses.replace(
    find_track("digits-resnet8"), name="short", pretraining=SHORT, pruning=SHORT, retraining=SHORT,
    pruning_epochs_limit=2,
)  # fmt: skip


@pytest.fixture
def forks(monkeypatch):
    """What this process had done at each fork: (the work of the child, what was done before it)."""
    done, found = [], []
    engine, forked = torch.autograd.graph._engine_run_backward, base_model.run_in_child

    def gradient(*args, **kwargs):
        done.append("a gradient")
        return engine(*args, **kwargs)

    def pick(name):
        done.append(f"asked for {name}") if name != "cpu" else None
        return torch.device("cpu")

    def fork(work, *args, **kwargs):
        found.append((work.__name__, tuple(done)))
        return forked(work, *args, **kwargs)

    for module in (torch.autograd, torch.autograd.graph):
        monkeypatch.setattr(module, "_engine_run_backward", gradient)
    for module in (data, stages, pruning, base_model, pipeline, trainer):
        monkeypatch.setattr(module, "pick_device", pick)
    for module in (preflight, base_model, pruning_stage):
        monkeypatch.setattr(module, "run_in_child", fork)
    monkeypatch.setattr(report, "hardware", lambda device: "a GPU")
    found.append(done)
    return found


def trial_of(device, setup):
    method = Entrant("L1-norm", "pruned", "submission", locate("L1-norm")[1], (), "filter")
    return make_trials(Request(TRACK, SETUPS[setup], [TRACK.level("50%")], [0], device, 60.0), method)[0]


@pytest.mark.parametrize(("device", "setup", "lives"), [("cuda", "S3.2", 1), ("cuda", "S4.2", 2), ("cpu", "S3.2", 1)])
def test_until_its_last_fork_a_trial_leaves_the_gpu_alone(device, setup, lives, forks, tmp_path):
    one, heard = trial_of(device, setup), []
    outcome = pipeline.run_trial(one, Store(tmp_path), lambda stage, point: heard.append((stage, point.epoch))).outcome
    assert outcome.status == "ok", outcome.failure
    done, *children = forks
    assert children == [(work, ()) for work in ("_say", "pretrain", *["prune"] * lives)]
    assert "a gradient" in done  # afterwards, when it retrains: so it would be noticed
    assert ("asked for cuda" in done) == (device == "cuda")
    assert heard == [(stage, epoch) for stage in ("pretraining", "retraining") for epoch in (0, 1)]


def test_a_base_model_that_cannot_be_trained_is_no_fault_of_the_method(tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(stages, "pretrain", broken)
    with pytest.raises(
        WorkFailed, match="base model of seed 0 was not trained: RuntimeError: no such kernel"
    ) as caught:
        pipeline.run_trial(trial_of("cpu", "S3.2"), Store(tmp_path), lambda stage, point: None)
    assert "test_forks.py" in caught.value.args[1]  # where it happened, for --debug
    assert not list(tmp_path.rglob("record.json")) and not list(tmp_path.rglob(".draft-*"))
