"""The record first: does what an entry prints agree with itself? A fault taints only the claims that use it."""

from __future__ import annotations

from collections.abc import Mapping

from prunemark.audit.document.entry import Entry
from prunemark.audit.document.reported_values import Reported
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


def faults(entry: Entry) -> list[str]:
    """What contradicts itself in an entry, in words that name the numbers; empty for a sound record."""
    found = [*entry.faults, *drop_fault(entry.name, entry.leaves, entry.leaves["base.top1"])]
    return [*found, *_macs(entry), *_params(entry)]


def drop_fault(name: str, result: Mapping[str, Reported], base: Reported) -> list[str]:
    """Printed drop against base minus pruned accuracy, within one printed unit of the coarsest number."""
    leaves = (base, result["result.top1"], result["result.top1_drop_printed"])
    before, after, printed = (known(leaf.value) for leaf in leaves)
    if before is None or after is None or printed is None:
        return []
    decimals = [leaf.decimals for leaf in leaves if leaf.decimals is not None]
    unit = 10.0 ** -min(decimals) if decimals else 0.01
    if abs(before - after - printed) <= unit + 1e-9:
        return []
    return [f"{name}: prints a drop of {printed:g}, but {before:g} - {after:g} = {before - after:.4g}"]


def _macs(entry: Entry) -> list[str]:
    speedup = known(entry.leaves["speedup"].value)
    dense = known(entry.leaves["network.dense_macs_millions"].value)
    kept = known(entry.leaves["macs_kept_millions"].value)
    part = known(entry.leaves["macs_kept"].value)
    found = []
    if kept is not None and dense is not None:
        if kept > dense * (1 + COMPRESSION_TOLERANCE):
            found.append(f"{entry.name}: keeps {kept:g} M MACs of {dense:g} M")
        elif speedup is not None and not _agree(speedup, dense / kept, entry, ("macs_kept_millions",), kept):
            found.append(
                f"{entry.name}: prints a speed-up of {speedup:g}, but {dense:g} / {kept:g} M MACs = {dense / kept:.3g}"
            )
    if part and speedup is not None and not _agree(speedup, 1 / part, entry, ("macs_kept",), part):
        found.append(
            f"{entry.name}: prints a speed-up of {speedup:g}, but keeps {part:.1%} of the MACs: {1 / part:.3g}"
        )
    if part and kept is not None and dense is not None and abs(kept / dense - part) > COMPRESSION_TOLERANCE * part:
        found.append(f"{entry.name}: keeps {part:.1%} of the MACs, but {kept:g} of {dense:g} M is {kept / dense:.1%}")
    return found[:1]


def _agree(speedup: float, derived: float, entry: Entry, names: tuple[str, ...], value: float) -> bool:
    """Within 2 %, or within the rounding of either printed number."""
    printed = entry.leaves["speedup"].decimals
    rounding = 0.5 * 10.0**-printed if printed is not None else 0.0
    for name in names:
        decimals = entry.leaves[name].decimals
        rounding += derived * 0.5 * 10.0**-decimals / value if decimals is not None and name != "macs_kept" else 0.0
    return abs(speedup - derived) <= max(COMPRESSION_TOLERANCE * max(speedup, derived), rounding) + 1e-9


def _params(entry: Entry) -> list[str]:
    total, whose = _total(entry)
    kept = known(entry.leaves["params_kept_millions"].value)
    share = known(entry.leaves["params_kept"].value)
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
    stated = known(entry.leaves["network.dense_params_millions"].value)
    if stated is not None:
        return float(stated), "as stated"
    names = [str(known(entry.leaves[leaf].value) or "") for leaf in ("dataset", "network.name")]
    return KNOWN_PARAMS_MILLIONS.get((plain_name(names[0]), plain_name(names[1]))), "what this network has"
