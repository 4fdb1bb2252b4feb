"""The trainer of a trial: a process of the harness that a method's process can only ask.

Epochs, steps and weights of the training that it carries out never pass through the hands of submitted code. What is
asked is a stranger's data: a wrong request is answered with an error, and ends nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from prunemark.benchmark.compression import surgery
from prunemark.benchmark.images.data import load_split, pick_device, tensor_dict
from prunemark.benchmark.metering.meter import BudgetExceeded, Grant, Meter
from prunemark.benchmark.method import Decision
from prunemark.benchmark.networks import cost
from prunemark.benchmark.networks.registry import build_network
from prunemark.benchmark.sandbox.asking import RECENT
from prunemark.benchmark.sandbox.messages import Tensors, Words, read_decisions, receive, send
from prunemark.benchmark.sandbox.received import NotReadable
from prunemark.benchmark.sandbox.training import PruningTraining
from prunemark.benchmark.training.checkpoint import checkpoint_of, part_of
from prunemark.benchmark.training.execution import in_pruning
from prunemark.benchmark.training.loop import Hooks, train
from prunemark.benchmark.training.processes import here, leave
from prunemark.benchmark.training.snapshot import Place, Snapshot
from prunemark.benchmark.training.together import run_together
from prunemark.records.outcome import MeteredStage
from prunemark.setups.budget import Budget
from prunemark.setups.errors import InputError, WorkFailed
from prunemark.setups.schedule import LRSchedule
from prunemark.setups.track import Track

WEIGHTS, CARRIED, TROUBLE = "weights.safetensors", "carried.json", "trouble.json"
MOST_EARLIER, MOST_PASSES, LONGEST_LR = 4, 1000, 10_000
MEASURED_STEPS, LONG_STEP_SECONDS = 3, 1.0
MARGIN_BYTES = 64 << 20
Reply = tuple[Words, Mapping[str, torch.Tensor]]
Checkpoints = tuple[Path, str]
"""The root of a store, and the key of the stage."""
Trains = tuple[Track, Budget, Grant, int, str, Path, Path]
"""What a trainer trains, by what is granted: seed and device, and the folders in the store of base model and images."""


@dataclass(frozen=True)
class Carried:
    """What the trainer of a trial has carried out. `weights` are the pruned model's, where it has them.

    `step_cpu_seconds` is what a step of the dense network takes of this machine's processor, measured where the weights
    are the method's own; None elsewhere, on a GPU, and where images are read as they are needed.
    """

    stage: MeteredStage
    weights: dict[str, torch.Tensor] | None
    step_cpu_seconds: float | None


@dataclass
class Trainer:
    """Answers one method's requests."""

    training: PruningTraining
    states: dict[int, dict[str, torch.Tensor]]
    checkpoints: Checkpoints | None = None
    earlier: list[int] = field(default_factory=list)
    last: int = 0
    passes: int = 0
    result: dict[str, torch.Tensor] | None = None

    def answer(self, words: Words, tensors: Tensors) -> Reply:
        """What is sent back. Not covered: failures of the machine while it trains, which are raised."""
        carry_out, refusal = self._understood_or_not(words, tensors)
        if here().total(int(carry_out is not None)) not in (0, here().count):
            raise WorkFailed("the processes that train together do not agree on what was asked")
        if carry_out is None:
            return refusal, {}
        try:
            return carry_out()
        except BudgetExceeded as problem:
            return {"error": "budget", "words": str(problem)}, {}

    def _understood_or_not(self, words: Words, tensors: Tensors) -> tuple[Callable[[], Reply] | None, Words]:
        try:
            return self._understood(words, tensors), {}
        except BudgetExceeded as problem:
            return None, {"error": "budget", "words": str(problem)}
        except surgery.BadDecision as problem:
            return None, {"error": "decision", "words": str(problem)}
        except Exception as problem:  # what else a stranger's request does to the code that reads it
            return None, {"error": "value", "words": f"the harness cannot do what was asked: {str(problem)[:1000]}"}

    def _understood(self, words: Words, tensors: Tensors) -> Callable[[], Reply]:
        """What was asked, ready to be carried out. Raises whatever a wrong request makes it raise."""
        ask = words["ask"]
        if ask == "train":
            return self._training(words, tensors)
        if ask == "earlier":
            return self._earlier(words)
        if ask == "result":
            model, _ = self._started(words, tensors)
            return lambda: self._is_result(model)
        raise NotReadable("asked can be 'train', 'earlier' and 'result'")

    def _training(self, words: Words, tensors: Tensors) -> Callable[[], Reply]:
        epochs, number, lr = _whole(words["epochs"]), _whole(words["pass"]), words["lr"]
        if not isinstance(lr, str | None) or len(lr or "") > LONGEST_LR or not self.passes < number <= MOST_PASSES:
            raise NotReadable(f"lr is a short text or null, and passes are counted up to {MOST_PASSES}")
        if (grant := self.training.meter.grant) and epochs > grant.epochs:
            raise NotReadable(f"{grant.epochs} pruning epochs were granted")
        model, rest = self._started(words, tensors)
        masks = self.training.masks(model, rest[0] if rest else None)
        schedule = self.training.schedule(epochs, lr)
        return lambda: self._trained(model, schedule, number, masks)

    def _trained(self, model: nn.Module, schedule: LRSchedule, number: int, masks: Tensors) -> Reply:
        before = replace(meter := self.training.meter)
        self.passes, self.result = number, None
        self._run(model, schedule, number, masks)
        counted = {
            name: getattr(meter, name) - getattr(before, name)
            for name in ("steps", "samples", "forward_macs", "backward_macs")
        }
        return counted | {"state": self._kept(model)}, model.state_dict()

    def _run(self, model: nn.Module, schedule: LRSchedule, number: int, masks: Tensors) -> None:
        """Trains, or goes on where a trainer was killed that was asked for the same."""
        if self.checkpoints is None:
            self.training.run(model, schedule, number, Hooks(masks=masks))
            return
        root, key = self.checkpoints
        words = [number, list(schedule.vector), self.training.meter.stage().train_flops]
        checkpoint = checkpoint_of(root, part_of(key, model.state_dict(), masks, words=words), _nobody)
        last: list[Callable[[], Snapshot]] = []

        def keep(place: Place, snapshot: Callable[[], Snapshot]) -> None:
            checkpoint.keep(place, snapshot)
            last[:] = [snapshot]

        self.training.run(model, schedule, number, Hooks(masks=masks, keep=keep), checkpoint.start)
        for snapshot in last:
            checkpoint.ended(snapshot)

    def _earlier(self, words: Words) -> Callable[[], Reply]:
        epoch = _whole(words["epoch"])
        if self.training.track.base or epoch > self.training.budget.base_epochs or len(self.earlier) >= MOST_EARLIER:
            raise NotReadable(f"at most {MOST_EARLIER} times earlier weights, of epochs that the base has reached")
        return lambda: self._trained_anew(epoch)

    def _trained_anew(self, epoch: int) -> Reply:
        model = self.training.earlier(epoch, Meter(0))
        number = self._kept(model)
        self.earlier.append(number)
        return {"state": number}, model.state_dict()

    def _is_result(self, model: nn.Module) -> Reply:
        self.result = tensor_dict(model.state_dict())
        return {}, {}

    def _started(self, words: Words, tensors: Tensors) -> tuple[nn.Module, list[Decision]]:
        """A network with the weights asked for, and the decisions that are not to be removed from it beforehand."""
        decisions = read_decisions(words["decisions"], tensors)
        training = self.training
        model = build_network(training.track.network, training.data.shape, 0)
        model.load_state_dict(self.states[_whole(words["start"])])
        model = model.to(training.data.device)
        removed = _whole(words["removed"])
        for decision in decisions[:removed]:
            training.remove(model, decision)
        return model, decisions[removed:]

    def _kept(self, model: nn.Module) -> int:
        """Keeps the weights under a new number; of those trained only the last few."""
        self.last += 1
        self.states[self.last] = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        gone = [n for n in self.states if 0 < n <= self.last - RECENT and n not in self.earlier]
        for number in gone:
            del self.states[number]
        return self.last


