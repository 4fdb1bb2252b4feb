"""What a setup grants one entrant: the base model, the pruning stage, the retraining stage.

Epochs and LR schedules of every stage follow here from the track's terms, the factors that the setup holds equal
and what the method declares as its own (arXiv:2301.05219, Table 2 and appendix A). What cannot be run is refused
here, before anything runs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from prunemark.setups.comparison import TOTALS, ComparisonSetup, listed_where
from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.given_base import check_known_length
from prunemark.setups.harness_factors import HARNESS_FACTORS
from prunemark.setups.recipe import OwnRecipe, Recipe
from prunemark.setups.schedule import LRSchedule, format_lr, halving
from prunemark.setups.track import Level, Track


@dataclass(frozen=True)
class Own:
    """What a method brings itself: recipes, and how it spends an imposed total.

    `prune_at` is the epoch of the dense run at which it prunes, or, as a number below 1 that is not whole, the share of
    the total. `pruning_share` is the share of what is then left that its pruning stage may train in.
    """

    pretraining: OwnRecipe | None = None
    retraining: OwnRecipe | None = None
    prune_at: int | float | None = None
    pruning_share: float | None = None


OWN_NOTHING = Own()
LONG_EPOCHS = 64
"""Epochs that every number of LR stages fits into by halving."""


@dataclass(frozen=True)
class Budget:
    """The grant of one trial. Epochs are passes over the training split.

    The base model is the dense run by `pretraining`, taken at epoch `base_epochs`. The pruning stage may train
    for `pruning_epochs` (exactly so many where `pruning_exact`), at `pruning_lr` where that is not None, and look
    at the data for `scoring_epochs` more. `retraining` is the recipe of the last stage. Where the sum over all
    stages is imposed it is None, because it gets what the pruning stage left of `total_epochs`, or of
    `total_dense_epochs`: training FLOPs in units of one epoch of the dense network. `schedule` then says from
    which LR to which, with the cap.
    """

    pretraining: Recipe
    base_epochs: int
    pruning_epochs: int
    pruning_exact: bool
    pruning_lr: LRSchedule | None
    scoring_epochs: int
    reference: Recipe
    retraining: Recipe | None
    total_epochs: int | None = None
    total_dense_epochs: float | None = None
    schedule: tuple[float, float, int | None] | None = None

    def retraining_after(
        self, pruning_epochs: int, speedup: float, pruning_dense_epochs: float | None = None
    ) -> Recipe:
        """The retraining recipe, once the pruning stage has spent its epochs and reached its speed-up in MACs.

        `pruning_dense_epochs` are its training FLOPs in epochs of the dense network, scoring included. Raises
        InputError when fewer epochs are left than the retraining schedule has LR stages.
        """
        if self.retraining is not None:
            return self.retraining
        assert self.schedule is not None
        spent = self.base_epochs + pruning_epochs
        if self.total_epochs is not None:
            left: float = self.total_epochs - spent
            granted = f"{self.total_epochs} epochs"
        else:
            assert self.total_dense_epochs is not None
            cost = pruning_epochs if pruning_dense_epochs is None else pruning_dense_epochs
            left = (self.total_dense_epochs - self.base_epochs - cost) * speedup
            granted = f"training FLOPs of {self.total_dense_epochs:.4g} epochs of the dense network"
        first, last, cap = self.schedule
        if round(left) < (needed := lr_stages(first, last)):
            raise InputError(
                f"{granted} are granted in all; pruning at epoch {self.base_epochs} after {pruning_epochs} pruning "
                f"epochs leaves {max(left, 0):.2g} epochs for retraining, whose schedule has {needed} LR stages.\n"
                "Prune earlier (--prune-at), or train less while pruning (the method's `pruning_share` or `epochs`)"
            )
        return replace(self.reference, lr=generated(first, last, round(left), cap))

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON of everything in it: part of the identity of a result."""
        return {
            "pretraining": self.pretraining.as_dict(),
            "base_epochs": self.base_epochs,
            "retraining": self.retraining.as_dict() if self.retraining else self.reference.as_dict(),
            "total_epochs": self.total_epochs,
            "total_dense_epochs": self.total_dense_epochs,
            "schedule": list(self.schedule) if self.schedule else None,
        } | self.pruning_terms()

    def pruning_terms(self) -> dict[str, Any]:
        """What of it the pruning stage can feel."""
        return {
            "pruning_epochs": self.pruning_epochs,
            "pruning_exact": self.pruning_exact,
            "pruning_lr": list(self.pruning_lr.vector) if self.pruning_lr else None,
            "scoring_epochs": self.scoring_epochs,
        }


def notation(base_epochs: int | None, retraining: Recipe) -> str:
    """`P30F90, 1e-2` is pruned at epoch 30, retrained for 90 from LR 0.01; of a given base (None) `given F90, 1e-2`."""
    base = "given " if base_epochs is None else f"P{base_epochs}"
    return f"{base}F{retraining.epochs}, {format_lr(retraining.lr.initial)}"


