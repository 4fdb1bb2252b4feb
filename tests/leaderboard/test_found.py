"""The sentence of what a board has found, against counts by hand."""

from prunemark.leaderboard.formats.found import found_in_words
from prunemark.leaderboard.formats.tables import render
from prunemark.leaderboard.standings.board import make_board
from prunemark.records.load import Loaded

ANCHOR = [95.0, 95.4, 94.8, 95.2, 95.6, 94.6, 95.0, 95.4]


def test_the_sentence_counts_what_is_decided(make_records):
    """Far better, far worse, the same, and too noisy to tell."""
    noise = [4.0, -4.0, 5.0, -5.0, 3.0, -3.0, 4.0, -4.0]
    others = {"Up": [a + 3 for a in ANCHOR], "Down": [a - 3 for a in ANCHOR], "Same": ANCHOR,
              "Wild": [a + n for a, n in zip(ANCHOR, noise, strict=True)]}  # fmt: skip
    records = [*make_records("L1-norm", ANCHOR), *(r for n, scores in others.items() for r in make_records(n, scores))]
    board = make_board(Loaded(tuple(records)))
    said = found_in_words(board.tables)
    assert said == "Of 4 comparisons with an anchor, 3 are decided (75%): 1 better, 1 worse, 1 equivalent."
    assert said.split(":")[0] in render(board, "markdown")


def test_nothing_is_said_where_nothing_is_compared(make_records):
    assert found_in_words(make_board(Loaded(tuple(make_records("L1-norm", ANCHOR)))).tables) == ""
