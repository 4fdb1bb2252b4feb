"""The steps of a pruning schedule: how far towards the target each of them goes."""

from __future__ import annotations

SCHEDULES = "one-shot|(rounds|agp):[1-9][0-9]{0,2}"


def shares_of(schedule: str) -> tuple[float, ...]:
    """How far towards the target each step of a pruning schedule goes: increasing, the last one 1.

    `agp:K` is the cubic ramp of Zhu & Gupta (2017), eq. 1, from zero. Raises ValueError for any other word.
    """
    kind, _, number = schedule.partition(":")
    if kind == "one-shot" and not number:
        return (1.0,)
    if kind in ("rounds", "agp") and number.isascii() and number.isdigit() and 1 <= len(number) <= 3 and int(number):
        steps = int(number)
        linear = [step / steps for step in range(1, steps + 1)]
        return tuple(linear if kind == "rounds" else [1 - (1 - t) ** 3 for t in linear])
    raise ValueError(f"a schedule is one-shot, rounds:K or agp:K with K from 1 to 999; got {schedule!r}")
