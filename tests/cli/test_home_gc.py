"""`prunemark home gc`: only what no result needs can go, and nothing that a living process holds."""

import fcntl
import json
import os
import shutil
import time
from pathlib import Path

import pytest
from support.here import Here, planned
from support.homes import TRIALS, Verb, entry, files_of, flip

from prunemark.benchmark.run import submit
from prunemark.benchmark.run.home import Home, open_home
from prunemark.benchmark.run.home_check import check_home
from prunemark.benchmark.run.home_gc import YOUNG_SECONDS, collect, removable
from prunemark.benchmark.run.quiet import trials_running
from prunemark.benchmark.trial.keys import retrain_key, stage_keys
from prunemark.benchmark.trial.store import Store
from prunemark.contributions.contribute import decided_by


def test_only_what_nobody_needs_goes(home: Home, verb: Verb) -> None:
    before = files_of(home)
    (home.store.root / "ab").mkdir(exist_ok=True)
    aside = home.store.root / "ab" / f"{'ab' * 32}.damaged0"
    aside.mkdir()
    (aside / "curve.json").write_text("[]")
    dead = home.store.root / "ab" / ".draft-dead"
    dead.mkdir()
    old = home.root / "records" / ".draft-old"
    old.write_text("half")
    os.utime(old, (1, 1))
    (home.store.root / "checkpoints").mkdir()
    done = home.store.root / "checkpoints" / f"{stage_keys(TRIALS[0]).pretrain}.safetensors"
    going = home.store.root / "checkpoints" / f"{'c' * 64}.safetensors"
    for path in (done, going):
        path.write_bytes(b"0" * 40)
    code, out, _ = verb("gc", "--format", "json")
    rows = {row["what"]: row["number"] for row in json.loads(out)}
    locks = len(list((home.store.root / "locks").iterdir()))
    assert code == 0 and rows == {
        "set aside as damaged": 1, "drafts of dead processes": 2, "checkpoints of finished stages": 1,
        "locks that nobody holds": locks, "all": 4 + locks,
    }  # fmt: skip
    assert aside.exists() and dead.exists() and old.exists(), "it was a dry run"
    code, out, _ = verb("gc", "--delete")
    assert code == 0 and out.endswith("Removed\n")
    assert set(files_of(home)) == {going, *(path for path in before if "locks" not in path.parts)}
    assert not dead.exists() and not aside.exists()
    assert verb("gc")[1].splitlines()[1].split() == ["all", "0", "0", "0", "B"]


def test_the_draft_of_a_living_process_and_a_lock_that_is_held_stay(home: Home) -> None:
    with home.store.writing("ab" * 32) as draft, home.store.lock("held"):
        (draft / "a").write_text("whole")
        (home.root / "records" / ".draft-new").write_text("half")
        found = removable(home, time.time())
        assert draft not in {removal.part.path for removal in found}
        assert home.store.root / "locks" / "held" not in {removal.part.path for removal in found}
        assert home.root / "records" / ".draft-new" not in {removal.part.path for removal in found}
    assert home.store.read("ab" * 32) is not None


def test_what_somebody_took_meanwhile_stays(home: Home) -> None:
    (home.store.root / "ab").mkdir(exist_ok=True)
    draft = home.store.root / "ab" / ".draft-taken"
    draft.mkdir()
    found = removable(home, time.time())
    descriptor = os.open(draft, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    gone = collect(home, found)
    os.close(descriptor)
    assert draft.exists() and draft not in {removal.part.path for removal in gone}


def test_nothing_goes_while_trials_run(home: Home, verb: Verb) -> None:
    with trials_running(home.root):
        assert verb("gc")[0] == 0
        code, out, err = verb("gc", "--delete")
    assert code == 1 and out == ""
    assert err.splitlines() == [
        f"prunemark: trials are running in {home.root}, and what they need cannot be told.",
        "Run `prunemark home gc` when they have ended",
    ]


def test_a_decision_that_is_missed_is_not_forgotten(home: Home) -> None:
    """What was set aside says that there was one, until it is made again."""
    flip(entry(home, "prune") / "decision.json")
    store = Store(home.store.root)
    assert store.read(entry(home, "prune").name) is None
    assert "set aside as damaged" not in {removal.what for removal in removable(home, time.time())}
    submit.execute(TRIALS, home, Here(), [])
    assert "set aside as damaged" in {removal.what for removal in removable(home, time.time())}


@pytest.mark.parametrize("granularity", ["filter", "weight"])
def test_without_weights_there_is_nothing_to_run_and_controls_have_their_ratios(
    granularity: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prunemark.benchmark.run.home_gc.LEAST_BYTES", 1)
    like = {"filter": ("digits-resnet8", "L1-norm", "50%"), "weight": ("digits-resnet8-weights", "Magnitude", "90%")}
    mine, control = planned(*like[granularity])
    told: list[str] = []
    home = open_home(Home(tmp_path, tell=told.append))
    records = submit.execute([mine, control], home, Here(), [])
    decided = [decided_by(trial, home.store) for trial in (mine, control)]
    found = removable(home, time.time(), weights=True)
    assert {"weights of retrained models with a result", "weights of pruning stages with a result"} < {
        removal.what for removal in found
    }
    collect(home, found)
    assert not list(home.store.root.glob("*/*/packed.json")) and not any(kind.findings for kind in check_home(home))
    assert [submit.stored_record(trial, home.store) for trial in (mine, control)] == list(records.values())
    assert [decided_by(trial, home.store) for trial in (mine, control)] == decided
    shutil.rmtree(home.store.path(stage_keys(mine).evaluate))  # what has to be run again is, and comes out the same
    again = submit.execute([mine], home, Here(), [])[mine]
    assert again.outcome_sha256 == records[mine].outcome_sha256 and told == []


def test_weights_without_a_result_go_when_they_are_old(home: Home) -> None:
    """Such as those of an interrupted trial, which may go on tomorrow."""
    keys = stage_keys(TRIALS[0])
    shutil.rmtree(home.store.path(keys.evaluate))
    whats = {removal.what for removal in removable(home, time.time())}
    assert whats == {"locks that nobody holds"}
    found = removable(home, time.time() + 2 * YOUNG_SECONDS)
    weights = [removal.part.path for removal in found if "without a result" in removal.what]
    assert weights == [home.store.path(retrain_key(TRIALS[0], keys, TRIALS[0].recipe))]
