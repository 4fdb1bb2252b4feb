"""The loop that every executor shares, on an engine and a clock that are made up."""

import itertools
from types import SimpleNamespace

from prunemark.benchmark.run.drive import drive
from prunemark.benchmark.run.jobs import Job


def silent(now, waited, begun):
    """An engine whose only job never says a word: the clock goes on by as long as it is listened to."""

    def listen(tell, at_most):
        waited.append(at_most)
        now[0] += at_most
        return []

    return SimpleNamespace(
        room=lambda: 1 - len(begun), running=lambda: [job.id for job in begun], listen=listen,
        start=lambda jobs: begun.extend(jobs) or [], stop=begun.clear,
    )  # fmt: skip


def test_a_job_that_says_nothing_is_ended_when_the_time_is_over():
    now, waited, begun = [100.0], [], []
    job = Job("a", "support.executor_jobs:double", (1,))
    drive([job], lambda event: None, silent(now, waited, begun), (), clock=lambda: now[0], stop_at=107.5)
    assert waited == [7.5] and begun == []


def test_a_job_that_another_machine_is_at_waits_and_the_others_do_not():
    """Asked again after as many seconds as it was told to wait."""
    jobs = {name: Job(name, "support.executor_jobs:double", (1,)) for name in ("held", "free")}
    begun, waited, left, ended = [], [], iter((2.0, 2.0, 0.0)), itertools.count()

    def listen(tell, at_most):
        waited.append(at_most)
        return [(jobs[name], None) for name in begun[next(ended) :][:1]]

    engine = SimpleNamespace(
        room=lambda: 1, running=lambda: [], start=lambda ready: begun.extend(job.id for job in ready) or [],
        listen=listen, stop=lambda: None,
    )  # fmt: skip
    drive(list(jobs.values()), lambda event: None, engine, (), hold=lambda job: next(left) if job.id == "held" else 0.0)
    assert begun == ["free", "held"] and waited == [2.0, 2.0, None]
