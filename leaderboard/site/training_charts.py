"""Figures about retraining: validation curves, and trainability against final accuracy (the founding paper's point)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import Any

from prunemark.leaderboard.site import vega
from prunemark.leaderboard.site.charts import MOST_WITH_SEEDS, described, word
from prunemark.leaderboard.site.style import Style
from prunemark.leaderboard.site.urls import SHA_SHOWN
from prunemark.leaderboard.site.vega import Spec, at, mark
from prunemark.leaderboard.standings.rows import Row
from prunemark.leaderboard.standings.table import Table
from prunemark.records.record import Record

MOST_CURVES, MOST_EPOCHS = 12, 40
"""What a reader can tell apart, and what keeps a page small; see `shown_in_curves`."""


def shown_in_curves(table: Table) -> list[Row]:
    """At most twelve ranked rows: the anchor, the highest, the lowest, what is settled, and others evenly between.

    Not the first twelve: those were chosen by what the figure is to show. Of too many that are settled the ones
    farthest from the anchor are shown.
    """
    rows = list(table.ranked)
    last = max(len(rows) - 1, 0)
    spread = [rows[round(step * last / (MOST_CURVES - 1))] for step in range(MOST_CURVES)] if rows else []
    chosen = list(dict.fromkeys(row.name for row in (*_ends(table), *_settled(table), *spread, *rows)))
    return [row for row in rows if row.name in chosen[:MOST_CURVES]]


def choice_in_words(table: Table) -> str:
    """Which methods have curves, and how they were chosen; "" where all have."""
    shown = shown_in_curves(table)
    if len(shown) == len(table.ranked):
        return ""
    names = {row.name for row in shown}
    settled = _settled(table)
    reasons = ["the anchor", "the highest", "the lowest"]
    if settled and all(row.name in names for row in settled):
        reasons.append("whatever is settled against the anchor")
    elif settled:
        reasons.append(f"of the {len(settled)} that are settled those farthest from the anchor")
    if names > {row.name for row in (*_ends(table), *settled)}:
        reasons.append("others evenly between")
    chosen = f"{', '.join(reasons[:-1])} and {reasons[-1]}"
    listed = ", ".join(row.name for row in shown)
    return f"Curves of {len(shown)} of {len(table.ranked)} methods: {chosen}. They are {listed}."


def _ends(table: Table) -> list[Row]:
    """The anchor, the highest and the lowest."""
    return [*(row for row in table.ranked if row.name == table.anchor), *table.ranked[:1], *table.ranked[-1:]]


def _settled(table: Table) -> list[Row]:
    """The rows with a verdict other than undetermined, the farthest from the anchor first."""
    found = [(row, row.verdict.comparison.difference_pp) for row in table.ranked if row.verdict]
    settled = [(row, difference) for row, difference in found if word(row) != "undetermined"]
    return [row for row, _ in sorted(settled, key=lambda each: -abs(each[1]))]


def curves(table: Table, styles: Mapping[str, Style], records: Mapping[str, Record]) -> Spec | None:
    """Validation accuracy over the retraining epochs: the mean of the seeds, with their range.

    Vertical rules mark where the anchor's LR drops. At most 40 epochs are drawn. `records` by hash. None without one.
    """
    rows = shown_in_curves(table)
    names = [row.name for row in rows]
    points = [
        {"m": number} | point
        for number, row in enumerate(rows)
        for point in _mean_curve([records[sha256] for sha256 in row.records if sha256 in records])
    ]
    if not points:
        return None
    anchor = next((row for row in rows if row.name == table.anchor), rows[0])
    drops = lr_drops(records[anchor.records[0]]) if anchor.records and anchor.records[0] in records else []
    ends = [y for point in points for y in (point["l"], point["h"])]
    colour = at("colour", "m")
    return vega.figure(
        f"Validation accuracy over the retraining epochs at level {table.level}. "
        + "; ".join(f"{name}: {_in_words([p for p in points if p['m'] == m])}" for m, name in enumerate(names)),
        height=240,
        data=[vega.values("points", points), vega.values("drops", [{"e": epoch} for epoch in drops])],
        scales=[
            vega.linear("x", [0, max(point["e"] for point in points)], "width", nice=False),
            vega.linear("y", [min(ends), max(ends)], "height"),
            *vega.style_scales(names, styles),
        ],
        axes=[vega.x_axis("retraining epoch", format="d"), vega.y_axis("validation accuracy, %")],
        marks=[
            mark("rule", "drops", x=at("x", "e"), y=0, y2={"signal": "height"}, stroke="var(--faint)",
                 strokeDash=[2, 3]),
            vega.by_method(
                mark("area", "method", x=at("x", "e"), y=at("y", "l"), y2=at("y", "h"), fill=colour, fillOpacity=0.12),
                source="points",
            ),
            vega.by_method(
                mark("line", "method", seen=True, x=at("x", "e"), y=at("y", "y"), stroke=colour, strokeWidth=2,
                     strokeDash=at("dash", "m"), tooltip={"signal": "scale('name', datum.m)"}),
                source="points",
            ),
        ],
    )  # fmt: skip


def lr_drops(record: Record) -> list[int]:
    """The epochs of the retraining curve at which the LR is below that of the epoch before."""
    curve = record.outcome.curve
    return [after.epoch for before, after in pairwise(curve) if after.lr < before.lr]


def _mean_curve(records: Sequence[Record]) -> list[dict[str, float]]:
    curves = [record.outcome.curve for record in records if record.outcome.curve]
    shared = min(map(len, curves), default=0)
    points = []
    for index in _thinned(shared):
        accuracies = [curve[index].validation_accuracy_percent for curve in curves]
        points.append(
            {
                "e": curves[0][index].epoch,
                "y": round(fmean(accuracies), 2),
                "l": round(min(accuracies), 2),
                "h": round(max(accuracies), 2),
            }
        )
    return points


def _thinned(count: int) -> list[int]:
    """At most 40 of the indices below `count`, evenly, with the first and the last."""
    if count <= MOST_EPOCHS:
        return list(range(count))
    return sorted({round(step * (count - 1) / (MOST_EPOCHS - 1)) for step in range(MOST_EPOCHS)})


def _in_words(points: Sequence[Mapping[str, float]]) -> str:
    return f"{points[0]['y']:.1f} % to {points[-1]['y']:.1f} %" if points else "no curve"


def trainability(table: Table, styles: Mapping[str, Style], records: Mapping[str, Record], page: str) -> Spec | None:
    """Final test accuracy against trainability accuracy, both in percent, of all that is ranked: means, and every seed.

    Of more than 24 methods only the means are shown. `page` has the records, which a click opens. None where no
    record states its trainability.
    """
    rows = list(table.ranked)
    names = [row.name for row in rows]
    seeds = [point for number, row in enumerate(rows) for point in _seed_points(number, row, records)]
    if not seeds:
        return None
    means: list[dict[str, Any]] = [
        {"m": m, "x": round(fmean(p["x"] for p in own), 2), "y": round(fmean(p["y"] for p in own), 2)}
        for m in range(len(names))
        if (own := [point for point in seeds if point["m"] == m])
    ]
    shown = seeds if len(rows) <= MOST_WITH_SEEDS else []
    xs, ys = ([p[axis] for p in shown or means] for axis in ("x", "y"))
    colour = at("colour", "m")
    return vega.figure(
        f"Test accuracy against trainability accuracy at level {table.level}. "
        + described([f"{names[p['m']]}: {p['x']:.1f} % trainability, {p['y']:.1f} % accuracy" for p in means]),
        height=240, right="12",
        data=[vega.values("seeds", shown), vega.values("means", means)],
        signals=[{"name": "page", "value": page}],
        scales=[
            vega.linear("x", [min(xs), max(xs)], "width"),
            vega.linear("y", [min(ys), max(ys)], "height"),
            *vega.style_scales(names, styles),
        ],
        axes=[vega.x_axis("trainability, %", grid=True), vega.y_axis("test accuracy, %")],
        marks=[
            mark("symbol", "seeds", seen=True, x=at("x", "x"), y=at("y", "y"), size=26, fill=colour, fillOpacity=0.4,
                 stroke=None, cursor="pointer", tooltip={"signal": _SEED_TIP}, href={"signal": "page + '#' + datum.r"}),
            mark("symbol", "means", seen=True, x=at("x", "x"), y=at("y", "y"), size=100, shape=at("shape", "m"),
                 fill=colour, stroke=colour, strokeWidth=2, tooltip={"signal": _MEAN_TIP}),
        ],
    )  # fmt: skip


_SEED_TIP = (
    "scale('name', datum.m) + ', seed ' + datum.s + '\\ntrainability ' + format(datum.x, '.2f') + ' %\\naccuracy '"
    " + format(datum.y, '.2f') + ' %\\nrecord ' + datum.r + '\\nclick to open it'"
)
_MEAN_TIP = (
    "scale('name', datum.m) + '\\nmean trainability ' + format(datum.x, '.2f') + ' %\\nmean accuracy '"
    " + format(datum.y, '.2f') + ' %'"
)


def _seed_points(number: int, row: Row, records: Mapping[str, Record]) -> list[dict[str, Any]]:
    points = []
    for seed, score, sha256 in zip(row.seeds, row.scores, row.records, strict=True):
        known = records[sha256].outcome.diagnostics if sha256 in records else None
        if known and known.trainability_percent is not None:
            x, y = round(known.trainability_percent, 2), round(score, 2)
            points.append({"m": number, "x": x, "y": y, "s": seed, "r": sha256[:SHA_SHOWN]})
    return points
