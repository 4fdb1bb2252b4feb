"""Submissions that train or search where the meter has to be carried along to see it."""

import contextlib
import threading

import torch
from submissions.evasions import _Cheat, by_hand, l1
from torch import nn
from torch.nn import functional as F
from torch.optim.optimizer import register_optimizer_step_pre_hook

from prunemark.benchmark.method import PruningMethod


class _InEarlier(_Cheat):
    """Trains while the harness trains an earlier checkpoint for it."""

    def train_more(self, model, context):
        cached, busy = list(context.batches()), []

        def more(*_):
            if not busy:
                busy.append(1)
                by_hand(model, cached, 1)

        handle = self.hook(more)
        try:
            context.earlier(1)
        finally:
            handle.remove()


class TrainsInEarlier(_InEarlier):
    """In a hook on all modules."""

    hook = staticmethod(nn.modules.module.register_module_forward_pre_hook)


class HookOnTheCheckpoint(_InEarlier):
    """In what every optimiser does before it steps."""

    hook = staticmethod(register_optimizer_step_pre_hook)


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
