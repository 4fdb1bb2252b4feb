"""What running a model takes, as rows say it: sizes from records, and times from quiet passes next to them only."""

import csv
import dataclasses
import io

import pytest

from prunemark.benchmark.run.mlflow_fields import final_metrics
from prunemark.leaderboard.formats import labels, tables
from prunemark.leaderboard.standings.board import make_board
from prunemark.leaderboard.standings.measured import measured_of
from prunemark.leaderboard.standings.timed import with_timings
from prunemark.records.load import Loaded
from prunemark.records.observed import Latency
from prunemark.records.speed import Blocks
from prunemark.records.timing import Architecture, Conditions, Timing

HERE = Conditions("cpu", "a processor", 1, {"torch": "2.14.1"})
ELSEWHERE = dataclasses.replace(HERE, hardware="another")
LINES = ("Timed speed-up", "torch.compile", "ONNX Runtime")


def blocks(dense, pruned, again=None):
    return Blocks(*((each,) * 12 for each in (dense, again or dense, pruned)))


def timing(times, kept=4, backend="eager", batch=64, on=HERE, at="2026-12-01"):
    architecture = Architecture("resnet8", "digits", 10, {"a": kept} if kept < 8 else {})
    return Timing(architecture, backend, batch, on, at, 3, times)


def kept(record, filters, **observed):
    compression = dataclasses.replace(record.outcome.compression, kept={"a": filters})
    return dataclasses.replace(
        record,
        outcome=dataclasses.replace(record.outcome, compression=compression),
        observed=dataclasses.replace(record.observed, **observed),
    )


@pytest.fixture
def board(make_records):
    """An anchor of one architecture, a method with one for each seed, a method that is timed in part, and dense."""
    anchor = make_records("L1-norm", [90, 91, 92], role="anchor")
    varied = [kept(r, n) for r, n in zip(make_records("Varied", [91, 92, 93]), (4, 5, 5), strict=True)]
    partly = [kept(r, n) for r, n in zip(make_records("Partly", [91, 92, 93]), (4, 4, 6), strict=True)]
    dense = [kept(r, 8) for r in make_records("Dense", [99, 98, 99], kind="dense", role="reference", level="dense")]
    return make_board(Loaded((*anchor, *varied, *partly, *dense)), track="digits-resnet8@1")


def cells(board):
    (table,) = board.tables
    rows = {row.name: labels.line(row, table).cells for row in table.ranked}
    return rows | {row.name: labels.unranked_line(row, table) for row in table.unranked}


def test_sizes_are_medians_over_the_seeds(make_records):
    small, large = make_records("A", [1, 2])
    records = [kept(small, 4, peak_memory_bytes=4, model_bytes=5), kept(large, 4, peak_memory_bytes=7, model_bytes=5)]
    found = measured_of([*records, make_records("A", [3])[0]])
    assert (found.peak_memory_bytes, found.model_bytes) == (6, 5), "those that know speak; 5.5 is 6"
    assert measured_of([]).peak_memory_bytes is None
    assert len(found.architectures) == 3 and len(set(found.architectures)) == 1


def test_what_trials_timed_themselves_is_shown_nowhere(make_records):
    """Records before 2026-12 have it: one architecture as 0.11x and as 3.85x, and the dense network as 4.77x."""
    old = [
        kept(record, 4, latency=Latency(1, 60, 1.0, 0.9, 1.1), passes=(Latency(64, 9, 1.0, 0.9, 1.1),),
             dense_passes=(Latency(1, 60, 4.77, 4.7, 4.8), Latency(64, 9, 4.77, 4.7, 4.8)))
        for record in make_records("L1-norm", [90, 91, 92], role="anchor")
    ]  # fmt: skip
    board = make_board(Loaded(tuple(old)), track="digits-resnet8@1")
    for format in ("markdown", "csv", "json", "latex"):
        text = tables.render(board, format)
        assert "4.77" not in text and "Timed" not in text and "Latency" not in text
    (row,) = csv.DictReader(io.StringIO(tables.render(board, "csv")))
    assert row["latency_ms"] == row["speedup_timed"] == row["timed_on"] == ""
    assert not {"latency_ms", "speedup_measured"} & set(final_metrics(old[0]))


