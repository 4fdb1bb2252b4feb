"""Measures what Prunemark costs, each figure against what you would do without it, and writes docs/performance.md.

    python perf/bench.py [--only ROW ...] [--again] [--page]

Results are kept in perf/results.json as soon as a row is measured, with this machine's name and the day. What was
measured here today is not measured again, so a run that was cut short goes on; `--again` measures all anew. `--page`
measures nothing and writes the page only.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import importlib
import json
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported
sys.path.insert(0, str(Path(__file__).parent))

from figures import NotMeasured
from page import page_of
from rows import ROWS, Row

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "results.json", HERE.parent / "docs" / "performance.md"
LIBRARIES = ("torch", "torchvision", "pillow", "numpy", "ray")


def machine() -> str:
    """The processor with its cores, and the versions of what is measured with it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    found = {name: _version(name) for name in LIBRARIES}
    versions = ", ".join(f"{name} {known}" for name, known in found.items() if known)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{named[0] if named else platform.processor()}, {cores} cores; Python {platform.python_version()}, {versions}"
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def measured(row: Row) -> dict[str, Any]:
    """One row's result, as JSON has it."""
    load, began = os.getloadavg()[0], time.perf_counter()
    try:
        # a process of its own: what an earlier row loaded would count as memory of all that this one starts
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:
            found, notes = fresh.submit(_call, row.measure).result()
    except NotMeasured as why:
        return {"not_measured": str(why)}
    return {
        "date": datetime.date.today().isoformat(), "on": machine(), "load": round(load, 1),
        "seconds": round(time.perf_counter() - began), "notes": list(notes),
        "figures": [
            {name: value for name, value in dataclasses.asdict(figure).items() if value is not None}
            for figure in found
        ],
    }  # fmt: skip


def _call(measure: str) -> Any:
    module, _, function = measure.partition(":")
    return getattr(importlib.import_module(module), function)()


def is_known(result: Mapping[str, Any]) -> bool:
    """Whether a row was measured on this machine, with these versions, today."""
    return (result.get("date"), result.get("on")) == (datetime.date.today().isoformat(), machine())


def main() -> None:
    """Measures, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(ROWS), metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--again", action="store_true", help="also what was measured today")
    parser.add_argument("--page", action="store_true", help="write the page, measure nothing")
    given = parser.parse_args()
    for name in () if given.page else given.only or ROWS:
        if not given.again and not given.only and is_known(_known().get(name, {})):
            print(f"{name}: measured today")
            continue
        found = measured(ROWS[name])
        results = _known()  # another run may have added a row meanwhile
        if "not_measured" in found and "figures" in results.get(name, {}):
            print(f"{name}: kept as it is, for here it is not measured: {found['not_measured']}")
            continue
        results[name] = found
        _write(RESULTS, json.dumps({row: results[row] for row in ROWS if row in results}, indent=1) + "\n")
        print(f"{name}: {json.dumps(results[name])}", flush=True)
    _write(PAGE, page_of(_known()))


def _known() -> dict[str, Any]:
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def _write(path: Path, text: str) -> None:
    """Whole or not at all: a run can be stopped at any moment."""
    draft = path.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


if __name__ == "__main__":
    main()
