"""A whole board is examined: what was tampered with, what is missing, and what is sound, by name."""

import json
import lzma

import pytest

from prunemark.contributions.verify import examine_board, examine_pack
from prunemark.leaderboard.standings.release import freeze, write_release
from prunemark.records.decision import write_decisions
from prunemark.records.invalidations import invalidate
from prunemark.records.load import read_records
from prunemark.records.pack import pack_records, unpack, write_lines, write_pack
from prunemark.records.record import canonical_json, dump
from prunemark.records.source import MethodFiles, write_method
from prunemark.setups.errors import InputError, RuleBroken

METHOD = MethodFiles("Mine", (("mine.py", "class Mine: ...\n"),))
AT = "2026-03-01T00:00:00+00:00"


@pytest.fixture
def board(tmp_path, make_records):
    """A board's folder with everything in it, all of it sound."""
    records = make_records("Mine", [95.0, 96.0, 97.0], source=METHOD.source_sha256)
    write_pack(records, tmp_path / "records")
    write_method(METHOD, tmp_path / "methods")
    decided = {"kept": {"a": [0, 1, 2, 3]}, "masks": {}}
    write_decisions([(r.outcome.track, r.record_sha256, decided) for r in records], tmp_path / "decisions")
    loaded = read_records(tmp_path / "records")
    write_release(freeze(loaded, "2026.1", "2026-03-31"), tmp_path / "releases")
    name = records[0].record_sha256
    invalidate(tmp_path / "records", name, "wrong data", AT, {name})
    return tmp_path


def found(folder):
    parts = {part.part: part for part in examine_board(folder)}
    return {name: part.sound for name, part in parts.items()}, [f for part in parts.values() for f in part.findings]


def test_a_sound_board_is_sound(board):
    sound = {"records": 3, "invalidations": 1, "methods": 1, "decisions": 3, "releases": 1, "fresh seeds": 0}
    assert found(board) == (sound, [])


def one(folder, pattern):
    (path,) = folder.glob(pattern)
    return path


def _edit(path, old, new):
    path.write_bytes(path.read_bytes().replace(old, new))


def _edited_pack(board):
    path = one(board, "records/*/*.xz")
    path.write_bytes(lzma.compress(lzma.decompress(path.read_bytes()).replace(b'"seed":0', b'"seed":7')))


def _edited_record(board):
    path = one(board, "records/*/*.xz")
    lines = lzma.decompress(path.read_bytes()).decode().replace('"seed":0', '"seed":7').splitlines()
    path.unlink()
    write_lines(lines, path.parent)


def _loosely_written(board):
    """A record whose text hashes to its name and is not as Prunemark writes it."""
    import hashlib

    path = one(board, "records/*/*.xz")
    first, *rest = lzma.decompress(path.read_bytes()).decode().splitlines()
    text = json.dumps(json.loads(first)["record"])
    path.unlink()
    write_lines([f'{{"record":{text},"sha256":"{hashlib.sha256(text.encode()).hexdigest()}"}}', *rest], path.parent)


def _in_the_wrong_folder(board):
    path = one(board, "records/*/*.xz")
    (board / "records" / "digits-mlp7@1").mkdir()
    path.rename(board / "records" / "digits-mlp7@1" / path.name)


def _twice(board):
    path = one(board, "records/*/*.xz")
    line = lzma.decompress(path.read_bytes()).decode().splitlines()[0]
    write_lines([line], path.parent)


def _other_decision(board):
    path = one(board, "decisions/*/*.xz")
    lines = lzma.decompress(path.read_bytes()).decode().splitlines()
    path.unlink()
    write_lines([line.replace("[0,1,2,3]", "[0,1]") for line in lines], path.parent)


def _decision_of_nothing(board):
    write_decisions([("x@1", "f" * 64, {"kept": {}, "masks": {}})], board / "decisions")


def _a_decision_less(board):
    path = one(board, "decisions/*/*.xz")
    lines = [line.decode() for line in unpack(path, 2**23)]
    path.unlink()
    write_lines(lines[1:], path.parent)


def _records_taken_away(board):
    one(board, "records/*/*.xz").unlink()


TAMPERED = [
    (_edited_pack, "does not unpack to the content its name promises"),
    (_edited_record, "does not have the content its name promises"),
    (_loosely_written, "is not written canonically"),
    (lambda board: _edit(one(board, "methods/*"), b"...", b"pass"), "was edited"),
    (lambda board: _edit(one(board, "releases/*"), b"2026-03-31", b"2026-03-30"), "is not as it was frozen"),
    (_other_decision, "is not that of its record: layer a keeps 4 by the record, 2 by the decision"),
    (_records_taken_away, "rests on 3 records that are not sound here"),
]
NOT_WHOLE = [
    (lambda board: one(board, "methods/*").unlink(), "is missing: the source of Mine"),
    (_in_the_wrong_folder, "is of digits-resnet8@1, and lies in the folder of digits-mlp7@1"),
    (_twice, "a second time"),
    (_decision_of_nothing, "is that of no record here"),
    (_a_decision_less, "is missing: `submit --contribute` brings what "),
    (lambda board: _edit(board / "records" / "invalidations.jsonl", b"{", b"["), "is not an invalidation"),
    (lambda board: _edit(one(board, "records/*/*.xz"), b"YZ", b""), "is truncated or not a packed file"),
]


@pytest.mark.parametrize(("spoil", "why"), TAMPERED)
def test_what_was_tampered_with_is_named(board, spoil, why):
    spoil(board)
    assert any(finding.tampered and why in finding.why for finding in found(board)[1])


@pytest.mark.parametrize(("spoil", "why"), NOT_WHOLE)
def test_what_is_missing_or_misplaced_is_named(board, spoil, why):
    spoil(board)
    assert any(not finding.tampered and why in finding.why for finding in found(board)[1])


def test_an_invalidation_of_nothing_is_named(board):
    entry = canonical_json({"at": AT, "reason": "x", "record_sha256": "e" * 64})
    with (board / "records" / "invalidations.jsonl").open("a") as file:
        file.write(f"{entry}\n")
    assert f"invalidates record {'e' * 64}, which is not there" in [finding.why for finding in found(board)[1]]


def test_the_records_of_a_home_are_examined_too(tmp_path, make_records):
    bad, good = make_records("L1-norm", [95.0, 96.0])
    (tmp_path / f"{good.record_sha256}.json").write_text(dump(good))
    (tmp_path / f"{bad.record_sha256}.json").write_text(dump(bad).replace('"seed":0', '"seed":4'))
    sound, wrong = found(tmp_path)
    assert sound["records"] == 1 and [finding.name for finding in wrong] == [f"{bad.record_sha256}.json"]
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="no records in"):
        examine_board(tmp_path / "nothing")


def test_tables_of_one_collection_may_share_records(tmp_path, make_records):
    """As the reproduced tables do: each has all of its own in one packed file."""
    records = make_records("L1-norm", [95.0, 96.0])
    pack_records(records, tmp_path / "m1.jsonl.xz")
    pack_records(records, tmp_path / "m2.jsonl.xz")
    assert found(tmp_path) == ({"records": 2, "invalidations": 0}, [])
    assert examine_pack(tmp_path / "m1.jsonl.xz").sound == 2


def test_a_pack_is_examined_line_by_line(board):
    path = one(board, "records/*/*.xz")
    assert examine_pack(path).sound == 3
    _edited_record(board)
    examined = examine_pack(one(board, "records/*/*.xz"))
    assert examined.sound == 2 and examined.findings[0].tampered
    one(board, "records/*/*.xz").rename(path)
    with pytest.raises(RuleBroken):
        examine_pack(path)
