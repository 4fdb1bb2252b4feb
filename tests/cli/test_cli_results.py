"""The commands about results that are there: leaderboard with its releases, verify, invalidate, pack."""

import csv
import io
import json
import re
import shlex

import pytest

import prunemark
from prunemark.benchmark.submission.locate import locate
from prunemark.records.pack import write_pack
from prunemark.records.record import dump

ANCHOR, MINE, YOURS = [94.0, 95.0, 93.6, 94.8, 94.4], [96.2, 96.8, 96.0, 97.0, 96.2], [90.2, 91.0, 90.0, 90.4, 90.8]
L1 = locate("L1-norm")[1].sha256
L2 = locate("L2-norm")[1].sha256


@pytest.fixture
def command(prunemark, monkeypatch, tmp_path):
    monkeypatch.setenv("PRUNEMARK_HOME", str(tmp_path / "home"))
    return prunemark


@pytest.fixture
def records(make_records):
    """Of two methods that ship, on five seeds."""
    return [
        *make_records("L1-norm", ANCHOR, role="anchor", source=L1), *make_records("L2-norm", MINE, source=L2)
    ]  # fmt: skip


@pytest.fixture
def home(tmp_path, records):
    """A home's records, loose."""
    folder = tmp_path / "home" / "records"
    folder.mkdir(parents=True)
    for record in records:
        (folder / f"{record.record_sha256}.json").write_text(dump(record))
    return folder


@pytest.fixture
def board(tmp_path, records):
    write_pack(records, tmp_path / "board" / "records")
    return tmp_path / "board"


def test_pack_gives_a_sound_board_and_nothing_the_second_time(command, home, tmp_path):
    code, out, err = command("pack", tmp_path / "board")
    assert code == 0, err
    assert "board: 1 packs written of 10 records that count" in out
    assert {path.stem for path in (tmp_path / "board" / "methods").iterdir()} == {L1, L2}
    code, out, err = command("verify", tmp_path / "board", "--format", "json")
    assert code == 0 and json.loads(out)[0] == {"part": "records", "sound": 10, "not_sound": 0}, err
    code, out, _ = command("pack", tmp_path / "board")
    assert code == 0 and "0 packs written" in out
    theirs = command("leaderboard", "--records", home, "--format", "csv")[1]
    assert command("leaderboard", "--records", tmp_path / "board" / "records", "--format", "csv")[1] == theirs


def test_pack_wants_the_source_of_every_method(command, home, tmp_path, make_record):
    mine = make_record("Mine", source="c" * 64)
    (home / f"{mine.record_sha256}.json").write_text(dump(mine))
    code, _, err = command("pack", tmp_path / "board")
    assert code == 2 and "no source of Mine (cccccccccccc) is at hand as it ran" in err and "--method" in err
    assert not (tmp_path / "board").exists()


def test_a_release_is_frozen_once_and_stays_as_it_is(command, board, make_records):
    words = ["leaderboard", "--records", board / "records", "--release", "2026.1"]
    code, _, err = command(*words)
    assert code == 2 and "there is no release '2026.1'" in err and "--freeze" in err
    code, first, err = command(*words, "--freeze", "--date", "2026-03-31", "--format", "markdown")
    assert code == 0 and "frozen, 10 records, 1 tables" in err and "of release 2026.1" in first
    code, _, err = command(*words, "--freeze")
    assert code == 3 and "a release never changes" in err
    write_pack(make_records("Yours", YOURS), board / "records")
    code, again, err = command(*words, "--format", "markdown")
    assert code == 0 and again == first, err
    assert "Yours" in command(*words[:3], "--format", "markdown")[1]
    one_track = command(*words, "--format", "markdown", "--track", "digits-resnet8")[1]
    assert "of release 2026.1" in one_track and "from 10 records" in one_track
    next(path for path in (board / "records").rglob("*.xz")).unlink()
    next(path for path in (board / "records").rglob("*.xz")).unlink()
    assert command(*words)[0] == 3  # its packs are gone
    write_pack(make_records("Yours", YOURS), board / "records")
    code, _, err = command(*words)
    assert code == 3 and "rests on 1 packs that are missing or were changed" in err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--release", "2026.1"], "give its records, as in --records"),
        (["--records", "board/records", "--freeze"], "--freeze makes a --release"),
        (["--records", "board/records", "--freeze", "--release", "2026.1", "--setup", "S3.2"], "of the whole board"),
        (["--records", "board/records", "--freeze", "--release", "one"], "a release is called like 2026.1"),
        (
            ["--records", "board/records", "--freeze", "--release", "2026.1", "--date", "today"],
            "--date is written like",
        ),
        (["--records", "board/records", "--format", "yaml"], "unknown format 'yaml'"),
    ],
)
def test_wrong_words_are_answered_in_words(command, board, words, expected):
    code, _, err = command("leaderboard", *words)
    assert code == 2 and expected in err and "Traceback" not in err
    assert not (board / "releases").exists()


