"""The command line as a newcomer meets it, on a track that trains for two epochs."""

import csv
import dataclasses
import io
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from support.quick_cli import EXAMPLE, SUBMISSIONS, submit

from prunemark.setups.paper_tables import GRIDS


@pytest.fixture
def command(quick_prunemark):
    return quick_prunemark


@pytest.fixture(scope="module")
def home(tmp_path_factory, furnish):
    return furnish(tmp_path_factory.mktemp("home"))


def test_submit_runs_everything_and_ranks_it(command, home):
    code, out, err = submit(command, f"{EXAMPLE}:GeometricMedian", home)
    assert code == 0, err
    for name in ("GeometricMedian", "L1-norm", "Random", "Scratch", "Dense"):
        assert name in out
    assert "index.html" in err and "mlflow" in err
    assert len(list((home / "records").glob("*.json"))) == 10
    assert (home / "leaderboard" / "index.html").stat().st_size > 1000


def test_submitting_again_does_nothing_and_says_so(command, home):
    before = sorted((home / "records").iterdir())
    code, _, err = submit(command, f"{EXAMPLE}:GeometricMedian", home)
    assert code == 0 and "nothing to run: all 10 trials are stored" in err
    assert sorted((home / "records").iterdir()) == before


def test_one_seed_more_runs_only_that_seed(command, home):
    code, out, err = submit(command, f"{EXAMPLE}:GeometricMedian", home, "--dry-run", "--format", "json", seeds="3")
    rows = json.loads(out)
    assert code == 0 and [row["stored"] for row in rows] == ["yes"] * 10 + ["no"] * 5
    code, _, err = submit(command, f"{EXAMPLE}:GeometricMedian", home, seeds="3")
    assert code == 0 and "15 trials, 10 stored already; running 5" in err


@pytest.mark.slow
def test_the_same_method_under_another_name_is_never_better(command, home):
    submit(command, f"{SUBMISSIONS}:Fine", home, seeds="5")
    code, out, _ = submit(command, f"{SUBMISSIONS}:SameAsFine", home, "--format", "csv", seeds="5")
    rows = {row["method"]: row for row in csv.DictReader(io.StringIO(out))}
    assert code == 0
    assert rows["Fine"]["accuracy_percent"] == rows["SameAsFine"]["accuracy_percent"]
    assert rows["Fine"]["p_raw"] == rows["SameAsFine"]["p_raw"] != ""
    assert rows["Fine"]["verdict"] == rows["SameAsFine"]["verdict"]


def test_a_failing_method_is_recorded_and_the_others_go_on(command, home):
    code, out, err = submit(command, f"{SUBMISSIONS}:Raises", home)
    assert code == 1
    assert "Raises 90% seed 0: failed: RuntimeError: the Hessian is singular" in err
    assert "Traceback" not in err and "L1-norm" in out and "Raises" in out


def test_a_setting_is_part_of_the_identity(command, home):
    code, out, _ = submit(command, f"{SUBMISSIONS}:Fine", home, "--set", "power=1", "--dry-run", "--format", "json")
    mine = [row for row in json.loads(out) if row["method"] == "Fine"]
    assert code == 0 and {row["stored"] for row in mine} == {"no"}


@pytest.mark.parametrize("setup", ["S2", "S3.1"])
def test_the_other_runnable_setups_run(command, home, setup):
    code, _, err = submit(command, "L1-norm", home, "--setup", setup, seeds="1")
    assert code == 0, err
    records = [json.loads(p.read_text())["outcome"] for p in (home / "records").glob("*.json")]
    mine = [r for r in records if r["setup"] == setup and r["method"]["name"] == "L1-norm"]
    lengths = {"S2": 40, "S3.1": 2}  # its own recipe, or that recipe over the imposed epochs
    assert {tuple(r["retraining"]["lr"]) for r in mine} == {(1e-3,) * lengths[setup]}


def test_a_weight_track_runs_with_its_own_anchor_and_controls(command, home):
    level = ("--level", "95%")
    code, out, err = submit(command, f"{SUBMISSIONS}:FineWeights", home, name="quick-weights", level=level, seeds="1")
    assert code == 0, err
    assert "Magnitude" in out and "Random-weights" in out


