"""Mirroring into a real MLflow store, and reading it back."""

import collections
import dataclasses
import os
import time
from pathlib import Path

import pytest

from prunemark.benchmark.run.home import Home, open_home
from prunemark.benchmark.run.mlflow_address import tracking_uri
from prunemark.benchmark.run.mlflow_fields import Standing, Submission
from prunemark.benchmark.run.mlflow_store import connect, read_runs
from prunemark.benchmark.run.tracking import Tracker
from prunemark.records.outcome import EpochPoint
from prunemark.records.record import load
from prunemark.setups.errors import InputError

SUBMISSION = Submission("digits-resnet8@1", "S3.2", "Mine", "what it is", "key-of-it")


@pytest.fixture
def home(tmp_path, furnish):
    return open_home(Home(furnish(tmp_path)))


@pytest.fixture
def said():
    return []


@pytest.fixture
def tracker(home, said):
    return lambda: Tracker(home.mlflow_uri, home, SUBMISSION, said.append)


def runs(home):
    client = connect(home.mlflow_uri, home)
    experiments = [e.experiment_id for e in client.search_experiments()]
    return {run.info.run_name: run for run in client.search_runs(experiments)}, client


def test_a_trial_is_a_run_under_its_submission(tracker, home, make_record, said):
    record = make_record(method="Mine", seed=0)
    with tracker() as mirror:
        for point in record.outcome.curve:
            mirror.epoch("trial", "Mine 90% seed 0", "retraining", point)
        mirror.finish("trial", "Mine 90% seed 0", record, {})
    assert said == [] and mirror.lacking == 0 and mirror.added == 1
    found, client = runs(home)
    parent, trial = found["Mine under S3.2"], found["Mine 90% seed 0"]
    assert trial.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert trial.data.tags["prunemark.record_sha256"] == record.record_sha256
    assert trial.data.metrics["test_accuracy_percent"] == record.outcome.accuracy.test_percent
    assert trial.data.params["method"] == "Mine" and trial.info.status == "FINISHED"
    (data,) = trial.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("digits", record.outcome.data_sha256)
    assert {a.path for a in client.list_artifacts(trial.info.run_id)} == {"record.json"}


@pytest.fixture
def sent(monkeypatch):
    """(run, metric, step) -> how often it was sent. The store drops a value that is the same, with the same time."""
    from mlflow.tracking import MlflowClient

    times, log_batch = collections.Counter(), MlflowClient.log_batch

    def spy(self, run_id, metrics=(), params=(), tags=(), **more):
        times.update((run_id, metric.key, metric.step) for metric in metrics)
        return log_batch(self, run_id, metrics, params, tags, **more)

    monkeypatch.setattr(MlflowClient, "log_batch", spy)
    return times


def curve_of(client, run, name="retraining.validation_accuracy_percent"):
    return sorted((point.step, point.value) for point in client.get_metric_history(run.info.run_id, name))


@pytest.mark.parametrize("live", [0, 1, 2], ids=lambda live: f"{live} epochs before the end")
@pytest.mark.parametrize("pause", [0.0, 0.3])
def test_each_epoch_is_logged_once(tracker, home, make_record, live, pause, monkeypatch, sent):
    """Whether it was logged while the trial ran, and whether that had been sent when the record came."""
    monkeypatch.setattr("prunemark.benchmark.run.tracking.FLUSH_SECONDS", 0.05)
    record = make_record(method="Mine", seed=0)
    with tracker() as mirror:
        for point in record.outcome.curve[:live]:
            mirror.epoch(0, "trial", "retraining", point)
            time.sleep(pause)
        mirror.finish(0, "trial", record, {})
    assert set(sent.values()) == {1}
    found, client = runs(home)
    for name in ("train_loss", "validation_accuracy_percent", "lr"):
        assert curve_of(client, found["trial"], f"retraining.{name}") == [
            (point.epoch, getattr(point, name)) for point in record.outcome.curve
        ]


