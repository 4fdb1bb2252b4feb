"""The files of tracks: shipped ones, a user's, those of an installed package. What is wrong is said with its place."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunemark.setups import track_files
from prunemark.setups.errors import InputError
from prunemark.setups.track_files import find_track, released_tracks, track_from_dict, track_from_file, tracks_in

HOUSE = Path(__file__).parents[2]
TOML = """
name = "mine"
version = 3
title = "my animals, a ResNet-18"
dataset = "folder:animals@64"
classes = 12
network = "torchvision:resnet18"
family = "animals x ResNet"
granularity = "filter"
prunable = ["layer1.0.conv1", "layer2.0.conv1"]
anchor = "L1-norm"
margin_pp = 0.5
tolerance = 0.02

[[levels]]
name = "half"
ratio = 0.5
speedup = 1.2

[[levels]]
name = "late"
ratio = 0.4
speedup = 1.3
layer_ratios = { "layer2." = 0.8 }

[pretraining]
epochs = 60
lr = "0:1e-1,30:1e-2,45:1e-3"
augmentation = "crop-flip"

[pruning]
epochs = 10
lr = "1e-2"

[retraining]
epochs = 40
lr = "0:1e-2,20:1e-3"
optimiser = "AdamW"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(TOML)
    return path


def test_a_toml_file_is_a_track(file: Path) -> None:
    track = find_track(str(file))
    assert track.id == "mine@3" and track.tolerance == 0.02 and track.pretraining.epochs == 60
    assert track.level("half").speedup == 1.2 and track.retraining.optimiser == "AdamW"
    late = track.level("late")
    assert [late.ratio_of(name) for name in track.prunable] == [0.0, 0.8]
    assert [track.level("half").ratio_of(name) for name in track.prunable] == [0.5, 0.5]


def test_a_pattern_is_a_granularity_too() -> None:
    plain = find_track("digits-resnet8-2to4").as_dict()
    spelled = {**plain, "granularity": "2:4"}
    assert track_from_dict(spelled) == track_from_dict(plain)
    del spelled["pattern"]
    assert track_from_dict(spelled) == track_from_dict(plain)
    with pytest.raises(InputError, match="granularity 1:4 is a pattern, and pattern is '2:4': state one"):
        track_from_dict({**plain, "granularity": "1:4"})


