"""The gap against run-to-run noise: a 95 % Welch interval, for every reading of the printed numbers.

A missing standard deviation is never 0: it comes from this project's own repeats if there are any, else from
what repeated published runs of the same network showed (`PRIORS`, labelled so), else it is unknown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from prunemark.audit.document.reported_values import ReportedValue, bounds
from prunemark.audit.judgement.t_distribution import quantile, two_sided_p
from prunemark.setups.factors import plain_name
from prunemark.setups.values import NOT_REPORTED, Between, Conflict, known

PRIORS: dict[tuple[str, str], float] = {
    ("imagenet", "resnet50"): 0.16,
    ("cifar10", "resnet56"): 0.20,
    ("cifar100", "vgg19"): 0.19,
    ("imagenet", "resnet34"): 0.17,
}
"""Run-to-run standard deviation in points by (dataset, network), pooled from `published/noise_priors.csv`."""

BEST_OF: dict[int, float] = {2: 0.56, 3: 0.85, 4: 1.03, 5: 1.16, 6: 1.27, 7: 1.35, 8: 1.42, 9: 1.49, 10: 1.54}
"""Expected maximum of k standard normal numbers: how many sds the best of k runs lies above the mean of one."""

BEST_EPOCH_GAIN_PP = 0.29
"""The most that choosing the epoch on the test split added in eight logged runs (the least was 0.01)."""

CONFIDENCE = 0.95
Position = Literal["above", "below", "within", "mixed", "unknown"]
OwnRepeats = Mapping[tuple[str, str], float]


@dataclass(frozen=True)
class Arm:
    """One side's accuracy (percent) and noise: `sd` in points of `runs` runs; `df` infinite for a prior.

    Where sources dispute the accuracy, or give a range, `top1` is the highest and `spread` says how far below
    it the lowest lies.
    """

    top1: float | None
    base: float | None
    sd: float | None
    runs: float
    df: float
    source: str
    runs_reported: bool
    best_of: float = 0.0
    best_epoch: bool = False
    ambiguous_sd: bool = False
    spread: float = 0.0


@dataclass(frozen=True)
class Reading:
    """One way to read the printed numbers: the difference in points and its interval.

    `decisive` readings all have to agree with a claim; the others are only shown. `p` is two-sided.
    """

    name: str
    points: float
    low: float
    high: float
    p: float
    decisive: bool = True


@dataclass(frozen=True)
class Gap:
    """Winner minus loser. `readings` is empty when an accuracy or all knowledge of noise is missing."""

    points: float | None
    readings: tuple[Reading, ...]
    sd_source: str
    sd: float | None
    arms: tuple[Arm, Arm] | None = None

    @property
    def main(self) -> Reading | None:
        """The plain reading, which is shown first."""
        return self.readings[0] if self.readings else None

    @property
    def asides(self) -> tuple[Reading, ...]:
        """What the interval would be if a printed sd were something else: shown, but it decides nothing."""
        if self.arms is None or self.main is None or any(arm.ambiguous_sd for arm in self.arms):
            return ()
        return tuple(_spread_readings((self.main.name, self.main.points), *self.arms))

    def position(self, threshold: float = 0.0) -> Position:
        """Where the difference lies from a threshold in points, by all decisive readings together."""
        decisive = [r for r in self.readings if r.decisive]
        if not decisive:
            return "unknown"
        if any(r.low <= threshold <= r.high for r in decisive):
            return "within"
        if all(r.low > threshold for r in decisive):
            return "above"
        return "below" if all(r.high < threshold for r in decisive) else "mixed"


def make_arm(
    result: Mapping[str, ReportedValue],
    base: ReportedValue | None,
    dataset: Any,
    network: Any,
    own: OwnRepeats | None = None,
) -> Arm:
    """What a result says of its own noise, or what stands in for it."""
    runs = _runs(result["result.runs"].value)
    selection = selection_of(result["result.selection"].value)
    spread, ambiguous = _spread(result["result.top1_sd"]), False
    if spread is None:
        spread = _spread(result["result.top1_plus_minus"])
        ambiguous = spread is not None
    count = 1.0 if selection == "best_of_runs" else (runs or 1.0)
    best_of = _best_of(_counted(result["result.selection"].value) or runs) if selection == "best_of_runs" else 0.0
    if spread is not None:
        sd, source = max(spread, _half_unit(result)), "stated"
        df = count - 1 if count >= 2 else math.inf
    else:
        sd_or_none, source = _stand_in(dataset, network, own or {})
        sd, df = sd_or_none if sd_or_none is not None else math.nan, math.inf
    lowest, highest = _closed(result["result.top1"].value) or (None, None)
    return Arm(
        highest, known(base.value) if base else None,
        None if math.isnan(sd) else sd, count, df, source, result["result.runs"].value != NOT_REPORTED,
        best_of, selection == "best_epoch_on_test", ambiguous, (highest or 0.0) - (lowest or 0.0),
    )  # fmt: skip


def _closed(value: Any) -> tuple[float, float] | None:
    """The lowest and the highest number that is reported; None where one end is open."""
    ends = bounds(value)
    return ends if ends and math.isfinite(ends[1]) else None


def _spread(value: ReportedValue) -> float | None:
    """A standard deviation; of several, the largest."""
    ends = _closed(value.value)
    return ends[1] if ends else None


def _runs(value: Any) -> float | None:
    """How many runs there were at least."""
    if isinstance(value, Between):
        return max(value.low, 1.0)
    if isinstance(value, Conflict):
        return min((runs for choice in value.choices if (runs := _runs(choice)) is not None), default=None)
    return known(value)


def _best_of(runs: float | None) -> float:
    """Of an unknown number of runs, ten are assumed: the claim has to survive that."""
    count = round(runs) if runs else 10
    return 0.0 if count <= 1 else BEST_OF.get(count, BEST_OF[10])


def _half_unit(result: Mapping[str, ReportedValue]) -> float:
    """A printed sd of 0.00 means less than half its last digit, not that there is no noise."""
    decimals = result["result.top1_sd"].decimals or result["result.top1_plus_minus"].decimals
    return 0.5 * 10.0 ** -(decimals if decimals else 2)


def _stand_in(dataset: Any, network: Any, own: OwnRepeats) -> tuple[float | None, str]:
    key = (plain_name(str(known(dataset) or "")), plain_name(str(known(network) or "")))
    if key in own:
        return own[key], "own-repeats"
    return (PRIORS[key], "prior") if key in PRIORS else (None, "unknown")


_BEST_OF_K = re.compile(r"best_of_(\d{1,4})(?:_(?:runs|seeds|trials))?", re.ASCII)
_SELECTIONS = {
    "mean": "last", "last": "last", "last_epoch": "last", "final": "last", "final_epoch": "last",
    "mean_of_runs": "last", "median": "last", "best_epoch": "best_epoch_on_test", "best": "best_epoch_on_test",
    "best_epoch_on_test": "best_epoch_on_test", "best_on_test": "best_epoch_on_test",
    "best_of_runs": "best_of_runs", "best_run": "best_of_runs", "max_of_runs": "best_of_runs",
}  # fmt: skip


def selection_of(value: Any) -> str | None:
    """How the reported number was chosen: last, best_epoch_on_test, best_of_runs, or another word as it stands."""
    plain = _plain(value)
    return "best_of_runs" if plain and _BEST_OF_K.fullmatch(plain) else _SELECTIONS.get(plain or "", plain)


def _counted(value: Any) -> float | None:
    """The k of a selection that is called best of k."""
    match = _BEST_OF_K.fullmatch(_plain(value) or "")
    return float(match.group(1)) if match else None


def _plain(value: Any) -> str | None:
    text = known(value)
    return None if text is None else str(text).strip().lower().replace("-", "_").replace(" ", "_")


def gap(winner: Arm, loser: Arm, by_drop: bool) -> Gap:
    """Winner minus loser in points, by accuracy and, if `by_drop` and both bases are known, by drop."""
    quantities = _quantities(winner, loser, by_drop)
    sources = sorted({winner.source, loser.source})
    source = "unknown" if "unknown" in sources else " and ".join(sources)
    if not quantities:
        return Gap(None, (), source, None)
    if winner.sd is None or loser.sd is None:
        return Gap(quantities[0][1], (), "unknown", None)
    pooled = math.sqrt((winner.sd**2 + loser.sd**2) / 2)
    readings = [_reading(name, points, winner, loser) for name, points in quantities]
    if winner.ambiguous_sd or loser.ambiguous_sd:
        readings += _spread_readings(quantities[0], winner, loser)
    if (inflation := _inflation(winner, loser)) > 0:
        name, points = f"{quantities[0][0]}, less what selection adds ({inflation:.2f})", quantities[0][1] - inflation
        readings.append(_reading(name, points, winner, loser))
    return Gap(quantities[0][1], tuple(readings), source, pooled, (winner, loser))


def _quantities(winner: Arm, loser: Arm, by_drop: bool) -> list[tuple[str, float]]:
    found = []
    if winner.top1 is not None and loser.top1 is not None:
        found.append(("accuracy", winner.top1 - loser.top1))
        if by_drop and winner.base is not None and loser.base is not None:
            found.append(("drop", (winner.top1 - winner.base) - (loser.top1 - loser.base)))
    if winner.spread or loser.spread:  # the claim has to hold for all that is reported
        worst = [(f"{name}, at the least", points - winner.spread) for name, points in found]
        return worst + [(f"{name}, at the most", points + loser.spread) for name, points in found]
    return found


def _reading(
    name: str, points: float, winner: Arm, loser: Arm, scales: tuple[float, float] = (1, 1), decisive: bool = True
) -> Reading:
    parts = [((arm.sd or 0.0) * scale) ** 2 / arm.runs for arm, scale in zip((winner, loser), scales, strict=True)]
    error = math.sqrt(sum(parts))
    bottom = sum(part**2 / arm.df for part, arm in zip(parts, (winner, loser), strict=True))
    df = sum(parts) ** 2 / bottom if bottom > 0 else math.inf
    half = quantile(CONFIDENCE, df) * error
    p = two_sided_p(points / error, df) if error > 0 else float(points == 0)
    return Reading(name, points, points - half, points + half, p, decisive)


def _spread_readings(quantity: tuple[str, float], winner: Arm, loser: Arm) -> list[Reading]:
    """A printed +- may be a standard error or the population sd. Decisive only where the source does not say."""
    found = []
    stated = [arm for arm in (winner, loser) if arm.source == "stated" and arm.runs >= 2]
    if not stated:
        return []
    ambiguous = any(arm.ambiguous_sd for arm in stated)
    for name, factor in (("standard error", math.sqrt), ("population sd", lambda n: math.sqrt(n / (n - 1)))):
        scales = tuple(factor(arm.runs) if arm in stated else 1.0 for arm in (winner, loser))
        found.append(_reading(f"if +- is a {name}", quantity[1], winner, loser, scales, ambiguous))  # type: ignore[arg-type]
    return found


def _inflation(winner: Arm, loser: Arm) -> float:
    """What selection may have added to the winner and not to the loser, in points."""
    best_of = (winner.sd or 0.0) * winner.best_of - (loser.sd or 0.0) * loser.best_of
    best_epoch = BEST_EPOCH_GAIN_PP if winner.best_epoch and not loser.best_epoch else 0.0
    return max(0.0, best_of) + best_epoch


def runs_needed(sd: float, points: float) -> int | None:
    """Runs per arm that would find this gap: ceil(2 (1.96 + 0.84)^2 sd^2 / gap^2), at 80 % power, at least 2."""
    if points == 0:
        return None
    needed = 2 * (1.96 + 0.84) ** 2 * sd**2 / points**2
    return max(2, math.ceil(needed)) if needed < 1e6 else None
