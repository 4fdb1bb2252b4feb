"""Submissions that reach for what is not theirs: files, processes, the network, the harness, the test split."""

import errno
import json
import os
import socket
from pathlib import Path

import torch

from prunemark.benchmark.method import Decision, FilterCriterion, PruningMethod


def l1(context, model):
    return context.decide({g: g.layer(model).weight.flatten(1).abs().sum(1) for g in context.groups})


class LooksForTheMeter(FilterCriterion):
    """The context has neither the meter nor the data among its attributes."""

    def score(self, layer, context):
        for name in ("meter", "data", "budget", "seed", "watch", "_passes"):
            if hasattr(context, name):
                raise RuntimeError(f"the context has {name}")
        if hasattr(context.train, "__self__") or hasattr(context.batches, "__self__"):
            raise RuntimeError("a bound method leads to the context")
        return layer.weight.flatten(1).abs().sum(dim=1)


class ClaimsGiven(PruningMethod):
    """Calls its decision one that it was given, in the hope that no target holds for it."""

    def prune(self, model, context):
        return Decision({g.name: torch.arange(g.size) for g in context.groups}, {}, "given")


class ForgesItsFiles(PruningMethod):
    """Writes the files of the harness itself and leaves before it can."""

    def prune(self, model, context):
        Path("decision.json").write_text('{"kept": {}, "counts": {}, "allocation": "uniform"}')
        Path("stage.json").write_text("{}")
        for name in ("weights.safetensors", "masks.safetensors"):
            Path(name).write_bytes(b"")
        Path("done").write_text("")
        os._exit(0)


class LooksForTheTestSplit(FilterCriterion):
    """Reads what lies where it works."""

    def score(self, layer, context):
        handed = {"given", "submitted", "escapes.py", "loaded.json", "output.log"}
        found = {path.name for path in Path.cwd().rglob("*")} - handed
        if found != {"weights.safetensors", "train.safetensors"}:
            raise RuntimeError(f"found {sorted(found)}")
        return layer.weight.flatten(1).abs().sum(dim=1)


class ImportsTheHarness(FilterCriterion):
    """Neither what counts nor what reads the test split can be imported."""

    def score(self, layer, context):
        import importlib

        for name in ("metering.meter", "metering.watch", "trial.context", "trial.pruning", "images.data"):
            try:
                importlib.import_module(f"prunemark.benchmark.{name}")
            except ImportError:
                continue
            raise RuntimeError(f"prunemark.benchmark.{name} can be imported")
        return layer.weight.flatten(1).abs().sum(dim=1)


class Diverges(PruningMethod):
    """Honest and unlucky."""

    def prune(self, model, context):
        with torch.no_grad():
            next(model.parameters()).fill_(float("nan"))
        return context.decide({g: torch.ones(g.size) for g in context.groups})


class OddMessage(FilterCriterion):
    """An error that no file can hold as it is."""

    def score(self, layer, context):
        raise ValueError("bad \udcff text \x1b[31m")


class WritesTheError(FilterCriterion):
    """Pretends that all is well, in the harness's own words."""

    def score(self, layer, context):
        Path("error.json").write_text('{"status": "ok", "rule": 1, "evidence": [], "traceback": 5}')
        os._exit(0)


class ForksAway(PruningMethod):
    """Trains in a process of its own, where nobody counts."""

    def prune(self, model, context):
        if os.fork() == 0:
            os._exit(0)
        return l1(context, model)


class CallsHome(PruningMethod):
    """Fetches weights that were trained elsewhere."""

    def prune(self, model, context):
        socket.create_connection(("127.0.0.1", 9), timeout=1)
        return l1(context, model)


class ClaimsFullDisk(PruningMethod):
    """Says what the harness says of a machine that fails, so that the run ends."""

    def prune(self, model, context):
        raise OSError(errno.ENOSPC, "No space left on device")


class ClaimsBrokenImages(PruningMethod):
    """The same, in a file as the harness would leave it."""

    def prune(self, model, context):
        said = {"status": "failed", "rule": "the images", "evidence": "UnreadableImage: x", "traceback": ""}
        Path("error.json").write_text(json.dumps(said))
        os._exit(1)
