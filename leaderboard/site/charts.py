"""Figures of one track and setup: differences to the anchor, and accuracy against speed-up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from prunemark.leaderboard.inference.statistics import PairedComparison
from prunemark.leaderboard.site import vega
from prunemark.leaderboard.site.style import Style
from prunemark.leaderboard.site.urls import SHA_SHOWN
from prunemark.leaderboard.site.vega import Spec, at, mark
from prunemark.leaderboard.standings.method_results import FAILED
from prunemark.leaderboard.standings.rows import Row
from prunemark.leaderboard.standings.table import Table

MORE_EPOCHS = "with more epochs"
"""What is shown of a method that pruned for longer than the anchor: not counted as better, worse or equivalent."""
VERDICT_STYLES = {
    "better": Style("better", "var(--better)", "M0,-1L1,.8H-1Z"),
    "worse": Style("worse", "var(--worse)", "M0,1L-1,-.8H1Z"),
    "equivalent": Style("equivalent", "var(--ink)", "M-.8,-.8H.8V.8H-.8Z"),
    MORE_EPOCHS: Style("more", "var(--faint)", "M0,-1L1,0L0,1L-1,0Z"),
    "undetermined": Style("undetermined", "var(--faint)", "M.8,0A.8,.8,0,1,1,-.8,0A.8,.8,0,1,1,.8,0Z"),
}
"""Of a verdict in every figure and legend. Only the mark of `undetermined` is hollow."""
PADDING, WIDEST = 40, 64
"""In pixels: the room at both ends of the axis of costs, and the most that the methods of one level take there."""
ROW_PIXELS, MOST_DESCRIBED, MOST_WITH_SEEDS = 26, 8, 15
"""A figure of more methods refers to its table in words, and shows no single seeds: that keeps a page small."""


def forest(table: Table) -> Spec | None:
    """Every method's difference to the anchor in points, with its intervals, and the margin as a band.

    Left out are methods that failed on a seed. None where nothing is compared or every interval is infinite.
    """
    rows = [_forest_row(row, row.verdict.comparison) for row in table.ranked if row.verdict and comparable(row)]
    if not rows:
        return None
    ends = [end for row in rows for end in (row["low"], row["high"], *(row["wide"] or ()))]
    domain = [min(*ends, -table.margin_pp), max(*ends, table.margin_pp)]
    named, styles, names = list(VERDICT_STYLES), list(VERDICT_STYLES.values()), [row["name"] for row in rows]
    middle = at("y", "name", band=0.5)
    colour = at("colour", "word")
    return vega.figure(
        f"Differences to {table.anchor} in percentage points, with 95 % intervals. "
        + described([f"{row['name']} {row['d']:+.2f}, {row['word']}" for row in rows]),
        height=ROW_PIXELS * len(rows), right="16",
        data=[
            vega.values("rows", rows),
            {"name": "wide", "source": "rows", "transform": [{"type": "filter", "expr": "datum.wide"}]},
        ],
        scales=[
            vega.linear("x", domain, "width"),
            {"name": "y", "type": "band", "domain": names, "range": "height"},
            {"name": "colour", "type": "ordinal", "domain": named, "range": [style.colour for style in styles]},
            {"name": "shape", "type": "ordinal", "domain": named, "range": [style.shape for style in styles]},
        ],
        axes=[
            vega.x_axis(f"difference to {table.anchor}, pp", grid=True, encode=vega.SIGNED),
            {"orient": "left", "scale": "y", "labelLimit": {"signal": "space / 3"}, "labelColor": "var(--ink)"},
        ],
        marks=[
            mark("rect", None, x={"scale": "x", "value": -table.margin_pp}, x2={"scale": "x", "value": table.margin_pp},
                 y=0, y2={"signal": "height"}, fill="var(--band)"),
            mark("rule", None, x={"scale": "x", "value": 0}, y=0, y2={"signal": "height"}, stroke="var(--ink)"),
            mark("rule", "wide", x=at("x", "wide[0]"), x2=at("x", "wide[1]"), y=middle, stroke=colour, strokeWidth=1),
            mark("rule", "rows", x=at("x", "low"), x2=at("x", "high"), y=middle, stroke=colour, strokeWidth=3),
            mark("symbol", "rows", seen=True, x=at("x", "d"), y=middle, shape=at("shape", "word"), stroke=colour,
                 size=90, fill=[{"test": "datum.word === 'undetermined'", "value": "var(--paper)"}, colour],
                 strokeWidth=2, tooltip={"signal": _FOREST_TIP}),
        ],
    )  # fmt: skip


def _forest_row(row: Row, c: PairedComparison) -> dict[str, Any]:
    wide = row.generalises.interval_pp if row.generalises else None
    return {
        "name": row.name,
        "d": round(c.difference_pp, 3),
        "low": round(c.interval_pp[0], 3),
        "high": round(c.interval_pp[1], 3),
        "wide": [round(end, 3) for end in wide] if wide else None,
        "word": word(row),
        "wins": c.wins,
        "seeds": c.seeds,
    }


def comparable(row: Row) -> bool:
    """Whether a difference is worth drawing: it has an interval, and no seed counts at chance because it failed.

    Next to the accuracy of chance every other difference would be a dot; the tables show such rows and say why.
    """
    finite = row.verdict is None or all(map(math.isfinite, row.verdict.comparison.interval_pp))
    return finite and not any(flag.startswith(tuple(FAILED.values())) for flag in row.flags)


def described(parts: Sequence[str]) -> str:
    """The content of a figure in words, as long as it is short enough to be listened to."""
    return "; ".join(parts) if len(parts) <= MOST_DESCRIBED else "The tables of this page have the numbers."


def word(row: Row) -> str:
    """The verdict on the criterion, as far as this many seeds allow one; what more epochs explain is none."""
    found = verdict_word(row)
    return MORE_EPOCHS if row.more_epochs and found != "undetermined" else found


def verdict_word(row: Row) -> str:
    """The verdict as far as this many seeds allow one, whatever explains it."""
    judged = row.verdict is not None and row.verdict.evidence in ("verdicts", "ranks")
    return row.verdict.word if row.verdict and judged else "undetermined"


def cost(row: Row, table: Table, timed: bool = False) -> float | None:
    """What was saved: the speed-up in MACs, or on weight tracks the percentage of weights that are zero.

    `timed`: the speed-up that a quiet pass measured of PyTorch itself, None where there is none.
    """
    if timed:
        return row.measured.speedup("eager")
    if table.granularity == "weight":
        return None if row.sparsity is None else 100 * row.sparsity
    return row.speedup_macs


def pareto(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of (cost, accuracy) pairs those that no other pair reaches in both, from low cost to high."""
    front: list[tuple[float, float]] = []
    for saved, accuracy in sorted(points, reverse=True):
        if not front or accuracy > front[-1][1]:
            front.append((saved, accuracy))
    return front[::-1]


