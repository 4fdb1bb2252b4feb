"""One trial, top to bottom: pretrain, prune, retrain, evaluate. A result is looked up before it is made."""

from __future__ import annotations

import contextlib
import copy
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from safetensors.torch import save as as_safetensors
from torch import nn

from prunemark.benchmark.images.data import load_split, pick_device
from prunemark.benchmark.metering.footprint import LARGE_BATCH, peak_memory
from prunemark.benchmark.metering.meter import FLOPS_PER_MAC, PASSES_PER_STEP
from prunemark.benchmark.networks import cost
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.benchmark.networks.weights import weights_sha256
from prunemark.benchmark.sandbox.child import ChildFailed
from prunemark.benchmark.submission.as_run import files_sha256
from prunemark.benchmark.training.checkpoint import Checkpoint, checkpoint_of, remove_those_of
from prunemark.benchmark.training.together import run_together
from prunemark.benchmark.trial import stages
from prunemark.benchmark.trial.base_model import StageListener, measured, prepare_data, pretrain
from prunemark.benchmark.trial.diagnostics import diagnose
from prunemark.benchmark.trial.keys import (
    DECISION,
    PREDICTIONS,
    RECORD,
    Given,
    Keys,
    given_to,
    read_record,
    recorded_compression,
    retrain_key,
    stage_keys,
)
from prunemark.benchmark.trial.packing import WEIGHTS, DoesNotFit, Weights, read_weights
from prunemark.benchmark.trial.preflight import check_network
from prunemark.benchmark.trial.pruned import (
    STAGE,
    Pruned,
    dense_model,
    measure_compression,
    pruned_model,
    read_stage,
    scratch_model,
)
from prunemark.benchmark.trial.pruning_stage import STAGE_FILES, read_process, run_stage, write_stage
from prunemark.benchmark.trial.report import Finished, Provenance, failed_record, ok_record
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Trial
from prunemark.records.observed import PruningProcess
from prunemark.records.outcome import MACHINE_STATUSES, EpochPoint, MeteredStage, Tried
from prunemark.records.record import Record, dump
from prunemark.setups.errors import InputError, WorkFailed
from prunemark.setups.recipe import Recipe


@dataclass
class Run:
    """A trial being run: where its inputs lie, what its stages are called, how long they took."""

    trial: Trial
    store: Store
    listen: StageListener
    given: Given | None
    keys: Keys
    predictions: dict[str, list[int]] = field(default_factory=dict)
    process: PruningProcess | None = None
    seconds: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(("pruning", "retraining", "evaluation"), 0.0)
    )

    @property
    def given_counts(self) -> dict[str, int] | None:
        """Filters (or weights) kept in each layer, of a control that is given them."""
        return self.given.counts if self.given else None

    @property
    def provenance(self) -> Provenance:
        """What the record says that this is a trial of."""
        matched_to = self.given.matched_to if self.given else None
        return Provenance(self.trial, self.keys.evaluate, stages.folder_sha256(self.data), matched_to, self.process)

    @property
    def data(self) -> Path:
        """The folder of the prepared dataset."""
        return self.store.path(self.keys.data)

    @property
    def shape(self) -> ImageShape:
        """What networks of this trial are built for."""
        return load_split(self.trial.track.dataset, self.data, "validation", torch.device("cpu")).shape

    @property
    def examples(self) -> int:
        """How many the training split has."""
        return len(load_split(self.trial.track.dataset, self.data, "train", torch.device("cpu")))

    @contextlib.contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds the block's seconds to the stage's; a stage found in the store costs next to none."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - begin