def test_a_trial_that_is_tried_again_has_the_curve_of_its_record(tracker, home, make_record, monkeypatch):
    """On a CPU the epochs of two tries are the same; on a GPU they can differ, and MLflow takes no value back."""
    monkeypatch.setattr("prunemark.benchmark.run.tracking.FLUSH_SECONDS", 0.05)
    record = make_record(method="Mine", seed=0)
    with tracker() as mirror:
        mirror.epoch(0, "same", "retraining", record.outcome.curve[0])
        mirror.epoch(0, "same", "retraining", record.outcome.curve[0])
        mirror.epoch(1, "other", "retraining", dataclasses.replace(record.outcome.curve[0], train_loss=0.75))
        time.sleep(0.5)
        mirror.finish(0, "same", record, {})
        mirror.finish(1, "other", make_record(method="Mine", seed=1), {})
    client = connect(home.mlflow_uri, home)
    found = client.search_runs(["1"], "tags.prunemark.kind = 'trial'")
    assert sorted((r.info.run_name, r.info.status) for r in found) == [
        ("other", "FINISHED"), ("other", "KILLED"), ("same", "FINISHED"),
    ]  # fmt: skip
    for run in found:
        if run.info.status == "FINISHED":
            assert curve_of(client, run, "retraining.train_loss") == [(0, 0.5), (1, 0.5)]


def test_the_same_record_is_logged_once(tracker, home, make_record):
    record = make_record(method="Mine", seed=0)
    for _ in range(2):
        with tracker() as mirror:
            mirror.finish(0, "Mine 90% seed 0", record, {})
    assert mirror.added == 0
    _found, client = runs(home)
    assert len([r for r in client.search_runs(["1"]) if "prunemark.record_sha256" in r.data.tags]) == 1


def test_records_are_read_back_as_they_were(tracker, home, make_record):
    records = [make_record(method="Mine", seed=seed) for seed in range(3)]
    with tracker() as mirror:
        for record in records:
            mirror.finish(record.outcome.seed, f"seed {record.outcome.seed}", record, {})
    found, lost = read_runs(home.mlflow_uri, home)
    assert {load(text) == r for _, sha, text in found for r in records if r.record_sha256 == sha} == {True}
    assert len(found) == 3 and lost == []


def test_a_run_without_its_record_is_left_out_by_name(tracker, home, make_record):
    with tracker() as mirror:
        for seed in range(3):
            mirror.finish(seed, f"seed {seed}", make_record(method="Mine", seed=seed), {})
    next(iter(home.mlflow_artifacts.rglob("record.json"))).unlink()
    found, (lost,) = read_runs(home.mlflow_uri, home)
    assert len(found) == 2 and lost.name.startswith("seed ") and "has no record.json in MLflow" in lost.why
    for left in home.mlflow_artifacts.rglob("record.json"):
        left.unlink()
    with pytest.raises(InputError, match=r"no records of Prunemark in .*seed \d .*has no record\.json"):
        read_runs(home.mlflow_uri, home)


def test_a_failed_trial_keeps_its_traceback(tracker, home, make_record):
    from prunemark.records.outcome import Failure

    record = make_record(method="Mine", seed=0)
    failure = Failure("the method raised an error", "ValueError: no", "Traceback: line 3")
    outcome = dataclasses.replace(record.outcome, status="failed", failure=failure, accuracy=None, curve=())
    with tracker() as mirror:
        mirror.finish(0, "bad", dataclasses.replace(record, outcome=outcome), {})
    found, client = runs(home)
    assert found["bad"].info.status == "FAILED"
    assert {a.path for a in client.list_artifacts(found["bad"].info.run_id)} == {"record.json", "traceback.txt"}