def generated(first: float, last: float, epochs: int, cap: int | None) -> LRSchedule:
    """Halving from one LR to another (Rule 2, Rule 3) that ends at the last one even if only few epochs are left.

    With fewer epochs than LR stages, the stages in the middle are left out: Rule 1, equal final LR, goes first.
    """
    try:
        return halving(first, last, epochs, cap=cap)
    except InputError:
        if epochs < 1 or not 0 < last <= first:
            raise
    stages = list(halving(first, last, LONG_EPOCHS).points)[: max(epochs - 1, 0)]
    points = [(epoch, lr) for epoch, (_, lr) in enumerate(stages)] + [(len(stages), last)]
    return LRSchedule("step", epochs, tuple(points[:epochs] if epochs > 1 else [(0, last)]))


def lr_stages(first: float, last: float) -> int:
    """How many LRs a schedule has that falls from one to the other (Rule 2): the fewest epochs it makes sense in."""
    return len(halving(first, last, LONG_EPOCHS).points)


def budget_for(track: Track, setup: ComparisonSetup, level: Level, kind: str, own: Own = OWN_NOTHING) -> Budget:
    """What the setup grants an entrant of this kind ('pruned', 'dense' or 'scratch') at this level.

    Raises InputError for what cannot be run: factors that cannot be held equal together, a pruning epoch outside the
    dense run, too few epochs left, milestones past the end; where the base is given, imposed sums and scratch training.
    """
    _check_factors(setup, own)
    check_known_length(track, setup, kind)
    if own.prune_at is not None and not setup.own_pruning_epoch:
        choices = listed_where(lambda other: other.own_pruning_epoch)
        raise InputError(f"--prune-at is a choice under {choices}; setup {setup.id} fixes the base model")
    budget = _whole(track, setup, level, own) if setup.whole_pipeline else _staged(track, setup, own)
    if kind == "scratch":
        return _scratch(track, setup, level, budget)
    if kind == "pruned":
        budget.retraining_after(budget.pruning_epochs if budget.pruning_exact else 0, speedup_of(level))
    return budget


def _check_factors(setup: ComparisonSetup, own: Own) -> None:
    """Raises InputError for factors that no budget holds equal, or not together, or not with what the method brings."""
    added = own.retraining.extras if own.retraining and not setup.own_retraining_lr else ()
    if added or (added := own.pretraining.extras if own.pretraining else ()):
        raise InputError(
            f"the method declares {' and '.join(added)}, and {setup.id} imposes that training on every method.\n"
            f"Declare it in `retraining` and run under {listed_where(lambda s: s.own_retraining_lr)}, or leave it out"
        )
    for unknown in sorted(setup.factors - HARNESS_FACTORS.keys()):
        raise unknown_name("factor", unknown, HARNESS_FACTORS)
    if "overall_lr" in setup.factors:
        raise InputError(
            f"setup {setup.id} holds 'overall_lr' equal, which only published comparisons are asked for.\n"
            "Hold 'total_epochs' and 'final_lr' equal, as SX-A does"
        )
    sums = setup.factors & (TOTALS | {"retraining_epochs", "retraining_lr"})
    if setup.whole_pipeline and len(sums) > 1:
        raise InputError(
            f"setup {setup.id} holds {' and '.join(sorted(sums))} equal, but under an imposed sum retraining gets "
            "what the other stages left of it.\nHold one of them equal"
        )


def speedup_of(level: Level) -> float:
    """The speed-up in MACs that a level asks for. Masked weights save none: their networks stay dense."""
    return level.speedup or 1.0


def _staged(track: Track, setup: ComparisonSetup, own: Own) -> Budget:
    """Each stage has its own terms, imposed or the method's."""
    pretraining, retraining = track.pretraining, track.retraining
    if own.pretraining is not None and setup.own_base and not track.base:
        pretraining = own.pretraining.over(track.pretraining)
    if own.retraining is not None and setup.own_retraining_lr:
        retraining = own.retraining.over(track.retraining)
        if not setup.own_retraining:
            retraining = replace(retraining, lr=_stretched(retraining.lr, track.retraining.epochs, setup))
    return Budget(
        pretraining, pretraining.epochs,
        pruning_epochs=track.pruning.epochs if setup.exact_pruning else track.pruning_epochs_limit,
        pruning_exact=setup.exact_pruning, pruning_lr=_pruning_lr(track, setup),
        scoring_epochs=track.scoring_epochs_limit,
        reference=track.retraining, retraining=retraining,
    )  # fmt: skip


def _pruning_lr(track: Track, setup: ComparisonSetup) -> LRSchedule | None:
    return track.pruning.lr if "pruning_lr" in setup.factors else None


