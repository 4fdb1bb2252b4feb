"""What to run next: which comparisons are open, which seeds they need, what those cost, and in which order."""

import dataclasses

import numpy as np
import pytest

from prunemark.cli.planned import rows_of, summary
from prunemark.leaderboard.standings.plan import make_plan
from prunemark.leaderboard.standings.table import make_table


def noise(k, sd, seed):
    return np.random.default_rng(seed).normal(0, sd, k)


@pytest.fixture
def field(make_records):
    """An anchor on ten seeds, one that is clearly worse, one that is nearly decided and one that is far from it."""
    anchor = 93 + noise(10, 0.4, 1)
    return [
        *make_records("L1-norm", anchor, role="anchor"),
        *make_records("Worse", anchor - 6 + noise(10, 0.4, 2), source="w"),
        *make_records("Near", anchor + 1.2 + noise(10, 1.1, 3), source="n"),
        *make_records("Far", anchor[:6] + 0.5 + noise(6, 3.0, 4), source="f"),
    ]


def plan_of(records, **how):
    return make_plan([make_table(records, "90%")], records, **how)


def test_the_open_ones_are_listed_and_the_best_value_comes_first(field):
    plan = plan_of(field)
    assert [row.name for _, row in plan.decided] == ["Worse"]
    assert [p.open.row.name for p in plan.prospects] == ["Near", "Far"]
    near, far = plan.prospects
    assert near.core_seconds < far.core_seconds and near.decisions_per_hour == 3600 / near.core_seconds
    assert not plan.all_decided and plan.comparisons == 3


def test_seeds_go_on_in_order_for_whoever_lacks_them(field):
    near, far = plan_of(field).prospects
    assert near.seeds[:3] == (10, 11, 12) and far.seeds[:5] == (6, 7, 8, 9, 10)
    assert near.part().seeds == near.seeds[: max(2, -(-len(near.seeds) // 2))]


def test_a_gap_is_filled_first(field):
    lacking = [r for r in field if (r.outcome.method.name, r.outcome.seed) != ("Near", 4)]
    near = next(p for p in plan_of(lacking).prospects if p.open.row.name == "Near")
    assert near.open.compared == 4 and near.seeds[:2] == (4, 10)


def test_seeds_end_with_the_bases_that_are_given(field):
    """Each seed has a base of its own, so there are as many seeds as bases."""
    bases = [{"weights": "file", "sha256": f"{n:064x}", "top1_percent": 98.0, "source": "a test"} for n in range(10)]

    def given(record, count):
        terms = record.outcome.track_terms | {"base": bases[:count]}
        return dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, track_terms=terms))

    plan = plan_of([given(record, 10) for record in field])
    assert [(p.open.row.name, p.seeds) for p in plan.prospects] == [("Far", (6, 7, 8, 9))]
    assert [row.name for _, row in plan.over] == ["Near"] and plan.comparisons == 3
    assert plan_of([given(record, 1) for record in field]).prospects[0].seeds[0] == 10  # one for all has no end


def test_costs_are_those_of_the_records_and_what_serves_several_is_shared(field):
    slow = [
        dataclasses.replace(r, observed=dataclasses.replace(r.observed, retraining_seconds=20.0))
        if r.outcome.method.name == "Near" else r
        for r in field
    ]  # fmt: skip
    near = next(p for p in plan_of(slow).prospects if p.open.row.name == "Near")
    base = 2.0  # as many steps as retraining
    of_a_seed = (0.1 + 20 + 0.1) + 2.2 / 2 + base / 2  # its own run; of two open ones, half the anchor's and the base
    assert near.core_seconds == pytest.approx(len(near.seeds) * of_a_seed)


def test_a_single_row_can_be_asked_for(field):
    plan = plan_of(field, only=lambda table, row: row.name == "Far")
    assert [p.open.row.name for p in plan.prospects] == ["Far"] and not plan.decided


def test_who_has_one_seed_is_open_too(field, make_records):
    plan = plan_of([*field, *make_records("New", [93.0], source="x")])
    new = next(p for p in plan.prospects if p.open.row.name == "New")
    assert new.seeds == (1, 2)


def test_a_planned_look_that_is_over_asks_for_nothing(field):
    def judged(record):
        terms = record.outcome.track_terms | {"judged": "planned: 6"}
        return dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, track_terms=terms))

    plan = plan_of([judged(r) for r in field])
    assert not plan.prospects and [row.name for _, row in plan.over] and not plan.all_decided
    early = plan_of([judged(r) for r in field if r.outcome.seed < 4])
    assert {p.seeds for p in early.prospects} == {(4, 5)}


def test_the_listing_says_what_to_run_and_what_it_takes(field):
    plan = plan_of(field)
    rows = rows_of(plan)
    assert rows[0]["method"] == "Near" and rows[0]["next_seeds"].startswith("10-")
    assert rows[0]["expected_minutes"] == pytest.approx(plan.prospects[0].core_seconds / 60, rel=0.01)
    assert summary(plan).startswith("1 of 3 comparisons decided; 2 are open")
    done = [r for r in field if r.outcome.method.name in ("L1-norm", "Worse")]
    assert rows_of(plan_of(done)) == [] and "nothing to run" in summary(plan_of(done))
