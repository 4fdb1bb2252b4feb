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

from prunemark.benchmark.outcome import Diagnostics, EpochPoint, Failure
from prunemark.leaderboard.board import make_board
from prunemark.leaderboard.load import Loaded
from prunemark.leaderboard.site import charts, lesson, look, slope_chart, training_charts, vega

ANCHOR = [94.0, 95.0, 93.6, 94.8, 94.4]
BETTER = [96.2, 96.8, 96.0, 97.0, 96.2]


def tables(*groups):
    return make_board(Loaded(tuple(record for group in groups for record in group))).tables


def data(spec, name):
    return next(each["values"] for each in spec["data"] if each["name"] == name)


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
    assert slope_chart.slopes([table], look.assign([table]), "S3.2", "90%") is None


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
    spec = charts.frontier(found, look.assign(found), "records_x.html")
    assert {row["r"] for row in data(spec, "seeds")} == {record.record_sha256[:12] for record in records}
    assert len(data(spec, "means")) == 4 and {row["x"] for row in data(spec, "means")} == {1.911, 6.373}
    assert [row["x"] for row in data(spec, "front")] == [6.373]  # the same accuracy for more


def with_curve(record, accuracies, lrs, trainability=80.0):
    points = tuple(EpochPoint(e, lr, 0.5, a) for e, (a, lr) in enumerate(zip(accuracies, lrs, strict=True)))
    known = Diagnostics(trainability, 1, None, None, None, None, None)
    return dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, curve=points, diagnostics=known))


def test_curves_are_the_mean_over_the_seeds_with_their_range(make_records):
    lrs = (0.1, 0.1, 0.01)
    anchor = [with_curve(r, (70 + i, 80.0, 90.0), lrs) for i, r in enumerate(make_records("L1-norm", ANCHOR))]
    (table,) = tables(anchor)
    records = {record.record_sha256: record for record in anchor}
    spec = training_charts.curves(table, look.assign([table]), records)
    first = data(spec, "points")[0]
    assert (first["e"], first["y"], first["l"], first["h"]) == (0, 72.0, 70.0, 74.0)
    assert data(spec, "drops") == [{"e": 2}]
    shown = training_charts.trainability(table, look.assign([table]), records, "records_x.html")
    assert data(shown, "means") == [{"m": 0, "x": 80.0, "y": pytest.approx(94.36)}]
    assert training_charts.curves(table, look.assign([table]), {}) is None


def test_long_curves_are_thinned_and_keep_both_ends(make_record):
    record = with_curve(make_record(), range(251), [0.1] * 251)
    points = training_charts._mean_curve([record])
    assert len(points) == 40 and (points[0]["e"], points[-1]["e"]) == (0, 250)


def test_curves_are_not_chosen_by_accuracy(make_records):
    """The anchor, both ends and what is settled, however many others lie above; the scatter has them all."""
    many = [make_records(f"M{number:02d}", [score + number * 0.2 for score in ANCHOR]) for number in range(14)]
    worse = make_records("Zz", [score - 4 for score in ANCHOR])
    (table,) = tables(make_records("L1-norm", ANCHOR), *many, worse)
    shown = [row.name for row in training_charts.shown_in_curves(table)]
    assert len(shown) == training_charts.MOST_CURVES and {"L1-norm", "M13", "Zz"} <= set(shown)
    order = [row.name for row in table.ranked]
    assert shown != order[:12] and shown == sorted(shown, key=order.index)
    records = {r.record_sha256: with_trainability(r) for group in (*many, worse) for r in group}
    spec = training_charts.trainability(table, look.assign([table]), records, "records.html")
    assert len(data(spec, "means")) == 15


def test_the_choice_of_curves_is_said(make_records):
    few = tables(make_records("L1-norm", ANCHOR), make_records("Mine", BETTER))
    assert training_charts.choice_in_words(few[0]) == ""
    noise = [0.9, -0.8, 0.3, -0.5, 0.1]
    alike = [make_records(f"M{n:02d}", [a + b for a, b in zip(ANCHOR, noise, strict=True)]) for n in range(14)]
    worst = make_records("Zz", [score - 6 for score in ANCHOR])
    (table,) = tables(make_records("L1-norm", ANCHOR), *alike, worst)
    told = training_charts.choice_in_words(table)
    assert told.startswith(
        "Curves of 12 of 16 methods: the anchor, the highest, the lowest, whatever is settled against the anchor and "
        "others evenly between. They are "
    )
    assert told.endswith("Zz.") and told.count(", M") == 9
    settled = [make_records(f"S{n:02d}", [score - 3 - n / 4 for score in ANCHOR]) for n in range(14)]
    (table,) = tables(make_records("L1-norm", ANCHOR), *settled)
    told = training_charts.choice_in_words(table)
    assert "the lowest and of the 14 that are settled those farthest from the anchor. They are" in told
    assert "S13" in told and "S03" in told and "S02" not in told


