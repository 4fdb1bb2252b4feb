"""Shipped tracks: a released one cannot change silently, and its levels are what they say.

After a new track or version: PYTHONPATH=<as in the tests> python tests/setups/test_track.py refresh
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from prunemark.benchmark.compression.budget_solver import CostModel, choose_filters, uniform_counts
from prunemark.benchmark.compression.prunable import propose
from prunemark.benchmark.compression.surgery import cost_model
from prunemark.benchmark.images.datasets import dataset_of
from prunemark.benchmark.networks.registry import build_network
from prunemark.setups.errors import InputError
from prunemark.setups.recipe import recipe_from_dict
from prunemark.setups.track import Level, Track, parse_pattern
from prunemark.setups.track_files import find_track, released_tracks, track_from_dict

TRACKS = released_tracks()
GOLDEN = Path(__file__).parents[1] / "golden" / "tracks.json"
PAPERS_OWN = (  # the speed-ups are printed ones, of a rounding (Tables 4, 6, 7) or of layer ratios (Table 1)
    "cifar10-resnet56@1", "cifar10-jpeg-resnet56@1", "cifar100-resnet56@1", "cifar100-vgg19@1",
    "imagenet-resnet50@1", "imagenet-resnet50-v1@1", "imagenet-resnet50-v2@1", "imagenet100-resnet34@1",
)  # fmt: skip
tracks = pytest.mark.parametrize("track", TRACKS.values(), ids=lambda track: track.id)


def fingerprint(track: Track) -> str:
    """SHA-256 of everything the track states."""
    text = json.dumps(track.as_dict(), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def refresh() -> None:
    frozen = json.loads(GOLDEN.read_text()) | {id: fingerprint(track) for id, track in TRACKS.items()}
    GOLDEN.write_text(json.dumps(frozen, indent=2) + "\n")


def test_released_tracks_are_as_they_were() -> None:
    golden = json.loads(GOLDEN.read_text())
    now = {id: fingerprint(track) for id, track in TRACKS.items()}
    changed = [id for id in golden if now.get(id) != golden[id]]
    assert not changed, (
        f"{', '.join(changed)}: results are filed under this name, so what it states may not change.\n"
        "Make a new version (another file with version + 1) and put this one back as it was.\n"
        "Only if it was never released: python tests/setups/test_track.py refresh"
    )
    new = sorted(set(now) - set(golden))
    assert not new, f"new: {', '.join(new)}. Freeze with: python tests/setups/test_track.py refresh"


@tracks
def test_the_plain_form_is_json_and_complete(track: Track) -> None:
    plain = json.loads(json.dumps(track.as_dict()))
    unset = {name for name in Track.__dataclass_fields__ if getattr(track, name) is None}
    unset |= {"pretraining"} if track.base else set()
    assert set(plain) == set(Track.__dataclass_fields__) - unset
    assert unset <= {
        "lr_stage_cap", "prior", "pattern", "arithmetic", "judged", "own", "execution",
        "base" if not track.base else "pretraining",
    }  # fmt: skip
    assert recipe_from_dict(plain["retraining"]) == track.retraining
    assert track.base or recipe_from_dict(plain["pretraining"]) == track.pretraining
    assert track_from_dict(plain, released=True) == track
    assert all(("layer_ratios" in level) == (level["name"] in ("2.31x", "2.56x", "2.71x")) for level in plain["levels"])


@tracks
def test_a_track_is_sound(track: Track) -> None:
    assert track.id == f"{track.name}@{track.version}" and TRACKS[track.id] is track
    assert track.base or track.pretraining.lr.final == track.retraining.lr.final  # Rule 1, against scratch too
    assert track.margin_pp > 0 and 0 < track.tolerance <= 0.02 and track.classes >= 2 and " x " in track.family
    assert len(set(track.prunable)) == len(track.prunable) > 0
    ratios = [level.ratio for level in track.levels]
    assert ratios == sorted(set(ratios)) and ratios[0] > 0 and ratios[-1] < 1
    for level in track.levels:
        assert level.name in (f"{100 * level.ratio:g}%", f"{level.speedup or 0:g}x")
    speedups = [level.speedup for level in track.levels]
    assert all(s is None for s in speedups) if track.granularity == "weight" else speedups == sorted(set(speedups))
    if track.n_of_m is not None:  # the pattern is the level
        n, m = track.n_of_m
        assert track.granularity == "weight" and ratios == [1 - n / m]


BY_RATIO = [t for t in TRACKS.values() if t.granularity == "filter" and t.id not in PAPERS_OWN]
HEAVY = ("imagenet", "imagenet100")


def with_slow(tracks: list[Track]) -> list[Any]:
    """One of the tracks that prune the same layers of the same network at the same levels; large ones are slow."""
    bodies: dict[Any, Track] = {}
    for t in tracks:
        bodies.setdefault((t.network, dataset_of(t.dataset).shape, t.prunable, t.levels), t)
    return [pytest.param(t, id=t.id, marks=[pytest.mark.slow] if t.dataset in HEAVY else []) for t in bodies.values()]


@functools.cache
def cost_of(track: Track, level: Level | None = None) -> CostModel:
    """Of a level that spares no layer it is the track's."""
    if level is not None and not level.layer_ratios:
        return cost_of(track)
    shape = dataset_of(track.dataset).shape
    return cost_model(build_network(track.network, shape, 0), track, shape, level)