def _stretched(lr: LRSchedule, epochs: int, setup: ComparisonSetup) -> LRSchedule:
    try:
        return lr.stretched(epochs)
    except InputError as problem:
        raise InputError(
            f"the method's own LR schedule {lr} over {lr.epochs} epochs cannot be laid over the {epochs} epochs that "
            f"{setup.id} imposes: {problem}.\nDeclare one with milestones further apart, or use S2 or S3.2"
        ) from None


def _whole(track: Track, setup: ComparisonSetup, level: Level, own: Own) -> Budget:
    """The sum over all stages is imposed, and the first and the final LR.

    Raises InputError for a track whose schedules are not steps: there is no rule that cuts those.
    """
    if not_steps := {str(r.lr) for r in (track.pretraining, track.retraining) if r.lr.kind != "step"}:
        setups = listed_where(lambda other: other.whole_pipeline)
        raise InputError(
            f"under {setups} schedules are halved in steps (Rule 2), and track {track.id} states "
            f"{' and '.join(sorted(not_steps))}.\nUse one of the other setups: see `prunemark setups`"
        )
    total = track.pretraining.epochs + track.retraining.epochs
    last, cap = track.retraining.lr.final, track.lr_stage_cap
    dense_run = replace(track.pretraining, lr=generated(track.pretraining.lr.initial, last, total, cap))
    prune_at = _prune_at(track, own, total)
    flops = "total_flops" in setup.factors
    in_dense_epochs = track.pretraining.epochs + track.retraining.epochs / speedup_of(level)
    pruning_epochs = _pruning_epochs(track, level, in_dense_epochs if flops else total, prune_at, own)
    return Budget(
        dense_run, prune_at,
        pruning_epochs=track.pruning.epochs if setup.exact_pruning else pruning_epochs,
        pruning_exact=setup.exact_pruning, pruning_lr=_pruning_lr(track, setup),
        scoring_epochs=track.scoring_epochs_limit,
        reference=track.retraining, retraining=None,
        total_epochs=None if flops else total,
        total_dense_epochs=in_dense_epochs if flops else None,
        schedule=(track.retraining.lr.initial, last, cap),
    )  # fmt: skip


def _prune_at(track: Track, own: Own, total: int) -> int:
    """The epoch of the dense run, of `total` epochs, at which the base model is taken."""
    if own.prune_at is None:
        return track.pretraining.epochs
    share = isinstance(own.prune_at, float) and 0 < own.prune_at < 1
    prune_at = round(own.prune_at * total) if share else own.prune_at
    if not isinstance(prune_at, int) or not 0 <= prune_at < total:
        raise InputError(
            f"--prune-at is an epoch of the dense run, 0 to {total - 1}, or in a method a share of it; "
            f"given {own.prune_at}"
        )
    return prune_at


def _pruning_epochs(track: Track, level: Level, total: float, prune_at: int, own: Own) -> int:
    """How long the pruning stage may train: the share that its method chose, and never what retraining needs.

    `total` is in epochs of the dense network. Where FLOPs are imposed it is a fraction, and an epoch of the pruned
    network costs one `speedup`th of one; then a stage must fit that trains the dense network all the time.
    """
    stages = lr_stages(track.retraining.lr.initial, track.retraining.lr.final)
    cost = 1.0 if isinstance(total, int) else 1 / speedup_of(level)
    left = total - prune_at
    most = left - stages * cost
    if own.pruning_share is not None:
        most = min(most, own.pruning_share * left)
    return max(0, min(track.pruning_epochs_limit, int(most)))


def _scratch(track: Track, setup: ComparisonSetup, level: Level, budget: Budget) -> Budget:
    """Scratch-E: as many epochs as the pipeline. Scratch-B: as many FLOPs, K1 * k + K2 epochs (section 2).

    The final LR is the pipelines' own (Rule 1), without which Tables 6 and 7 compare a trap.
    """
    k1, k2 = track.pretraining.epochs, track.retraining.epochs
    pruning = track.pruning.epochs if setup.exact_pruning and not setup.whole_pipeline else 0
    epochs = round(k1 * speedup_of(level) + k2) if "total_flops" in setup.factors else k1 + pruning + k2
    recipe = replace(track.retraining, lr=_scratch_schedule(track, epochs))
    return replace(
        budget, base_epochs=0, pruning_epochs=0, pruning_exact=False, pruning_lr=None, scoring_epochs=0,
        retraining=recipe, total_epochs=None, total_dense_epochs=None, schedule=None,
    )  # fmt: skip


def _scratch_schedule(track: Track, epochs: int) -> LRSchedule:
    """From the LR that pretraining begins with to the one that retraining ends with, along a curve of the same kind."""
    first, pipeline = track.pretraining.lr, track.retraining.lr
    if pipeline.kind == "step":
        return generated(first.initial, pipeline.final, epochs, track.lr_stage_cap)
    ends = ((0, first.initial), *((epochs, lr) for _, lr in pipeline.points[1:]))
    return LRSchedule(pipeline.kind, epochs, ends, first.warmup_epochs)
