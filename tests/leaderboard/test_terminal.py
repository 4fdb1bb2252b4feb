"""Tables on a terminal of any width and in a pipe: what fits, what is folded, and what is said once."""

import dataclasses
import io
import re
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from prunemark.cli import boards
from prunemark.leaderboard.formats.folded import folded, short_finding, short_name
from prunemark.leaderboard.formats.tables import render
from prunemark.leaderboard.formats.terminal import print_board
from prunemark.leaderboard.standings.board import make_board
from prunemark.records.load import Loaded
from prunemark.records.matched_to import RATIOS_OF, MatchedTo
from prunemark.setups.errors import InputError

RECORDS = Path(__file__).parents[2] / "leaderboard" / "board" / "records"
LOW, HIGH = [94.0, 95.0, 93.6, 94.8, 94.4, 94.2, 94.6, 93.8], [96.2, 96.8, 96.0, 97.0, 96.2, 96.6, 96.4, 96.0]
LONG = "AMethodWhoseNameIsAsLongAsAnyNameOfAClassThatSomebodyEverGaveToAPruningMethod"


TRACKS = ("digits-resnet8-weights@2", "digits-mlp7@2", "cifar10-jpeg-small-2to4@1")


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Those of three tracks of the committed board, to be read in a moment."""
    folder = tmp_path_factory.mktemp("board") / "records"
    for track in TRACKS:
        shutil.copytree(RECORDS / track, folder / track)
    return folder


@pytest.fixture(scope="module")
def committed(records):
    """Tables of levels for ranking and not, and with matched controls."""
    found = boards.tables_only(records)
    wanted = [table for table in found.tables if table.setup == "S3.2"]
    assert len(wanted) > 5
    return dataclasses.replace(found, tables=tuple(wanted), overall=found.overall[:2])


@pytest.fixture
def board(make_records):
    matched = {RATIOS_OF: MatchedTo.of("Fine", "abcdef0123", {}).text}
    groups = [
        make_records("L1-norm", LOW),
        make_records("Fine", HIGH, source="abcdef0123"),
        make_records(LONG, HIGH, source="def"),
        make_records("Random", LOW, role="control", settings=matched, source="ghi"),
        make_records("Scratch", LOW, role="reference", kind="scratch"),
    ]
    return make_board(Loaded(tuple(record for group in groups for record in group)))


def shown(board, width, **how):
    console = Console(record=True, width=width, file=io.StringIO())
    print_board(board, console, **how)
    return console.export_text().splitlines()


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_nothing_is_wider_than_the_terminal_and_every_method_is_named(committed, board, width):
    for each in (committed, board):
        lines = shown(each, width)
        assert max(map(len, lines)) <= width
        begun = [line.strip() for line in lines]
        names = [row.name for table in each.tables for row in table.ranked]
        assert not [name for name in names if not any(line.startswith(name[:11]) for line in begun)]


@pytest.mark.parametrize(("width", "head"), [
    (40, ["Method", "Acc.", "Diff.", "Verdict"]),
    (80, ["Method", "Accuracy", "%", "To", "anchor", "pp", "[95", "%", "CI]", "Verdict"]),
])  # fmt: skip
def test_a_narrow_terminal_has_method_accuracy_difference_and_verdict(committed, board, width, head):
    for each in (committed, board):
        lines = shown(each, width)
        assert next(line.split() for line in lines if line.startswith("Method")) == head
    fine = next(line for line in shown(board, width) if line.startswith("Fine"))
    assert "96.40" in fine and "+2.10" in fine and "better" in fine


def test_a_matched_control_stands_under_its_method(board, committed):
    ranked, others = folded(board.tables[0])
    under = {row.name: [short_name(control) for control in controls] for row, controls in (*ranked, *others)}
    assert under["Fine"] == ["  Random"] and under["L1-norm"] == [] and "Scratch" in under
    lines = shown(board, 80)
    at = next(number for number, line in enumerate(lines) if line.startswith("Fine"))
    assert lines[at + 1].startswith("  Random") and re.search(r"\(\+2\.\d\d\)", lines[at + 1])
    assert sum("Indented: a control with" in line for line in lines) == 1
    for table in committed.tables:
        pairs = [pair for group in folded(table) for pair in group]
        assert sum(1 + len(controls) for _, controls in pairs) == len(table.ranked) + len(table.unranked)
        assert all(short_finding(control) for _, controls in pairs for control in controls)


def test_what_several_tables_say_alike_is_said_once(committed):
    text = " ".join(" ".join(shown(committed, 100)).split())
    for once in (
        "Judged at any time: p and intervals",
        "Intervals are of one comparison each",
        "Shown without",
        "Dense: the unpruned network",
        "Scratch: scratch training has no base model",
    ):
        assert text.count(once) == 1, once
    for table in committed.tables:
        assert f"{table.track}, level {table.level}, run under {table.setup}" in text


def test_columns_are_chosen_and_an_empty_one_is_left_out(board):
    lines = shown(board, 80, columns=("drop", "accuracy", "epochs"))
    head = next(line for line in lines if line.startswith("Method")).split()
    assert head == ["Method", "Accuracy", "%", "Drop", "pp", "Epochs"] and "Shown without" not in " ".join(lines)
    assert "Latency" not in " ".join(shown(board, 200))
    with pytest.raises(InputError, match="unknown column 'acuracy'. Did you mean 'accuracy'"):
        shown(board, 80, columns=("acuracy",))


def test_a_pipe_gets_a_line_a_row_and_nothing_behind_it(prunemark, records):
    words = ("leaderboard", "--records", records, "--track", "digits-mlp7@2", "--setup", "S3.2")
    code, out, _ = prunemark(*words)
    lines = out.splitlines()
    assert code == 0 and not [line for line in lines if line != line.rstrip()] and "\x1b" not in out
    assert any(len(line) > 200 for line in lines), "a caption is one line"
    assert sum(line.startswith("L1-norm ") for line in lines) == 3, "a row is one line, at each level"
    assert prunemark(*words, "--columns", "accuracy,x")[0] == 2
    code, _, err = prunemark(*words, "--columns", "accuracy", "--format", "csv")
    assert code == 2 and "csv and json have every column" in err
    for listing in ("methods", "tracks", "setups"):
        assert not [line for line in prunemark(listing)[1].splitlines() if line != line.rstrip()]


def test_latex_has_methods_by_levels(committed):
    some = dataclasses.replace(committed, tables=tuple(t for t in committed.tables if "resnet8" in t.track), overall=())
    text = render(some, "latex")
    assert text.count(r"\begin{table}") == 1 and text.count("Base \\%") == 1
    head = r" &  & \multicolumn{4}{c}{90\%} & \multicolumn{4}{c}{95\%} & \multicolumn{4}{c}{98\%} \\"
    assert head in text and r"\cmidrule(lr){3-6}\cmidrule(lr){7-10}\cmidrule(lr){11-14}" in text
    table = {row.name: row for row in some.tables[0].ranked}["Magnitude"]
    line = next(line for line in text.splitlines() if line.startswith("Magnitude & "))
    assert f"{table.accuracy_percent:.2f} $\\pm$ {table.sd_pp:.2f}" in line and "2.65k & 193k" in line
    assert f"{table.accuracy_percent + table.drop_pp:.2f}" == line.split(" & ")[1]
    assert len({line.count(" & ") for line in text.splitlines() if line.endswith(r" \\") and "multi" not in line}) == 1
    chosen = render(some, "latex", columns=("accuracy", "verdict"))
    assert r"\multicolumn{2}{c}{90\%}" in chosen and "Base" not in chosen.partition(r"\begin{tabular}")[2]
    assert "Latency" not in render(some, "latex", columns=("accuracy", "latency"))
    with pytest.raises(InputError, match="unknown column 'flops'"):
        render(some, "latex", columns=("flops",))
