"""Mirroring into a real MLflow store, and reading it back."""

import dataclasses
import os

import pytest

from prunemark.benchmark.run.home import Home, open_home
from prunemark.benchmark.run.mlflow_store import connect, read_runs, tracking_uri
from prunemark.benchmark.run.tracking import Submission, Tracker
from prunemark.records.outcome import EpochPoint
from prunemark.records.record import load
from prunemark.setups.errors import InputError, WorkFailed

SUBMISSION = Submission("digits-resnet8@1", "S3.2", "Mine", "what it is", "key-of-it")


@pytest.fixture
def home(tmp_path, furnish):
    return open_home(Home(furnish(tmp_path)))


@pytest.fixture
def tracker(home):
    return lambda: Tracker(home.mlflow_uri, home, SUBMISSION)


def runs(home):
    client = connect(home.mlflow_uri, home)
    experiments = [e.experiment_id for e in client.search_experiments()]
    return {run.info.run_name: run for run in client.search_runs(experiments)}, client


def test_a_trial_is_a_run_under_its_submission(tracker, home, make_record):
    record = make_record(method="Mine", seed=0)
    with tracker() as mirror:
        for point in record.outcome.curve:
            mirror.epoch("Mine 90% seed 0", "retraining", point)
        mirror.finish("Mine 90% seed 0", record, {})
    mirror.raise_problem()
    found, client = runs(home)
    parent, trial = found["Mine under S3.2"], found["Mine 90% seed 0"]
    assert trial.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert trial.data.tags["prunemark.record_sha256"] == record.record_sha256
    assert trial.data.metrics["test_accuracy_percent"] == record.outcome.accuracy.test_percent
    assert trial.data.params["method"] == "Mine" and trial.info.status == "FINISHED"
    curve = client.get_metric_history(trial.info.run_id, "retraining.validation_accuracy_percent")
    assert [point.value for point in curve] == [p.validation_accuracy_percent for p in record.outcome.curve]
    assert {a.path for a in client.list_artifacts(trial.info.run_id)} == {"record.json"}


def test_the_same_record_is_logged_once(tracker, home, make_record):
    record = make_record(method="Mine", seed=0)
    for _ in range(2):
        with tracker() as mirror:
            mirror.finish("Mine 90% seed 0", record, {})
    _found, client = runs(home)
    assert len([r for r in client.search_runs(["1"]) if "prunemark.record_sha256" in r.data.tags]) == 1


def test_records_are_read_back_as_they_were(tracker, home, make_record):
    records = [make_record(method="Mine", seed=seed) for seed in range(3)]
    with tracker() as mirror:
        for record in records:
            mirror.finish(f"seed {record.outcome.seed}", record, {})
    found = read_runs(home.mlflow_uri, home)
    assert {load(text) == r for _, sha, text in found for r in records if r.record_sha256 == sha} == {True}
    assert len(found) == 3


def test_a_failed_trial_keeps_its_traceback(tracker, home, make_record):
    from prunemark.records.outcome import Failure

    record = make_record(method="Mine", seed=0)
    failure = Failure("the method raised an error", "ValueError: no", "Traceback: line 3")
    outcome = dataclasses.replace(record.outcome, status="failed", failure=failure, accuracy=None, curve=())
    with tracker() as mirror:
        mirror.finish("bad", dataclasses.replace(record, outcome=outcome), {})
    found, client = runs(home)
    assert found["bad"].info.status == "FAILED"
    assert {a.path for a in client.list_artifacts(found["bad"].info.run_id)} == {"record.json", "traceback.txt"}


def test_a_run_whose_process_is_gone_is_marked_killed(tracker, home, make_record, monkeypatch):
    point = EpochPoint(0, 0.1, 1.0, 50.0)
    first = tracker().__enter__()
    first.epoch("orphan", "retraining", point)
    first._queue.put(None)
    first._thread.join()  # as if the process had been killed: nothing is closed
    found, client = runs(home)
    client.set_tag(found["orphan"].info.run_id, "prunemark.process", f"{os.uname().nodename}:999999999")
    with tracker():
        pass
    assert runs(home)[0]["orphan"].info.status == "KILLED"


def test_a_store_that_goes_away_does_not_stop_the_trials(tracker, home, make_record, monkeypatch):
    with tracker() as mirror:
        monkeypatch.setattr(mirror._client, "log_batch", lambda *a, **k: (_ for _ in ()).throw(OSError("gone")))
        mirror.finish("a", make_record(method="Mine", seed=0), {})
        mirror.finish("b", make_record(method="Mine", seed=1), {})
    with pytest.raises(WorkFailed, match=r"stopped answering: gone\n.*run the same command again"):
        mirror.raise_problem()


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
