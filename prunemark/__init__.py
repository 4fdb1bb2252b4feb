"""Prunemark, a fairness-aware benchmark for neural-network pruning (arXiv:2301.05219).

What a method is made of: `FilterCriterion`, `WeightCriterion`, `PruningMethod`, `setting`, `Decision`, `OwnRecipe`,
`About`. What can be done: `submit`, `results`, `leaderboard`, `audit`, `debug`; docs/python-api.md shows each.

The folders at the root of the repository are this package's rooms: each is a link here, so that every tool sees one
package. Nothing is imported until it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = [
    "About", "Decision", "FilterCriterion", "OwnRecipe", "PruningMethod", "WeightCriterion", "__version__", "audit",
    "debug", "leaderboard", "results", "setting", "submit",
]  # fmt: skip

if TYPE_CHECKING:
    from prunemark.benchmark.method import (
        About,
        Decision,
        FilterCriterion,
        OwnRecipe,
        PruningMethod,
        WeightCriterion,
        setting,
    )
    from prunemark.benchmark.run.debug import debug
    from prunemark.cli.api.audits import audit
    from prunemark.cli.api.frames import leaderboard, results
    from prunemark.cli.api.submission import submit

    __version__: str
else:
    from prunemark.cli.api import names

    def __getattr__(name):
        return names.found(name)

    def __dir__():
        return sorted({*globals(), *__all__})

    names.make_rooms_callable()
