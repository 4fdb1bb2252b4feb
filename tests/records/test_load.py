"""Records are read, verified, and refused by name."""

import dataclasses
import gc
import json
import lzma

import pytest

from prunemark.records.invalidations import invalidate
from prunemark.records.load import read_counting, read_records, read_texts, record_names
from prunemark.records.pack import pack_records, write_pack
from prunemark.records.record import dump
from prunemark.setups.errors import InputError


def write(folder, record, text=None):
    path = folder / f"{record.record_sha256}.json"
    path.write_text(text or dump(record))
    return path


def test_sound_records_are_read(tmp_path, make_records):
    records = make_records("L1-norm", [95.0, 96.0])
    for record in records:
        write(tmp_path, record)
    found = read_records(tmp_path)
    assert set(r.record_sha256 for r in found.records) == set(r.record_sha256 for r in records)
    assert found.refused == ()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda text: text.replace('"seed":0', '"seed":4'), "edited"),
        (lambda text: text[: len(text) // 2], "not JSON"),
        (lambda text: text.replace("prunemark-record/1", "prunemark-record/2"), "prunemark-record/2"),
        (lambda text: text.replace('"seed":0', '"seed":"0"'), "not a valid record"),
        (lambda text: text.replace('"seed":0', '"seed":0,"extra":1'), "does not know"),
        (lambda text: "[]", "schema None"),
    ],
)
def test_a_spoiled_record_is_refused_by_name_and_the_rest_is_kept(tmp_path, make_records, spoil, why):
    bad, good = make_records("L1-norm", [95.0, 96.0])
    path = write(tmp_path, bad, spoil(dump(bad)))
    write(tmp_path, good)
    found = read_records(tmp_path)
    assert [r.record_sha256 for r in found.records] == [good.record_sha256]
    assert [r.name for r in found.refused] == [path.name] and why in found.refused[0].why


def test_of_two_records_of_one_trial_the_later_counts(make_record):
    old = make_record(finished="2026-01-01T00:00:00", percent=90.0, key="old harness")
    new = make_record(finished="2026-02-01T00:00:00", percent=95.0)
    for order in ([old, new], [new, old]):
        found = read_texts([(r.record_sha256, r.record_sha256, dump(r)) for r in order])
        assert found.records == (new,)
        assert "superseded" in found.refused[0].why and old.record_sha256 in found.refused[0].name
        assert found.refused[0].newer == new.record_sha256


def test_of_two_records_of_one_trial_with_the_same_bits_the_older_stands(make_record):
    """As in a home made before the keys followed numbers, in which a trial is run once more: a board has cited it."""
    old = make_record(finished="2026-01-01T00:00:00", key="a hash of the harness's sources")
    new = make_record(finished="2026-02-01T00:00:00", key="versions by hand")
    between = make_record(finished="2026-01-15T00:00:00", percent=90.0, key="an odd harness")
    for order in ([old, new, between], [new, between, old]):
        found = read_texts([(r.record_sha256, r.record_sha256, dump(r)) for r in order])
        assert found.records == (old,)
        assert {r.name[:64]: (r.why, r.newer) for r in found.refused} == {
            new.record_sha256: (f"has the same bits as {old.record_sha256[:12]}", old.record_sha256),
            between.record_sha256: (f"superseded by {old.record_sha256[:12]}", old.record_sha256),
        }
    invalid = {old.record_sha256: "the wrong images"}
    found = read_texts([(r.record_sha256, r.record_sha256, dump(r)) for r in (old, new)], invalid)
    assert found.records == (new,) and [r.why for r in found.refused] == ["does not count: the wrong images"]


def test_another_setting_is_not_the_same_trial(make_record):
    one, other = make_record(settings={"p": 1}), make_record(settings={"p": 2})
    found = read_texts([(r.record_sha256, r.record_sha256, dump(r)) for r in (one, other)])
    assert len(found.records) == 2


def test_packing_keeps_every_byte(tmp_path, make_records):
    records = make_records("L1-norm", [95.0, 96.0, 97.0])
    pack_records(records, tmp_path / "digits.jsonl.xz")
    first = (tmp_path / "digits.jsonl.xz").read_bytes()
    pack_records(reversed(records), tmp_path / "digits.jsonl.xz")
    assert (tmp_path / "digits.jsonl.xz").read_bytes() == first
    assert {dump(r) for r in read_records(tmp_path).records} == {dump(r) for r in records}


