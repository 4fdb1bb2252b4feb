"""The four stages. Each is a function of its inputs that writes its result into a folder of the store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from prunemark.benchmark import compression, cost, surgery
from prunemark.benchmark.context import TrialContext
from prunemark.benchmark.data import Images, load_split, pick_device, tensor_dict
from prunemark.benchmark.meter import Meter
from prunemark.benchmark.method import Decision, Target
from prunemark.benchmark.networks import ImageShape, build_network
from prunemark.benchmark.outcome import Accuracy, EpochPoint, Stage, pack_correctness
from prunemark.benchmark.plan import DECISION, Trial
from prunemark.benchmark.pruned import MASKS, STAGE, WEIGHTS, Pruned, layer_weight
from prunemark.benchmark.seeds import derive_seed
from prunemark.benchmark.submission import MethodSource, describe, load_class
from prunemark.benchmark.training import Hooks, accuracy_percent, predictions, train
from prunemark.setups.track import Track

CURVE = "curve.json"
PRUNED_FILES = (WEIGHTS, MASKS, DECISION, STAGE)
Listener = Callable[[EpochPoint], None]


def pretrain(trial: Trial, data_folder: Path, out: Path, listen: Listener | None = None) -> None:
    """Trains the dense network of this seed from random weights: the base model, shared by all methods."""
    track, device = trial.track, pick_device(trial.device)
    data = load_split(track.dataset, data_folder, "train", device)
    validation = load_split(track.dataset, data_folder, "validation", device)
    model = _placed(build_network(track.network, data.shape, derive_seed(trial.seed, "base")), device)
    meter = Meter(cost.count(model, data.shape).macs)
    curve, _ = train(
        model, data, track.pretraining, seed=trial.seed, stream="pretraining", meter=meter,
        validation=validation, hooks=Hooks(on_epoch=listen),
    )  # fmt: skip
    save_file(tensor_dict(model.state_dict()), out / WEIGHTS)
    write_json(out / STAGE, asdict(meter.stage()))
    write_json(out / CURVE, [asdict(point) for point in curve])


def prune(trial: Trial, base: Path, data_folder: Path, given: dict[str, int] | None, out: Path) -> None:
    """Runs the submitted method on the base model. The only stage that executes submitted code.

    It is called in a child process that is given the training split alone, and leaves only data in `out`.
    Raises whatever the method raises, and BudgetExceeded, TargetMissed, BadDecision, TypeError, ValueError.
    """
    track, device, competitor = trial.track, pick_device(trial.device), trial.competitor
    assert competitor.source is not None
    data = load_split(track.dataset, data_folder, "train", device)
    model = build_network(track.network, data.shape, 0)
    model.load_state_dict(load_file(base / WEIGHTS))
    context = _context(trial, model, data, given)
    torch.manual_seed(derive_seed(trial.seed, "method"))  # for methods that forget context.generator
    decision = load_class(competitor.source)(**dict(competitor.settings)).prune(model.to(device).eval(), context)
    if not isinstance(decision, Decision):
        raise TypeError(f"prune must return the Decision that context.decide makes; got {type(decision).__name__}")
    decision = _on_cpu(decision)
    surgery.rebuild(track, data.shape, tensor_dict(model.state_dict()), decision, 0)
    _check_target(trial, decision, model, data.shape)
    _write_pruned(out, tensor_dict(model.state_dict()), decision, context.meter.stage())


def _context(trial: Trial, model: nn.Module, data: Images, given: dict[str, int] | None) -> TrialContext:
    track, shape = trial.track, data.shape
    filters = track.granularity == "filter"
    groups = surgery.prunable_groups(model, track, shape)
    weights = {group.name: tuple(layer_weight(model, group.name).shape) for group in groups}
    return TrialContext(
        track=track,
        target=Target(trial.level.name, trial.level.speedup, None if filters else trial.level.ratio),
        groups=groups,
        generator=torch.Generator().manual_seed(derive_seed(trial.seed, "pruning")),
        seed=trial.seed,
        data=data,
        cost=surgery.cost_model(model, track, shape) if filters else None,
        shapes={name: shape[:1] if filters else shape for name, shape in weights.items()},
        meter=Meter(cost.count(model, shape).macs, epochs_granted=track.pruning_epochs_limit),
        given=given,
    )


def _placed(model: nn.Module, device: torch.device) -> nn.Module:
    """On its device, channels last: the layout in which small convolutions are a sixth faster on a CPU."""
    return model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _on_cpu(decision: Decision) -> Decision:
    return Decision(
        {name: torch.as_tensor(indices).detach().cpu().to(torch.int64) for name, indices in decision.kept.items()},
        {name: torch.as_tensor(mask).detach().cpu().contiguous() for name, mask in decision.masks.items()},
        str(decision.allocation)[:40],
    )


def _check_target(trial: Trial, decision: Decision, model: nn.Module, shape: ImageShape) -> None:
    """A decision may be made by hand: the target holds for it all the same."""
    track, level = trial.track, trial.level
    if track.granularity == "weight":
        total = sum(layer_weight(model, name).numel() for name in track.prunable)
        reached = sum(int((~mask).sum()) for mask in decision.masks.values()) / total
        if abs(reached - level.ratio) > 1 / total:
            raise compression.TargetMissed(
                f"a sparsity of {level.ratio:.4f} was asked for; the decision has {reached:.4f}"
            )
        return
    dense = surgery.cost_model(model, track, shape)
    kept = dense.sizes | {name: len(indices) for name, indices in decision.kept.items()}
    assert level.speedup is not None
    speedup = dense.dense_macs / dense.macs(kept)
    if abs(speedup / level.speedup - 1) > track.tolerance and "given" not in decision.allocation:
        raise compression.TargetMissed(
            f"a speed-up of {level.speedup:.3f}x was asked for, within {100 * track.tolerance:g} %; "
            f"the decision reaches {speedup:.3f}x"
        )


def _write_pruned(out: Path, weights: dict[str, torch.Tensor], decision: Decision, stage: Stage) -> None:
    save_file(weights, out / WEIGHTS)
    save_file({name: mask.to(torch.uint8) for name, mask in decision.masks.items()}, out / MASKS)
    kept = {name: sorted(indices.tolist()) for name, indices in decision.kept.items()}
    counts = {n: len(i) for n, i in kept.items()} | {n: int(m.sum()) for n, m in decision.masks.items()}
    write_json(out / DECISION, {"kept": kept, "counts": counts, "allocation": decision.allocation})
    write_json(out / STAGE, asdict(stage))


def retrain(trial: Trial, pruned: Pruned, data_folder: Path, out: Path, listen: Listener | None = None) -> None:
    """Trains the pruned model by the setup's recipe. Seed s gives every method the same data order."""
    track, device = trial.track, pick_device(trial.device)
    data = load_split(track.dataset, data_folder, "train", device)
    validation = load_split(track.dataset, data_folder, "validation", device)
    model = _placed(pruned.model, device)
    meter = Meter(cost.count(model, data.shape).macs)
    masks = {name: mask.to(device) for name, mask in pruned.masks.items()}
    curve, _ = train(
        model, data, trial.recipe, seed=trial.seed, stream="retraining", meter=meter,
        validation=validation, hooks=Hooks(on_epoch=listen, masks=masks),
    )  # fmt: skip
    save_file(tensor_dict(model.state_dict()), out / WEIGHTS)
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
    """The result of record: the last epoch. The best validation epoch is reported beside it, never used."""
    validation = [point.validation_accuracy_percent for point in curve]
    correct = result.correct
    return Accuracy(
        accuracy_percent(correct),
        len(correct),
        pack_correctness(correct.numpy()),
        validation[-1],
        max(validation),
    )


def weights_sha256(state: Mapping[str, torch.Tensor]) -> str:
    """The content hash of a model: names, shapes, types and bytes of every tensor."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def folder_sha256(folder: Path) -> str:
    """The content hash of all tensors that a folder's safetensors files hold."""
    files = sorted(folder.glob("*.safetensors"))
    return hashlib.sha256("".join(weights_sha256(load_file(file)) for file in files).encode()).hexdigest()


def describe_method(source: MethodSource, name: str, out: Path) -> None:
    """Writes what a method's class declares. Executes the method's file: for child processes only."""
    write_json(out / "description.json", asdict(describe(source, name)))


def write_json(path: Path, data: object) -> None:
    """Plain JSON with real numbers; raises ValueError for NaN."""
    path.write_text(json.dumps(data, allow_nan=False))


def read_curve(folder: Path) -> list[EpochPoint]:
    """The curve that a training stage left."""
    return [EpochPoint(**point) for point in json.loads((folder / CURVE).read_text())]
