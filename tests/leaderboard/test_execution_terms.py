"""Records on other terms of execution: never in one table, and every form of a table says the terms."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from prunemark.leaderboard.formats.captions import caption
from prunemark.leaderboard.formats.plain import plain_rows
from prunemark.leaderboard.site.track_facts import terms_view
from prunemark.leaderboard.standings.board import make_board
from prunemark.leaderboard.standings.table import make_table
from prunemark.records.admission import admit
from prunemark.records.executed import pipeline_of
from prunemark.records.load import Loaded
from prunemark.setups.assessment import violations
from prunemark.setups.comparison import HARNESS_SETUPS

BF16 = "digits-resnet8+bf16"
SAID = "this test set and on training in bf16 autocast"


@pytest.fixture
def both(make_record):
    return [
        make_record(method, seed, 95.0 + seed, track=track, base=track)
        for track in ("digits-resnet8", BF16) for method in ("L1-norm", "Mine") for seed in range(3)
    ]  # fmt: skip


def test_they_stand_in_tables_of_their_own(both):
    board = make_board(Loaded(tuple(both)))
    assert not board.refused
    assert {(table.track, len(table.seeds), table.execution) for table in board.tables if table.level == "90%"} == {
        ("digits-resnet8@1", 3, ""), (f"{BF16}@1", 3, "bf16 autocast"),
    }  # fmt: skip


def test_a_record_that_ran_on_other_terms_than_its_track_says_is_refused(both):
    plain, other = both[0], both[-1]
    hidden = replace(plain, outcome=replace(plain.outcome, track_terms=other.outcome.track_terms))
    unsaid = replace(other, outcome=replace(other.outcome, track_terms=plain.outcome.track_terms))
    found = admit([*both, hidden, unsaid])
    assert [record.outcome.track for record in found.admitted] == [record.outcome.track for record in both]
    assert [refused.why for refused in found.refused] == [
        f"ran on other terms of {track} than the released track: execution, name, title"
        for track in ("digits-resnet8@1", f"{BF16}@1")
    ]


def test_a_users_track_has_one_set_of_terms(make_record):
    def mine(seed, precision, finished):
        record = make_record("L1-norm", seed, 95.0, finished=finished)
        stated = {"execution": {"precision": precision}} if precision else {}
        terms = {**record.outcome.track_terms, "name": "mine"} | stated
        return replace(record, outcome=replace(record.outcome, track="mine@1", track_terms=terms))

    first, second, third = mine(0, "bf16", "2026-01-01"), mine(1, None, "2026-01-02"), mine(2, "bf16", "2026-01-03")
    found = admit([first, second, third])
    assert found.admitted == [first, third]
    assert [refused.why for refused in found.refused] == [
        "ran on other terms of mine@1 than the first records of this track: execution"
    ]


@pytest.mark.parametrize("setup", HARNESS_SETUPS.values(), ids=lambda setup: setup.id)
def test_no_setup_holds_between_them(both, setup):
    ours, theirs = (pipeline_of(record) for record in (both[0], both[-1]))
    (found,) = (
        each for each in violations([ours, replace(theirs, base=ours.base)], setup) if each.factor == "execution"
    )
    assert (found.left, found.right) == ("float32, channels last, not compiled", "bf16 autocast")
    assert not [each for each in violations([ours, ours], setup) if each.factor == "execution"]


def test_every_form_says_the_terms(both):
    table = make_table([record for record in both if record.outcome.track == f"{BF16}@1"], "90%")
    assert f"Conditional on {SAID}:" in caption(table)
    assert "Trained in bf16 autocast." in caption(replace(table, not_for_ranking="of a reason"))
    rows = plain_rows([table])
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys())
    writer.writerows(rows)
    assert {row["conditional_on"] for row in rows} == {SAID} and SAID in out.getvalue() and SAID in json.dumps(rows)
    terms = both[-1].outcome.track_terms
    assert ("Execution", "bf16 autocast") in terms_view(terms)
    assert not [pair for pair in terms_view(both[0].outcome.track_terms) if pair[0] == "Execution"]
    assert "training" not in caption(make_table(both[:6], "90%")).partition("Margin")[0]
