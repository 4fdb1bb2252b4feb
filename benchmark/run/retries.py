"""When a job that the machine ended is tried again, and when no more.

What a disk, memory, a GPU or a killed process did to a job is no result: it is tried again after a pause. Whether it
was the machine, the next try says better than the type of the error.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PAUSES_SECONDS = (1.0, 5.0, 25.0)


@dataclass
class Retries:
    """The tries of the jobs of one run. `pauses_seconds` are the waits between them; after the last one it is lost."""

    pauses_seconds: tuple[float, ...] = PAUSES_SECONDS
    _tries: dict[str, int] = field(default_factory=dict)
    _not_before: dict[str, float] = field(default_factory=dict)
    _troubled: set[str] = field(default_factory=set)

    def again(self, job: str, now: float) -> float | None:
        """The job was ended: the pause in seconds before it is tried again; None when it is lost."""
        tried = self._tries.get(job, 0)
        if tried >= len(self.pauses_seconds):
            return None
        self._tries[job] = tried + 1
        self._not_before[job] = now + self.pauses_seconds[tried]
        self._troubled.add(job)
        return self.pauses_seconds[tried]

    def wait_seconds(self, job: str, now: float) -> float:
        """How long until it may start; 0 for a job that has not been ended."""
        return max(self._not_before.get(job, now) - now, 0.0)

    def went_well(self) -> None:
        """Some job was done: the machine can do work, whatever it did to the others."""
        self._troubled.clear()

    def is_the_machine(self, *jobs: str) -> bool:
        """Of a job that is lost and those that run: whether all were ended before, and none was done since."""
        return set(jobs) <= self._troubled
