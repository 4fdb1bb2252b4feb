"""Running the paper's grids on a track: every row and ratio a trial, every common beginning trained once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from prunemark.benchmark.run.drive import Executor
from prunemark.benchmark.run.entrants import describe_methods
from prunemark.benchmark.run.home import Home
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.records.controls import REFERENCES
from prunemark.setups.budget import Budget, generated
from prunemark.setups.errors import InputError
from prunemark.setups.paper_tables import CAP, SCRATCH, Grid, PaperRow, scaled
from prunemark.setups.recipe import Recipe
from prunemark.setups.track import Level, Track

EPOCHS_IN_EIGHTHS = 8  # the paper's pruning epochs are eighths of its 120: they stay whole epochs


def factor_for(track: Track, grid: Grid) -> float:
    """How many epochs of the track one epoch of the paper is."""
    if grid.dense_run is None:
        return track.retraining.epochs / grid.rows[0].retraining.epochs
    if grid.dense_run.epochs != SCRATCH.epochs:
        return track.pretraining.epochs / grid.dense_run.epochs
    total = track.pretraining.epochs + track.retraining.epochs
    return max(total // EPOCHS_IN_EIGHTHS, 1) * EPOCHS_IN_EIGHTHS / grid.dense_run.epochs


def levels_for(track: Track, ratios: Sequence[float]) -> tuple[Level, ...]:
    """The grid's ratios as levels of this track: the speed-up is the one that the ratio gives in every layer."""
    if track.granularity == "weight":
        return tuple(Level(f"{100 * ratio:g}%", ratio) for ratio in ratios)
    from prunemark.benchmark.compression.budget_solver import uniform_counts
    from prunemark.benchmark.compression.surgery import cost_model
    from prunemark.benchmark.images.datasets import DATASETS
    from prunemark.benchmark.networks.registry import build_network

    shape = DATASETS[track.dataset].shape
    cost = cost_model(build_network(track.network, shape, 0), track, shape)
    kept = [uniform_counts(cost.sizes, ratio, None, cost.steps, cost.least) for ratio in ratios]
    speedups = [cost.dense_macs / cost.macs(counts) for counts in kept]
    return tuple(Level(f"{100 * r:g}%", r, round(speedup, 6)) for r, speedup in zip(ratios, speedups, strict=True))


def grid_trials(
    grid: Grid, track: Track, seeds: Sequence[int], device: str, home: Home, executor: Executor
) -> tuple[Trial, ...]:
    """All trials of a grid. Where a row names no method, it is pruned by the track's anchor: L1-norm, or magnitude.

    Raises InputError for a track of single weights where rows name methods that prune filters.
    """
    if track.granularity == "weight" and any(row.method for row in grid.rows):
        raise InputError(f"{grid.id} compares methods that prune filters, and {track.id} prunes single weights")
    names = dict.fromkeys(row.method or track.anchor for row in grid.rows)
    sources = {name: locate(name)[1] for name in names}
    described = describe_methods(sources, home, executor)
    levels, factor = levels_for(track, grid.ratios), factor_for(track, grid)
    trials = []
    for seed in seeds:
        for row in grid.rows:
            name = row.method or track.anchor
            source, what = sources[name], described[name]
            settings = tuple(what.with_settings({}).items())
            for level in levels:
                entrant = Entrant(
                    f"{row.name} ({row.setup})", "scratch" if row.scratch else "pruned", "submission",
                    None if row.scratch else source, () if row.scratch else settings, track.granularity,
                    summary=REFERENCES["scratch"].summary if row.scratch else what.summary,
                )  # fmt: skip
                budget = row_budget(row, grid, track, level, factor)
                limit = track.pruning_seconds_limit
                trials.append(Trial(track, level, row.run_under, seed, entrant, budget, device, limit))
    return tuple(trials)


def row_budget(row: PaperRow, grid: Grid, track: Track, level: Level, factor: float) -> Budget:
    """One row at one ratio, in the track's epochs."""
    dense_run = replace(track.pretraining, lr=scaled(grid.dense_run, factor)) if grid.dense_run else track.pretraining
    prune_at = round(row.prune_at * factor) if grid.dense_run else dense_run.epochs
    lr = scaled(row.retraining, factor)
    if "total_flops" in row.run_under.factors:
        speedup = level.speedup or 1.0
        total = dense_run.epochs
        prune_at = round(prune_at / speedup)
        left = max(1, round(total - prune_at * speedup))
        lr = generated(row.retraining.initial, row.retraining.final, left, round(CAP * factor))
    retraining: Recipe = replace(track.retraining, lr=lr)
    epochs, scoring = (track.pruning_epochs_limit, track.scoring_epochs_limit) if row.method else (0, 0)
    return Budget(
        dense_run, prune_at, pruning_epochs=epochs, pruning_exact=False, pruning_lr=None,
        scoring_epochs=scoring, reference=retraining, retraining=retraining,
    )  # fmt: skip