def test_a_row_is_pooled_over_its_records_and_shown_only_if_all_of_them_are_timed(board):
    timings = [timing(blocks(4.0, 2.0)), timing(blocks(4.0, 1.0), kept=5), timing(blocks(4.0, 4.0), kept=8)]
    found = cells(with_timings(board, timings))
    assert found["L1-norm"]["eager"] == "2.00x [2.00, 2.00]"
    assert found["Varied"]["eager"] == "3.17x [3.17, 3.17]", "the cube root of 2 x 4 x 4"
    assert found["Partly"]["eager"] == "not timed"
    assert found["Dense"]["eager"] == "1.00x [1.00, 1.00]"
    assert "latency" not in found["L1-norm"], "no single image was timed"
    one_image = timing(blocks(0.3, 0.25), batch=1)
    found = cells(with_timings(board, [*timings, one_image]))
    assert (found["L1-norm"]["latency"], found["Varied"]["latency"]) == ("0.25", "not timed")


def test_one_architecture_has_one_number_for_every_method_that_has_it(board, make_records):
    twin = make_records("Twin", [88, 87, 86])
    whole = make_board(Loaded((*make_records("L1-norm", [90, 91, 92], role="anchor"), *twin)))
    found = cells(with_timings(whole, [timing(blocks(4.0, 2.0))]))
    assert found["Twin"]["eager"] == found["L1-norm"]["eager"]


def test_a_pass_that_was_not_quiet_is_withheld_with_the_reason(board):
    noisy = [timing(blocks(4.77, 2.0, again=1.0)), timing(blocks(4.0, 1.0), kept=5)]
    found = with_timings(board, noisy)
    assert cells(found)["L1-norm"]["eager"] == cells(found)["Varied"]["eager"] == "withheld"
    text = tables.render(found, "markdown")
    assert "Withheld: the dense network against itself is 4.77x" in text
    row = next(r for r in csv.DictReader(io.StringIO(tables.render(found, "csv"))) if r["method"] == "L1-norm")
    assert row["speedup_timed"] == "" and row["timing_withheld"].startswith("the dense network against itself")


def test_a_column_for_each_backend_that_somebody_was_timed_on(board):
    assert not set(LINES) & set(labels.columns(board.tables[0]).values())
    timings = [timing(blocks(4.0, 2.0)), timing(blocks(3.0, 2.0), backend="onnx")]
    found = with_timings(board, timings)
    assert [name for name in labels.columns(found.tables[0]).values() if name in LINES] == [LINES[0], LINES[2]]
    assert cells(found)["L1-norm"]["onnx"] == "1.50x [1.50, 1.50]"
    assert "1.50x" not in tables.render(found, "latex"), "a printed page has no room for it"
    assert "Timed in a quiet pass: a processor, 1 thread, torch 2.14.1, 64 images." in tables.render(found, "markdown")


def test_a_table_shows_one_kind_of_machine_that_which_times_most_rows_then_the_newest(board):
    here = [timing(blocks(4.0, 2.0), kept=n) for n in (4, 5)]
    there = [timing(blocks(4.0, 1.0), on=ELSEWHERE, at="2026-12-02")]
    assert cells(with_timings(board, [*here, *there]))["L1-norm"]["eager"] == "2.00x [2.00, 2.00]"
    more = [timing(blocks(4.0, 1.0), kept=5, on=ELSEWHERE, at="2026-12-02")]
    found = with_timings(board, [*here, *there, *more])
    assert cells(found)["L1-norm"]["eager"] == "4.00x [4.00, 4.00]"
    assert found.tables[0].ranked[0].measured.conditions.startswith("another")


def test_timings_change_nothing_else_of_a_board(board):
    found = with_timings(board, [timing(blocks(4.0, 2.0))])
    for now, before in zip(found.tables[0].ranked, board.tables[0].ranked, strict=True):
        assert repr(dataclasses.replace(now, measured=before.measured)) == repr(before)
    assert with_timings(board, []) is board
    other = with_timings(board, [timing(blocks(4.0, 2.0), kept=7)])
    assert tables.render(other, "json") == tables.render(board, "json"), "of an architecture that is not here"
