"""LR schedules: what the learning rate is in each epoch, in the notation of the founding paper.

``0:1e-2,30:1e-3,60:1e-4`` means: 0.01 from epoch 0, 0.001 from epoch 30, 0.0001 from epoch 60. Two
schedules are equal when their per-epoch vectors are, however they were written (arXiv:2301.05219, app. A).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Literal

from prunemark.setups.errors import InputError
from prunemark.setups.text import as_given

ScheduleShape = Literal["step", "cosine", "one-cycle"]
MAX_EPOCHS = 100_000
ONE_CYCLE_RISE, ONE_CYCLE_START, ONE_CYCLE_END = 0.3, 1 / 25, 1e-4  # torch.optim.lr_scheduler.OneCycleLR


@dataclass(frozen=True, eq=False)
class LRSchedule:
    """One LR per epoch, for `epochs` epochs.

    `points` are (epoch, LR) milestones of a step schedule; a cosine has its initial and final LR at the
    two ends, a one-cycle its peak. During the first `warmup_epochs` the LR rises linearly to the value
    the schedule has without warm-up. Raises InputError when the milestones do not make a schedule.
    """

    kind: ScheduleShape
    epochs: int
    points: tuple[tuple[int, float], ...]
    warmup_epochs: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.epochs <= MAX_EPOCHS:
            raise InputError(f"an LR schedule lasts 0 to {MAX_EPOCHS} epochs; given {self.epochs}")
        if not 0 <= self.warmup_epochs <= self.epochs:
            raise InputError(f"warm-up of {self.warmup_epochs} epochs does not fit into {self.epochs} epochs")
        if not self.points or self.points[0][0] != 0:
            raise InputError("an LR schedule starts at epoch 0, as in 0:1e-2,30:1e-3")
        if any(not (math.isfinite(lr) and lr >= 0) for _, lr in self.points):
            raise InputError("an LR is a finite number, not negative")
        epochs = [epoch for epoch, _ in self.points]
        if any(later <= earlier for earlier, later in pairwise(epochs)):
            raise InputError(f"LR milestones must increase; given {', '.join(map(str, epochs))}")
        last_allowed = self.epochs - 1 if self.kind == "step" else self.epochs
        if epochs[-1] > max(last_allowed, 0):
            raise InputError(f"the LR milestone at epoch {epochs[-1]} lies past the end ({self.epochs} epochs)")

    @cached_property
    def vector(self) -> tuple[float, ...]:
        """The LR of every epoch; shape (epochs,)."""
        plain = [_PLAIN[self.kind](self, epoch) for epoch in range(self.epochs)]
        for epoch in range(self.warmup_epochs):
            plain[epoch] *= (epoch + 1) / (self.warmup_epochs + 1)
        return tuple(plain)

    @property
    def initial(self) -> float:
        """The LR the notation names first (the peak, for one-cycle)."""
        return self.points[0][1]

    @property
    def final(self) -> float:
        """The LR of the last epoch, which Rule 1 wants equal between compared runs."""
        return self.vector[-1] if self.vector else self.initial

    @property
    def first_drop(self) -> int:
        """The first epoch whose LR is lower than the one before; `epochs` when it never drops."""
        pairs = pairwise(self.vector)
        return next((epoch + 1 for epoch, (now, then) in enumerate(pairs) if then < now), self.epochs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LRSchedule) and self.vector == other.vector

    def __hash__(self) -> int:
        return hash(self.vector)

    def __str__(self) -> str:
        return self._notation

    @cached_property
    def _notation(self) -> str:
        if self.kind == "step":
            text = ",".join(f"{epoch}:{format_lr(lr)}" for epoch, lr in self.points)
        elif self.kind == "cosine":
            text = f"cosine:{format_lr(self.points[0][1])}->{format_lr(self.points[-1][1])}"
        else:
            text = f"one-cycle:{format_lr(self.initial)}"
        return text + (f"+warmup{self.warmup_epochs}" if self.warmup_epochs else "")

    def close_to(self, other: LRSchedule, *, tolerance_log10: float = 0.02) -> bool:
        """Whether both last as long and no epoch's LR differs by more than the tolerance in log10."""
        if self.epochs != other.epochs:
            return False
        if self.vector == other.vector:
            return True
        return all(_close(a, b, tolerance_log10) for a, b in zip(self.vector, other.vector, strict=True))

    def stretched(self, epochs: int) -> LRSchedule:
        """The same schedule over another number of epochs: milestones keep their relative place.

        Raises InputError when two milestones would fall on one epoch.
        """
        scale = epochs / self.epochs if self.epochs else 1.0
        points = tuple((round(epoch * scale), lr) for epoch, lr in self.points)
        return replace(self, epochs=epochs, points=points, warmup_epochs=round(self.warmup_epochs * scale))


