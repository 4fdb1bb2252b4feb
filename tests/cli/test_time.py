"""`prunemark time` and the pass at the end of `submit`: what is printed, where it lies, and the exit codes."""

import fcntl
import json
import shutil

import pytest
from support.quick_cli import submit

from prunemark.cli import time as verb
from prunemark.records import speed
from prunemark.records.timing import read_timings


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("timed") / "home"


@pytest.fixture
def quiet(monkeypatch):
    """Whatever else this machine does."""
    for limit in ("AGAINST_ITSELF", "SPREAD"):
        monkeypatch.setattr(speed, limit, float("inf"))


def test_submit_ends_with_a_quiet_pass_and_its_tables_show_it(quick_prunemark, furnish, home, quiet):
    code, printed, errors = submit(quick_prunemark, "L1-norm", furnish(home))
    assert code == 0, errors
    assert "timing 2 architectures" in errors
    assert "Timed speed-up" in printed and "Timed in a quiet pass: " in printed and "not timed" not in printed
    timings, wrong = read_timings(home / "timings")
    assert wrong == () and {timing.batch_size for timing in timings} == {1, 64}
    assert {tuple(timing.architecture.filters_kept.values()) for timing in timings} == {(), (1, 2, 3)}
    before = {path: path.read_bytes() for path in (home / "records").iterdir()}
    code, rows, errors = quick_prunemark("time", home, "--backend", "eager", "--format", "json")
    assert code == 0, errors
    assert sorted(row["images"] for row in json.loads(rows)) == [1, 1, 64, 64]
    assert {row["backend"] for row in json.loads(rows)} == {"eager"}
    assert {path: path.read_bytes() for path in (home / "records").iterdir()} == before, "a timing changes no record"


def test_what_is_withheld_ends_undecided_and_says_why(quick_prunemark, home, monkeypatch):
    monkeypatch.setattr(speed, "FEWEST_BLOCKS", 10_000)
    code, rows, _ = quick_prunemark("time", home, "--backend", "eager", "--level", "90%", "--format", "json")
    assert code == verb.UNDECIDED
    assert all(row["speedup"] == "withheld" and "10000 are needed" in row["withheld"] for row in json.loads(rows))
    code, table, _ = quick_prunemark("leaderboard", "--records", home, "--track", "quick")
    assert code == 0 and "withheld" in table and "Withheld: 12 blocks were measured" in table


def test_one_record_is_timed_into_the_same_folder(quick_prunemark, home, quiet):
    record = next((home / "records").glob("*.json"))
    code, rows, errors = quick_prunemark("time", record, "--backend", "eager", "--batch", 2, "--format", "json")
    assert code == 0, errors
    assert 2 in [row["images"] for row in json.loads(rows)]
    assert 2 in [timing.batch_size for timing in read_timings(home / "timings")[0]]


def test_trials_that_run_keep_it_from_beginning(quick_prunemark, home):
    with (home / ".running").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)
        code, _, errors = quick_prunemark("time", home, "--backend", "eager", "--batch", 3)
        assert code == 1 and "trials are running" in errors
        shutil.rmtree(home / "timings")
        code, printed, errors = submit(quick_prunemark, "L1-norm", home)
    assert code == 0 and "not timed: trials are running" in errors and "Not timed." in printed, "the results stand"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--backend", "eagr"), "Did you mean 'eager'?"), (("--batch", "0"), "--batch is at least 1"),
        (("--track", "nothing"), "unknown track"), (("--device", "tpu"), "unknown device"),
        (("--level", "95%"), "no record"), (("--backend", "2to4", "--setup", "S2"), "no record"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_before_anything_runs(quick_prunemark, home, words, said):
    code, _, errors = quick_prunemark("time", home, *words)
    assert code == 2 and said in errors, errors


def test_a_place_without_records_is_refused(prunemark, tmp_path):
    assert prunemark("time", tmp_path)[0] == 2
    assert prunemark("time", tmp_path / "none.json")[0] == 2


def test_it_can_be_left_out(quick_prunemark, home):
    code, _, errors = submit(quick_prunemark, "L2-norm", home, "--no-time")
    assert code == 0 and "timing" not in errors
