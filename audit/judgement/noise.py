"""The gap against run-to-run noise: a 95 % Welch interval, for every reading of the printed numbers.

A missing standard deviation is never 0: it comes from this project's own repeats if there are any, else from
what repeated published runs of the same network showed (`PRIORS`, labelled so), else it is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from prunemark.audit.document.metrics import METRICS, Metric
from prunemark.audit.document.names import canonical
from prunemark.audit.document.reported_values import ReportedValue, bounds
from prunemark.audit.document.selection_words import BEST_EPOCH
from prunemark.audit.judgement.network_totals import OF_CIFAR_WITH_BN
from prunemark.audit.judgement.selection import (
    BEST_EPOCH_GAIN_PP,
    best_of_sds,
    is_best_of,
    runs_of,
    selection_of,
)
from prunemark.audit.judgement.t_distribution import quantile, two_sided_p
from prunemark.setups.factors import plain_name
from prunemark.setups.values import NOT_REPORTED, known

CONFIDENCE = 0.95
OF_CIFAR = ("cifar10", "cifar100")
Position = Literal["above", "below", "within", "mixed", "unknown"]
OwnRepeats = Mapping[tuple[str, str], float]


@dataclass(frozen=True)
class Arm:
    """One side's value and noise: `sd` of `runs` runs, in units of the metric; `df` infinite for a prior.

    `score`, `base` and `drop` are such that more is better (a perplexity is negated). Where sources dispute the
    value, or give a range, `score` is the best and `spread` says how far below it the worst lies. `drop` is what was
    lost: as printed, or base minus result. `stated_sd` says whether an sd over two or more runs is stated, or this
    project's own.
    """

    score: float | None
    base: float | None
    drop: float | None
    sd: float | None
    runs: float
    df: float
    source: str
    runs_reported: bool
    best_of: float = 0.0
    best_epoch: bool = False
    ambiguous_sd: bool = False
    spread: float = 0.0
    stated_sd: bool = False


@dataclass(frozen=True)
class Reading:
    """One way to read the printed numbers: the difference in points and its interval.

    `t` has `df` degrees of freedom. `decisive` readings all have to agree with a claim; the others are only shown.
    """

    name: str
    points: float
    low: float
    high: float
    t: float
    df: float
    decisive: bool = True

    @property
    def p(self) -> float:
        """Two-sided; computed when it is asked for, which takes longer than all the rest."""
        return two_sided_p(self.t, self.df)


@dataclass(frozen=True)
class Gap:
    """How much better the winner is, in units of the metric; `readings` is empty when a value or the noise is missing.

    `inflation` is what selection may have added to the winner and not to the loser. `without_drop` says that the drop
    has to be looked at, and cannot be formed.
    """

    points: float | None
    readings: tuple[Reading, ...]
    sd_source: str
    sd: float | None
    arms: tuple[Arm, Arm] | None = None
    inflation: float = 0.0
    without_drop: bool = False

    @property
    def main(self) -> Reading | None:
        """The plain reading, which is shown first."""
        return self.readings[0] if self.readings else None

    @property
    def asides(self) -> tuple[Reading, ...]:
        """What is shown and decides nothing: a printed sd as something else, the gap less what selection adds."""
        if self.arms is None or self.main is None:
            return ()
        found = []
        if not any(arm.ambiguous_sd for arm in self.arms):
            found += _spread_readings((self.main.name, self.main.points), *self.arms)
        if self.inflation > 0:
            name = f"{self.main.name}, less what selection adds ({self.inflation:.2f})"
            found.append(_reading(name, self.main.points - self.inflation, *self.arms, decisive=False))
        return tuple(found)

    def besides_main(self, threshold: float = 0.0) -> Reading | None:
        """The reading that makes the gap one within noise where the plain one does not; else None."""
        main = self.main
        if main is None or main.low <= threshold <= main.high:
            return None
        return next((r for r in self.readings if r.decisive and r.low <= threshold <= r.high), None)

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
    metric: Metric = METRICS["top1"],
    selection: Any = None,
) -> Arm:
    """What a result says of its noise, or what stands in for it. `selection` is its entry's, where it has none."""
    value, sd_value, plus_minus, printed = (
        _stated(result, f"result.{metric.name}{tail}") for tail in ("", "_sd", "_plus_minus", "_drop_printed")
    )
    chosen = _stated(result, "result.selection").value
    chosen = selection if chosen == NOT_REPORTED and selection is not None else chosen
    reported = _stated(result, "result.runs")
    runs = runs_of(reported.value)
    spread, ambiguous = _spread(sd_value), False
    if spread is None:
        spread = _spread(plus_minus)
        ambiguous = spread is not None
    count = 1.0 if is_best_of(chosen) else (runs or 1.0)
    if spread is not None:
        sd, source = max(spread, _half_unit(sd_value, plus_minus)), "stated"
        df = count - 1 if count >= 2 else math.inf
    else:
        sd_or_none, source = _stand_in(dataset, network, own or {}, metric)
        sd, df = sd_or_none if sd_or_none is not None else math.nan, math.inf
    worst, best = _oriented(_closed(value.value), metric)
    before = known(base.value) if base is not None and base.stated else None
    before = None if before is None else metric.sign * before
    alone = best is not None and best == worst
    drop = before - best if alone and before is not None and best is not None else known(printed.value)
    return Arm(
        best, before, drop, None if math.isnan(sd) else sd, count, df, source, reported.value != NOT_REPORTED,
        best_of_sds(chosen, runs), metric.name == "top1" and selection_of(chosen) == BEST_EPOCH, ambiguous,
        (best or 0.0) - (worst or 0.0), source == "own-repeats" or (source == "stated" and (runs or 0) >= 2),
    )  # fmt: skip