def run_trial(trial: Trial, store: Store, listen: StageListener) -> Record:
    """Runs what is not in the store yet and returns the record; of a failed trial too.

    A trial that ran out of time or memory is not stored: whoever asks for it again has it run again.

    `listen(stage, point)` hears every epoch. Submitted code runs in a child process only. Raises InputError for images
    that cannot be read and, before anything trains, a network that cannot be pruned; WorkFailed when the store
    fails or the base model cannot be trained.
    """
    _restore_decision(trial, store)
    given = given_to(trial, store)
    run = Run(trial, store, listen, given, stage_keys(trial, given))
    with store.lock(run.keys.evaluate):
        found = read_record(store, run.keys.evaluate)
        decided = trial.entrant.source and found and found.outcome.compression
        if found and (not decided or store.read_part(run.keys.prune, DECISION)):
            return found
        prepare_data(trial, run.keys, store)
        check_network(trial, store, run.shape)
        try:
            base = pretrain(trial, run.keys, store, listen)
            pruned = prune(run, base)
            record = found or evaluate(run, base, pruned, retrain(run, pruned))
        except ChildFailed as failure:
            _tell_printed(run, failure.printed)
            record = found or failed_record(run.provenance, failure, run.seconds)
        if not found and record.outcome.status not in MACHINE_STATUSES:
            with store.writing(run.keys.evaluate) as draft:
                (draft / RECORD).write_text(dump(record))
                stages.write_json(draft / PREDICTIONS, run.predictions)
        return record


def _tell_printed(run: Run, printed: str) -> None:
    """What a method printed belongs to nobody but its author: it is on no record."""
    if printed:
        run.store.tell(f"{run.trial.label} printed:\n{printed}")


def _restore_decision(trial: Trial, store: Store) -> None:
    """Before a control runs: the decision of its submission, where it is lost, is made again, with the same bits.

    Raises WorkFailed where it cannot be: with other layer ratios it would be another control.
    """
    other = trial.submission
    if other is None or other.source is None:
        return
    of_other = trial.of(other)
    keys = stage_keys(of_other)
    if store.read_part(keys.prune, DECISION):
        return
    recorded = recorded_compression(store, keys.evaluate)
    if recorded or store.was_damaged(keys.prune):
        run_trial(of_other, store, lambda stage, point: None)
        if recorded and not store.read_part(keys.prune, DECISION):
            raise WorkFailed(
                f"{trial.label} did not run: what {of_other.label} decided is lost, and could not be made again.\n"
                "Run the same command again; `prunemark home verify` says what else is damaged"
            )


def prune(run: Run, base: Path | None) -> Pruned:
    """The pruned model: from the submitted method in a child process, or made here for the references."""
    trial, store = run.trial, run.store
    if trial.entrant.kind == "scratch":
        return scratch_model(trial, run.given_counts, run.shape)
    assert base is not None
    if trial.entrant.kind == "dense":
        return dense_model(trial, base, run.shape)
    with run.timed("pruning"), store.lock(run.keys.prune):
        if (weights := _stored_weights(run, base)) is None:
            stage = run_stage(trial, base, run.data, run.given_counts, (store.root, run.keys.prune))
            weights = stage.weights
            with store.writing(run.keys.prune) as draft:
                write_stage(stage, draft, base)
            remove_those_of(store.root, run.keys.prune)
            if trial.show_output:
                _tell_printed(run, stage.printed)
    folder, source = store.path(run.keys.prune), trial.entrant.source
    run.process = read_process(folder)
    if run.process and source and trial.entrant.role == "submission":
        run.process = replace(run.process, files=files_sha256(source))
    return pruned_model(trial, folder, weights, run.shape)


def _stored_weights(run: Run, base: Path) -> Weights | None:
    """Of a stored pruning stage; None where there is none, or none that fits the base as it is now.

    `home gc --weights` leaves the decision only: what is needed again is then made again.
    """
    folder = run.store.read(run.keys.prune, *STAGE_FILES)
    if folder is None or not (folder / WEIGHTS).is_file():
        return None
    try:
        return read_weights(folder, base)
    except DoesNotFit as problem:
        run.store.discard(run.keys.prune, str(problem))
        return None


@dataclass(frozen=True)
class Retrained:
    """A final model: its recipe, the folder it lies in, and what else was tried."""

    recipe: Recipe
    folder: Path
    tuning: tuple[Tried, ...] = ()


