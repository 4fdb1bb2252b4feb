"""A home and a board of every released version: opened, verified, read and extended by the code of today.

`tests/fixtures/home-VERSION.tar.xz` was made by that version's own code on one machine: examples/geometric_median.py on
digits-resnet8 at 90 %, seed 0, with its controls, and `--contribute board`. MLflow's files, the page, the locks and the
dense reference's final weights were taken out, to keep it small. A version that is released gets its file here too.
"""

import csv
import io
import json
import lzma
import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file

from prunemark.benchmark.compression.surgery import rebuild
from prunemark.benchmark.networks.registry import ImageShape
from prunemark.benchmark.networks.weights import weights_sha256
from prunemark.benchmark.run.export import find_weights
from prunemark.benchmark.run.home import Home
from prunemark.benchmark.run.home_gc import removable
from prunemark.benchmark.run.home_parts import parts_of
from prunemark.benchmark.trial.packing import base_of, read_weights
from prunemark.benchmark.trial.pruned import counts_of, read_decision
from prunemark.records.record import load_file as load_record
from prunemark.setups.track_files import find_track

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
VERSIONS = ["0.1.0", "0.2.0"]
METHODS = {"GeometricMedian", "L1-norm", "Random", "Scratch", "Dense"}
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module", params=VERSIONS)
def as_it_was(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("old")
    with lzma.open(FIXTURES / f"home-{request.param}.tar.xz") as file, tarfile.open(fileobj=file) as packed:
        packed.extractall(place, filter="data")
    return place


@pytest.fixture
def old(as_it_was: Path, tmp_path: Path) -> Path:
    shutil.copytree(as_it_was, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def command(prunemark: Command) -> Command:
    return prunemark


def test_every_released_version_has_its_home() -> None:
    released = re.findall(r"^## ([\d.]+) - \d{4}-", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert sorted(released) == VERSIONS == sorted(p.name[5:-7] for p in FIXTURES.glob("home-*.tar.xz"))
    assert all(path.stat().st_size < 300_000 for path in FIXTURES.iterdir())


def test_home_and_board_are_whole(old: Path, command: Command) -> None:
    code, out, err = command("home", "verify", "--home", old / "home", "--format", "json")
    rows = {row["what"]: row for row in json.loads(out)}
    assert (code, err) == (0, "") and not any(row["damaged"] for row in rows.values())
    assert {name: rows[name]["whole"] for name in ("results", "records", "pruning stages", "base models")} == {
        "results": 5, "records": 5, "pruning stages": 3, "base models": 1,
    }  # fmt: skip
    code, out, _ = command("verify", old / "board", "--format", "json")
    parts = {row["part"]: row["sound"] for row in json.loads(out)}
    assert code == 0 and (parts["records"], parts["methods"], parts["decisions"]) == (5, 3, 3)


@pytest.mark.parametrize("place", ["home", "board"])
def test_its_records_are_read(old: Path, command: Command, place: str) -> None:
    code, out, err = command("leaderboard", "--records", old / place, "--format", "csv")
    assert code == 0 and {row["method"] for row in csv.DictReader(io.StringIO(out))} == METHODS, err


def test_its_pruning_stages_and_models_are_read(old: Path) -> None:
    """They hold every tensor whole, and masks as bytes."""
    home = Home(old / "home")
    track, shape = find_track("digits-resnet8"), ImageShape(1, 8, 8, 10)
    stages = [part.path for part in parts_of(home) if part.kind == "pruning stages"]
    for stage in stages:
        weights, decision = read_weights(stage), read_decision(stage)
        assert base_of(stage) is None and weights_sha256(weights) == weights_sha256(
            load_file(stage / "weights.safetensors")
        )
        rebuild(track, shape, weights, decision, 0)
        assert counts_of(decision) == {"blocks.0.conv1": 1, "blocks.1.conv1": 2, "blocks.2.conv1": 3}
    records = [load_record(path) for path in home.records.glob("*.json")]
    kept = [record for record in records if record.outcome.method.kind != "dense"]
    assert len(stages) == 3 and len(kept) == 4
    for record in kept:
        assert weights_sha256(find_weights(record, home.store)) == record.outcome.weights_sha256


def test_nothing_of_it_is_taken_for_rubbish(old: Path) -> None:
    found = removable(Home(old / "home"), 4e9)  # in the year 2096
    assert found == []
    assert {removal.what for removal in removable(Home(old / "home"), 4e9, weights=True)} == {
        "weights of pruning stages with a result", "weights of retrained models with a result",
    }  # fmt: skip


def test_a_submission_to_it_is_planned(old: Path, command: Command) -> None:
    method = f"{ROOT / 'examples' / 'geometric_median.py'}:GeometricMedian"
    words = ("--track", "digits-resnet8", "--level", "90%", "--home", old / "home", "--dry-run", "--format", "json")
    code, out, err = command("submit", method, *words, "--seeds", "2")
    rows = json.loads(out)
    assert (code, len(rows)) == (0, 10), err
    assert {row["stored"] for row in rows if row["seed"] == 1} == {"no"}


@pytest.mark.slow
def test_it_is_extended_and_so_is_its_board(old: Path, command: Command) -> None:
    words = ("--track", "digits-resnet8", "--level", "90%", "--home", old / "home", "--contribute", old / "board")
    before = {path.name for path in (old / "home" / "records").iterdir()}
    code, _, err = command("submit", "L2-norm", *words, "--seeds", "1,")
    assert code == 0, err
    assert before < {path.name for path in (old / "home" / "records").iterdir()}
    assert command("home", "verify", "--home", old / "home")[0] == 0
    code, out, _ = command("verify", old / "board", "--format", "json")
    assert code == 0 and {row["part"]: row["sound"] for row in json.loads(out)}["records"] == 10
    code, out, _ = command("leaderboard", "--records", old / "board", "--format", "csv")
    rows = [row["method"].partition(" (source ")[0] for row in csv.DictReader(io.StringIO(out))]
    assert code == 0 and sorted(rows) == sorted([*METHODS, "L2-norm", "L1-norm"]), "L1-norm has another recipe since"
    code, _, err = command("submit", "L2-norm", *words, "--seeds", "1,")
    assert code == 0 and "nothing to run" in err
