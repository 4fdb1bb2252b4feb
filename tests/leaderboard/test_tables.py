"""One board in every form; names that would break a form do not."""

import csv
import dataclasses
import io
import json
import re

import pytest
from rich.console import Console

from prunemark.leaderboard.formats.captions import caption
from prunemark.leaderboard.formats.labels import columns, in_top_set, verdict_words
from prunemark.leaderboard.formats.tables import render
from prunemark.leaderboard.formats.terminal import print_board
from prunemark.leaderboard.standings.board import make_board
from prunemark.records.admission import Refused
from prunemark.records.load import Loaded
from prunemark.records.outcome import Failure
from prunemark.setups.errors import InputError

LOW, HIGH = [94.0, 95.0, 93.6, 94.8, 94.4, 94.2, 94.6, 93.8], [96.2, 96.8, 96.0, 97.0, 96.2, 96.6, 96.4, 96.0]
NASTY = "<script>alert(1)</script> | a_b & 50% {x} `y` [z]"
OLDER = {"older@1": 1}


@pytest.fixture
def board(make_records):
    groups = [
        make_records("L1-norm", LOW),
        make_records("Fine", HIGH),
        make_records(NASTY, [94.2, 94.8, 93.8, 94.6, 94.8, 94.0, 94.8, 93.6]),
        make_records("Bad", [0] * 8, status="noncompliant", failure=Failure("r", f"ValueError: {NASTY}\nsecond line")),
        make_records("Weak", [0] * 8, status="failed", failure=Failure("r", NASTY)),
    ]
    return make_board(Loaded(tuple(r for g in groups for r in g), (Refused("x.json", f"edited {NASTY}"),), {}, OLDER))


def test_csv_and_json_have_real_numbers(board):
    rows = list(csv.DictReader(io.StringIO(render(board, "csv"))))
    data = json.loads(render(board, "json"))
    assert [row["method"] for row in rows] == [row["method"] for row in data["rows"]]
    fine = next(row for row in data["rows"] if row["method"] == "Fine")
    assert fine["accuracy_percent"] == pytest.approx(96.4) and fine["verdict"] == "better" and fine["ranked"] is True
    bad = next(row for row in data["rows"] if row["method"] == "Bad")
    assert bad["accuracy_percent"] is None and bad["ranked"] is False and "ValueError" in bad["why_unranked"]


def test_markdown_keeps_one_row_a_line_and_escapes(board):
    text = render(board, "markdown")
    assert "<script>" not in text.replace("\\<", "")
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    columns = {len(re.split(r"(?<!\\)\|", line)) for line in lines[:5]}
    assert columns == {12}
    assert "| **Fine** |" in text and "second line" in text


def test_the_terminal_shows_every_row_and_reason(board):
    console = Console(record=True, width=140, file=io.StringIO())
    print_board(board, console)
    text = " ".join(console.export_text().split())
    for part in (
        "L1-norm",
        "Fine",
        "better",
        "Bad: disqualified on seeds 0, 1, 2, 3, 4, 5, 6, 7: noncompliant (r): ValueError",
        "3 comparisons",
        "Weak: failed on",
        "left out: x.json",
        "1 record of older@1, which is not the version ranked here: --track older@1 ranks it",
    ):
        assert part in text


@pytest.mark.parametrize("width", [80, 100])
def test_on_a_narrow_terminal_each_method_is_named_and_judged_on_its_line(board, width):
    """Name, accuracy, difference and verdict; nothing wider than the terminal; what is left out is said."""
    console = Console(record=True, width=width, file=io.StringIO())
    print_board(board, console)
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= width
    for row in board.tables[0].ranked:
        begin = f"{row.name}  " if len(row.name) <= 24 else row.name[:20]
        line = next(line for line in lines if line.startswith(begin))
        assert f"{row.accuracy_percent:.2f}" in line
        if row.verdict:
            assert row.verdict.word in line and re.search(r"[+-]\d+\.\d\d \[", line)
    text = " ".join(" ".join(lines).split())
    assert "Shown without Drop pp, Speed-up, Epochs" in text and "--wide" in text


def test_every_column_is_there_when_it_is_asked_for(board):
    console = Console(record=True, width=80, file=io.StringIO())
    print_board(board, console, wide=True)
    head = next(line for line in console.export_text().splitlines() if line.startswith("Method"))
    assert all(name in head for name in columns(board.tables[0]).values())
    assert "Shown without" not in console.export_text()


