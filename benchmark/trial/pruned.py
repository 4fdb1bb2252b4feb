"""The network that goes into retraining, rebuilt by the harness: a method's decision, or a reference.

No submitted code is loaded here, only what it left: a decision and weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from prunemark.benchmark.compression import sparsity, surgery
from prunemark.benchmark.compression.budget_solver import TargetMissed, allowed_macs, uniform_counts
from prunemark.benchmark.method import Decision
from prunemark.benchmark.networks import cost
from prunemark.benchmark.networks.registry import ImageShape, build_network, redraw
from prunemark.benchmark.training.seeds import derive_seed
from prunemark.benchmark.trial.keys import DECISION
from prunemark.benchmark.trial.packing import WEIGHTS, read_masks
from prunemark.benchmark.trial.trial import Trial
from prunemark.records.outcome import Compression, MeteredStage

MASKS, STAGE = "masks.safetensors", "stage.json"
LOADED = "loaded.json"


@dataclass(frozen=True)
class Pruned:
    """A pruned model ready to be retrained, with what was decided and what deciding cost."""

    model: nn.Module
    masks: dict[str, torch.Tensor]
    decision: Decision
    stage: MeteredStage | None


def read_decision(folder: Path) -> Decision:
    """A decision as the pruning stage left it."""
    data = json.loads((folder / DECISION).read_text())
    kept = {name: torch.tensor(indices, dtype=torch.int64) for name, indices in data["kept"].items()}
    masks = {name: torch.from_numpy(mask) for name, mask in read_masks(folder / MASKS).items()}
    return Decision(kept, masks, data["allocation"])


def pruned_model(trial: Trial, folder: Path, weights: Mapping[str, torch.Tensor], shape: ImageShape) -> Pruned:
    """The network to retrain, rebuilt by the harness from what the pruning stage left. No submitted code."""
    decision = read_decision(folder)
    model = surgery.rebuild(trial.track, shape, weights, decision, 0)
    stage = json.loads((folder / STAGE).read_text())
    return Pruned(model, _parameter_masks(decision), decision, MeteredStage(**stage | {"lr": tuple(stage["lr"])}))


def check_finite(state: Mapping[str, torch.Tensor]) -> None:
    """Raises ValueError for weights that are not numbers: a method whose training diverged has no result."""
    for name, tensor in state.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise ValueError(f"the pruning stage left weights that are not finite, in {name}")


def check_target(
    trial: Trial,
    decision: Decision,
    shape: ImageShape,
    given_counts: dict[str, int] | None,
    small: nn.Module | None = None,
) -> None:
    """A decision may be made by hand: the target holds for it all the same, or the counts that a control was given.

    Where the network that is left is given, it is counted anew. Raises TargetMissed with what was asked for and what
    was reached.
    """
    track, level = trial.track, trial.level
    if track.n_of_m is not None:
        sparsity.check_pattern(decision.masks, track.n_of_m)
    if given_counts is not None:
        if (counts := counts_of(decision)) != given_counts:
            raise TargetMissed(f"the layer ratios of another method were given, {given_counts}; kept are {counts}")
        return
    model = build_network(track.network, shape, 0)
    if track.granularity == "weight":
        total = sum(layer_weight(model, name).numel() for name in track.prunable)
        reached = sum(int((~mask).sum()) for mask in decision.masks.values()) / total
        if abs(reached - level.ratio) > 1 / total:
            raise TargetMissed(f"a sparsity of {level.ratio:.4f} was asked for; the decision has {reached:.4f}")
        return
    dense = surgery.cost_model(model, track, shape)
    kept = dense.sizes | {name: len(indices) for name, indices in decision.kept.items()}
    assert level.speedup is not None
    macs = dense.macs(kept)
    if small is not None and (counted := cost.count(small, shape).macs) != macs:
        raise TargetMissed(f"cut, the network has {counted:,} MACs; by its dense layers it should have {macs:,}")
    least, most = allowed_macs(dense.dense_macs / level.speedup, track.tolerance)
    if not least <= macs <= most:
        raise TargetMissed(
            f"a speed-up of {level.speedup:.3f}x was asked for, within {100 * track.tolerance:g} %; "
            f"the decision reaches {dense.dense_macs / macs:.3f}x"
        )


def counts_of(decision: Decision) -> dict[str, int]:
    """Filters or weights kept in each layer that the decision touches."""
    filters = {name: len(indices) for name, indices in decision.kept.items()}
    return filters | {name: int(mask.sum()) for name, mask in decision.masks.items()}


def dense_model(trial: Trial, base: Path, shape: ImageShape) -> Pruned:
    """The base model with nothing removed, to be retrained like the pruned ones: the dense reference."""
    model = build_network(trial.track.network, shape, 0)
    model.load_state_dict(load_file(base / WEIGHTS))
    return Pruned(model, {}, Decision({}, {}, "none"), MeteredStage(0, (), 0, 0, 0))


def scratch_model(trial: Trial, given_counts: dict[str, int] | None, shape: ImageShape) -> Pruned:
    """The pruned architecture with new random weights, drawn for the small shapes.

    Of a network of the track's author they are drawn for the dense shapes, and cut.

    For weights the mask is drawn too: as many weights per layer as the submission kept, at random.
    """
    track, seed = trial.track, derive_seed(trial.seed, "scratch")
    model = build_network(track.network, shape, seed)
    counts = given_counts if given_counts is not None else _uniform_counts(trial, model, shape)
    if track.of_filters:
        kept = surgery.first_filters(model, counts, shape)
        model = surgery.cut(model, kept, shape)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            redraw(track.network, model)
        return Pruned(model, {}, Decision(kept, {}, "given"), None)
    masks = _random_masks(model, counts, track.n_of_m, torch.Generator().manual_seed(derive_seed(seed, "mask")))
    with torch.no_grad():
        for name, mask in masks.items():
            layer_weight(model, name).mul_(mask)
    decision = Decision({}, masks, "given")
    return Pruned(model, _parameter_masks(decision), decision, None)


def _random_masks(
    model: nn.Module, counts: dict[str, int], pattern: tuple[int, int] | None, generator: torch.Generator
) -> dict[str, torch.Tensor]:
    """So many weights of each layer, drawn at random; on an N:M track so many of each group."""
    shapes = {name: layer_weight(model, name).shape for name in counts}
    if pattern is not None:
        draws = {name: torch.rand(shape, generator=generator) for name, shape in shapes.items()}
        return sparsity.choose_pattern(draws, pattern, 1.0, "uniform")
    masks = {}
    for name, count in counts.items():
        mask = torch.zeros(shapes[name].numel(), dtype=torch.bool)
        mask[torch.randperm(len(mask), generator=generator)[:count]] = True
        masks[name] = mask.reshape(shapes[name])
    return masks


def _uniform_counts(trial: Trial, model: nn.Module, shape: ImageShape) -> dict[str, int]:
    """The layer ratios of the level itself, for when the submission has made no decision."""
    if trial.track.granularity == "block":
        sizes = surgery.sizes_of(model, trial.track, shape)
        return {n: uniform_counts({n: s}, trial.level.ratio_of(n), least=0)[n] for n, s in sizes.items()}
    groups = surgery.prunable_groups(model, trial.track, shape)
    steps = {group.name: group.steps for group in groups if group.steps is not None}
    return {g.name: uniform_counts({g.name: g.size}, trial.level.ratio_of(g.name), None, steps)[g.name] for g in groups}


def _parameter_masks(decision: Decision) -> dict[str, torch.Tensor]:
    return {f"{name}.weight": mask for name, mask in decision.masks.items()}


def measure_compression(trial: Trial, pruned: Pruned, shape: ImageShape) -> Compression:
    """What the decision reached, counted on the rebuilt network itself."""
    track = trial.track
    dense = build_network(track.network, shape, 0)
    dense_cost, cost_now = cost.count(dense, shape), cost.count(pruned.model, shape)
    filters = track.of_filters
    if track.granularity == "block":
        total = surgery.sizes_of(dense, track, shape)
        kept = total | counts_of(pruned.decision)
    else:
        before, after = ({n: layer_weight(m, n) for n in track.prunable} for m in (dense, pruned.model))
        total, kept = ({n: len(w) if filters else w.numel() for n, w in of.items()} for of in (before, after))
        kept |= {name: int(mask.sum()) for name, mask in pruned.decision.masks.items()}
    return Compression(
        target_speedup=trial.level.speedup if filters else None,
        target_sparsity=None if filters else trial.level.ratio,
        speedup_macs=dense_cost.macs / cost_now.macs,
        sparsity=0.0 if filters else 1 - sum(kept.values()) / sum(total.values()),
        dense_macs=dense_cost.macs, macs=cost_now.macs,
        dense_params=dense_cost.params,
        params=cost_now.params - (0 if filters else sum(total.values()) - sum(kept.values())),
        allocation=pruned.decision.allocation, kept=kept, total=total,
    )  # fmt: skip


def layer_weight(model: nn.Module, layer: str) -> torch.Tensor:
    """The weight of a layer by its name."""
    weight = model.get_submodule(layer).weight
    assert isinstance(weight, torch.Tensor)
    return weight


def read_stage(folder: Path) -> MeteredStage:
    """The meter's reading that a stage left."""
    data = json.loads((folder / STAGE).read_text())
    return MeteredStage(**data | {"lr": tuple(data["lr"])})
