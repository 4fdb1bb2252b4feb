"""`prunemark mlflow rebuild`: the mirror is made again from records, on a real run of a short track."""

import shutil

import pytest
from support.quick_cli import EXAMPLE, submit

from prunemark.benchmark.run.home import Home
from prunemark.benchmark.run.mlflow_store import connect
from prunemark.records.record import load_file


@pytest.fixture
def command(quick_prunemark):
    return quick_prunemark


@pytest.fixture(scope="module")
def home(tmp_path_factory, furnish):
    return furnish(tmp_path_factory.mktemp("home"))


@pytest.fixture
def whole(command, home):
    """A home with ten trials and their runs."""
    code, _, err = submit(command, f"{EXAMPLE}:GeometricMedian", home)
    assert code == 0, err
    return home


def shown(home, uri=None):
    """name -> what MLflow shows of each run but ids and times."""
    client = connect(uri or f"sqlite:///{home}/mlflow.db", Home(home))
    found = client.search_runs([client.get_experiment_by_name("quick@1").experiment_id], max_results=100)
    names = [run.info.run_name for run in found]
    assert len(set(names)) == len(names), "a run is there twice"
    volatile = ("prunemark.process", "prunemark.token", "mlflow.parentRunId")
    parents = {run.info.run_id: run.info.run_name for run in found}
    return {
        run.info.run_name: (
            run.info.status, run.data.params, run.data.metrics,
            {name: value for name, value in run.data.tags.items() if name not in volatile},
            parents.get(run.data.tags.get("mlflow.parentRunId")),
            sorted(file.path for file in client.list_artifacts(run.info.run_id)),
            [data.dataset.digest for data in run.inputs.dataset_inputs],
            sorted((p.step, p.value) for p in client.get_metric_history(run.info.run_id, "retraining.train_loss")),
        )
        for run in found
    }  # fmt: skip


def test_the_run_of_a_submission_carries_what_it_is_and_how_it_stands(whole):
    runs = shown(whole)
    assert len(runs) == 11
    status, params, _, tags, parent, files, _, _ = runs["GeometricMedian under S3.2"]
    assert status == "FINISHED" and parent is None and files == ["tables.csv", "tables.md"]
    settings = {"setting.allocation": "uniform", "setting.epochs": "0", "setting.schedule": "one-shot"}
    assert params == {"method": "GeometricMedian", "track": "quick@1", "setup": "S3.2"} | settings
    assert tags["prunemark.seeds"] == "0,1" and tags["prunemark.verdict.90 percent"]
    assert "FPGM" in tags["mlflow.note.content"] and "| level | verdict |" in tags["mlflow.note.content"]
    trials = [run for name, run in runs.items() if "seed" in name]
    assert {run[4] for run in trials} == {"GeometricMedian under S3.2"}
    records = [load_file(path) for path in (whole / "records").glob("*.json")]
    curves = sorted([(point.epoch, point.train_loss) for point in record.outcome.curve] for record in records)
    assert sorted(run[7] for run in trials) == curves, "each epoch once"
    (digest,) = {tuple(run[6]) for run in trials}
    assert len(digest[0]) == 36
    assert "decision.json" in runs["GeometricMedian 90% seed 0"][5]


def test_another_store_gets_the_same_runs_from_records(whole, command, tmp_path):
    uri = f"sqlite:///{tmp_path}/other.db"
    words = ["mlflow", "rebuild", "--home", whole, "--tracking-uri", uri]
    code, out, err = command(*words)
    assert code == 0 and "10 trials: 0 were in MLflow, 10 logged now" in out, err
    mine, theirs = shown(whole), shown(whole, uri)
    decided = {name for name, run in mine.items() if "decision.json" in run[5]}
    assert set(mine) == set(theirs) and decided
    for name, run in mine.items():
        kept = [file for file in run[5] if file != "decision.json"]  # records do not say where their decision lies
        assert theirs[name] == (*run[:5], kept, *run[6:]), name
    assert "10 trials: 10 were in MLflow, 0 logged now" in command(*words)[1]
    assert len(shown(whole, uri)) == 11


def test_a_damaged_database_is_set_aside_and_filled_again(whole, command, tmp_path):
    home = shutil.copytree(whole, tmp_path / "copy", symlinks=True)
    (home / "mlflow.db").write_bytes(b"not a database\n" * 1000)
    code, out, err = command("mlflow", "rebuild", "--home", home)
    assert code == 0 and "10 trials: 0 were in MLflow, 10 logged now" in out
    assert "mlflow.db was damaged (file is not a database): kept as mlflow.db.damaged0" in err
    assert len(shown(home)) == 11


def test_a_run_and_a_board_go_on_with_a_damaged_database(whole, command, tmp_path):
    home = shutil.copytree(whole, tmp_path / "copy", symlinks=True)
    (home / "mlflow.db").write_bytes(b"not a database\n" * 1000)
    board = command("leaderboard", "--home", home, "--format", "csv")
    assert board[0] == 0 and board == command("leaderboard", "--records", home / "records", "--format", "csv")
    assert (home / "mlflow.db").read_bytes().startswith(b"not a database"), "a board looks at records only"
    code, _, err = submit(command, f"{EXAMPLE}:GeometricMedian", home)
    assert code == 0 and "mlflow.db was damaged" in err and "Traceback" not in err
    assert len(shown(home)) == 11


def test_one_missing_file_leaves_one_record_out(whole, command, tmp_path):
    uri = f"sqlite:///{tmp_path}/stores/other.db"
    assert command("mlflow", "rebuild", "--home", whole, "--tracking-uri", uri)[0] == 0
    next((tmp_path / "stores" / "mlruns").rglob("record.json")).unlink()
    code, out, err = command("leaderboard", "--tracking-uri", uri, "--format", "markdown")
    assert code == 0 and "GeometricMedian" in out, err
    assert out.count("has no record.json in MLflow") == 1


def test_where_the_runs_are_is_a_page_that_shows_them(whole, command):
    _, _, err = submit(command, f"{EXAMPLE}:GeometricMedian", whole)
    assert f"MLflow:  mlflow ui --backend-store-uri sqlite:///{whole}/mlflow.db" in err
    assert "then http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning" in err


def test_a_home_without_records_is_said(command, tmp_path):
    code, _, err = command("mlflow", "rebuild", "--home", tmp_path / "nowhere")
    assert code == 2 and "no records in" in err and not (tmp_path / "nowhere").exists()
