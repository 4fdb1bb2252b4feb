"""What computes a result: the code that makes its numbers, and the libraries below it."""

from __future__ import annotations

import functools
import hashlib
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

NUMERIC_PACKAGES = ("torch", "numpy", "torch-pruning", "scikit-learn", "safetensors")
NUMERIC_SOURCES = (
    "benchmark/compression/budget_solver.py",
    "benchmark/compression/couplings.py",
    "benchmark/compression/parts.py",
    "benchmark/compression/sparsity.py",
    "benchmark/compression/surgery.py",
    "benchmark/images/augmentation.py",
    "benchmark/images/data.py",
    "benchmark/images/datasets.py",
    "benchmark/images/streaming.py",
    "benchmark/metering/meter.py",
    "benchmark/metering/watch.py",
    "benchmark/method.py",
    "benchmark/networks/architectures.py",
    "benchmark/networks/cost.py",
    "benchmark/networks/registry.py",
    "benchmark/outcome.py",
    "benchmark/record.py",
    "benchmark/trial/arithmetic.py",
    "benchmark/trial/base_model.py",
    "benchmark/trial/child.py",
    "benchmark/trial/confine.py",
    "benchmark/trial/context.py",
    "benchmark/trial/diagnostics.py",
    "benchmark/trial/environment.py",
    "benchmark/trial/keys.py",
    "benchmark/trial/plan.py",
    "benchmark/trial/pruned.py",
    "benchmark/trial/pruning.py",
    "benchmark/trial/report.py",
    "benchmark/trial/seeds.py",
    "benchmark/trial/stages.py",
    "benchmark/trial/training.py",
    "benchmark/trial/trial.py",
    "setups/budget.py",
    "setups/recipe.py",
    "setups/schedule.py",
    "setups/steps.py",
)  # fmt: skip


@functools.cache
def environment() -> dict[str, str]:
    """What code and which libraries compute the results: a change of either is a change of every key."""
    house = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for name in NUMERIC_SOURCES:
        digest.update(name.encode() + b"\0" + (house / name).read_bytes())
    return {"harness": digest.hexdigest(), "machine": platform.machine()} | package_versions(NUMERIC_PACKAGES)


def libraries(network: str, dataset: str = "digits") -> dict[str, str]:
    """The versions of what this network and these images come from, besides what all trials rest on."""
    names = [source for source in ("timm", "torchvision") if network.startswith(f"{source}:")]
    if dataset != "digits":  # images are read, and scaled to the track's size
        names += ["torchvision", "pillow"]
    return package_versions(sorted(set(names)))


def package_versions(names: Sequence[str]) -> dict[str, str]:
    """Installed versions, without importing anything; 'missing' where there is none."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found
