"""Releases: written once, exactly these records ever after, and refused when a byte is not as it was frozen."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.record_by_hand import looked_at

from prunemark.leaderboard.formats.tables import render
from prunemark.leaderboard.standings import release as releases
from prunemark.leaderboard.standings.board import make_board
from prunemark.leaderboard.standings.release import (
    before,
    check_field,
    earlier,
    find_release,
    freeze,
    read_frozen,
    read_release,
    read_releases,
    write_release,
)
from prunemark.records.load import Loaded, read_records
from prunemark.records.matched_to import RATIOS_OF
from prunemark.records.pack import write_pack
from prunemark.setups.errors import InputError, RuleBroken

fixed = settings(
    derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ANCHOR, MINE, YOURS = [94.0, 95.0, 93.6, 94.8, 94.4], [96.2, 96.8, 96.0, 97.0, 96.2], [90.2, 91.0, 90.0, 90.4, 90.8]


@pytest.fixture
def board(tmp_path, make_records):
    """A board's folder with two methods, and its records."""
    records = [*make_records("L1-norm", ANCHOR, role="anchor"), *make_records("Mine", MINE, settings={"p": 2.0})]
    write_pack(records, tmp_path / "records")
    return tmp_path


def frozen(board, id="2026.1", known=()):
    return freeze(read_records(board / "records"), id, "2026-03-31", known)


def test_a_release_says_what_was_compared(board):
    found = frozen(board)
    assert len(found.records) == 10 and list(found.records) == sorted(found.records)
    assert list(found.tracks) == ["digits-resnet8@1"] and len(found.tracks["digits-resnet8@1"]) == 64
    (field,) = found.fields
    assert (field.track, field.setup, field.level, field.anchor) == ("digits-resnet8@1", "S3.2", "90%", "L1-norm")
    assert (field.anchor_family, field.rank_family) == (1, 0)  # one test against the anchor; five seeds give no ranks
    assert [(e.name, e.ranked, e.seeds, e.settings) for e in field.entrants] == [
        ("L1-norm", True, 5, {}), ("Mine", True, 5, {"p": 2.0})
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
    release = frozen(board)
    kept = [r for r in read_records(board / "records").records if r.record_sha256 != release.records[0]]
    (pack,) = (board / "records").rglob("*.xz")
    pack.unlink()
    write_pack(kept, board / "records")
    with pytest.raises(RuleBroken, match=r"release 2026.1 rests on 1 records that are missing or were changed") as why:
        read_frozen(release, board / "records")
    assert release.records[0][:12] in str(why.value)


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


def test_earlier_releases_say_with_how_many_seeds_they_showed_a_method(board, make_records):
    first = frozen(board)
    write_pack(make_records("Mine", [*MINE, 96.0, 96.5, 96.1], settings={"p": 2.0})[5:], board / "records")
    write_pack(make_records("L1-norm", [*ANCHOR, 94.0, 94.2, 94.4], role="anchor")[5:], board / "records")
    shown = earlier([first, frozen(board, "2026.2", [first])])
    assert shown[looked_at(make_records("Mine", MINE, settings={"p": 2.0}))] == {5, 8}
    assert looked_at(make_records("Yours", YOURS)) not in shown


def test_looks_follow_the_code_and_its_settings_and_not_what_it_is_called_beside_others(board, make_records):
    """Beside a second one of its name, Mine is shown as "Mine (p=2.0)": its looks stay its own."""
    first = frozen(board)
    write_pack(make_records("Mine", YOURS, settings={"p": 1.0}), board / "records")
    second = frozen(board, "2026.2", [first])
    assert [e.name for e in second.fields[0].entrants if e.name.startswith("Mine")] == ["Mine (p=1.0)", "Mine (p=2.0)"]
    shown = earlier([first, second])
    assert shown[looked_at(make_records("Mine", MINE, settings={"p": 2.0}))] == {5} and len(shown) == 3
    assert looked_at(make_records("Mine", MINE, settings={"p": 2.0}, source="other code")) not in shown


def test_a_first_look_that_a_release_showed_is_followed_by_the_second(board, make_records):
    write_pack(make_records("L1-norm", [*ANCHOR, 94.0, 94.2, 94.4, 94.1, 93.9], role="anchor")[5:], board / "records")
    shown = earlier([frozen(board)])
    assert shown[looked_at(make_records("Mine", MINE, settings={"p": 2.0}))] == {5}
    more = [*MINE, 96.0, 96.5, 96.1, 96.4, 96.2]
    write_pack(make_records("Mine", more, settings={"p": 2.0})[5:], board / "records")
    (table,) = make_board(read_records(board / "records"), earlier=shown).tables
    mine = next(row for row in table.ranked if row.name == "Mine")
    assert len(mine.seeds) == 10 and mine.verdict.word == "better" and mine.rank is not None


def test_matched_controls_were_shown_with_a_verdict_too(board, make_records):
    settings = {RATIOS_OF: "Mine s (p=2.0)"}
    write_pack(make_records("Random", YOURS, role="control", settings=settings), board / "records")
    write_pack(make_records("Dense", YOURS, level="dense", kind="dense", role="reference"), board / "records")
    shown = earlier([frozen(board)])
    assert {place[3]: seeds for place, seeds in shown.items()} == {"L1-norm": {5}, "Mine": {5}, "Random": {5}}


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
    other.write_text(json.dumps(json.loads(path.read_text()) | {"schema": "prunemark-release/2"}))
    with pytest.raises(InputError, match="has schema 'prunemark-release/2'"):
        read_release(other)
    assert path.parent.name == releases.FOLDER
