"""Invalidations: appended with a reason, never twice, and read whatever was done to the file."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prunemark.records.invalidations import FILE, Invalidation, invalidate, read_invalidations
from prunemark.records.load import read_records
from prunemark.records.record import dump
from prunemark.setups.errors import InputError

fixed = settings(
    derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
A, B = "a" * 64, "b" * 64
AT = "2026-03-01T00:00:00+00:00"


def test_an_invalidation_is_appended_and_read(tmp_path):
    first = invalidate(tmp_path, A, " run on the wrong data ", AT, {A, B})
    second = invalidate(tmp_path, B, "the method saw test labels", AT, {A, B})
    assert first == Invalidation(AT, "run on the wrong data", A)
    assert read_invalidations(tmp_path) == ((first, second), ())
    lines = (tmp_path / FILE).read_text().splitlines()
    assert json.loads(lines[0]) == {"at": AT, "reason": "run on the wrong data", "record_sha256": A}


@pytest.mark.parametrize(
    ("record", "reason", "words"),
    [
        (B, "why not", "no record 'bbb"),
        ("../x", "why not", "no record"),
        (A, "", "says why in one line"),
        (A, "  ", "says why in one line"),
        (A, "two\nlines", "says why in one line"),
        (A, "x" * 501, "1 to 500 characters"),
    ],
)
def test_what_cannot_be_invalidated_is_refused_and_nothing_is_written(tmp_path, record, reason, words):
    with pytest.raises(InputError, match=words):
        invalidate(tmp_path, record, reason, AT, {A})
    assert not list(tmp_path.iterdir())


def test_a_record_is_invalidated_once(tmp_path):
    invalidate(tmp_path, A, "first", AT, {A})
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(InputError, match="aaaaaaaaaaaa does not count since 2026-03-01 already: first"):
        invalidate(tmp_path, A, "second", AT, {A})
    assert (tmp_path / FILE).read_bytes() == before


def test_a_line_that_was_cut_short_does_not_swallow_the_next(tmp_path):
    (tmp_path / FILE).write_text('{"at":"20')
    entry = invalidate(tmp_path, A, "first", AT, {A})
    assert read_invalidations(tmp_path) == ((entry,), ((f"{FILE}, line 1", "is not an invalidation"),))


def test_an_invalidated_record_is_shown_and_another_of_its_trial_counts_instead(tmp_path, make_record):
    old = make_record(finished="2026-01-01T00:00:00", percent=90.0, key="old")
    new = make_record(finished="2026-02-01T00:00:00", percent=95.0)
    for record in (old, new):
        (tmp_path / f"{record.record_sha256}.json").write_text(dump(record))
    assert read_records(tmp_path).records == (new,)
    invalidate(tmp_path, new.record_sha256, "wrong data", AT, {new.record_sha256})
    found = read_records(tmp_path)
    assert found.records == (old,) and found.invalid == {}
    assert [(r.name, r.why) for r in found.refused] == [(f"{new.record_sha256}.json", "does not count: wrong data")]
    invalidate(tmp_path, old.record_sha256, "wrong as well", AT, {old.record_sha256})
    found = read_records(tmp_path)
    assert found.records == (new,) and found.invalid == {new.record_sha256: "wrong data"}


@fixed
@given(data=st.data())
def test_any_byte_that_is_changed_is_refused_by_name_or_harmless(tmp_path, data):
    path = tmp_path / FILE
    path.unlink(missing_ok=True)
    entries = [invalidate(tmp_path, name, "a reason", AT, {name}) for name in (A, B)]
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    path.write_bytes(whole[:place] + data.draw(st.binary(max_size=3)) + whole[place + 1 :])
    found, wrong = read_invalidations(tmp_path)
    assert all(place.startswith(f"{FILE}, line ") for place, _ in wrong)
    assert len(found) + len(wrong) >= 1
    assert wrong or len(found) == len(entries)
