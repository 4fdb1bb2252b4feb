"""`prunemark.debug`: a method's `prune` in this process, with prints, breakpoints and a real context."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch

from prunemark.benchmark.compression import surgery
from prunemark.benchmark.images.data import Images, load_split, tensor_dict
from prunemark.benchmark.metering.meter import Meter
from prunemark.benchmark.method import Decision, PruningMethod
from prunemark.benchmark.networks import cost
from prunemark.benchmark.networks.given_weights import load_given
from prunemark.benchmark.networks.registry import build_network
from prunemark.benchmark.run.check import SMALL_TRACK
from prunemark.benchmark.run.home import home_at
from prunemark.benchmark.run.own_parts import with_network
from prunemark.benchmark.sandbox.run_folder import process_folder
from prunemark.benchmark.submission.load import load_class
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.training.loop import train
from prunemark.benchmark.training.seeds import derive_seed
from prunemark.benchmark.trial.given_base import normalised_by
from prunemark.benchmark.trial.own_data import prepared, with_images
from prunemark.benchmark.trial.plan import runs_on, what_it_prunes
from prunemark.benchmark.trial.pruned import check_finite, check_target, counts_of, layer_weight
from prunemark.benchmark.trial.pruning import made, run_method
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.benchmark.trial.weight_files import find_weights
from prunemark.setups.budget import Own, budget_for
from prunemark.setups.comparison import find_setup
from prunemark.setups.data_classes import recipe_for, recipes_of
from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.given_base import BASES, base_of
from prunemark.setups.own_parts import is_own_dataset
from prunemark.setups.schedule import from_vector
from prunemark.setups.track import Track
from prunemark.setups.track_files import find_track

if TYPE_CHECKING:
    from torch import nn

    from prunemark.records.outcome import MeteredStage

MOST_IMAGES = 1024
NOTHING_COUNTS = "Nothing of this counts: the base model is hardly trained, and prune ran in your own process."


@dataclass(frozen=True, repr=False)
class DebugRun:
    """What `prune` decided and what was metered. `kept` and `total` are filters, or weights, of each layer.

    `model` is the base model with the weights that `prune` left in it; nothing is removed from it.
    """

    decision: Decision
    model: nn.Module
    metered: MeteredStage
    kept: Mapping[str, int]
    total: Mapping[str, int]
    speedup_macs: float
    prune_seconds: float
    where: str

    @property
    def text(self) -> str:
        """A few lines for a reader."""
        left, all_of_them = sum(self.kept.values()), sum(self.total.values())
        layers = ", ".join(f"{name} {kept}/{self.total[name]}" for name, kept in self.kept.items())
        return (
            f"{self.where}\nkept {left} of {all_of_them} ({layers})\n"
            f"speed-up {self.speedup_macs:.2f}x in MACs; {self.metered.epochs} epochs and {self.metered.steps} steps "
            f"trained, {self.metered.scoring_epochs} passes that train nothing; {self.prune_seconds:.2f} s\n"
            f"{NOTHING_COUNTS}\n"
        )

    def __repr__(self) -> str:
        return self.text


def debug(
    method: type[PruningMethod] | str,
    track: str | None = None,
    level: str | None = None,
    *,
    setup: str = "S3.2",
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    base_epochs: int = 1,
) -> DebugRun:
    """Runs `prune` here, so that `print` and `breakpoint()` in it work; nothing of it counts and nothing is stored.

    The context is that of a trial: it meters, grants a budget and meets the target. The base model is trained for
    `base_epochs` epochs [1; 0: not at all] on at most 1,024 images of the training split; one that the track gives is
    read, from the home that $PRUNEMARK_HOME names or where else its file lies. `track` is by default a
    small one of the method's granularity, `level` its first one. Not covered: what a trial's process forbids.

    Raises whatever `prune` raises, with your traceback; BudgetExceeded and TargetMissed as a trial would;
    InputError for an unknown track, level, setup or setting.
    """
    cls = load_class(locate(method)[1]) if isinstance(method, str) else method
    found = find_track(track or SMALL_TRACK[cls.granularity])
    if found.own is not None:  # its code runs in this process, as the method does
        store = Store(process_folder() / "debug")
        found = with_network(found, store)
        found = with_images(found, store)[0] if is_own_dataset(found.dataset) else found
    if not runs_on(cls.granularity, found):
        what = f"{cls.__name__} {what_it_prunes(cls.granularity)}, and {found.id} {what_it_prunes(found.granularity)}"
        raise InputError(f"{what}. Choose another track, such as {SMALL_TRACK[cls.granularity]}")
    at, held = found.level(level) if level else found.levels[0], find_setup(setup)
    names = [each.name for each in fields(cls) if each.init]  # type: ignore[arg-type]
    for name in settings or ():
        if name not in names:
            raise unknown_name(f"setting of {cls.__name__}", name, names)
    budget = budget_for(found, held, at, "pruned", _own(cls, found.class_of_data))
    entrant = Entrant(cls.__name__, "pruned", "submission", None, (), cls.granularity)
    trial = Trial(found, at, held, seed, entrant, budget, "cpu", found.pruning_seconds_limit)
    base_words = "base given" if found.base else f"base trained {base_epochs} epochs"
    where = f"{cls.__name__} on {found.id} at {at.name} under {held.id}, seed {seed}, {base_words}"
    print(f"prunemark.debug: {where}. {NOTHING_COUNTS}")
    with torch.random.fork_rng(devices=[]):
        data = _images(found)
        base = _base(found, data, seed, base_epochs)
        began = perf_counter()
        model, decision, metered = run_method(
            trial, tensor_dict(base.state_dict()), data, None, lambda: made(cls, settings or {}), hidden=False
        )
        seconds = perf_counter() - began
    check_finite(model.state_dict())
    pruned = surgery.rebuild(found, data.shape, tensor_dict(model.state_dict()), decision, 0)
    check_target(trial, decision, data.shape, None)
    speedup = cost.count(base, data.shape).macs / cost.count(pruned, data.shape).macs
    kept = counts_of(decision)
    if found.of_filters:
        total = surgery.sizes_of(base, found, data.shape)
    else:
        total = {name: layer_weight(base, name).numel() for name in kept}
    return DebugRun(decision, model, metered, kept, total, speedup, seconds, where)


def _own(cls: type[PruningMethod], dataset: str) -> Own:
    """What the class brings itself to a track of this dataset."""
    pretraining, retraining = (recipe_for(recipes_of(kind), dataset) for kind in (cls.pretraining, cls.retraining))
    return Own(pretraining, retraining, cls.prune_at, cls.pruning_share)


def _images(track: Track) -> Images:
    """The first images of the training split."""
    with tempfile.TemporaryDirectory(prefix="prunemark-debug-") as folder:
        split = prepared(track, Store(process_folder() / "debug"), Path(folder, "data"))
        data = load_split(track.dataset, split, "train", torch.device("cpu"), workers=0)
        if data.files is not None:
            raise InputError(
                f"{track.id} reads its images from files as it needs them. Choose a smaller track to debug"
            )
        return replace(data, images=data.images[:MOST_IMAGES].clone(), labels=data.labels[:MOST_IMAGES].clone())


def _base(track: Track, data: Images, seed: int, epochs: int) -> nn.Module:
    if given := base_of(track, seed):
        path = find_weights(track.network, given, home_at(None).root / BASES)
        return load_given(track.network, data.shape, given, path, *normalised_by(data))
    model = build_network(track.network, data.shape, derive_seed(seed, "base"))
    recipe = track.pretraining
    if epochs:
        short = replace(recipe, lr=from_vector(recipe.lr.vector[: min(epochs, recipe.epochs)]))
        train(model, data, short, seed=seed, stream="pretraining", meter=Meter(0))
    return model
