"""The pruning stage as the harness sees it: a method's process, its trainer, and what is believed of what comes back.

The lane says how much that is. `decision`: which filters or weights stay, and nothing else; the weights are the base
model's, or the harness's own. `harness`: the method asked for training, and the trainer carried it out. `own`: the
weights are the method's, because its own code ran in the training or changed them; what it says that this cost has to
account for the seconds that the kernel counted.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
from safetensors.torch import load_file

from prunemark.benchmark.compression import surgery
from prunemark.benchmark.images.data import Images, load_split
from prunemark.benchmark.images.datasets import open_image
from prunemark.benchmark.metering.meter import BudgetExceeded, Grant, check_stage
from prunemark.benchmark.networks import cost
from prunemark.benchmark.networks.own_modules import files_of
from prunemark.benchmark.networks.registry import build_network
from prunemark.benchmark.sandbox import trainer
from prunemark.benchmark.sandbox.child import ChildFailed, Limits, printed_in, run_in_child
from prunemark.benchmark.sandbox.confinement import Confinement, isolation_of
from prunemark.benchmark.sandbox.explain import IMAGES, RAISED
from prunemark.benchmark.sandbox.scratch import scratch_folder
from prunemark.benchmark.sandbox.trainer import Carried, Checkpoints, carried_out
from prunemark.benchmark.submission.as_run import LaidOut, laid_out, original_places
from prunemark.benchmark.submission.place import named_beside
from prunemark.benchmark.trial import believed
from prunemark.benchmark.trial.believed import Said, TooManySeconds
from prunemark.benchmark.trial.blame import ROOM_BYTES, check_machine
from prunemark.benchmark.trial.keys import DECISION
from prunemark.benchmark.trial.packing import WEIGHTS, write_masks, write_weights
from prunemark.benchmark.trial.pruned import MASKS, STAGE, check_target
from prunemark.benchmark.trial.pruning import GIVEN, UNTRAINED, grant_of, prune, write_kept
from prunemark.benchmark.trial.stages import write_json
from prunemark.benchmark.trial.trial import Trial
from prunemark.records.observed import Lane, PruningProcess
from prunemark.records.outcome import MeteredStage
from prunemark.setups.errors import InputError, WorkFailed
from prunemark.setups.processes import die_with_parent

PROCESS, SUBMITTED = "process.json", "submitted"
STAGE_FILES = (MASKS, DECISION, STAGE)
TRAINER_SECONDS = 60.0
MOST_RULES = 10_000  # each takes the kernel some microseconds, in every trial


@dataclass(frozen=True)
class Stage:
    """What a pruning stage gave: weights and decision, the reading, how it came about, and what was printed last."""

    weights: dict[str, torch.Tensor]
    said: Said
    process: PruningProcess
    printed: str = ""


def run_stage(
    trial: Trial,
    base: Path,
    data: Path,
    given_counts: dict[str, int] | None,
    checkpoints: Checkpoints | None = None,
) -> Stage:
    """Runs a method on a base model; `base` and `data` are folders of the store.

    With `checkpoints`, long training that the method asks for goes on where a run before was killed.

    A failure that a machine can bring about is the method's when it comes again on a machine that can do the work.
    Raises ChildFailed for whatever the method did wrong, WorkFailed and InputError for what is no fault of its own.
    """
    try:
        return _run_once(trial, base, data, given_counts, checkpoints)
    except ChildFailed as failure:
        if not failure.doubtful:
            raise
        check_machine(trial, base, failure)
    try:
        return _run_once(trial, base, data, given_counts, checkpoints)
    except ChildFailed as failure:
        check_machine(trial, base, failure)
        raise


def _run_once(
    trial: Trial, base: Path, data: Path, given_counts: dict[str, int] | None, checkpoints: Checkpoints | None
) -> Stage:
    """A one-shot method under imposed epochs runs twice: see `pruning.prune`."""
    for train_first in (False, True):
        with scratch_folder() as scratch, scratch_folder() as harness_only:
            found = _attempt(trial, base, data, given_counts, train_first, scratch, harness_only, checkpoints)
            if found is not None:
                return found
    raise ChildFailed("noncompliant", "pruning budget", "it trained nothing where epochs are imposed, twice")


def write_stage(stage: Stage, folder: Path, base: Path) -> None:
    """Writes it as an entry of the store, what the base has already left out: by the harness, from what it checked."""
    write_weights(folder, stage.weights, base)
    write_masks(folder / MASKS, stage.said.decision.masks)
    write_kept(folder, stage.said.decision)
    write_json(folder / STAGE, asdict(stage.said.stage))
    write_json(folder / PROCESS, asdict(stage.process))


def read_process(folder: Path) -> PruningProcess | None:
    """How a stored pruning stage came about; None of one stored before this was noted."""
    path = folder / PROCESS
    return PruningProcess(**json.loads(path.read_text())) if path.exists() else None


def _attempt(
    trial: Trial,
    base: Path,
    data: Path,
    given_counts: dict[str, int] | None,
    train_first: bool,
    scratch: Path,
    harness_only: Path,
    checkpoints: Checkpoints | None,
) -> Stage | None:
    """One life of the method's process. None when it has to be run again, with training first."""
    images = load_split(trial.track.dataset, data, "train", torch.device("cpu"))
    grant, state = grant_of(trial, len(images)), load_file(base / WEIGHTS)
    placed = _hand_over(trial, base, data, scratch)
    confinement = Confinement(
        isolation_of(trial.isolation), _readable(images) + files_of(trial.track.network),
        4 * believed.most_bytes(state), cpu_seconds=trial.pruning_seconds_limit * 4, gpu=trial.device != "cpu",
    )  # fmt: skip
    limits = Limits(trial.pruning_seconds_limit, scratch_bytes=_scratch_bytes(scratch))
    with _trainer(trial, grant, base, data, harness_only, checkpoints) as pipe:
        try:
            used = run_in_child(
                prune, trial, placed.source, given_counts, scratch, train_first, pipe,
                scratch=scratch, limits=limits, confinement=confinement, keep=(pipe.fileno(),),
            )  # fmt: skip
        except ChildFailed as failure:
            failure.trace = original_places(failure.trace, placed.originals)
            failure.evidence = named_beside(failure.evidence, trial.entrant.source.path if trial.entrant.source else "")
            failure.printed = printed_in(scratch)
            if failure.rule == IMAGES:
                _look_again(failure, images)
            raise
    if not train_first and trial.budget.pruning_exact and (scratch / UNTRAINED).exists():
        return None
    carried = carried_out(harness_only)
    macs = cost.count(build_network(trial.track.network, images.shape, 0), images.shape).macs
    with _blamed_on_the_method():
        said = believed.what_it_said(scratch, state)
        lane = _lane(said, carried, train_first)
        weights = carried.weights if carried.weights is not None else believed.own_weights(scratch, state)
        if not said.stage.steps:
            believed.check_scale(weights, state)
        small = surgery.rebuild(trial.track, images.shape, weights, said.decision, 0)
        check_target(trial, said.decision, images.shape, given_counts, small)
        check_stage(said.stage, grant, macs)
        _check_floor(said.stage, carried.stage, grant, lane)
        accounted = None
        if lane == "own" and carried.step_cpu_seconds is not None:
            accounted = carried.step_cpu_seconds * believed.steps_of(said.stage, macs, trial.track.pruning.batch_size)
            scoring = carried.step_cpu_seconds * grant.scoring_epochs * grant.steps_per_epoch
            believed.check_cpu_seconds(used.cpu_seconds, accounted, scoring, believed.loading_cpu_seconds(scratch))
    process = PruningProcess(confinement.isolation, lane, used.cpu_seconds, accounted)
    return Stage(weights, said, process, printed_in(scratch))


