"""Does what an entry prints agree with itself? A contradiction taints only the claims that use it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from prunemark.audit.document.entry import Entry
from prunemark.audit.document.reported_values import ReportedValue
from prunemark.setups.factors import COMPRESSION_TOLERANCE, plain_name
from prunemark.setups.values import known

PARAMS_TOLERANCE = 0.03  # relative: with or without batch norm, biases and a classifier of 100 or 1000 classes
KNOWN_PARAMS_MILLIONS: dict[tuple[str, str], float] = {
    ("imagenet", "resnet18"): 11.69,
    ("imagenet", "resnet34"): 21.80,
    ("imagenet", "resnet50"): 25.56,
    ("imagenet", "resnet101"): 44.55,
    ("imagenet", "vgg16"): 138.36,
    ("imagenet", "mobilenetv2"): 3.50,
    ("cifar10", "resnet20"): 0.27,
    ("cifar10", "resnet56"): 0.86,
    ("cifar10", "resnet110"): 1.73,
    ("cifar10", "vgg16"): 14.99,
    ("cifar100", "vgg19"): 20.09,
}
"""Parameters of the dense network in millions, as torchvision and the CIFAR definitions (He et al. 2016) have them."""


@lru_cache(maxsize=4096)
def contradictions(entry: Entry) -> tuple[str, ...]:
    """What contradicts itself in an entry, in words that name the numbers; empty for a sound record."""
    drop = contradicted_drop(entry.name, entry.reported, entry["base.top1"])
    return (*entry.contradictions, *drop, *_macs(entry), *_params(entry))


def contradicted_drop(name: str, result: Mapping[str, ReportedValue], base: ReportedValue) -> list[str]:
    """Printed drop against base minus pruned accuracy, within one printed unit of the coarsest number."""
    values = (base, result["result.top1"], result["result.top1_drop_printed"])
    before, after, printed = (known(found.value) for found in values)
    if before is None or after is None or printed is None:
        return []
    decimals = [found.decimals for found in values if found.decimals is not None]
    unit = 10.0 ** -min(decimals) if decimals else 0.01
    if abs(before - after - printed) <= unit + 1e-9:
        return []
    return [f"{name}: prints a drop of {printed:g}, but {before:g} - {after:g} = {before - after:.4g}"]


def _macs(entry: Entry) -> list[str]:
    speedup = known(entry["speedup"].value)
    dense = known(entry["network.dense_macs_millions"].value)
    kept = known(entry["macs_kept_millions"].value)
    part = known(entry["macs_kept"].value)
    found = []
    if kept is not None and dense is not None:
        if kept > dense * (1 + COMPRESSION_TOLERANCE):
            found.append(f"{entry.name}: keeps {kept:g} M MACs of {dense:g} M")
        elif speedup is not None and not _agree(speedup, dense / kept, entry, rounded=kept):
            found.append(
                f"{entry.name}: prints a speed-up of {speedup:g}, but {dense:g} / {kept:g} M MACs = {dense / kept:.3g}"
            )
    if part and speedup is not None and not _agree(speedup, 1 / part, entry):
        found.append(
            f"{entry.name}: prints a speed-up of {speedup:g}, but keeps {part:.1%} of the MACs: {1 / part:.3g}"
        )
    if part and kept is not None and dense is not None and abs(kept / dense - part) > COMPRESSION_TOLERANCE * part:
        found.append(f"{entry.name}: keeps {part:.1%} of the MACs, but {kept:g} of {dense:g} M is {kept / dense:.1%}")
    return found[:1]


def _agree(speedup: float, derived: float, entry: Entry, rounded: float | None = None) -> bool:
    """Within 2 %, or within the rounding of the printed speed-up and of the `rounded` MACs kept, in millions."""
    printed, decimals = entry["speedup"].decimals, entry["macs_kept_millions"].decimals
    rounding = 0.5 * 10.0**-printed if printed is not None else 0.0
    if rounded is not None and decimals is not None:
        rounding += derived * 0.5 * 10.0**-decimals / rounded
    return abs(speedup - derived) <= max(COMPRESSION_TOLERANCE * max(speedup, derived), rounding) + 1e-9


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
    names = [str(known(entry[name].value) or "") for name in ("dataset", "network.name")]
    return KNOWN_PARAMS_MILLIONS.get((plain_name(names[0]), plain_name(names[1]))), "what this network has"
