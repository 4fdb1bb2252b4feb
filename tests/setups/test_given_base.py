"""Base models that a track gives: what its file has to say of them, and what can no longer hold."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from prunemark.setups.budget import Own, budget_for, notation
from prunemark.setups.comparison import HARNESS_SETUPS
from prunemark.setups.errors import InputError
from prunemark.setups.given_base import NOT_PRETRAINED, GivenBase, base_of, bases_from, check_seeds
from prunemark.setups.recipe import OwnRecipe
from prunemark.setups.track import Track
from prunemark.setups.track_files import find_track, released_tracks, text_of, track_from_dict, track_from_file

SHA = "0123456789abcdef" * 4
TABLE: dict[str, object] = {
    "weights": "torchvision:IMAGENET1K_V1",
    "sha256": SHA,
    "top1_percent": 69.758,
    "source": "torchvision",
}
GIVEN = {id: track for id, track in released_tracks().items() if track.base}
SHIPPED = {
    "imagenet-resnet50-v1@1": ("torchvision:IMAGENET1K_V1", 76.13), "imagenet-deit-tiny@2": ("timm:fb_in1k", 72.2),
    "imagenet-resnet50-v2@1": ("torchvision:IMAGENET1K_V2", 80.858),
    "imagenet-resnet34@2": ("torchvision:IMAGENET1K_V1", 73.314),
    "imagenet-mobilenetv2@2": ("torchvision:IMAGENET1K_V1", 71.878),
}  # fmt: skip


def track_with(*tables: dict[str, object]) -> Track:
    plain = find_track("imagenet-resnet34@2").as_dict() | {"name": "mine", "base": list(tables)}
    return track_from_dict(plain)


def test_five_tracks_ship_with_bases_of_the_libraries() -> None:
    assert {id: (t.base[0].weights, t.base[0].top1_percent) for id, t in GIVEN.items() if t.base} == SHIPPED
    for id, track in GIVEN.items():
        assert track.pretraining == NOT_PRETRAINED and "pretraining" not in track.as_dict()
        assert track_from_dict(track.as_dict(), released=True) == track and "[base]" in text_of(id)
    assert find_track("imagenet-resnet34").version == 2


def test_one_base_serves_all_seeds_and_of_several_each_seed_has_its_own() -> None:
    one = track_with(TABLE)
    assert one.base and [base_of(one, seed) for seed in (0, 7, 10**9)] == [one.base[0]] * 3
    two = track_with(TABLE, TABLE | {"sha256": SHA[::-1]})
    assert two.base and [base_of(two, 0), base_of(two, 1)] == list(two.base)
    with pytest.raises(InputError, match="gives 2 base models, for seeds 0 to 1; seed 2 has none"):
        check_seeds(two, (0, 1, 2))
    assert base_of(find_track("digits-resnet8"), 3) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weights": "tv:IMAGENET1K_V1"}, "weights of a base are torchvision:TAG, timm:TAG or file:PATH; given 'tv:"),
        ({"weights": "torchvision:"}, "weights of a base are"),
        ({"weights": "timm:a b"}, "weights of a base are"),
        ({"weights": 3}, "weights of a base are"),
        ({"weights": "file:"}, "weights of a base are"),
        ({"weights": "timm:fb_in1k"}, "are weights of networks timm:NAME; this track.s network is torchvision:res"),
        ({"sha256": "0676ba61"}, "sha256 of a base has 64 digits.*\n`sha256sum FILE` prints it"),
        ({"sha256": 5}, "sha256 of a base has 64 digits"),
        ({"top1_percent": 101}, "top1_percent of a base is a number from 0 to 100; given 101"),
        ({"top1_percent": "76"}, "top1_percent of a base is a number"),
        ({"top1_percent": float("nan")}, "top1_percent of a base is a number"),
        ({"top1_percent": True}, "top1_percent of a base is a number"),
        ({"tolerance_pp": 20.0}, "tolerance_pp of a base is a number from 0 to 5; given 20"),
        ({"tolerance_pp": -0.1}, "tolerance_pp of a base is a number"),
        ({"source": ""}, "source of a base says where it comes from"),
        ({"source": "two\nlines"}, "source of a base says where it comes from"),
        ({"source": "<b>"}, "source of a base says where it comes from"),
        ({"source": "x" * 301}, "source of a base says where it comes from"),
        ({"sha": SHA}, "unknown field of a base 'sha'. Did you mean 'sha256'"),
        ({"folder": "/"}, "unknown field of a base 'folder'"),
    ],
)
def test_a_table_that_names_no_base_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        track_with(TABLE | changes)


def test_a_hash_in_upper_case_is_the_same_hash() -> None:
    assert track_with(TABLE | {"sha256": SHA.upper()}) == track_with(TABLE)


def test_what_is_missing_in_a_table_is_named() -> None:
    for data, words in (
        ("torchvision:IMAGENET1K_V1", "base is a table"), ([], "base is a table"), ([3], "base is a table"),
        ({"weights": "file:x"}, "sha256 and top1_percent and source is missing"), ([TABLE] * 101, "at most 100"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=words):
            bases_from(data)


def test_a_base_is_given_or_trained_and_not_both() -> None:
    plain = find_track("imagenet-resnet34@1").as_dict() | {"name": "mine"}
    with pytest.raises(InputError, match=r"states \[pretraining\], or a base that is given"):
        track_from_dict(plain | {"base": TABLE})
    del plain["pretraining"]
    with pytest.raises(InputError, match="a track needs pretraining"):
        track_from_dict(plain)
    with pytest.raises(InputError, match="two of the given bases are the same file"):
        track_with(TABLE, TABLE)


def test_paths_begin_where_the_track_file_lies_and_are_no_term(tmp_path: Path) -> None:
    text = text_of("imagenet-resnet34@2").replace('"imagenet-resnet34"', '"mine"')
    text = text.replace("torchvision:IMAGENET1K_V1", "file:nets/mine.pth")
    (tmp_path / "mine.toml").write_text(text)
    bases = track_from_file(tmp_path / "mine.toml").base
    assert bases
    given = bases[0]
    assert (given.library, given.tag, given.folder) == ("file", "nets/mine.pth", str(tmp_path))
    assert given.as_dict()["weights"] == "file" and "folder" not in given.as_dict()
    assert GivenBase(**given.as_dict()).tag == ""  # known by its hash
    assert dataclasses.replace(given, folder="/elsewhere") == given


@pytest.mark.parametrize("setup", HARNESS_SETUPS)
@pytest.mark.parametrize("track", GIVEN.values(), ids=lambda track: track.id)
def test_sums_and_scratch_are_refused_and_all_else_is_granted(track: Track, setup: str) -> None:
    held, level = HARNESS_SETUPS[setup], track.levels[0]
    unknown = "the epochs and FLOPs of its training are not known"
    if held.whole_pipeline:
        with pytest.raises(InputError, match=f"{unknown}: {setup} imposes their sum and cannot hold.\nValid on this"):
            budget_for(track, held, level, "pruned")
        return
    own = Own(pretraining=OwnRecipe(200, "1e-1"), retraining=OwnRecipe(20, "1e-2"))
    for kind, brings in (("pruned", Own()), ("pruned", own), ("dense", Own())):
        budget = budget_for(track, held, level, kind, brings)
        assert (budget.base_epochs, budget.pretraining) == (0, NOT_PRETRAINED)
    with pytest.raises(InputError, match=f"{unknown}: training from scratch has nothing to be as long as"):
        budget_for(track, held, level, "scratch")


def test_a_plan_says_that_the_base_is_given() -> None:
    track = find_track("imagenet-resnet50-v1")
    assert notation(None, track.retraining) == "given F90, 1e-2"
