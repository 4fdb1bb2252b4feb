"""Submissions that try to train more than they are granted, each in its own way."""

import contextlib
import copy
import threading

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.optimizer import register_optimizer_step_pre_hook

from prunemark.benchmark.method import PruningMethod


def l1(context, model):
    return context.decide({g: g.layer(model).weight.flatten(1).abs().sum(1) for g in context.groups})


class _Cheat(PruningMethod):
    """Trains as far as it gets, and looks innocent."""

    def prune(self, model, context):
        with contextlib.suppress(Exception):  # the oldest trick: go on as if nothing had been said
            self.train_more(model, context)
        return l1(context, model.eval())


class CachesBatches(_Cheat):
    """One pass over the data, forty epochs of training on it."""

    def train_more(self, model, context):
        cached = list(context.batches())
        optimiser = torch.optim.SGD(model.parameters(), 0.01)
        model.train()
        for _ in range(40):
            for images, labels in cached:
                optimiser.zero_grad()
                F.cross_entropy(model(images), labels).backward()
                optimiser.step()


def by_hand(model, cached, passes):
    """No optimiser at all: the gradient is subtracted from `.data`."""
    model.train()
    for _ in range(passes):
        for images, labels in cached:
            model.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            for parameter in model.parameters():
                parameter.data -= 0.01 * parameter.grad


class StepsByHand(_Cheat):
    """Trains without an optimiser."""

    def train_more(self, model, context):
        by_hand(model, list(context.batches()), 40)


class AccumulatesGradients(_Cheat):
    """Few steps, many backward passes."""

    def train_more(self, model, context):
        cached = list(context.batches())
        optimiser = torch.optim.SGD(model.parameters(), 0.001)
        model.train()
        for _ in range(3):
            for _ in range(40):
                for images, labels in cached:
                    F.cross_entropy(model(images), labels).backward()
            optimiser.step()


class TrainsACopy(_Cheat):
    """The model that it was given stays untouched until the end."""

    def train_more(self, model, context):
        twin = copy.deepcopy(model)
        CachesBatches().train_more(twin, context)
        model.load_state_dict(twin.state_dict())


class FunctionalLayers(_Cheat):
    """Its own module that calls the functions of torch, and gradients by torch.autograd.grad."""

    def train_more(self, model, context):
        cached = list(context.batches())
        weights = [p for p in model.parameters() if p.dim() > 1]
        model.train()
        for _ in range(40):
            for images, labels in cached:
                loss = F.cross_entropy(model(images), labels)
                for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
                    weight.data.sub_(gradient, alpha=0.01)


class HidesInAHook(_Cheat):
    """Trains inside the callback of the harness's own loop."""

    def train_more(self, model, context):
        cached = list(context.batches())

        def more(step):
            for images, labels in cached * 5:
                model.zero_grad()
                F.cross_entropy(model(images), labels).backward()
                for parameter in model.parameters():
                    parameter.data -= 0.01 * parameter.grad

        context.train(model, epochs=1, after_step=more)


class CompiledNetwork(_Cheat):
    """A traced network runs outside Python, where no function of torch is seen."""

    def train_more(self, model, context):
        cached = list(context.batches())
        with torch._C.DisableTorchFunction():
            by_hand(model, cached, 60)


class SmallBatches(_Cheat):
    """One epoch by number of images, sixteen times the steps."""

    def train_more(self, model, context):
        optimiser = torch.optim.Adam(model.parameters(), 0.001)
        model.train()
        for images, labels in context.batches(3):
            for part, answers in zip(images.split(2), labels.split(2), strict=True):
                optimiser.zero_grad()
                F.cross_entropy(model(part), answers).backward()
                optimiser.step()


class AsksForMore(_Cheat):
    """Simply calls train too often."""

    def train_more(self, model, context):
        for _ in range(100):
            context.train(model, epochs=1)


class ReadsForever(_Cheat):
    """Every pass over the data is another look at it."""

    def train_more(self, model, context):
        for _ in context.batches(100):
            pass


class OwnOptimiser(PruningMethod):
    """Honest: one epoch with Adam on metered batches."""

    def prune(self, model, context):
        optimiser = torch.optim.Adam(model.parameters(), 0.002)
        model.train()
        for images, labels in context.batches():
            optimiser.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimiser.step()
        return l1(context, model.eval())


class Taylor(PruningMethod):
    """Honest: one pass for gradients, nothing trained."""

    def prune(self, model, context):
        for images, labels in context.batches():
            F.cross_entropy(model(images), labels).backward()
        scores = {}
        for group in context.groups:
            weight = group.layer(model).weight
            scores[group] = (weight.grad * weight).flatten(1).sum(1).abs().detach()
        return context.decide(scores)


class TrainsHalf(PruningMethod):
    """Uses some of the epochs that are imposed, not all."""

    def prune(self, model, context):
        context.train(model, epochs=1)
        return l1(context, model)


class TrainsAll(PruningMethod):
    """Sparse training for exactly the imposed epochs, in two calls."""

    def prune(self, model, context):
        norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
        first = context.pruning_epochs // 2
        for epochs in (first, context.pruning_epochs - first):
            context.train(model, epochs=epochs, penalty=lambda: 1e-4 * sum(n.weight.abs().sum() for n in norms))
        return l1(context, model)


class _InsideTheLoop(_Cheat):
    """Trains on cached batches whenever the harness's own loop makes a step."""

    def train_more(self, model, context):
        cached = list(context.batches())
        busy = []

        def more(*_):
            if not busy:
                busy.append(True)
                torch.set_grad_enabled(True)  # inside a hook of autograd it is off
                for images, labels in cached:
                    loss = F.cross_entropy(model(images), labels)
                    for p, g in zip(
                        model.parameters(), torch.autograd.grad(loss, list(model.parameters())), strict=True
                    ):
                        p.data -= 0.01 * g
                busy.clear()

        self.hook(model, more)
        context.train(model, epochs=1)


class ForwardHook(_InsideTheLoop):
    """By a hook on the model."""

    def hook(self, model, more):
        model.register_forward_pre_hook(more)


class GradientHook(_InsideTheLoop):
    """By a hook on a parameter."""

    def hook(self, model, more):
        next(model.parameters()).register_hook(more)


class OptimiserHook(_InsideTheLoop):
    """By a hook on all optimisers."""

    def hook(self, model, more):
        register_optimizer_step_pre_hook(more)


class ReplacedForward(_InsideTheLoop):
    """By another forward method."""

    def hook(self, model, more):
        forward = model.forward

        def both(images):
            more()
            return forward(images)

        model.forward = both


class TrainsInAThread(_Cheat):
    """What watches the functions of torch belongs to one thread."""

    def train_more(self, model, context):
        cached = list(context.batches())
        problems = []

        def work():
            try:
                by_hand(model, cached, 60)
            except Exception as problem:
                problems.append(problem)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()


class SearchesWithoutGradients(_Cheat):
    """An evolution strategy: forward passes alone."""

    def train_more(self, model, context):
        images, labels = next(iter(context.batches()))
        with torch.no_grad():
            best = F.cross_entropy(model(images), labels)
            for _ in range(3000):
                step = [0.001 * torch.randn_like(p) for p in model.parameters()]
                for parameter, change in zip(model.parameters(), step, strict=True):
                    parameter.add_(change)
                loss = F.cross_entropy(model(images), labels)
                if loss > best:
                    for parameter, change in zip(model.parameters(), step, strict=True):
                        parameter.sub_(change)
                best = min(best, loss)
