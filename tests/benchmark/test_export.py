"""What leaves the benchmark computes what was evaluated: the weights, the program, ONNX where it is installed."""

from __future__ import annotations

import copy
import dataclasses
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from onnx.reference import ReferenceEvaluator
from safetensors.torch import load_file
from typer.testing import CliRunner

from prunemark.benchmark.images.data import load_split, prepare
from prunemark.benchmark.run import export as exporting
from prunemark.benchmark.run.export import export, load_exported
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.training.loop import accuracy_percent, correctness
from prunemark.benchmark.trial.pipeline import run_trial
from prunemark.benchmark.trial.plan import Request, make_trials
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Entrant
from prunemark.cli.export import export_model
from prunemark.records.record import Record, dump
from prunemark.setups.comparison import SETUPS
from prunemark.setups.errors import InputError, WorkFailed
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.track_files import find_track

SUBMISSIONS = Path(__file__).parents[1] / "submissions" / "samples.py"
SHORT = Recipe(lr=parse_schedule("0:1e-1,1:1e-2", 2), augmentation="shift1")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("home") / "store")


def run(name: str, like: str, level: str, store: Store) -> Record:
    track = dataclasses.replace(find_track(like), pretraining=SHORT, pruning=SHORT, retraining=SHORT)
    _, source = locate(f"{SUBMISSIONS}:{name}")
    method = Entrant(name, "pruned", "submission", source, (), track.granularity)
    trial = make_trials(Request(track, SETUPS["S3.2"], [track.level(level)], [0]), method)[0]
    return run_trial(trial, store, lambda stage, point: None)


@pytest.fixture(scope="module")
def record(store: Store) -> Record:
    made = run("Fine", "digits-resnet8", "90%", store)
    assert made.outcome.status == "ok"
    return made


def test_the_exported_model_has_the_accuracy_of_the_record(record: Record, store: Store, tmp_path: Path) -> None:
    written = export(record, store, tmp_path / "out")
    assert [path.name for path in written] == ["model.safetensors", "decision.json", "model.pt2"]
    prepare("digits", tmp_path)
    data = load_split("digits", tmp_path, "test", torch.device("cpu"))
    model = load_exported(tmp_path / "out")
    assert record.outcome.accuracy is not None
    correct = correctness(model, data)
    assert accuracy_percent(correct) == record.outcome.accuracy.test_percent
    assert correct.numpy().tolist() == record.outcome.accuracy.correctness().tolist()
    assert type(model).__module__ == "prunemark.benchmark.networks.architectures" and not model.training
    program = torch.export.load(tmp_path / "out" / "model.pt2").module()
    with torch.no_grad():
        assert torch.allclose(program(data.images), model(data.images), rtol=1e-5, atol=1e-5)
    about = json.loads((tmp_path / "out" / "decision.json").read_text())
    assert about["filters_kept"] == {"blocks.0.conv1": 1, "blocks.1.conv1": 2, "blocks.2.conv1": 3}
    assert about["record_sha256"] == record.record_sha256 and about["mean"] == [0.3053]


def test_masked_weights_stay_masked(store: Store, tmp_path: Path) -> None:
    made = run("FineWeights", "digits-resnet8-weights", "90%", store)
    export(made, store, tmp_path, ("safetensors",))
    assert made.outcome.compression is not None
    weights = load_file(tmp_path / "model.safetensors")
    zeros = sum(int((weights[f"{name}.weight"] == 0).sum()) for name in made.outcome.compression.kept)
    total = sum(weights[f"{name}.weight"].numel() for name in made.outcome.compression.kept)
    assert zeros >= 0.9 * total - 1


