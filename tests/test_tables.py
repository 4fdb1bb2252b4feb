"""One board in every form; names that would break a form do not."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET

import pytest
from rich.console import Console

from prunemark.benchmark.outcome import Failure
from prunemark.leaderboard.board import make_board
from prunemark.leaderboard.load import Loaded, Refused
from prunemark.leaderboard.page import render_page
from prunemark.leaderboard.tables import print_board, render
from prunemark.setups.errors import InputError

NASTY = "<script>alert(1)</script> | a_b & 50% {x} `y` [z]"


@pytest.fixture
def board(make_records):
    groups = [
        make_records("L1-norm", [94.0, 95.0, 93.6, 94.8, 94.4]),
        make_records("Fine", [96.2, 96.8, 96.0, 97.0, 96.2]),
        make_records(NASTY, [94.2, 94.8, 93.8, 94.6, 94.8]),
        make_records("Bad", [0] * 5, status="noncompliant", failure=Failure("r", f"ValueError: {NASTY}\nsecond line")),
        make_records("Weak", [0] * 5, status="failed", failure=Failure("r", NASTY)),
    ]
    return make_board(Loaded(tuple(r for g in groups for r in g), (Refused("x.json", f"edited {NASTY}"),)))


def test_csv_and_json_have_real_numbers(board):
    rows = list(csv.DictReader(io.StringIO(render(board, "csv"))))
    data = json.loads(render(board, "json"))
    assert [row["method"] for row in rows] == [row["method"] for row in data["rows"]]
    fine = next(row for row in data["rows"] if row["method"] == "Fine")
    assert fine["accuracy_percent"] == pytest.approx(96.44) and fine["verdict"] == "better" and fine["ranked"] is True
    bad = next(row for row in data["rows"] if row["method"] == "Bad")
    assert bad["accuracy_percent"] is None and bad["ranked"] is False and "ValueError" in bad["why_unranked"]


def test_markdown_keeps_one_row_a_line_and_escapes(board):
    text = render(board, "markdown")
    assert "<script>" not in text.replace("\\<", "")
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    columns = {len(re.split(r"(?<!\\)\|", line)) for line in lines[:5]}
    assert columns == {12}
    assert "| **Fine** |" in text and "second line" in text


def test_latex_escapes(board):
    text = render(board, "latex")
    assert r"a\_b \& 50\% \{x\}" in text and r"\textbf{Fine}" in text and r"\bottomrule" in text
    for line in text.splitlines():
        if line.endswith(r"\\"):
            assert len(re.split(r"(?<!\\)&", line)) == 10


def test_the_page_is_well_formed_escaped_and_the_same_every_time(board):
    page = render_page(board)
    assert page == render_page(board)
    assert "<script" not in page and "&lt;script&gt;" in page
    tree = ET.fromstring(page.replace("<!DOCTYPE html>", "").replace('<meta charset="utf-8">', "").replace(
        '<meta name="viewport" content="width=device-width, initial-scale=1">', ""))  # fmt: skip
    ids = {node.get("id") for node in tree.iter() if node.get("id")}
    links = {node.get("href")[1:] for node in tree.iter("a")}
    assert links <= ids
    assert not re.search(r'(?:src|href)="(?!#)', page)  # nothing is fetched from anywhere


def test_the_terminal_shows_every_row_and_reason(board):
    console = Console(record=True, width=140, file=io.StringIO())
    print_board(board, console)
    text = " ".join(console.export_text().split())
    for part in (
        "L1-norm",
        "Fine",
        "better",
        "Bad: disqualified on seeds 0, 1, 2, 3, 4: noncompliant (r): ValueError",
        "3 comparisons",
        "Weak: failed on",
        "left out: x.json",
    ):
        assert part in text


def test_every_form_says_what_it_rests_on(board):
    for format in ("markdown", "json", "latex"):
        text = render(board, format)
        assert "E1" in text and "verifiably holds" in text and "provisional" in text


def test_an_unknown_format_is_refused(board):
    with pytest.raises(InputError, match="csv, json, latex, markdown"):
        render(board, "xlsx")
