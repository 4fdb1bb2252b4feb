"""Submissions that go wrong, each in its own way. Loaded by path; never imported by a test."""

import os
import time
from pathlib import Path

import torch

from prunemark.benchmark.method import Decision, FilterCriterion, PruningMethod, WeightCriterion, setting


class Fine(FilterCriterion):
    """L2 norm, with a setting."""

    power: float = setting(2.0, "which norm")

    def score(self, layer, context):
        return layer.weight.flatten(1).abs().pow(self.power).sum(dim=1)


class SameAsFine(Fine):
    """The same criterion under another name."""

    def score(self, layer, context):
        return layer.weight.flatten(1).abs().pow(self.power).sum(dim=1)


class Raises(FilterCriterion):
    def score(self, layer, context):
        raise RuntimeError("the Hessian is singular")


class WrongShape(FilterCriterion):
    def score(self, layer, context):
        return torch.ones(3)


class NotANumber(FilterCriterion):
    def score(self, layer, context):
        return torch.full((len(layer.weight),), float("nan"))


class NotATensor(FilterCriterion):
    def score(self, layer, context):
        return [1.0] * len(layer.weight)


class TooFewFilters(PruningMethod):
    def prune(self, model, context):
        return Decision({group.name: torch.arange(1) for group in context.groups}, {})


class NoFilters(PruningMethod):
    def prune(self, model, context):
        return Decision({group.name: torch.arange(0) for group in context.groups}, {})


class OtherLayer(PruningMethod):
    def prune(self, model, context):
        return Decision({"stem": torch.arange(4)}, {})


class ReturnsNothing(PruningMethod):
    def prune(self, model, context):
        return None


class ReplacesTheModel(PruningMethod):
    """Leaves weights of another shape in the model."""

    def prune(self, model, context):
        model.stem = torch.nn.Conv2d(1, 16, 3)
        return context.decide({g: g.layer(model).weight.flatten(1).sum(1) for g in context.groups})


class Hangs(FilterCriterion):
    def score(self, layer, context):
        while True:
            time.sleep(1)


class Exits(FilterCriterion):
    def score(self, layer, context):
        os._exit(0)


class OtherArguments(FilterCriterion):
    """Written for another interface."""

    def score(self, model, layer, group, context):
        return layer.weight.flatten(1).norm(dim=1)


class Kills(FilterCriterion):
    def score(self, layer, context):
        os.kill(os.getpid(), 9)


class EatsMemory(FilterCriterion):
    def score(self, layer, context):
        self.hoard = [torch.ones(2**28) for _ in range(40)]
        return torch.ones(len(layer.weight))


class TooManyEpochs(PruningMethod):
    def prune(self, model, context):
        context.train(model, epochs=10_000, lr="0:1e-2")


class Trains(PruningMethod):
    """Network slimming in short: an L1 penalty on the BN scales, then a global ranking by them."""

    epochs: int = setting(1, "epochs of sparse training")

    def prune(self, model, context):
        scales = {group: group.batch_norm(model).weight for group in context.groups}
        context.train(
            model,
            epochs=self.epochs,
            lr="0:1e-2",
            penalty=lambda: 1e-3 * sum(s.abs().sum() for s in scales.values()),
        )
        return context.decide({group: s.abs() for group, s in scales.items()}, allocation="global")


class UsesData(PruningMethod):
    """Mean absolute activation of each filter over one pass of the training data."""

    def prune(self, model, context):
        sums = {group: torch.zeros(group.size) for group in context.groups}

        def adding(group):
            def hook(module, inputs, output):
                sums[group] += output.abs().mean(dim=(0, 2, 3))

            return hook

        handles = [group.layer(model).register_forward_hook(adding(group)) for group in context.groups]
        with torch.no_grad():
            for images, _ in context.batches():
                model(images)
        for handle in handles:
            handle.remove()
        return context.decide(sums)


class Chatty(FilterCriterion):
    def score(self, layer, context):
        print("hello from the submission")
        Path("note.txt").write_text("a file in the scratch folder")
        return layer.weight.flatten(1).abs().sum(dim=1)


class FineWeights(WeightCriterion):
    def score(self, layer, context):
        return layer.weight.abs()


class RaisesWeights(WeightCriterion):
    def score(self, layer, context):
        raise ValueError("no weights today")


class NotAMethod:
    pass


class Abstract(FilterCriterion):
    pass


class ClaimsAFullDisk(FilterCriterion):
    def score(self, layer, context):
        raise OSError(28, "No space left on device")
