"""Published repeats of one network and recipe, and results that lie implausibly far from them."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

from prunemark.audit.document.entry import Entry
from prunemark.audit.document.metrics import METRICS
from prunemark.audit.judgement.network_totals import OF_CIFAR_WITH_BN
from prunemark.audit.judgement.odd_numbers import names_of
from prunemark.setups.factors import COMPRESSION_TOLERANCE, LR_TOLERANCE_LOG10, plain_name
from prunemark.setups.values import known

LEAST_SD_PP = 0.20
FAR_SDS, FAR_PP = 5.0, 1.0
"""A result is implausible where it lies further off than both: so many standard deviations, and so many points."""


@dataclass(frozen=True)
class Repeats:
    """Runs of one recipe: their mean (percent), sd (points) and number, and what they are runs of."""

    row: str
    source: str
    dataset: str
    network: str
    method: str
    kind: str
    speedup: float | None
    sparsity: float | None
    pretraining_epochs: float | None
    retraining_epochs: float
    initial_lr: float
    mean: float
    sd: float
    runs: int


@cache
def published_repeats() -> tuple[Repeats, ...]:
    """All of the published results that are means of at least two runs, under a stated schedule."""
    text = (files("prunemark.audit.literature") / "published" / "results.csv").read_text(encoding="utf-8")
    lines = csv.reader(text.splitlines())
    head = next(lines)
    place = head.index("std")
    found = (_repeats(dict(zip(head, line, strict=True))) for line in lines if line[place] not in ("", "NaN"))
    return tuple(repeats for repeats in found if repeats)


def _repeats(row: dict[str, str]) -> Repeats | None:
    runs = _number(row["n_runs"].lstrip(">= ").split(" ")[0])
    scratch = row["kind"] == "scratch"
    epochs = _number(row["total_epochs" if scratch else "ft_epochs"])
    mean, sd, initial = (_number(row[name]) for name in ("pruned_top1", "std", "ft_lr_initial"))
    if runs is None or runs < 2 or epochs is None or mean is None or sd is None or initial is None:
        return None
    return Repeats(
        row["row_id"], f"{row['source_key']}, {row['locator']}", plain_name(row["dataset"]), plain_name(row["network"]),
        plain_name(row["method"]), row["kind"], _number(row["speedup"]), _number(row["sparsity_pct"]),
        _number(row["pretrain_epochs"]), epochs, initial, mean, sd, round(runs),
    )  # fmt: skip


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


@lru_cache(maxsize=4096)
def far_from_repeats(entry: Entry) -> tuple[str, ...]:
    """A remark on a result far from all repeats of its network, method, compression and schedule, with the nearest."""
    top1 = known(entry["result.top1"].value)
    if top1 is None:
        return ()
    alike = [repeats for repeats in published_repeats() if _same_recipe(entry, repeats)]
    if not alike:
        return ()
    nearest = min(alike, key=lambda repeats: abs(top1 - repeats.mean))
    sd = max(nearest.sd, LEAST_SD_PP, *_priors(nearest))
    away = top1 - nearest.mean
    if abs(away) <= max(FAR_SDS * sd * math.sqrt(1 + 1 / nearest.runs), FAR_PP):
        return ()
    return (
        f"{entry.name}: {top1:g} lies {abs(away):.2f} points {'above' if away > 0 else 'below'} {nearest.runs} or more "
        f"published runs of the same method, compression and schedule: {nearest.mean:g} with an sd of {nearest.sd:g} "
        f"({nearest.row}: {nearest.source})",
    )


def _priors(repeats: Repeats) -> list[float]:
    network = OF_CIFAR_WITH_BN.get(repeats.network, repeats.network)
    return [sd for data, net, sd in METRICS["top1"].priors if (data, net) == (repeats.dataset, network)]


def _same_recipe(entry: Entry, repeats: Repeats) -> bool:
    if names_of(entry) != (repeats.dataset, repeats.network) or entry.kind != repeats.kind:
        return False
    if plain_name(entry.method) not in (repeats.method, repeats.method.removesuffix("norm")):
        return False
    epochs, initial = known(entry["retraining.epochs"].value), entry["retraining.lr"].first
    before = known(entry["pretraining.epochs"].value)
    if before is not None and repeats.pretraining_epochs is not None and before != repeats.pretraining_epochs:
        return False
    if epochs != repeats.retraining_epochs or not initial or not repeats.initial_lr:
        return False
    if abs(math.log10(initial / repeats.initial_lr)) > LR_TOLERANCE_LOG10:
        return False
    speedup, sparsity = (known(entry[name].value) for name in ("speedup", "sparsity"))
    if speedup is not None and repeats.speedup is not None:
        return abs(float(speedup) / repeats.speedup - 1) <= COMPRESSION_TOLERANCE
    if sparsity is not None and repeats.sparsity is not None:
        return abs(100 * float(sparsity) - repeats.sparsity) <= 0.5
    return False