def serve(pipe: Connection, processes: int, trains: Trains, out: Path, checkpoints: Checkpoints | None = None) -> None:
    """The body of a trainer's process: answers until the other side is gone, then leaves what it carried out.

    `out` is a folder that only the harness sees. With `checkpoints`, those of what it trains go into a store. With
    several `processes`, these answer together: this one only watches.
    """
    try:
        if processes > 1:
            run_together(processes, trains[4], "a method's training", _serve, pipe, trains, out, checkpoints)
        else:
            _serve(pipe, trains, out, checkpoints)
    except InputError as problem:  # an image that cannot be read, or a network that several processes cannot train
        (out / TROUBLE).write_text(json.dumps([InputError.__name__, str(problem)]))
    except BaseException as problem:
        words = f"{type(problem).__name__}: {problem.args[0] if problem.args else ''}"
        (out / TROUBLE).write_text(json.dumps([WorkFailed.__name__, words]))


def trouble_of(path: Path) -> InputError | WorkFailed:
    """What ended a trainer, as the error that its trial ends with: it is the machine's or the data's."""
    kind, words = json.loads(path.read_text())
    if kind == InputError.__name__:
        return InputError(words)
    return WorkFailed(f"the harness could not train for a method: {words}")


def _serve(pipe: Connection, trains: Trains, out: Path, checkpoints: Checkpoints | None) -> None:
    trainer = replace(_trainer(*trains), checkpoints=checkpoints)
    if not here().first:
        nothing: Any = None
        while (asked := here().from_first(nothing)) is not None:
            trainer.answer(*asked)
        return
    _answer(pipe, trainer)
    here().from_first(None)
    leave()
    _leave(trainer, out)


