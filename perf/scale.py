"""What a growing board costs, measured in one run. With its own options: `python perf/scale.py`.

Made-up records of growing numbers, from their packs to the tables and to the whole site, each in a process of its
own with its start-up, as a user waits for it. Printed are seconds, and milliseconds of the processor's time a record:
where those do not grow, time is linear. Tables are made on all cores, a site on one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from figures import Figure
from synthetic import write_board

SIZES = (1_000, 10_000, 100_000)
LARGEST_PAGE_BYTES = 1_000_000


@dataclass(frozen=True)
class Cost:
    """Of one command: wall and processor time in seconds, the most memory in MiB."""

    wall_seconds: float
    processor_seconds: float
    memory_mib: float


def measure(words: Sequence[str]) -> Cost:
    """One `prunemark` command, in a process of its own. Raises CalledProcessError when it fails."""
    begin = time.perf_counter()
    with subprocess.Popen([sys.executable, "-m", "prunemark.cli.app", *words], stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(words))
    return Cost(time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def line(what: str, count: int, cost: Cost, before: tuple[int, Cost] | None) -> str:
    """What one command cost, and how the processor's time per record compares with the size before."""
    each = 1000 * cost.processor_seconds / count
    growth = (
        f", {each / (1000 * before[1].processor_seconds / before[0]):.2f} of that at {before[0]:,}" if before else ""
    )
    return (
        f"{count:>8,} records to {what}: {cost.wall_seconds:6.1f} s; processor {cost.processor_seconds:.1f} s, "
        f"{each:.2f} ms a record{growth}; {cost.memory_mib:,.0f} MiB"
    )


def costs() -> tuple[list[Figure], list[str]]:
    """Tables at three sizes, and the site at two."""
    found: list[Figure] = []
    for count in SIZES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_board(folder, count)
            words = ["leaderboard", "--records", str(folder / "records"), "--format", "csv"]
            forms = {"tables": words}
            if count < SIZES[-1]:
                forms["the site"] = [*words, "--output", str(folder / "site")]
            for what, given in forms.items():
                cost = measure(given)
                found += [
                    Figure(f"{count:,} records to {what}", cost.processor_seconds, "s of the processor"),
                    Figure(f"{count:,} records to {what}, each", 1000 * cost.processor_seconds / count, "ms"),
                    Figure(f"{count:,} records to {what}, memory", cost.memory_mib, "MiB"),
                ]
    return found, []


def main() -> None:
    """Prints a line for each size and form, smallest first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, nargs="+", default=list(SIZES), help="how many, ascending")
    parser.add_argument("--without-site", action="store_true", help="tables only")
    given = parser.parse_args()
    before: dict[str, tuple[int, Cost]] = {}
    for count in given.records:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_board(folder, count)
            records = ["leaderboard", "--records", str(folder / "records")]
            forms = {"tables": [*records, "--format", "csv"]}
            if not given.without_site:
                forms["the site"] = [*forms["tables"], "--output", str(folder / "site")]
            for what, words in forms.items():
                cost = measure(words)
                print(line(what, count, cost, before.get(what)), flush=True)
                before[what] = (count, cost)
            if not given.without_site:
                print(pages(folder / "site"), flush=True)


def pages(site: Path) -> str:
    """How many files a site has, and its largest page."""
    files = [path for path in site.rglob("*") if path.is_file()]
    largest = max((path for path in files if path.suffix == ".html"), key=lambda path: path.stat().st_size)
    size = largest.stat().st_size
    total = sum(path.stat().st_size for path in files)
    fits = "under" if size < LARGEST_PAGE_BYTES else "NOT under"
    return (
        f"         {len(files):,} files, {total / 1e6:,.0f} MB; largest page {largest.relative_to(site)}: "
        f"{size / 1e6:.2f} MB, {fits} {LARGEST_PAGE_BYTES / 1e6:g} MB"
    )


if __name__ == "__main__":
    main()
