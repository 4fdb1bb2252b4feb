"""Submissions that let another library cut or mask, and hand back what it left. Loaded by path."""

import copy

import torch
import torch_pruning as tp
from torch.nn.utils import prune as masks

from prunemark.benchmark.method import Decision, PruningMethod


def cut(model, context, also=()):
    """As torch-pruning's own examples do it."""
    prunable = {group.layer(model) for group in context.groups} | {model.get_submodule(name) for name in also}
    others = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear) and m not in prunable]
    example = torch.zeros(1, *context.image_shape)
    pruner = tp.pruner.MetaPruner(
        model, example, importance=tp.importance.GroupMagnitudeImportance(), pruning_ratio=0.5, ignored_layers=others
    )
    pruner.step()


class CutInPlace(PruningMethod):
    def prune(self, model, context):
        cut(model, context)
        return Decision.from_pruned(model)


class CutACopy(PruningMethod):
    """Goes on with the whole network: decision in hand, it is trained with the filters held at zero."""

    def prune(self, model, context):
        small = copy.deepcopy(model)
        cut(small, context)
        decision = Decision.from_pruned(small)
        context.train(model, epochs=1, keep=decision)
        return decision


class CutAfterTraining(PruningMethod):
    def prune(self, model, context):
        context.train(model, epochs=1)
        cut(model.eval(), context)
        return Decision.from_pruned(model)


class ReturnsTheModel(PruningMethod):
    def prune(self, model, context):
        cut(model, context)
        return model


class CutAndScored(PruningMethod):
    """Cuts, and then returns a decision about the whole network."""

    def prune(self, model, context):
        scores = {group: group.layer(model).weight.detach().flatten(1).norm(dim=1) for group in context.groups}
        decision = context.decide(scores)
        cut(model, context)
        return decision


class CutTooMuch(PruningMethod):
    def prune(self, model, context):
        cut(model, context, also=["stem", "blocks.0.shortcut", "blocks.0.conv2"])
        return Decision.from_pruned(model)


class CutAndTuned(PruningMethod):
    def prune(self, model, context):
        cut(model, context)
        with torch.no_grad():
            model.classifier.weight.mul_(1.5)
        return Decision.from_pruned(model)


class TunedAfterwards(PruningMethod):
    def prune(self, model, context):
        cut(model, context)
        decision = Decision.from_pruned(model)
        with torch.no_grad():
            model.classifier.weight.mul_(1.5)
        return decision


class Twins(PruningMethod):
    """All filters of a layer are equal: nobody can tell which of them stayed."""

    def prune(self, model, context):
        layer = context.groups[0].layer(model)
        with torch.no_grad():
            layer.weight.copy_(torch.zeros_like(layer.weight))
        context.remove(model, Decision({}, {}))
        context.train(model, epochs=0)
        cut(model, context)
        return Decision.from_pruned(model)


class Masked(PruningMethod):
    granularity = "weight"

    def prune(self, model, context):
        layers = [(group.layer(model), "weight") for group in context.groups]
        masks.global_unstructured(layers, masks.L1Unstructured, amount=context.target.sparsity)
        return Decision.from_masks(model)


class MaskedFilters(PruningMethod):
    def prune(self, model, context):
        for group in context.groups:
            masks.ln_structured(group.layer(model), "weight", amount=0.5, n=1, dim=0)
        return Decision.from_masks(model)


class MaskedInParts(PruningMethod):
    def prune(self, model, context):
        for group in context.groups:
            masks.l1_unstructured(group.layer(model), "weight", amount=0.5)
        return Decision.from_masks(model)


class MaskLeft(PruningMethod):
    def prune(self, model, context):
        scores = {group: group.layer(model).weight.detach().flatten(1).norm(dim=1) for group in context.groups}
        masks.ln_structured(context.groups[0].layer(model), "weight", amount=0.5, n=1, dim=0)
        return context.decide(scores)


class NoMasks(PruningMethod):
    def prune(self, model, context):
        return Decision.from_masks(model)
