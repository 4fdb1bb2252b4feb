"""What a careless user does to the command line: wrong words, wrong folders, full disks. Never a traceback."""

from pathlib import Path

import pytest
import torch
from support.quick_cli import SUBMISSIONS, submit

from prunemark.benchmark.run.drive import Event
from prunemark.benchmark.run.executor import LocalProcesses


@pytest.fixture
def command(quick_prunemark):
    return quick_prunemark


WRONG = [
    (["submit", "L1-norm", "--track", "digit-resnet8"], ["Did you mean 'digits-resnet8'", "digits-mlp7"]),
    (["submit", "L1-norm", "--track", "quick@7"], ["no such version", "quick@1"]),
    (["submit", "L1-norm", "--track", "quick", "--setup", "S3"], ["unknown setup", "S3.1, S3.1-tuned, S3.2"]),
    (
        ["submit", "L1-norm", "--track", "quick", "--setup", "SX-A", "--prune-at", "4"],
        ["an epoch", "0 to 3", "given 4"],
    ),
    (["submit", "L1-norm", "--track", "quick", "--setup", "SX-B", "--prune-at", "3"], ["leaves 0", "--prune-at"]),
    (["submit", "L1-norm", "--track", "quick", "--setup", "S4.2", "--prune-at", "1"], ["SX-A and SX-B"]),
    (["submit", "L1-norm", "--track", "quick", "--setup", "SX-A", "--prune-at", "-1"], ["0 to 3", "given -1"]),
    (["submit", "L1-norm", "--track", "quick", "--level", "42%"], ["unknown level", "50%, 90%, 95%"]),
    (["submit", "L1-norm", "--track", "quick", "--seeds", "many"], ["--seeds", "given 'many'"]),
    (["submit", "L1-norm", "--track", "quick", "--seeds", "0"], ["--seeds"]),
    (["submit", "L1-norm", "--track", "quick", "--workers", "0"], ["--workers is at least 1"]),
    (["submit", "L1-norm", "--track", "quick", "--device", "tpu"], ["unknown device", "cpu, cuda"]),
    (["submit", "L1-norm", "--track", "quick", "--device", "cpu:0"], ["unknown device 'cpu:0'", "cpu, cuda"]),
    (["submit", "L1-norm", "--track", "quick", "--pruning-seconds", "-1"], ["above 0"]),
    (["submit", "L1-norm", "--track", "quick", "--set", "allocation"], ["name=value"]),
    (["submit", "L1-norm", "--track", "quick", "--set", "colour=red"], ["unknown setting", "allocation"]),
    (["submit", "L1-norm", "--track", "quick", "--set", "allocation=foo"], ["uniform|global", "given 'foo'"]),
    (["submit", "L1-norm", "--track", "quick", "--set", "schedule=agp:0"], ["one-shot", "given 'agp:0'"]),
    (["submit", "L1-norm", "--track", "quick", "--set", "epochs=-3"], ["'epochs'", "given '-3'"]),
    (["submit", "L3-norm", "--track", "quick"], ["unknown method", "L1-norm"]),
    (["submit", "no_such_file.py:Method", "--track", "quick"], ["no file 'no_such_file.py'"]),
    (["submit", "no_such_file.py", "--track", "quick"], ["names no class"]),
    (["submit", f"{SUBMISSIONS}:Fina", "--track", "quick"], ["unknown class", "Did you mean 'Fine'"]),
    (["submit", f"{SUBMISSIONS}:NotAMethod", "--track", "quick"], ["is not a FilterCriterion"]),
    (["submit", f"{SUBMISSIONS}:Abstract", "--track", "quick"], ["does not implement score"]),
    (
        ["submit", f"{SUBMISSIONS}:OtherArguments", "--track", "quick"],
        ["called as score(layer, context)", "(self, model, l"],
    ),
    (["submit", f"{SUBMISSIONS}:FineWeights", "--track", "quick"], ["prunes weights", "filters"]),
    (
        ["submit", "L1-norm", "--track", "quick", "--tracking-uri", "http://127.0.0.1:9"],
        ["no MLflow server answers"],
    ),
    (["submit", "L1-norm", "--track", "quick", "--tracking-uri", "nonsense://x"], ["MLflow"]),
    (["leaderboard", "--records", "nowhere"], ["nowhere"]),
    (["leaderboard", "--home", "nowhere"], ["submit"]),
    (["verify", "nowhere.json"], ["no file"]),
    (["setups", "show", "S9"], ["unknown setup"]),
    (["tracks", "show", "cifar"], ["unknown track"]),
    (["methods", "show", "L0"], ["unknown method"]),
    (["setups", "--format", "yaml"], ["unknown format", "csv, json, table"]),
    (["submit", "L1-norm", "--track", "quick", "--home", "what?"], ["has ? in its name", "another folder"]),
    (["submit", "L1-norm", "--track", "quick", "--home", "50%25"], ["has % in its name"]),
]


