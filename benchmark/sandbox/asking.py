"""The method's side of its trainer: what the context does where the harness itself can train.

The trainer keeps the weights that it made, by number. Here is kept which weights those are, by their content, so that
a method may copy, rewind and remove as it likes: as long as what it wants trained is something that the trainer has,
or can make by removing, it is the trainer that trains it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from multiprocessing.connection import Connection

import torch
from torch import nn

from prunemark.benchmark.compression.surgery import BadDecision
from prunemark.benchmark.metering.meter import BudgetExceeded, Meter
from prunemark.benchmark.method import Decision
from prunemark.benchmark.networks.weights import is_plain, weights_sha256
from prunemark.benchmark.sandbox.messages import Tensors, Words, plain_decisions, receive, send

RECENT = 4
"""So many of the weights that it trained does a trainer keep; beside them the base's, and earlier ones of it."""

ERRORS = {"budget": BudgetExceeded, "decision": BadDecision, "value": ValueError}


@dataclass(frozen=True)
class Start:
    """Weights as the trainer can make them: those with this number, less what these decisions do not keep."""

    number: int
    removed: tuple[Decision, ...] = ()


@dataclass
class Asking:
    """One trial's way to its trainer. `layout` is how the base network prints itself."""

    pipe: Connection
    most_bytes: int
    layout: str
    epochs: int = 0
    _known: dict[str, Start] = field(default_factory=dict)
    _pinned: set[int] = field(default_factory=lambda: {0})

    def start_of(self, model: nn.Module) -> Start | None:
        """How the trainer makes this model's weights; None where it cannot, or where they do not say all about it."""
        if str(model) != self.layout or not is_plain(model):
            return None
        return self._known.get(weights_sha256(model.state_dict()))

    def note(self, model: nn.Module, start: Start) -> None:
        """From now on the trainer is known to be able to make the weights that this model has."""
        self._known[weights_sha256(model.state_dict())] = start

    def train(
        self,
        start: Start,
        model: nn.Module,
        meter: Meter,
        epochs: int,
        lr: str | None,
        number: int,
        keep: Decision | None,
    ) -> None:
        """Has the trainer train, and takes over the weights and what was counted. Raises what it raised."""
        decisions = [*start.removed, *([keep] if keep is not None else [])]
        words, tensors = plain_decisions(decisions)
        asked = {
            "ask": "train", "start": start.number, "removed": len(start.removed), "decisions": words, "epochs": epochs,
            "lr": lr, "pass": number,
        }  # fmt: skip
        said, state = self._asked(asked, tensors)
        for count in ("steps", "samples", "forward_macs", "backward_macs"):
            setattr(meter, count, getattr(meter, count) + said[count])
        self.epochs += epochs
        model.load_state_dict(state)
        model.train()
        self._forget_old(said["state"])
        self.note(model, Start(said["state"]))

    def earlier(self, model: nn.Module, epoch: int) -> None:
        """Gives the model the weights that the base network had after so many epochs."""
        said, state = self._asked({"ask": "earlier", "epoch": epoch}, {})
        model.load_state_dict(state)
        self._pinned.add(said["state"])
        self.note(model, Start(said["state"]))

    def result(self, start: Start) -> None:
        """Says that these weights are the pruned model's."""
        words, tensors = plain_decisions(start.removed)
        self._asked(
            {"ask": "result", "start": start.number, "removed": len(start.removed), "decisions": words}, tensors
        )

    def _asked(self, words: Words, tensors: Tensors) -> tuple[Words, dict[str, torch.Tensor]]:
        send(self.pipe, words, tensors)
        said, carried = receive(self.pipe, self.most_bytes)
        if "error" in said:
            raise ERRORS[said["error"]](said["words"])
        return said, carried

    def _forget_old(self, newest: int) -> None:
        gone = {start.number for start in self._known.values()} - self._pinned
        old = {number for number in gone if number <= newest - RECENT}
        self._known = {known: start for known, start in self._known.items() if start.number not in old}
