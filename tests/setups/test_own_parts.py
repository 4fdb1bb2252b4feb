"""How a track names a network and images of its author's, and what keys and records call them."""

import importlib.metadata
from dataclasses import replace

import pytest

from prunemark.setups.errors import InputError
from prunemark.setups.own_parts import OwnParts, arrays_of, function_of, is_own_dataset, parquet_of
from prunemark.setups.track_files import find_track, track_from_dict, track_from_file

TERMS = find_track("digits-resnet8").as_dict() | {"name": "mine"}
PARTS = OwnParts("/a/folder", "a" * 64, (("timm", "1.0"),), "b" * 64, (3, 32, 48), (0.5, 0.5, 0.5), (0.2, 0.2, 0.2))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("model.py:build", ("model.py", "build")), ("../nets/a-b.py:Net", ("../nets/a-b.py", "Net")),
        ("/home/me/model.py:build", ("/home/me/model.py", "build")), ("lab.nets:build", ("lab.nets", "build")),
        ("timm:resnet18", None), ("keras:resnet18", None), ("folder:images@32", None), ("resnet8", None),
        ("model.py", None), ("model.py:", None), ("model.py:2", None), ("a b.py:build", None), ("x.py:build\n", None),
    ],
)  # fmt: skip
def test_a_function_is_named_by_its_file_or_module(name, found):
    assert function_of(name) == found


def test_files_of_images():
    assert arrays_of("../a/b.npz") == "../a/b.npz" and arrays_of("b.npy") is None
    assert parquet_of("parquet:data/cats@64") == ("data/cats", 64) and parquet_of("parquet:cats") == ("cats", None)
    assert parquet_of("a/train.parquet@32") == ("a/train.parquet", 32) and parquet_of("cats") is None
    assert [is_own_dataset(each) for each in ("data.py:load", "a.npz", "digits", "folder:a@8/files")] == [1, 1, 0, 0]


def test_a_track_takes_them_and_knows_its_folder(tmp_path):
    track = track_from_dict(TERMS | {"network": "model.py:build", "dataset": "a.npz"}, folder="/a")
    assert track.own == OwnParts("/a") and (track.network, track.dataset) == ("model.py:build", "a.npz")
    assert track_from_dict(TERMS).own is None
    renamed = {"data" if name == "dataset" else name: value for name, value in TERMS.items()}
    assert track_from_dict(renamed | {"data": "data.py:load"}).dataset == "data.py:load"
    with pytest.raises(InputError, match="data or dataset, which mean the same"):
        track_from_dict(TERMS | {"data": "data.py:load"})
    with pytest.raises(InputError, match="a track has no own"):
        track_from_dict(TERMS | {"own": {}})
    (tmp_path / "broken.toml").write_text('network = "model.py:build"')
    with pytest.raises(InputError, match="a track needs"):
        track_from_file(tmp_path / "broken.toml")


@pytest.mark.parametrize("network", ["modle.py", "model.py:1", "a" * 500 + ".py:build", "../x;y.py:build"])
def test_a_name_that_is_none_is_refused_with_what_is_allowed(network):
    with pytest.raises(InputError, match="network"):
        track_from_dict(TERMS | {"network": network})


def test_an_installed_package_gives_its_network_a_name(monkeypatch):
    point = importlib.metadata.EntryPoint("labnet", "lab.nets:build", "prunemark.networks")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point] if "networks" in group else [])
    assert track_from_dict(TERMS | {"network": "labnet"}).network == "lab.nets:build"
    with pytest.raises(InputError, match="unknown network 'labnett'"):
        track_from_dict(TERMS | {"network": "labnett"})


def test_keys_and_records_call_them_by_their_hashes():
    track = track_from_dict(TERMS | {"network": "model.py:build", "dataset": "data.py:load"})
    assert (track.network_id, track.dataset_id) == ("model.py:build", "data.py:load"), "not looked at yet"
    bound = replace(track, own=PARTS, network="/store/own.json:build")
    plain = bound.as_dict()
    assert plain["network"] == f"own:build@{'a' * 12}" and plain["dataset"] == f"own:load@{'b' * 12}"
    assert plain["own"] == {"network_sha256": "a" * 64, "dataset_sha256": "b" * 64, "shape": (3, 32, 48),
                            "mean": PARTS.mean, "sd": PARTS.sd}  # fmt: skip
    assert "folder" not in str(plain) and "store" not in str(plain)
    assert replace(bound, dataset="a.npz").dataset_id == f"own:npz@{'b' * 12}"
    assert replace(bound, dataset="parquet:cats").dataset_id == f"own:parquet@{'b' * 12}"
    assert bound.class_of_data == "folder:own@48" and track_from_dict(TERMS).class_of_data == "digits"
