"""`tracks check`: what a run would refuse after hours is refused in seconds, with what to do."""

import pytest
from support.pruning_stage import random_images
from support.quick_cli import quick_toml
from torch import nn

from prunemark.benchmark.run import check_track
from prunemark.setups.track_files import find_track

WRONG = {
    "a layer that is not there": ('"blocks.0.conv1"', '"blocks.9.conv1"', "network", "no layer 'blocks.9.conv1'"),
    "a level that is not reached": ("speedup = 7.687", "speedup = 900", "network", "cannot be met: a speed-up of"),
    "classes that the images do not have": ("classes = 10", "classes = 12", "network", "states 12 classes"),
    "images that are not there": ('dataset = "digits"', 'dataset = "cifar10"', "data", "cifar10"),
}


@pytest.fixture
def check(prunemark, tmp_path):
    def run(toml, *more):
        (tmp_path / "mine.toml").write_text(toml)
        code, out, errors = prunemark("tracks", "check", tmp_path / "mine.toml", "--home", tmp_path / "home", *more)
        return code, " ".join(out.split()), errors

    return run


def test_a_track_that_can_be_run_is_fine(check, tmp_path):
    code, out, _ = check(quick_toml())
    assert code == 0 and "broken" not in out
    for words in ("1,097 images to train, 200 to validate, 500 to test", "3 layers can be pruned", "met within 1 %"):
        assert words in out
    assert "90% (1 filter or more)" in out and "will not be ranked" in out
    assert "epochs of the base model take about" in out and "a batch of 128 takes about" in out
    assert not (tmp_path / "home" / "mlflow.db").exists() and not list((tmp_path / "home" / "records").iterdir())


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_before_anything_trains(check, what, monkeypatch):
    monkeypatch.delenv("PRUNEMARK_DATA", raising=False)
    old, new, part, words = WRONG[what]
    assert old in quick_toml()
    code, out, _ = check(quick_toml().replace(old, new, 1))
    assert code == 1, out
    assert f"{part} broken" in out and words in out


def test_a_weight_track_is_checked_too(check):
    code, out, _ = check(quick_toml("digits-resnet8-weights", "quick-weights"))
    assert code == 0 and "met to the weight" in out


@pytest.mark.parametrize(
    ("end", "words"),
    [(nn.Softmax(1), "ends in a softmax"), (nn.LogSoftmax(1), "ends in a log-softmax"), (nn.ReLU(), ""), (None, "")],
)
def test_a_network_that_ends_in_a_softmax_gets_a_note(end, words, monkeypatch):
    parts = [nn.Flatten(), nn.Linear(64, 10), *([end] if end else [])]
    monkeypatch.setattr(check_track, "build_network", lambda *_: nn.Sequential(*parts))
    found = list(check_track._outputs(find_track("digits-resnet8"), random_images()))
    assert [(f.what, f.state) for f in found] == ([("logits", "note")] if words else [])
    assert all(words in f.found and "cross-entropy expects logits" in f.advice for f in found)
