"""Locks of a home on a file system that has none: leases, held by real processes."""

import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.stored import HOLDER, KEY, child, go, put, says

from prunemark.benchmark.run.home import Home
from prunemark.benchmark.run.home_gc import removable
from prunemark.benchmark.run.mlflow_database import turn
from prunemark.benchmark.run.quiet import alone, trials_running
from prunemark.benchmark.trial import locks
from prunemark.benchmark.trial.store import DRAFT, LOCKS, Store
from prunemark.setups.errors import WorkFailed

NO_FLOCK = """
import errno, fcntl
def flock(*_):
    raise OSError(errno.ENOLCK, "No locks available")
fcntl.flock = flock
"""
ELSEWHERE = """
from prunemark.benchmark.trial import locks
locks._machine = lambda: "another machine"
"""
DRAFTING = """
import sys
from pathlib import Path
from prunemark.benchmark.trial.store import Store
with Store(Path(sys.argv[1])).writing(sys.argv[2]) as folder:
    print(folder, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """As two mounts without locks show it: whatever uses flock fails."""
    monkeypatch.setattr("fcntl.flock", lambda *_: pytest.fail("flock"))
    (tmp_path / locks.SHARED).touch()
    (tmp_path / "store").mkdir()
    return Home(tmp_path)


def age(path, seconds):
    at = time.time() - seconds
    os.utime(path, (at, at))


def test_a_lease_keeps_other_processes_out_and_a_killed_one_lets_go(home):
    with (
        child(NO_FLOCK + HOLDER, str(home.store.root), KEY) as holder,
        child(NO_FLOCK + HOLDER, str(home.store.root), KEY) as waiter,
    ):
        assert [says(holder), says(waiter)] == ["ready", "ready"]
        go(holder)
        assert says(holder) == "held"
        go(waiter)
        assert select.select([waiter.stdout], [], [], 0.3)[0] == []
        go(holder)
        assert [says(holder), says(waiter)] == ["letting go", "held"]
        holder.kill()
        waiter.kill()
    with home.store.lock(KEY):
        assert [path.name for path in (home.store.root / LOCKS).iterdir()] == [KEY + locks.END]
    assert list((home.store.root / LOCKS).iterdir()) == []


def test_a_lease_of_another_machine_ends_when_it_is_not_touched_any_more(home):
    with child(ELSEWHERE + NO_FLOCK + HOLDER, str(home.store.root), KEY) as holder:
        assert says(holder) == "ready"
        go(holder)
        assert says(holder) == "held"
        holder.kill()
    (left,) = (home.store.root / LOCKS).iterdir()
    age(left, locks.STALE_SECONDS - 30)
    assert locks.is_leased(left) and not locks.try_lease(left)
    age(left, locks.STALE_SECONDS + 1)
    assert not locks.is_leased(left)
    with home.store.lock(KEY):
        assert locks.is_leased(left)


def test_a_holder_touches_its_leases(home, monkeypatch):
    monkeypatch.setattr(locks, "HEARTBEAT_SECONDS", 0.02)
    monkeypatch.setattr(locks, "_held", locks._Held())
    with home.store.lock(KEY):
        (place,) = (home.store.root / LOCKS).iterdir()
        age(place, 1000)
        deadline = time.monotonic() + 20
        while time.time() - place.stat().st_mtime > 100:
            assert time.monotonic() < deadline, "it was not touched"
            time.sleep(0.01)


def test_who_is_slower_to_take_a_dead_lease_away_does_not_keep_that_of_the_quicker(home, monkeypatch):
    place = home.root / "a.lease"
    place.write_text("of the dead")
    honest = locks._content
    seen = []

    def content(path):
        found = honest(path)
        if not seen:  # between the look and the step another one was quicker
            seen.append(found)
            place.write_text("of the quicker")
        return found

    monkeypatch.setattr(locks, "_content", content)
    locks._take_away(place)
    assert place.read_text() == "of the quicker" and [path.name for path in home.root.glob("*.lease*")] == ["a.lease"]


def test_the_draft_of_a_living_process_of_another_machine_stays(home):
    with child(ELSEWHERE + NO_FLOCK + DRAFTING, str(home.store.root), KEY) as writer:
        draft = Path(says(writer))
        age(draft, 1000)
        put(home.store)  # the same entry, made here: its maker looks for what dead ones left
        assert draft.is_dir() and not removed(home)
        writer.kill()
    age(home.store.root / LOCKS / f"{draft.name}{locks.END}", locks.STALE_SECONDS + 1)
    assert removed(home) == ["drafts of dead processes", "locks that nobody holds"]
    put(home.store, "ab" + "cd" * 31)
    assert not draft.exists()


def removed(home):
    return sorted(each.what for each in removable(home, time.time()))


def test_trials_and_quiet_passes_keep_each_other_out(home):
    with trials_running(home.root), pytest.raises(WorkFailed, match="trials are running"), alone(home.root):
        pass
    with alone(home.root), pytest.raises(WorkFailed, match="trials are running"), alone(home.root):
        pass
    assert not list(home.root.glob("*.lease"))


def test_one_process_at_a_time_makes_the_database(home):
    with turn(home.root / "mlflow.db", 1) as came:
        assert came
        with turn(home.root / "mlflow.db", 0) as second:
            assert not second


def test_of_what_file_system_a_folder_is(tmp_path, monkeypatch):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "40 22 0:50 / /mnt/lab rw,relatime shared:1 - nfs4 server:/lab rw,vers=4.2\n"
        "41 40 8:2 / /mnt/lab/local rw - xfs /dev/sdb rw\n"
    )
    monkeypatch.setattr(locks, "MOUNTS", mounts)
    locks.file_system.cache_clear()
    found = [locks.file_system(f) for f in ("/mnt/lab", "/mnt/lab/home", "/mnt/laboratory", "/mnt/lab/local/x")]
    assert found == ["nfs4", "nfs4", "ext4", "xfs"]
    assert locks.uses_leases(Path("/mnt/lab/home")) and not locks.uses_leases(Path("/mnt/laboratory"))
    locks.file_system.cache_clear()


def test_a_home_of_this_machine_uses_the_kernel(tmp_path):
    (tmp_path / "store").mkdir()
    store = Store(tmp_path / "store")
    assert not store.with_leases
    with store.lock(KEY), store.writing(KEY) as draft:
        assert draft.name.startswith(DRAFT) and not list(tmp_path.rglob(f"*{locks.END}"))
        (draft / "a.txt").touch()


def test_without_flock_a_home_of_one_machine_is_not_used_silently(tmp_path):
    """Where the kernel has no lock and nothing says so, it is an error in words, and no result without a lock."""
    (tmp_path / "store").mkdir()
    code = NO_FLOCK + (
        "import sys\nfrom pathlib import Path\nfrom prunemark.benchmark.trial.store import Store\n"
        "with Store(Path(sys.argv[1])).lock('a'): print('held')"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "store"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "No locks available" in done.stderr and "held" not in done.stdout