def _close(a: float, b: float, tolerance_log10: float) -> bool:
    if a <= 0 or b <= 0:
        return a == b
    return abs(math.log10(a) - math.log10(b)) <= tolerance_log10


def _step(schedule: LRSchedule, epoch: int) -> float:
    return [lr for start, lr in schedule.points if start <= epoch][-1]


def _cosine(schedule: LRSchedule, epoch: int) -> float:
    first, last = schedule.points[0][1], schedule.points[-1][1]
    return last + (first - last) * (1 + math.cos(math.pi * epoch / schedule.epochs)) / 2


def _one_cycle(schedule: LRSchedule, epoch: int) -> float:
    """Cosine up to the peak, then cosine down (Smith & Topin 2018), read once an epoch."""
    peak, rise = schedule.initial, ONE_CYCLE_RISE * schedule.epochs
    start, end = peak * ONE_CYCLE_START, peak * ONE_CYCLE_START * ONE_CYCLE_END
    if epoch < rise:
        return peak + (start - peak) * (1 + math.cos(math.pi * epoch / rise)) / 2
    return end + (peak - end) * (1 + math.cos(math.pi * (epoch - rise) / (schedule.epochs - rise))) / 2


_PLAIN = {"step": _step, "cosine": _cosine, "one-cycle": _one_cycle}


def format_lr(lr: float) -> str:
    """0.01 -> '1e-2', as the paper prints it; the text reads back as exactly the same number."""
    if lr == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(lr)).normalize().as_tuple()
    if not isinstance(exponent, int) or sign:
        raise InputError(f"an LR is a positive finite number; given {lr}")
    head, tail = str(digits[0]), "".join(map(str, digits[1:]))
    return f"{head}{'.' + tail if tail else ''}e{exponent + len(digits) - 1}"


_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?"
_POINT = re.compile(rf"\s*(\d{{1,6}})\s*:\s*({_NUMBER})\s*", re.ASCII)
_CURVE = re.compile(rf"(cosine|one-cycle):({_NUMBER})(?:->({_NUMBER}))?", re.ASCII)
_WARMUP = re.compile(r"\+warmup(\d{1,6})$", re.ASCII)


def _as_text(given: object) -> str:
    return f'lr="{given:g}"' if isinstance(given, int | float) else 'lr="0:1e-2"'


