"""A result on its way to a board, with real trials: what is written, what is examined, and what tampering meets."""

import dataclasses
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from support.quick_cli import quick_track

from prunemark.cli import app
from prunemark.records.board_terms import DEFAULT, FILE
from prunemark.records.decision import read_decisions, write_decisions
from prunemark.records.invalidations import invalidate
from prunemark.records.load import read_records
from prunemark.records.outcome import pack_correctness
from prunemark.records.pack import line_of, write_lines, write_pack
from prunemark.records.record import dump, load
from prunemark.records.source import MethodFiles, read_methods, write_method
from prunemark.setups.track_files import released_tracks

METHOD = """from prunemark.benchmark.method import FilterCriterion, setting


class Tiny(FilterCriterion):
    \"\"\"A sum of powers, all layers ranked together.\"\"\"

    power: float = setting(1.5, "which power")
    allocation: str = setting("global", "how filters are shared out among layers")

    def score(self, layer, context):
        return layer.weight.flatten(1).abs().pow(self.power).sum(dim=1)
"""


@pytest.fixture(scope="module", autouse=True)
def quick():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(released_tracks(), "quick@1", quick_track())
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield


@pytest.fixture
def command(capsys, monkeypatch):
    """Runs `prunemark ...` in this process: (exit code, everything printed)."""

    def run(*words):
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["prunemark", *map(str, words)])
        code = run_here()
        return code, "".join(capsys.readouterr())

    return run


def run_here():
    try:
        app.main()
    except SystemExit as end:
        return end.code or 0
    return 0


@pytest.fixture(scope="module")
def place(tmp_path_factory, furnish):
    """A folder with a home, the method's file, and the board that one submission was contributed to."""
    folder = furnish(tmp_path_factory.mktemp("place") / "home").parent
    (folder / "mine.py").write_text(METHOD)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["prunemark", *map(str, submission(folder, folder / "board"))])
        assert run_here() == 0
    (folder / "empty").mkdir()
    return folder


def submission(place, board):
    return [
        "submit", f"{place / 'mine.py'}:Tiny", "--track", "quick", "--level", "90%", "--seeds", "0,",
        "--home", place / "home", "--contribute", board,
    ]  # fmt: skip


@pytest.fixture
def board(place, tmp_path):
    return Path(shutil.copytree(place / "board", tmp_path / "board"))


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_holds_records_sources_and_decisions(place):
    found = read_records(place / "board" / "records")
    assert not found.refused and {r.outcome.method.name for r in found.records} == {
        "Tiny", "L1-norm", "Random", "Scratch", "Dense"
    }  # fmt: skip
    decisions = read_decisions(place / "board" / "decisions")
    pruned = [r for r in found.records if r.outcome.method.kind == "pruned"]
    assert set(decisions) == {r.record_sha256 for r in pruned}
    for record in pruned:
        counts = {layer: len(kept) for layer, kept in decisions[record.record_sha256]["kept"].items()}
        assert counts == {layer: record.outcome.compression.kept[layer] for layer in counts}
    methods = read_methods(place / "board" / "methods")
    assert set(methods) == {r.outcome.method.source_sha256 for r in pruned}
    assert ("mine.py", METHOD) in [file for method in methods.values() for file in method.files]
    assert {name.split("/")[0] for name in files(place / "board")} == {
        "records", "methods", "decisions", "board.toml"
    }  # fmt: skip


def test_the_same_command_again_runs_nothing_and_writes_what_is_missing(command, place, tmp_path):
    before = files(place / "board")
    code, printed = command(*submission(place, place / "board"))
    assert code == 0 and "nothing to run: all 5 trials are stored" in printed
    assert "0 records added, 5 of these trials were there already" in printed and "Next:" not in printed
    assert files(place / "board") == before
    code, printed = command(*submission(place, tmp_path / "later"))
    assert code == 0 and "nothing to run" in printed and "5 records added" in printed and "make leaderboard" in printed
    assert files(tmp_path / "later") == before


