"""What makes nothing run again in a home: edited words in a method's file, another name for it, another limit."""

import json
import shutil
from dataclasses import replace

import pytest
from support.quick_cli import submit

from prunemark.records.load import read_records
from prunemark.records.record import dump, load
from prunemark.records.source import read_methods

METHOD = """from prunemark.benchmark.method import FilterCriterion


class Mine(FilterCriterion):
    def score(self, layer, context):
        return layer.weight.flatten(1).abs().sum(dim=1)
"""
EDITED = METHOD.replace("Criterion):", 'Criterion):\n    """What it is."""\n').replace("dim=1)", "dim=1)  # a filter")


@pytest.fixture(scope="module")
def home(tmp_path_factory, furnish):
    return furnish(tmp_path_factory.mktemp("renamed") / "home")


@pytest.fixture
def run(quick_prunemark, home):
    """Writes the method into a file and submits it from there: what was printed, and the records of the home."""

    def submitted(file, text, *more, seeds="1"):
        (home.parent / file).write_text(text)
        code, out, err = submit(quick_prunemark, f"{home.parent / file}:Mine", home, *more, seeds=seeds)
        assert code == 0, err
        return out + err, {path.name for path in (home / "records").iterdir()}

    return submitted


def test_nothing_runs_again_for_words_a_limit_or_a_new_file_name(run, home, tmp_path):
    printed, first = run("mine.py", METHOD)
    assert "5 trials, 0 stored already; running 5" in printed and len(first) == 5
    for file, text, more in (
        ("mine.py", EDITED, ()),
        ("mine.py", METHOD, ("--pruning-seconds", "59")),
        ("theirs.py", METHOD, ()),
        ("a.py", EDITED, ("--contribute", tmp_path / "board")),
    ):
        printed, records = run(file, text, *more)
        assert "nothing to run: all 5 trials are stored" in printed and records == first, file
        assert (f"{file} has the code that ran here as mine.py" in printed) == (file != "mine.py")
    board = read_records(tmp_path / "board" / "records")
    (mine,) = (r.outcome for r in board.records if r.outcome.method.name == "Mine")
    source = read_methods(tmp_path / "board" / "methods")[mine.method.source_sha256]
    assert source.files == (("mine.py", EDITED),)


def test_a_renamed_file_goes_on_in_the_row_of_the_old_one(run, home):
    run("mine.py", METHOD)
    run("theirs.py", METHOD, seeds="2")
    outcomes = [json.loads(path.read_text())["outcome"] for path in (home / "records").iterdir()]
    mine = {o["seed"]: o["method"]["source_sha256"] for o in outcomes if o["method"]["name"] == "Mine"}
    assert set(mine) == {0, 1} and mine[0] == mine[1]


def test_a_home_made_before_keeps_its_records(run, home):
    """Its keys are others, so its stages run once more, and its records stand where they give the same bits."""
    run("mine.py", METHOD)
    shutil.rmtree(home / "store")
    for path in sorted((home / "records").glob("*.json")):
        record = load(path.read_bytes())
        older = replace(record, outcome=replace(record.outcome, trial_key="0" * 64),
                        observed=replace(record.observed, finished_at="2026-01-01T00:00:00+00:00"))  # fmt: skip
        path.unlink()
        (home / "records" / f"{older.record_sha256}.json").write_text(dump(older))
    before = {path.name for path in (home / "records").iterdir()}
    printed, records = run("mine.py", METHOD, "--tracking-uri", f"sqlite:///{home}/another.db")
    assert "running 5" in printed and before < records and len(records) == len(before) + 5
    found = read_records(home / "records")
    assert {f"{record.record_sha256}.json" for record in found.records} == before
    assert {refused.why.rsplit(" ", 1)[0] for refused in found.refused} == {"has the same bits as"}


def test_code_that_does_something_else_runs_again(run):
    run("mine.py", METHOD)
    printed, _ = run("mine.py", METHOD.replace("abs()", "square()"))
    assert "running 3" in printed  # it, and those that may be given its layer ratios
