"""Eight processes that log to one MLflow server at once, and what has to be there in the end."""

import collections
import dataclasses
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from prunemark.records.outcome import EpochPoint
from prunemark.records.record import dump

SUPPORT = Path(__file__).parent
WRITERS, EACH, EPOCHS = 8, 4, 6


def started(script, *words, folder, **variables):
    """A command in a process of its own, with one thread for what it computes."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    own |= variables | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", str(SUPPORT / script), *map(str, words)],
        env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder,
    )  # fmt: skip


class Writers:
    """Each with records of its own, in an experiment that none has made yet, under one submission, with new data.

    `logins` are the variables of each, in turn.
    """

    def __init__(self, folder, address, record, track, logins=({},)):
        self.folder, self.track, self.records, self.processes = folder, track, [], []
        (folder / "home").mkdir()
        for writer in range(WRITERS):
            place = folder / f"writer{writer}"
            place.mkdir()
            for seed in range(writer * EACH, writer * EACH + EACH):
                self.records.append(of(record, track, seed))
                (place / f"{self.records[-1].record_sha256}.json").write_text(dump(self.records[-1]))
            words = [address, folder / "home", place, folder / "begin"]
            login = logins[writer % len(logins)]
            self.processes.append(started("mlflow_writer.py", *words, folder=folder, **login))

    def begin(self):
        """When all have loaded what they need."""
        while len(list(self.folder.glob("writer*/ready"))) < WRITERS:
            assert not (ended := [each for each in self.processes if each.poll() is not None]), ended[0].stdout.read()
            time.sleep(0.05)
        (self.folder / "begin").touch()

    def end(self):
        """What each has said; all have to have ended well. Prints what they took of the processor."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            said = [each.communicate(timeout=120)[0] for each in self.processes]
        finally:
            for each in self.processes:
                each.kill()
        assert [each.returncode for each in self.processes] == [0] * WRITERS, said
        took = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = took.ru_utime + took.ru_stime - before.ru_utime - before.ru_stime
        print(f"{WRITERS} writers, {len(self.records)} trials: {seconds:.1f} s of CPU, with starting Python")
        return said

    def assert_one_submission(self, address):
        """Each trial is there once, all under one run."""
        _, found = assert_each_once(address, self.track, self.records)
        parents = collections.Counter(run.data.tags["mlflow.parentRunId"] for run in found)
        assert len(parents) == 1, f"one submission has the runs {dict(parents)}"


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


def of(record, track, seed):
    """A record of this track, with some epochs."""
    curve = tuple(EpochPoint(epoch, 0.1, 1.0 / (1 + epoch), 50.0 + epoch) for epoch in range(EPOCHS))
    outcome = dataclasses.replace(record.outcome, track=track, seed=seed, curve=curve, trial_key=f"{track} {seed}")
    return dataclasses.replace(record, outcome=outcome)
