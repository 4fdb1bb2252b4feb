"""Methods for each lane, and some that pretend to be in a narrower one."""

import copy
import os
import sys
from pathlib import Path

import torch
from torch.nn import functional as F

from prunemark import Decision, FilterCriterion, PruningMethod


def l1(context, model):
    return context.decide({group: group.layer(model).weight.flatten(1).abs().sum(1) for group in context.groups})


class Scores(FilterCriterion):
    """Decides, and nothing else."""

    def score(self, layer, context):
        return layer.weight.flatten(1).abs().sum(1)


class Asks(PruningMethod):
    """Has the harness train, removes, and has it train again."""

    def prune(self, model, context):
        context.train(model, epochs=1, lr="1e-2")
        kept = l1(context, model)
        context.remove(model, kept)
        context.train(model, epochs=1, lr="1e-3", keep=kept)
        return kept


class Rewinds(PruningMethod):
    """Trains a copy, decides by it, and gives the base model back as it was; then as it once was."""

    def prune(self, model, context):
        trained = copy.deepcopy(model)
        context.train(trained, epochs=1)
        kept = l1(context, trained)
        model.load_state_dict(context.earlier(1))
        return kept


class Penalises(PruningMethod):
    """Its own code runs in the loop."""

    def prune(self, model, context):
        weights = [group.layer(model).weight for group in context.groups]
        context.train(model, epochs=1, penalty=lambda: 1e-4 * sum(weight.abs().sum() for weight in weights))
        return l1(context, model)


class Changes(PruningMethod):
    """Changes weights without any training, as a reconstruction does."""

    def prune(self, model, context):
        with torch.no_grad():
            for group in context.groups:
                group.layer(model).weight.mul_(1.01)
        return l1(context, model)


class HooksTensors(PruningMethod):
    """A hook on a parameter would hide in the harness's loop: it is no hook of `train`, and counts as its own code."""

    def prune(self, model, context):
        next(model.parameters()).register_hook(lambda gradient: gradient * 2)
        context.train(model, epochs=1)
        return l1(context, model)


class ForgesReading(PruningMethod):
    """Asks for training, and says that there was none: by the meter, found in the frames of its callers."""

    def prune(self, model, context):
        context.train(model, epochs=1)
        frame = sys._getframe(1)
        while frame is not None and "meter" not in frame.f_locals:
            frame = frame.f_back
        meter = frame.f_locals["meter"]
        meter.lr.clear()
        meter.steps = meter.samples = meter.forward_macs = meter.backward_macs = meter.passes = 0
        return l1(context, model)


class ReplacesLoss(PruningMethod):
    """Whatever it does to functions of torch in its own process, the trainer trains with those of its own."""

    def prune(self, model, context):
        F.cross_entropy = lambda *_, **__: torch.zeros((), requires_grad=True)
        context.train(model, epochs=1)
        return l1(context, model)


class ClaimsResult(PruningMethod):
    """Trains by itself, and says that the weights are those of the base model: they then are."""

    def prune(self, model, context):
        kept = l1(context, model)
        frame = sys._getframe(1)
        while frame is not None and "asking" not in frame.f_locals:
            frame = frame.f_back
        asking = frame.f_locals["asking"]
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(0.5)
        asking.__class__.start_of = lambda self, model: next(iter(self._known.values()))
        return kept


class TalksNonsense(PruningMethod):
    """Sends its trainer what no harness would."""

    def prune(self, model, context):
        frame = sys._getframe(1)
        while frame is not None and "asking" not in frame.f_locals:
            frame = frame.f_back
        pipe = frame.f_locals["asking"].pipe
        length = (9).to_bytes(8, "little")
        for said in (
            b"",
            b"\x00" * 7,
            length + b'{"ask":1}',
            length + b"[" * 9,
            b"\xff" * 64,
            length + b"{}       " + b"\x01" * 99,
        ):
            pipe.send_bytes(said)
            pipe.recv_bytes()
        return l1(context, model)


class TakesResult(PruningMethod):
    """Leaves with files of its own making, as the harness's code in this process would write them."""

    def prune(self, model, context):
        from safetensors.torch import save_file

        kept = l1(context, model)
        frame = sys._getframe(1)
        while frame is not None and "token" not in frame.f_locals:
            frame = frame.f_back
        save_file({}, "masks.safetensors")
        save_file({name: tensor.clone() + 1 for name, tensor in model.state_dict().items()}, "weights.safetensors")
        names = {name: sorted(index.tolist()) for name, index in kept.kept.items()}
        counts = {name: len(index) for name, index in names.items()}
        Path("decision.json").write_text(str({"kept": names, "counts": counts, "allocation": "x"}).replace("'", '"'))
        Path("stage.json").write_text("{}")
        Path("done").write_text(frame.f_locals["token"])
        os._exit(0)


class WrongWords(PruningMethod):
    def prune(self, model, context):
        kept = l1(context, model)
        return Decision(kept.kept, {}, "<b>\n\x1b[2J" + "A" * 1000)


class AsksImposed(PruningMethod):
    """Where the LRs are the setup's."""

    def prune(self, model, context):
        context.train(model, epochs=context.pruning_epochs)
        return l1(context, model)
