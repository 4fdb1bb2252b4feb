"""Attacks by the decision and the weights themselves: numbers, tensors and objects that are not what they seem."""

import torch
from tools import honest, won
from torch import nn

from prunemark import Decision, PruningMethod


class MoreFilters(PruningMethod):
    """Rule: a subnetwork of the base model. Won: filters that do not exist are kept."""

    def prune(self, model, context):
        return Decision({group.name: torch.arange(group.size + 5) for group in context.groups}, {}, "won")


class SameFilterTwice(PruningMethod):
    """Rule: a subnetwork of the base model. Won: one filter is kept many times, and counts as many."""

    def prune(self, model, context):
        kept = honest(context, model).kept
        return Decision({name: torch.zeros_like(index) for name, index in kept.items()}, {}, "won")


class KeepsAll(PruningMethod):
    """Rule: the level's compression. Won: nothing is pruned."""

    def prune(self, model, context):
        return Decision({group.name: torch.arange(group.size) for group in context.groups}, {}, "won")


class NegativeVariance(PruningMethod):
    """Rule: no number of a child ends a run. Won: the harness's own arithmetic fails on a batch norm."""

    def prune(self, model, context):
        with torch.no_grad():
            for module in model.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.running_var.fill_(-1)
                    module.num_batches_tracked.fill_(-1)
        return won(honest(context, model))


class WeightsThatAreNone(PruningMethod):
    """Rule: weights are finite. Won: NaN weights are retrained, or end the run."""

    def prune(self, model, context):
        kept = honest(context, model)
        with torch.no_grad():
            next(model.parameters()).fill_(float("nan"))
        return won(kept)


class WeightsBeyondMeasure(PruningMethod):
    """Rule: the LR is the setup's. Won: weights so large that the retraining no longer moves them."""

    def prune(self, model, context):
        with torch.no_grad():
            for module in model.modules():
                if isinstance(module, nn.Conv2d):
                    module.weight.mul_(300)
                if isinstance(module, nn.BatchNorm2d):
                    module.running_mean.mul_(300)
                    module.running_var.mul_(300**2)
        return won(honest(context, model))


class ScoresThatAreNone(PruningMethod):
    """Rule: scores are numbers. Won: an order that depends on how the machine sorts NaN."""

    def prune(self, model, context):
        scores = {group: torch.full((group.size,), float("nan")) for group in context.groups}
        return won(context.decide(scores))


class TensorOfItsOwnKind(PruningMethod):
    """Rule: a decision is data. Won: a tensor whose methods are the submission's answers for the harness."""

    def prune(self, model, context):
        class Mine(torch.Tensor):
            @classmethod
            def __torch_function__(cls, function, types, args=(), kwargs=None):
                if function is torch.Tensor.tolist:
                    return list(range(10_000))
                return super().__torch_function__(function, types, args, kwargs or {})

            def tolist(self):
                return list(range(10_000))

        kept = honest(context, model).kept
        return Decision({name: index.as_subclass(Mine) for name, index in kept.items()}, {}, "won")


class DecisionOfItsOwnKind(PruningMethod):
    """Rule: a decision is data. Won: one that says something else each time it is read."""

    def prune(self, model, context):
        kept = honest(context, model)

        class Mine(Decision):
            @property
            def kept(self):
                return {}

            @kept.setter
            def kept(self, value):
                pass

        made = object.__new__(Mine)
        object.__setattr__(made, "masks", {})
        object.__setattr__(made, "allocation", "won")
        del kept
        return made


class NetworkOfItsOwnKind(PruningMethod):
    """Rule: narrow lanes have the harness's weights. Won: a state of other weights under the base model's hash."""

    def prune(self, model, context):
        real = type(model).state_dict
        kept = honest(context, model)
        first = {name: tensor.clone() for name, tensor in real(model).items()}
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(0.5)
        model.state_dict = lambda *_, **__: first
        return kept
