"""What running a model took, as rows say it: medians over seeds, and a column only where it was measured."""

import dataclasses

from prunemark.benchmark.outcome import Latency
from prunemark.leaderboard.archive.load import Loaded
from prunemark.leaderboard.forms import tables, words
from prunemark.leaderboard.standings.board import make_board
from prunemark.leaderboard.standings.measured import Measured, measured_of
from prunemark.leaderboard.standings.table import make_table


def with_passes(record, factor):
    passes = (
        Latency(64, 9, 10.0 * factor, 9.0, 11.0),
        Latency(1, 9, 0.25 * factor, 0.2, 0.3, "channels_last"),
        Latency(64, 9, 5.0 * factor, 4.0, 6.0, "channels_last"),
    )
    observed = dataclasses.replace(
        record.observed, passes=passes, peak_memory_bytes=1000 + int(factor), model_bytes=5000
    )
    return dataclasses.replace(record, observed=observed)


def test_medians_over_the_seeds_by_hand(make_records):
    records = [with_passes(r, f) for r, f in zip(make_records("A", [90, 91, 92]), (1, 2, 4), strict=True)]
    assert measured_of(records) == Measured(
        latency_ms=0.5, latency_channels_last_ms=0.5, images_per_second=3200.0,
        images_per_second_channels_last=6400.0, throughput_batch=64, peak_memory_bytes=1002, model_bytes=5000,
    )  # fmt: skip
    old = make_records("A", [90, 91])
    assert measured_of(old) == Measured(latency_ms=0.5)
    assert measured_of([*old, records[2]]).images_per_second == 1600.0, "those that know speak"
    assert measured_of([]) == Measured()


def test_the_column_is_there_where_somebody_was_measured(make_records):
    anchor = make_records("L1-norm", [90, 91, 92], role="anchor")
    new = [with_passes(record, 1) for record in make_records("New", [91, 92, 93])]
    for records, there in (([*anchor, *make_records("New", [91, 92, 93])], False), ([*anchor, *new], True)):
        table = make_table(records, "90%")
        assert ("throughput" in words.columns(table)) == there
        assert all(list(words.line(row, table).cells) == list(words.columns(table)) for row in table.ranked)
        board = make_board(Loaded(tuple(records), ()))
        for format in ("markdown", "latex"):
            assert ("Images/s" in tables.render(board, format)) == there
        assert '"images_per_second": ' + ("6400.0" if there else "null") in tables.render(board, "json")
