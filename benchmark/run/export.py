"""A final model leaves the benchmark: weights with their decision, a torch.export program, ONNX.

What was evaluated is what leaves: the weights are found by the hash on the record, and every form that is written is
read back and compared with the evaluated network on images of noise. `load_exported` needs neither the training code
nor the data.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from prunemark.benchmark.images.datasets import dataset_of
from prunemark.benchmark.networks.own_modules import ABOUT, files_of, is_kept
from prunemark.benchmark.networks.registry import ImageShape
from prunemark.benchmark.networks.weights import weights_sha256
from prunemark.benchmark.run.timing import built, image_shape
from prunemark.benchmark.trial.own_code import OWN_NAME, kept_by_name
from prunemark.benchmark.trial.packing import WEIGHTS as STORED
from prunemark.benchmark.trial.packing import DoesNotFit, Weights, read_weights, shapes_of
from prunemark.benchmark.trial.store import Store
from prunemark.records.outcome import Outcome
from prunemark.records.record import Record
from prunemark.records.timing import architecture_of, filters_kept
from prunemark.setups.bounded_files import read_bounded
from prunemark.setups.errors import InputError, WorkFailed

FORMS = ("safetensors", "program", "onnx")
WEIGHTS, DECISION, PROGRAM, ONNX = "model.safetensors", "decision.json", "model.pt2", "model.onnx"
TOLERANCE = 1e-4
EXPORTED = {"network", "shape", "filters_kept"}
LARGEST_DECISION = 2**26  # bytes


def export(record: Record, store: Store, out: Path, forms: Sequence[str] = ("safetensors", "program")) -> list[Path]:
    """Writes the record's final model into the folder `out`, in these forms; returns what was written.

    `safetensors` is the weights and a decision.json that says how to build the network for them; `program` what
    torch.export.load reads without Prunemark; `onnx` needs the packages onnx and onnxscript. Batches may have any
    size. Raises InputError for a record without a model or an unknown form, WorkFailed when a form cannot be made,
    or does not compute what was evaluated.
    """
    if unknown := [form for form in forms if form not in FORMS]:
        raise InputError(f"unknown form {unknown[0]!r}. Valid: {', '.join(FORMS)}")
    about = describe(record)
    state = find_weights(record, store)
    _check_replaceable(out)
    out.mkdir(parents=True, exist_ok=True)
    _hand_on_code(about, store, out)
    model = _built(about, state, out)
    images = _noise(about)
    _begin_autograd()
    written = []
    for form in FORMS:
        if form in forms:
            written += _WRITERS[form](model, images, out, about)
    return written + [out / ABOUT] * is_kept(kept_by_name(store, about["network"]) or "")


def _hand_on_code(about: dict[str, Any], store: Store, out: Path) -> None:
    """Lays the code of a network of the track's author next to its weights. Raises InputError where it is lost."""
    kept = kept_by_name(store, about["network"])
    if kept is None:
        raise InputError(f"the store {store.root} does not have the code of {about['network'][:80]}")
    for file in files_of(kept):
        shutil.copyfile(file, out / file.name)


def network_of(about: dict[str, Any], folder: Path) -> str:
    """What `build_network` takes for an exported network: a name, or the code that lies in the folder."""
    name, function = str(about["network"]), OWN_NAME.fullmatch(str(about["network"]))
    return name if function is None else f"{folder.absolute() / ABOUT}:{function[1]}"


def _check_replaceable(out: Path) -> None:
    """Files of an earlier export are replaced, and none of somebody else."""
    there = [name for name in (WEIGHTS, DECISION, PROGRAM, ONNX, ABOUT) if os.path.lexists(out / name)]
    if not there:
        return
    try:
        about = json.loads(read_bounded(out / DECISION, LARGEST_DECISION))
        ours = isinstance(about, dict) and about.keys() >= EXPORTED
    except (InputError, ValueError, RecursionError):
        ours = False
    if not ours:
        raise InputError(f"{out} has a {there[0]} that no export wrote with its {DECISION}. Give --out another folder")


def load_exported(folder: str | Path) -> nn.Module:
    """The final model as a plain PyTorch module in evaluation mode, from what `export` wrote.

    It takes normalised images (batch, channels, height, width): decision.json has the mean and deviation. A network of
    the track's author is built by its code, which lies in own.json of the folder and is run in this process. Raises
    InputError when the files are missing or do not fit each other.
    """
    try:
        about = json.loads((Path(folder) / DECISION).read_text(encoding="utf-8"))
        return _built(about, load_file(Path(folder) / WEIGHTS), Path(folder))
    except FileNotFoundError:
        missing = next((name for name in (DECISION, WEIGHTS) if not (Path(folder) / name).is_file()), "a file")
        raise InputError(f"{folder} has no exported model: {missing} is missing") from None
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as problem:
        raise InputError(f"the files in {folder} do not make a model: {problem}".splitlines()[0]) from None


def describe(record: Record) -> dict[str, Any]:
    """All that it takes to build the network again, and to feed it. Raises InputError for a record without a model."""
    outcome = record.outcome
    if outcome.status != "ok" or outcome.compression is None or outcome.accuracy is None:
        raise InputError(f"the record of {outcome.method.name} has no model: its status is {outcome.status}")
    architecture = architecture_of(outcome)
    assert architecture is not None
    shape, (mean, sd) = image_shape(architecture), _mean_and_sd(outcome)
    return {
        "network": architecture.network, "shape": asdict(shape), "mean": mean, "sd": sd,
        "filters_kept": filters_kept(outcome.compression), "weights_sha256": outcome.weights_sha256,
        "record_sha256": record.record_sha256, "track": outcome.track, "level": outcome.level, "setup": outcome.setup,
        "method": outcome.method.name, "seed": outcome.seed, "test_accuracy_percent": outcome.accuracy.test_percent,
    }  # fmt: skip


