"""A track with a network and images of its author's, from the command line: run, recorded, timed, exported."""

import json
import os

import numpy as np
import pytest
from support.own_tracks import LOAD, NETWORK, SIGNALS, write_track

from prunemark.benchmark.run import fork_server
from prunemark.benchmark.run.export import load_exported
from prunemark.benchmark.sandbox.confinement import isolation_here
from prunemark.records.record import load_file

needs_landlock = pytest.mark.skipif(isolation_here() != "landlock", reason="this machine has no Landlock and seccomp")


METHOD = """
from helper import size
from prunemark import FilterCriterion


class Mine(FilterCriterion):
    def score(self, layer, context):
        return size(layer.weight)
"""


@pytest.fixture
def home(furnish, tmp_path):
    return furnish(tmp_path / "home")


def records(home):
    return [load_file(path) for path in sorted((home / "records").glob("*.json"))]


def signals(folder):
    labels = np.arange(60) % 3
    values = np.random.default_rng(0).normal(size=(60, 2, 16))
    for number, label in enumerate(labels):
        values[number, :, 4 * label : 4 * label + 4] += 4
    parts = {"x_train": values[:45], "y_train": labels[:45], "x_test": values[45:], "y_test": labels[45:]}
    np.savez(folder / "signals.npz", **parts, layout="NCL")


def test_a_network_and_images_of_ones_own_from_submit_to_export(prunemark, tmp_path, home):
    track = write_track(tmp_path)
    code, said, trouble = prunemark("submit", "L2-norm", "--track", track, "--seeds", "1", "--home", home)
    assert code == 0, trouble
    assert "L2-norm" in said
    found = records(home)
    terms = found[0].outcome.track_terms
    assert len(found) == 5 and {r.outcome.status for r in found} == {"ok"}
    assert terms["network"] == f"own:build@{terms['own']['network_sha256'][:12]}"
    assert terms["dataset"] == f"own:load@{terms['own']['dataset_sha256'][:12]}"
    assert terms["own"]["dataset_sha256"] == found[0].outcome.data_sha256 and terms["own"]["shape"] == [1, 8, 8]
    assert str(tmp_path) not in json.dumps(terms) and "model.py" not in json.dumps(terms)

    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "helper.py").write_text("def size(w):\n    return w.flatten(1).abs().sum(1)\n")
    (mine := tmp_path / "methods" / "mine.py").write_text(METHOD)
    assert prunemark("check", f"{mine}:Mine", "--track", track)[0] == 0
    one = ("--track", track, "--seeds", "1", "--home", home, "--no-time")
    code, said, trouble = prunemark("submit", f"{mine}:Mine", *one)
    assert code == 0 and "Mine" in said, trouble

    # nothing runs again for other words, another name of the file, or other files beside it
    track.write_text(track.read_text().replace("model.py", "renamed.py"))
    (tmp_path / "renamed.py").write_text(f'"""Words."""\n{NETWORK}')
    (tmp_path / "model.py").unlink()
    (tmp_path / "results.csv").write_text("1")
    again = prunemark("submit", "L2-norm", "--track", track, "--seeds", "1", "--home", home, "--no-time")
    assert again[0] == 0 and "nothing to run: all 5 trials are stored" in again[2]
    plan = prunemark("submit", "L2-norm", "--track", track, "--seeds", "2", "--home", home, "--dry-run")
    assert plan[0] == 0 and "10 trials, 5 stored" in plan[1].replace("\n", " ")

    pruned = next(r for r in found if r.outcome.method.name == "L2-norm")
    path = home / "records" / f"{pruned.record_sha256}.json"
    assert prunemark("verify", path)[0] == 0
    assert prunemark("leaderboard", "--home", home)[0] == 0
    assert prunemark("time", path, "--backend", "eager", "--batch", "1")[0] in (0, 4)
    code, said, trouble = prunemark("export", path, "--home", home, "--out", tmp_path / "out")
    assert code == 0, trouble
    assert {each.name for each in (tmp_path / "out").iterdir()} == {
        "decision.json", "model.pt2", "model.safetensors", "own.json"
    }  # fmt: skip
    assert load_exported(tmp_path / "out").body[0].weight.shape[0] < 8

    # other code is another network: its results are not mixed with those of the track's first records
    (tmp_path / "renamed.py").write_text(NETWORK.replace("ReLU", "Hardswish"))
    plan = prunemark("submit", "L2-norm", "--track", track, "--seeds", "1", "--home", home, "--dry-run")
    assert "5 trials, 0 stored" in plan[1].replace("\n", " ")


