"""What a record must say to be of its setup: numbers that agree with each other, and the recipe that was imposed.

Hashes do not show this: whoever rewrites a record can hash it anew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from prunemark.records.outcome import MeteredStage, Outcome
from prunemark.setups.comparison import HARNESS_SETUPS, RECIPE, ComparisonSetup
from prunemark.setups.errors import InputError
from prunemark.setups.given_base import bases_from
from prunemark.setups.recipe import USUAL, recipe_from_dict
from prunemark.setups.schedule import parse_schedule

FLOPS_PER_MAC = 2
FLOPS_PER_SAMPLE_AND_MAC = 6  # two for each MAC of a forward pass and of a backward pass twice as dear
MOST_COUNTED = 10**24
"""FLOPs, steps, weights: more than any count of a trial on any machine."""


def contradiction(outcome: Outcome) -> str:
    """What cannot be true of an executed trial, in words; "" where nothing is wrong.

    The retraining stage must have followed its recipe, every stage must have the steps that its batches make, and the
    recipe must be the track's wherever the setup imposes it. Of a setup that is not known here nothing is said.
    """
    if name := _too_large(outcome):
        return f"has a {name.replace('_', ' ')} that no trial has"
    stage, cost, setup = outcome.retraining, outcome.compression, HARNESS_SETUPS.get(outcome.setup)
    if outcome.status != "ok" or stage is None or cost is None or setup is None:
        return ""
    stated = outcome.retraining_recipe or {}
    base = outcome.base.pretraining if outcome.base else None
    try:
        recipe = recipe_from_dict(stated | {"lr": "1", "epochs": 1})
        lr = _vector(str(stated.get("lr")), stage.epochs)
    except InputError as problem:
        return f"has a retraining recipe that cannot be: {str(problem).splitlines()[0]}"
    if missing := sorted((RECIPE - USUAL.keys() | {"epochs", "lr"}) - stated.keys()):
        return f"does not state the {' and '.join(missing).replace('_', ' ')} of its retraining"
    if stated["epochs"] != stage.epochs or not _same_lrs(lr, stage.lr):
        return "was not retrained by the epochs and the LR schedule that its recipe states"
    return (
        _other_recipe(setup, stated, outcome.track_terms.get("retraining"))
        or _other_meter("retraining", stage, recipe.batch_size, cost.macs, cost.dense_macs * bool(recipe.distillation))
        or _given(outcome)
        or (base and _base(setup, base, outcome.track_terms, cost.dense_macs))
        or (outcome.pruning and _pruning(outcome.pruning, stage, outcome.track_terms))
        or ""
    )


def _too_large(outcome: Outcome) -> str:
    """A count that a float cannot hold ends a sum over records; "" where there is none."""
    base = outcome.base.pretraining if outcome.base else None
    parts = (outcome.compression, base, outcome.pruning, outcome.retraining)
    counts = ((name, value) for part in parts if part for name, value in vars(part).items())
    return next((name for name, value in counts if type(value) is int and abs(value) > MOST_COUNTED), "")


def _same_lrs(a: Sequence[float], b: Sequence[float]) -> bool:
    """A cosine may differ in its last bits where it was computed by another library."""
    return a == b or (len(a) == len(b) and all(map(math.isclose, a, b)))


@lru_cache(maxsize=4096)
def _vector(lr: str, epochs: int) -> tuple[float, ...]:
    return parse_schedule(lr, epochs).vector


def _other_recipe(setup: ComparisonSetup, stated: Mapping[str, Any], track: Any) -> str:
    if setup.own_retraining_lr or not isinstance(track, Mapping):
        return ""
    whole, whole_track = USUAL | dict(stated), USUAL | dict(track)
    pairs = {name: (whole.get(name), whole_track.get(name)) for name in sorted(RECIPE)}
    found = [f"{name.replace('_', ' ')} {here}, not {there}" for name, (here, there) in pairs.items() if here != there]
    return (
        f"ran under {setup.id}, which imposes the track's recipe, with another one: {', '.join(found)}" if found else ""
    )


def _other_meter(name: str, stage: MeteredStage, batch_size: int, macs: int, teacher_macs: int = 0) -> str:
    """Whether steps and FLOPs are those of so many images, in batches of this size, through a network of these MACs.

    And forward through a teacher of those MACs.
    """
    if stage.epochs != len(stage.lr) or (stage.epochs and stage.samples % stage.epochs):
        return f"says {stage.epochs} epochs of {name}, {len(stage.lr)} LRs and {stage.samples} images"
    images = stage.samples // max(stage.epochs, 1)
    steps = stage.epochs * -(-images // batch_size)
    if stage.steps != steps:
        return (
            f"says {stage.steps} optimiser steps of {name}; {stage.epochs} epochs of {images} images in batches of "
            f"{batch_size} are {steps}"
        )
    if stage.train_flops != stage.samples * (FLOPS_PER_SAMPLE_AND_MAC * macs + FLOPS_PER_MAC * teacher_macs):
        return f"says {stage.train_flops:.4g} training FLOPs of {name}, which its images and MACs do not make"
    return ""


def _base(setup: ComparisonSetup, base: MeteredStage, terms: Mapping[str, Any], dense_macs: int) -> str:
    batch_size = _batch_size(terms, "pretraining")
    return "" if setup.own_base or batch_size is None else _other_meter("pretraining", base, batch_size, dense_macs)


def _given(outcome: Outcome) -> str:
    """Whether the base is the one that the track gives, and is as it states; and was trained where it gives none."""
    base, stated = outcome.base, outcome.track_terms.get("base")
    if stated is None or base is None:
        return "says that its base model was given, which its track does not state" if base and base.given else ""
    try:
        bases = bases_from(stated)
    except InputError as problem:
        return f"states a base model that cannot be: {str(problem).splitlines()[0]}"
    if len(bases) > 1 and not 0 <= outcome.seed < len(bases):
        return f"is of seed {outcome.seed}; its track gives {len(bases)} base models"
    given = bases[0 if len(bases) == 1 else outcome.seed]
    if (base.given, base.file_sha256) != (given.name, given.sha256) or base.pretraining.epochs:
        return f"did not start from the base model that its track gives, {given.name} {given.sha256[:12]}"
    if abs(base.test_percent - given.top1_percent) > given.tolerance_pp + 1e-9:
        return f"has a given base of {base.test_percent:.2f} %, where its track states {given.top1_percent:g} %"
    return ""


def _pruning(pruning: MeteredStage, retraining: MeteredStage, terms: Mapping[str, Any]) -> str:
    """A method may take fewer steps than its epochs have batches, and no more."""
    batch_size = _batch_size(terms, "pruning")
    if pruning.epochs != len(pruning.lr):
        return f"says {pruning.epochs} pruning epochs and {len(pruning.lr)} LRs"
    if batch_size is None or not retraining.epochs:
        return ""
    images = retraining.samples // retraining.epochs + 1  # a last batch of one image is not handed out
    most = pruning.epochs * -(-images // batch_size)
    if pruning.steps > most:
        return (
            f"says {pruning.steps} optimiser steps in {pruning.epochs} pruning epochs; batches of {batch_size} "
            f"make at most {most}"
        )
    return ""


def _batch_size(terms: Mapping[str, Any], stage: str) -> int | None:
    """As the track's terms in the record state it; None where they do not."""
    recipe = terms.get(stage)
    size = recipe.get("batch_size") if isinstance(recipe, Mapping) else None
    return size if isinstance(size, int) and size > 0 else None