def parse_schedule(text: str, epochs: int) -> LRSchedule:
    """Reads the paper's notation over `epochs` epochs.

    Forms: ``0:1e-2,30:1e-3`` (or one LR alone, ``1e-3``), ``cosine:1e-2->1e-4`` (``->0`` when left out),
    ``one-cycle:1e-1``, each with ``+warmup5`` behind it. Raises InputError with these forms for any other text.
    """
    if not isinstance(text, str):
        raise InputError(
            f"an LR schedule is a text; given {as_given(text)}.\n"
            f"Write {_as_text(text)}, or 0:1e-2,30:1e-3 or cosine:1e-2->1e-4 or one-cycle:1e-1"
        )
    body, warmup = text.strip(), 0
    if match := _WARMUP.search(body):
        body, warmup = body[: match.start()], int(match.group(1))
    if match := _CURVE.fullmatch(body):
        kind, first, last = match.groups()
        if kind == "cosine":
            return cosine(float(first), float(last or 0), epochs, warmup_epochs=warmup)
        if last is None:
            return LRSchedule("one-cycle", epochs, ((0, float(first)),), warmup)
    if re.fullmatch(_NUMBER, body, re.ASCII):
        body = f"0:{body}"
    points = [_POINT.fullmatch(part) for part in body.split(",")]
    if not all(points):
        raise InputError(
            f"cannot read the LR schedule {text[:80]!r}.\n"
            "Write 0:1e-2,30:1e-3 or cosine:1e-2->1e-4 or one-cycle:1e-1 (+warmup5 may follow)"
        )
    pairs = tuple((int(m.group(1)), float(m.group(2))) for m in points if m)
    return LRSchedule("step", epochs, pairs, warmup)


def cosine(initial: float, final: float, epochs: int, *, warmup_epochs: int = 0) -> LRSchedule:
    """Half a cosine from the initial LR (epoch 0) towards the final LR (reached at epoch `epochs`)."""
    return LRSchedule(
        "cosine",
        epochs,
        ((0, initial), (max(epochs, 1), final)) if epochs else ((0, initial),),
        warmup_epochs,
    )


@lru_cache(maxsize=1024)
def from_vector(vector: tuple[float, ...]) -> LRSchedule:
    """The step schedule that has these per-epoch LRs: how an executed vector is printed.

    Thousands of records share a few schedules: each is made once.
    """
    if not vector:
        return LRSchedule("step", 0, ((0, 1.0),))
    points = [(0, vector[0])]
    points += [(e + 1, b) for e, (a, b) in enumerate(pairwise(vector)) if a != b]
    return LRSchedule("step", len(vector), tuple(points))


def halving(initial: float, final: float, epochs: int, *, factor: float = 0.1, cap: int | None = None) -> LRSchedule:
    """The paper's Rule 2: each LR gets half of the epochs that are left, the last one all of them.

    The LR falls by `factor` from `initial` to `final` (Rule 1: equal final LR). `cap` bounds each stage
    but the last (Rule 3: 30 epochs on ImageNet). An odd rest gives its extra epoch to the larger LR.
    Raises InputError when there are fewer epochs than stages, or `final` is not initial * factor**n.
    """
    drops = round(math.log(final / initial) / math.log(factor)) if 0 < final <= initial and 0 < factor < 1 else -1
    if drops < 0 or not math.isclose(initial * factor**drops, final, rel_tol=1e-6):
        raise InputError(f"the final LR {final} is not the initial LR {initial} times a power of {factor}")
    if cap is not None and cap < 1:
        raise InputError(f"the cap of an LR stage is at least 1 epoch; given {cap}")
    points, start = [], 0
    for stage in range(drops + 1):
        points.append((start, float(Decimal(repr(initial)) * Decimal(repr(factor)) ** stage)))
        half = math.ceil((epochs - start) / 2)
        start += half if cap is None else min(half, cap)
    if points[-1][0] >= epochs > 0:
        raise InputError(f"{epochs} epochs are too few for {drops + 1} LR stages by halving")
    return LRSchedule("step", epochs, tuple(points))


def stepped(initial: float, epochs: int, at: tuple[float, ...] = (0.5, 0.75), factor: float = 0.1) -> LRSchedule:
    """The LR multiplied by `factor` at each share of the epochs, as papers say it: "a tenth at 50 % and 75 %".

    A drop that falls into the middle of an epoch waits for the next; one that no epoch is left for is left out.
    """
    points = {0: initial}
    for drop, share in enumerate(at, start=1):
        if (epoch := math.ceil(share * epochs)) < epochs:
            points[epoch] = float(Decimal(repr(initial)) * Decimal(repr(factor)) ** drop)
    return LRSchedule("step", epochs, tuple(points.items()))
