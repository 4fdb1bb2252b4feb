"""`prunemark base`: weights are fetched, a trained base is packed, and others add it without training it again."""

from __future__ import annotations

import dataclasses
import functools
import http.server
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save, save_file
from support.given import sha256
from support.here import Here
from support.homes import TRIALS

from prunemark.benchmark.networks import library_tags
from prunemark.benchmark.run import base_fetch, base_pack, submit
from prunemark.benchmark.run.home import Home, home_at, open_home
from prunemark.benchmark.trial import weight_files
from prunemark.benchmark.trial.keys import stage_keys
from prunemark.setups.errors import RuleBroken
from prunemark.setups.track_files import released_tracks

Command = Callable[..., tuple[int, str, str]]
TRACK = TRIALS[0].track
KEY = stage_keys(TRIALS[0]).pretrain


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = open_home(home_at(tmp_path_factory.mktemp("theirs") / "home"))
    submit.execute(TRIALS[:1], home, Here(), [])
    return home


@pytest.fixture(scope="module")
def file(finished: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their base, packed."""
    path = tmp_path_factory.mktemp("packed") / "base.safetensors"
    base_pack.pack(TRACK, 0, "cpu", finished, path)
    return path


@pytest.fixture
def command(prunemark: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setitem(released_tracks(), TRACK.id, TRACK)
    return prunemark


@pytest.fixture
def mine(tmp_path: Path) -> Home:
    return open_home(home_at(tmp_path / "mine"))


def test_a_base_is_packed_and_added_and_not_trained_again(
    finished: Home, mine: Home, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "base.safetensors"
    code, said, _ = command("base", "pack", TRACK.id, "--seed", "0", "--output", out, "--home", finished.root)
    assert code == 0 and "the base model of digits-resnet8@1, seed 0; its weights have the hash" in said
    code, said, _ = command("base", "add", out, "--home", mine.root)
    assert (code, said.splitlines()[1:]) == (0, [
        "  the same images and the same terms as here",
        "  not verified: no record of this home names the base model of seed 0",
        "  its key is the one that this machine would make it under",
    ])  # fmt: skip
    for name in ("weights.safetensors", "momentum.safetensors"):
        theirs, here = (load_file(home.store.path(KEY) / name) for home in (finished, mine))
        assert theirs.keys() == here.keys() and all(torch.equal(theirs[n], here[n]) for n in theirs)

    def trained(*_: Any, **__: Any) -> None:
        raise AssertionError("a base that was added is not trained again")

    monkeypatch.setattr("prunemark.benchmark.trial.stages.pretrain", trained)
    (record,) = submit.execute(TRIALS[:1], mine, Here(), []).values()
    (before,) = submit.execute(TRIALS[:1], finished, Here(), []).values()
    assert record.outcome == before.outcome
    code, said, _ = command("base", "add", out, "--home", mine.root)
    assert code == 0 and f"the record {record.record_sha256[:12]} of this home names the same weights" in said
    assert said.splitlines()[-1] == "  it is in the store already"


def rewritten(file: Path, out: Path, **changes: Any) -> Path:
    """The file with other words; weights that are not of the hash it says, with `weights`."""
    packed = base_pack.read(file)
    about = packed.about | {name: value for name, value in changes.items() if name != "weights"}
    parts = packed.parts | {"weights": changes.get("weights", packed.parts["weights"])}
    tensors = {f"{part}/{name}": tensor for part, state in parts.items() for name, tensor in state.items()}
    out.write_bytes(save(tensors, {base_pack.ABOUT: json.dumps(about)}))
    return out


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"weights_sha256": "ab" * 32}, 3, "was changed after it was packed: its weights have another hash"),
        ({"data_sha256": "ab" * 32}, 2, "the base was made with other images than those here (abababababab against"),
        ({"terms": {"dataset": "glyphs"}}, 2, "whose dataset and classes and network and pretraining differ from"),
        ({"format": "prunemark-base/2"}, 2, "has format 'prunemark-base/2'; this version reads prunemark-base/1"),
        ({"track": "digits-resnet9@1"}, 2, "Did you mean 'digits-resnet8"),
        ({"stage": {"epochs": 3}}, 2, "is not a base that `prunemark base pack` wrote"),
        ({"seed": "0"}, 2, "is not a base that `prunemark base pack` wrote"),
        ({"curve": 3}, 2, "is not a base that `prunemark base pack` wrote"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(
    changes: dict[str, Any], code: int, words: str, file: Path, mine: Home, command: Command, tmp_path: Path
) -> None:
    given = rewritten(file, tmp_path / "other.safetensors", **changes)
    ended, _, said = command("base", "add", given, "--home", mine.root)
    assert ended == code and words in said
    assert not mine.store.path(KEY).exists()


def test_what_cannot_be_verified_is_said(file: Path, mine: Home, command: Command, tmp_path: Path) -> None:
    about = base_pack.read(file).about
    made_with = about["made_with"] | {"torch": "2.0.0"}
    given = rewritten(file, tmp_path / "other.safetensors", key="ab" * 32, made_with=made_with)
    code, said, _ = command("base", "add", given, "--home", mine.root)
    assert (
        code == 0
        and f"not verified: it was made under another key (torch 2.0.0 there, {version('torch')} here)" in said
    )
    assert mine.store.read(KEY)


def test_a_record_or_a_store_with_another_base_stops_it(
    finished: Home, file: Path, command: Command, tmp_path: Path
) -> None:
    from prunemark.benchmark.networks.weights import weights_sha256

    weights = {name: tensor * 1 for name, tensor in base_pack.read(file).parts["weights"].items()}
    weights[next(iter(weights))] = weights[next(iter(weights))] + 1
    given = rewritten(file, tmp_path / "o.safetensors", weights=weights, weights_sha256=weights_sha256(weights))
    home = open_home(home_at(tmp_path / "home"))
    shutil.copytree(finished.root, home.root, dirs_exist_ok=True)
    code, _, said = command("base", "add", given, "--home", home.root)
    assert code == 3 and "of this home has another base model of digits-resnet8@1, seed 0: not" in said
    for record in home.records.iterdir():
        record.unlink()
    with pytest.raises(RuleBroken, match="the store has another base model of digits-resnet8@1, seed 0"):
        base_pack.add(base_pack.read(given), TRACK, home)
    not_finite = {name: tensor * float("nan") for name, tensor in weights.items() if tensor.is_floating_point()}
    nan = rewritten(
        file, tmp_path / "nan", weights=weights | not_finite, weights_sha256=weights_sha256(weights | not_finite)
    )
    code, _, said = command("base", "add", nan, "--home", tmp_path / "empty")
    assert code == 2 and "the packed base has values that are not finite" in said


def test_other_files_and_places_are_refused(finished: Home, mine: Home, command: Command, tmp_path: Path) -> None:
    plain = tmp_path / "plain.safetensors"
    save_file({"w": torch.ones(1)}, plain)
    for path, words in (
        (plain, "it has weights, and no words of it"), (Path(__file__), "is not a base that"),
        (tmp_path / "none", "cannot be read"),
    ):  # fmt: skip
        code, _, said = command("base", "add", path, "--home", mine.root)
        assert code == 2 and words in said
    code, _, said = command("base", "pack", TRACK.id, "--seed", "4", "--output", "x", "--home", finished.root)
    assert code == 2 and "has no base model of digits-resnet8@1, seed 4, on cpu" in said
    code, _, said = command("base", "pack", TRACK.id, "--output", plain, "--home", finished.root)
    assert code == 2 and "is there already. It is left as it is" in said
    code, _, said = command("base", "pack", TRACK.id, "--seed=-1", "--output", "x", "--home", finished.root)
    assert code == 2 and "--seed is a whole number from 0" in said


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A web server of one folder, on this machine."""
    (tmp_path / "web").mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path / "web"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


@pytest.fixture
def track(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A track of a shipped network whose weights lie on that server."""
    from prunemark.setups.track_files import text_of

    monkeypatch.setattr(weight_files, "_hub", lambda: tmp_path / "hub")
    weights = tmp_path / "web" / "net-00000000.pth"
    weights.write_bytes(b"weights")
    text = text_of("imagenet-resnet34@2").replace('name = "imagenet-resnet34"', 'name = "mine"')
    old = released_tracks()["imagenet-resnet34@2"].base
    assert old
    (tmp_path / "mine.toml").write_text(text.replace(old[0].sha256, sha256(weights)))
    tag = library_tags.tag_of("torchvision:resnet34", old[0])
    moved = dataclasses.replace(tag, places=((weights.name, f"{server}/{weights.name}"),))
    for module in (weight_files, base_fetch):
        monkeypatch.setattr(module, "tag_of", lambda network, given: moved)
    return tmp_path / "mine.toml"


def test_given_weights_are_downloaded_once_and_checked(track: Path, mine: Home, command: Command) -> None:
    code, said, _ = command("base", "fetch", track, "--home", mine.root)
    place = mine.root / "bases" / "net-00000000.pth"
    assert code == 0 and f"{place} is here now, and has the stated hash" in said and place.read_bytes() == b"weights"
    code, said, _ = command("base", "fetch", track, "--home", mine.root)
    assert (code, said) == (0, f"torchvision:IMAGENET1K_V1: {place} is here, and has the stated hash\n")


def test_without_a_network_it_says_what_to_lay_where(track: Path, mine: Home, command: Command, tmp_path: Path) -> None:
    (tmp_path / "web" / "net-00000000.pth").rename(tmp_path / "gone")
    code, _, said = command("base", "fetch", track, "--home", mine.root)
    place = mine.root / "bases" / "net-00000000.pth"
    assert code == 1 and "could not be downloaded (Not Found)" in said.replace("File not found", "Not Found")
    assert f"with SHA-256 {sha256(tmp_path / 'gone')}, as {place}" in said and not any(place.parent.iterdir())
    (tmp_path / "web" / "net-00000000.pth").write_bytes(b"other weights")
    code, _, said = command("base", "fetch", track, "--home", mine.root)
    assert code == 1 and "is another file than the track states: its hash is not" in said
    assert not any(place.parent.iterdir())


def test_there_is_nothing_to_fetch_where_a_track_trains_its_bases(command: Command, mine: Home) -> None:
    code, _, said = command("base", "fetch", "glyphs-resnet8", "--home", mine.root)
    assert code == 2 and "track glyphs-resnet8@1 gives no base model: its bases are trained" in said
