"""Two machines that share a home in an object store: the same records, and nothing is computed twice."""

import pytest
from support.here import Here, planned
from support.objects import in_memory

from prunemark.benchmark.run import home as homes
from prunemark.benchmark.run import sharing, submit
from prunemark.benchmark.run.home import Home, open_home
from prunemark.benchmark.run.jobs import make_jobs
from prunemark.benchmark.trial.object_leases import Leases
from prunemark.benchmark.trial.objects import Away

TRIALS = planned("digits-resnet8", "L1-norm", "50%")


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """machine(name) -> that machine's home; all see one object store."""
    first = in_memory()
    seen = {}
    monkeypatch.setattr(homes, "objects_at", lambda address: seen[address])

    def made(name):
        seen[name] = in_memory(first.root)
        return open_home(Home(tmp_path / name, address=name))

    return made


class Hears:
    """A watcher that keeps what is said."""

    def __init__(self):
        self.words = []

    def said(self, words):
        self.words.append(words)

    def started(self, trial): ...
    def epoch(self, trial, stage, point): ...
    def finished(self, trial, record, files): ...


def records(home):
    return {path.name: path.read_bytes() for path in home.records.glob("*.json")}


def test_what_one_machine_ran_another_need_not_run(machine):
    first, second = machine("a"), machine("b")
    submit.execute(TRIALS, first, Here(), [])
    other = Here()
    submit.execute(TRIALS, second, other, [])
    assert other.began == [] and records(second) == records(first) and len(records(first)) == 2
    assert first.objects.fs.find(f"{first.objects.root}/leases") == []


def test_a_job_waits_for_the_machine_that_is_at_it_and_then_only_looks(machine, monkeypatch):
    first, second = machine("a"), machine("b")
    monkeypatch.setattr(sharing, "POLL_SECONDS", 0.0)
    jobs, trial_of = make_jobs(TRIALS, second.store)
    base = next(job for job in jobs if job.call.endswith(":pretrain_job"))
    with Leases(first.objects) as theirs, Leases(second.objects) as mine:
        ours = sharing.Sharing(second, second.objects, mine, trial_of, print)
        held = sharing.Sharing(first, first.objects, theirs, trial_of, print)
        assert held.hold(base) == 0.0
        monkeypatch.setattr(sharing, "POLL_SECONDS", 60.0)
        assert ours.hold(base) == 60.0 and 0 < ours.hold(base) <= 60.0
        ours._next.clear()
        key = sharing.pretrain_key(trial_of[base.id])
        with first.store.writing(key) as draft:
            (draft / "momentum.safetensors").write_bytes(b"trained there")
        held.ended(base)
        assert ours.hold(base) == 0.0 and (second.store.path(key) / "momentum.safetensors").exists()


def test_a_result_that_others_have_sent_meanwhile_takes_the_place_of_ours(machine):
    first, second = machine("a"), machine("b")
    for home, content in ((first, b"first"), (second, b"second")):
        with home.store.writing("ab" * 32) as draft:
            (draft / "found.json").write_bytes(content)
        with Leases(home.objects) as leases:
            sharing.Sharing(home, home.objects, leases, {}, print).give()
    assert (second.store.path("ab" * 32) / "found.json").read_bytes() == b"first"


def test_a_run_goes_on_without_the_object_store_and_the_next_one_sends_what_it_missed(machine, monkeypatch):
    first, hears = machine("a"), Hears()
    with monkeypatch.context() as patch:
        patch.setattr(type(first.objects), "create", lambda *_: (_ for _ in ()).throw(Away("it is away")))
        submit.execute(TRIALS, first, Here(), [hears])
    assert len(records(first)) == 2 and first.objects.fs.find(first.objects.root) == []
    assert hears.words[0] == "it is away. Trials go on; what it misses is sent later" and len(hears.words) == 2
    assert hears.words[1] == f"results are only in {first.root}: the next command with --home a sends them"
    submit.execute(TRIALS, first, Here(), [hears])
    other = Here()
    submit.execute(TRIALS, machine("b"), other, [])
    assert other.began == [] and len(hears.words) == 2
