"""What a reader wants to know of a pruning method: where it stands on the five axes, its formula, its cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class About:
    """A pruning method in words, declared as `about = About(...)` with literal values: it is read without running it.

    `paper` is authors, title and venue; `formula` what is computed, with its equation or section. The five axes of
    the founding paper (section 2) are `base_model` (when it is pruned), `granularity` (what is removed, where
    "filter" or "weight" does not say it all), `ratio` (how many in which layer), `criterion` (which ones) and
    `schedule` (how spread over time). Cost, at the default settings: `passes` over the training split that train
    nothing and `epochs` of training, in the pruning stage. `test` is the file of the conformance test.
    """

    paper: str
    formula: str
    criterion: str
    base_model: str = "trained to convergence"
    granularity: str = ""
    ratio: str = "by the setting allocation"
    schedule: str = "by the setting schedule"
    passes: int = 0
    epochs: int = 0
    test: str = ""