def test_every_form_for_machines_and_pages_says_which_versions_are_not_ranked(board):
    assert json.loads(render(board, "json"))["other_versions"] == OLDER
    assert "- 1 record of older@1, which is not the version ranked here" in render(board, "markdown")


def test_every_form_says_what_it_rests_on(board):
    for format in ("markdown", "json", "latex"):
        text = " ".join(render(board, format).split())
        for part in ("run under S3.2", "Seeds 0, 1, 2, 3, 4, 5, 6, 7", "(E1)", "(E2)", "verifiably holds",
                     "Conditional on this test set", "in the field of 4"):  # fmt: skip
            assert part in text


def test_a_caption_says_what_columns_do_not_show(make_records):
    """An interval that leaves out 0 beside "undetermined" has been misread."""
    near = [95.0, 96.4, 95.4, 94.6, 95.8]
    (table,) = make_board(Loaded((*make_records("L1-norm", near), *make_records("Mine", near[::-1])))).tables
    said = caption(table)
    assert "not adjusted for the field" in said and "Not timed." in said
    assert "Judged at any time: p and intervals hold at every number of seeds (e-Holm)." in said
    (mine,) = (row for row in table.ranked if row.name == "Mine")
    assert re.fullmatch(r"undetermined \(about \d+ more seeds\)", verdict_words(mine, table))
    one = dataclasses.replace(mine, verdict=dataclasses.replace(mine.verdict, more_seeds=1))
    assert verdict_words(one, table) == "undetermined (about 1 more seed)"
    assert "imed" not in caption(table, timed=False)


def test_a_caption_names_what_was_shown_with_fewer_seeds(make_records):
    """Five clear seeds, then two that go far the other way: the verdict stays, and the interval contains 0."""
    anchor, ahead = [90.0] * 7, [93.0, 93.2, 92.8, 93.0, 93.2, 80.0, 81.0]
    (table,) = make_board(Loaded((*make_records("L1-norm", anchor), *make_records("Mine", ahead)))).tables
    (mine,) = (row for row in table.ranked if row.name == "Mine")
    low, high = mine.verdict.comparison.interval_pp
    assert mine.verdict.word == "better" and low < 0 < high
    assert "Shown with fewer seeds, which counts at any time, and the interval is wider now: Mine." in caption(table)
    few = [each[:5] for each in (anchor, ahead)]
    (table,) = make_board(Loaded((*make_records("L1-norm", few[0]), *make_records("Mine", few[1])))).tables
    assert "Shown with fewer seeds" not in caption(table)


def test_every_row_for_machines_has_its_setup_its_seeds_and_what_it_is_conditional_on(board):
    rows = list(csv.DictReader(io.StringIO(render(board, "csv"))))
    data = json.loads(render(board, "json"))["rows"]
    assert len(rows) == len(data) == 5
    for row, real in zip(rows, data, strict=True):
        assert row["setup"] == real["setup"] == "S3.2"
        assert row["conditional_on"] == real["conditional_on"] == "this test set"
        assert row["seed_list"] == " ".join(map(str, real["seed_list"])) and int(row["seeds"]) == len(real["seed_list"])
    assert {row["method"]: row["seed_list"] for row in rows}["Fine"] == "0 1 2 3 4 5 6 7"


def test_below_three_seeds_nothing_is_ranked_and_nothing_bold(make_records):
    for number, words in ((1, "1 seed"), (2, "2 seeds")):
        groups = [make_records(name, scores[:number]) for name, scores in (("L1-norm", LOW), ("Fine", HIGH))]
        few = make_board(Loaded(tuple(r for g in groups for r in g)))
        for format, bold in (("markdown", "**"), ("latex", r"\textbf")):
            text = " ".join(render(few, format, columns=("accuracy", "verdict")).split())
            assert bold not in text and f"no test ({words})" in text and "Rank" not in text
            assert "p and ranks" not in text and "differences and p are about new seeds" in text
        assert all(row["rank_low"] is None for row in json.loads(render(few, "json"))["rows"])


