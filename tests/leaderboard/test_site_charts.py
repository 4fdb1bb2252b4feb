"""What the figures show: the numbers of the tables, laid out as promised. A browser test sees that they are drawn."""

import dataclasses
import json
import math
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.site_context import ANCHOR, BETTER, changing_verdicts, data, tables

from prunemark.leaderboard.site import charts, slope_chart, style, vega
from prunemark.records.outcome import Failure


def test_the_forest_has_every_difference_with_its_intervals_and_the_margin(make_records):
    (table,) = tables(make_records("L1-norm", ANCHOR), make_records("Mine", BETTER), make_records("Same", ANCHOR[::-1]))
    spec = charts.forest(table)
    rows = {row["name"]: row for row in data(spec, "rows")}
    assert set(rows) == {"Mine", "Same"} and rows["Mine"]["d"] == pytest.approx(2.08, abs=1e-3)
    comparison = next(row.verdict.comparison for row in table.ranked if row.name == "Mine")
    assert (rows["Mine"]["low"], rows["Mine"]["high"]) == pytest.approx(comparison.interval_pp, abs=1e-3)
    assert rows["Mine"]["word"] == "better" and "Mine +2.08, better" in spec["description"]
    low, high = next(scale["domain"] for scale in spec["scales"] if scale["name"] == "x")
    assert low <= -table.margin_pp < table.margin_pp <= high


def test_a_method_that_failed_does_not_squeeze_the_others(make_records, make_record):
    failing = make_records("Bad", BETTER)
    failing[1] = make_record("Bad", 1, status="failed", failure=Failure("exception", "ValueError: no"))
    (table,) = tables(make_records("L1-norm", ANCHOR), failing, make_records("Mine", BETTER))
    assert any(row.name == "Bad" and row.verdict for row in table.ranked)
    assert [row["name"] for row in data(charts.forest(table), "rows")] == ["Mine"]
    assert slope_chart.shown_in_slopes([table]) == ["L1-norm", "Mine"]


def test_nothing_to_compare_draws_nothing(make_records):
    (table,) = tables(make_records("L1-norm", ANCHOR))
    assert charts.forest(table) is None
    assert slope_chart.slopes([table], style.assign([table]), "S3.2") is None


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), max_size=12))
def test_the_front_has_exactly_the_points_that_no_other_beats(points):
    def beaten(p):
        return any(q[0] >= p[0] and q[1] >= p[1] and q != p for q in points)

    assert charts.pareto(points) == sorted(p for p in set(points) if not beaten(p))


def test_the_frontier_has_every_seed_with_its_record(make_records):
    records = [r for level, speedup in (("50%", 1.911), ("90%", 6.373)) for r in (
        *make_records("L1-norm", ANCHOR, level=level, speedup=speedup),
        *make_records("Mine", BETTER, level=level, speedup=speedup),
    )]  # fmt: skip
    found = tables(records)
    spec = charts.frontier(found, style.assign(found), "records_x.html")
    assert {row["r"] for row in data(spec, "seeds")} == {record.record_sha256[:12] for record in records}
    assert len(data(spec, "means")) == 4 and {row["x"] for row in data(spec, "means")} == {1.911, 6.373}
    assert [row["x"] for row in data(spec, "front")] == [6.373]  # the same accuracy for more


def frontier_of(found):
    return charts.frontier(found, style.assign(found), "records.html")


def places(spec, width):
    """Where the means lie on the axis, in pixels, by level: Vega's scale and offset, worked out by hand."""
    scale = next(scale for scale in spec["scales"] if scale["name"] == "x")
    number = math.log if scale["type"] == "log" else float
    low, high = map(number, scale["domain"])
    offset = next(m for m in spec["marks"] if m["from"]["data"] == "front")["encode"]["update"]["x"]["offset"]["signal"]
    spread = eval(offset.removeprefix("datum.shift * "), {"min": min, "width": width})
    found = {}
    for mean in data(spec, "means"):
        share = (number(mean["x"]) - low) / (high - low)
        at = charts.PADDING + share * (width - 2 * charts.PADDING) + mean["shift"] * spread
        found.setdefault(mean["t"], []).append(at)
    return found


@pytest.mark.parametrize("width", [240, 1100])
@pytest.mark.parametrize(
    "speedups", [(2.0, 4.0, 8.0), (2.0, 6.373, 7.687), (3.0,)], ids=["even", "uneven", "one level"]
)
def test_methods_of_one_level_stay_together_and_inside_the_frame(make_records, speedups, width):
    found = tables(*(
        make_records(name, ANCHOR, level=level, speedup=speedup)
        for level, speedup in zip(("50%", "90%", "95%"), speedups, strict=False)
        for name in ("L1-norm", *(f"M{n}" for n in range(24)))
    ))  # fmt: skip
    groups = [sorted(group) for _, group in sorted(places(frontier_of(found), width).items())]
    assert [len(group) for group in groups] == [25] * len(speedups)
    assert all(0 < group[0] < group[-1] < width for group in groups)
    middles = [(group[0] + group[-1]) / 2 for group in groups]
    widest = max(group[-1] - group[0] for group in groups)
    assert all(widest <= (after - before) / 3 + 0.1 for before, after in pairwise(middles)) and widest > 5


def test_the_front_passes_through_its_own_marks_and_never_back(make_records):
    cheap, dear = make_records("Cheap", BETTER, speedup=6.4), make_records("Mine", ANCHOR, speedup=6.3)
    spec = frontier_of(tables(make_records("L1-norm", ANCHOR, speedup=6.373), cheap, dear))
    marks = {(mean["x"], mean["y"], mean["shift"]) for mean in data(spec, "means")}
    front = [(point["x"], point["y"], point["shift"]) for point in data(spec, "front")]
    assert front and set(front) <= marks and [x for x, _, _ in front] == [6.4]
    order = sorted(data(spec, "means"), key=lambda mean: mean["x"])
    assert [mean["shift"] for mean in order] == [-0.5, 0.0, 0.5]  # who saved more stands further right
    line = next(m for m in spec["marks"] if m["from"]["data"] == "front")["encode"]["update"]["x"]
    dots = [m["encode"]["update"]["x"] for m in spec["marks"] if m["type"] == "symbol"]
    assert dots == [line, line]


def test_looks_tell_methods_apart_and_do_not_depend_on_order(make_records):
    many = [make_records(f"M{number:02d}", ANCHOR) for number in range(30)]
    (table,) = tables(make_records("L1-norm", ANCHOR), make_records("Random", ANCHOR, role="control"), *many)
    styles = style.assign([table])
    assert len(set(styles.values())) == 32
    assert styles["L1-norm"] == style.ANCHOR and styles["Random"] == style.CONTROL
    assert style.assign([dataclasses.replace(table, ranked=table.ranked[::-1])]) == styles


def test_every_colour_of_a_figure_is_one_of_the_style_sheet(make_records):
    found = changing_verdicts(make_records)
    styles = style.assign(found)
    text = json.dumps([charts.forest(found[0]), charts.frontier(found[:1], styles, "x"),
                       slope_chart.slopes(found, styles, "S2")])  # fmt: skip
    used = set(re.findall(r"var\((--[a-z0-9-]+)\)", text)) | {f"--hue-{n}" for n in range(1, 7)}
    sheet = Path(vega.__file__).parent / "assets" / "site.css"
    declared = set(re.findall(r"(--[a-z0-9-]+):", sheet.read_text()))
    assert len(used) > 8 and used <= declared
    assert not re.search(r"#[0-9a-fA-F]{3,6}\b", text)
