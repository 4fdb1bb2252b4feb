"""`leaderboard --plan` and `fill`: what decides most an hour of a board, listed and run."""

import csv
import io
import json
import shutil

import pytest
from support.quick_cli import EXAMPLE, submit

from prunemark.benchmark.submission.locate import locate
from prunemark.records.load import read_records


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def seeds_by_method(home):
    found = {}
    for record in read_records(home / "records").records:
        found.setdefault(record.outcome.method.name, set()).add(record.outcome.seed)
    return found


def test_a_home_is_filled_from_recorded_sources_and_goes_on_later(quick_prunemark, home, tmp_path):
    mine = tmp_path / "mine.py"
    shutil.copy(EXAMPLE, mine)
    assert submit(quick_prunemark, f"{mine}:GeometricMedian", home, level=("--level", "50%"))[0] == 0
    mine.unlink()
    code, out, err = quick_prunemark("leaderboard", "--home", home, "--plan", "--format", "csv")
    assert code == 0, err
    rows = list(csv.DictReader(io.StringIO(out)))
    assert {row["method"] for row in rows} == {"GeometricMedian", "Random"}
    assert all(row["next_seeds"] == "2" and float(row["expected_minutes"]) > 0 for row in rows)
    words = ["fill", "--hours", "1", "--max-seeds", "3", "--track", "quick", "--setup", "S3.2", "--home", home]
    code, _, err = quick_prunemark(*words)
    assert code in (0, 4) and "running" in err and "left out" not in err, err
    assert seeds_by_method(home) == {
        "L1-norm": {0, 1, 2}, "GeometricMedian": {0, 1, 2}, "Random": {0, 1, 2}, "Scratch": {0, 1}, "Dense": {0, 1},
    }  # fmt: skip
    assert quick_prunemark("leaderboard", "--home", home, "--format", "json")[1].count('"GeometricMedian"')
    again = quick_prunemark(*words, "--contribute", tmp_path / "board")
    assert again[0] == code and "running" not in again[2]
    given, made = (read_records(place / "records").records for place in (tmp_path / "board", home))
    assert {r.record_sha256 for r in given} == {r.record_sha256 for r in made}, "with all that ran before, too"
    assert (tmp_path / "board" / "decisions").is_dir() and len(list((tmp_path / "board" / "methods").iterdir())) == 3


def test_a_method_without_its_source_is_left_out_by_name(quick_prunemark, home, make_records, tmp_path):
    from prunemark.records.pack import write_pack

    anchor, l1 = [94.0, 95.0, 93.6], locate("L1-norm")[1].sha256
    records = [
        *make_records("L1-norm", anchor, role="anchor", source=l1), *make_records("Lost", anchor, source="b" * 64)
    ]  # fmt: skip
    write_pack(records, tmp_path / "board" / "records")
    code, _, err = quick_prunemark("fill", "--hours", "0.1", "--records", tmp_path / "board", "--home", home)
    assert code == 4, err
    assert "Lost is left out: no source bbbbbbbbbbbb is at hand. Give --method" in err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["fill"], "--hours"),
        (["fill", "--hours", "-1"], "above 0"),
        (["fill", "--hours", "1", "--track", "nowhere"], "unknown track"),
        (["leaderboard", "--plan", "--format", "latex"], "unknown format of a plan 'latex'"),
    ],
)
def test_wrong_words_are_answered_in_words(prunemark, words, expected):
    code, _, err = prunemark(*words)
    assert code == 2 and expected in err and "Traceback" not in err


def test_an_empty_home_is_said(prunemark):
    code, _, err = prunemark("fill", "--hours", "1")
    assert code == 2 and "no records" in err


def test_the_plan_of_a_board_as_json(quick_prunemark, make_records, tmp_path):
    from prunemark.records.pack import write_pack

    anchor = [94.0, 95.0, 93.6, 94.8, 94.4]
    theirs = [96.2, 93.8, 96.0, 93.0, 96.2]
    records = [*make_records("L1-norm", anchor, role="anchor", source="a"), *make_records("Mine", theirs, source="b")]
    write_pack(records, tmp_path / "board" / "records")
    code, out, err = quick_prunemark("leaderboard", "--records", tmp_path / "board", "--plan", "--format", "json")
    assert code == 0, err
    assert [(row["method"], row["compared_seeds"]) for row in json.loads(out)] == [("Mine", 5)]
    assert "1 are open" in quick_prunemark("leaderboard", "--records", tmp_path / "board", "--plan")[1]
