"""The base model of a trial: the prepared images, the dense network trained on them or given, its measured accuracy.

All of it is made once a store, and shared by all methods of a seed. No submitted code has a part in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from prunemark.benchmark.images.data import load_split, pick_device, prepare
from prunemark.benchmark.networks.weights import weights_sha256
from prunemark.benchmark.sandbox.child import ChildFailed, Limits, run_in_child
from prunemark.benchmark.sandbox.scratch import scratch_folder
from prunemark.benchmark.training.checkpoint import Checkpoint, checkpoint_of
from prunemark.benchmark.training.loop import accuracy_percent
from prunemark.benchmark.training.together import run_together
from prunemark.benchmark.trial import given_base, stages
from prunemark.benchmark.trial.keys import SPLITS, Keys, pretrain_key
from prunemark.benchmark.trial.own_data import images_again
from prunemark.benchmark.trial.packing import WEIGHTS
from prunemark.benchmark.trial.preflight import check_network
from prunemark.benchmark.trial.pruned import STAGE, read_stage
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Trial
from prunemark.records.outcome import BaseModel, EpochPoint
from prunemark.setups.errors import WorkFailed
from prunemark.setups.given_base import GivenBase, base_of
from prunemark.setups.own_parts import is_own_dataset

TEST_ACCURACY = "test_accuracy.json"
BASE_FILES = (WEIGHTS, stages.MOMENTUM, STAGE, stages.CURVE)
UNLIMITED = Limits(float("inf"), 1 << 62)
StageListener = Callable[[str, EpochPoint], None]


def prepare_data(trial: Trial, keys: Keys, store: Store) -> Path:
    """The dataset's splits, read and cut once for all."""
    if is_own_dataset(trial.track.dataset):
        if not store.read(keys.data, *SPLITS):
            images_again(trial.track, store)
        return store.path(keys.data)
    with store.lock(keys.data):
        if not store.read(keys.data, *SPLITS):
            with store.writing(keys.data) as draft:
                prepare(trial.track.dataset, draft)
    return store.path(keys.data)


def pretrain(trial: Trial, keys: Keys, store: Store, listen: StageListener) -> Path | None:
    """The base model of this seed, shared by all methods; none for scratch training.

    One that the track gives is not trained: its weights are laid in, and measured before anything is pruned.

    It goes on from the longest stored beginning of the same run, in a child process: on a machine with a GPU a
    gradient takes that up, of a model on the CPU too, and this process still has to fork for the pruning stage.
    Nothing is trained on a track that would be refused later: InputError, as for a given base that is not as its track
    states. Raises Diverged, and WorkFailed when it cannot be trained, which is no method's fault.
    """
    if trial.entrant.kind == "scratch":
        return None
    if given := base_of(trial.track, trial.seed):
        return _given(trial, given, keys, store)
    with store.lock(keys.pretrain):
        if not store.read(keys.pretrain, *BASE_FILES):
            data = prepare_data(trial, keys, store)
            check_network(trial, store, load_split(trial.track.dataset, data, "validation", torch.device("cpu")).shape)
            start, epoch = stored_beginning(trial, store)
            checkpoint = checkpoint_of(store.root, keys.pretrain, store.tell)
            work = (trial, data, start, epoch)
            with store.writing(keys.pretrain) as draft:
                _pretrain_apart(*work, draft, checkpoint, lambda point: listen("pretraining", point))
            checkpoint.remove()
    folder = store.path(keys.pretrain)
    stages.check_base(trial, stages.read_curve(folder), load_file(folder / WEIGHTS))
    return folder


def _given(trial: Trial, given: GivenBase, keys: Keys, store: Store) -> Path:
    """The folder of a base that the track gives. Raises InputError."""
    data = prepare_data(trial, keys, store)
    with store.lock(keys.pretrain):
        if not store.read(keys.pretrain, *BASE_FILES):
            with store.writing(keys.pretrain) as draft:
                given_base.take(trial, given, data, store, draft)
    base = store.path(keys.pretrain)
    with store.lock(keys.evaluate_base):
        if not store.read(keys.evaluate_base, TEST_ACCURACY):
            with store.writing(keys.evaluate_base) as draft:
                given_base.measure(trial, data, base, draft, TEST_ACCURACY)
    given_base.check_stated(trial, given, _test_percent(keys, store))
    return base


def _test_percent(keys: Keys, store: Store) -> float:
    return float(json.loads((store.path(keys.evaluate_base) / TEST_ACCURACY).read_text()))


def _pretrain_apart(
    trial: Trial, data: Path, start: Path | None, epoch: int, out: Path, checkpoint: Checkpoint,
    hear: Callable[[EpochPoint], None],
) -> None:  # fmt: skip
    work = (stages.pretrain, trial, data, start, epoch, out, checkpoint)
    if trial.processes > 1:
        run_together(trial.processes, trial.device, f"the base model of seed {trial.seed}", *work, hear=hear)
        return
    with scratch_folder() as scratch:
        try:
            run_in_child(*work, scratch=scratch, limits=UNLIMITED, hear=hear)
        except ChildFailed as failure:  # no submitted code has run yet
            words = f"the base model of seed {trial.seed} was not trained: {failure.evidence}"
            raise WorkFailed(words, failure.trace) from None


def stored_beginning(trial: Trial, store: Store) -> tuple[Path | None, int]:
    """The last stored checkpoint on the way to the trial's base model, and its epoch."""
    for epoch in range(trial.budget.base_epochs - 1, 0, -1):
        if found := store.read(pretrain_key(trial, epoch), *BASE_FILES):
            return found, epoch
    return None, 0


def measured(trial: Trial, keys: Keys, store: Store, base: Path, dense: nn.Module | None = None) -> BaseModel:
    """The base model's hash and accuracy, measured once.

    `dense` is its network, and gets its weights; None where it was given, and is measured already.
    """
    key, data = keys.evaluate_base, store.path(keys.data)
    state = load_file(base / WEIGHTS)
    with store.lock(key):
        if not store.read(key, TEST_ACCURACY):
            assert dense is not None
            dense.load_state_dict(state)
            result = stages.on_test_split(dense, trial.track, data, pick_device(trial.device))
            with store.writing(key) as draft:
                stages.write_json(draft / TEST_ACCURACY, accuracy_percent(result.correct))
    given = base_of(trial.track, trial.seed)
    return BaseModel(
        weights_sha256(state), _test_percent(keys, store), read_stage(base),
        given=given.name if given else "", file_sha256=given.sha256 if given else "",
    )  # fmt: skip
