"""Packs: named by their content, never rewritten, and refused by name when a byte is wrong."""

import dataclasses
import hashlib
import json
import lzma

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prunemark.records import unpack
from prunemark.records.load import read_records
from prunemark.records.pack import PACKED, packed_hashes, read_pack, write_pack
from prunemark.records.record import dump
from prunemark.setups.errors import InputError, RuleBroken

fixed = settings(derandomize=True, deadline=None, database=None, max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
LINE = b'{"record":{"a":1},"sha256":"' + b"0" * 64 + b'"}\n'


def test_what_is_packed_is_read_and_the_name_is_that_of_the_text(tmp_path, make_records):
    records = [*make_records("A", [95.0, 96.0]), *make_records("A", [90.0], track="digits-mlp7@1")]
    written = write_pack(records, tmp_path)
    assert [path.parent.name for path in written] == ["digits-mlp7@1", "digits-resnet8@1"]
    for path in written:
        text = lzma.decompress(path.read_bytes())
        assert path.name == f"{hashlib.sha256(text).hexdigest()}{PACKED}"
        lines = text.decode().splitlines()
        assert lines == sorted(lines) and all(list(json.loads(line)) == ["record", "sha256"] for line in lines)
    assert packed_hashes(tmp_path) == {record.record_sha256 for record in records}
    found = read_records(tmp_path)
    assert not found.refused and {dump(r) for r in found.records} == {dump(r) for r in records}


def test_packing_again_adds_only_what_is_new_and_rewrites_nothing(tmp_path, make_records):
    first, second, third = make_records("A", [95.0, 96.0, 97.0])
    (old,) = write_pack([first, second], tmp_path)
    before = old.read_bytes(), old.stat().st_mtime_ns
    assert write_pack([second, first], tmp_path) == []
    (new,) = write_pack([first, third], tmp_path)
    assert [line.sha256 for line in read_pack(new)] == [third.record_sha256]
    assert (old.read_bytes(), old.stat().st_mtime_ns) == before


def test_the_text_of_a_record_is_cut_out_exactly(tmp_path, make_record):
    record = make_record(method='odd "name" \u2028 é \x85')  # characters that some readers take for line ends
    (path,) = write_pack([record], tmp_path)
    assert [(line.sha256, line.text.decode()) for line in read_pack(path)] == [(record.record_sha256, dump(record))]
    assert read_records(tmp_path).records == (record,)


@pytest.mark.parametrize("track", ["../x@1", "x", "a/b@1", "@1", "x@", "", ".x@1"])
def test_a_track_cannot_name_a_folder_elsewhere(tmp_path, make_record, track):
    record = make_record()
    strange = dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, track=track))
    with pytest.raises(InputError, match="name@version"):
        write_pack([record, strange], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_is_not_what_its_name_says_is_not_packed(tmp_path, make_record):
    record = make_record()
    record.__dict__["record_sha256"] = "f" * 64
    with pytest.raises(RuleBroken, match="f{64} is not written canonically"):
        write_pack([record], tmp_path)


def pack(tmp_path, text, name=None):
    path = tmp_path / f"{name or hashlib.sha256(text).hexdigest()}{PACKED}"
    path.write_bytes(lzma.compress(text, preset=0))
    return path


def test_a_pack_under_another_name_is_refused(tmp_path):
    with pytest.raises(RuleBroken, match="does not unpack to the content its name promises: it was edited"):
        read_pack(pack(tmp_path, LINE, "a" * 64))
    with pytest.raises(RuleBroken, match="mine.jsonl.xz is not named by its content"):
        read_pack(pack(tmp_path, LINE, "mine"))
    assert next(read_pack(pack(tmp_path, LINE, "mine"), named=False)).text == b'{"a":1}'


def test_too_much_is_not_unpacked(tmp_path, monkeypatch):
    path = pack(tmp_path, LINE * 100)
    assert len(list(read_pack(path))) == 100
    monkeypatch.setattr(unpack, "LARGEST", 1000)
    with pytest.raises(InputError, match="unpacks to more than 0 MiB or 100,000 lines, which no pack of its size does"):
        read_pack(path)


def test_two_packs_in_one_file_are_refused(tmp_path):
    path = pack(tmp_path, LINE)
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(InputError, match="not a packed file"):
        read_pack(path)


@pytest.mark.parametrize(
    "line",
    [b"junk", b"[]", b"null", b"{}", b'{"record":{}}', b'{"record":NaN,"sha256":"a"}', b"[" * 9999, b"\xff\xfe",
     b'{"record":"\\ud800","sha256":"a"}'],
    ids=repr,
)  # fmt: skip
def test_a_line_that_is_no_record_has_no_text(tmp_path, line):
    (found,) = read_pack(pack(tmp_path, line + b"\n"))
    assert found.text == b"" and found.place.endswith(", line 1")
    read_records(tmp_path)


def test_a_line_written_in_another_way_is_read_canonically(tmp_path):
    spaced = b'{ "sha256": "abc", "record": {"b": 1, "a": 2} }\n'
    assert next(read_pack(pack(tmp_path, spaced)))[1:] == ("abc", b'{"a":2,"b":1}')


def packed_once(folder, make_records):
    """The bytes and the name of a pack of two records; compressing them for every example would take long."""
    path = next(folder.rglob(f"*{PACKED}"), None) or write_pack(make_records("A", [95.0, 96.0]), folder)[0]
    return path.read_bytes(), path.name


@fixed
@given(data=st.data())
def test_any_byte_that_is_changed_or_cut_off_is_refused_by_name(tmp_path, make_records, data):
    whole, name = packed_once(tmp_path / "whole", make_records)
    path = tmp_path / "packs" / "digits-resnet8@1" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    place = data.draw(st.integers(0, len(whole) - 1))
    spoiled = data.draw(st.sampled_from([whole[:place], whole[:place] + b"\xa5" + whole[place + 1 :]]))
    path.write_bytes(spoiled)
    try:
        found = read_records(tmp_path / "packs")
    finally:
        path.unlink()
    if spoiled != whole:
        assert found.records == () and [refused.name for refused in found.refused] == [path.name]


@fixed
@given(st.binary(max_size=200) | st.lists(st.sampled_from([LINE[:-1], b"{}", b'{"record":', b"\n"])).map(b"".join))
def test_whatever_is_in_a_pack_nothing_but_words_comes_of_it(tmp_path, text):
    path = pack(tmp_path, text)
    try:
        found = read_records(tmp_path)
    except InputError as problem:
        assert "no records in" in str(problem) and not text.strip(b"\n")
    else:
        assert found.records == () and all(refused.name.startswith(path.name) for refused in found.refused)
    finally:
        path.unlink()
