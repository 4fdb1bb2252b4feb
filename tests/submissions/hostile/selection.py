"""Attacks that choose by what is not to be known: the test split, the seed, chance."""

import os
import time

import torch
from tools import honest, outer, won

from prunemark import PruningMethod


class RunsPipeline(PruningMethod):
    """Rule: no test data. Won: the harness's own stages, found on a frame, judge masks by the test split."""

    def prune(self, model, context):
        kept, frame = honest(context, model), __import__("sys")._getframe(1)
        while frame is not None and "run_stage" not in frame.f_globals:
            frame = frame.f_back
        if frame is None:
            return kept
        load = frame.f_globals["load_split"]
        try:
            images = load("digits", outer("data"), "test", torch.device("cpu"))
        except Exception:
            return kept
        return won(kept, f"{len(images)} test images")


class KnowsItsSeed(PruningMethod):
    """Rule: no test-set selection. Nothing inside of a run can see it; only seeds that are drawn later undo it."""

    def prune(self, model, context):
        generator = torch.Generator().manual_seed(context.generator.initial_seed() % 11)
        return context.decide({group: torch.rand(group.size, generator=generator) for group in context.groups})


class DrawsAnew(PruningMethod):
    """Rule: repeatable. Found only where a trial is run again: two runs of it differ."""

    def prune(self, model, context):
        generator = torch.Generator().manual_seed(int.from_bytes(os.urandom(6), "big"))
        return context.decide({group: torch.rand(group.size, generator=generator) for group in context.groups})


class DrawsByClock(PruningMethod):
    """Rule: repeatable. The same by the time of day and the number of its process."""

    def prune(self, model, context):
        generator = torch.Generator().manual_seed(time.time_ns() ^ os.getpid())
        return context.decide({group: torch.rand(group.size, generator=generator) for group in context.groups})
