"""Does what an entry prints agree with itself? A contradiction taints only the claims that use it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from prunemark.audit.document.entry import Entry
from prunemark.audit.document.metrics import METRICS, Metric
from prunemark.audit.document.names import canonical
from prunemark.audit.document.reported_values import ReportedValue, bounds
from prunemark.audit.judgement.assessed_pair import AssessedPair
from prunemark.audit.judgement.compressed import over, ratio_of_share
from prunemark.setups.factors import COMPRESSION_TOLERANCE, plain_name, show
from prunemark.setups.values import Between, Leaf, State, known

PARAMS_TOLERANCE = 0.03  # relative: with or without batch norm, biases and a classifier of 100 or 1000 classes
KNOWN_PARAMS_MILLIONS: dict[tuple[str, str], float] = {
    ("imagenet", "resnet18"): 11.69,
    ("imagenet", "resnet34"): 21.80,
    ("imagenet", "resnet50"): 25.56,
    ("imagenet", "resnet101"): 44.55,
    ("imagenet", "vgg16"): 138.36,
    ("imagenet", "vgg16bn"): 138.37,
    ("imagenet", "mobilenetv2"): 3.50,
    ("cifar10", "resnet20"): 0.27,
    ("cifar10", "resnet56"): 0.86,
    ("cifar10", "resnet110"): 1.73,
    ("cifar10", "vgg16"): 14.99,
    ("cifar10", "vgg16bn"): 14.99,
    ("cifar100", "vgg19"): 20.09,
    ("cifar100", "vgg19bn"): 20.09,
}
"""Parameters of the dense network in millions, as torchvision and the CIFAR definitions (He et al. 2016) have them."""


@lru_cache(maxsize=4096)
def contradictions(entry: Entry) -> tuple[str, ...]:
    """What contradicts itself in an entry, in words that name the numbers; empty for a sound record."""
    drops = [
        fault
        for metric in METRICS.values()
        for fault in contradicted_drop(entry.name, entry.reported, entry[f"base.{metric.name}"], metric)
    ]
    return (*entry.contradictions, *drops, *_error(entry), *_dense(entry), *_macs(entry), *_params(entry))


def pair_contradictions(pair: AssessedPair) -> list[str]:
    """What two entries contradict together: one checkpoint of two networks, one protocol and details that differ."""
    found = []
    ids = [known(entry["base.id"].value) if entry["base.id"].stated else None for entry in (pair.winner, pair.loser)]
    network = pair.findings["network"]
    if ids[0] is not None and ids[0] == ids[1] and network.state is State.REFUTED:
        found.append(f"one base model, {str(ids[0])[:60]}, of two networks: {network.why}")
    if pair.protocol is None:
        return found
    differing = [d for d in (*pair.details.values(), *pair.measured.values()) if d.state is State.REFUTED]
    told = {d.name: d.why for d in differing} | ({"network": network.why} if network.state is State.REFUTED else {})
    where = f"one protocol for both ({pair.protocol.locator})"
    return found + [
        f"{where}, but {name} differs and is not excepted: {why}"
        for name, why in told.items() if pair.protocol.declares(name)
    ]  # fmt: skip


def contradicted_drop(
    name: str, result: Mapping[str, ReportedValue], base: ReportedValue, metric: Metric = METRICS["top1"]
) -> list[str]:
    """Printed drop against base minus result, within one printed unit of the coarsest number.

    Of a metric of which less is better a drop may be printed as what was lost, or as base minus result.
    """
    silent = ReportedValue()
    values = (base, *(result.get(f"result.{metric.name}{tail}", silent) for tail in ("", "_drop_printed")))
    before, after, printed = (known(found.value) for found in values)
    if before is None or after is None or printed is None:
        return []
    decimals = [found.decimals for found in values if found.decimals is not None]
    unit = 10.0 ** -min(decimals) if decimals else 0.01
    readings = (before - after,) if metric.higher_is_better else (before - after, after - before)
    if any(abs(reading - printed) <= unit + 1e-9 for reading in readings):
        return []
    return [f"{name}: prints a drop of {printed:g}, but {before:g} - {after:g} = {before - after:.4g}"]


def _error(entry: Entry) -> list[str]:
    """A top-1 and an error that are not one number, whichever of several sources is right."""
    right, wrong = (entry[f"result.{name}"] for name in ("top1", "error"))
    ends, error = bounds(right.value), known(wrong.value)
    unit = 10.0 ** -min((d for d in (right.decimals, wrong.decimals) if d is not None), default=2)
    if ends is None or error is None or all(abs(end + error - 100) <= unit + 1e-9 for end in ends):
        return []
    return [f"{entry.name}: prints a top1 of {show(right.value)} and an error of {error:g}, which are not one number"]


def _dense(entry: Entry) -> list[str]:
    """A dense network is one times as fast as itself."""
    if entry.kind != "dense":
        return []
    stated = [(field, known(entry[field].value)) for field in ("speedup", "macs_kept", "sparsity", "params_kept")]
    removed = [
        (f, v) for f, v in stated if v is not None and abs(v - (0 if f == "sparsity" else 1)) > COMPRESSION_TOLERANCE
    ]
    return [f"{entry.name}: is dense, and prints {field}: {value:g}" for field, value in removed[:1]]


def _macs(entry: Entry) -> list[str]:
    speedup, part = (entry[name] for name in ("speedup", "macs_kept"))
    kept, dense = known(entry["macs_kept_millions"].value), known(entry["network.dense_macs_millions"].value)
    share, stated = known(part.value), known(speedup.value)
    if kept is not None and dense is not None:
        if kept > dense * (1 + COMPRESSION_TOLERANCE):
            return [f"{entry.name}: keeps {kept:g} M MACs of {dense:g} M"]
        derived = over(entry["network.dense_macs_millions"], entry["macs_kept_millions"])
        if stated is not None and not _overlap(speedup.printed, derived):
            ratio = f"{dense:g} / {kept:g} M MACs = {dense / kept:.3g}"
            return [f"{entry.name}: prints a speed-up of {stated:g}, but {ratio}"]
    if share and stated is not None and not _overlap(speedup.printed, ratio_of_share(part)):
        return [f"{entry.name}: prints a speed-up of {stated:g}, but keeps {share:.1%} of the MACs: {1 / share:.3g}"]
    if share and kept is not None and dense is not None and not _overlap(ratio_of_share(part), derived):
        return [f"{entry.name}: keeps {share:.1%} of the MACs, but {kept:g} of {dense:g} M is {kept / dense:.1%}"]
    return []


def _overlap(a: Leaf[float], b: Leaf[float]) -> bool:
    """Whether two printed numbers can be one, within 2 %; what is no interval contradicts nothing."""
    if not isinstance(a, Between) or not isinstance(b, Between):
        return True
    more = 1 + COMPRESSION_TOLERANCE
    return a.low <= b.high * more and b.low <= a.high * more


def _params(entry: Entry) -> list[str]:
    total, whose = _total(entry)
    kept = known(entry["params_kept_millions"].value)
    share = known(entry["params_kept"].value)
    if total is None:
        return []
    if kept is not None and kept > total * (1 + PARAMS_TOLERANCE):
        return [f"{entry.name}: keeps {kept:g} M parameters of {total:g} M ({whose})"]
    if share is not None and share > 100 and share > total:
        return [f"{entry.name}: keeps {share:g} parameters of {total:g} M ({whose})"]
    if kept is not None and share is not None:
        readings = [share if share <= 1 else share / 100]
        if all(abs(kept / total - reading) > PARAMS_TOLERANCE * max(reading, kept / total) for reading in readings):
            part = kept / total
            return [f"{entry.name}: keeps {kept:g} of {total:g} M parameters, {part:.1%}, but prints {readings[0]:.1%}"]
    return []


def _total(entry: Entry) -> tuple[float | None, str]:
    stated = known(entry["network.dense_params_millions"].value)
    if stated is not None:
        return float(stated), "as stated"
    data, net = (str(known(entry[name].value) or "") for name in ("dataset", "network.name"))
    names = (plain_name(canonical("datasets", data)), plain_name(canonical("networks", net)))
    return KNOWN_PARAMS_MILLIONS.get(names), "what this network has"