def test_convolutions_over_time_weights_and_a_file_of_arrays(prunemark, tmp_path, home):
    signals(tmp_path)
    track = write_track(
        tmp_path, network="signals.py:build", data="signals.npz", prunable='["conv1", "conv2", "hidden"]', weights=True
    )
    code, _, trouble = prunemark("submit", "LAMP", "--track", track, "--seeds", "1", "--home", home, "--no-time")
    assert code == 0, trouble
    assert "not 0 to 1: taken as they are, and standardised" in trouble
    found = next(r.outcome for r in records(home) if r.outcome.method.name == "LAMP")
    assert found.compression.total == {"conv1": 80, "conv2": 192, "hidden": 1024}
    assert sum(found.compression.kept.values()) == 648 and found.track_terms["own"]["shape"] == [2, 1, 16]


def parquet(folder):
    import io

    from PIL import Image

    arrow, parquet_files = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")

    (folder / "pictures").mkdir()
    for split, count in (("train", 30), ("test", 12)):
        rows = []
        for number in range(count):
            out = io.BytesIO()
            Image.new("RGB", (8, 8), (80 * (number % 3), number, 0)).save(out, "PNG")
            rows.append({"bytes": out.getvalue(), "path": f"{number}.png"})
        table = arrow.table({"image": rows, "label": [number % 3 for number in range(count)]})
        parquet_files.write_table(table, folder / "pictures" / f"{split}-00000-of-00001.parquet")
    return "parquet:pictures"


def folders(folder):
    from PIL import Image

    for split, count in (("train", 30), ("test", 12)):
        for number in range(count):
            place = folder / "images" / split / f"class{number % 3}"
            place.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (9, 8), (80 * (number % 3), number, 0)).save(place / f"{number}.png")
    return "folder:images@8"


@pytest.mark.parametrize("kind", [parquet, folders])
def test_other_kinds_of_images(prunemark, tmp_path, home, kind):
    track = write_track(tmp_path, data=kind(tmp_path))
    fork_server.stop_server()  # the next one hears of --data
    code, said, trouble = prunemark("tracks", "check", track, "--home", home, "--data", tmp_path, "--format", "json")
    fork_server.stop_server()
    assert code == 0, said + trouble
    assert "27 images to train, 3 to validate, 12 to test; 3 x 8 x 8, 3 classes" in said
    assert prunemark("tracks", "show", track)[0] == 0


def test_convolutions_over_time_lose_filters(prunemark, tmp_path, home):
    signals(tmp_path)
    track = write_track(tmp_path, network="signals.py:build", data="signals.npz", prunable='["conv1", "conv2"]')
    code, said, trouble = prunemark("check", "L1-norm", "--track", track, "--format", "json")
    assert code == 0, said + trouble
    assert "keeps" in said and "the same when run again" in said


