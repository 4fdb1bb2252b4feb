"""`prunemark home`: every byte is checked, the space is accounted for, and only what nobody needs can go."""

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.here import Here, planned

from prunemark.benchmark.run import submit
from prunemark.benchmark.run.home import Home, open_home
from prunemark.benchmark.run.home_check import check_home
from prunemark.benchmark.run.home_gc import YOUNG_SECONDS, collect, removable
from prunemark.benchmark.run.home_parts import parts_of, readable, usage
from prunemark.benchmark.run.quiet import trials_running
from prunemark.benchmark.trial.keys import retrain_key, stage_keys
from prunemark.benchmark.trial.store import Store
from prunemark.cli.app import main
from prunemark.contributions.contribute import decided_by
from prunemark.records.source import MethodFiles, write_method
from prunemark.setups.errors import InputError, WorkFailed

TRIALS = planned("digits-resnet8", "L1-norm", "50%")
Verb = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a submission and its control, and a method's source."""
    home = open_home(Home(tmp_path_factory.mktemp("finished") / "home"))
    submit.execute(TRIALS, home, Here(), [])
    write_method(MethodFiles("Mine", (("mine.py", "class Mine:\n    pass\n"),)), home.root / "methods")
    return home.root


@pytest.fixture
def home(finished: Path, tmp_path: Path) -> Home:
    shutil.copytree(finished, tmp_path / "home")
    return Home(tmp_path / "home")