@pytest.mark.parametrize(("words", "expected"), WRONG, ids=lambda value: " ".join(map(str, value))[:60])
def test_wrong_input_is_answered_in_words(command, words, expected):
    code, out, err = command(*words)
    assert code == 2, (out, err)
    assert "Traceback" not in err and len(err.strip().splitlines()) <= 3, err
    for part in expected:
        assert part in err


def test_a_format_that_is_none_is_refused_before_anything_runs(command, tmp_path, monkeypatch):
    monkeypatch.setattr(LocalProcesses, "run", lambda *_: pytest.fail("it ran"))
    for words in (["submit", "L1-norm"], ["tune", "L1-norm"]):
        code, _, err = command(*words, "--track", "quick", "--home", tmp_path / "home", "--format", "yaml")
        assert code == 2 and "unknown format 'yaml'" in err and not (tmp_path / "home").exists()


METHOD = """
from prunemark.benchmark.method import FilterCriterion


class {name}(FilterCriterion):
    def score(self, layer, context):
        return layer.weight.flatten(1).norm(dim=1)
"""


@pytest.mark.parametrize("name", ["Scratch", "Dense"])
def test_no_method_has_the_name_of_a_reference(command, tmp_path, name):
    (tmp_path / "mine.py").write_text(METHOD.format(name=name))
    code, _, err = command("submit", f"{tmp_path}/mine.py:{name}", "--track", "quick", "--home", tmp_path / "home")
    assert code == 2 and f"'{name}' is the name of {name}, a reference" in err


def test_what_could_not_be_accepted_is_not_run(command, tmp_path, monkeypatch):
    """A class with the name of a method that ships is another one, and no board takes it for that."""
    (tmp_path / "mine.py").write_text(METHOD.format(name="FPGM"))
    (tmp_path / "board" / "records").mkdir(parents=True)
    (tmp_path / "board" / "records" / ".gitkeep").touch()
    ran = []
    monkeypatch.setattr("prunemark.cli.requests.run", lambda *_: ran.append(1) or pytest.fail("it ran"))
    words = ["submit", f"{tmp_path}/mine.py:FPGM", "--track", "quick", "--home", tmp_path / "home"]
    code, _, err = command(*words, "--contribute", tmp_path / "board")
    assert code == 2 and "'FPGM' is the name of FPGM, which ships with Prunemark" in err and not ran


def test_a_folder_that_others_may_read_is_named(command, monkeypatch):
    def locked(*_):
        raise PermissionError(13, "Permission denied", "/theirs/records")

    monkeypatch.setattr("prunemark.records.load.read_sound", locked)
    code, _, err = command("leaderboard", "--records", ".")
    assert (
        code == 1
        and err.startswith("prunemark: /theirs/records cannot be read or written by you")
        and "fault" not in err
    )


def test_a_home_that_is_a_file_is_refused(command, tmp_path):
    (tmp_path / "file").touch()
    code, _, err = command("submit", "L1-norm", "--track", "quick", "--home", tmp_path / "file")
    assert code == 2 and "is a file" in err


def test_a_home_that_cannot_be_written_is_said(command):
    code, _, err = command("submit", "L1-norm", "--track", "quick", "--home", "/proc/prunemark")
    assert code == 1 and "cannot write" in err and "--home" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk to write to")
def test_a_full_disk_is_said_and_leaves_nothing_half_written(command, tmp_path, monkeypatch, furnish):
    from prunemark.benchmark.trial import store

    def full(folder):
        with Path("/dev/full").open("w") as file:
            file.write("x" * 100_000)

    monkeypatch.setattr(store, "seal", full)
    home = furnish(tmp_path / "full")
    code, _, err = command("submit", "L1-norm", "--track", "quick", "--home", home, "--seeds", "1")
    assert code == 1 and "the disk is full" in err
    assert not list((tmp_path / "full").rglob(".draft-*")) and not list((tmp_path / "full" / "records").iterdir())


def test_trials_that_never_end_are_not_passed_over(command, tmp_path, monkeypatch, furnish):
    """As after the kernel has killed a worker for memory, twice."""
    submit(command, "L1-norm", furnish(tmp_path), seeds="1")

    def killed(self, jobs, listen):
        for job in jobs:
            listen(Event(job, "failed", f"{job.id} was killed by signal 9"))

    monkeypatch.setattr(LocalProcesses, "run", killed)
    code, _, err = submit(command, "L1-norm", tmp_path, seeds="2")
    assert code == 1 and "killed by signal 9" in err and "the same command goes on from there" in err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_wrong_input(command, tmp_path):
    code, _, err = submit(command, "L1-norm", tmp_path, "--device", "cuda")
    assert code == 2 and "torch sees no GPU here. Use --device cpu" in err and not list(tmp_path.iterdir())


def test_looking_for_results_makes_no_folder(command, tmp_path):
    code, _, err = command("leaderboard", "--home", tmp_path / "nowhere")
    assert code == 2 and "no results in" in err and not (tmp_path / "nowhere").exists()
