"""The comparison setups of Table 2 (arXiv:2301.05219), each a set of factors held equal, written once.

The order between setups, what a setup grants a method, and where its id is listed are not written down: all of it
follows from the factor sets. To add a setup, add one literal to `_OURS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from prunemark.setups.errors import unknown_name

S1 = frozenset({"dataset", "network", "compression"})
S2 = S1 | {"base_model"}
S3_1 = S2 | {"retraining_epochs"}
S3_2 = S3_1 | {"retraining_lr"}
S4_1 = S3_2 | {"pruning_epochs"}
S4_2 = S4_1 | {"pruning_lr"}
TOTALS = frozenset({"total_epochs", "total_flops"})
RECIPE = frozenset(
    {"batch_size", "momentum", "nesterov", "weight_decay", "augmentation", "label_smoothing", "optimiser",
     "distillation", "regulariser"}
)  # fmt: skip
"""What a retraining recipe states apart from its LR schedule: no setup of the paper speaks of it."""


@dataclass(frozen=True)
class ComparisonSetup:
    """An id, the factors that must be equal, and what that means for a method that is run under it.

    An LR schedule is one LR for each epoch, so a schedule held equal holds its number of epochs equal too.
    """

    id: str
    factors: frozenset[str]
    title: str
    when_run: str

    @property
    def whole_pipeline(self) -> bool:
        """Whether the sum over all stages is imposed, not the stages one by one."""
        return not self.factors.isdisjoint(TOTALS)

    @property
    def own_pruning_epoch(self) -> bool:
        """Whether each method may choose at which epoch of the dense run it prunes."""
        return self.whole_pipeline and "base_model" not in self.factors

    @property
    def own_base(self) -> bool:
        """Whether each method may bring a base model that is trained by its own recipe."""
        return not self.whole_pipeline and "base_model" not in self.factors

    @property
    def own_retraining_lr(self) -> bool:
        """Whether each method may retrain by its own LR schedule, if need be over imposed epochs.

        Where the final LR is held equal it may not, because its own schedule may end at another one.
        """
        imposed = {"retraining_lr", "final_lr", "tuning_configurations"}
        return not self.whole_pipeline and self.factors.isdisjoint(imposed)

    @property
    def own_retraining(self) -> bool:
        """Whether each method may retrain by its own recipe as it is, epochs included."""
        return self.own_retraining_lr and "retraining_epochs" not in self.factors

    @property
    def exact_pruning(self) -> bool:
        """Whether every method trains for exactly the track's pruning epochs in its pruning stage."""
        return not self.factors.isdisjoint({"pruning_epochs", "pruning_lr"})

    @property
    def tuned(self) -> bool:
        """Whether the retraining LR schedule is chosen from configurations that are all tried."""
        return "tuning_configurations" in self.factors

    @property
    def verified(self) -> frozenset[str]:
        """All that has to be equal between records: the factors, and what the harness imposes together with them.

        The factors are the paper's words, by which published comparisons are judged. Where a method must not bring
        its own retraining, the whole recipe is imposed and what its epochs consist of. A shared base model has one
        training. Where the LR of the pruning stage is imposed, so are its steps. Sums are imposed to the epoch.
        Terms of execution are equal under every setup: a faster arithmetic is not a better method.
        """
        found = self.factors | {"execution"}
        if not self.own_retraining_lr:
            found |= RECIPE | {"steps_per_epoch", "samples_per_epoch"}
        for factor, more in (
            ("base_model", "base_training"),
            ("pruning_lr", "pruning_steps"),
            ("total_epochs", "epochs_of_all_stages"),
            ("total_flops", "flops_of_all_stages"),
        ):
            found |= {more} if factor in self.factors else frozenset()
        return found

    def implies(self, other: ComparisonSetup) -> bool:
        """Whether a comparison that satisfies this setup also satisfies the other one."""
        return self.factors >= other.factors