def test_the_scatter_of_many_methods_has_all_means_and_no_seeds(make_records, monkeypatch):
    groups = [[with_trainability(r) for r in make_records(name, ANCHOR)] for name in ("L1-norm", "A", "B")]
    (table,) = tables(*groups)
    records = {r.record_sha256: r for group in groups for r in group}
    few = training_charts.trainability(table, look.assign([table]), records, "records.html")
    monkeypatch.setattr(training_charts, "MOST_WITH_SEEDS", 2)
    many = training_charts.trainability(table, look.assign([table]), records, "records.html")
    assert (len(data(few, "seeds")), len(data(many, "seeds"))) == (15, 0)
    assert data(few, "means") == data(many, "means") and len(data(many, "means")) == 3


def with_trainability(record):
    diagnostics = Diagnostics(80.0, 10, None, None, None, None, None)
    return dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, diagnostics=diagnostics))


def frontier_of(found):
    return charts.frontier(found, look.assign(found), "records.html")


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


def test_controls_with_lent_layer_ratios_are_not_in_the_frontier(make_records):
    (table,) = tables(make_records("L1-norm", ANCHOR), make_records("Random", ANCHOR, role="control"))
    control = next(row for row in table.ranked if row.name == "Random")
    several = dataclasses.replace(control, name="Random (layer ratios of Mine)")
    stranger = dataclasses.replace(several, role="submission")
    table = dataclasses.replace(table, ranked=(*table.ranked, several))
    assert [row.name for row in charts.drawn_in_frontier([table])] == ["L1-norm", "Random"]
    assert len(data(frontier_of([table]), "means")) == 2
    assert stranger in charts.drawn_in_frontier([dataclasses.replace(table, ranked=(stranger,))])


def switched(make_records):
    return tables(
        make_records("L1-norm", ANCHOR, setup="S2"), make_records("Mine", BETTER, setup="S2"),
        make_records("L1-norm", ANCHOR), make_records("Mine", ANCHOR[::-1]),
        make_records("L1-norm", ANCHOR, setup="SX-A"), make_records("Mine", ANCHOR[::-1], setup="SX-A"),
    )  # fmt: skip


def test_slopes_have_a_point_a_setup_and_no_line_into_whole_pipelines(make_records):
    found = switched(make_records)
    spec = slope_chart.slopes(found, look.assign(found), "S3.2", "90%")
    points = data(spec, "points")
    assert [(p["setup"], p["whole"], p["word"] == "better") for p in points] == [
        ("S2", False, True), ("S3.2", False, False), ("SX-A", True, False),
    ]  # fmt: skip
    signals = {signal["name"]: signal.get("value") for signal in spec["signals"]}
    assert signals["spaced"] == ["S2", "S3.2", slope_chart.GAP, "SX-A"] and signals["setup"] == "S3.2"
    assert {label["label"] for label in data(spec, "labels")} == {"L1-norm", "Mine"}


def test_the_axis_of_slopes_fits_the_means_and_does_not_follow_a_wide_interval():
    points = [{"d": 70.0, "low": 69.0, "high": 71.0}, {"d": 0.0, "low": -90.0, "high": 90.0}]
    low, high = slope_chart._domain(points, 1.0)
    assert low == pytest.approx(-20 - 0.04 * 109, abs=0.1) and high == pytest.approx(90 * 0 + 88 + 0.04 * 108, abs=1.0)
    low, high = slope_chart._domain([{"d": 70.0, "low": 69.0, "high": 71.0}], 1.0)
    assert -6 < low <= -2 and 71 <= high < 75
    assert slope_chart._domain([], 1.0) == pytest.approx([-2.16, 2.16])


def test_a_method_under_one_of_several_setups_has_no_line(make_records):
    both = [make_records(name, ANCHOR, setup=setup) for name in ("L1-norm", "Mine") for setup in ("S2", "S3.2")]
    found = tables(*both, make_records("Once", BETTER))
    assert any(row.name == "Once" for table in found for row in table.ranked)
    assert slope_chart.shown_in_slopes(found) == ["L1-norm", "Mine"]
    assert slope_chart.shown_in_slopes([t for t in found if t.setup == "S3.2"]) == ["L1-norm", "Mine", "Once"]


def test_what_a_setup_changes_is_found_and_said(make_records):
    (change,) = lesson.changes(switched(make_records))
    assert change.sentence == (
        "Under S2, Mine is better than L1-norm by 2.08 pp; under S3.2, it is equivalent to L1-norm (+0.00 pp)."
    )
    assert lesson.changes(switched(make_records)[1:]) == []


