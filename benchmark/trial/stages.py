"""The four stages. Each is a function of its inputs that writes its result into a folder of the store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from prunemark.benchmark.images.data import load_split, pick_device, tensor_dict
from prunemark.benchmark.metering.meter import Meter
from prunemark.benchmark.networks import cost
from prunemark.benchmark.networks.registry import build_network
from prunemark.benchmark.networks.weights import weights_sha256
from prunemark.benchmark.training.checkpoint import Checkpoint
from prunemark.benchmark.training.extras import objective_of
from prunemark.benchmark.training.loop import Hooks, accuracy_percent, placed, predictions, train
from prunemark.benchmark.training.processes import here
from prunemark.benchmark.training.seeds import derive_seed
from prunemark.benchmark.trial.diagnostics import JSV_IMAGES, mean_jsv
from prunemark.benchmark.trial.packing import WEIGHTS, write_weights
from prunemark.benchmark.trial.pruned import STAGE, Pruned, read_stage
from prunemark.benchmark.trial.trial import Trial
from prunemark.records.outcome import Accuracy, EpochPoint, MeteredStage, finite, pack_correctness
from prunemark.setups.errors import Diverged
from prunemark.setups.recipe import Recipe
from prunemark.setups.track import Track

CURVE, MOMENTUM, JSV = "curve.json", "momentum.safetensors", "jsv.json"
EpochListener = Callable[[EpochPoint], None]


def pretrain(
    trial: Trial,
    data_folder: Path,
    start: Path | None,
    start_epoch: int,
    out: Path,
    checkpoint: Checkpoint | None = None,
    listen: EpochListener | None = None,
) -> None:
    """Trains the dense network of this seed up to the epoch at which the base model is taken.

    From random weights, or on from a stored checkpoint of the same run (`start`, at `start_epoch`), with the same
    bits as without a stop. Shared by all methods. Of several processes, the first one writes.

    Raises Diverged when it gets weights that are not numbers.
    """
    track, device, recipe = trial.track, pick_device(trial.device), trial.budget.pretraining
    data = load_split(track.dataset, data_folder, "train", device)
    validation = load_split(track.dataset, data_folder, "validation", device)
    model = build_network(track.network, data.shape, derive_seed(trial.seed, "base"))
    curve, momentum, before = [], {}, None
    if start is not None:
        model.load_state_dict(load_file(start / WEIGHTS))
        momentum, curve, before = load_file(start / MOMENTUM), read_curve(start), read_stage(start)
    model = placed(model, device, track.execution)
    meter = Meter(cost.count(model, data.shape).macs)

    def heard(point: EpochPoint) -> None:
        if point.train_loss is None:
            raise Diverged(diverged(trial, point.epoch))
        if listen:
            listen(point)

    points, momentum = train(
        model, data, recipe, seed=trial.seed, stream="pretraining", meter=meter, validation=validation,
        epochs=range(start_epoch, trial.budget.base_epochs), momentum=momentum,
        start=checkpoint.start if checkpoint else None,
        hooks=Hooks(on_epoch=heard, keep=checkpoint.keep if checkpoint else None), execution=track.execution,
    )  # fmt: skip
    if not here().first:
        return
    check_base(trial, [*curve, *points], model.state_dict())
    save_file(tensor_dict(model.state_dict()), out / WEIGHTS)
    save_file(tensor_dict(momentum), out / MOMENTUM)
    write_json(out / STAGE, asdict(added(before, meter.stage())))
    write_json(out / CURVE, [asdict(point) for point in (*curve, *points)])


def diverged(trial: Trial, epoch: int) -> str:
    """What is said of a base model that has no numbers any more."""
    return (
        f"the base model of {trial.track.id}, seed {trial.seed}, diverged: it has no finite loss or weights after "
        f"epoch {epoch + 1} of {trial.budget.base_epochs}. No method was run on it: choose another seed, or a lower LR "
        "in the track"
    )


def check_base(trial: Trial, curve: Sequence[EpochPoint], weights: Mapping[str, torch.Tensor]) -> None:
    """Raises Diverged for a base model on which no method could do anything."""
    for point in curve:
        if point.train_loss is None:
            raise Diverged(diverged(trial, point.epoch))
    if any(t.is_floating_point() and not torch.isfinite(t).all() for t in weights.values()):
        raise Diverged(diverged(trial, trial.budget.base_epochs - 1))


def added(first: MeteredStage | None, second: MeteredStage) -> MeteredStage:
    """Two parts of one stage as one."""
    if first is None:
        return second
    names = [field.name for field in fields(MeteredStage)]
    return MeteredStage(**{name: getattr(first, name) + getattr(second, name) for name in names})


def retrain(
    trial: Trial,
    recipe: Recipe,
    pruned: Pruned,
    data_folder: Path,
    base: Path | None,
    out: Path,
    checkpoint: Checkpoint | None = None,
    listen: EpochListener | None = None,
) -> None:
    """Trains the pruned model by the recipe. Seed s gives every method the same data order.

    `base` is the folder of the base model, which a recipe with distillation learns from. Of several processes, the
    first one writes.
    """
    track, device = trial.track, pick_device(trial.device)
    data = load_split(track.dataset, data_folder, "train", device)
    validation = load_split(track.dataset, data_folder, "validation", device)
    model = placed(pruned.model, device, track.execution)
    meter = Meter(cost.count(model, data.shape).macs)
    masks = {name: mask.to(device) for name, mask in pruned.masks.items()}
    if here().first:
        write_json(out / JSV, finite(mean_jsv(model, validation.first(JSV_IMAGES))))
    teacher, teacher_macs = None, 0
    if recipe.distillation and base is not None:
        teacher = build_network(track.network, data.shape, 0)
        teacher.load_state_dict(load_file(base / WEIGHTS))
        teacher, teacher_macs = placed(teacher, device, track.execution), cost.count(teacher, data.shape).macs
    objective = objective_of(recipe, model, teacher, teacher_macs, meter)
    curve, _ = train(
        model, data, recipe, seed=trial.seed, stream="retraining", meter=meter, validation=validation,
        start=checkpoint.start if checkpoint else None,
        hooks=Hooks(objective=objective, on_epoch=listen, masks=masks, keep=checkpoint.keep if checkpoint else None),
        execution=track.execution,
    )  # fmt: skip
    if not here().first:
        return
    write_weights(out, tensor_dict(model.state_dict()))
    write_json(out / STAGE, asdict(meter.stage()))
    write_json(out / CURVE, [asdict(point) for point in curve])


@dataclass(frozen=True)
class TestResult:
    """Of one model on the test split: the class predicted and the true one, each (examples,)."""

    predicted: torch.Tensor
    labels: torch.Tensor

    @property
    def correct(self) -> torch.Tensor:
        """bool (examples,)."""
        return self.predicted == self.labels


def on_test_split(model: nn.Module, track: Track, data_folder: Path, device: torch.device) -> TestResult:
    """The only function that opens the test split."""
    data = load_split(track.dataset, data_folder, "test", device)
    return TestResult(predictions(model.to(device), data), data.labels.cpu())


def summarise(result: TestResult, curve: list[EpochPoint]) -> Accuracy:
    """The result of record: the last epoch. The best validation epoch is reported too, never used."""
    validation = [point.validation_accuracy_percent for point in curve]
    correct = result.correct
    return Accuracy(
        accuracy_percent(correct),
        len(correct),
        pack_correctness(correct.numpy()),
        validation[-1],
        max(validation),
    )


def folder_sha256(folder: Path) -> str:
    """The content hash of all tensors that a folder's safetensors files hold."""
    files = sorted(folder.glob("*.safetensors"))
    return hashlib.sha256("".join(weights_sha256(load_file(file)) for file in files).encode()).hexdigest()


def write_json(path: Path, data: object) -> None:
    """Plain JSON with real numbers; raises ValueError for NaN."""
    path.write_text(json.dumps(data, allow_nan=False))


def read_curve(folder: Path) -> list[EpochPoint]:
    """The curve that a training stage left."""
    return [EpochPoint(**point) for point in json.loads((folder / CURVE).read_text())]