def test_a_run_whose_process_is_gone_is_marked_killed(tracker, home):
    point = EpochPoint(0, 0.1, 1.0, 50.0)
    first = tracker().__enter__()
    first.epoch(0, "orphan", "retraining", point)
    while "orphan" not in runs(home)[0]:  # and then it is as if the process had been killed: nothing is closed
        time.sleep(0.05)
    found, client = runs(home)
    client.set_tag(found["orphan"].info.run_id, "prunemark.process", f"{os.uname().nodename}:999999999")
    with tracker():
        pass
    assert runs(home)[0]["orphan"].info.status == "KILLED"


def test_the_run_of_a_submission_says_how_it_stands(tracker, home, make_record):
    with tracker() as mirror:
        mirror.finish(0, "trial", make_record(method="Mine"), {})
        mirror.describe(Standing("0,1", {"90%": "undetermined"}, {"tables.md": "| a |"}))
    with tracker() as mirror:
        mirror.describe(Standing("0,1,2", {"90%": "better"}, {"tables.md": "| b |"}))
    found, client = runs(home)
    parent = found["Mine under S3.2"]
    assert parent.data.params == {"method": "Mine", "track": "digits-resnet8@1", "setup": "S3.2"}
    tags = parent.data.tags
    assert (tags["prunemark.seeds"], tags["prunemark.verdict.90 percent"]) == ("0,1,2", "better")
    assert "what it is" in tags["mlflow.note.content"] and "| 90% | better |" in tags["mlflow.note.content"]
    assert Path(client.download_artifacts(parent.info.run_id, "tables.md")).read_text() == "| b |"
    assert client.get_experiment_by_name("digits-resnet8@1").tags["mlflow.experimentKind"] == "custom_model_development"


def test_an_experiment_that_was_made_or_deleted_before_is_used(tracker, home, make_record, said):
    client = connect(home.mlflow_uri, home)
    made = client.create_experiment("digits-resnet8@1", artifact_location=home.mlflow_artifacts.as_uri())
    client.delete_experiment(made)
    with tracker() as mirror:
        mirror.finish(0, "trial", make_record(method="Mine"), {})
    assert said == [] and "trial" in runs(home)[0]
    assert client.get_experiment(made).tags["mlflow.experimentKind"] == "custom_model_development"


def test_what_mlflow_refuses_keeps_nothing_else_back(tracker, home, make_record, said, monkeypatch):
    monkeypatch.setattr("prunemark.benchmark.run.tracking.AWAY_PATIENCE_SECONDS", 3.0)
    with tracker() as mirror:
        send = mirror._runs.client.log_inputs
        bad = make_record(method="Mine", seed=7)
        monkeypatch.setattr(
            "mlflow.tracking.MlflowClient.log_inputs",
            lambda self, run, datasets: send(run, datasets) if self.get_run(run).info.run_name != "bad" else 1 / 0,
        )
        mirror.finish(7, "bad", bad, {})
        for seed in range(3):
            mirror.finish(seed, f"seed {seed}", make_record(method="Mine", seed=seed), {})
    assert mirror.lacking == 1 and mirror.added == 3
    assert len(said) == 2 and "takes nothing: division by zero" in said[0] and "lacks 1 of 4 trials" in said[1]
    assert "All records are kept: `prunemark mlflow rebuild`" in said[1]
    names = [run.info.run_name for run in connect(home.mlflow_uri, home).search_runs(["1"])]
    assert names.count("bad") == 1, "tried again in the same run"


@pytest.mark.parametrize(
    "uri",
    ["http://127.0.0.1:9", "http://no-such-host.invalid", "nonsense://x", "sqlite:////proc/nowhere/x.db", "http://"],
)
def test_a_broken_address_is_said_at_once(home, uri):
    with pytest.raises(InputError, match="MLflow"):
        connect(uri, home)


def test_where_mlflow_is(home, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking_uri(None, home) == home.mlflow_uri
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://there")
    assert tracking_uri(None, home) == "http://there" and tracking_uri("http://here", home) == "http://here"