def test_it_is_loaded_without_the_training_code(record: Record, store: Store, tmp_path: Path) -> None:
    export(record, store, tmp_path)
    code = (
        "import sys\nfrom prunemark.benchmark.run.export import load_exported\n"
        f"load_exported({str(tmp_path)!r})\n"
        "bad = {'prunemark.benchmark.training.loop', 'prunemark.benchmark.trial.pipeline', 'mlflow', 'sklearn'}\n"
        "bad &= set(sys.modules)\n"
        f"import torch\ntorch.export.load({str(tmp_path / 'model.pt2')!r})\nprint(sorted(bad))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


WRITERS = {"safetensors": (exporting, "save_file"), "program": (torch.export, "export"), "onnx": (torch.onnx, "export")}


@pytest.mark.parametrize("form", WRITERS)
def test_what_does_not_compute_the_same_is_not_handed_out(
    form: str, record: Record, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is written of a damaged copy of the model, whichever form it has: that form's own check finds it."""
    place, name = WRITERS[form]
    honest = getattr(place, name)

    def of_a_damaged_copy(model: Any, *how: Any, **named: Any) -> Any:
        damaged = copy.deepcopy(model)
        tensors = damaged if isinstance(damaged, dict) else dict(damaged.named_parameters())
        with torch.no_grad():
            next(iter(tensors.values())).add_(0.1)
        return honest(damaged, *how, **named)

    file = {"safetensors": "model.safetensors", "program": "model.pt2", "onnx": "model.onnx"}[form]
    monkeypatch.setattr(place, name, of_a_damaged_copy)
    with pytest.raises(WorkFailed, match=f"{file} does not compute what was evaluated: it is not to be used"):
        export(record, store, tmp_path, (form,))


def test_what_cannot_leave_is_said(record: Record, store: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown form 'tflite'. Valid: safetensors, program, onnx"):
        export(record, store, tmp_path, ("tflite",))
    failed = dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, status="timeout"))
    with pytest.raises(InputError, match="the record of Fine has no model: its status is timeout"):
        export(failed, store, tmp_path)
    with pytest.raises(InputError, match="does not have the weights of this record"):
        export(record, Store(tmp_path), tmp_path)
    with pytest.raises(InputError, match="has no exported model: .*decision.json is missing"):
        load_exported(tmp_path)
    export(record, store, tmp_path / "whole", ("safetensors",))
    about = tmp_path / "whole" / "decision.json"
    about.write_text(about.read_text().replace('"blocks.0.conv1": 1', '"blocks.0.conv1": 2'))
    with pytest.raises(InputError, match="do not make a model"):
        load_exported(tmp_path / "whole")


FORKED = """
import os, sys
from pathlib import Path
import torch
from prunemark.benchmark.run.export import export
from prunemark.records.record import load_file
from prunemark.benchmark.trial.store import Store

record, store, out = map(Path, sys.argv[1:])
export(load_file(record), Store(store), out, ("program",))
for here in ("in this process", "in one that is forked"):
    if here != "in this process" and (child := os.fork()):
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    torch.ones(1, requires_grad=True).sum().backward()
"""


def test_processes_that_are_forked_after_an_export_can_train(record: Record, store: Store, tmp_path: Path) -> None:
    path = tmp_path / f"{record.record_sha256}.json"
    path.write_text(dump(record))
    words = [sys.executable, "-W", "ignore", "-c", FORKED, path, store.root, tmp_path / "out"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_onnx_computes_what_the_exported_model_does(record: Record, store: Store, tmp_path: Path) -> None:
    """By the reference that comes with onnx, on test images and in batches of another size than it was written with."""
    written = export(record, store, tmp_path / "out", ("safetensors", "onnx"))
    assert [path.name for path in written] == ["model.safetensors", "decision.json", "model.onnx"]
    prepare("digits", tmp_path)
    images = load_split("digits", tmp_path, "test", torch.device("cpu")).images[:7]
    model = load_exported(tmp_path / "out")
    session = ReferenceEvaluator(str(tmp_path / "out" / "model.onnx"))
    for batch in (images, images[:1]):
        (found,) = session.run(None, {"images": batch.numpy()})
        with torch.no_grad():
            assert torch.allclose(torch.as_tensor(found), model(batch), rtol=1e-4, atol=1e-4)


def test_onnx_says_what_it_needs(record: Record, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxscript" else find(name))
    with pytest.raises(InputError, match=r"ONNX needs two more packages: pip install 'prunemark\[export\]'"):
        export(record, store, tmp_path, ("onnx",))


def test_the_command(record: Record, store: Store, tmp_path: Path) -> None:
    file = tmp_path / f"{record.record_sha256}.json"
    file.write_text(dump(record))
    app = typer.Typer()
    app.command()(export_model)
    words = [str(file), "--out", str(tmp_path / "out"), "--home", str(store.root.parent)]
    done = CliRunner().invoke(app, [*words, "--form", "safetensors"])
    assert done.exit_code == 0, done.output
    assert "each was read back and computes what was evaluated" in done.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["decision.json", "model.safetensors"]


def test_what_lacks_or_is_damaged_is_named(record: Record, store: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no exported model: decision\.json is missing"):
        load_exported(tmp_path)
    export(record, store, tmp_path, ["safetensors"])
    weights = tmp_path / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="do not make a model"):
        load_exported(tmp_path)
    weights.unlink()
    with pytest.raises(InputError, match=r"has no exported model: model\.safetensors is missing"):
        load_exported(tmp_path)


def test_a_record_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file '.*nowhere.json'. Records lie in the folder `records` of --home"):
        export_model(tmp_path / "nowhere.json", tmp_path / "out")