MISTAKES = {
    "no file": ({"network": "nowhere.py:build"}, {}, "there is no file"),
    "no function": ({"network": "model.py:biuld"}, {}, "Did you mean 'build'?"),
    "no module": ({"network": "no.such:build"}, {}, "no module 'no.such' is installed here"),
    "no loader": ({"data": "nowhere.py:load"}, {}, "dataset nowhere.py:load: there is no file"),
    "no arrays": ({"data": "nowhere.npz"}, {}, "dataset nowhere.npz: there is no "),
    "raises": ({}, {"model.py": NETWORK.replace("return Net", "return Nett")}, "build of the network raises NameError"),
    "tuple": ({}, {"model.py": NETWORK.replace("return self.head(", "return x, self.head(")}, "returns a tuple"),
    "classes": ({}, {"model.py": NETWORK.replace("Linear(8, classes)", "Linear(8, 4)")}, "returns (3, 4) for 3 images"),
    "layer": ({"prunable": '["body.0", "body.33"]'}, {}, "the network has no layer 'body.33'"),
    "one-dimensional": ({"network": "signals.py:build", "prunable": '["conv1"]'},
                        {"signals.py": SIGNALS.replace(".squeeze(2)", "")}, "begin forward with x = x.squeeze(2)"),
    "label": ({}, {"data.py": LOAD.replace("% 3", "% 4")}, "image 3 of train: its label 3 is not one of the track's 3"),
    "loader raises": ({}, {"data.py": LOAD.replace("np.zeros(", "np.zeross(")}, "load raises AttributeError"),
    "loader of nothing": ({}, {"data.py": "def load():\n    pass\n"}, "load returns a NoneType"),
    "both": ({"data": 'data.py:load"\ndataset = "digits'}, {}, "data or dataset, which mean the same"),
    "arguments": ({}, {"data.py": "def load(folder):\n    pass\n"}, "missing 1 required positional argument: 'folder'"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_ends_with_two_lines_and_before_anything_trains(prunemark, tmp_path, home, mistake):
    parts, files, words = MISTAKES[mistake]
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    track = write_track(tmp_path, **parts)
    code, _, said = prunemark("submit", "L1-norm", "--track", track, "--seeds", "1", "--home", home)
    assert code == 2 and words in said, said
    assert len(said.strip().splitlines()) <= 3 and "Traceback" not in said
    assert not list((home / "store").glob("*/*/momentum.safetensors"))


def test_signals_are_not_moved_up_and_down(prunemark, tmp_path, home):
    signals(tmp_path)
    track = write_track(tmp_path, network="signals.py:build", data="signals.npz", prunable='["conv1"]')
    track.write_text(track.read_text().replace("batch_size = 16", 'batch_size = 16\naugmentation = "shift1"', 1))
    code, _, said = prunemark("submit", "L1-norm", "--track", track, "--seeds", "1", "--home", home)
    assert code == 2 and "has signals, of height 1, and pretraining moves images up and down" in said


def test_own_parts_is_no_field_of_a_file(prunemark, tmp_path):
    track = write_track(tmp_path)
    track.write_text(track.read_text().replace("classes = 3", 'classes = 3\nown = { folder = "/" }'))
    code, _, said = prunemark("tracks", "show", track)
    assert code == 2 and "a track has no own" in said


SECRETS = """
from pathlib import Path
import numpy as np


def load():
    said = []
    for path in {paths!r}:
        try:
            said.append(Path(path).read_text())
        except OSError as problem:
            said.append(type(problem).__name__)
    try:
        Path("written").write_text("x")
    except OSError as problem:
        said.append(type(problem).__name__)
    raise ValueError(" ".join(said), Path("visible.txt").read_text(), sorted(p.name for p in Path(".").iterdir()))
"""


@needs_landlock
def test_a_loader_reads_its_folder_and_nothing_hidden_or_elsewhere(prunemark, tmp_path, home):
    (mine := tmp_path / "mine").mkdir()
    for name in ("mine/.token", "elsewhere", "mine/visible.txt"):
        (tmp_path / name).write_text("SEEN" if "visible" in name else "SECRET")
    paths = [str(tmp_path / "mine" / ".token"), str(tmp_path / "elsewhere"), "/etc/passwd"]
    (mine / "data.py").write_text(SECRETS.format(paths=paths))
    code, _, said = prunemark("tracks", "check", write_track(mine), "--home", home, "--format", "json")
    printed = said + _
    assert code == 1 and "SECRET" not in printed
    assert (
        "PermissionError PermissionError PermissionError PermissionError', 'SEEN'" in printed
        and "visible.txt" in printed
    )


@needs_landlock
def test_a_network_reads_no_secret_of_its_users(prunemark, tmp_path, home, monkeypatch):
    monkeypatch.setenv("AWS_SECRET", "SECRET")
    (tmp_path / "secret").write_text("SECRET")
    spy = (
        "import os\nfrom pathlib import Path\nSAID = str(os.environ.get('AWS_SECRET'))\n"
        f"try:\n    SAID += Path({str(tmp_path / 'secret')!r}).read_text()\nexcept OSError as problem:\n"
        "    SAID += type(problem).__name__\nraise ValueError(SAID)\n"
    )
    (tmp_path / "model.py").write_text(spy + NETWORK)
    code, _, said = prunemark("submit", "L1-norm", "--track", write_track(tmp_path), "--seeds", "1", "--home", home)
    assert code == 2 and "raises ValueError: NonePermissionError" in said and os.environ["AWS_SECRET"] not in said
