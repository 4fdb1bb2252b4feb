"""Which seeds of a table count: those that both methods have, in their order, at any time or in one planned look."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from prunemark.leaderboard.formats import captions, labels
from prunemark.leaderboard.standings.board import make_board
from prunemark.records.load import Loaded
from prunemark.records.outcome import Failure

ANCHOR = [94.0, 95.0, 93.6, 94.8, 94.4]
BETTER = [96.2, 96.8, 96.0, 97.0, 96.2]
ANCHOR_8, BETTER_8 = [*ANCHOR, 94.2, 94.6, 93.8], [*BETTER, 96.6, 96.4, 96.0]


def table(*groups):
    return make_board(Loaded(tuple(record for group in groups for record in group))).tables[0]


def row(found, name):
    return next(r for r in (*found.ranked, *found.unranked) if r.name == name)


def test_each_method_is_compared_on_the_seeds_that_it_has(make_records):
    found = table(
        make_records("L1-norm", ANCHOR_8), make_records("Mine", BETTER[:4]), make_records("Full", BETTER_8),
        make_records("Two", BETTER[:2]), make_records("One", BETTER[:1]),
    )  # fmt: skip
    assert found.seeds == tuple(range(8))
    assert {r.name: len(r.seeds) for r in found.ranked} == {"L1-norm": 8, "Full": 8, "Mine": 4, "Two": 2, "One": 1}
    difference = np.subtract(BETTER[:4], ANCHOR[:4])
    assert row(found, "Mine").verdict.comparison.difference_pp == pytest.approx(difference.mean())
    assert row(found, "Mine").verdict.family == row(found, "Full").verdict.family == 2 and found.placed == 3
    assert labels.verdict_words(row(found, "Two"), found) == "no test (2 seeds)"
    assert labels.verdict_words(row(found, "One"), found) == "no test (1 seed)"
    assert "Rows have 1 to 8 seeds" in captions.caption(found)


def test_seeds_count_in_their_order_up_to_the_first_that_is_missing(make_records):
    """Who could leave out bad seeds would look good. Later ones do not count, and the row says so."""
    whole = make_records("Mine", BETTER_8)
    found = table(make_records("L1-norm", ANCHOR_8), [*whole[:4], *whole[5:]], make_records("Late", BETTER_8)[1:])
    mine = row(found, "Mine")
    assert mine.seeds == (0, 1, 2, 3) and mine.flags == ("no result on seed 4: seeds 5, 6, 7 do not count",)
    assert [seed for seed, _ in mine.uncounted] == [5, 6, 7]
    assert row(found, "Late").why.startswith("no result on seed 0") and len(found.ranked) == 2


def planned(records, seeds=5):
    """The same records as of a track with one planned look."""
    terms = records[0].outcome.track_terms | {"judged": f"planned: {seeds}"}
    return [
        dataclasses.replace(r, outcome=dataclasses.replace(r.outcome, track="dear@1", track_terms=terms))
        for r in records
    ]


def test_a_planned_track_has_one_look_when_all_its_seeds_are_there(make_records):
    def at(anchor, mine):
        return table(planned(make_records("L1-norm", anchor)), planned(make_records("Mine", mine)))

    early = at(ANCHOR_8, BETTER[:4])
    assert early.planned == 5 and early.seeds == (0, 1, 2, 3, 4) and row(early, "Mine").verdict.evidence == "waiting"
    assert labels.verdict_words(row(early, "Mine"), early) == "no test (4 seeds, of 5 planned)"
    there, later = at(ANCHOR, BETTER), at(ANCHOR_8, BETTER_8)
    test = stats.ttest_rel(BETTER, ANCHOR)
    for found in (there, later):
        mine = row(found, "Mine")
        assert mine.verdict.word == "better" and mine.verdict.p_holm == pytest.approx(test.pvalue)
        assert mine.verdict.comparison.interval_pp == pytest.approx(tuple(test.confidence_interval()))
        assert mine.rank == (1, 1) and labels.columns(found)["p"] == "p (Holm)"
        assert "Judged in one look, at 5 seeds" in captions.caption(found)
    assert later.notes == ("Not counted: seeds 5, 6, 7, because they came after the planned ones.",)


def test_a_seed_on_which_the_anchor_failed_ends_the_table(make_records, make_record):
    failure = Failure("the method raised an error", "ValueError: no")
    anchor, mine = make_records("L1-norm", ANCHOR, role="anchor"), make_records("Mine", BETTER)
    anchor[3] = make_record("L1-norm", 3, status="failed", failure=failure, role="anchor")
    mine[4] = make_record("Mine", 4, status="failed", failure=failure)
    found = table(anchor, mine)
    assert found.seeds == (0, 1, 2) and row(found, "Mine").why == "" and row(found, "Mine").flags == ()
    assert found.notes == ("Not counted: seeds 3, 4, because the anchor has no result on seed 3.",)
    assert row(found, "L1-norm").why == "" and row(found, "Mine").verdict.evidence == "verdicts"


def test_the_prior_of_a_track_moderates_its_tests(make_records):
    def declared(records):
        terms = records[0].outcome.track_terms | {"prior": {"sd_pp": 0.5, "df": 4.0, "source": "calibration"}}
        return planned(
            [dataclasses.replace(r, outcome=dataclasses.replace(r.outcome, track_terms=terms)) for r in records]
        )

    groups = make_records("L1-norm", ANCHOR), make_records("Mine", BETTER)
    plain, moderated = table(*groups), table(*map(declared, groups))
    d = np.subtract(BETTER, ANCHOR)
    t = d.mean() / np.sqrt((4 * 0.5**2 + 4 * d.var(ddof=1)) / 8 / 5)
    comparison = row(moderated, "Mine").verdict.comparison
    assert (comparison.df, comparison.t) == pytest.approx((8, t)) and row(plain, "Mine").verdict.comparison.df == 4
    assert moderated.prior == "Moderated t: the track expects an sd of 0.5 pp, with 4 degrees of freedom."
    assert plain.prior == ""
