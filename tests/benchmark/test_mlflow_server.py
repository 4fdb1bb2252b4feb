"""Mirroring to a real MLflow server that is slow, goes away, or whose answers are lost."""

import collections
import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from support.mlflow_server import Way, free_port, running

from prunemark.benchmark.run import tracking
from prunemark.benchmark.run.home import Home, open_home
from prunemark.benchmark.run.mlflow_address import reason
from prunemark.benchmark.run.mlflow_fields import Standing, Submission
from prunemark.benchmark.run.mlflow_store import read_runs
from prunemark.benchmark.run.tracking import Tracker
from prunemark.records.outcome import EpochPoint
from prunemark.setups.errors import InputError, WorkFailed

NUMBERS = count()
METRICS = ("retraining.lr", "retraining.train_loss", "retraining.validation_accuracy_percent")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture
def way(server):
    made = Way(server)
    yield made
    made.cut()


@pytest.fixture
def home(tmp_path):
    return open_home(Home(tmp_path))


@pytest.fixture
def said():
    return []


@pytest.fixture
def mirror(home, said, monkeypatch, capfd):
    """mirror(address) -> a tracker of an experiment of its own. Nothing is printed by MLflow itself."""
    monkeypatch.setattr(tracking, "FLUSH_SECONDS", 0.2)
    monkeypatch.setattr(tracking, "FIRST_WAIT_SECONDS", 0.2)
    return lambda address: Tracker(
        address, home, Submission(f"t{next(NUMBERS)}", "S3.2", "Mine", "w", "k"), said.append
    )


def of(record, mirror, seed=0, epochs=6):
    """A record of this tracker's track, with so many epochs."""
    curve = tuple(EpochPoint(epoch, 0.1, 1.0 / (1 + epoch), 50.0 + epoch) for epoch in range(epochs))
    outcome = dataclasses.replace(record.outcome, track=mirror.submission.track, seed=seed, curve=curve,
                                  trial_key=f"{mirror.submission.track} {seed}")  # fmt: skip
    return dataclasses.replace(record, outcome=outcome)


def trials(server, mirror):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(server)
    experiment = client.get_experiment_by_name(mirror.submission.track)
    return client, client.search_runs([experiment.experiment_id], "tags.prunemark.kind = 'trial'")


def assert_whole(server, mirror, records):
    """One run a record, with each epoch once."""
    client, found = trials(server, mirror)
    assert collections.Counter(run.info.status for run in found) == {"FINISHED": len(records)}
    by_sha = {run.data.tags["prunemark.record_sha256"]: run for run in found}
    assert set(by_sha) == {record.record_sha256 for record in records}
    for record in records:
        run = by_sha[record.record_sha256]
        for name in METRICS:
            steps = [point.step for point in client.get_metric_history(run.info.run_id, name)]
            assert sorted(steps) == [point.epoch for point in record.outcome.curve], name
        assert len(client.get_metric_history(run.info.run_id, "test_accuracy_percent")) == 1
        assert [a.path for a in client.list_artifacts(run.info.run_id)] == ["record.json"]


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def test_a_server_that_goes_away_is_caught_up_in_the_same_run(server, way, mirror, said, make_record):
    with mirror(way.address) as its:
        records = [of(make_record(), its, seed) for seed in range(4)]
        its.finish(0, "0", records[0], {})
        for point in records[1].outcome.curve[:3]:
            its.epoch(1, "1", "retraining", point)
        until(lambda: its.lacking == 0)
        way.cut()
        for point in records[1].outcome.curve[3:]:
            its.epoch(1, "1", "retraining", point)
        its.finish(1, "1", records[1], {})
        its.finish(2, "2", records[2], {})
        until(lambda: said)
        assert (
            said
            == [
                f"MLflow at {way.address} takes nothing: the connection was refused. Trials go on; what it misses is "
                "logged when it answers again"
            ]
            or "it closed the connection" in said[0]
        )
        time.sleep(1.0)
        assert len(said) == 1, "once, and not at every try"
        way.mend()
        its.finish(3, "3", records[3], {})
        its.describe(Standing("0", {"90%": "better"}, {"tables.md": "t"}))
    assert said[1:] == [f"MLflow at {way.address} answers again, and has what it missed"]
    assert_whole(server, its, records)