def _lane(said: Said, carried: Carried, train_first: bool) -> Lane:
    if carried.weights is None:
        return "own"
    return "harness" if carried.stage.epochs and not train_first else "decision"


def _check_floor(said: MeteredStage, carried: MeteredStage, grant: Grant, lane: Lane) -> None:
    """A reading counts at least what the harness itself carried out. Raises BudgetExceeded.

    Where the weights are the harness's own, epochs that are imposed are epochs that it trained.
    """
    names = ("epochs", "steps", "samples", "train_flops")
    less = [name for name in names if getattr(said, name) < getattr(carried, name)]
    if less:
        raise BudgetExceeded(f"the stage reports fewer {less[0]} than the harness carried out for it")
    if grant.exact and lane != "own" and carried.epochs != grant.epochs:
        raise BudgetExceeded(
            f"exactly {grant.epochs} pruning epochs are imposed on every method; the harness trained {carried.epochs} "
            "for the weights that came back"
        )


def _hand_over(trial: Trial, base: Path, data: Path, scratch: Path) -> LaidOut:
    """Lays the base model, the training split and the method's files where the process works.

    Copies, because no path of its own should lead a submission to the store, where the test split lies too.
    """
    source = trial.entrant.source
    assert source is not None
    (scratch / GIVEN).mkdir()
    for file in (base / WEIGHTS, data / "train.safetensors"):
        shutil.copyfile(file, scratch / GIVEN / file.name)
    return laid_out(source, scratch / GIVEN / SUBMITTED)