def frontier(tables: Sequence[Table], styles: Mapping[str, Style], page: str, timed: bool = False) -> Spec | None:
    """Accuracy against speed-up over all levels: means with intervals, every seed's record, and the Pareto front.

    `page` has the records, which a click opens; `timed` is against measured time. Methods of one level are drawn side
    by side. None without a result.
    """
    names = list(dict.fromkeys(row.name for table in tables for row in table.ranked))
    means, seeds = _points(tables, names, timed)
    if not means:
        return None
    best = set(pareto([(point["x"], point["y"]) for point in means]))
    front = sorted(
        ({key: point[key] for key in ("x", "y", "shift")} for point in means if (point["x"], point["y"]) in best),
        key=lambda point: (point["x"], point["shift"]),
    )
    dense = [row.accuracy_percent for t in tables for row in t.unranked if row.kind == "dense" and row.accuracy_percent]
    weights = tables[0].granularity == "weight" and not timed
    ends = [y for point in means for y in (point["low"], point["high"])] + [p["y"] for p in seeds] + dense[:1]
    xs = [point["x"] for point in means]
    place = at("x", "x", offset={"signal": f"datum.shift * {_spread(means, weights)}"})
    domain = [min(xs), max(xs)] if len({point["t"] for point in means}) > 1 else [0.9 * min(xs), 1.1 * max(xs)]
    colour = at("colour", "m")
    title = "measured speed-up" if timed else "weights that are zero, %" if weights else "speed-up in MACs"
    return vega.figure(
        f"Test accuracy against {title}. "
        + described([f"{names[p['m']]} {p['y']:.2f} % at {p['x']:.3g}" for p in means]),
        height=360, right="16",
        data=[vega.values("means", means), vega.values("seeds", seeds), vega.values("front", front),
              vega.values("dense", [{"y": round(y, 3)} for y in dense[:1]])],
        signals=[{"name": "page", "value": page}],
        scales=[
            vega.linear("x", domain, "width", padding=PADDING)
            | ({"type": "linear", "nice": False} if weights else {"type": "log", "nice": False}),
            vega.linear("y", [min(ends), max(ends)], "height"),
            *vega.style_scales(names, styles),
        ],
        axes=[
            vega.x_axis(title, values=sorted({round(x, 2) for x in xs}), labelOverlap="greedy",
                        format=".3~r" if weights else ".2~f"),
            vega.y_axis("test accuracy, %"),
        ],
        marks=[
            mark("rule", "dense", x=0, x2={"signal": "width"}, y=at("y", "y"), stroke="var(--faint)",
                 strokeDash=[1, 3]),
            mark("text", "dense", x={"signal": "width"}, y=at("y", "y", offset=-5), text="dense", align="right",
                 fill="var(--faint)"),
            mark("line", "front", x=place, y=at("y", "y"), stroke="var(--accent)", strokeWidth=6,
                 strokeOpacity=0.22, interpolate="step-before"),
            vega.by_method(
                mark("line", "method", x=place, y=at("y", "y"), stroke=colour, strokeOpacity=0.45,
                     strokeDash=at("dash", "m")),
                source="means",
            ),
            mark("symbol", "seeds", seen=True, x=place, y=at("y", "y"), size=22, fill=colour, fillOpacity=0.4,
                 stroke=None, cursor="pointer", tooltip={"signal": _SEED_TIP}, href={"signal": "page + '#' + datum.r"}),
            *([mark("rule", "means", x=_end(place, "from"), x2=_end(place, "to"), y=at("y", "y"), stroke=colour)]
              if timed else []),
            mark("rule", "means", x=place, y=at("y", "low"), y2=at("y", "high"), stroke=colour, strokeWidth=2),
            mark("symbol", "means", seen=True, x=place, y=at("y", "y"), size=80, shape=at("shape", "m"), fill=colour,
                 stroke=colour, strokeWidth=2, tooltip={"signal": _MEAN_TIP}),
        ],
    )  # fmt: skip