def _answer(pipe: Connection, trainer: Trainer) -> None:
    most = message_bytes(trainer.states[0])
    while True:
        try:
            words, tensors = receive(pipe, most)
        except NotReadable as problem:
            send(pipe, {"error": "value", "words": str(problem)})
        except (EOFError, OSError):
            break
        else:
            reply = trainer.answer(*here().from_first((words, tensors)))
            try:
                send(pipe, *reply)
            except (BrokenPipeError, ConnectionResetError):
                break


def message_bytes(state: Mapping[str, torch.Tensor]) -> int:
    """The longest message between the two: weights, or masks of all of them, and some words."""
    return MARGIN_BYTES + 4 * sum(tensor.numel() * tensor.element_size() for tensor in state.values())


def _trainer(track: Track, budget: Budget, grant: Grant, seed: int, device: str, base: Path, data: Path) -> Trainer:
    images = load_split(track.dataset, data, "train", pick_device(device))
    state = load_file(base / WEIGHTS)
    model = build_network(track.network, images.shape, 0)
    meter = Meter(cost.count(model, images.shape).macs, grant)
    groups = surgery.prunable_groups(model, track, images.shape)
    return Trainer(PruningTraining(track, budget, groups, seed, images, meter), {0: state})


def _leave(trainer: Trainer, out: Path) -> None:
    seconds = _step_cpu_seconds(trainer.training) if trainer.result is None else None
    if trainer.result is not None:
        save_file(trainer.result, out / WEIGHTS)
    said = {"stage": asdict(trainer.training.meter.stage()), "step_cpu_seconds": seconds}
    (out / CARRIED).write_text(json.dumps(said))


def carried_out(out: Path) -> Carried:
    """What a trainer has left."""
    said = json.loads((out / CARRIED).read_text())
    stage = MeteredStage(**said["stage"] | {"lr": tuple(said["stage"]["lr"])})
    weights = load_file(out / WEIGHTS) if (out / WEIGHTS).exists() else None
    return Carried(stage, weights, said["step_cpu_seconds"])


def _step_cpu_seconds(training: PruningTraining) -> float | None:
    data = training.data
    if data.files is not None or data.device.type != "cpu":
        return None
    model = build_network(training.track.network, data.shape, 0)
    batch, seconds = training.track.pruning.batch_size, 0.0
    for steps in (1, MEASURED_STEPS):  # the first is dearer than the others
        some = replace(data, images=data.images[: steps * batch], labels=data.labels[: steps * batch])
        began, meter, terms = time.process_time(), Meter(0), in_pruning(training.track.execution)
        recipe = training.recipe()
        train(model, some, recipe, seed=0, stream="measured", meter=meter, epochs=range(1), execution=terms)
        seconds = (time.process_time() - began) / max(meter.steps, 1)
        if seconds > LONG_STEP_SECONDS:
            break
    return seconds


def _nobody(_words: str) -> None:
    """A damaged checkpoint costs time, and there is nobody here to tell."""


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise NotReadable(f"a whole number was expected; got {str(value)[:40]!r}")
    return value
