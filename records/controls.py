"""What runs with every submission, to compare it with: the track's anchor, a control and two references.

The names are those that their records have; nobody else can have them.
"""

from __future__ import annotations

from dataclasses import dataclass

from prunemark.records.outcome import TrialKind
from prunemark.setups.track import OF_FILTERS

RANDOM_CONTROL = dict.fromkeys(OF_FILTERS, "Random") | {"weight": "Random-weights"}
"""By the granularity of a track, the shipped method that prunes at random: its layer ratios are the submission's."""


@dataclass(frozen=True)
class Reference:
    """A run without a method. `matched` says that it has as many filters (or weights) per layer as the submission.

    `summary` says what it is, and `runs` when it runs.
    """

    name: str
    kind: TrialKind
    matched: bool
    summary: str
    runs: str


REFERENCES = {
    "scratch": Reference(
        "Scratch",
        "scratch",
        True,
        "the pruned architecture trained from random weights for all epochs together (Scratch-E)",
        "Scratch training runs with every submission, and takes its layer widths.",
    ),
    "dense": Reference(
        "Dense",
        "dense",
        False,
        "the base model, nothing removed, retrained like the pruned ones",
        "The dense network runs with every submission, at any level.",
    ),
}
"""By the kind of their trials, in the order in which they run."""
