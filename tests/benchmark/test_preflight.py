"""A track whose network cannot be pruned is refused before anything trains, and a sound one is checked once."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from prunemark.benchmark.networks.registry import ImageShape
from prunemark.benchmark.trial import preflight
from prunemark.benchmark.trial.base_model import pretrain
from prunemark.benchmark.trial.keys import stage_keys
from prunemark.benchmark.trial.pipeline import run_trial
from prunemark.benchmark.trial.preflight import check_network
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.setups.budget import budget_for
from prunemark.setups.comparison import SETUPS
from prunemark.setups.errors import InputError
from prunemark.setups.track import Level
from prunemark.setups.track_files import find_track

SHAPE = ImageShape(3, 32, 32, 10)


def trial_on(network: str, *layers: str, dataset: str = "cifar10") -> Trial:
    easy = (Level("50%", 0.5, 1.02),)
    track = dataclasses.replace(
        find_track("digits-resnet8"), name="mine", network=network, prunable=layers, dataset=dataset, levels=easy,
        tolerance=0.05,
    )  # fmt: skip
    level = track.levels[0]
    dense = Entrant("Dense", "dense", "reference", None, ())
    setup = SETUPS["S3.2"]
    budget = budget_for(track, setup, level, "dense")
    return Trial(track, level, setup, 0, dense, budget, "cpu", 60.0)


@pytest.mark.parametrize(
    ("network", "layer", "words"),
    [
        ("resnet20", "blocks.9.conv1", "the network has no layer 'blocks.9.conv1'"),
        (
            "resnet20",
            "blocks.0.conv2",
            "layer 'blocks.0.conv2' cannot be pruned: without some of its filters the network does not run",
        ),
        ("torchvision:resnet18", "fc", "layer 'fc' cannot be pruned: no layer reads its channels"),
        ("torchvision:resnet1", "layer1.0.conv1", "torchvision has no network 'resnet1'"),
    ],
)
def test_it_is_refused_with_the_name_of_the_layer(network: str, layer: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        check_network(trial_on(network, layer), Store(tmp_path), SHAPE)


def test_a_sound_network_is_checked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = trial_on("resnet20", "blocks.0.conv1", "blocks.5.conv1")
    check_network(trial, Store(tmp_path), SHAPE)
    monkeypatch.setattr(preflight, "check_prunable", None)  # a second check would fail
    check_network(trial, Store(tmp_path), SHAPE)
    with pytest.raises(InputError, match="cannot be checked for pruning: TypeError"):
        check_network(trial_on("resnet20", "blocks.0.conv1"), Store(tmp_path), SHAPE)


def test_no_gradient_is_computed_in_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is a GPU, autograd takes it up at its first pass, and what forks afterwards cannot use it."""
    here: list[int] = []
    engine = torch.autograd.graph._engine_run_backward

    def counted(*args: object, **kwargs: object) -> object:
        here.append(1)
        return engine(*args, **kwargs)  # type: ignore[arg-type]

    for module in (torch.autograd, torch.autograd.graph):
        monkeypatch.setattr(module, "_engine_run_backward", counted)
    check_network(trial_on("resnet20", "blocks.0.conv1"), Store(tmp_path), SHAPE)
    assert here == []
    preflight._check(trial_on("resnet20", "blocks.0.conv1").track, SHAPE)
    assert here


def test_a_check_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "SECONDS", 0.0)
    with pytest.raises(InputError, match=r"network timm:resnet18 cannot be checked .*stopped after 0 s(.|\n)*layer1.0"):
        check_network(trial_on("timm:resnet18", "layer1.0.conv1"), Store(tmp_path), SHAPE)


def test_classes_that_the_images_do_not_have_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="track mine@1 states 10 classes; the images have 7"):
        check_network(trial_on("resnet20", "blocks.0.conv1"), Store(tmp_path), dataclasses.replace(SHAPE, classes=7))


@pytest.mark.parametrize("norm", [nn.utils.weight_norm, nn.utils.parametrizations.weight_norm])
@pytest.mark.parametrize("granularity", ["filter", "weight"])
@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
def test_a_weight_that_is_computed_anew_would_undo_what_is_pruned(
    norm: Any, granularity: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(*_given: object) -> nn.Module:
        body = [norm(nn.Conv2d(3, 8, 3)), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        return nn.Sequential(*body, nn.Linear(8, 10))

    monkeypatch.setattr(preflight, "build_network", build)
    track = dataclasses.replace(trial_on("resnet20", "0").track, granularity=granularity)
    with pytest.raises(InputError, match="the weight of '0' is computed from others"):
        preflight._check(track, SHAPE)


def test_a_trial_stops_before_it_trains(tmp_path: Path) -> None:
    heard: list[str] = []
    trial = trial_on("resnet8", "blocks.0.conv9", dataset="digits")
    with pytest.raises(InputError, match="the network has no layer 'blocks.0.conv9'"):
        run_trial(trial, Store(tmp_path), lambda stage, _: heard.append(stage))
    assert heard == []


def test_no_base_model_is_trained_for_a_level_that_cannot_be_met(tmp_path: Path) -> None:
    trial = trial_on("resnet8", "blocks.0.conv1", dataset="digits")
    unreachable = dataclasses.replace(trial.track.levels[0], speedup=900.0)
    trial = dataclasses.replace(trial, track=dataclasses.replace(trial.track, levels=(unreachable,)))
    heard: list[object] = []
    with pytest.raises(InputError, match=r"level '50%' cannot be met: a speed-up of 900"):
        pretrain(trial, stage_keys(trial), Store(tmp_path), lambda *point: heard.append(point))
    assert heard == []