@pytest.fixture
def verb(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Verb:
    """`prunemark home VERB` on that home: its code, and what it printed on both streams."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["prunemark", "home", *words, "--home", str(home.root)])
        code: object = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        printed = capsys.readouterr()
        return int(str(code)), printed.out, printed.err

    return run


def files_of(home: Home) -> list[Path]:
    return sorted(path for path in home.root.rglob("*") if path.is_file())


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def entry(home: Home, stage: str) -> Path:
    return home.store.path(getattr(stage_keys(TRIALS[0]), stage))


def age(home: Home, kind: str, seconds: float) -> None:
    for part in parts_of(home):
        if part.kind == kind:
            os.utime(part.path, (time.time() - seconds, time.time() - seconds))


def test_a_whole_home_is_whole_and_left_as_it_is(home: Home, verb: Verb) -> None:
    before = {path: path.stat().st_mtime_ns for path in files_of(home)}
    code, out, err = verb("verify", "--format", "json")
    rows = {row["what"]: (row["whole"], row["damaged"]) for row in json.loads(out)}
    assert (code, err) == (0, "")
    assert rows == {
        "results": (2, 0), "accuracies of bases": (1, 0), "pruning stages": (2, 0), "retrained models": (2, 0),
        "base models": (1, 0), "prepared data": (1, 0), "checks of networks": (1, 0), "records": (2, 0),
        "sources of methods": (1, 0),
    }  # fmt: skip
    assert {path: path.stat().st_mtime_ns for path in files_of(home)} == before


def test_a_flipped_bit_in_any_file_is_found(home: Home) -> None:
    checked = [path for path in files_of(home) if "locks" not in path.parts and path.stat().st_size]
    assert len(checked) > 30
    for path in checked:
        honest = path.read_bytes()
        flip(path)
        findings = [finding for kind in check_home(home) for finding in kind.findings]
        assert findings, path
        assert {finding.path for finding in findings} & {path, path.parent}, path
        path.write_bytes(honest)
    assert not any(kind.findings for kind in check_home(home))


def test_what_is_damaged_is_named_with_what_to_do(home: Home, verb: Verb) -> None:
    flip(next((home.root / "records").glob("*.json")))
    flip(next((home.root / "methods").glob("*.json")))
    (entry(home, "prune") / "decision.json").unlink()
    (entry(home, "pretrain") / "manifest.json").unlink()
    (home.store.root / "ab" / "stray").mkdir(parents=True)
    code, out, err = verb("verify")
    assert code == 1 and "pruning stages" in out
    lines = err.splitlines()
    assert len(lines) == 6, "one a thing, and the control's stage, which is packed against that base"
    assert f"damaged: {entry(home, 'prune')}: decision.json is missing. What to do: the next run that" in err
    assert f"damaged: {entry(home, 'pretrain')}: it has no manifest. What to do: the next run that needs it" in err
    assert "is damaged: it has no manifest. What to do" in err
    assert "What to do: run the command again that made it: it is written anew from the store" in err
    assert "What to do: delete it and run the method again" in err
    assert "stray: it has no manifest. What to do: nobody reads it" in err


def test_a_run_mends_what_verify_found(home: Home) -> None:
    record = next((home.root / "records").glob("*.json"))
    honest = record.read_bytes()
    flip(record)
    for stage in ("data", "pretrain", "prune", "evaluate_base"):
        flip(
            sorted(entry(home, stage).glob("*[a-z].json"))[0]
            if stage != "data"
            else entry(home, "data") / "manifest.json"
        )
    told: list[str] = []
    submit.execute(TRIALS, Home(home.root, tell=told.append), Here(), [])
    assert record.read_bytes() == honest
    submit.execute([*planned("digits-resnet8", "L1-norm", "90%")], Home(home.root, tell=told.append), Here(), [])
    assert [finding for kind in check_home(home) for finding in kind.findings] == []


def test_a_stage_that_is_packed_against_another_base_is_found(home: Home) -> None:
    base = entry(home, "pretrain")
    shutil.rmtree(base)
    found = [finding for kind in check_home(home) for finding in kind.findings]
    assert {finding.path for finding in found} >= {entry(home, "prune")}
    assert all("the base model that it is packed against" in finding.why for finding in found)


def test_a_checkpoint_is_checked_by_its_head(home: Home) -> None:
    place = home.store.root / "checkpoints"
    place.mkdir()
    for name, content in (("a" * 64, b"whole"), ("b" * 64, b"cut short")):
        (place / f"{name}.safetensors").write_bytes(hashlib.sha256(content).digest() + content)
    flip(place / f"{'b' * 64}.safetensors")
    found = [finding for kind in check_home(home) for finding in kind.findings]
    assert [finding.path.name for finding in found] == [f"{'b' * 64}.safetensors"]


def test_the_space_is_accounted_for_to_the_byte(home: Home, verb: Verb) -> None:
    (home.root / "mlflow-artifacts" / "1").mkdir(parents=True)
    (home.root / "mlflow-artifacts" / "1" / "record.json").write_text("12345")
    (home.root / "reproductions" / "table4" / "records").mkdir(parents=True)
    (home.root / "reproductions" / "table4" / "records" / "a.json").write_text("123")
    (home.store.root / "ab").mkdir(exist_ok=True)
    (home.store.root / "ab" / f"{'ab' * 32}.damaged0").write_text("1234567")
    rows = {row["what"]: row for row in usage(home)}
    total = sum(path.stat().st_size for path in files_of(home))
    assert rows["all"]["bytes"] == total == sum(int(row["bytes"]) for what, row in rows.items() if what != "all")
    assert rows["MLflow"]["bytes"] == 5 and rows["damaged"]["bytes"] == 7
    assert rows["records"]["number"] == 3 and rows["pruning stages"]["number"] == 2
    code, out, _ = verb("du", "--format", "json")
    assert code == 0 and json.loads(out) == usage(home)
    assert [readable(size) for size in (0, 999, 1500, 2.5e9, 7e15)] == ["0 B", "999 B", "1.5 kB", "2.5 GB", "7000.0 TB"]


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


def test_where_there_is_no_home_nothing_is_made(tmp_path: Path) -> None:
    for look in (usage, check_home, lambda home: removable(home, 0.0)):
        with pytest.raises(InputError, match="no home in .*: it has no folder `store`. Give --home another folder"):
            look(Home(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_a_file_that_may_not_be_read_now_is_no_damage(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: Path) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("prunemark.benchmark.trial.entry.file_sha256", refused)
    monkeypatch.setattr("prunemark.benchmark.trial.entry._remembered", lambda path, _: refused(path))
    with pytest.raises(WorkFailed, match="Nothing is taken for damaged"):
        check_home(home)
