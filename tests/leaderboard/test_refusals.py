"""What was left out is named one by one while it is little, and by reason when it is much."""

from prunemark.leaderboard.formats.refusals import LeftOut, in_brief
from prunemark.leaderboard.formats.tables import render
from prunemark.leaderboard.standings.board import make_board
from prunemark.records.admission import Refused
from prunemark.records.load import Loaded


def test_a_few_are_named_one_by_one():
    refused = [Refused(f"{n}.json", "was edited") for n in range(20)]
    assert in_brief(refused) == [LeftOut(1, "was edited", (f"{n}.json",)) for n in range(20)]
    assert in_brief([]) == []


def test_many_are_counted_by_reason_the_commonest_first():
    refused = [Refused("x.json", "is not JSON")]
    refused += [Refused(f"{n:02d}.json", f"superseded by {n:012x}") for n in range(30)]
    many, one = in_brief(refused)
    assert many == LeftOut(30, "superseded by ...", ("00.json", "01.json", "02.json")) and many.words == " and 27 more"
    assert one == LeftOut(1, "is not JSON", ("x.json",)) and one.words == ""


def test_the_board_says_it_in_so_many_lines(make_records):
    records = tuple(make_records("L1-norm", [95.0, 96.0, 97.0]))
    some = make_board(Loaded(records, (Refused("x.json", "is not JSON"),)))
    assert "- `x.json`: is not JSON\n" in render(some, "markdown")
    many = make_board(Loaded(records, tuple(Refused(f"{n:02d}.json", "was edited") for n in range(50))))
    assert "- 50, `00.json`, `01.json`, `02.json` and 47 more: was edited\n" in render(many, "markdown")