@pytest.mark.parametrize("path", ["runs/create", "runs/log-batch", "runs/update", "record.json", "runs/log-inputs"])
def test_an_answer_that_is_lost_logs_nothing_twice(server, way, mirror, said, make_record, path, monkeypatch):
    from mlflow.tracking import MlflowClient

    sent, log_batch = collections.Counter(), MlflowClient.log_batch

    def spy(self, run_id, metrics=(), params=(), tags=(), **more):
        sent.update((metric.key, metric.step) for metric in metrics)
        return log_batch(self, run_id, metrics, params, tags, **more)

    monkeypatch.setattr(MlflowClient, "log_batch", spy)
    with mirror(way.address) as its:
        record = of(make_record(), its)
        until(lambda: way.requests > 0)
        way.lose(path)
        for point in record.outcome.curve[:3]:
            its.epoch(0, "0", "retraining", point)
        until(lambda: its._wanted and not its._news)
        way.lose(path)
        its.finish(0, "0", record, {})
    assert its.lacking == 0 and said, "an answer was lost"
    assert set(sent.values()) == {1}, "what had arrived was sent again"
    assert_whole(server, its, [record])


def test_one_that_does_not_come_back_is_said_at_the_end(server, way, mirror, said, make_record, monkeypatch):
    monkeypatch.setattr(tracking, "AWAY_PATIENCE_SECONDS", 1.0)
    with mirror(way.address) as its:
        records = [of(make_record(), its, seed) for seed in range(3)]
        its.finish(0, "0", records[0], {})
        until(lambda: its.lacking == 0)
        way.cut()
        its.finish(1, "1", records[1], {})
        its.finish(2, "2", records[2], {})
        until(lambda: said)
        began = time.monotonic()
    assert time.monotonic() - began < 5
    assert said[-1].startswith(f"MLflow at {way.address} lacks 2 of 3 trials. All records are kept: `prunemark mlflow")
    way.mend()
    again = dataclasses.replace(its.submission)
    with Tracker(way.address, its.home, again, said.append) as later:
        for seed, record in enumerate(records):
            later.finish(seed, str(seed), record, {})
    assert later.added == 2
    assert_whole(server, later, records)


@pytest.mark.parametrize("flush_seconds", [0.2, pytest.param(2.0, marks=pytest.mark.slow)])
def test_a_slow_server_costs_the_trials_nothing(way, mirror, said, make_record, monkeypatch, flush_seconds, capfd):
    """300 ms a request. What is measured: the time that the driver spends telling, and what is left at the end."""
    trials, epochs = 8, 20
    monkeypatch.setattr(tracking, "FLUSH_SECONDS", flush_seconds)
    with mirror(way.address) as its:
        way.delay_seconds = 0.3
        records = [of(make_record(), its, seed, epochs) for seed in range(trials)]
        before, telling = way.requests, 0.0
        for seed, record in enumerate(records):
            for point in record.outcome.curve:
                began = time.perf_counter()
                its.epoch(seed, str(seed), "retraining", point)
                telling += time.perf_counter() - began
                time.sleep(1.0 / epochs)
            began = time.perf_counter()
            its.finish(seed, str(seed), record, {})
            telling += time.perf_counter() - began
        ended = time.perf_counter()
    left = time.perf_counter() - ended
    asked = way.requests - before
    with capfd.disabled():
        print(f"\ntelling {telling / trials:.4f} s a trial, {left:.1f} s at the end, {asked / trials:.1f} requests")
    assert telling / trials < 0.05 and left < 10 and its.lacking == 0
    assert [line for line in said if not line.startswith("logging ")] == []