def test_a_packed_line_that_was_edited_is_refused(tmp_path, make_records):
    pack_records(make_records("L1-norm", [95.0, 96.0]), tmp_path / "a.jsonl.xz")
    lines = lzma.decompress((tmp_path / "a.jsonl.xz").read_bytes()).decode().splitlines()
    entry = json.loads(lines[0])
    entry["record"]["outcome"]["accuracy"]["test_percent"] = 99.9
    (tmp_path / "a.jsonl.xz").write_bytes(lzma.compress("\n".join([json.dumps(entry), lines[1], "junk"]).encode()))
    found = read_records(tmp_path)
    assert len(found.records) == 1
    assert {r.name for r in found.refused} == {"a.jsonl.xz, line 1", "a.jsonl.xz, line 3"}


def test_a_truncated_pack_is_refused(tmp_path, make_records):
    pack_records(make_records("L1-norm", [95.0, 96.0]), tmp_path / "a.jsonl.xz")
    (tmp_path / "b.jsonl.xz").write_bytes((tmp_path / "a.jsonl.xz").read_bytes()[:100])
    found = read_records(tmp_path)
    assert len(found.records) == 2 and [r.name for r in found.refused] == ["b.jsonl.xz"]


def test_the_same_record_twice_counts_once(tmp_path, make_records):
    records = make_records("L1-norm", [95.0])
    pack_records(records, tmp_path / "a.jsonl.xz")
    write(tmp_path, records[0])
    found = read_records(tmp_path)
    assert len(found.records) == 1 and "twice" in found.refused[0].why


def test_nothing_to_read_is_said(tmp_path):
    with pytest.raises(InputError, match="no records in"):
        read_records(tmp_path)
    with pytest.raises(InputError, match="no folder"):
        read_records(tmp_path / "nowhere")


def test_observed_values_do_not_name_a_trial(make_record):
    record = make_record()
    other = dataclasses.replace(record, observed=dataclasses.replace(record.observed, finished_at="2027"))
    assert record.outcome_sha256 == other.outcome_sha256 and record.record_sha256 != other.record_sha256


def test_packs_of_a_track_go_by_their_content_and_others_by_any_name(tmp_path, make_records):
    records = make_records("L1-norm", [95.0, 96.0])
    pack_records(records[:1], tmp_path / "mine.jsonl.xz")
    (path,) = write_pack(records, tmp_path)
    assert len(read_records(tmp_path).records) == 2 and "twice" in read_records(tmp_path).refused[0].why
    path.rename(path.with_name("mine.jsonl.xz"))
    found = read_records(tmp_path)
    assert len(found.records) == 1
    (refused,) = found.refused
    assert (refused.name, refused.why) == ("mine.jsonl.xz", "is not named by its content, as packs here are")


def test_a_newer_schema_is_refused_in_words_that_say_what_to_do(tmp_path, make_records):
    new, good = make_records("L1-norm", [95.0, 96.0])
    path = write(tmp_path, new, dump(new).replace("prunemark-record/1", "prunemark-record/2"))
    write(tmp_path, good)
    found = read_records(tmp_path)
    assert found.records == (good,) and found.refused[0].name == path.name
    assert "was written by a newer Prunemark: it has schema 'prunemark-record/2'" in found.refused[0].why


def test_of_two_versions_of_a_track_the_one_asked_for_is_ranked(tmp_path, make_record):
    old, new = (
        dataclasses.replace(r, outcome=dataclasses.replace(r.outcome, track=f"mine@{version}"))
        for version, r in enumerate((make_record(), make_record(seed=1)), 1)
    )
    write_pack([old, new], tmp_path)
    found = read_records(tmp_path)
    assert found.records == (new,)
    assert not found.refused and found.other_versions == {"mine@1": 1}
    assert read_records(tmp_path, "mine@1").records == (old,)
    assert record_names(tmp_path) == {old.record_sha256, new.record_sha256}


def test_reading_leaves_the_garbage_collector_as_it_was(tmp_path, make_records):
    write(tmp_path, make_records("L1-norm", [95.0])[0])
    assert gc.isenabled()
    read_records(tmp_path)
    assert gc.isenabled() and gc.get_freeze_count() == 0
    gc.disable()
    try:
        read_records(tmp_path)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_counts_is_of_every_version_once_a_trial_and_not_withdrawn(tmp_path, make_record):
    """A contribution must not bring a trial again that an older version of its track has already."""
    older = make_record("L1-norm", track="digits-mlp7@1")
    newer = make_record("L1-norm", track="digits-mlp7@2")
    again = make_record("L1-norm", track="digits-mlp7@2", percent=96.0, finished="2026-02-01T00:00:00")
    wrong = make_record("L1-norm", seed=1)
    write_pack([older, newer, again, wrong], tmp_path)
    names = record_names(tmp_path)
    invalidate(tmp_path, wrong.record_sha256, "wrong data", "2026-03-01", names)
    assert {r.record_sha256 for r in read_counting(tmp_path)} == {older.record_sha256, again.record_sha256}
    assert older not in read_records(tmp_path).records
