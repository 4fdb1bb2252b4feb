"""Submissions that train or search where the meter has to be carried along to see it."""

import contextlib
import threading

import torch
from cheats import _Cheat, l1
from torch import nn
from torch.nn import functional as F
from torch.optim.optimizer import register_optimizer_step_pre_hook

from prunemark.benchmark.method import PruningMethod


def by_hand(model, cached, passes):
    model.train()
    for _ in range(passes):
        for images, labels in cached:
            model.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            for parameter in model.parameters():
                parameter.data -= 0.02 * parameter.grad


class TrainsInEarlier(_Cheat):
    """In a hook on all modules, which runs while the harness trains an earlier checkpoint for it."""

    def train_more(self, model, context):
        cached = list(context.batches())
        optimiser = torch.optim.SGD(model.parameters(), 0.05)
        busy = []

        def more(*_):
            if not busy:
                busy.append(1)
                for images, labels in cached:
                    optimiser.zero_grad()
                    F.cross_entropy(model(images), labels).backward()
                    optimiser.step()

        handle = nn.modules.module.register_module_forward_pre_hook(more)
        try:
            context.earlier(1)
        finally:
            handle.remove()


class HookOnTheCheckpoint(_Cheat):
    """The same, but by what every optimiser does before it steps."""

    def train_more(self, model, context):
        cached = list(context.batches())
        busy = []

        def more(*_):
            if not busy:
                busy.append(1)
                by_hand(model, cached, 1)

        handle = register_optimizer_step_pre_hook(more)
        try:
            context.earlier(1)
        finally:
            handle.remove()


class SearchesInAThread(_Cheat):
    """Forward passes alone, where nobody looks."""

    def train_more(self, model, context):
        images, labels = next(iter(context.batches()))

        def work():
            with torch.no_grad(), contextlib.suppress(Exception):
                for _ in range(3000):
                    F.cross_entropy(model(images), labels)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()


class TwoLives(PruningMethod):
    """Trains by hand in the first of the two runs that a one-shot method gets under S4.2, and keeps the weights."""

    def prune(self, model, context):
        import builtins

        if hasattr(builtins, "kept_weights"):
            raise RuntimeError("it remembers its first life")
        by_hand(model, list(context.batches()), context.pruning_epochs)
        builtins.kept_weights = {key: value.clone() for key, value in model.state_dict().items()}
        return l1(context, model.eval())