def test_a_server_that_hangs_holds_up_nobody_for_long(way, mirror, said, make_record, monkeypatch):
    with mirror(way.address) as its:
        its.patience_seconds = 3.0
        way.delay_seconds = 60.0
        its.finish(0, "0", of(make_record(), its), {})
        began = time.monotonic()
    assert time.monotonic() - began < 5 and its.lacking == 1
    assert "logging 1 more trials to MLflow, for 3 s at most" in said[0] and "lacks 1 of 1 trials" in said[1]


@pytest.mark.slow
def test_a_server_that_is_killed_and_started_again(tmp_path, mirror, said, make_record):
    folder, port = tmp_path / "other", free_port()
    folder.mkdir()
    with running(folder, port) as address:
        its = mirror(address).__enter__()
        records = [of(make_record(), its, seed) for seed in range(3)]
        its.finish(0, "0", records[0], {})
        its.epoch(1, "1", "retraining", records[1].outcome.curve[0])
        until(lambda: its.lacking == 0)
    its.finish(1, "1", records[1], {})
    until(lambda: said)
    with running(folder, port) as address:
        its.finish(2, "2", records[2], {})
        its.__exit__(None, None, None)
        assert len(said) == 2 and "answers again" in said[1], said
        assert_whole(address, its, records)


def test_new_data_that_another_process_brings_at_once_are_no_failure(server, mirror, said, make_record, monkeypatch):
    from mlflow.tracking import MlflowClient

    log_inputs, asked = MlflowClient.log_inputs, []

    def taken(self, *words, **more):
        asked.append(words)
        if len(asked) == 1:
            raise WorkFailed('(UniqueViolation) duplicate key value violates unique constraint "dataset_pk"')
        return log_inputs(self, *words, **more)

    monkeypatch.setattr(MlflowClient, "log_inputs", taken)
    with mirror(server) as its:
        records = [of(make_record(), its)]
        its.finish(0, "0", records[0], {})
    assert len(asked) == 2 and [line for line in said if not line.startswith("logging ")] == []
    assert_whole(server, its, records)


def test_commands_that_begin_at_once_log_under_one_submission(server, mirror, make_record):
    its = mirror(server)
    several = [Tracker(server, its.home, its.submission) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(Tracker.__enter__, several))
    records = [of(make_record(), its, seed) for seed in range(4)]
    for seed, each in enumerate(several):
        each.finish(seed, str(seed), records[seed], {})
        each.__exit__(None, None, None)
    assert_whole(server, its, records)
    assert len({run.data.tags["mlflow.parentRunId"] for run in trials(server, its)[1]}) == 1


def test_a_server_whose_database_is_away_is_said_in_few_words():
    long = "Max retries exceeded with url: /x (Caused by ResponseError('too many 503 error responses'))"
    words = reason(WorkFailed(f"API request to http://x/x failed with exception: {long}"), "http://x")
    assert words == "it answers with an error of its own (503), as when its database is away"


def test_a_board_is_not_read_from_half_a_store(way, mirror, home, make_record, monkeypatch):
    with mirror(way.address) as its:
        for seed in range(3):
            its.finish(seed, str(seed), of(make_record(), its, seed), {})
    read, lost = read_runs(way.address, home, its.submission.track)
    assert len(read) == 3 and lost == []
    monkeypatch.setattr("mlflow.tracking.MlflowClient.download_artifacts", lambda *_: way.cut() or 1 / 0)
    with pytest.raises(WorkFailed, match="cannot be read"):
        read_runs(way.address, home, its.submission.track)


def test_no_server_at_the_start_is_said_before_anything_runs(home):
    with pytest.raises(InputError, match="no MLflow server answers"):
        Tracker(f"http://127.0.0.1:{free_port()}", home, Submission("t", "S3.2", "Mine", "w", "k")).__enter__()
