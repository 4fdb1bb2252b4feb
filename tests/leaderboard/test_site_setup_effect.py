"""What another setup changes: the figure setup by setup, and the words beside it."""

import dataclasses
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.site_context import ANCHOR, BETTER, changing_verdicts, data, tables

from prunemark.leaderboard.site import setup_effect, slope_chart, style, track_facts


def test_slopes_have_a_point_a_setup_and_no_line_into_whole_pipelines(make_records):
    found = changing_verdicts(make_records)
    spec = slope_chart.slopes(found, style.assign(found), "S3.2")
    points = data(spec, "points")
    assert [(p["setup"], "low" in p, p["word"] == "better") for p in points] == [
        ("S2", False, True), ("S3.2", True, False), ("SX-A", False, False),
    ]  # fmt: skip
    signals = {signal["name"]: signal.get("value") for signal in spec["signals"]}
    assert signals["spaced"] == ["S2", "S3.2", slope_chart.GAP, "SX-A"] and signals["setup"] == "S3.2"
    lines = {each["name"]: each["transform"][0]["expr"] for each in spec["data"] if each["name"] in ("steps", "whole")}
    assert "SX-A" in signals["whole"] and "S3.2" not in signals["whole"]
    assert lines == {"steps": "indexof(whole, datum.setup) < 0", "whole": "indexof(whole, datum.setup) >= 0"}
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
    (change,) = setup_effect.changes(changing_verdicts(make_records))
    assert change.sentence == (
        "Under S2, Mine is better than L1-norm by 2.08 pp; under S3.2, it is equivalent to L1-norm (+0.00 pp)."
    )
    assert setup_effect.changes(changing_verdicts(make_records)[1:]) == []


def test_better_within_the_margin_and_equivalent_are_no_two_findings(make_records):
    """Both say that the difference is smaller than the margin; from undetermined to there, it is said how small."""
    found = changing_verdicts(make_records)
    (change,) = setup_effect.changes(found)
    assert change.looser.word == "better" and change.stricter.word == "equivalent"

    def within(table, name):
        rows = (
            dataclasses.replace(r, verdict=dataclasses.replace(r.verdict, within_margin=True)) if r.name == name else r
            for r in table.ranked
        )
        return dataclasses.replace(table, ranked=tuple(rows))

    assert setup_effect.changes([within(found[0], change.name), *found[1:]]) == []
    told = setup_effect.Told("S2", "better", 0.28, within=True)
    assert told.says == "is better than {anchor} by 0.28 pp (within the margin)"


def test_levels_that_were_not_run_are_named(make_records):
    """Three levels are the track's, and each setup has one."""
    found = changing_verdicts(make_records)
    assert [table.level for table in found] == ["90%"] * 3 and found[0].levels == ("50%", "90%", "95%")
    assert track_facts.not_run(found) == "50%, 95% under S2, S3.2, SX-A"
    assert track_facts.not_run([dataclasses.replace(table, levels=("90%",)) for table in found]) == ""


def test_verdicts_of_other_seeds_teach_nothing_about_a_setup(make_records):
    """A method that is better with ten seeds and undetermined with five has learned from seeds, not from the setup."""
    found = changing_verdicts(make_records)
    (changed,) = {change.name for change in setup_effect.changes(found)}
    loose = found[0]
    rows = tuple(dataclasses.replace(r, seeds=r.seeds[:-1]) if r.name == changed else r for r in loose.ranked)
    assert setup_effect.changes([dataclasses.replace(loose, ranked=rows), *found[1:]]) == []


@given(st.lists(st.floats(0, 380), max_size=20).map(sorted))
def test_labels_are_apart_in_order_and_within_the_figure_if_they_fit(wanted):
    placed = slope_chart.spread(wanted, 15, 380)
    assert all(b - a >= 15 - 1e-6 for a, b in pairwise(placed))
    assert len(placed) == len(wanted) and all(-1e-6 <= p <= 380 for p in placed)


def test_the_recipes_behind_a_change_are_said_where_they_differ(make_records):
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
    (change,) = setup_effect.changes(found)
    assert setup_effect.recipes([change], found, records) == [
        "Retraining under S2: L1-norm for 2 epochs at LR 1e-3; Mine for 2 epochs at LR 0:1e-1,1:1e-2."
    ]
    alike = dataclasses.replace(change, name="L1-norm")
    assert setup_effect.recipes([alike], found, records) == setup_effect.recipes([], found, records) == []