def test_a_trial_that_the_board_has_with_another_outcome_stays_as_it_is(command, place, tmp_path):
    rewrite(place / "board", tmp_path / "other", lambda o: {"weights_sha256": "x"} if o.method.name == "Dense" else {})
    before = files(tmp_path / "other")
    code, printed = command(*submission(place, tmp_path / "other"))
    assert code == 0 and "were there with another outcome, and are left as they are: Dense seed 0" in printed
    assert 'weights_sha256 differs: recorded "x"' in printed and files(tmp_path / "other") == before


def test_a_record_that_was_invalidated_does_not_come_back_by_itself(command, place, board):
    records = read_records(board / "records").records
    mine = next(record for record in records if record.outcome.method.name == "Tiny")
    invalidate(board / "records", mine.record_sha256, "a wrong seed", "2026-01-01", {mine.record_sha256})
    before = files(board)
    code, printed = command(*submission(place, board))
    assert code == 0 and "0 records added" in printed and files(board) == before
    assert "1 of these very records do not count there: run the trials anew, in another --home" in printed
    anew = dataclasses.replace(mine, observed=dataclasses.replace(mine.observed, finished_at="2030-01-01T00:00:00"))
    (board / FILE).write_text(DEFAULT.replace('"landlock"', '"process"'))  # on every machine
    shutil.copytree(board, board.with_name("base"))
    decided = read_decisions(board / "decisions")[mine.record_sha256]
    write_pack([anew], board / "records")
    write_decisions([("quick@1", anew.record_sha256, decided)], board / "decisions")
    code, printed = command("verify", board, "--against", board.with_name("base"))
    assert code == 0 and "1 new records" in printed, "run anew, it may"
    write_lines([line_of(mine)], board / "records" / "quick@1")
    code, printed = command("verify", board, "--against", board.with_name("base"))
    assert code == 3 and f"record {mine.record_sha256[:12]} is there already, in another pack" in printed


def test_what_cannot_be_contributed_is_said_before_anything_runs(command, place, tmp_path):
    (tmp_path / "file").touch()
    code, printed = command(*submission(place, tmp_path / "file"))
    assert code == 2 and "is a file. Give the folder of a board" in printed and "nothing to run" not in printed


def test_what_was_contributed_is_sound_and_is_obtained_again(command, place):
    code, printed = command("verify", place / "board", "--against", place / "empty", "--rerun", 1)
    assert code == 0, printed
    assert ", 1 trials, 1 ok: A sum of powers, all layers ranked together." in printed
    assert "5 new records, 3 sources, 3 decisions: sound" in printed and ": same: same bits, outcome" in printed
    code, printed = command("verify", place / "board", "--against", place / "board", "--rerun", 1)
    assert code == 0 and "0 new records" in printed and "run again" not in printed


def test_trials_of_a_whole_board_are_run_again(command, place):
    code, printed = command("verify", place / "board", "--rerun", 2)
    assert code == 0 and printed.count("run again: ") == printed.count("same bits, outcome ") == 2


@pytest.mark.slow
def test_every_trial_of_a_submission_is_obtained_again(command, place):
    """The controls too, which have the layer ratios of the method that they ran beside."""
    code, printed = command("verify", place / "board", "--against", place / "empty", "--rerun", 99)
    assert code == 0 and printed.count(": same: same bits") == 5, printed


def rewrite(source, board, change, hardware=None, sources=lambda text: text, decided=lambda decision: decision):
    """The board again with other content under names that are right: what somebody could make by hand.

    Where `change` is None, of the method Tiny alone and with the record's numbers as they are.
    """
    methods = read_methods(source / "methods")
    new = {sha: MethodFiles(m.class_name, tuple((n, sources(t)) for n, t in m.files)) for sha, m in methods.items()}
    old_decisions, records, decisions = read_decisions(source / "decisions"), [], []
    for record in read_records(source / "records").records:
        if change is None and record.outcome.method.name != "Tiny":
            continue
        outcome = dataclasses.replace(record.outcome, **(change(record.outcome) if change else {}))
        method = outcome.method
        if method.source_sha256 in new:
            method = dataclasses.replace(method, source_sha256=new[method.source_sha256].source_sha256)
        observed = dataclasses.replace(record.observed, hardware=hardware or record.observed.hardware)
        made = dataclasses.replace(record, outcome=dataclasses.replace(outcome, method=method), observed=observed)
        made = load(dump(made))
        records.append(made)
        if record.record_sha256 in old_decisions:
            decisions.append((made.outcome.track, made.record_sha256, decided(old_decisions[record.record_sha256])))
    used = {record.outcome.method.source_sha256 for record in records}
    for method in (method for method in new.values() if method.source_sha256 in used):
        write_method(method, board / "methods")
    write_decisions(decisions, board / "decisions")
    write_pack(records, board / "records")


