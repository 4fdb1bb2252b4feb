"""What auditing every pair of published comparisons costs, next to reading the rows that they are made of.

Both are this process's processor time. Their ratio is what can be compared between machines.
"""

from __future__ import annotations

import time

from figures import Figure

from prunemark.audit.literature import pairs, results


def cost() -> tuple[list[Figure], list[str]]:
    """Judging, in units of reading."""
    began = time.process_time()
    rows = results.published()
    read = time.process_time() - began
    began = time.process_time()
    count = sum(1 for _ in pairs.all_pairs(rows))
    judged = time.process_time() - began
    found = [
        Figure("all pairs, against reading the results", judged / read, "times as long"),
        Figure("all pairs", judged, "s"),
        Figure("a pair", 1000 * judged / count, "ms"),
    ]
    return found, [f"{count:,} pairs of {len(rows):,} results."]