_PAPER = (
    ComparisonSetup(
        "S1", S1,
        "the same dataset, network and compression; accuracy or its drop is compared",
        "each method brings its own base model and its own retraining recipe",
    ),
    ComparisonSetup(
        "S1-acc", S1 | {"base_accuracy"},
        "S1 with base models of the same accuracy, for methods that cannot share a checkpoint",
        "each method brings its own base model; measured base accuracies must agree within 0.10 points",
    ),
    ComparisonSetup(
        "S2", S2,
        "S1 and the same base model (the commonest in the literature, and not fair)",
        "the base model is shared; each method retrains by its own declared recipe",
    ),
    ComparisonSetup(
        "S3.1", S3_1,
        "S2 and the same retraining epochs",
        "the track's number of retraining epochs is imposed; the LR schedule is the method's own",
    ),
    ComparisonSetup(
        "S3.2", S3_2,
        "S3.1 and the same retraining LR schedule (the least that the paper recommends)",
        "the track's retraining recipe is imposed",
    ),
    ComparisonSetup(
        "S4.1", S4_1,
        "S3.2 and the same pruning epochs",
        "as S3.2, and every method trains for exactly the track's pruning epochs in its pruning stage",
    ),
    ComparisonSetup(
        "S4.2", S4_2,
        "S4.1 and the same pruning LR schedule (the strictest)",
        "as S4.1, and those epochs follow the track's LR schedule",
    ),
    ComparisonSetup(
        "SX-A", S1 | {"total_epochs", "final_lr"},
        "S1 and the same epochs of pretraining, pruning and retraining (admits scratch training)",
        "the total number of epochs is imposed; when to prune is the method's choice",
    ),
    ComparisonSetup(
        "SX-B", S1 | {"total_flops", "final_lr"},
        "S1 and the same FLOPs of pretraining, pruning and retraining (admits scratch training)",
        "the total training FLOPs are imposed; when to prune is the method's choice",
    ),
)  # fmt: skip
_OURS = (
    ComparisonSetup(
        "S3.1-tuned", S3_1 | {"tuning_configurations"},
        "S3.1 and the same number of LR configurations tried (this project's own, not of the paper)",
        "as S3.1, with the LR schedule chosen on the validation split from one list of configurations for all",
    ),
)  # fmt: skip

SETUPS: dict[str, ComparisonSetup] = {setup.id: setup for setup in _PAPER}
"""The paper's setups. Published comparisons are judged by these."""

HARNESS_SETUPS: dict[str, ComparisonSetup] = {
    setup.id: setup for setup in sorted((*_PAPER, *_OURS), key=lambda s: (s.whole_pipeline, len(s.factors)))
}
"""All setups that a trial can run under, those over whole pipelines last, and each before those that imply it."""

TUNED = HARNESS_SETUPS["S3.1-tuned"]


def find_setup(id: str) -> ComparisonSetup:
    """The setup of this id, in any case. Raises InputError with the valid ids."""
    by_lower = {known.lower(): setup for known, setup in HARNESS_SETUPS.items()}
    if id.lower() not in by_lower:
        raise unknown_name("setup", id, HARNESS_SETUPS)
    return by_lower[id.lower()]


def chain(setups: dict[str, ComparisonSetup] | None = None) -> tuple[str, ...]:
    """The longest row of setups of which each implies the one before it: S1 < S2 < ... < S4.2.

    Computed from the factor sets; of equally long rows, the first by id.
    """
    pool = sorted((setups or SETUPS).values(), key=lambda s: (len(s.factors), s.id))
    best: dict[str, tuple[str, ...]] = {}
    for setup in pool:
        below = [best[o.id] for o in pool if o.id in best and o.factors < setup.factors]
        best[setup.id] = (*max(below, key=len, default=()), setup.id)
    return max(best.values(), key=len, default=())


def ids_where(trait: Callable[[ComparisonSetup], bool]) -> tuple[str, ...]:
    """The ids of the setups of which something is true."""
    return tuple(setup.id for setup in HARNESS_SETUPS.values() if trait(setup))


def listed_where(trait: Callable[[ComparisonSetup], bool]) -> str:
    """The same for a sentence: `S1, SX-A and SX-B`."""
    *most, last = ids_where(trait) or ("no setup",)
    return f"{', '.join(most)} and {last}" if most else last
