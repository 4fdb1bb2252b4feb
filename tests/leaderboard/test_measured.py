"""What running a model took, as rows say it: medians over seeds, and a column only where it was measured."""

import dataclasses

from prunemark.benchmark.run.mlflow_fields import final_metrics
from prunemark.leaderboard.formats import labels, tables
from prunemark.leaderboard.standings.board import make_board
from prunemark.leaderboard.standings.measured import Measured, measured_of
from prunemark.leaderboard.standings.table import make_table
from prunemark.records.load import Loaded
from prunemark.records.observed import Latency


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


def with_dense(record, one_image_ms, many_ms):
    """The dense network in turns with the final model: the layouts, and the sizes, in the order of a record."""
    dense = (
        Latency(1, 60, one_image_ms, 0.1, 0.9),
        Latency(64, 9, many_ms, 29.0, 31.0),
        Latency(1, 9, 99.0, 98.0, 100.0, "channels_last"),
        Latency(64, 9, 99.0, 98.0, 100.0, "channels_last"),
    )
    return dataclasses.replace(record, observed=dataclasses.replace(record.observed, dense_passes=dense))


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


def test_the_measured_speedup_is_the_median_of_what_each_process_saw(make_records):
    """Factors 1, 2 and 4: a machine four times as slow at one time. The final model took 0.5 ms, 10, 20 and 40 ms."""
    records = [with_passes(r, f) for r, f in zip(make_records("A", [90, 91, 92]), (1, 2, 4), strict=True)]
    assert measured_of(records).speedup_measured is None
    records = [with_dense(r, 1.5, ms) for r, ms in zip(records, (30.0, 50.0, 120.0), strict=True)]
    assert measured_of(records).speedup_measured == 3.0, "of 3, 2.5 and 3"
    assert measured_of(records).speedup_one_image == 3.0
    untimed = with_passes(make_records("A", [93])[0], 1)
    assert measured_of([*records, untimed]).speedup_measured is None, "one seed of an older harness"
    assert measured_of([*records, untimed]).speedup_one_image is None
    slower = [with_dense(r, 0.25, 4.0) for r in records]
    assert measured_of(slower).speedup_measured == 0.2, "of .4, .2 and .1: slower than the dense network"
    assert measured_of(slower).speedup_one_image == 0.5
    failed = dataclasses.replace(records[0].observed, latency=None, passes=(), dense_passes=())
    assert measured_of([dataclasses.replace(records[0], observed=failed)]).speedup_measured is None


def test_mlflow_has_the_timed_speedup_where_there_is_one(make_record):
    timed = with_dense(with_passes(make_record(), 1), 1.0, 12.5)
    assert final_metrics(timed)["speedup_measured"] == 1.25
    assert "speedup_measured" not in final_metrics(with_passes(make_record(), 1))


def test_images_a_second_give_way_where_everybody_ran_in_turns_with_the_dense_network(make_records):
    anchor = [with_passes(record, 1) for record in make_records("L1-norm", [90, 91, 92], role="anchor")]
    new = [with_dense(with_passes(record, 1), 1.0, 12.5) for record in make_records("New", [91, 92, 93])]
    mixed = labels.columns(make_table([*anchor, *new], "90%"))
    assert "measured" in mixed and "throughput" in mixed
    table = make_table([*(with_dense(record, 1.0, 10.0) for record in anchor), *new], "90%")
    assert "measured" in labels.columns(table) and "throughput" not in labels.columns(table)
    cells = {row.name: labels.line(row, table).cells for row in table.ranked}
    assert (cells["New"]["measured"], cells["L1-norm"]["measured"]) == ("1.25x", "1.00x")
    assert "throughput" not in cells["New"]


def test_the_column_is_there_where_somebody_was_measured(make_records):
    anchor = make_records("L1-norm", [90, 91, 92], role="anchor")
    new = [with_passes(record, 1) for record in make_records("New", [91, 92, 93])]
    for records, there in (([*anchor, *make_records("New", [91, 92, 93])], False), ([*anchor, *new], True)):
        table = make_table(records, "90%")
        assert ("throughput" in labels.columns(table)) == there
        assert all(list(labels.line(row, table).cells) == list(labels.columns(table)) for row in table.ranked)
        board = make_board(Loaded(tuple(records), ()))
        assert ("Images/s" in tables.render(board, "markdown")) == there
        assert "Images/s" not in tables.render(board, "latex"), "a printed page has no room for it"
        assert '"images_per_second": ' + ("6400.0" if there else "null") in tables.render(board, "json")