def test_three_seeds_have_ranks_and_an_interval_that_excludes_nothing(make_records):
    groups = [make_records(name, scores[:3]) for name, scores in (("L1-norm", LOW), ("Fine", HIGH))]
    few = make_board(Loaded(tuple(r for g in groups for r in g)))
    text = render(few, "markdown").replace("\\", "")
    assert "+2.13 [any]" in text and "p (any time)" in text and "Rank" in text
    (row,) = (row for row in json.loads(render(few, "json"))["rows"] if row["method"] == "Fine")
    assert (row["difference_low_pp"], row["judged"], row["evidence"]) == (None, "any-time", "verdicts")


def test_what_is_worse_than_the_anchor_is_not_in_the_top_set_though_its_rank_is_open(board):
    (table,) = board.tables
    (fine,) = [row for row in table.ranked if row.name == "Fine"]
    assert fine.rank == (1, 1) and in_top_set(fine, table)
    worse = dataclasses.replace(fine, verdict=dataclasses.replace(fine.verdict, word="worse"))
    assert not in_top_set(worse, table) and not in_top_set(dataclasses.replace(fine, rank=(2, 3)), table)
    assert not in_top_set(dataclasses.replace(fine, rank=None), table)
    anchor = next(row for row in table.ranked if row.name == table.anchor)
    assert not in_top_set(dataclasses.replace(anchor, rank=(1, 2)), table)  # a method is shown to be better


def test_one_base_model_for_all_seeds_is_a_condition_of_everything(make_record):
    def one_base(record):
        base = dataclasses.replace(record.outcome.base, sha256="the only one")
        return dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, base=base))

    records = [make_record(m, s, x) for m in ("L1-norm", "Fine") for s, x in enumerate(LOW)]
    for shared, board in (
        (True, make_board(Loaded(tuple(map(one_base, records))))),
        (False, make_board(Loaded(tuple(records)))),
    ):
        for format in ("markdown", "csv", "json", "latex"):
            assert ("and on one base model, which all seeds share" in render(board, format)) is shared


def test_the_release_and_the_identifier_are_named(make_records):
    records = Loaded(tuple(make_records("L1-norm", LOW) + make_records("Fine", HIGH)))
    board = make_board(records, release="2026.1")
    for format in ("markdown", "json", "latex"):
        text = render(board, format, identifier="prunemark-2026.1-abc")
        assert "prunemark-2026.1-abc" in text and "in the field of release 2026.1 of 2" in text
    assert json.loads(render(board, "json"))["release"] == "2026.1"
    assert "dentifier" not in render(board, "markdown")


@pytest.fixture
def two_tracks(make_records):
    def on(records, track):
        terms = records[0].outcome.track_terms | {"levels": [{"name": "90%"}]}
        return [
            dataclasses.replace(r, outcome=dataclasses.replace(r.outcome, track=track, track_terms=terms))
            for r in records
        ]

    groups = [on(make_records(m, x), t) for t in ("a_b@1", "c@1") for m, x in (("L1-norm", LOW), ("Fine", HIGH))]
    return make_board(Loaded(tuple(r for g in [*groups, on(make_records(NASTY, LOW), "c@1")] for r in g)))


@pytest.mark.parametrize("format", ["markdown", "csv", "json", "latex"])
def test_standings_over_tracks_are_in_every_form(two_tracks, format):
    text = render(two_tracks, format)
    assert "these 2 tracks and new seeds (E3), not about others" in " ".join(text.split())
    assert "E4 needs 5 dataset x network families" in text or format == "csv"
    assert "partial 1/2: lacks a" in text


def test_standings_over_tracks_have_real_numbers(two_tracks):
    data = json.loads(render(two_tracks, "json"))
    rows = [row for row in csv.DictReader(io.StringIO(render(two_tracks, "csv"))) if row["scope"] == "over tracks"]
    fine = data["overall"][0]
    assert fine["method"] == rows[0]["method"] == "Fine" and float(rows[0]["mean_margins"]) == fine["mean_margins"]
    assert fine["mean_margins"] == pytest.approx(fine["differences_pp"]["c@1"]) == pytest.approx(2.1)
    assert (
        rows[0]["differences_pp"] == f"a_b@1={fine['differences_pp']['a_b@1']!r}; c@1={fine['differences_pp']['c@1']!r}"
    )
    console = Console(record=True, width=160, file=io.StringIO())
    print_board(two_tracks, console)
    assert "over tracks setup S3.2 filter" in " ".join(console.export_text().split())


def test_an_unknown_format_is_refused(board):
    with pytest.raises(InputError, match="csv, json, latex, markdown"):
        render(board, "xlsx")
