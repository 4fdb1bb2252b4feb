"""Suspicious sizes: a number that would fit its field a thousand times better in another unit is a question."""

from __future__ import annotations

from collections.abc import Mapping

from prunemark.audit.document.names import canonical
from prunemark.audit.document.reported_values import ReportedValue
from prunemark.setups.errors import InputError
from prunemark.setups.values import known

FACTOR = 200
"""So far from what a network usually has, a number is in another unit: one network on two datasets differs by 50."""
USUAL_MACS_MILLIONS: dict[str, float] = {
    "ResNet-18": 1814, "ResNet-34": 3664, "ResNet-50": 4089, "ResNet-101": 7801, "ResNet-20": 40.6, "ResNet-56": 127,
    "ResNet-110": 255, "VGG-16": 2200, "VGG-16-BN": 2200, "VGG-19": 2800, "VGG-19-BN": 2800, "MobileNetV1": 569,
    "MobileNetV2": 301, "DenseNet-40": 283, "DeiT-T": 1258, "DeiT-S": 4608, "DeiT-B": 17582, "ViT-B/16": 17582,
}  # fmt: skip
"""Dense MACs in millions at the usual resolution (torchvision, timm, He et al. 2016); VGG in between."""
USUAL_PARAMS_MILLIONS: dict[str, float] = {
    "ResNet-18": 11.69, "ResNet-34": 21.8, "ResNet-50": 25.56, "ResNet-101": 44.55, "ResNet-20": 0.27,
    "ResNet-56": 0.86, "ResNet-110": 1.73, "VGG-16": 45, "VGG-16-BN": 45, "VGG-19": 53, "VGG-19-BN": 53,
    "MobileNetV1": 4.23, "MobileNetV2": 3.5, "DenseNet-40": 1.06, "DeiT-T": 5.7, "DeiT-S": 22.1, "DeiT-B": 86.6,
    "ViT-B/16": 86.6, "BERT-base": 110, "LLaMA-2-7B": 6738,
}  # fmt: skip
_DENSE = (
    ("network.dense_macs_millions", "dense MACs", USUAL_MACS_MILLIONS),
    ("network.dense_params_millions", "dense parameters", USUAL_PARAMS_MILLIONS),
)
_KEPT = (
    ("macs_kept_millions", "network.dense_macs_millions", "MACs kept"),
    ("params_kept_millions", "network.dense_params_millions", "parameters kept"),
)
MOST_COMPRESSED = 1_000
"""No published network was compressed more: less kept is another unit."""


def check_sizes(reported: Mapping[str, ReportedValue]) -> None:
    """Raises InputError, with a question, for a count of MACs or parameters that is in another unit than millions."""
    name = known(reported["network.name"].value)
    network = canonical("networks", str(name)) if name is not None else ""
    for field, what, usual in _DENSE:
        found = reported[field]
        if network in usual and (value := known(found.value)) is not None:
            _ask(found, value, usual[network], f"million {what} for {name}", (1 / FACTOR, FACTOR))
    for field, dense, what in _KEPT:
        found, value, whole = reported[field], known(reported[field].value), known(reported[dense].value)
        if value is not None and whole is not None:
            _ask(found, value, whole, f"million {what} of {whole:g}", (1 / MOST_COMPRESSED, FACTOR))


def _ask(found: ReportedValue, value: float, usual: float, what: str, limits: tuple[float, float]) -> None:
    low, high = limits
    if low * usual <= value <= high * usual:
        return
    meant = next(
        (f"{value:g}{unit}" for unit, worth in (("G", 1e3), ("K", 1e-3)) if usual / 20 < value * worth < usual * 20), ""
    )
    if not meant and usual / 20 < value / 1e6 < usual * 20:
        meant = f"{value / 1e6:g}, in millions"
    question = f"do you mean {meant}?" if meant else f"it has about {usual:g} million"
    raise InputError(f"{found.where}: {value:g} {what}: {question}")
