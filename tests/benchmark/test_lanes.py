"""How much of a method's process is believed, with real processes: the lane, the weights that count, the reading."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from prunemark.benchmark.images.data import load_split, prepare, tensor_dict
from prunemark.benchmark.networks.registry import build_network
from prunemark.benchmark.networks.weights import weights_sha256
from prunemark.benchmark.sandbox import trainer
from prunemark.benchmark.sandbox.child import ChildFailed
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.training import checkpoint
from prunemark.benchmark.training.seeds import derive_seed
from prunemark.benchmark.trial import pruning_stage
from prunemark.benchmark.trial.packing import WEIGHTS
from prunemark.benchmark.trial.pruning_stage import run_stage
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.setups.budget import budget_for
from prunemark.setups.comparison import find_setup
from prunemark.setups.errors import WorkFailed

SUBMISSIONS = Path(__file__).parents[1] / "submissions" / "lanes.py"


@pytest.fixture(scope="module")
def given(tmp_path_factory, bench):
    """Folders of a base model, untrained, and of the digits."""
    base, data = (tmp_path_factory.mktemp(name) for name in ("base", "data"))
    track = bench.short_track("digits-resnet8")
    prepare(track.dataset, data)
    shape = load_split(track.dataset, data, "validation", torch.device("cpu")).shape
    save_file(tensor_dict(build_network(track.network, shape, derive_seed(0, "base")).state_dict()), base / WEIGHTS)
    return track, base, data


def run(given, name, setup="S3.2", spec=None, checkpoints=None):
    track, base, data = given
    held, level = find_setup(setup), track.level("50%")
    source = locate(spec or f"{SUBMISSIONS}:{name}")[1]
    entrant = Entrant(name, "pruned", "submission", source, ())
    return run_stage(
        Trial(track, level, held, 0, entrant, budget_for(track, held, level, "pruned"), "cpu", 60.0), base, data, None,
        checkpoints,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "lane", "epochs"),
    [("Scores", "decision", 0), ("Asks", "harness", 2), ("Rewinds", "harness", 1), ("Penalises", "own", 1),
     ("Changes", "own", 0), ("HooksTensors", "own", 1)],
)  # fmt: skip
def test_a_method_takes_the_narrowest_lane_that_it_can(given, name, lane, epochs):
    stage = run(given, name)
    assert (stage.process.lane, stage.said.stage.epochs) == (lane, epochs)
    assert (stage.process.accounted_cpu_seconds is None) == (lane != "own")
    assert stage.process.cpu_seconds > 0


def test_what_decides_alone_gets_the_base_models_own_weights(given):
    assert weights_sha256(run(given, "Scores").weights) == weights_sha256(load_file(given[1] / WEIGHTS))


@pytest.mark.parametrize(("name", "lane"), [("Scores", "decision"), ("AsksImposed", "harness")])
def test_under_imposed_epochs_the_harness_trains_too(given, name, lane):
    stage = run(given, name, "S4.2")
    assert (stage.process.lane, stage.said.stage.epochs) == (lane, 2)
    assert weights_sha256(stage.weights) != weights_sha256(load_file(given[1] / WEIGHTS))


def test_the_trainer_gives_the_bits_that_training_in_the_process_gives(given, monkeypatch):
    asked = run(given, "Asks")
    monkeypatch.setattr("prunemark.benchmark.sandbox.asking.Asking.start_of", lambda self, model: None)
    by_itself = run(given, "Asks")
    assert (asked.process.lane, by_itself.process.lane) == ("harness", "own")
    assert weights_sha256(asked.weights) == weights_sha256(by_itself.weights)
    assert asked.said.stage == by_itself.said.stage


def test_a_reading_below_what_the_harness_carried_out_is_refused(given):
    with pytest.raises(ChildFailed, match="reports fewer epochs than the harness carried out") as caught:
        run(given, "ForgesReading")
    assert caught.value.status == "budget_exceeded"


def test_replaced_functions_do_not_reach_the_trainer(given):
    honest, replaced = run(given, "Asks"), run(given, "ReplacesLoss")
    assert replaced.process.lane == "harness"
    assert replaced.said.stage.train_flops * 2 == honest.said.stage.train_flops


def test_who_claims_a_narrower_lane_gets_its_weights(given):
    stage = run(given, "ClaimsResult")
    assert stage.process.lane == "decision"
    assert weights_sha256(stage.weights) == weights_sha256(load_file(given[1] / WEIGHTS))


def test_nonsense_ends_neither_the_trainer_nor_the_run(given):
    assert run(given, "TalksNonsense").process.lane == "decision"


@pytest.mark.parametrize(
    ("name", "words"),
    [("TakesResult", "what was left is no object"), ("WrongWords", "the allocation of a decision is a short word")],
)  # fmt: skip
def test_files_of_its_own_making_are_refused(given, name, words):
    with pytest.raises(ChildFailed, match=words) as caught:
        run(given, name)
    assert caught.value.status == "noncompliant"


def test_a_trainer_that_fails_is_no_fault_of_the_method(given, monkeypatch):
    def broken(*_):
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(trainer.PruningTraining, "run", broken)
    with pytest.raises(WorkFailed, match="the harness could not train for a method: RuntimeError: no such kernel"):
        run(given, "Asks")


def test_a_trainer_that_is_killed_is_no_fault_of_the_method(given, monkeypatch):
    monkeypatch.setattr(trainer.PruningTraining, "run", lambda *_: __import__("os").kill(__import__("os").getpid(), 9))
    with pytest.raises(WorkFailed, match="ended with exit code -9"):
        run(given, "Asks")


def test_a_trainer_that_is_still_busy_is_the_methods_doing(given, monkeypatch):
    monkeypatch.setattr(pruning_stage, "TRAINER_SECONDS", 0.3)
    monkeypatch.setattr(trainer, "_leave", lambda *_: __import__("time").sleep(20))
    with pytest.raises(ChildFailed, match="the harness was still at what it had asked for") as caught:
        run(given, "Scores")
    assert caught.value.status == "timeout"


def test_training_that_was_asked_for_is_not_done_twice_after_a_stop(given, tmp_path, monkeypatch):
    """The trainer is killed in its second training. The first is then taken up where it ended, with its meter."""
    whole = run(given, "Asks")
    monkeypatch.setattr(checkpoint, "WORTH_SECONDS", 0.0)
    honest, asked = trainer.PruningTraining.run, tmp_path / "asked"

    def watched(self, model, schedule, number, hooks, start=None):
        with asked.open("a") as file:
            file.write(f"{start.place.epoch if start else 0} ")
        if len(asked.read_text().split()) == 2:
            os.kill(os.getpid(), 9)
        honest(self, model, schedule, number, hooks, start)

    monkeypatch.setattr(trainer.PruningTraining, "run", watched)
    with pytest.raises(WorkFailed):
        run(given, "Asks", checkpoints=(tmp_path, "key"))
    assert len(list((tmp_path / "checkpoints").iterdir())) == 1
    again = run(given, "Asks", checkpoints=(tmp_path, "key"))
    assert asked.read_text().split() == ["0", "0", "1", "0"]
    assert again.said.stage == whole.said.stage and weights_sha256(again.weights) == weights_sha256(whole.weights)
    checkpoint.remove_those_of(tmp_path, "key")
    assert not list((tmp_path / "checkpoints").iterdir())