def test_the_one_in_the_docs_can_be_copied(tmp_path: Path) -> None:
    page = (HOUSE / "docs" / "networks-and-data.md").read_text()
    text = next(block for block in page.split("```text\n") if block.startswith("name = ")).partition("```")[0]
    (tmp_path / "animals.toml").write_text(text)
    assert find_track(str(tmp_path / "animals.toml")).id == "animals@1"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "mine"', 'name = "digits-resnet8"', "'digits-resnet8', which ships with Prunemark.\nName it anew"),
        ("margin_pp = 0.5", "margin = 0.5", "a track has no margin. It has "),
        ("margin_pp = 0.5", "", "margin_pp"),
        ("margin_pp = 0.5", "margin_pp = -1", "margin_pp is a number from 1e-06 to 100; given -1"),
        ("classes = 12", "classes = 1", "classes is a whole number from 2 to 1e+06; given 1"),
        (
            'granularity = "filter"',
            'granularity = "channel"',
            "granularity is filter, stream, head, block, weight or a pattern such as 2:4; given 'channel'",
        ),
        (
            'granularity = "filter"',
            'granularity = "weight"',
            "level half: a speed-up is for filters; weights have a ratio",
        ),
        ("speedup = 1.2", "speedup = 0.9", "level half: a speed-up, which filters need, is a number from 1"),
        ("ratio = 0.5", "ratio = 1.5", "level half: a ratio is a number from 1e-06 to 0.999999; given 1.5"),
        ('lr = "1e-2"', 'lr = "fast"', "cannot read the LR schedule 'fast'"),
        ("[pruning]", "[prunning]", "a track has no prunning"),
        ("speedup = 1.2", "speed_up = 1.2", "a level has no speed_up. It has layer_ratios, name, ratio, speedup"),
        ('lr = "1e-2"', 'rl = "1e-2"', "a recipe needs epochs and lr"),
        ("[retraining]", "[prior]\nsd_pp = 0.4\n[retraining]", "a prior of the noise is for tracks that ship"),
        ('optimiser = "AdamW"', 'optimiser = "Lion"', "optimiser is one of SGD, AdamW; given 'Lion'"),
        ("version = 3", "version = ", "is not TOML"),
        ('prunable = ["layer1.0.conv1", "layer2.0.conv1"]', "prunable = []", "prunable is a list of names"),
        ('prunable = ["layer1.0.conv1", "layer2.0.conv1"]', "prunable = 3", "not iterable"),
        ('title = "my animals, a ResNet-18"', "title = 4", "title is a text; given 4"),
        ("version = 3", 'version = 3\nallocations = ["glboal"]', "allocations are of uniform, global; given glboal"),
        (
            "animals@64",
            "animals@64/files",
            "augmentation crop-flip is for images in memory; those of folder:animals@64/files",
        ),
        (
            '"layer2." = 0.8',
            '"layer3." = 0.8',
            "level late: no prunable layer begins with 'layer3.', which has",
        ),
        ('{ "layer2." = 0.8 }', "{ }", "level late: layer_ratios names no layer. Leave it out"),
        ('name = "late"', 'name = "half"', "no two of one name; given half, half"),
        ("epochs = 10", "epochs = 2.9", "epochs are a whole number; given 2.9"),
        ("version = 3", 'version = 3\narithmetic = "fast"', "arithmetic is portable, or is left out; given 'fast'"),
        ("version = 3", 'version = 3\narithmetic = "portable"', "AdamW takes square roots, which are not portable"),
    ],
)
def test_what_is_wrong_is_said(file: Path, old: str, new: str, words: str) -> None:
    assert old in TOML
    file.write_text(TOML.replace(old, new, 1))
    with pytest.raises(InputError) as problem:
        find_track(str(file))
    assert words in str(problem.value) and "mine.toml" in str(problem.value)


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one shipped track, in place of `setups/tracks/`."""
    folder = tmp_path / "tracks"
    folder.mkdir()
    (folder / "mine@3.toml").write_text(TOML)
    monkeypatch.setattr(track_files, "SHIPPED", folder)
    monkeypatch.setattr(track_files, "released_tracks", lambda: tracks_in(folder))
    return folder


def test_a_file_more_is_a_track_more(shipped: Path) -> None:
    (shipped / "mine@10.toml").write_text(TOML.replace("version = 3", "version = 10"))
    assert list(tracks_in(shipped)) == ["mine@3", "mine@10"]
    assert find_track("mine").id == "mine@10" and find_track("mine@3").id == "mine@3"


@pytest.mark.parametrize("name", ["mine.toml", "mine@2.toml", "theirs@3.toml"])
def test_a_shipped_file_with_another_name_than_its_track_is_found(shipped: Path, name: str) -> None:
    (shipped / "mine@3.toml").rename(shipped / name)
    with pytest.raises(InputError, match=rf"{name} is mine@3: call the file mine@3.toml"):
        find_track("mine")


@pytest.mark.parametrize(
    ("prior", "words"),
    [
        ("sd = 0.4", "a prior has no sd. It has df, sd_pp, source"),
        ('sd_pp = "0.4"\nsource = ""', "sd_pp of the prior is a number from 1e-06 to 100; given '0.4'"),
        ('sd_pp = 0.4\ndf = 0\nsource = ""', "df of the prior is a number from 1e-06 to 10000; given 0"),
        ("sd_pp = 0.4", "source"),
    ],
)
def test_what_is_wrong_in_the_prior_of_a_shipped_track_is_said(shipped: Path, prior: str, words: str) -> None:
    (shipped / "mine@3.toml").write_text(f"{TOML}\n[prior]\n{prior}\n")
    with pytest.raises(InputError) as problem:
        find_track("mine")
    assert words in str(problem.value) and "mine@3.toml" in str(problem.value)


def test_every_shipped_file_has_the_form_of_a_users(tmp_path: Path) -> None:
    """A copy with another name is a user's track; only the prior of the noise has to go."""
    for id, track in released_tracks().items():
        text = (track_files.SHIPPED / f"{id}.toml").read_text()
        copied, prior, _ = text.partition("[prior]")
        (tmp_path / "copy.toml").write_text(copied.replace(f'name = "{track.name}"', 'name = "copy"', 1))
        copy = track_from_file(tmp_path / "copy.toml")
        assert bool(prior) == (track.prior is not None)
        assert copy.as_dict() | {"name": track.name, "prior": None} == track.as_dict() | {"prior": None}


