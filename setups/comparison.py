"""The comparison setups of Table 2 (arXiv:2301.05219), each a set of factors held equal, written once.

The order between setups is not written down: it follows from the factor sets.
"""

from __future__ import annotations

from dataclasses import dataclass

from prunemark.setups.errors import unknown_name

S1 = frozenset({"dataset", "network", "compression"})
S2 = S1 | {"base_model"}
S3_1 = S2 | {"retraining_epochs"}
S3_2 = S3_1 | {"retraining_lr"}
S4_1 = S3_2 | {"pruning_epochs"}
S4_2 = S4_1 | {"pruning_lr"}


@dataclass(frozen=True)
class ComparisonSetup:
    """An id, the factors that must be equal, and what that means for a method that is run under it."""

    id: str
    factors: frozenset[str]
    title: str
    when_run: str

    def implies(self, other: ComparisonSetup) -> bool:
        """Whether a comparison that satisfies this setup also satisfies the other one."""
        return self.factors >= other.factors


_SETUPS = (
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
SETUPS: dict[str, ComparisonSetup] = {setup.id: setup for setup in _SETUPS}

TUNED = ComparisonSetup(
    "S3.1-tuned", S3_1 | {"tuning_configurations"},
    "S3.1 and the same number of LR configurations tried (this project's own, not of the paper)",
    "as S3.1, with the LR schedule chosen on the validation split from one list of configurations for all",
)  # fmt: skip
HARNESS_SETUPS: dict[str, ComparisonSetup] = SETUPS | {TUNED.id: TUNED}
"""The paper's setups, which published comparisons are judged by, and those that only a harness can grant."""


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
