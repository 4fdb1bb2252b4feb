"""The effect of the setup as a figure: the differences between the same methods, from setup to setup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prunemark.leaderboard.site import vega
from prunemark.leaderboard.site.charts import comparable, word
from prunemark.leaderboard.site.style import Style
from prunemark.leaderboard.site.vega import Spec, at, mark
from prunemark.leaderboard.standings.table import Table
from prunemark.setups.comparison import HARNESS_SETUPS, ids_where

HEIGHT, LABEL_LINE, LONGEST_LABEL, MOST_LINES = 380, 15, 16, 20
_TIP = (
    "datum.setup + ': ' + scale('name', datum.m) + '\\n' + format(datum.d, '+.2f') + ' pp' + (datum.setup === setup ?"
    " ' [' + format(datum.low, '+.2f') + ', ' + format(datum.high, '+.2f') + ']' : '') + '\\n' + datum.word"
)
GAP = " "
"""A place on the axis between the setups that imply one another and those that admit scratch training."""


def slopes(tables: Sequence[Table], styles: Mapping[str, Style], setup: str) -> Spec | None:
    """Mean differences to the anchor, in points, over the setups of one track and level; a filled mark is a shown one.

    The intervals are those under `setup`. None where nothing is compared.
    """
    setups = list(dict.fromkeys(table.setup for table in tables))
    names = shown_in_slopes(tables)
    points = [point for table in tables for point in _points(table, names, chosen=table.setup == setup)]
    if not points:
        return None
    margin, anchor = tables[0].margin_pp, tables[0].anchor
    domain = _domain(points, margin)
    return vega.figure(
        f"Differences to {anchor} in percentage points under {', '.join(setups)}, a line for each method. "
        "The tables on this page have the numbers.",
        height=HEIGHT, right="space < 480 ? 84 : 118", bottom="space < 480 ? 30 : 2",
        data=[
            vega.values("points", points),
            vega.values("labels", _labels(points, domain, anchor, names)),
            {"name": "steps", "source": "points", "transform": [_filter("indexof(whole, datum.setup) < 0")]},
            {"name": "whole", "source": "points", "transform": [_filter("indexof(whole, datum.setup) >= 0")]},
            {"name": "chosen", "source": "points", "transform": [_filter("datum.setup === setup")]},
        ],
        signals=[
            {"name": "setup", "value": setup}, {"name": "setups", "value": setups},
            {"name": "spaced", "value": _axis_of(setups)},
            {"name": "whole", "value": ids_where(lambda each: each.whole_pipeline)},
            {"name": "step", "update": "width / length(width < 280 ? setups : spaced)"},
            {"name": "half", "update": "min(26, 0.45 * step)"},
            {"name": "active", "value": -1, "on": [
                {"events": "symbol:pointerover, line:pointerover, text:pointerover", "update": "datum ? datum.m : -1"},
                {"events": "symbol:pointerout, line:pointerout, text:pointerout", "update": "-1"},
            ]},
        ],
        scales=[
            {"name": "x", "type": "point", "domain": {"signal": "width < 280 ? setups : spaced"}, "range": "width",
             "padding": 0.5},
            vega.linear("y", domain, "height", nice=False),
            *vega.style_scales(names, styles),
        ],
        axes=[
            {"orient": "bottom", "scale": "x", "labelColor": "var(--ink)", "labelOverlap": False,
             "labelFontSize": {"signal": "step < 34 ? 11 : 13"}, "labelAngle": {"signal": "step < 34 ? -60 : 0"},
             "labelAlign": {"signal": "step < 34 ? 'right' : 'center'"},
             "labelBaseline": {"signal": "step < 34 ? 'middle' : 'top'"},
             "labelFontWeight": {"condition": {"test": "datum.value === setup", "value": "bold"}, "value": "normal"}},
            vega.y_axis(f"difference to {anchor}, pp", encode=vega.SIGNED, tickCount=8),
        ],
        marks=[*_ground(margin), *_lines(), *_ends()],
    )  # fmt: skip


def _filter(expression: str) -> Spec:
    return {"type": "filter", "expr": expression}


# Marks of the chosen setup stand side by side, and not as far as the next one; their lines go to where they stand.
_PLACE = {"signal": "datum.setup === setup ? datum.shift * min(7, 1.6 * half / datum.others) : 0"}
_DIM = {"signal": "active < 0 || active === datum.m ? 1 : 0.18"}
_COLOUR = at("colour", "m")


def _ground(margin_pp: float) -> list[Spec]:
    """What lies behind the lines: the chosen setup, the margin, the anchor at zero."""
    return [
        mark("rect", None, x={"scale": "x", "signal": "setup", "offset": {"signal": "-half"}},
             width={"signal": "2 * half"}, y=-8, y2={"signal": "height + 8"}, fill="var(--chosen)", cornerRadius=4),
        mark("rect", None, x=0, x2={"signal": "width"}, y={"scale": "y", "value": -margin_pp},
             y2={"scale": "y", "value": margin_pp}, fill="var(--band)"),
        mark("rule", None, x=0, x2={"signal": "width"}, y={"scale": "y", "value": 0}, stroke="var(--ink)",
             strokeWidth=1.5),
    ]  # fmt: skip


def _lines() -> list[Spec]:
    """A line for each method, the intervals under the chosen setup, and a mark for each difference."""
    shown = {"test": "datum.word === 'better' || datum.word === 'worse'", **_COLOUR}
    line = mark("line", "method", seen=True, x=at("x", "setup", offset=_PLACE), y=at("y", "d"), strokeWidth=2,
                stroke=_COLOUR, strokeDash=at("dash", "m"), opacity=_DIM)  # fmt: skip
    return [
        *(vega.by_method(line, source=part) for part in ("steps", "whole")),
        mark("rule", "chosen", clip=True, x=at("x", "setup", offset=_PLACE),
             y=at("y", "low"), y2=at("y", "high"), stroke=_COLOUR, strokeWidth=1.5, opacity=_DIM),
        mark("symbol", "points", seen=True, y=at("y", "d"), size=85, shape=at("shape", "m"), stroke=_COLOUR,
             x=at("x", "setup", offset=_PLACE), strokeWidth=2,
             opacity=_DIM, fill=[shown, {"value": "var(--paper)"}], tooltip={"signal": _TIP}),
    ]  # fmt: skip


def _ends() -> list[Spec]:
    """The names at the right, each with a thin rule to the end of its line."""
    return [
        mark("rule", "labels", x={"signal": "width"}, x2={"signal": "width + 12"}, y=at("y", "d"), y2={"field": "at"},
             stroke=_COLOUR, strokeOpacity=0.5, opacity=_DIM),
        mark("text", "labels", seen=True, x={"signal": "width + 16"}, y={"field": "at"}, text={"field": "label"},
             fontSize={"signal": "space < 480 ? 11 : 12"}, baseline="middle", fill=_COLOUR, opacity=_DIM,
             fontWeight="bold"),
    ]  # fmt: skip


def shown_in_slopes(tables: Sequence[Table]) -> list[str]:
    """The ranked methods by name; of more than twenty the anchor and those whose difference to it moves most.

    Methods that failed on a seed of every table are left out, and so are those that ran under one of several setups:
    they have nowhere to go.
    """
    moves: dict[str, list[float]] = {}
    setups: dict[str, set[str]] = {}
    for table in tables:
        for row in filter(comparable, table.ranked):
            moves.setdefault(row.name, []).extend([row.verdict.comparison.difference_pp] if row.verdict else [])
            setups.setdefault(row.name, set()).add(table.setup)
    anchors = {table.anchor for table in tables}
    several = len({table.setup for table in tables}) > 1
    moving = [name for name in moves if not several or len(setups[name]) > 1]
    most = sorted(moving, key=lambda name: (name not in anchors, -_range(moves[name]), name))
    return sorted(most[:MOST_LINES])


def _range(differences: Sequence[float]) -> float:
    return max(differences) - min(differences) if differences else 0.0


def _axis_of(setups: Sequence[str]) -> list[str]:
    """The setups in order, with a gap before those over whole pipelines."""
    first = next((index for index, setup in enumerate(setups) if HARNESS_SETUPS[setup].whole_pipeline), None)
    return [*setups[:first], GAP, *setups[first:]] if first else list(setups)


def _points(table: Table, names: Sequence[str], *, chosen: bool) -> list[dict[str, Any]]:
    """A point for each method; its interval, and where it stands among the others, only under the chosen setup."""
    rows = [row for row in table.ranked if row.name in names and row.verdict and comparable(row)]
    return [
        {
            "setup": table.setup, "m": names.index(row.name), "d": round(c.difference_pp, 2), "word": word(row),
        } | ({
            "low": round(c.interval_pp[0], 2), "high": round(c.interval_pp[1], 2),
            "shift": place - (len(rows) - 1) / 2, "others": max(len(rows) - 1, 1),
        } if chosen else {})
        for place, row in enumerate(rows)
        if row.verdict and (c := row.verdict.comparison)
    ]  # fmt: skip


def _domain(points: Sequence[Mapping[str, Any]], margin_pp: float) -> list[float]:
    """Room for all means and for the margin, and for intervals as far as a quarter of their range beyond the means.

    A wider interval is cut at the edge: it would squeeze everything else, and the tables have it in full.
    """
    means = [point["d"] for point in points] or [0.0]
    least, most = min(*means, -2 * margin_pp), max(*means, 2 * margin_pp)
    reach = (most - least) / 4
    low = max(min([least, *(point.get("low", least) for point in points)]), least - reach)
    high = min(max([most, *(point.get("high", most) for point in points)]), most + reach)
    return [round(low - 0.04 * (high - low), 3), round(high + 0.04 * (high - low), 3)]


def _labels(
    points: Sequence[Mapping[str, Any]], domain: Sequence[float], anchor: str, names: Sequence[str]
) -> list[dict[str, Any]]:
    """A name at the end of each line, moved apart where two would overlap; `at` in pixels from the top."""
    last = {point["m"]: point["d"] for point in points}
    zero = [(names.index(anchor), 0.0)] if anchor in names else []
    ends: list[tuple[int, float]] = sorted([*last.items(), *zero], key=lambda e: -e[1])
    low, high = domain
    wanted = [(high - d) / (high - low) * HEIGHT for _, d in ends]
    return [
        {"m": m, "d": d, "at": round(y, 1), "label": _short(names[m])}
        for (m, d), y in zip(ends, spread(wanted, LABEL_LINE, HEIGHT), strict=True)
    ]


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_LABEL else f"{name[: LONGEST_LABEL - 1]}…"


def spread(wanted: Sequence[float], gap: float, height: float) -> list[float]:
    """Ascending positions moved as little as needed to be `gap` apart, and within the height if they fit into it."""
    placed: list[float] = []
    for position in wanted:
        placed.append(max(position, placed[-1] + gap) if placed else max(position, 0.0))
    limit = height
    for index in range(len(placed) - 1, -1, -1):
        placed[index] = min(placed[index], limit)
        limit = placed[index] - gap
    return placed
