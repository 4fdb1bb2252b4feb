"""A board made in parallel, on several cores, is the board of all records: the same in every field."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prunemark.leaderboard.standings import parallel
from prunemark.leaderboard.standings.board import make_board
from prunemark.records.invalidations import invalidate
from prunemark.records.load import read_records
from prunemark.records.pack import packs_of, write_pack
from prunemark.records.record import dump
from prunemark.setups.errors import InputError

TRACKS = (
    "digits-resnet8@1", "digits-mlp7@1", "digits-mlp7@2", "digits-resnet8-weights@1", "digits-resnet8-weights@2",
)  # fmt: skip
OLDER = {"digits-mlp7@1": 14, "digits-resnet8-weights@1": 14}


@pytest.fixture(autouse=True)
def worth_it(monkeypatch):
    monkeypatch.setattr(parallel, "WORTH_A_PROCESS_BYTES", 1)


@pytest.fixture
def board(tmp_path, make_records):
    """The records of five tracks, of two names in two versions, in a folder."""
    folder = tmp_path / "records"
    for number, track in enumerate(TRACKS):
        anchor = "Magnitude" if "weights" in track else "L1-norm"
        level = "90%" if "weights" in track else "50%"
        how = {"track": track, "level": level, "finished": f"2026-01-0{number + 1}T00:00:00"}
        ours = make_records(anchor, [95.0, 96.0, 95.5, 94.8, 95.2, 95.6], role="anchor", **how)
        theirs = make_records("FPGM", [91.0, 92.0, 91.5, 90.8, 91.2, 91.4], **how)
        write_pack([*ours, *theirs], folder)
        write_pack(make_records("FPGM", [91.0, 92.4], setup="S2", **how), folder)
    return folder


def test_a_board_made_in_parallel_is_that_of_all_records(board):
    whole = make_board(read_records(board))
    assert len(whole.tables) == 6 and whole.overall is not None and whole.other_versions == OLDER
    for processes in (1, 2, 3, 8):
        assert parallel.board_of(board, processes=processes) == whole
    assert len(parallel.split_packs(board, 8)) == 3  # tracks of one name stay together


def test_the_records_are_read_elsewhere_too(board, monkeypatch):
    """Else the test above would not see what comes back from other processes."""
    monkeypatch.setattr(parallel, "read_records", lambda folder: pytest.fail("nobody has to read everything"))
    assert len(parallel.board_of(board, processes=3).tables) == 6


def test_what_is_refused_or_withdrawn_is_the_same(board, make_record):
    """A pack cut short, one that was edited, one that is here twice, a record superseded, one withdrawn, a bad line."""
    first, *_ = packs_of(board)
    twice = board / "digits-mlp7@1" / ("0" * 64 + ".jsonl.xz")
    shutil.copy(first, twice)
    last = [pack for pack in packs_of(board) if pack.parent.name == "digits-resnet8-weights@2"][-1]
    last.write_bytes(last.read_bytes()[:-40])
    write_pack([make_record("FPGM", 0, 93.0, track=TRACKS[0], level="50%", finished="2026-03-01T00:00:00")], board)
    sound = {record.record_sha256 for record in read_records(board).records}
    invalidate(board, min(sound), "a test", "2026-02-01", sound)
    with (board / "invalidations.jsonl").open("a") as file:
        file.write("not a line\n")
    (board / "digits-mlp7@2" / ("1" * 64 + ".jsonl.xz")).symlink_to(board / "nowhere")
    whole = make_board(read_records(board))
    assert len(whole.refused) >= 5 and len(whole.invalid) == 1
    assert parallel.board_of(board, processes=3) == whole


def test_a_record_under_another_track_is_left_to_who_reads_everything(board):
    stray = packs_of(board)[0]
    (board / "digits-resnet8@1" / stray.name).write_bytes(stray.read_bytes())
    whole = make_board(read_records(board))
    assert any("twice" in each.why for each in whole.refused)
    assert parallel.board_of(board, processes=3) == whole


def test_records_that_lie_under_no_track_are_read_by_one_process(board, make_record):
    write_pack([make_record("FPGM", 7, 91.0)], board / "elsewhere")
    pack = next((board / "elsewhere").rglob("*.xz"))
    shutil.move(pack, board / "some.jsonl.xz")
    assert parallel.split_packs(board, 4) == []
    assert parallel.board_of(board, processes=4) == make_board(read_records(board))
    (board / "some.jsonl.xz").unlink()
    assert len(parallel.split_packs(board, 4)) == 3
    loose = make_record("FPGM", 8, 91.0)
    (board / f"{loose.record_sha256}.json").write_text(dump(loose))
    assert parallel.split_packs(board, 4) == []
    assert parallel.board_of(board, processes=4) == make_board(read_records(board))


def test_a_process_that_is_killed_or_fails_costs_nothing_but_time(board, monkeypatch):
    whole, home = make_board(read_records(board)), os.getpid()

    def in_a_helper(deed):
        honest = parallel.read_tracks
        monkeypatch.setattr(parallel, "read_tracks", lambda *a: deed() if os.getpid() != home else honest(*a))

    in_a_helper(lambda: os.kill(os.getpid(), 9))
    assert parallel.board_of(board, processes=3) == whole
    in_a_helper(lambda: 1 / 0)
    assert parallel.board_of(board, processes=3) == whole
    assert not multiprocessing.active_children()


def test_as_many_processes_as_cores_work_where_forking_is_safe(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    for count, processes in ((1, 1), (3, 3), (64, 8)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, count=count: set(range(count)), raising=False)
        assert parallel.cores() == processes
    monkeypatch.setattr(sys, "platform", "darwin")
    assert parallel.cores() == 1


def test_who_stops_it_sees_one_line(board, tmp_path):
    """Ctrl-C reaches all processes of the terminal: the helpers say nothing and end with the one that forked them."""
    script = f"""
