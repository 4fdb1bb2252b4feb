"""A pruning stage for tests of methods: the real context and meter on a few random images, without a store."""

import contextlib
import dataclasses
from types import SimpleNamespace

import torch

from prunemark.benchmark.compression.sparsity import choose_pattern, choose_weights
from prunemark.benchmark.images.data import Images
from prunemark.benchmark.metering.meter import Meter
from prunemark.benchmark.metering.watch import watching
from prunemark.benchmark.method import Decision, Group, Target
from prunemark.benchmark.networks import cost
from prunemark.benchmark.networks.registry import build_network
from prunemark.benchmark.training.loop import train
from prunemark.benchmark.training.seeds import derive_seed
from prunemark.benchmark.trial import pruning
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.setups.budget import budget_for
from prunemark.setups.comparison import SETUPS
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.track_files import find_track

SHORT = Recipe(lr=parse_schedule("0:1e-1,1:1e-2", 2), batch_size=32)


def short_track(name="digits-resnet8-weights", **changes):
    """A released track whose stages last two epochs, in batches of 32."""
    changes = {"pretraining": SHORT, "pruning": SHORT, "retraining": SHORT, "pruning_epochs_limit": 6} | changes
    return dataclasses.replace(find_track(name), name="short", **changes)


def random_images(examples=128, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(examples, 1, 8, 8, generator=generator)
    return Images(images, torch.arange(examples) % 10, 10, 0.0)


@contextlib.contextmanager
def stage(track=None, setup="S3.2", level=None, seed=0, trained=False):
    """Yields the base model, what a submission sees, and the meter. The base is random or trained."""
    track, data = track or short_track(), random_images()
    level = track.levels[0] if level is None else track.level(level)
    held = SETUPS[setup]
    budget = budget_for(track, held, level, "pruned")
    trial = Trial(track, level, held, seed, Entrant("x", "pruned", "submission", None, ()), budget, "cpu", 60.0)
    model = build_network(track.network, data.shape, derive_seed(seed, "base"))
    if trained:
        model = model.to(memory_format=torch.channels_last)
        train(model, data, budget.pretraining, seed=seed, stream="pretraining", meter=Meter(0))
    meter = Meter(cost.count(model, data.shape).macs, pruning.grant_of(trial, len(data)))
    with watching(meter, track.pruning.batch_size) as watch:
        with watch.paused():
            base = {name: value.clone() for name, value in model.state_dict().items()}
            context = pruning._context(trial, model, data, None, meter, watch, base)
        yield model.eval(), context.view(), meter


def small_context(model, layers, sparsity=0.5, batches=(), seed=0, pattern=None, image_shape=(1, 1, 1)):
    """A context by hand, for networks small enough to work out: it decides, removes and hands out the given batches."""
    groups = tuple(Group(name, model.get_submodule(name).weight.numel()) for name in layers)

    def decide(scores, allocation="uniform", share=1.0):
        by_name = {group.name: values.detach().double() for group, values in scores.items()}
        if pattern:
            return Decision({}, choose_pattern(by_name, pattern, share, allocation))
        return Decision({}, choose_weights(by_name, share * sparsity, allocation))

    def remove(network, decision):
        with torch.no_grad():
            for name, mask in decision.masks.items():
                network.get_submodule(name).weight.mul_(mask)

    return SimpleNamespace(
        groups=groups, target=Target("x", None, sparsity, pattern), decide=decide, remove=remove,
        batches=lambda epochs=1: iter(batches), generator=torch.Generator().manual_seed(seed), exact=False,
        lr_imposed=False, pruning_epochs=60, steps_per_epoch=4, image_shape=image_shape,
    )  # fmt: skip


def kept(decision):
    """How many weights stay in each layer."""
    return {name: int(mask.sum()) for name, mask in decision.masks.items()}
