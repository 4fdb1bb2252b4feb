"""Single files that are written for good: whole or not at all, and a disk's troubles in words."""

import errno
import os
from pathlib import Path

import pytest

from prunemark.records.writer import append_line, storage_errors, write_atomically, write_once
from prunemark.setups.errors import WorkFailed


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.EROFS, "the disk is read-only"), (errno.EACCES, "Permission denied"), (errno.EDQUOT, "quota")],
)
def test_other_troubles_of_a_disk_in_words(code, words):
    with pytest.raises(WorkFailed, match=words), storage_errors(Path("/somewhere")):
        raise OSError(code, os.strerror(code))


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    place = tmp_path / "new" / "x.json"
    write_atomically(place, "é")
    assert place.read_bytes() == "é".encode()

    def broken(*_):
        raise RuntimeError("power cut")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(RuntimeError, match="power cut"):
        write_atomically(place, "half")
    assert [path.name for path in place.parent.iterdir()] == ["x.json"] and place.read_text() == "é"


def test_a_place_that_is_a_file_is_put_into_words_and_a_full_disk_too(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("a file")
    for attempt in (write_atomically, write_once, lambda path, _: append_line(path, "x")):
        with pytest.raises(WorkFailed, match="cannot write to .*file: .*\nNothing half-written was kept: make room or"):
            attempt(tmp_path / "file" / "x", b"")

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WorkFailed, match="the disk is full"):
        write_once(tmp_path / "x", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_is_there_is_left_and_everybody_may_read_it(tmp_path):
    path = write_once(tmp_path / "new" / "x", b"first")
    assert write_once(path, b"second").read_bytes() == b"first"
    assert path.stat().st_mode & 0o777 == write_atomically(tmp_path / "y", "é").stat().st_mode & 0o777 == 0o644


def test_a_line_is_added_behind_one_that_was_cut_short(tmp_path):
    path = tmp_path / "new" / "lines"
    append_line(path, "a")
    path.write_text(path.read_text() + "cut")
    append_line(path, "é")
    assert path.read_text() == "a\ncut\né\n"
