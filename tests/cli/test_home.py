"""`prunemark home verify` and `du`: every byte is checked, and the space is accounted for."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from support.here import Here, planned
from support.homes import TRIALS, Verb, entry, files_of, flip

from prunemark.benchmark.run import submit
from prunemark.benchmark.run.home import Home
from prunemark.benchmark.run.home_check import check_home
from prunemark.benchmark.run.home_gc import removable
from prunemark.benchmark.run.home_parts import readable, usage
from prunemark.setups.errors import InputError, WorkFailed


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
