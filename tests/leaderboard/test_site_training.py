"""Figures about retraining: whose curves are drawn and how, and all trainabilities."""

import dataclasses

import pytest
from support.site_context import ANCHOR, BETTER, data, tables

from prunemark.leaderboard.site import style, training_charts
from prunemark.records.outcome import Diagnostics, EpochPoint


def with_curve(record, accuracies, lrs, trainability=80.0):
    points = tuple(EpochPoint(e, lr, 0.5, a) for e, (a, lr) in enumerate(zip(accuracies, lrs, strict=True)))
    known = Diagnostics(trainability, 1, None, None, None, None, None)
    return dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, curve=points, diagnostics=known))


def test_curves_are_the_mean_over_the_seeds_with_their_range(make_records):
    lrs = (0.1, 0.1, 0.01)
    anchor = [with_curve(r, (70 + i, 80.0, 90.0), lrs) for i, r in enumerate(make_records("L1-norm", ANCHOR))]
    (table,) = tables(anchor)
    records = {record.record_sha256: record for record in anchor}
    spec = training_charts.curves(table, style.assign([table]), records)
    first = data(spec, "points")[0]
    assert (first["e"], first["y"], first["l"], first["h"]) == (0, 72.0, 70.0, 74.0)
    assert data(spec, "drops") == [{"e": 2}]
    shown = training_charts.trainability(table, style.assign([table]), records, "records_x.html")
    assert data(shown, "means") == [{"m": 0, "x": 80.0, "y": pytest.approx(94.36)}]
    assert training_charts.curves(table, style.assign([table]), {}) is None


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
    spec = training_charts.trainability(table, style.assign([table]), records, "records.html")
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
    few = training_charts.trainability(table, style.assign([table]), records, "records.html")
    monkeypatch.setattr(training_charts, "MOST_WITH_SEEDS", 2)
    many = training_charts.trainability(table, style.assign([table]), records, "records.html")
    assert (len(data(few, "seeds")), len(data(many, "seeds"))) == (15, 0)
    assert data(few, "means") == data(many, "means") and len(data(many, "means")) == 3


def with_trainability(record):
    diagnostics = Diagnostics(80.0, 10, None, None, None, None, None)
    return dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, diagnostics=diagnostics))