def _readable(images: Images) -> tuple[Path, ...]:
    """The files of the training split; of a great many the folder that they share, which holds no test image."""
    if images.files is None:
        return ()
    paths = images.files.paths
    return tuple(map(Path, paths)) if len(paths) <= MOST_RULES else (Path(os.path.commonpath(paths)),)


def _scratch_bytes(scratch: Path) -> int:
    """What was handed over, as much again, and some room."""
    return ROOM_BYTES + 2 * sum(file.stat().st_size for file in scratch.rglob("*") if file.is_file())


def _look_again(failure: ChildFailed, images: Images) -> None:
    """Raises InputError for an image that cannot be read here either; else it is the method that said so."""
    if images.files:
        for number, path in enumerate(images.files.paths):
            if path in failure.evidence:
                open_image(Path(path), images.files.sha256[number].numpy().tobytes())
    failure.rule = RAISED


@contextlib.contextmanager
def _blamed_on_the_method() -> Iterator[None]:
    """Whatever is wrong with data that submitted code left is a broken rule, and ends nothing but its trial."""
    try:
        yield
    except BudgetExceeded as problem:
        doubtful = isinstance(problem, TooManySeconds)
        raise ChildFailed("budget_exceeded", "pruning budget", str(problem), doubtful=doubtful) from None
    except (InputError, WorkFailed):
        raise
    except Exception as problem:
        evidence = f"what it left is no decision: {type(problem).__name__}: {problem}"[:500]
        raise ChildFailed("noncompliant", "a subnetwork of the base model", evidence) from None


@contextlib.contextmanager
def _trainer(
    trial: Trial, grant: Grant, base: Path, data: Path, out: Path, checkpoints: Checkpoints | None
) -> Iterator[Connection]:
    """The trial's trainer, running; inside, the end of the pipe that the method's process is given.

    It ends when nobody holds that end any more. Raises WorkFailed when it died: that is no fault of the method's.
    """
    forking = multiprocessing.get_context("fork")
    ours, theirs = forking.Pipe(duplex=True)
    work = (ours, theirs, trial, grant, base, data, out, checkpoints, os.getpid())
    process = forking.Process(target=_serve, args=work)
    process.start()
    ours.close()
    went_well = False
    try:
        yield theirs
        went_well = True
    finally:
        theirs.close()
        ended_by_itself = _end(process, TRAINER_SECONDS if went_well else 1.0)
        if (trouble := out / trainer.TROUBLE).exists():  # whatever the method's process said of it
            raise trainer.trouble_of(trouble)
        if went_well and not ended_by_itself:
            raise ChildFailed(
                "timeout", "pruning time",
                f"{TRAINER_SECONDS:g} s after its process had ended, the harness was still at what it had asked for",
            )  # fmt: skip
        if process.exitcode != 0 and ended_by_itself:
            raise WorkFailed(f"the process that trains for {trial.label} ended with exit code {process.exitcode}")


def _serve(
    ours: Connection, theirs: Connection, trial: Trial, grant: Grant, base: Path, data: Path, out: Path,
    checkpoints: Checkpoints | None, parent: int,
) -> None:  # fmt: skip
    die_with_parent(parent)
    theirs.close()
    trains = (trial.track, trial.budget, grant, trial.seed, trial.device, base, data)
    trainer.serve(ours, trial.processes, trains, out, checkpoints)


def _end(process: BaseProcess, seconds: float) -> bool:
    """Waits for it, and kills it in the end; whether it ended by itself."""
    process.join(seconds)
    if by_itself := not process.is_alive():
        return by_itself
    process.kill()
    process.join()
    return False
