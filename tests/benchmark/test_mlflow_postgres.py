"""A real submit to a real MLflow server on a real PostgreSQL, either of which goes away in the middle."""

import collections
import contextlib
import dataclasses
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.mlflow_server import free_port, running
from support.postgres import missing, postgres
from support.torture import outcomes

from prunemark.records.outcome import EpochPoint
from prunemark.records.record import dump, load_file

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing() or "there is a PostgreSQL")]
SUPPORT = Path(__file__).parents[1] / "support"
SEEDS, LEVEL = "4", "90%"
WRITERS, EACH, EPOCHS = 8, 4, 6


def started(script, *words, folder):
    """A command in a process of its own, with one thread for what it computes."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    own |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", str(SUPPORT / script), *map(str, words)],
        env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder,
    )  # fmt: skip


class Submit:
    """A running `prunemark submit`, with what it has said until now."""

    def __init__(self, home, *more):
        home.parent.mkdir(exist_ok=True)
        method = f"{SUPPORT.parent / 'submissions' / 'samples.py'}:Trains"
        words = ["submit", method, "--track", "quick", "--level", LEVEL, "--seeds", SEEDS, "--no-time", "--home", home]
        self.home, self.said = home, ""
        self.process = started("quick_cli.py", *words, *more, folder=home.parent)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        with self.process.stdout as lines:
            for line in lines:
                self.said += line

    def until(self, condition, seconds=240):
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"it ended too early: {self.said}"
            assert time.monotonic() < deadline, f"it did not happen: {self.said}"
            time.sleep(0.05)

    def has_records(self, number):
        return lambda: len(list((self.home / "records").glob("*.json"))) >= number

    def end(self):
        assert self.process.wait(timeout=240) == 0, self.said
        self._reader.join()
        return " ".join(self.said.split())


@pytest.fixture
def database():
    with postgres() as made:
        yield made


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    submit = Submit(tmp_path_factory.mktemp("undisturbed") / "home")
    submit.end()
    return outcomes(submit.home)


@pytest.fixture
def place(tmp_path):
    (tmp_path / "server").mkdir()
    return tmp_path / "server"


def finished(address, track):
    """The runs of a track's trials that have their record."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(address)
    experiment = client.get_experiment_by_name(track)
    found = client.search_runs([experiment.experiment_id], "tags.prunemark.kind = 'trial'", max_results=1000)
    assert collections.Counter(run.info.status for run in found) == {"FINISHED": len(found)}
    return client, found


def assert_each_once(address, track, records):
    """A run a record, and of each metric one value an epoch."""
    client, found = finished(address, track)
    assert sorted(run.data.tags["prunemark.record_sha256"] for run in found) == sorted(
        record.record_sha256 for record in records
    )
    by_sha = {record.record_sha256: record for record in records}
    for run in found:
        curve = by_sha[run.data.tags["prunemark.record_sha256"]].outcome.curve
        for name in run.data.metrics:
            steps = [point.step for point in client.get_metric_history(run.info.run_id, name)]
            assert len(steps) == len(set(steps)), f"{name} of {run.info.run_name}: {steps}"
            if name == "retraining.train_loss":
                assert sorted(steps) == [point.epoch for point in curve]
        assert "record.json" in [each.path for each in client.list_artifacts(run.info.run_id)]
    return client, found


def assert_nothing_befell(submit, said, address, undisturbed):
    assert outcomes(submit.home) == undisturbed
    records = [load_file(path) for path in sorted((submit.home / "records").glob("*.json"))]
    client, found = assert_each_once(address, "quick@1", records)
    assert said.count("takes nothing") == 1 and said.count("answers again, and has what it missed") == 1, said
    assert " lacks " not in said and "Traceback" not in said
    parents = {run.data.tags["mlflow.parentRunId"] for run in found}
    assert {client.get_run(parent).info.status for parent in parents} == {"FINISHED"}


def test_a_database_that_stops_in_the_middle(database, place, tmp_path, undisturbed):
    with running(place, store=database.uri, **database.variables) as address:
        submit = Submit(tmp_path / "of" / "home", "--tracking-uri", address)
        submit.until(submit.has_records(5))
        database.stop()
        submit.until(lambda: "takes nothing" in submit.said)
        database.start()
        assert_nothing_befell(submit, submit.end(), address, undisturbed)


def test_a_server_that_is_killed_in_the_middle(database, place, tmp_path, undisturbed):
    port = free_port()
    with running(place, port, store=database.uri, **database.variables) as address:
        submit = Submit(tmp_path / "of" / "home", "--tracking-uri", address)
        submit.until(submit.has_records(5))
    submit.until(lambda: "takes nothing" in submit.said)
    with running(place, port, store=database.uri, **database.variables) as address:
        assert_nothing_befell(submit, submit.end(), address, undisturbed)


@pytest.mark.parametrize("stops", [False, True])
def test_eight_writers_at_once(database, place, tmp_path, make_record, stops):
    """Into an experiment that none has made yet, under one submission, with the same new data."""
    track, writers, records = f"writers{stops}", [], []
    home, begin = tmp_path / "home", tmp_path / "begin"
    home.mkdir()
    for writer in range(WRITERS):
        folder = tmp_path / f"writer{writer}"
        folder.mkdir()
        for seed in range(writer * EACH, writer * EACH + EACH):
            records.append(of(make_record(), track, seed))
            (folder / f"{records[-1].record_sha256}.json").write_text(dump(records[-1]))
    with running(place, store=database.uri, **database.variables) as address, contextlib.ExitStack() as ends:
        for writer in range(WRITERS):
            words = [address, home, tmp_path / f"writer{writer}", begin]
            writers.append(ends.enter_context(started("mlflow_writer.py", *words, folder=tmp_path)))
            ends.callback(writers[-1].kill)
        while len(list(tmp_path.glob("writer*/ready"))) < WRITERS:
            assert not (ended := [writer for writer in writers if writer.poll() is not None]), ended[0].stdout.read()
            time.sleep(0.05)
        begin.touch()
        if stops:
            time.sleep(2)
            database.stop()
            time.sleep(2)
            database.start()
        said = [writer.communicate(timeout=120)[0] for writer in writers]
        assert [writer.returncode for writer in writers] == [0] * WRITERS, said
        _, found = assert_each_once(address, track, records)
        parents = collections.Counter(run.data.tags["mlflow.parentRunId"] for run in found)
        assert len(parents) == 1, f"one submission has the runs {dict(parents)}"
        assert {each.count("takes nothing") for each in said} <= ({0, 1} if stops else {0}), said


def of(record, track, seed):
    """A record of this track, with some epochs."""
    curve = tuple(EpochPoint(epoch, 0.1, 1.0 / (1 + epoch), 50.0 + epoch) for epoch in range(EPOCHS))
    outcome = dataclasses.replace(record.outcome, track=track, seed=seed, curve=curve, trial_key=f"{track} {seed}")
    return dataclasses.replace(record, outcome=outcome)