def test_shipped_files_are_in_an_installed_copy() -> None:
    data = tomllib.loads((HOUSE / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    assert "tracks/*" in data["prunemark.setups"]


def test_the_file_of_a_track_is_printed(prunemark: Any, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = (HOUSE / "setups" / "tracks" / "digits-resnet8@1.toml").read_text()
    assert prunemark("tracks", "show", "digits-resnet8@1", "--toml") == (0, shown, "")
    assert prunemark("tracks", "show", file, "--toml") == (0, TOML, "")
    install(monkeypatch, track_from_file(file))
    code, printed, said = prunemark("tracks", "show", "mine", "--toml")
    assert (code, printed) == (2, "") and "mine@3 has no TOML file: an installed package makes it in Python" in said


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the track .*no.toml cannot be read: .*No such file"):
        find_track(str(tmp_path / "no.toml"))
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"bytes.toml is not TOML that can be read: byte 0 is not UTF-8"):
        track_from_file(tmp_path / "bytes.toml")


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 99) | st.floats(-2, 2) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
PLAIN = released_tracks()["digits-resnet8@1"].as_dict() | {"arithmetic": "portable"}


@settings(derandomize=True, deadline=None, database=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(sorted(PLAIN)), anything, max_size=3), st.sets(st.sampled_from(sorted(PLAIN))))
def test_any_document_is_a_track_or_wrong_input(changes: dict[str, Any], without: set[str]) -> None:
    data = {name: value for name, value in (PLAIN | changes).items() if name not in without or name in changes}
    try:
        track = track_from_dict(data)
    except InputError as problem:
        assert str(problem)
    else:
        assert track.levels and track.prunable


class Point:
    def __init__(self, value: Any) -> None:
        self.name, self.value, self._loads = "theirs", "package.tracks:TRACK", value

    def load(self) -> Any:
        if isinstance(self._loads, Exception):
            raise self._loads
        return self._loads


def install(monkeypatch: pytest.MonkeyPatch, *loads: Any) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [Point(value) for value in loads])


def test_an_installed_package_brings_tracks(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    mine = track_from_file(file)
    install(monkeypatch, mine)
    assert find_track("mine") is mine and find_track("mine@3") is mine
    with pytest.raises(InputError, match="unknown track 'min'. Did you mean 'mine'?"):
        find_track("min")


def test_what_is_no_track_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, 3)
    with pytest.raises(InputError, match=r"'theirs' \(package.tracks:TRACK\) is a int, no Track"):
        find_track("mine")
    install(monkeypatch, ImportError("no module"))
    with pytest.raises(InputError, match="the installed track 'theirs' cannot be loaded: no module"):
        find_track("mine")
    assert find_track("digits-resnet8@1").version == 1  # the project's own do not depend on it


def test_a_pattern_says_the_ratio_of_its_level() -> None:
    stated = released_tracks()["digits-resnet8-2to4@1"].as_dict() | {"name": "mine"}
    assert track_from_dict(stated).pattern == "2:4"
    with pytest.raises(InputError, match="pattern 1:4 removes a ratio of 0.75; given 0.5"):
        track_from_dict(stated | {"pattern": "1:4"})
