"""The base model of a trial whose track gives it: found, checked by hash, read and laid into the store; then measured.

No submitted code has run by then, and none runs here. Both steps are child processes: a library's code may do anything,
and measuring on a GPU takes that up, after which this process could not fork a pruning stage that uses it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from prunemark.benchmark.images.data import Images, load_split, pick_device, tensor_dict
from prunemark.benchmark.networks.given_weights import load_given
from prunemark.benchmark.networks.library_tags import tag_of
from prunemark.benchmark.networks.registry import build_network
from prunemark.benchmark.sandbox.child import ChildFailed, Limits, run_in_child
from prunemark.benchmark.sandbox.received import json_of
from prunemark.benchmark.sandbox.scratch import scratch_folder
from prunemark.benchmark.training.loop import accuracy_percent
from prunemark.benchmark.trial import stages
from prunemark.benchmark.trial.packing import WEIGHTS
from prunemark.benchmark.trial.pruned import STAGE
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Trial
from prunemark.benchmark.trial.weight_files import file_sha256, find_weights
from prunemark.records.outcome import MeteredStage
from prunemark.setups.errors import InputError, WorkFailed
from prunemark.setups.given_base import BASES, FILE, GivenBase

UNLIMITED = Limits(float("inf"), 1 << 62, 1 << 62)
SAID, HUB = "said.json", "checkpoints"
NONE = MeteredStage(0, (), 0, 0, 0)


def take(trial: Trial, given: GivenBase, data: Path, store: Store, out: Path) -> None:
    """Writes the given weights into an entry of the store, as a base model that was trained for no epoch.

    Raises InputError for a file that is not here, has another hash or does not fit the network.
    """
    _in_child(f"the given base {given.weights} was not read", _take, trial, given, data, store.root.parent / BASES, out)


def _take(trial: Trial, given: GivenBase, data: Path, bases: Path, out: Path, scratch: Path) -> None:
    network = trial.track.network
    images = load_split(trial.track.dataset, data, "validation", torch.device("cpu"))
    found = find_weights(network, given, bases)
    copy = scratch / HUB / _name_for(network, given, found)
    copy.parent.mkdir()
    if file_sha256(found, copy) != given.sha256:  # what was hashed is what is read, and nobody changes it meanwhile
        raise InputError(f"{found} changed while it was read. Run the command again")
    model = load_given(network, images.shape, given, copy, *normalised_by(images))
    save_file(tensor_dict(model.state_dict()), out / WEIGHTS)
    save_file({}, out / stages.MOMENTUM)
    stages.write_json(out / STAGE, asdict(NONE))
    stages.write_json(out / stages.CURVE, [])


def _name_for(network: str, given: GivenBase, found: Path) -> str:
    """As the library calls it, where it may lie under another name; it is told by its ending how to read it."""
    if given.library == FILE:
        return found.name
    file, _url = tag_of(network, given).place_of(given.sha256)
    return file if Path(file).suffix == found.suffix else f"{Path(file).stem}{found.suffix}"


def normalised_by(images: Images) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of pixels between 0 and 1; both empty where the images are kept normalised."""
    return images.mean, images.sd


def measure(trial: Trial, data: Path, base: Path, out: Path, file: str) -> None:
    """Writes the accuracy on the test split, in percent, as the JSON file of this name."""
    _in_child(f"the given base of {trial.track.id} was not measured", _measure, trial, data, base, out / file)


def _measure(trial: Trial, data: Path, base: Path, out: Path, _scratch: Path) -> None:
    shape = load_split(trial.track.dataset, data, "validation", torch.device("cpu")).shape
    model = build_network(trial.track.network, shape, 0)
    model.load_state_dict(load_file(base / WEIGHTS))
    result = stages.on_test_split(model, trial.track, data, pick_device(trial.device))
    stages.write_json(out, accuracy_percent(result.correct))


def check_stated(trial: Trial, given: GivenBase, percent: float) -> None:
    """Raises InputError where the measured accuracy is not the one that the track states."""
    if abs(percent - given.top1_percent) <= given.tolerance_pp + 1e-9:
        return
    about = "" if given.library == FILE else f"; {given.library} measures it with {_evaluated(trial, given)}"
    raise InputError(
        f"the given base {given.weights} has {percent:.2f} % on the test split of {trial.track.dataset}, and the track "
        f"states {given.top1_percent:g} % within {given.tolerance_pp:g} points{about}.\n"
        f"Nothing was pruned. {_advice(given, percent)}"
    )


def _advice(given: GivenBase, percent: float) -> str:
    if abs(percent - 100 * given.top1_percent) <= given.tolerance_pp + 1e-9:
        return f"top1_percent is in percent, not a share of 1: write {100 * given.top1_percent:g}"
    return "Other images, another order of classes, or a wrong number: correct the track"


def _evaluated(trial: Trial, given: GivenBase) -> str:
    return tag_of(trial.track.network, given).evaluated


def _in_child(failed: str, work: Callable[..., None], *arguments: Any) -> None:
    """Runs the work, which raises InputError in words, or does what it should."""
    with scratch_folder() as scratch:
        try:
            run_in_child(_say, work, arguments, scratch, scratch=scratch, limits=UNLIMITED)
            said = json_of(scratch, SAID)
        except ChildFailed as failure:
            raise WorkFailed(f"{failed}: {failure.evidence}", failure.trace) from None
    if said:
        raise InputError(said)


def _say(work: Callable[..., None], arguments: tuple[Any, ...], scratch: Path) -> None:
    words = ""
    try:
        work(*arguments, scratch)
    except InputError as problem:
        words = str(problem)
    (scratch / SAID).write_text(json.dumps(words))
