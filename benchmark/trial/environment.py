"""The libraries and the kind of machine below a result: a change of either is a change of its numbers, or may be."""

from __future__ import annotations

import functools
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from prunemark.setups.own_parts import is_own_dataset

NUMERIC_PACKAGES = ("torch", "numpy", "torch-pruning", "scikit-learn", "safetensors")


@functools.cache
def environment() -> dict[str, str]:
    """What every stage computes with. The harness's own code is not in it: see `versions`."""
    return {"machine": platform.machine()} | package_versions(NUMERIC_PACKAGES)


def libraries(network: str, dataset: str = "digits") -> dict[str, str]:
    """The versions of what this network and these images come from, besides what all trials rest on."""
    names = [source for source in ("timm", "torchvision") if network.startswith(f"{source}:")]
    if dataset not in ("digits", "glyphs") and not is_own_dataset(
        dataset
    ):  # images are read, and scaled to the track's size
        names += ["torchvision", "pillow"]
    return package_versions(sorted(set(names)))


def package_versions(names: Sequence[str]) -> dict[str, str]:
    """Installed versions, without importing anything; 'missing' where there is none."""
    return {name: _version(name) for name in names}


@functools.cache  # each trial asks for a dozen, and finding one reads a file
def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"
