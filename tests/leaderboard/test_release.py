"""Releases: written once, exactly these records ever after, and refused when a byte is not as it was frozen."""

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prunemark.leaderboard.formats.tables import render
from prunemark.leaderboard.standings import release as releases
from prunemark.leaderboard.standings.board import make_board
from prunemark.leaderboard.standings.frozen_records import packs_held, read_frozen
from prunemark.leaderboard.standings.release import (
    before,
    check_field,
    find_release,
    freeze,
    read_release,
    read_releases,
    write_release,
)
from prunemark.records import load
from prunemark.records.load import Loaded, read_records
from prunemark.records.pack import write_pack
from prunemark.setups.errors import InputError, RuleBroken

fixed = settings(
    derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
BOARD = Path(__file__).parents[2] / "leaderboard" / "board"
ANCHOR, MINE, YOURS = [94.0, 95.0, 93.6, 94.8, 94.4], [96.2, 96.8, 96.0, 97.0, 96.2], [90.2, 91.0, 90.0, 90.4, 90.8]


@pytest.fixture
def board(tmp_path, make_records):
    """A board's folder with two methods, and its records."""
    records = [*make_records("L1-norm", ANCHOR, role="anchor"), *make_records("Mine", MINE, settings={"p": 2.0})]
    write_pack(records, tmp_path / "records")
    return tmp_path


def frozen(board, id="2026.1", known=()):
    return freeze(read_records(board / "records"), id, "2026-03-31", known, packs_held(board / "records"))


def test_a_release_says_what_was_compared(board):
    found = frozen(board)
    (pack,) = (board / "records").rglob("*.xz")
    assert (found.size, found.packs, found.records, found.without) == (10, (pack.name.split(".")[0],), (), ())
    assert list(found.tracks) == ["digits-resnet8@1"] and len(found.tracks["digits-resnet8@1"]) == 64
    (field,) = found.fields
    assert (field.track, field.setup, field.level, field.anchor) == ("digits-resnet8@1", "S3.2", "90%", "L1-norm")
    assert (field.anchor_family, field.rank_family) == (1, 2)  # one test against the anchor, and both of its directions
    assert [(e.name, e.ranked, e.seeds, e.settings, e.verdict) for e in field.entrants] == [
        ("L1-norm", True, 5, {}, ""), ("Mine", True, 5, {"p": 2.0}, "better")
    ]  # fmt: skip


def test_what_does_not_count_is_not_in_a_release(board):
    loaded = read_records(board / "records")
    name = loaded.records[0].record_sha256
    found = freeze(Loaded(loaded.records, (), {name: "wrong data"}), "2026.1", "2026-03-31")
    assert name not in found.records and len(found.records) == 9


def test_a_method_that_was_withdrawn_whole_is_not_in_the_field(board, make_records):
    """Or the release could not be built again from its own records."""
    loaded = read_records(board / "records")
    withdrawn = {r.record_sha256: "wrong data" for r in loaded.records if r.outcome.method.name == "Mine"}
    found = freeze(Loaded(loaded.records, (), withdrawn), "2026.1", "2026-03-31")
    assert [entrant.name for entrant in found.fields[0].entrants] == ["L1-norm"]
    check_field(make_board(read_frozen(found, board / "records"), release="2026.1"), found)


def test_later_records_change_nothing_in_a_release(board, make_records):
    path = write_release(frozen(board), board / "releases")
    release = read_release(path)
    then = render(make_board(read_frozen(release, board / "records"), release="2026.1"), "markdown")
    assert "in the field of release 2026.1 of 2" in then
    again = make_records("Mine", YOURS, settings={"p": 2.0}, finished="2027-01-01T00:00:00")
    write_pack([*make_records("Yours", YOURS), *again], board / "records")
    now = make_board(read_frozen(release, board / "records"), release="2026.1")
    check_field(now, release)
    assert render(now, "markdown") == then
    assert len(make_board(read_records(board / "records")).tables[0].ranked) == 3


def test_a_release_is_written_once(board):
    path = write_release(frozen(board), board / "releases")
    content = path.read_bytes()
    with pytest.raises(RuleBroken, match="2026.1 is frozen already, and a release never changes"):
        write_release(frozen(board), board / "releases")
    assert path.read_bytes() == content


def test_records_that_are_missing_are_named(board):
    loaded = read_records(board / "records")
    of_packs, listed = frozen(board), freeze(loaded, "2026.1", "2026-03-31")  # as where no pack holds them
    first, kept = loaded.records[0], loaded.records[1:]
    assert listed.records == tuple(r.record_sha256 for r in loaded.records)
    (pack,) = (board / "records").rglob("*.xz")
    pack.unlink()
    write_pack(kept, board / "records")
    with pytest.raises(RuleBroken, match=r"release 2026.1 rests on 1 records that are missing or were changed") as why:
        read_frozen(listed, board / "records")
    assert first.record_sha256[:12] in str(why.value)
    with pytest.raises(RuleBroken, match="2026.1 rests on 1 packs that are missing or were changed: the pack"):
        read_frozen(of_packs, board / "records")


def test_of_one_track_only_its_records_are_read_and_the_others_have_to_be_there(board, make_records, monkeypatch):
    theirs = [*make_records("L1-norm", ANCHOR, track="digits-mlp7@1", role="anchor", level="50%"),
              *make_records("Mine", MINE, track="digits-mlp7@1", level="50%")]  # fmt: skip
    write_pack(theirs, board / "records")
    release = frozen(board)
    parsed = []
    honest = load.load
    monkeypatch.setattr(load, "load", lambda text, *where: parsed.append(found := honest(text, *where)) or found)
    of_one = read_frozen(release, board / "records", "digits-resnet8@1")
    assert {r.outcome.track for r in (*of_one.records, *parsed)} == {"digits-resnet8@1"}
    assert len(of_one.records) == 10 == release.size - len(theirs)
    table = make_board(of_one, track="digits-resnet8@1", release="2026.1")
    assert table.tables == tuple(t for t in whole_of(release, board).tables if t.track == "digits-resnet8@1")
    check_field(table, release, "digits-resnet8@1")
    with pytest.raises(RuleBroken, match="another field than was frozen"):
        check_field(table, release, "digits-mlp7@1")
    next((board / "records" / "digits-mlp7@1").iterdir()).unlink()
    with pytest.raises(RuleBroken, match="rests on 1 packs that are missing"):
        read_frozen(release, board / "records", "digits-resnet8@1")


def whole_of(release, board):
    return make_board(read_frozen(release, board / "records"), release=release.id)


def test_another_field_than_was_frozen_is_noticed(board, make_records):
    release = frozen(board)
    write_pack(make_records("Yours", YOURS), board / "records")
    with pytest.raises(RuleBroken, match="digits-resnet8@1, S3.2, 90% has another field than was frozen"):
        check_field(make_board(read_records(board / "records")), release)


@pytest.mark.parametrize(
    ("id", "words"), [("first", "like 2026.1"), ("2026.0", "like 2026.1"), ("../x", "like 2026.1")]
)
def test_an_id_is_a_year_and_a_number(board, id, words):
    with pytest.raises(InputError, match=words):
        find_release(id, board / "releases")


def test_releases_follow_each_other(board):
    with pytest.raises(InputError, match="does not come after 2026.10"):
        frozen(board, "2026.9", [frozen(board, "2026.10")])
    with pytest.raises(InputError, match="--date is written like"):
        freeze(read_records(board / "records"), "2026.1", "31.3.2026")
    for id in ("2026.2", "2026.10", "2027.1"):
        write_release(frozen(board, id, read_releases(board / "releases")[0]), board / "releases")
    found, wrong = read_releases(board / "releases")
    assert [r.id for r in found] == ["2026.2", "2026.10", "2027.1"] and wrong == []
    assert [r.id for r in before("2027.1", found)] == ["2026.2", "2026.10"]
    assert len(before(None, found)) == 3
    with pytest.raises(InputError, match=r"no release '2026.11'.*\nThere are: 2026.10, 2026.2, 2027.1"):
        find_release("2026.11", board / "releases")


def test_a_release_states_its_rules_and_one_that_states_none_is_not_judged_again(board, make_records):
    """Until 0.2.0 tables were judged at two looks: the verdicts of those releases stay as they were released."""
    now = frozen(board)
    assert (now.schema, now.rules) == ("prunemark-release/3", "any-time")
    path = write_release(now, board / "releases")
    assert json.loads(path.read_text())["rules"] == "any-time"
    check_field(make_board(read_frozen(now, board / "records"), release="2026.1"), now)
    then = as_it_was(now, board, schema="prunemark-release/1", rules="two-looks")
    path.unlink()
    path = write_release(then, board / "releases")
    assert "rules" not in json.loads(path.read_text()) and read_release(path) == then
    with pytest.raises(InputError, match=r"2026.1 was judged at two looks.*\n.*2026.1.md"):
        check_field(make_board(read_frozen(then, board / "records"), release="2026.1"), then)


def as_it_was(release, board, **changes):
    """The same release in the form of an earlier schema: every record listed, no verdicts."""
    fields = tuple(
        dataclasses.replace(f, entrants=tuple(dataclasses.replace(e, verdict=None) for e in f.entrants))
        for f in release.fields
    )
    names = tuple(sorted(r.record_sha256 for r in read_frozen(release, board / "records").records))
    of_third = dict(packs=(), without=(), count=None, contents=None)
    return releases._with_digest(dataclasses.replace(release, records=names, fields=fields, **of_third, **changes))


def test_a_release_of_the_second_schema_is_built_again_without_verdicts(board):
    then = as_it_was(frozen(board), board, schema="prunemark-release/2")
    path = write_release(then, board / "releases")
    assert "verdict" not in path.read_text() and "packs" not in path.read_text() and read_release(path) == then
    check_field(make_board(read_frozen(then, board / "records"), release="2026.1"), then)


def test_what_does_not_count_in_a_pack_is_named_and_what_lies_in_no_pack_too(board, make_records, tmp_path):
    loaded = read_records(board / "records")
    name = loaded.records[0].record_sha256
    loose = make_records("Yours", YOURS)
    found = freeze(
        Loaded((*loaded.records, *loose), (), {name: "wrong data"}), "2026.1", "2026-03-31", (),
        packs_held(board / "records"),
    )  # fmt: skip
    assert (found.without, found.size) == ((name,), 14)
    assert found.records == tuple(sorted(r.record_sha256 for r in loose))
    write_pack(loose, board / "records")
    again = {r.record_sha256 for r in read_frozen(found, board / "records").records}
    assert again == {r.record_sha256 for r in (*loaded.records, *loose)} - {name}
    wrong = dataclasses.replace(found, without=())
    with pytest.raises(RuleBroken, match="its packs hold other records than counted"):
        read_frozen(wrong, board / "records")


def test_every_release_by_other_rules_has_its_tables_as_they_were_released():
    found, refused = read_releases(BOARD / "releases")
    old = [each for each in found if each.rules != releases.RULES]
    assert not refused and [each.id for each in old] == ["2026.1", "2026.2"]
    for each in old:
        text = (BOARD.parent / "releases" / f"{each.id}.md").read_text()
        assert f"of release {each.id}" in text and all(field.track in text for field in each.fields)


@fixed
@given(data=st.data())
def test_any_byte_that_is_changed_is_refused_by_name(board, data):
    path = board / "releases" / "2026.1.json"
    whole = path.read_bytes() if path.exists() else write_release(frozen(board), path.parent).read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    spoiled = whole[:place] + data.draw(st.binary(max_size=2)) + whole[place + 1 :]
    path.write_bytes(spoiled)
    found, wrong = read_releases(path.parent)
    path.write_bytes(whole)
    if spoiled != whole:
        assert found == [] and [refused.name for refused in wrong] == ["2026.1.json"]


def test_a_release_of_a_newer_schema_and_one_under_another_name_are_refused(board):
    path = write_release(frozen(board), board / "releases")
    other = path.with_name("2026.2.json")
    other.write_bytes(path.read_bytes())
    with pytest.raises(RuleBroken, match="2026.2.json is not as it was frozen"):
        read_release(other)
    other.write_text(json.dumps(json.loads(path.read_text()) | {"schema": "prunemark-release/4"}))
    with pytest.raises(InputError, match="has schema 'prunemark-release/4'"):
        read_release(other)
    assert path.parent.name == releases.FOLDER