def test_leaderboard_from_mlflow_equals_leaderboard_from_records(command, home):
    words = ["leaderboard", "--format", "csv", "--track", "quick", "--setup", "S3.2"]
    code, mine, err = command(*words, "--home", home)
    assert code == 0, err
    code, theirs, err = command(*words, "--records", home / "records")
    assert code == 0 and mine == theirs
    code, theirs, err = command(*words, "--home", home, "--tracking-uri", f"sqlite:///{home}/mlflow.db")
    assert code == 0 and mine == theirs, err


def test_listings_in_every_format(command):
    for words in (
        ["setups"],
        ["tracks"],
        ["methods"],
        ["setups", "show", "S3.2"],
        ["tracks", "show", "quick"],
    ):
        assert json.loads(command(*words, "--format", "json")[1])
    assert command("setups")[0] == 0
    assert list(csv.reader(io.StringIO(command("setups", "--format", "csv")[1])))


def test_help_is_quick_because_nothing_heavy_is_imported():
    code = (
        "import sys; sys.argv = ['prunemark', '--help']\n"
        "from prunemark.cli.app import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'mlflow', 'scipy', 'pandas', 'sklearn', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=environment)


@pytest.mark.parametrize("words", [[], ["submit"], ["tracks", "show"], ["verify"]])
def test_help_can_be_asked_for_briefly(command, words):
    assert command(*words, "-h") == command(*words, "--help")
    assert command(*words, "-h")[:1] == (0,)


def test_the_version_is_that_of_the_package(command):
    assert command("--version") == (0, f"prunemark {version('prunemark')}\n", "")
    done = subprocess.run([sys.executable, "-m", "prunemark", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"prunemark {version('prunemark')}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_and_options(shell):
    """As the script that `--install-completion` writes asks for it."""
    words = "prunemark submit --see"
    asked = {"COMP_WORDS": words, "COMP_CWORD": "2", "_TYPER_COMPLETE_ARGS": words}
    asked |= {"_TYPER_COMPLETE_FISH_ACTION": "get-args", "_PRUNEMARK_COMPLETE": f"complete_{shell}"}
    program = Path(sys.executable).with_name("prunemark")
    done = subprocess.run([program], env={**os.environ, **asked}, capture_output=True, text=True, check=False)
    assert "--seeds" in done.stdout and "--setup" not in done.stdout, done.stderr


def test_every_setup_can_be_planned(command, tmp_path):
    for setup in ("S1", "S1-acc", "S2", "S3.1", "S3.2", "S4.1", "S4.2", "SX-A", "SX-B"):
        words = ["submit", "L1-norm", "--track", "digits-resnet8", "--setup", setup, "--dry-run", "--home", tmp_path]
        code, out, err = command(*words, "--seeds", "1", "--format", "json")
        rows = json.loads(out)
        assert code == 0, err
        assert {row["pipeline"][0] for row in rows} == {"P"} and all("F" in row["pipeline"] for row in rows)


def test_sxa_ranks_scratch_training_too(command, home):
    code, out, err = submit(
        command, f"{SUBMISSIONS}:Fine", home, "--setup", "SX-A", "--format", "csv", level=("--level", "50%")
    )
    rows = {row["method"]: row for row in csv.DictReader(io.StringIO(out))}
    assert code == 0, err
    assert rows["Scratch"]["ranked"] == "True" and rows["Dense"]["ranked"] == "False"
    assert rows["Fine"]["ranked"] == "True"


def test_cross_validate_gives_the_four_pairs_and_a_verdict(command, home):
    words = ["L1-norm", f"{SUBMISSIONS}:Fine", "--track", "quick", "--level", "90%", "--seeds", "2", "--home", home]
    code, out, err = command("cross-validate", *words)
    assert code == 0, err
    for expected in ("FT(L1-norm): 40 epochs, 0:1e-3", "FT(Fine): 2 epochs", "## 90%: ", "change with the recipe"):
        assert expected in out
    assert "nothing to run" in command("cross-validate", *words)[2]
    pruned = [p for p in (home / "store").glob("*/*/decision.json")]
    assert len({p.read_text() for p in pruned}) <= len(pruned)


@pytest.mark.parametrize(
    ("pair", "words"),
    [(("L1-norm", "L1-norm"), "two different methods"), (("L2-norm", "FPGM"), "same recipe"),
     (("L1-norm", "Magnitude"), "prunes weights")],
)  # fmt: skip
def test_what_cannot_be_crossed_is_refused(command, home, pair, words):
    code, _, err = command("cross-validate", *pair, "--track", "quick", "--home", home)
    assert code == 2 and words in err and "Traceback" not in err


def test_tune_gives_every_method_the_same_configurations(command, home):
    words = [f"{SUBMISSIONS}:Fine", "--track", "quick", "--level", "90%", "--seeds", "2", "--home", home]
    code, out, err = command("tune", *words, "--configurations", "3")
    assert code == 0, err
    assert "S3.1-tuned" in out and "Expected best validation accuracy" in out and "n=3" in out
    records = [json.loads(p.read_text())["outcome"] for p in (home / "tuning" / "records").glob("*.json")]
    assert {len(r["tuning"]) for r in records} == {3}
    for record in records:
        best = max(tried["validation_last_percent"] for tried in record["tuning"])
        chosen = next(t["lr"] for t in record["tuning"] if t["validation_last_percent"] == best)
        assert record["retraining_recipe"]["lr"] == chosen
        assert record["accuracy"]["validation_last_percent"] == best
    assert command("tune", *words, "--configurations", "1")[0] == 2
    assert "prunemark tune" in command("submit", "L1-norm", "--track", "quick", "--setup", "S3.1-tuned")[2]


@pytest.mark.slow
def test_reproduce_prints_the_table_beside_the_papers(command, home, tmp_path, monkeypatch):
    """The plan of all ratios; the first of them is run."""
    words = ["m2", "--track", "quick", "--seeds", "2", "--home", home]
    code, out, err = command("reproduce", *words, "--dry-run")
    assert code == 0 and "36 trials" in out and "of the training FLOPs" in out, err
    whole = GRIDS["m2"]
    rows = tuple(dataclasses.replace(row, paper_percent=row.paper_percent[:1]) for row in whole.rows)
    monkeypatch.setitem(GRIDS, "m2", dataclasses.replace(whole, ratios=whole.ratios[:1], rows=rows))
    code, out, err = command("reproduce", *words, "--output", tmp_path / "out")
    assert code == 0, err
    assert "[85.27]" in out and "SX-A between scratch" in out and "of 2 signs agree" in out
    assert (tmp_path / "out" / "m2.md").read_text() == out
    assert (tmp_path / "out" / "m2.jsonl.xz").stat().st_size > 1000
    assert command("reproduce", "table9", "--home", home)[0] == 2


@pytest.mark.slow
def test_controls_of_a_method_that_ranks_all_layers_together_are_one_row(command, tmp_path, furnish):
    """Its layer ratios differ from seed to seed, and so do those of its controls."""
    code, out, err = submit(command, f"{SUBMISSIONS}:Trains", furnish(tmp_path), "--format", "csv", seeds="3")
    assert code == 0, err
    rows = {row["method"]: row for row in csv.DictReader(io.StringIO(out))}
    assert rows["Random"]["seeds"] == "3" and "Scratch" in rows
    assert rows["Random"]["why_unranked"].startswith("a matched control: Trains, with the same layer ratios, is at ")
    records = [json.loads(path.read_text())["outcome"] for path in (tmp_path / "records").glob("*.json")]
    beside = {
        r["method"]["settings"].get("layer_ratios_of", "")[:6] for r in records if r["method"]["name"] == "Random"
    }
    assert beside == {"Trains"}


def test_an_edited_record_is_restored_by_running_again(command, home):
    submit(command, "L1-norm", home, seeds="1")
    texts = {path: json.loads(path.read_text())["outcome"] for path in (home / "records").glob("*.json")}
    record = next(
        path
        for path, o in texts.items()
        if (o["method"]["name"], o["setup"], o["seed"], o["track"]) == ("L1-norm", "S3.2", 0, "quick@1")
    )
    whole = record.read_text()
    record.write_text(whole.replace('"seed":0', '"seed":9'))
    assert submit(command, "L1-norm", home, seeds="1")[0] == 0
    assert record.read_text() == whole