def all_right(outcome):
    """Every test image answered correctly, consistently."""
    n = outcome.accuracy.test_examples
    correct = pack_correctness(np.ones(n, dtype=bool))
    return {"accuracy": dataclasses.replace(outcome.accuracy, test_percent=100.0, correct=correct)}


def test_made_up_numbers_are_found_by_running_again(command, place, tmp_path):
    rewrite(place / "board", tmp_path / "board", all_right)
    code, printed = command("verify", tmp_path / "board", "--against", place / "empty")
    assert code == 0, "they are consistent in themselves"
    code, printed = command("verify", tmp_path / "board", "--against", place / "empty", "--rerun", 1)
    assert code == 3 and "was not obtained again: accuracy.test_percent differs: recorded 100.0, here " in printed


@pytest.mark.slow  # test_rerun.py has the verdict itself
def test_on_another_machine_a_difference_is_left_undecided(command, place, tmp_path):
    rewrite(place / "board", tmp_path / "board", all_right, hardware="another processor")
    code, printed = command("verify", tmp_path / "board", "--against", place / "empty", "--rerun", 1)
    assert code == 4 and "undecided: accuracy.test_percent differs" in printed
    assert "processor: recorded another processor, here " in printed and "nothing is concluded" in printed


def test_another_source_under_its_own_hash_is_found_by_running_again(command, place, tmp_path):
    def swapped(text):
        return text.replace(".abs().pow", ".neg().exp().pow") if "class Tiny" in text else text

    rewrite(place / "board", tmp_path / "board", None, sources=swapped)
    code, printed = command("verify", tmp_path / "board", "--against", place / "empty", "--rerun", 1)
    assert code == 3 and "Tiny 90% seed 0" in printed.splitlines()[-1] and "was not obtained again" in printed


def test_another_decision_with_the_same_counts_is_found_by_running_again(command, place, tmp_path):
    def shifted(decision):
        return decision | {"kept": {layer: list(range(len(kept))) for layer, kept in decision["kept"].items()}}

    rewrite(place / "board", tmp_path / "board", None, decided=shifted)
    assert command("verify", tmp_path / "board", "--against", place / "empty")[0] == 0
    code, printed = command("verify", tmp_path / "board", "--against", place / "empty", "--rerun", 1)
    assert code == 3 and "the decision is another one" in printed


def test_an_edited_or_swapped_file_breaks_the_rule(command, place, board):
    for name, said in (
        ("methods", "does not have the content its name promises"),
        ("records", "does not unpack to the content its name promises"),
        ("decisions", "does not unpack to the content its name promises"),
    ):
        first, other = (next((folder / name).rglob("*.*")) for folder in (board, place / "board"))
        edited = other.read_bytes().replace(b"score", b"store")
        if name != "methods":
            edited = next((place / "board" / ("decisions" if name == "records" else "records")).rglob("*.xz"))
            edited = edited.read_bytes()
        first.write_bytes(edited)
        code, printed = command("verify", board, "--against", place / "empty")
        assert code == 3 and said in printed, printed
        first.write_bytes(other.read_bytes())


def test_what_was_there_may_not_go(command, place, board):
    next((board / "records").rglob("*.xz")).unlink()
    code, printed = command("verify", board, "--against", place / "board")
    assert code == 3 and "was removed. A board only grows: put it back" in printed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere", "--against", "."), "no folder 'nowhere'"),
        ((".", "--against", "nowhere"), "no folder 'nowhere'"),
        ((".", "--against", ".", "--rerun", "-1"), "--rerun is a number of trials; given -1"),
        (("nowhere", "--rerun", "1"), "are about the trials of a board: give its folder"),
    ],
)
def test_what_is_no_board_is_wrong_input(command, words, said):
    code, printed = command("verify", *words)
    assert code == 2 and said in printed
