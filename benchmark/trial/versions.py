"""What each stage computes, as a number written by hand.

A key holds the version of its own stage; those before it come in through their keys. So a raised version voids the
stored results of that stage and of all that follow, and nothing else does: not a comment, a moved file or a new name.
"""

from __future__ import annotations

STAGES = {"data": 1, "network": 1, "pretrain": 1, "prune": 1, "retrain": 1, "evaluate": 1, "describe": 3}
"""Raise one when that stage gives other numbers for the same inputs, or files of another form; and only then.

`tests/benchmark/test_golden_stages.py` fails when numbers change without it, and names the stage. `network` is how
networks are built and initialised; `evaluate` includes the curve, the compression and the diagnostics; `describe` is
what is read off a method's class.
"""

GIVEN = 1
"""The same of how given weights are read, where a track gives its base. No golden stage has it."""


def versions(*stages: str) -> dict[str, int]:
    """The versions of these stages, for a key."""
    return {stage: STAGES[stage] for stage in stages}