@given(st.lists(st.floats(0, 380), max_size=20).map(sorted))
def test_labels_are_apart_in_order_and_within_the_figure_if_they_fit(wanted):
    placed = slope_chart.spread(wanted, 15, 380)
    assert all(b - a >= 15 - 1e-6 for a, b in pairwise(placed))
    assert len(placed) == len(wanted) and all(-1e-6 <= p <= 380 for p in placed)


def test_looks_tell_methods_apart_and_do_not_depend_on_order(make_records):
    many = [make_records(f"M{number:02d}", ANCHOR) for number in range(30)]
    (table,) = tables(make_records("L1-norm", ANCHOR), make_records("Random", ANCHOR, role="control"), *many)
    looks = look.assign([table])
    assert len(set(looks.values())) == 32
    assert looks["L1-norm"] == look.ANCHOR and looks["Random"] == look.CONTROL
    assert look.assign([dataclasses.replace(table, ranked=table.ranked[::-1])]) == looks


def lent(row, name):
    return dataclasses.replace(row, name=f"Random (layer ratios of {name})", role="control")


def test_lent_controls_have_short_names_and_one_entry_in_a_legend(make_records):
    (table,) = tables(make_records("L1-norm", ANCHOR), make_records("Mine", BETTER), make_records("Random", BETTER))
    random = dataclasses.replace(next(row for row in table.ranked if row.name == "Random"), role="control")
    others = [row for row in table.ranked if row.name != "Random"]
    table = dataclasses.replace(table, ranked=(random, lent(random, "A"), *others, lent(random, "B (rate=2)")))
    looks = look.assign([table])
    assert [text for _, text in look.legend(table.ranked, looks)] == [
        "Random", *(row.name for row in others), "controls with other layer ratios",
    ]  # fmt: skip
    assert looks["Random (layer ratios of A)"] == look.LENT != looks["Random"]
    assert [look.short(row) for row in table.ranked[:2]] == ["Random", "Random @ A"]
    spec = charts.forest(table)
    shorts = next(scale for scale in spec["scales"] if scale["name"] == "short")
    assert dict(zip(shorts["domain"], shorts["range"], strict=True)) | {"Mine": "Mine"} == {
        "Random": "Random", "Mine": "Mine", "Random (layer ratios of A)": "Random @ A",
        "Random (layer ratios of B (rate=2))": "Random @ B (rate=2)",
    }  # fmt: skip
    stranger = dataclasses.replace(lent(random, "A"), role="submission")
    assert look.short(stranger) == stranger.name and not look.lent(stranger)


def test_every_colour_of_a_figure_is_one_of_the_style_sheet(make_records):
    found = switched(make_records)
    looks = look.assign(found)
    text = json.dumps([charts.forest(found[0]), charts.frontier(found[:1], looks, "x"),
                       slope_chart.slopes(found, looks, "S2", "90%")])  # fmt: skip
    used = set(re.findall(r"var\((--[a-z0-9-]+)\)", text)) | {f"--hue-{n}" for n in range(1, 7)}
    sheet = Path(vega.__file__).parent / "assets" / "site.css"
    declared = set(re.findall(r"(--[a-z0-9-]+):", sheet.read_text()))
    assert len(used) > 8 and used <= declared
    assert not re.search(r"#[0-9a-fA-F]{3,6}\b", text)


def test_the_recipes_behind_a_lesson_are_said_where_they_differ(make_records):
    def with_recipe(records, epochs, lr):
        return [
            dataclasses.replace(r, outcome=dataclasses.replace(
                r.outcome, retraining_recipe=r.outcome.retraining_recipe | {"epochs": epochs, "lr": lr}))
            for r in records
        ]  # fmt: skip

    loose = [
        with_recipe(make_records("L1-norm", ANCHOR, setup="S2"), 2, "1e-3"),
        with_recipe(make_records("Mine", BETTER, setup="S2"), 2, "0:1e-1,1:1e-2"),
    ]
    strict = [make_records("L1-norm", ANCHOR), make_records("Mine", ANCHOR[::-1])]
    found = tables(*loose, *strict)
    records = {r.record_sha256: r for group in (*loose, *strict) for r in group}
    (change,) = lesson.changes(found)
    assert lesson.recipes([change], found, records) == [
        "Retraining under S2: L1-norm for 2 epochs at LR 1e-3; Mine for 2 epochs at LR 0:1e-1,1:1e-2."
    ]
    alike = dataclasses.replace(change, name="L1-norm")
    assert lesson.recipes([alike], found, records) == lesson.recipes([], found, records) == []
