"""The lane of a row: in every form of a table once any record says it, and in none before."""

import csv
import dataclasses
import io
import json

import pytest

from prunemark.leaderboard.formats.tables import render
from prunemark.leaderboard.standings.board import make_board
from prunemark.leaderboard.standings.lanes import IN_WORDS, LaneOfRow, lane_of
from prunemark.records.load import Loaded
from prunemark.records.observed import PruningProcess

FOOTNOTE = "own: 2.6 s of CPU where its reading costs 2.5 s"


def said(records, *lanes, used=2.6, accounted=2.5):
    found = []
    for record, lane in zip(records, lanes * len(records), strict=False):
        process = PruningProcess("landlock", lane, used, accounted if lane == "own" else None)
        found.append(
            dataclasses.replace(record, observed=dataclasses.replace(record.observed, pruning_process=process))
        )
    return found


@pytest.fixture
def anchor(make_records):
    return make_records("L1-norm", [90.0, 91.0, 92.0], role="anchor")


def board_of(*records):
    return make_board(Loaded(tuple(record for group in records for record in group)))


def test_the_widest_lane_of_the_seeds_counts(anchor):
    assert lane_of(anchor) == LaneOfRow()
    assert lane_of(said(anchor, "decision", "harness", "decision")).lane == "harness"
    assert lane_of(said(anchor, "decision")).words == ""
    own = lane_of(said(anchor, "own", "decision", "own"))
    assert own.lane == "own" and own.words == FOOTNOTE
    assert lane_of(said(anchor, "own", accounted=None)) == LaneOfRow("own")


def test_every_form_shows_it_with_what_the_process_spent(anchor, make_records):
    board = board_of(said(anchor, "decision"), said(make_records("Mine", [91.0, 92.0, 93.0]), "own"))
    text = render(board, "markdown")
    head = next(line for line in text.splitlines() if line.startswith("| Method"))
    assert "| Epochs | Lane |" in head and IN_WORDS in text and f"- Mine: {FOOTNOTE}" in text
    assert "Lane" in render(board, "latex") and FOOTNOTE in render(board, "latex")
    rows = {row["method"]: row for row in json.loads(render(board, "json"))["rows"]}
    assert rows["Mine"]["lane"] == "own" and rows["Mine"]["pruning_cpu_seconds"] == pytest.approx(2.6)
    assert rows["L1-norm"]["lane"] == "decision" and rows["L1-norm"]["accounted_cpu_seconds"] is None
    lines = {line["method"]: line for line in csv.DictReader(io.StringIO(render(board, "csv")))}
    assert (lines["Mine"]["lane"], lines["L1-norm"]["lane"]) == ("own", "decision")


def test_a_table_of_which_no_record_says_it_stays_as_it_was(anchor, make_records):
    board = board_of(anchor, make_records("Mine", [91.0, 92.0, 93.0]))
    for form in ("markdown", "latex"):
        assert "Lane" not in render(board, form)
