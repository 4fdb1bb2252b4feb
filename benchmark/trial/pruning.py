"""The pruning stage in the method's own process: the only one that executes submitted code, watched by the meter."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from prunemark.benchmark.compression import surgery
from prunemark.benchmark.compression.left_weights import CUT_ALREADY
from prunemark.benchmark.images.data import Images, load_split, pick_device, tensor_dict
from prunemark.benchmark.metering.meter import Grant, Meter
from prunemark.benchmark.metering.watch import Watch, watching
from prunemark.benchmark.method import Decision, PruningMethod, Target
from prunemark.benchmark.networks import cost
from prunemark.benchmark.networks.registry import build_network
from prunemark.benchmark.sandbox.asking import Asking, Start
from prunemark.benchmark.sandbox.barriers import harness_hidden, put_up_barriers
from prunemark.benchmark.sandbox.context import TrialContext
from prunemark.benchmark.sandbox.settling import Settling, by_name
from prunemark.benchmark.sandbox.trainer import message_bytes
from prunemark.benchmark.sandbox.training import PruningTraining
from prunemark.benchmark.submission.description import SettingValue
from prunemark.benchmark.submission.load import load_class
from prunemark.benchmark.submission.locate import MethodSource
from prunemark.benchmark.training.loop import steps_per_epoch
from prunemark.benchmark.training.seeds import derive_seed
from prunemark.benchmark.trial.keys import DECISION
from prunemark.benchmark.trial.packing import WEIGHTS
from prunemark.benchmark.trial.pruned import (
    LOADED,
    MASKS,
    STAGE,
    check_finite,
    check_target,
    counts_of,
    layer_weight,
)
from prunemark.benchmark.trial.stages import write_json
from prunemark.benchmark.trial.trial import Trial
from prunemark.records.outcome import MeteredStage
from prunemark.setups.setting_values import as_declared

GIVEN, UNTRAINED = "given", "untrained"


def prune(
    trial: Trial,
    source: MethodSource,
    given_counts: dict[str, int] | None,
    out: Path,
    train_first: bool,
    pipe: Connection,
) -> None:
    """Runs the submitted method on the base model. The only stage that executes submitted code.

    Where the epochs of pruning are imposed and the method used none, it leaves only `UNTRAINED`: it is to be run again
    with `train_first`, which trains the dense model before. That is for another process, in another folder: nothing
    that the first run computed may reach it.

    It is called in a child process that is given the training split alone, in the folder `GIVEN` of `out`, and leaves
    only data in `out`. At the other end of the pipe is the trial's trainer.
    Raises whatever the method raises, and BudgetExceeded, TargetMissed, BadDecision, TypeError, ValueError.
    """
    put_up_barriers()
    track, device = trial.track, pick_device(trial.device)
    data = load_split(track.dataset, out / GIVEN, "train", device, workers=0)  # no process may be started here
    weights = load_file(out / GIVEN / WEIGHTS)
    plain = build_network(track.network, data.shape, 0)
    plain.load_state_dict(weights)
    asking = Asking(pipe, message_bytes(weights), str(plain))
    asking.note(plain, Start(0))
    model, decision, stage = run_method(
        trial,
        weights,
        data,
        given_counts,
        lambda: made(_loaded(source, out), _settings(trial, given_counts)),
        train_first=train_first,
        asking=asking,
    )
    if trial.budget.pruning_exact and stage.epochs == 0 and not train_first:  # a one-shot method
        (out / UNTRAINED).touch()
        return
    check_finite(model.state_dict())
    surgery.rebuild(track, data.shape, tensor_dict(model.state_dict()), decision, 0)
    check_target(trial, decision, data.shape, given_counts)
    if start := asking.start_of(model):
        asking.result(start)
    else:
        save_file(tensor_dict(model.state_dict()), out / WEIGHTS)
    write_decision(out, decision)
    write_json(out / STAGE, asdict(stage))


def _loaded(source: MethodSource, out: Path) -> type[PruningMethod]:
    """The method's class. How long that took is left, since it may load libraries."""
    began = time.process_time()
    found = load_class(source)
    write_json(out / LOADED, time.process_time() - began)
    return found


def made(method: type[PruningMethod], settings: Mapping[str, Any]) -> PruningMethod:
    """A method with these settings; tuples of numbers go by their text until here."""
    defaults = {field.name: field.default for field in fields(method)}  # type: ignore[arg-type]
    return method(**{name: as_declared(value, defaults.get(name)) for name, value in settings.items()})


