"""Setups of a track under which the very same runs were made."""

from __future__ import annotations

from collections.abc import Iterable

from prunemark.records.identity import method_of
from prunemark.records.record import Record

Runs = dict[tuple[str, str], dict[int, tuple[str, str | None]]]
"""By level and method, what every seed came to: its status and the hash of its final weights."""


def same_runs(setups: Iterable[str], records: Iterable[Record]) -> list[str]:
    """The setups of a track that are the very same runs for everything run there, such as "S1 = S2".

    `records` are those of the track. That is decided by the hashes of the final weights, whatever each setup then
    ranks, on the seeds that ran under both: one that went on to more seeds is no other experiment.
    """
    runs: dict[str, Runs] = {setup: {} for setup in setups}
    for record in records:
        o = record.outcome
        of_one = runs[o.setup].setdefault((o.level, method_of(record)), {})
        of_one[o.seed] = (o.status, o.weights_sha256)
    groups: list[list[str]] = []
    for setup, found in runs.items():
        like = next((group for group in groups if all(_alike(found, runs[other]) for other in group)), None)
        if like is None:
            groups.append([setup])
        else:
            like.append(setup)
    return [" = ".join(setups) for setups in groups if len(setups) > 1]


def _alike(these: Runs, those: Runs) -> bool:
    """Whether the same methods came to the same on all seeds that both have, and on some."""
    if these.keys() != those.keys():
        return False
    both = [(mine[seed], those[who][seed]) for who, mine in these.items() for seed in mine.keys() & those[who].keys()]
    alone = any(not mine.keys() & those[who].keys() for who, mine in these.items())
    return bool(both) and not alone and all(one == other for one, other in both)
