"""Trials that several processes train: as with one, and when one of them ends, all end and no method is blamed."""

import dataclasses
import math
import os
import signal
import time
from pathlib import Path

import pytest
from support.here import SHORT

from prunemark.benchmark.images.datasets import UnreadableImage
from prunemark.benchmark.sandbox.training import PruningTraining
from prunemark.benchmark.sandbox.usage import started_by
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.training.processes import here
from prunemark.benchmark.training.together import run_together
from prunemark.benchmark.trial.keys import stage_keys
from prunemark.benchmark.trial.packing import read_weights
from prunemark.benchmark.trial.pipeline import run_trial
from prunemark.benchmark.trial.plan import Request, check_processes, make_trials
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Entrant
from prunemark.records.difference import other_machine
from prunemark.records.record import dump, load
from prunemark.setups.comparison import SETUPS
from prunemark.setups.errors import Diverged, InputError, WorkFailed
from prunemark.setups.track_files import find_track

LANES = Path(__file__).parents[1] / "submissions" / "lanes.py"
TRACK = dataclasses.replace(
    find_track("digits-mlp7"), name="short", arithmetic=None, pretraining=SHORT, pruning=SHORT, retraining=SHORT,
    pruning_epochs_limit=4,
)  # fmt: skip


def difference(a, b):
    """The largest of any weight or running statistic, against the largest there is."""
    return max(float((a[name] - b[name]).abs().max() / (1e-9 + b[name].abs().max())) for name in a)


def trial(name, processes):
    named, source = locate(f"{LANES}:{name}")
    entrant = Entrant(named, "pruned", "submission", source, (), "filter")
    request = Request(TRACK, SETUPS["S3.2"], [TRACK.level("50%")], [0], "cpu", 60.0, processes=processes)
    return make_trials(request, entrant)[0]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize(("name", "lane"), [("Asks", "harness"), ("Penalises", "own")])
def test_a_trial_of_two_processes_is_that_of_one(store, name, lane):
    """Its own key, and on the record that there were two; the lane `own` trains in the method's single process."""
    heard = []
    two = run_trial(trial(name, 2), store, lambda stage, point: heard.append((stage, point.epoch)))
    one = run_trial(trial(name, 1), store, lambda stage, point: None)
    a, b = two.outcome, one.outcome
    assert (a.status, b.status) == ("ok", "ok") and two.observed.pruning_process.lane == lane
    assert (a.base.pretraining, a.pruning, a.retraining) == (b.base.pretraining, b.pruning, b.retraining)
    assert a.compression.kept == b.compression.kept and a.diagnostics.mean_jsv == pytest.approx(b.diagnostics.mean_jsv)
    for point, point1 in zip(a.curve, b.curve, strict=True):
        assert math.isclose(point.train_loss, point1.train_loss, rel_tol=1e-5)
    assert a.accuracy == b.accuracy
    bases = [read_weights(store.path(stage_keys(trial(name, n)).pretrain)) for n in (2, 1)]
    assert 0 < difference(*bases) < 1e-5
    assert heard[-2:] == [("retraining", 0), ("retraining", 1)] and len(heard) in (2, 4), "each epoch is said once"
    assert (two.observed.processes, one.observed.processes) == (2, 1) and load(dump(two)) == two
    assert '"processes"' not in dump(one) and "processes: recorded 2, here 1" in other_machine(
        two.observed, one.observed
    )


def test_keys_say_how_many_processes_trained_and_the_images_are_shared():
    one, two, four = (dataclasses.asdict(stage_keys(trial("Asks", n))) for n in (1, 2, 4))
    assert one.pop("data") == two.pop("data") == four.pop("data")
    assert all(len({one[name], two[name], four[name]}) == 3 for name in one)


def test_a_killed_process_ends_all_and_the_trial_goes_on_when_it_is_run_again(tmp_path):
    store, mine = Store(tmp_path), trial("Scores", 2)
    before, seen = set(started_by(os.getpid())), []

    def kill_one(stage, point):
        new = [pid for pid in started_by(os.getpid()) if pid not in before]
        seen[:] = [pid for pid in new if b"resource" not in Path(f"/proc/{pid}/cmdline").read_bytes()]
        os.kill(seen[-1], signal.SIGKILL)

    with pytest.raises(WorkFailed, match=r"process \d of 2 of the base model of seed 0 was killed by signal 9"):
        run_trial(mine, store, kill_one)
    assert not any(Path(f"/proc/{pid}").exists() for pid in seen)
    assert not store.read(stage_keys(mine).pretrain)
    assert run_trial(mine, store, lambda stage, point: None).outcome.status == "ok"


def test_a_process_that_dies_while_it_trains_for_a_method_is_no_fault_of_the_method(store, monkeypatch):
    run = PruningTraining.run

    def dying(self, *arguments):
        if here().rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        run(self, *arguments)

    monkeypatch.setattr(PruningTraining, "run", dying)
    with pytest.raises(WorkFailed, match="process 2 of 2 of a method's training was killed by signal 9"):
        run_trial(trial("Rewinds", 2), store, lambda stage, point: None)


@pytest.mark.parametrize(
    ("problem", "kind", "words"),
    [
        (UnreadableImage("insects/3.png has changed"), InputError, "^insects/3.png has changed$"),
        (Diverged("no finite loss"), Diverged, "^no finite loss$"),
        (MemoryError("no room"), WorkFailed, "process 2 of a test ended: MemoryError: no room"),
    ],
)
def test_what_one_process_raises_ends_all(problem, kind, words):
    said, began = [], time.monotonic()

    def work(tell):
        tell(os.getpid())
        if here().rank == 1:
            raise problem
        print("a word of a library")
        here().total(1)  # which waits for the other

    with pytest.raises(kind, match=words) as raised:
        run_together(2, "cpu", "a test", work, hear=said.append)
    assert type(raised.value) is kind
    assert len(said) == 1 and not Path(f"/proc/{said[0]}").exists() and time.monotonic() - began < 30


def test_processes_find_what_torchrun_would_tell_them(capfd):
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR")
    said = []
    run_together(2, "cpu", "a test", lambda tell: tell([os.environ[name] for name in names]), hear=said.append)
    assert said == [["0", "0", "2", "2", "127.0.0.1"]]
    assert "RANK" not in os.environ and not here().several
    assert capfd.readouterr() == ("", ""), "gloo says that it is connected"


@pytest.mark.parametrize(
    ("track", "count", "words"),
    [
        (dataclasses.replace(TRACK, network="net.py:Net"), 2, "has a network of its author's"),
        (TRACK, 129, "--devices-per-trial 129, but track short@2 trains in batches of 128"),
    ],
)
def test_what_cannot_be_shared_is_refused(track, count, words):
    check_processes(track, 1)
    with pytest.raises(InputError, match=words):
        check_processes(track, count)
