"""Two answers to recipes that come with methods: crossing them, and tuning all methods equally."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from prunemark.benchmark.run.drive import Executor
from prunemark.benchmark.run.entrants import describe_methods, entrants
from prunemark.benchmark.run.home import Home
from prunemark.benchmark.run.renamed import locate_here
from prunemark.benchmark.submission.names import check_name
from prunemark.benchmark.trial.plan import Request, check_granularity, make_trials
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.setups.budget import Own
from prunemark.setups.comparison import SETUPS, TUNED
from prunemark.setups.errors import InputError
from prunemark.setups.recipe import OwnRecipe, Recipe
from prunemark.setups.schedule import cosine
from prunemark.setups.track import Track

MAX_CONFIGURATIONS = 100


def crossed_name(method: str, recipe: str) -> str:
    """The name of a method retrained by another one's recipe, as the paper writes it."""
    return f"{method} + FT({recipe})"


def cross_trials(a: str, b: str, request: Request, home: Home, executor: Executor) -> tuple[Trial, ...]:
    """A and B, each retrained by its own recipe and by the other's, on the same seeds (the paper, section 5).

    A method that declares no recipe brings the track's. Raises InputError when both bring the same one.
    """
    sources = dict(locate_here(spec, home.store) for spec in (a, b))
    if len(sources) < 2:
        raise InputError(f"two different methods are crossed; given {a!r} twice")
    for name, source in sources.items():
        check_name(name, source)
    described = describe_methods(sources, home, executor, request.isolation)
    for what in described.values():
        check_granularity(request.track, what.name, what.granularity)
    recipes = {
        name: _recipe_of(what.own_on(request.track.class_of_data).retraining, request.track)
        for name, what in described.items()
    }
    if len({str(recipe) for recipe in recipes.values()}) == 1:
        raise InputError(
            f"both retrain by the same recipe ({next(iter(recipes.values())).lr}): there is nothing to cross"
        )
    pairs = [
        Entrant(
            crossed_name(method, owner), "pruned", "submission", sources[method],
            tuple(described[method].with_settings({}).items()), described[method].granularity,
            Own(retraining=_declared(recipes[owner])), described[method].summary,
        )
        for method, owner in product(sources, sources)
    ]  # fmt: skip
    return make_trials(replace(request, setup=SETUPS["S2"]), pairs[0], pairs[1:])


def _recipe_of(own: OwnRecipe | None, track: Track) -> Recipe:
    return own.over(track.retraining) if own else track.retraining


def _declared(recipe: Recipe) -> OwnRecipe:
    return OwnRecipe(
        recipe.epochs, str(recipe.lr), recipe.batch_size, recipe.momentum, recipe.weight_decay, recipe.label_smoothing
    )


def configurations(track: Track, count: int) -> tuple[Recipe, ...]:
    """The LR configurations that every method may try: cosine over the imposed epochs to the track's final LR,

    from initial LRs evenly spaced in log10 between the track's initial LR and its final one. Raises InputError
    for fewer than two or more than 100.
    """
    if not 2 <= count <= MAX_CONFIGURATIONS:
        raise InputError(f"--configurations is 2 to {MAX_CONFIGURATIONS}; given {count}")
    lr = track.retraining.lr
    high, low = math.log10(lr.initial), math.log10(lr.final)
    initial = [float(f"{10 ** (high + (low - high) * index / (count - 1)):.3g}") for index in range(count)]
    return tuple(replace(track.retraining, lr=cosine(first, lr.final, lr.epochs)) for first in initial)


def tuning_trials(
    method: str, settings: dict[str, str], request: Request, count: int, home: Home, executor: Executor
) -> tuple[Entrant, tuple[Trial, ...]]:
    """The submission and its pruned controls, each with the same configurations to choose from."""
    recipes = configurations(request.track, count)
    submission, controls = entrants(method, settings, request, home, executor)
    pruned: Sequence[Entrant] = [control for control in controls if control.kind == "pruned"]
    trials = make_trials(replace(request, setup=TUNED), submission, pruned)
    return submission, tuple(replace(trial, tuning=recipes) for trial in trials)
