"""What auditing every pair of published comparisons costs, next to reading the rows that they are made of.

Both are this process's processor time. Their ratio is what can be compared between machines.
"""

from __future__ import annotations

import time

from prunemark.audit.literature import pairs, results


def main() -> None:
    """Prints one line."""
    began = time.process_time()
    rows = results.published()
    read = time.process_time() - began
    began = time.process_time()
    count = sum(1 for _ in pairs.all_pairs(rows))
    judged = time.process_time() - began
    print(
        f"{count:,} pairs of {len(rows)} rows judged: {judged:.1f} s, {judged / read:.0f} times what reading them takes"
    )


if __name__ == "__main__":
    main()