def _end(place: Mapping[str, Any], field: str) -> Spec:
    return {**place, "field": field}


def _spread(means: Sequence[Mapping[str, Any]], weights: bool) -> str:
    """How much room the methods of one level take together, in pixels, as an expression of Vega's.

    That is a third of the smallest gap between the levels at most, and never more than there is inside the frame.
    """
    levels: dict[int, list[float]] = {}
    for point in means:
        levels.setdefault(point["t"], []).append(point["x"] if weights else math.log(point["x"]))
    spans = sorted((min(xs), max(xs)) for xs in levels.values())
    length = max(high for _, high in spans) - spans[0][0]
    gaps = [max(after[0] - before[1], 0.0) / length for before, after in pairwise(spans) if length]
    side_by_side = min(WIDEST, 9 * (max(map(len, levels.values())) - 1))
    return f"min({side_by_side}, (width - {2 * PADDING}) * {min(gaps):.4f} / 3)" if gaps else f"{side_by_side}"


_FOREST_TIP = (
    "datum.name + '\\n' + format(datum.d, '+.2f') + ' pp [' + format(datum.low, '+.2f') + ', ' +"
    " format(datum.high, '+.2f') + ']\\n' + datum.word + '\\nahead on ' + datum.wins + ' of ' + datum.seeds + ' seeds'"
)
_SEED_TIP = (
    "scale('name', datum.m) + ', seed ' + datum.s + '\\n' + format(datum.y, '.2f') + ' %'"
    " + '\\nrecord ' + datum.r + '\\nclick to open it'"
)
_MEAN_TIP = (
    "scale('name', datum.m) + '\\nmean ' + format(datum.y, '.2f') + ' % [' + format(datum.low, '.2f') + ', '"
    " + format(datum.high, '.2f') + ']'"
)


def _points(
    tables: Sequence[Table], names: Sequence[str], timed: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Means and single seeds of the methods in `names`, by their numbers there; `t` is the number of the table.

    `shift` is the place among those of the level, from -1/2 to 1/2, in the order of what was saved: no front goes back.
    """
    means, seeds = [], []
    for number, table in enumerate(tables):
        rows = [
            (round(saved, 3), names.index(row.name), row)
            for row in table.ranked
            if row.accuracy_percent is not None and (saved := cost(row, table, timed)) is not None
        ]
        for place, (saved, m, row) in enumerate(sorted(rows, key=lambda each: each[:2])):
            accuracy = row.accuracy_percent or 0.0
            low, high = row.interval_percent or (accuracy, accuracy)
            speed = row.measured.timed["eager"].speedup if timed and row.measured.timed else None
            where = {"m": m, "x": saved, "shift": round(place / (len(rows) - 1) - 0.5, 4) if len(rows) > 1 else 0}
            means.append(
                where | {"t": number, "y": round(accuracy, 3), "low": round(low, 3), "high": round(min(high, 100.0), 3)}
            )
            means[-1] |= {"from": round(speed.low, 3), "to": round(speed.high, 3)} if speed else {}
            seeds += [
                where | {"y": round(score, 3), "s": seed, "r": sha256[:SHA_SHOWN]}
                for seed, score, sha256 in zip(row.seeds, row.scores, row.records, strict=True)
                if len(names) <= MOST_WITH_SEEDS
            ]
    return means, seeds