def test_bibtex_is_that_of_the_release_or_of_the_records(command, board):
    words = ["leaderboard", "--records", board / "records", "--format", "bibtex"]
    assert command(*words)[1].startswith("@misc{prunemark-unreleased-")
    code, out, _ = command(*words, "--release", "2026.1", "--freeze")
    assert code == 0 and out.startswith("@misc{prunemark-2026.1-")


def test_an_invalidated_record_counts_no_longer_and_a_release_says_so(command, board, records):
    release = ["leaderboard", "--records", board / "records", "--release", "2026.1", "--format", "markdown"]
    before = command(*release, "--freeze")[1]
    mine = next(r for r in records if r.outcome.method.name == "L2-norm").record_sha256
    words = ["invalidate", mine[:10], "--records", board / "records"]
    assert command(*words, "--reason", " ")[0] == 2
    code, out, err = command(*words, "--reason", "the test labels leaked")
    assert code == 0 and f"{mine[:12]} does not count from now on: the test labels leaked" in out, err
    code, _, err = command(*words, "--reason", "again")
    assert code == 2 and "does not count since" in err
    now = command("leaderboard", "--records", board / "records", "--format", "csv")[1]
    row = next(row for row in csv.DictReader(io.StringIO(now)) if row["method"] == "L2-norm")
    assert (
        row["ranked"] == "False"
        and "no result on seed 0" in row["why_unranked"]
        and "the test labels leaked" in row["flags"]
    )
    code, out, err = command(*release)
    assert code == 0 and out == before and "invalidated since: the test labels leaked" in err


def test_a_record_is_named_by_enough_of_its_hash_or_by_its_file(command, home, records):
    first = records[0].record_sha256
    assert command("invalidate", first[:7], "--reason", "x")[0] == 2
    code, _, err = command("invalidate", "f" * 64, "--reason", "x")
    assert code == 2 and "no record 'ffff" in err
    assert command("invalidate", home / f"{first}.json", "--reason", "x")[0] == 0
    assert command("invalidate", "f" * 64, "--reason", "x", "--records", "nowhere")[0] == 2


def test_verify_says_what_is_sound(command, home, board, records):
    path = home / f"{records[0].record_sha256}.json"
    code, out, _ = command("verify", path)
    assert code == 0 and "sound. L1-norm on digits-resnet8@1, S3.2, seed 0" in out
    (pack,) = board.rglob("*.xz")
    code, out, _ = command("verify", pack)
    assert code == 0 and "sound, 10 records" in out
    code, out, err = command("verify", board)
    assert code == 2 and "is missing: the source of L1-norm" in err and "2 things are missing" in err
    path.write_text(path.read_text().replace('"seed":0', '"seed":4'))
    code, _, err = command("verify", path)
    assert code == command("verify", home)[0] == 3 and "was edited" in err and err.count("\n") <= 2
    assert command("verify", "nowhere")[0] == 2


def test_the_site_says_how_to_get_the_pages_of_a_version_that_is_not_ranked(command, tmp_path, make_records):
    folder = tmp_path / "two versions" / "records"
    older = make_records("L1-norm", MINE, track="digits-mlp7@1", role="anchor")
    for records in (older, make_records("L1-norm", MINE, track="digits-mlp7@2", role="anchor")):
        write_pack(records, folder)
    command("leaderboard", "--records", folder, "--output", tmp_path / "site")
    (line,) = (tmp_path / "site" / "left-out.txt").read_text().splitlines()
    assert line.startswith("digits-mlp7@1\t5 records of digits-mlp7@1, which is not the version ranked here")
    name, *words = shlex.split(line.partition("Its pages: ")[2])
    given = {"RECORDS": folder, "FOLDER": tmp_path / "older"}
    assert name == "prunemark" and command(*(given.get(word, word) for word in words))[0] == 0
    shown = (tmp_path / "older" / "records_digits-mlp7-1.html").read_text()
    assert all(record.record_sha256[:12] in shown for record in older)


def overview(command, board, *words):
    """The first page of a board with that on how to cite it, and the heads of the releases listed there."""
    site = board.parent / "site"
    code, _, err = command("leaderboard", "--records", board / "records", "--output", site, *words)
    assert code == 0, err
    text = (site / "index.html").read_text() + (site / "start.html").read_text()
    return text, re.findall(r"<summary>(\d{4}\.\d+, .*)</summary>", text)


