"""A method with the first five of its anchor's ten seeds: a verdict at that look, and no rank."""

import numpy as np
import pytest
from support.record_by_hand import looked_at

from prunemark.leaderboard.formats.labels import in_top_set, verdict_words
from prunemark.leaderboard.standings.board import make_board
from prunemark.records.load import Loaded

ANCHOR = [94.0, 95.0, 93.6, 94.8, 94.4]
BETTER = [96.2, 96.8, 96.0, 97.0, 96.2]


def table(*groups, **how):
    records = tuple(record for group in groups for record in group)
    return make_board(Loaded(records), **how).tables[0]


def row(found, name):
    return next(r for r in (*found.ranked, *found.unranked) if r.name == name)


def test_the_first_five_of_ten_seeds_are_a_first_look(make_records):
    """It has a verdict on its five seeds and no rank; any other five are partial."""
    ten = [*ANCHOR, *(94.2, 94.4, 93.8, 94.6, 94.0)]
    odd = make_records("Odd", [*BETTER[:4], 96.0, 96.4])
    del odd[2]
    whole = make_records("Whole", [value + 1.0 for value in ten])
    found = table(make_records("L1-norm", ten), whole, make_records("Mine", BETTER), odd)
    mine = row(found, "Mine")
    assert mine.seeds == (0, 1, 2, 3, 4) and mine.why == "" and mine.rank is None and mine.generalises is not None
    assert mine.verdict.comparison.difference_pp == pytest.approx(np.mean(BETTER) - np.mean(ANCHOR))
    assert mine.verdict.family == 2 and found.placed == 2 and row(found, "Whole").rank is not None
    assert row(found, "Odd").why == "partial: 5 of the anchor's 10 seeds"
    assert verdict_words(mine, found) == "better, first look" and "p = min(1, p5/.2). Ranks" in found.interim
    assert verdict_words(row(found, "Whole"), found) == "better"
    assert [r.name for r in found.ranked] == ["Mine", "Whole", "L1-norm"]  # by the difference on shared seeds
    place = looked_at(make_records("Mine", BETTER))
    again = table(make_records("L1-norm", ten), make_records("Mine", BETTER), earlier={place: {7}})
    assert row(again, "Mine").flags == ()  # five seeds are no look after one at seven


def test_a_first_look_is_not_what_is_left_of_a_second(make_records):
    """As where later runs were invalidated: that is partial."""
    ten = [*ANCHOR, *(94.2, 94.4, 93.8, 94.6, 94.0)]
    mine = make_records("Mine", [value + 1.0 for value in ten])
    reasons = {record.record_sha256: "wrong data" for record in mine[5:]}
    board = make_board(Loaded((*make_records("L1-norm", ten), *mine), invalid=reasons))
    assert row(board.tables[0], "Mine").why == "partial: 5 of the anchor's 10 seeds"


def test_the_anchor_is_not_bold_beside_a_first_look_that_is_better(make_records):
    ten = [*ANCHOR, *(94.2, 94.4, 93.8, 94.6, 94.0)]
    found = table(make_records("L1-norm", ten), make_records("Mine", [value + 3.0 for value in ANCHOR]))
    assert row(found, "Mine").verdict.word == "better" and found.placed == 0
    assert not any(in_top_set(each, found) for each in found.ranked)
