"""How long each method trained in its pruning and its retraining stage, and whether that explains its verdict.

Where a setup lets methods choose how long they prune, a method can train for longer than the anchor. Its verdict is
then about its training as much as about what it prunes by.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from prunemark.records.record import Record
from prunemark.setups.comparison import HARNESS_SETUPS

FEWEST_MORE = 0.05
"""Epochs; fewer more than the anchor are none: a mean over seeds is rarely a whole number."""

NOT_THE_CRITERION = (
    'A verdict "with more epochs" is of a method that pruned for longer than the anchor: it is not about the criterion.'
)


@dataclass(frozen=True)
class Epochs:
    """Epochs of training as executed, means over the seeds. None: there was no such stage, or nothing is recorded."""

    pruning: float | None
    retraining: float | None

    @property
    def words(self) -> str:
        """Pruning + retraining, such as 30 + 20; "" where nothing is recorded."""
        return "" if self.retraining is None else f"{_number(self.pruning)} + {_number(self.retraining)}"


def epochs_of(records: Iterable[Record]) -> Epochs:
    """The epochs that these trials of one method trained for."""
    outcomes = [record.outcome for record in records]
    return Epochs(
        _mean([o.pruning.epochs for o in outcomes if o.pruning and o.method.kind != "scratch"]),
        _mean([o.retraining.epochs for o in outcomes if o.retraining]),
    )


def more_epochs(mine: Epochs, anchor: Epochs, setup: str) -> float:
    """How many more epochs a method pruned for than the anchor, where the setup gives them away; else 0.

    They are no advantage where the setup holds them equal, or the sum over all stages: more of them are fewer others.
    """
    terms = HARNESS_SETUPS[setup]
    if terms.exact_pruning or terms.whole_pipeline or mine.pruning is None or anchor.pruning is None:
        return 0.0
    more = mine.pruning - anchor.pruning
    return more if more > FEWEST_MORE else 0.0


def more_in_words(more: float) -> str:
    """with 30 more epochs; "" for none."""
    return f"with {_number(more)} more epoch{'' if _number(more) == '1' else 's'}" if more else ""


def _mean(values: Sequence[int]) -> float | None:
    return fmean(values) if values else None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}".removesuffix(".0")
