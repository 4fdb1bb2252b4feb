"""The overview of a board: who leads, what is settled, in a page that stays small."""

from prunemark.leaderboard.formats.overview import as_overview
from prunemark.leaderboard.standings.board import make_board
from prunemark.records.load import Loaded

ANCHOR = [94.0, 95.0, 93.6, 94.8, 94.4]


def overview(*groups):
    records = tuple(sorted((r for group in groups for r in group), key=lambda r: r.record_sha256))
    return as_overview(make_board(Loaded(records)), "prunemark-2026.1-abc")


def test_it_names_who_leads_and_counts_what_is_settled(make_records):
    better = [each + 1.6 + 0.1 * index for index, each in enumerate(ANCHOR)]
    text = overview(
        make_records("L1-norm", ANCHOR, role="anchor"), make_records("Mine", better),
        make_records("Yours", [each - 2 - 0.1 * index for index, each in enumerate(ANCHOR)]),
    )  # fmt: skip
    assert text.startswith("# Leaderboard\n\nGenerated from 15 records by") and "`prunemark-2026.1-abc`" in text
    (line,) = (each for each in text.splitlines() if each.startswith("| digits-resnet8@1 | 90% | S3.2 |"))
    assert line == "| digits-resnet8@1 | 90% | S3.2 | Mine | 1 | 0 | 1 | 0 |"
    assert "| Track | S3.2 |" in text and "| digits-resnet8@1 | 2 of 2 |" in text


def test_a_long_field_is_cut_and_one_that_is_not_ranked_says_so(make_records):
    groups = [make_records(f"M{index}", [each + index / 100 for each in ANCHOR]) for index in range(8)]
    text = overview(make_records("L1-norm", ANCHOR, role="anchor"), *groups)
    (line,) = (each for each in text.splitlines() if each.startswith("| digits-resnet8@1 | 90% |"))
    assert line.split(" | ")[3].count(", ") == 4 and "and 4 more" in line and len(text) < 1500
    assert "nothing is ranked" in overview(make_records("Dense", ANCHOR, kind="dense", role="reference"))


def test_names_of_strangers_are_escaped(make_records):
    text = overview(make_records("L1-norm", ANCHOR, role="anchor"), make_records("a|b<i>", ANCHOR))
    assert "a\\|b\\<i\\>" in text
