"""docs/performance.md from the results of `make bench`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rows import ROWS

HEAD = """# Performance

Written by `make bench` from `perf/results.json`: do not edit it. Each ratio compares two ways of doing the same work,
in turns in one run. A ratio of 1 means equally fast; above 1, Prunemark is faster. It is the median over pairs that
were taken one after the other; in brackets are the quartiles. On a busy machine ratios hold better than seconds, and
the load (processes that wish to run) stands under each table.

Measure your own machine with `make bench`, or one row with `python perf/bench.py --only throughput`. A run that was
stopped goes on where it was.
"""


def page_of(results: Mapping[str, Any]) -> str:
    """The page, as text. Rows stand in the order of the registry; those without a result say so."""
    parts = [HEAD, _machines(results)]
    for name, row in ROWS.items():
        parts.append(f"## {row.what}\n\n{_body(results.get(name))}\nHow it grows: {row.grows}\n")
    return "\n".join(parts)


def _machines(results: Mapping[str, Any]) -> str:
    said = sorted({result["on"] for result in results.values() if "on" in result})
    seconds = sum(result.get("seconds", 0) for result in results.values())
    where = "Measured on:\n\n" + "".join(f"- {machine}\n" for machine in said)
    return f"{where}\nAll rows together took {max(1, round(seconds / 60))} minutes.\n"


def _body(result: Mapping[str, Any] | None) -> str:
    if result is None:
        return "Not measured yet.\n"
    if "not_measured" in result:
        return f"Not measured: {result['not_measured']}.\n"
    lines = ["| what | found | asked |", "|---|---|---|"]
    lines += [f"| {figure['what']} | {_found(figure)} | {_asked(figure)} |" for figure in result["figures"]]
    notes = "".join(f"{note}\n\n" for note in result["notes"])
    when = f"Measured on {result['date']} in {result['seconds']} s; load when it began: {result['load']:g}.\n"
    return "\n".join(lines) + f"\n\n{notes}{when}"


def _found(figure: Mapping[str, Any]) -> str:
    unit = figure["unit"]
    value = f"{_number(figure['value'])}{'x' if unit == 'x' else f' {unit}'}"
    if "low" not in figure:
        return value
    return f"{value} ({_number(figure['low'])} to {_number(figure['high'])}, {figure['repeats']} pairs)"


def _asked(figure: Mapping[str, Any]) -> str:
    value = figure["value"]
    if "at_least" in figure:
        return f"at least {figure['at_least']:g}{'' if value >= figure['at_least'] else ': **not reached**'}"
    if "at_most" in figure:
        return f"at most {figure['at_most']:g}{'' if value <= figure['at_most'] else ': **not reached**'}"
    return ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