@pytest.mark.parametrize("track", with_slow(BY_RATIO))
def test_a_level_is_what_removing_its_ratio_gives(track: Track) -> None:
    for level in track.levels:
        cost = cost_of(track, level)
        counts = {}
        for name, size in cost.sizes.items():
            counts |= uniform_counts({name: size}, level.ratio_of(name))
        assert cost.dense_macs / cost.macs(counts) == pytest.approx(level.speedup, rel=1e-3)


@pytest.mark.parametrize("track", with_slow([t for t in TRACKS.values() if t.granularity == "filter"]))
def test_a_level_can_be_met_and_keeps_its_layer_ratios(track: Track) -> None:
    """The papers print speed-ups of another rounding: uniform allocation meets those, at ratios close to theirs."""
    for level in track.levels:
        cost = cost_of(track, level)
        scores = {name: torch.arange(size, dtype=torch.float64) for name, size in cost.sizes.items()}
        assert level.speedup is not None
        kept = choose_filters(scores, cost, level.speedup, track.tolerance, "uniform")
        counts = {name: len(indices) for name, indices in kept.items()}
        assert abs(level.speedup * cost.macs(counts) / cost.dense_macs - 1) <= track.tolerance
        assert abs(cost.dense_macs / cost.macs(counts) / level.speedup - 1) <= track.tolerance
        for name, size in cost.sizes.items():
            assert abs(1 - counts[name] / size - level.ratio_of(name)) <= 0.05 + 1 / size
        gone = 1 - sum(counts.values()) / sum(cost.sizes.values())
        assert gone == pytest.approx(level.ratio, abs=0.05)


FILTERS_OF_IMAGES = [t for t in TRACKS.values() if t.dataset != "digits" and t.granularity == "filter"]


@pytest.mark.parametrize("track", [t for t in TRACKS.values() if t.granularity == "weight"], ids=lambda t: t.id)
def test_weights_are_pruned_in_every_convolution_of_the_blocks(track: Track) -> None:
    network = build_network(track.network, dataset_of(track.dataset).shape, 0)
    convolutions = [name for name, layer in network.named_modules() if isinstance(layer, torch.nn.Conv2d)]
    assert list(track.prunable) == [name for name in convolutions if name.startswith("blocks.")]


@pytest.mark.parametrize("track", with_slow(FILTERS_OF_IMAGES))
def test_what_a_track_prunes_is_what_the_rule_proposes(track: Track) -> None:
    shape = dataset_of(track.dataset).shape
    if shape.height > 64:
        shape = dataclasses.replace(shape, height=64, width=64)
    proposed = propose(build_network(track.network, shape, 0), shape)
    assert [name for name in proposed if name in track.prunable] == list(track.prunable)
    if "mobilenet" not in track.network:  # its single-writer projections are spared by the track
        assert len(proposed) == len(track.prunable)


def test_a_track_is_found_by_its_id_or_by_name() -> None:
    assert find_track("digits-resnet8@1").id == "digits-resnet8@1"
    newest = find_track("digits-resnet8")
    assert newest.version == max(track.version for track in TRACKS.values() if track.name == "digits-resnet8")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("digits-resnet", "unknown track 'digits-resnet'. Did you mean 'digits-resnet8'?"),
        ("digits-resnet8@99", "track 'digits-resnet8@99' has no such version. Valid: digits-resnet8@1"),
        ("imagenet@1", "unknown track 'imagenet@1'."),
        ("", "unknown track ''."),
    ],
)
def test_an_unknown_track_gets_the_valid_names(name: str, words: str) -> None:
    with pytest.raises(InputError) as problem:
        find_track(name)
    assert str(problem.value).startswith(words)


def test_an_unknown_level_gets_the_valid_names() -> None:
    track = find_track("digits-resnet8")
    assert [track.level(level.name) for level in track.levels] == list(track.levels)
    with pytest.raises(InputError, match="unknown level of digits-resnet8@[0-9]+ '50'. Did you mean '50%'"):
        track.level("50")
    with pytest.raises(InputError, match="'55%'. Did you mean '50%'"):  # 95% is nearer by letters only
        track.level("55%")
    with pytest.raises(InputError, match="'most'.\nValid"):
        track.level("most")


@pytest.mark.parametrize("text", ["4:2", "2:2", "0:4", "2", "2:4:8", "a:b", "", "2:400", "２:4"])
def test_a_pattern_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="a pattern is N:M with N from 1 to below M, such as 2:4; given"):
        parse_pattern(text)


def test_a_pattern_is_two_numbers() -> None:
    assert parse_pattern("2:4") == (2, 4) and parse_pattern("1:16") == (1, 16)


if __name__ == "__main__" and sys.argv[1:] == ["refresh"]:
    refresh()


def test_a_track_says_how_it_is_judged() -> None:
    track = find_track("digits-resnet8")
    assert track.planned_seeds is None and "judged" not in track.as_dict()
    assert dataclasses.replace(track, judged="any-time").planned_seeds is None
    assert dataclasses.replace(track, judged="planned: 5").planned_seeds == 5
    assert track_from_dict(dataclasses.replace(track, judged="planned: 5").as_dict()).planned_seeds == 5
    for wrong in ("planned", "planned: 2", "planned: 100", "planned:5", "whenever", 5):
        with pytest.raises(InputError, match="judged is"):
            track_from_dict(track.as_dict() | {"judged": wrong})