def retrain(run: Run, pruned: Pruned) -> Retrained:
    """Retrains by the recipe that the setup leaves; of a tuned trial by each, and the best on validation counts.

    Of equally good ones, the first. The test split has no part in it.
    """
    if not run.trial.tuning:
        dense, now = (cost.count(model, run.shape).macs for model in (_dense_network(run), pruned.model))
        stage = pruned.stage or MeteredStage(0, (), 0, 0, 0)
        one_epoch = FLOPS_PER_MAC * PASSES_PER_STEP * dense * run.examples
        try:
            recipe = run.trial.budget.retraining_after(stage.epochs, dense / now, stage.train_flops / one_epoch)
        except InputError as problem:  # the method used so many epochs that less than one is left
            raise ChildFailed("budget_exceeded", "total budget", str(problem).splitlines()[0]) from None
        return Retrained(recipe, _retrained(run, pruned, recipe))
    folders = [_retrained(run, copy.deepcopy(pruned), recipe) for recipe in run.trial.tuning]
    last = [stages.read_curve(folder)[-1].validation_accuracy_percent for folder in folders]
    tried = tuple(Tried(str(recipe.lr), value) for recipe, value in zip(run.trial.tuning, last, strict=True))
    best = last.index(max(last))
    return Retrained(run.trial.tuning[best], folders[best], tried)


def _retrained(run: Run, pruned: Pruned, recipe: Recipe) -> Path:
    store, trial = run.store, run.trial
    key = retrain_key(trial, run.keys, recipe)
    with run.timed("retraining"), store.lock(key):
        if not store.read(key, WEIGHTS, STAGE, stages.CURVE, stages.JSV):
            checkpoint = checkpoint_of(store.root, key, store.tell)
            with store.writing(key) as draft:
                _retrain(run, recipe, pruned, draft, checkpoint)
            checkpoint.remove()
    return store.path(key)


def _retrain(run: Run, recipe: Recipe, pruned: Pruned, out: Path, checkpoint: Checkpoint) -> None:
    """In this process; or in several, which this one only watches."""
    trial, base = run.trial, run.store.path(run.keys.pretrain)

    def hear(point: EpochPoint) -> None:
        run.listen("retraining", point)

    work = (trial, recipe, pruned, run.data, base, out, checkpoint)
    if trial.processes > 1:
        run_together(trial.processes, trial.device, f"retraining {trial.label}", stages.retrain, *work, hear=hear)
    else:
        stages.retrain(*work, hear)


def _dense_network(run: Run) -> nn.Module:
    return build_network(run.trial.track.network, run.shape, 0)


def evaluate(run: Run, base: Path | None, pruned: Pruned, retrained: Retrained) -> Record:
    """The record of a trial that went well. The only stage that opens the test split."""
    recipe, final = retrained.recipe, retrained.folder
    with run.timed("evaluation"):
        state, curve = read_weights(final), stages.read_curve(final)
        pruned.model.load_state_dict(state)
        device = pick_device(run.trial.device)
        result = stages.on_test_split(pruned.model, run.trial.track, run.data, device)
        run.predictions = {"predicted": result.predicted.tolist(), "label": result.labels.tolist()}
        pruned.model.to(memory_format=torch.contiguous_format)  # training leaves it channels-last
        peak = peak_memory(pruned.model, run.shape, LARGE_BATCH[device.type])
        base_model = measured(run.trial, run.keys, run.store, base, _dense_network(run)) if base else None
        compression = measure_compression(run.trial, pruned, run.shape)
    finished = Finished(
        base=base_model, pruning=pruned.stage, retraining=read_stage(final), compression=compression,
        curve=tuple(curve), accuracy=stages.summarise(result, curve), peak_memory_bytes=peak, recipe=recipe,
        weights_sha256=weights_sha256(state), model_bytes=len(as_safetensors(state)),
        diagnostics=diagnose(curve, recipe.lr, json.loads((final / stages.JSV).read_text())), tuning=retrained.tuning,
    )  # fmt: skip
    return ok_record(run.provenance, finished, run.seconds)