import os, signal, time
from prunemark.leaderboard.standings import parallel
signal.signal(signal.SIGINT, signal.default_int_handler)  # where these tests run in the background, it is ignored
parallel.WORTH_A_PROCESS_BYTES = 1
home, honest = os.getpid(), parallel.read_tracks
def slowly(*given):
    if os.getpid() != home:
        open({str(tmp_path / "helping")!r}, "w").write(str(os.getpid()))
    time.sleep(60)
parallel.read_tracks = slowly
try:
    parallel.board_of(__import__("pathlib").Path({str(board)!r}), processes=2)
except KeyboardInterrupt:
    print("interrupted")
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    while not (told := tmp_path / "helping").exists() or not told.read_text():
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=30)[0] == "interrupted\n"
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text()), 0)


def test_a_folder_without_records_is_told_as_ever(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError) as told:
            parallel.board_of(folder, processes=4)
        with pytest.raises(InputError) as serially:
            read_records(folder)
        assert str(told.value) == str(serially.value)


@settings(derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1, 300), min_size=1, max_size=12), processes=st.integers(1, 9))
def test_every_pack_is_in_one_share_and_none_is_much_larger(tmp_path_factory, sizes, processes):
    folder = tmp_path_factory.mktemp("parallel")
    for number, size in enumerate(sizes):
        (folder / f"t{number}@1").mkdir()
        (folder / f"t{number}@1" / f"{number:064d}.jsonl.xz").write_bytes(b"x" * size)
    found = parallel.split_packs(folder, processes)
    count = min(processes, len(sizes), sum(sizes))
    assert len(found) == (count if count > 1 else 0)
    if found:
        assert sorted(path for share in found for packs in share for path in packs) == packs_of(folder)
        weights = [sum(path.stat().st_size for packs in share for path in packs) for share in found]
        assert max(weights) <= sum(sizes) / len(found) + max(sizes)


def test_the_command_says_the_same_with_a_site_and_without(board, prunemark, tmp_path, monkeypatch):
    """Tables alone are made in parallel; for a site one process reads everything. A broken release is named by both."""
    (tmp_path / "releases").mkdir()
    (tmp_path / "releases" / "2026.1.json").write_text("no release")
    monkeypatch.setattr(parallel, "cores", lambda: 2)
    monkeypatch.setattr(parallel, "read_records", lambda folder: pytest.fail("nobody has to read everything"))
    made, joined = [], parallel.joined
    monkeypatch.setattr(parallel, "joined", lambda parts: made.append(len(parts)) or joined(parts))
    for format in ("csv", "json", "markdown", "latex", "bibtex", "table"):
        words = ("leaderboard", "--records", board, "--format", format)
        code, alone, _ = prunemark(*words)
        assert (code, alone) == prunemark(*words, "--output", tmp_path / "site")[:2] and code == 0
    assert made == [3] * 6  # by the commands without a site
    assert "2026.1.json is not a release" in alone.replace("\n", " ") and "digits-mlp7@1" in alone


def test_records_that_are_read_are_ranked_in_several_processes(board, monkeypatch):
    monkeypatch.setattr(parallel, "WORTH_A_PROCESS", 1)
    loaded = read_records(board)
    whole, asked, real = make_board(loaded), [], parallel.in_processes
    monkeypatch.setattr(parallel, "in_processes", lambda work: asked.append(len(work)) or real(work))
    assert all(parallel.board_of_loaded(loaded, processes) == whole for processes in (1, 2, 3)) and asked == [2, 3]
    monkeypatch.setattr(parallel, "in_processes", lambda work: [None for _ in work])
    assert parallel.board_of_loaded(loaded, 2) == whole  # killed, or what only who has all of it can say


def test_no_process_goes_on_when_the_first_piece_of_work_fails():
    with pytest.raises(ZeroDivisionError):
        parallel.in_processes([lambda: 1 / 0, lambda: time.sleep(60)])
    assert multiprocessing.active_children() == []