def test_the_site_lists_the_releases_and_says_when_it_is_none(command, board, make_records):
    text, listed = overview(command, board)
    assert "This board is not a release. Ranks and adjusted p can change" in text and "prunemark-unreleased-" in text
    assert listed == [] and "release</a>" not in text
    text, listed = overview(command, board, "--release", "2026.1", "--freeze", "--date", "2026-03-31")
    assert "This board is release 2026.1. <code>prunemark-2026.1-" in text
    assert listed == ["2026.1, 2026-03-31, 10 records"]
    first = text
    assert "has exactly the records of 2026.1: cite that one" in overview(command, board)[0]
    write_pack(make_records("Yours", YOURS), board / "records")
    text, listed = overview(command, board)
    assert "This board is not a release: it has other records than 2026.1, the newest one." in text
    assert 'Cite a <a href="index.html#releases">release</a>' in text
    entry = re.search(r'aria-label="BibTeX of release 2026\.1">(.*?)</pre>', text, re.DOTALL)[1]
    (name,) = re.findall(r"prunemark-2026\.1-\w{12}", entry.splitlines()[0])
    assert f"<code>{name}</code> names exactly its records" in first and "month = {3}" in entry
    text, listed = overview(command, board, "--release", "2026.2", "--freeze", "--date", "2026-06-30")
    assert listed == ["2026.2, 2026-06-30, 15 records", "2026.1, 2026-03-31, 10 records"]
    assert overview(command, board, "--release", "2026.1")[0] == first  # later releases do not change its pages


def test_the_site_and_the_tables_are_written(command, board, tmp_path):
    words = ["leaderboard", "--records", board / "records", "--output", tmp_path / "site"]
    code, _, err = command(*words, "--board", tmp_path / "BOARD.md")
    assert code == 0, err
    assert "| digits-resnet8@1 | 90% | S3.2 | L2-norm | 1 | 0 | 0 | 0 |" in (tmp_path / "BOARD.md").read_text()
    assert len((tmp_path / "BOARD.md").read_bytes()) < len((tmp_path / "site" / "board.md").read_bytes())
    assert command(*words[:3], "--board", tmp_path / "BOARD.md")[0] == 0  # one of ours is replaced
    assert "prunemark-unreleased-" in (tmp_path / "site" / "index.html").read_text()
    assert {"index.html", "board.md", "board.csv", "board.json", "board.tex"} <= {
        path.name for path in (tmp_path / "site").iterdir()
    }


def test_one_level_of_a_track_is_the_same_table_alone(command, make_records, tmp_path):
    """The author of a paper pastes the table of the level it is about; the verdict is that of the whole."""
    records = [
        record
        for level in ("50%", "90%")
        for record in (
            *make_records("L1-norm", ANCHOR, role="anchor", source=L1, level=level),
            *make_records("L2-norm", MINE, source=L2, level=level),
        )
    ]
    write_pack(records, tmp_path / "both" / "records")
    asked = ("leaderboard", "--records", tmp_path / "both" / "records", "--track", "digits-resnet8")
    whole, one = (list(csv.DictReader(io.StringIO(command(*words, "--format", "csv")[1]))) for words in (
        asked, (*asked, "--level", "90%")
    ))  # fmt: skip
    assert {row["level"] for row in whole} == {"50%", "90%"}
    assert one == [row for row in whole if row["level"] == "90%"]
    for words in (asked, asked[:3]):
        code, _, err = command(*words, "--level", "90%", "--level", "91%")
        assert code == 2 and "unknown level of these records '91%'. Did you mean '90%'?\nValid: 50%, 90%" in err


def test_a_track_without_its_version_is_the_newest_that_has_records(command, board, make_records, tmp_path):
    """cifar10-jpeg-small-weights has a version 3 here, and the board has records of version 2."""
    old = "cifar10-jpeg-small-weights@2"
    records = [*make_records("Magnitude", ANCHOR, role="anchor", track=old), *make_records("Mine", MINE, track=old)]
    write_pack(records, tmp_path / "other" / "records")
    words = ["leaderboard", "--records", tmp_path / "other" / "records", "--track"]
    code, out, err = command(*words, old.partition("@")[0], "--format", "csv")
    assert code == 0 and "there are no records of cifar10-jpeg-small-weights@3; shown is cifar10" in err, err
    assert out == command(*words, old, "--format", "csv")[1] and f",{old}," in out
    assert set(prunemark.leaderboard(tmp_path / "other", track="cifar10-jpeg-small-weights")["track"]) == {old}
    code, _, err = command(*words, "cifar10-jpeg-small-weights@3")
    assert code == 2 and "no records of cifar10-jpeg-small-weights@3" in err and f"there are of {old}" in err
