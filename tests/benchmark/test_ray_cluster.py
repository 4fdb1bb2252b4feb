"""Jobs on a real Ray cluster of three nodes on this machine: what they cost; a worker and a node are killed."""

import os
import sys
import time
from pathlib import Path

import pytest
from support.clusters import ESCAPE, HERE, home_in, job, outcomes, trials_of

from prunemark.benchmark.run.executor import LocalProcesses
from prunemark.benchmark.sandbox.confinement import isolation_here
from prunemark.setups.errors import InputError, lacking

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(lacking("ray")), reason="the extra ray is not installed"),
    pytest.mark.filterwarnings("ignore"),  # those of Ray itself, about versions of Python and its own settings
]


@pytest.fixture(scope="module")
def cluster():
    """A head without a core, and two nodes with one each; workers find the tests' modules by PYTHONPATH."""
    from ray.cluster_utils import Cluster

    before = {name: os.environ.get(name) for name in ("PYTHONPATH", "RAY_USAGE_STATS_ENABLED")}
    os.environ |= {"PYTHONPATH": str(HERE), "RAY_USAGE_STATS_ENABLED": "0"}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        made.add_node(num_cpus=1)
    yield made
    import ray

    ray.shutdown()
    made.shutdown()
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


@pytest.fixture
def run(cluster, tmp_path, monkeypatch):
    from prunemark.benchmark.run.ray_cluster import RayCluster

    monkeypatch.setattr(sys, "path", [str(HERE), *sys.path])
    made = RayCluster(home_in(tmp_path / "home").root, 1, cluster.address, pauses_seconds=(0.5, 0.5, 0.5))
    yield made
    made.close()


def events_of(executor, jobs):
    events = []
    executor.run(jobs, events.append)
    return events


def kinds(events, id):
    return [event.kind for event in events if event.job.id == id]


def test_jobs_run_in_order_and_what_they_say_comes_back(run):
    events = events_of(run, [job("b", "double", 21, needs=("a",)), job("a", "double", 1)])
    assert [(e.job.id, e.kind, e.value) for e in events] == [
        (name, *said) for name, half in (("a", 1), ("b", 21))
        for said in (("started", None), ("report", ("half way", half)), ("done", 2 * half))
    ]  # fmt: skip
    with pytest.raises(InputError, match="given 3, allowed 1 or 2"):
        events_of(run, [job("c", "fails")])


def test_a_job_costs_less_than_a_fifth_of_a_second_more_than_here(run):
    """Taken in turns, and the least of each: whatever else this machine does only adds."""
    there, here = run, LocalProcesses(1)
    taken = {id(there): [], id(here): []}
    for number in range(15):
        for executor in (there, here):
            begun = time.monotonic()
            executor.run([job(f"{number}", "double", 1)], lambda event: None)
            taken[id(executor)].append(time.monotonic() - begun)
    assert min(taken[id(there)]) - min(taken[id(here)]) < 0.2


def test_a_killed_job_and_a_killed_worker_are_tried_again(run, tmp_path):
    events = events_of(run, [job("a", "dies_once", str(tmp_path))])
    assert kinds(events, "a") == ["started", "again", "started", "done"]
    events = events_of(run, [job("b", "kills_its_driver_once", str(tmp_path))])
    assert kinds(events, "b")[-3:] == ["again", "started", "done"]  # what it said before may be lost with it
    assert "a worker of the Ray cluster is gone" in next(e.value for e in events if e.kind == "again")


def test_the_sandbox_is_the_same_in_a_worker_of_ray(run, tmp_path):
    there, here = home_in(Path(run.home)), home_in(tmp_path / "here")
    found = outcomes(trials_of(there, ESCAPE), there, run)
    mine = outcomes(trials_of(here, ESCAPE), here, LocalProcesses(1))
    assert found.keys() == mine.keys() and len(found) == 2
    for label, record in found.items():
        assert record.outcome == mine[label].outcome
        assert record.observed.isolation == isolation_here()
    assert {record.outcome.status for record in found.values()} != {"ok"}  # one tried to use the network


def test_a_trial_whose_node_is_killed_goes_on_elsewhere_from_its_checkpoint(run, cluster, tmp_path):
    """The node where the base model trains is killed after 14 of 30 epochs: the same record, without a second start."""
    import ray

    heard, said = [], []

    class Watcher:
        def started(self, trial): ...
        def finished(self, trial, record, files): ...

        def said(self, words):
            said.append(words)

        def epoch(self, trial, stage, point):
            if stage == "pretraining":
                heard.append(point.epoch)
                if len(heard) == 14:
                    ours = next(s for s in run._slots if s.job is not None)
                    (busy,) = [n for n in cluster.list_all_nodes() if n.node_id == ray.get(ours_node(ours))]
                    cluster.remove_node(busy, allow_graceful=False)

    def ours_node(slot):
        from ray._private import state

        return ray.put(state.actors()[slot.actor._actor_id.hex()]["Address"]["NodeID"])

    there, here = home_in(Path(run.home)), home_in(tmp_path / "here")
    try:
        found = outcomes(trials_of(there, quick=False)[:1], there, run, Watcher())
    finally:
        cluster.add_node(num_cpus=1)
    mine = outcomes(trials_of(here, quick=False)[:1], here, LocalProcesses(1))
    assert [record.outcome for record in found.values()] == [record.outcome for record in mine.values()]
    assert any("a worker of the Ray cluster is gone" in words for words in said)
    again = heard[14:]
    assert again[0] >= 10 and again[-1] == 29, heard
