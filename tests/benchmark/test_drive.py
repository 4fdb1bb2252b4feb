"""The loop that every executor shares, on an engine and a clock that are made up."""

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
