"""Timings lie next to records, under what is held fixed, and what is not a timing is named and left out."""

import dataclasses

import pytest

from prunemark.records.speed import Blocks
from prunemark.records.timing import (
    Architecture,
    Conditions,
    Timing,
    architecture_of,
    read_timings,
    timings_folder,
    write_timing,
)

HERE = Conditions("cpu", "a processor", 1, {"torch": "2.14.1"})
BLOCKS = Blocks((1.0,) * 12, (1.0,) * 12, (0.5,) * 12)


def timing(kept=None, **changes):
    architecture = Architecture("resnet8", "digits", 10, {"a": 1} if kept is None else kept)
    made = Timing(architecture, "eager", 64, HERE, "2026-12-01T00:00:00+00:00", 3, BLOCKS)
    return dataclasses.replace(made, **changes)


def with_compression(record, **changes):
    compression = dataclasses.replace(record.outcome.compression, **changes)
    return dataclasses.replace(record.outcome, compression=compression)


def test_records_of_one_architecture_share_a_key_whatever_else_they_are(make_record):
    one = architecture_of(make_record("L1-norm", 0).outcome)
    assert one == Architecture("resnet8", "digits", 10, {"a": 4})
    assert architecture_of(make_record("Random", 7, 91.0, setup="S4.2", level="50%").outcome).key == one.key
    other = architecture_of(with_compression(make_record(), kept={"a": 2}))
    assert other.key != one.key
    assert architecture_of(make_record(status="failed").outcome) is None


def test_layers_that_lost_nothing_and_masked_weights_leave_the_dense_architecture(make_record):
    dense = Architecture("resnet8", "digits", 10, {})
    assert architecture_of(with_compression(make_record(), kept={"a": 8})) == dense
    masked = with_compression(make_record(), target_speedup=None, target_sparsity=0.9, kept={"a": 3})
    assert architecture_of(masked) == dense


def test_a_timing_comes_back_and_takes_the_place_of_an_older_one(tmp_path):
    first, second = timing(), timing(measured_at="2026-12-02T00:00:00+00:00")
    assert write_timing(first, tmp_path) == write_timing(second, tmp_path) == tmp_path / f"{first.key}.json"
    assert read_timings(tmp_path) == ((second,), ())
    assert read_timings(tmp_path / "none") == ((), ())


@pytest.mark.parametrize(
    "change",
    [
        {"backend": "onnx"}, {"batch_size": 1}, {"conditions": dataclasses.replace(HERE, hardware="another")},
        {"conditions": dataclasses.replace(HERE, versions={"torch": "2.15.0"})}, {"kept": {"a": 2}},
        {"conditions": dataclasses.replace(HERE, device="cuda")},
    ],
)  # fmt: skip
def test_another_architecture_machine_version_or_batch_is_another_timing(change):
    assert timing(**change).key != timing().key


def test_the_folder_is_next_to_one_called_records_and_else_inside(tmp_path):
    assert timings_folder(tmp_path / "home" / "records") == tmp_path / "home" / "timings"
    assert timings_folder(tmp_path / "mine") == tmp_path / "mine" / "timings"


def test_what_is_not_a_timing_is_named_and_the_rest_is_read(tmp_path):
    good = timing()
    write_timing(good, tmp_path)
    text = (tmp_path / f"{good.key}.json").read_text()
    (tmp_path / "broken.json").write_text(text[:-20])
    (tmp_path / "renamed.json").write_text(text)
    (tmp_path / "stranger.json").write_text(text.replace('"eager"', '"tpu"'))
    zero = timing(batch_size=2, blocks=dataclasses.replace(BLOCKS, pruned_ms=(0.0,) * 12))
    write_timing(zero, tmp_path)
    found, wrong = read_timings(tmp_path)
    assert found == (good,)
    assert {each.name: each.why.split()[0] for each in wrong} == {
        "timings/broken.json": "is", "timings/renamed.json": "does", "timings/stranger.json": "is",
        f"timings/{zero.key}.json": "holds",
    }  # fmt: skip
    assert any("edited or renamed" in each.why for each in wrong)