def run_method(
    trial: Trial,
    weights: dict[str, torch.Tensor],
    data: Images,
    given_counts: dict[str, int] | None,
    make: Callable[[], PruningMethod],
    *,
    train_first: bool = False,
    hidden: bool = True,
    asking: Asking | None = None,
) -> tuple[nn.Module, Decision, MeteredStage]:
    """Calls `prune` of the method that `make` makes, metered. While `hidden`, it cannot import the harness.

    Returns the model with the weights that were left in it, what was decided, and what was metered. Raises what the
    method raises, BudgetExceeded, and TypeError for what is not a decision.
    """
    track = trial.track
    model = build_network(track.network, data.shape, 0)
    model.load_state_dict(weights)
    meter = Meter(cost.count(model, data.shape).macs, grant_of(trial, len(data)))
    torch.manual_seed(derive_seed(trial.seed, "method"))  # for methods that forget context.generator
    with watching(meter, track.pruning.batch_size) as watch:
        with watch.paused():
            context = _context(trial, model, data, given_counts, meter, watch, weights, asking)
            model = model.to(data.device)
            if train_first:
                context.train_dense(model)
        with harness_hidden() if hidden else contextlib.nullcontext():
            decision = make().prune(model.eval(), context.view())
    if meter.overdrawn or not trial.budget.pruning_exact or meter.lr:  # else it is run again, with training first
        meter.settle()
    if not isinstance(decision, Decision):
        raise TypeError(_no_decision(decision))
    left, settled = context.settling.left(model, _on_cpu(decision))
    return left, settled, meter.stage()


def _no_decision(returned: object) -> str:
    """What to return in place of this."""
    advice = "Give the scores of each group to context.decide, and return what it gives"
    if returned is None:
        advice = "End prune with `return context.decide(scores)`"
    elif isinstance(returned, nn.Module):
        advice = CUT_ALREADY
    return f"prune must return the Decision that context.decide makes; got {type(returned).__name__}.\n{advice}"


def _settings(trial: Trial, given_counts: dict[str, int] | None) -> dict[str, SettingValue]:
    """Of the entrant; a control whose method made no decision takes the level's own ratio in every layer."""
    settings = dict(trial.entrant.settings)
    if trial.submission is not None and given_counts is None and "allocation" in settings:
        settings["allocation"] = "uniform"
    return settings


def grant_of(trial: Trial, examples: int) -> Grant:
    """What the trial's budget grants its pruning stage, on a training split of so many examples."""
    budget, batch_size = trial.budget, trial.track.pruning.batch_size
    steps = steps_per_epoch(examples, batch_size)
    return Grant(
        budget.pruning_epochs, budget.scoring_epochs, steps, examples,
        exact=budget.pruning_exact, imposed_lr=budget.pruning_lr is not None,
    )  # fmt: skip


def _context(
    trial: Trial,
    model: nn.Module,
    data: Images,
    given_counts: dict[str, int] | None,
    meter: Meter,
    watch: Watch,
    base: dict[str, torch.Tensor],
    asking: Asking | None = None,
) -> TrialContext:
    track, shape = trial.track, data.shape
    filters = track.of_filters
    groups = surgery.prunable_groups(model, track, shape)
    weights = {group.name: tuple(layer_weight(model, group.name).shape) for group in groups}
    return TrialContext(
        training=PruningTraining(track, trial.budget, groups, trial.seed, data, meter),
        target=Target(trial.level.name, trial.level.speedup, None if filters else trial.level.ratio, track.n_of_m),
        generator=torch.Generator().manual_seed(derive_seed(trial.seed, "pruning")),
        cost=surgery.cost_model(model, track, shape, trial.level) if filters else None,
        shapes={name: shape[:1] if filters else shape for name, shape in weights.items()},
        watch=watch,
        settling=Settling(track, shape, groups, base),
        given_counts=given_counts,
        asking=asking,
    )


def _on_cpu(decision: Decision) -> Decision:
    """Raises TypeError for filters that are not given by their numbers."""
    decision = by_name(decision)
    for name, indices in decision.kept.items():
        if torch.as_tensor(indices).dtype in (torch.bool, torch.float32, torch.float64):
            raise TypeError(
                f"layer {name}: the filters that stay are whole numbers; got {torch.as_tensor(indices).dtype}.\n"
                "Of a mask, these are mask.nonzero().flatten()"
            )
    return Decision(
        {name: torch.as_tensor(indices).detach().cpu().to(torch.int64) for name, indices in decision.kept.items()},
        {name: torch.as_tensor(mask).detach().cpu().contiguous() for name, mask in decision.masks.items()},
        decision.allocation,
        decision.cut,
    )


def write_decision(out: Path, decision: Decision) -> None:
    """Which filters or weights stay, as data."""
    save_file({name: mask.to(torch.uint8) for name, mask in decision.masks.items()}, out / MASKS)
    write_kept(out, decision)


def write_kept(out: Path, decision: Decision) -> None:
    """The same without the masks, which the store packs."""
    kept = {name: sorted(indices.tolist()) for name, indices in decision.kept.items()}
    write_json(out / DECISION, {"kept": kept, "counts": counts_of(decision), "allocation": decision.allocation})
