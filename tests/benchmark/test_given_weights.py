"""Weights of libraries and of files, read by the libraries' own code from files made here; and what is refused."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from support.given import sha256
from torch import nn

from prunemark.benchmark.images.datasets import IMAGENET_MEAN, IMAGENET_SD
from prunemark.benchmark.images.sources import VARIABLE
from prunemark.benchmark.networks.checkpoint_files import read_state
from prunemark.benchmark.networks.given_weights import load_given
from prunemark.benchmark.networks.library_tags import tag_of
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.benchmark.networks.weights import weights_sha256
from prunemark.benchmark.trial import given_base, weight_files
from prunemark.benchmark.trial.weight_files import find_weights
from prunemark.setups.errors import InputError
from prunemark.setups.given_base import GivenBase

SHAPE, SMALL = ImageShape(3, 224, 224, 1000), ImageShape(3, 16, 16, 10)
NETWORK = "resnet8"
State = dict[str, torch.Tensor]


def given(weights: str, sha: str = "0" * 64, folder: str = "") -> GivenBase:
    return GivenBase(weights, sha, 50.0, "a test", folder=folder)


def small(seed: int = 7) -> State:
    return dict(build_network(NETWORK, SMALL, seed).state_dict())


def laid(tmp_path: Path, network: str, weights: str, write: Callable[[State, Path], None]) -> tuple[nn.Module, Path]:
    """A network of a library with weights of its own, and its file under the library's name, as in torch's hub."""
    model = build_network(network, SHAPE, 3)
    place = tmp_path / "hub" / "checkpoints"
    place.mkdir(parents=True)
    path = place / tag_of(network, given(weights)).files[0]
    write(dict(model.state_dict()), path)
    return model, path


def load(network: str, weights: str, path: Path) -> nn.Module:
    return load_given(network, SHAPE, given(weights, sha256(path)), path, IMAGENET_MEAN, IMAGENET_SD)


def test_torchvision_reads_its_own_files_and_its_old_names(tmp_path: Path) -> None:
    """DenseNet's files have names of before 2017, which torchvision's code brings to those of today."""

    def with_old_names(state: State, path: Path) -> None:
        state = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
        old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", name): t for name, t in state.items()}
        assert old.keys() != state.keys()
        torch.save(old, path)

    network, weights = "torchvision:densenet121", "torchvision:IMAGENET1K_V1"
    model, path = laid(tmp_path, network, weights, with_old_names)
    before = torch.hub.get_dir()
    assert weights_sha256(load(network, weights, path).state_dict()) == weights_sha256(model.state_dict())
    assert torch.hub.get_dir() == before and "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ


def test_timm_reads_its_own_files_in_both_forms(tmp_path: Path) -> None:
    network, weights = "timm:deit_tiny_patch16_224", "timm:fb_in1k"
    model, path = laid(tmp_path, network, weights, lambda state, path: torch.save({"model": state}, path))
    assert path.name == "deit_tiny_patch16_224-a1311bcf.pth"
    assert weights_sha256(load(network, weights, path).state_dict()) == weights_sha256(model.state_dict())
    other = path.with_suffix(".safetensors")
    save_file(dict(model.state_dict()), other)
    assert weights_sha256(load(network, weights, other).state_dict()) == weights_sha256(model.state_dict())


def test_a_pickle_with_code_in_it_is_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(marker),)

    network, weights = "torchvision:squeezenet1_1", "torchvision:IMAGENET1K_V1"
    _model, path = laid(tmp_path, network, weights, lambda state, path: torch.save({**state, "x": Evil()}, path))
    with pytest.raises(InputError, match="torchvision could not read torchvision:IMAGENET1K_V1 of torchvision:squeeze"):
        load(network, weights, path)
    with pytest.raises(InputError, match="cannot be read without running code of it: it holds .*mkdir.\nSave its"):
        read_state(path, ())
    assert not marker.exists()


def test_what_a_library_would_draw_at_random_is_refused() -> None:
    path = Path(__file__)
    weights = given("torchvision:IMAGENET1K_V1")
    with pytest.raises(InputError, match="IMAGENET1K_V1 of resnet18 is for 1,000 classes; the track's images have 10"):
        load_given("torchvision:resnet18", ImageShape(3, 32, 32, 10), weights, path)
    with pytest.raises(InputError, match="is for images of 3 channels; the track's have 1"):
        load_given("timm:resnet18", ImageShape(1, 32, 32, 1000), given("timm:a1_in1k"), path)
    with pytest.raises(InputError, match=r"normalised by mean 0.5/0.5/0.5, .*\nthe track's are normalised by 0.485"):
        load_given(
            "timm:resnet34", SHAPE, given("timm:ra4_e3600_r224_in1k"), path, IMAGENET_MEAN, IMAGENET_SD
        )  # fmt: skip


@pytest.mark.parametrize(
    ("network", "weights", "words"),
    [
        (
            "torchvision:resnet18",
            "torchvision:IMAGENET1K_V3",
            "unknown weights of torchvision:resnet18 'IMAGENET1K_V",
        ),
        ("torchvision:resnet19", "torchvision:IMAGENET1K_V1", "torchvision has no network 'resnet19'"),
        ("timm:resnet18", "timm:fb_in22k", "unknown weights of timm:resnet18 'fb_in22k'"),
        ("timm:resnet1x", "timm:fb_in1k", "timm has no network 'resnet1x'"),
    ],
)
def test_a_tag_that_a_library_has_not_is_refused_with_those_it_has(network: str, weights: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        tag_of(network, given(weights))


WRAPPED: dict[str, Callable[[State], Any]] = {
    "plain": lambda state: state,
    "state_dict": lambda state: {"epoch": 1, "state_dict": state, "optimizer": {"state": {}, "param_groups": []}},
    "model": lambda state: {"model": state, "args": None},
    "net": lambda state: {"net": state, "acc": 91.2},
    "DataParallel": lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
    "compiled": lambda state: {"model": {f"_orig_mod.module.{name}": tensor for name, tensor in state.items()}},
    "Lightning": lambda state: {"state_dict": {f"model.{name}": tensor for name, tensor in state.items()}},
    "averaged": lambda state: {"state_dict": {n: t * 2 for n, t in state.items()}, "state_dict_ema": state},
    "no counters": lambda state: {n: t for n, t in state.items() if not n.endswith("num_batches_tracked")},
    "parameters": lambda state: {n: nn.Parameter(t) if t.is_floating_point() else t for n, t in state.items()},
}


@pytest.mark.parametrize("how", WRAPPED)
def test_published_checkpoints_hold_their_model_in_many_ways(how: str, tmp_path: Path) -> None:
    state, path = small(), tmp_path / "net.pth"
    torch.save(WRAPPED[how](state), path)
    model = load_given(NETWORK, SMALL, given("file:net.pth"), path)
    assert weights_sha256(model.state_dict()) == weights_sha256(state)


def test_half_precision_becomes_float32(tmp_path: Path) -> None:
    state = {n: t.half() if t.is_floating_point() else t for n, t in small().items()}
    save_file(state, tmp_path / "net.safetensors")
    model = load_given(NETWORK, SMALL, given("file:net"), tmp_path / "net.safetensors")
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def _nan(state: State) -> State:
    name = next(iter(state))
    return state | {name: torch.full_like(state[name], float("nan"))}


def _head(state: State, classes: int) -> State:
    name = max(n for n in state if n.endswith("weight") and state[n].dim() == 2)
    bias = name.replace("weight", "bias")
    return state | {name: state[name][:1].repeat(classes, 1), bias: state[bias][:1].repeat(classes)}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda s: {n: t for n, t in s.items() if "conv1" not in n}, r"lacks .*conv1.weight.* of the network"),
        (lambda s: {f"backbone.{n}x": t for n, t in s.items()}, r"lacks .* and \d+ more of the network; it has .*x"),
        (
            lambda s: {f"net.{n}": t for n, t in s.items()} | {"criterion.weight": torch.ones(10)},
            r"is there as 'net', next to criterion.weight: save it without what trained it, torch.save\(wrapper.net.st",
        ),
        (lambda s: s | {"aux.weight": torch.ones(2)}, "has aux.weight, which the network has not"),
        (lambda s: _head(s, 12), r"is for 12 classes \(.*\); the track's images have 10"),
        (lambda s: s | {next(iter(s)): torch.ones(4, 4)}, r"of shape \(4, 4\); the track's network has \(8, 3, 3, 3\)"),
        (_nan, "has values that are not finite. Such a base cannot be pruned"),
        (lambda s: {"optimizer": {"state": {}}, "epoch": 3}, "holds no weights by name, but optimizer, epoch"),
        (lambda s: {"a": s, "b": s}, "holds several sets of weights: a, b"),
        (lambda s: list(s.values()), "holds a list, and not weights by name"),
        (lambda s: torch.ones(3), "holds a Tensor, and not weights by name"),
        (lambda s: {}, "holds no weights by name, but nothing"),
        (lambda s: s | {"w": torch.ones(3).to_sparse()}, "w is not a plain tensor of numbers"),
        (lambda s: s | {"w": torch.ones(3, dtype=torch.complex64)}, "w is not a plain tensor of numbers"),
        (lambda s: nn.Linear(2, 2), "cannot be read without running code of it: it holds .*Linear.*\nSave its weights"),
    ],
)
def test_what_is_not_this_networks_weights_is_refused_by_name(
    content: Callable[[State], Any], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "net.pth"
    torch.save(content(small()), path)
    with pytest.raises(InputError, match=words):
        load_given(NETWORK, SMALL, given("file:net.pth"), path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty: a download or a copy was cut off"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n", "is a pointer of Git LFS"),
        (b"\n<!DOCTYPE html><html>", "is a web page, and not the weights"),
        (b"hello, this is a text", "is no"),
    ],
)
@pytest.mark.parametrize("name", ["net.pth", "net.safetensors", "net"])
def test_a_file_that_is_none_of_weights_says_what_it_is(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        load_given(NETWORK, SMALL, given("file:net"), path)


@pytest.mark.parametrize("name", ["net.pth", "net.safetensors"])
def test_a_file_that_was_cut_off_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    (save_file if name.endswith("s") else torch.save)(small(), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="is no file that torch.save wrote, or is cut off|is not a safetensors file"):
        load_given(NETWORK, SMALL, given("file:net"), path)


def test_a_file_is_found_by_its_hash_where_it_may_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bases, mine, data, hub = (tmp_path / name for name in ("bases", "mine", "data", "hub"))
    for folder in (bases, mine, data, hub / "checkpoints"):
        folder.mkdir(parents=True)
    monkeypatch.setenv(VARIABLE, str(data))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(hub))
    (mine / "net.pth").write_bytes(b"mine")
    stated = given("file:net.pth", sha256(mine / "net.pth"), str(mine))
    assert find_weights(NETWORK, stated, bases) == mine / "net.pth"
    (mine / "net.pth").rename(bases / "whatever")
    assert find_weights(NETWORK, stated, bases) == bases / "whatever"  # moved: its hash names it
    (data / "bases").mkdir()
    (bases / "whatever").rename(data / "bases" / "whatever")
    assert find_weights(NETWORK, stated, bases) == data / "bases" / "whatever"
    name = "resnet18-f37072fd.pth"
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    cached = tmp_path / "hf/hub/models--timm--deit_tiny_patch16_224.fb_in1k/snapshots/0ab/model.safetensors"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"of timm")
    assert find_weights("timm:deit_tiny_patch16_224", given("timm:fb_in1k", sha256(cached)), bases) == cached
    for folder in (hub / "checkpoints", data, bases):  # the later ones are looked into first
        (folder / name).write_bytes(b"theirs")
        weights = given("torchvision:IMAGENET1K_V1", sha256(folder / name))
        assert find_weights("torchvision:resnet18", weights, bases) == folder / name


def test_a_file_that_is_not_here_or_another_one_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weight_files, "_hub", lambda: tmp_path / "nowhere")
    monkeypatch.delenv(VARIABLE, raising=False)
    bases = tmp_path / "bases"
    bases.mkdir()
    tagged, mine = given("torchvision:IMAGENET1K_V1", "ab" * 32), given("file:net.pth", "ab" * 32, str(tmp_path))
    place = bases / "resnet18-f37072fd.pth"
    with pytest.raises(InputError) as said:
        find_weights("torchvision:resnet18", tagged, bases)
    assert str(said.value) == (
        f"the weights torchvision:IMAGENET1K_V1 of resnet18, with SHA-256 {'ab' * 32}, are not on this machine.\n"
        "`prunemark base fetch` gets it from https://download.pytorch.org/models/resnet18-f37072fd.pth, or lay it as "
        f"{place}"
    )
    with pytest.raises(InputError, match=f"are not on this machine.\nLay it as {tmp_path / 'net.pth'}"):
        find_weights(NETWORK, mine, bases)
    with pytest.raises(InputError, match=f"are not on this machine.\nLay it into {bases}, under any name"):
        find_weights(NETWORK, given("file"), bases)
    for path, weights in ((place, tagged), (tmp_path / "net.pth", mine)):
        path.write_bytes(b"another")
        with pytest.raises(InputError, match=rf"have another hash than the track states: {path} has {sha256(path)}"):
            find_weights("torchvision:resnet18" if weights is tagged else NETWORK, weights, bases)
    place.write_bytes(b"")
    with pytest.raises(InputError, match="is empty"):
        find_weights("torchvision:resnet18", tagged, bases)
    (tmp_path / "net.pth").unlink()
    (tmp_path / "net.pth").mkdir()
    with pytest.raises(InputError, match="is not a plain file"):
        find_weights(NETWORK, mine, bases)


def test_a_file_that_changes_between_its_hash_and_its_reading_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "net.pth"
    file.write_bytes(b"what lies there by now")
    for name, result in {"load_split": None, "find_weights": file, "_name_for": "net.pth"}.items():
        monkeypatch.setattr(given_base, name, lambda *_given, result=result: result)
    stated = GivenBase("file:net.pth", hashlib.sha256(b"what was found").hexdigest(), 90.0, "a test")
    trial: Any = SimpleNamespace(track=SimpleNamespace(network="resnet8", dataset="digits"))
    with pytest.raises(InputError, match="changed while it was read"):
        given_base._take(trial, stated, tmp_path, tmp_path, tmp_path, tmp_path)