_SILENT = ReportedValue()


def _stated(result: Mapping[str, ReportedValue], name: str) -> ReportedValue:
    """What a source states; a default of published code states nothing."""
    found = result.get(name, _SILENT)
    return found if found.stated else _SILENT


def _oriented(ends: tuple[float, float] | None, metric: Metric) -> tuple[float | None, float | None]:
    """(the worst, the best) of a value, more being better."""
    if ends is None:
        return None, None
    low, high = ends
    return (low, high) if metric.higher_is_better else (-high, -low)


def _closed(value: Any) -> tuple[float, float] | None:
    """The lowest and the highest number that is reported; None where one end is open."""
    ends = bounds(value)
    return ends if ends and math.isfinite(ends[1]) else None


def _spread(value: ReportedValue) -> float | None:
    """A standard deviation; of several, the largest."""
    ends = _closed(value.value)
    return ends[1] if ends else None


def _half_unit(sd: ReportedValue, plus_minus: ReportedValue) -> float:
    """A printed sd of 0.00 means less than half its last digit, not that there is no noise."""
    return sd.half or plus_minus.half or 0.005


def _stand_in(dataset: Any, network: Any, own: OwnRepeats, metric: Metric) -> tuple[float | None, str]:
    data = plain_name(canonical("datasets", str(known(dataset) or "")))
    net = plain_name(canonical("networks", str(known(network) or "")))
    if metric.name == "top1" and (data, net) in own:
        return own[(data, net)], "own-repeats"
    if data in OF_CIFAR:  # the VGG-19 of the repeats has batch norm, and its paper calls it VGG-19
        net = OF_CIFAR_WITH_BN.get(net, net)
    prior = next((sd for a, b, sd in metric.priors if (a, b) == (data, net)), None)
    return (prior, "prior") if prior is not None else (None, "unknown")


def gap(winner: Arm, loser: Arm, by_drop: bool) -> Gap:
    """How much better the winner is, by the value and, if `by_drop`, by the drop; by drops alone without a value."""
    quantities = _quantities(winner, loser, by_drop)
    missing = by_drop and (winner.drop is None or loser.drop is None)
    sources = sorted({winner.source, loser.source})
    source = "unknown" if "unknown" in sources else " and ".join(sources)
    if not quantities:
        return Gap(None, (), source, None, without_drop=missing)
    if winner.sd is None or loser.sd is None:
        return Gap(quantities[0][1], (), "unknown", None, without_drop=missing)
    pooled = math.sqrt((winner.sd**2 + loser.sd**2) / 2)
    readings = [_reading(name, points, winner, loser) for name, points in quantities]
    if winner.ambiguous_sd or loser.ambiguous_sd:
        readings += _spread_readings(quantities[0], winner, loser)
    added = _inflation(winner, loser)
    return Gap(quantities[0][1], tuple(readings), source, pooled, (winner, loser), added, missing)


def _quantities(winner: Arm, loser: Arm, by_drop: bool) -> list[tuple[str, float]]:
    found = []
    if winner.score is not None and loser.score is not None:
        found.append(("accuracy", winner.score - loser.score))
    if (by_drop or not found) and winner.drop is not None and loser.drop is not None:
        found.append(("drop", loser.drop - winner.drop))
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
    t = points / error if error > 0 else (0.0 if points == 0 else math.inf)
    return Reading(name, points, points - half, points + half, t, df, decisive)


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