def _mean_and_sd(outcome: Outcome) -> tuple[list[float], list[float]]:
    """Of the pixels from 0 to 1 (of own images of floats: of the values), by channel."""
    own = outcome.track_terms.get("own") or {}
    if "mean" in own:
        return list(own["mean"]), list(own["sd"])
    dataset = dataset_of(outcome.track_terms["dataset"])
    return list(dataset.mean), list(dataset.sd)


def find_weights(record: Record, store: Store) -> Weights:
    """The final model's weights in the store, by the content hash on the record. Raises InputError."""
    outcome = record.outcome
    for folder in chain(_candidates(record, store), _fetched(record, store)):
        with contextlib.suppress(DoesNotFit, OSError, SafetensorError, ValueError):  # of a damaged entry
            state = read_weights(folder)
            if weights_sha256(state) == outcome.weights_sha256:
                return state
    raise InputError(
        f"the store {store.root} does not have the weights of this record ({str(outcome.weights_sha256)[:12]}...).\n"
        "Give the --home in which the trial ran; where they were removed, run it in another one"
    )


def _fetched(record: Record, store: Store) -> Iterator[Path]:
    """The same, when all that other machines have made is here too."""
    if store.others:
        store.others.fetch_all(store)
        yield from _candidates(record, store)


def _candidates(record: Record, store: Store) -> Iterator[Path]:
    """Entries whose layers are as large as the record says: by their headers, without reading them."""
    compression = record.outcome.compression
    assert compression is not None
    filters = compression.target_sparsity is None
    for folder in sorted(file.parent for file in store.root.glob(f"*/*/{STORED}")):
        with contextlib.suppress(OSError, SafetensorError, ValueError):
            known = shapes_of(folder)
            if record.outcome.track_terms["granularity"] == "block":  # told apart by the hash of their weights only
                yield folder
                continue
            shapes = {name: known.get(f"{name}.weight") for name in compression.kept}
            if all(s is not None and (not filters or s[0] == compression.kept[n]) for n, s in shapes.items()):
                yield folder


def _built(about: dict[str, Any], state: dict[str, torch.Tensor], folder: Path) -> nn.Module:
    model = built(network_of(about, folder), ImageShape(**about["shape"]), about["filters_kept"], state)
    model.load_state_dict(state)
    return model


def _noise(about: dict[str, Any]) -> torch.Tensor:
    shape = ImageShape(**about["shape"])
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, shape.channels, shape.height, shape.width, generator=generator)


def _check(name: Path, model: nn.Module, images: torch.Tensor, found: torch.Tensor) -> None:
    with torch.no_grad():
        expected = model(images)
    if found.shape != expected.shape or not torch.allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE):
        raise WorkFailed(f"{name} does not compute what was evaluated: it is not to be used")


def _write_safetensors(model: nn.Module, images: torch.Tensor, out: Path, about: dict[str, Any]) -> list[Path]:
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, out / WEIGHTS)
    (out / DECISION).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    with torch.no_grad():
        _check(out / WEIGHTS, model, images, load_exported(out)(images))
    return [out / WEIGHTS, out / DECISION]


def _begin_autograd() -> None:
    """The first backward pass of a process, before torch.export.

    torch chooses the threads of autograd at a process's first backward pass. One that comes after torch.export, which
    brings devices of its own, starts some, and every process that is forked from then on fails in its own (seen with
    torch 2.14.1), as the pruning stage of a trial in this process would.
    """
    with torch.enable_grad():
        torch.ones(1, requires_grad=True).sum().backward()


def _write_program(model: nn.Module, images: torch.Tensor, out: Path, _about: dict[str, Any]) -> list[Path]:
    try:
        program = torch.export.export(model, (images,), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},))
        torch.export.save(program, out / PROGRAM)
        loaded = torch.export.load(out / PROGRAM).module()
    except Exception as problem:  # whatever torch cannot trace in a stranger's network
        raise WorkFailed(f"torch.export cannot take this network: {problem}".splitlines()[0]) from None
    with torch.no_grad():
        _check(out / PROGRAM, model, images, loaded(images))
        _check(out / PROGRAM, model, images[:1], loaded(images[:1]))
    return [out / PROGRAM]


def _write_onnx(model: nn.Module, images: torch.Tensor, out: Path, _about: dict[str, Any]) -> list[Path]:
    if any(importlib.util.find_spec(package) is None for package in ("onnx", "onnxscript")):
        raise InputError("ONNX needs two more packages: pip install 'prunemark[export]'")
    try:
        torch.onnx.export(
            model, (images,), out / ONNX, dynamo=True, external_data=False, verbose=False,
            input_names=["images"], output_names=["logits"], dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
        )  # fmt: skip
    except Exception as problem:
        raise WorkFailed(f"this network cannot be written as ONNX: {problem}".splitlines()[0]) from None
    _check(out / ONNX, model, images, _run_onnx(out / ONNX, images))
    return [out / ONNX]


def _run_onnx(file: Path, images: torch.Tensor) -> torch.Tensor:
    """By onnxruntime where it is installed, else by the slow reference that comes with onnx."""
    if importlib.util.find_spec("onnxruntime") is not None:
        session: Any = importlib.import_module("onnxruntime").InferenceSession(str(file))
    else:
        session = importlib.import_module("onnx.reference").ReferenceEvaluator(str(file))
    return torch.as_tensor(session.run(None, {"images": images.numpy()})[0])


_WRITERS = {"safetensors": _write_safetensors, "program": _write_program, "onnx": _write_onnx}
