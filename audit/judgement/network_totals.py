"""What the dense networks of the literature cost, so that costs and ratios of a table can be set against it.

Those of ImageNet are what torchvision states of its weights (num_params and _ops, which counts MACs); those of CIFAR
are counted here, or as repositories print them. A range spans what is in use under one name.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NetworkTotals:
    """MACs and parameters of a dense network in millions, lowest and highest; accuracies of torchvision's weights."""

    macs_millions: tuple[float, float]
    params_millions: tuple[float, float]
    source: str
    torchvision_top1: tuple[float, ...] = ()


_TV = "torchvision 0.29, meta of the weights"
_TV_TP = f"{_TV}; VainF/Torch-Pruning@22115386 reproduce/readme.md"
_TV_HRANK = f"{_TV}; lmbxmu/HRankPlus@0708d516 README"
_HRANK_FPM = "lmbxmu/HRankPlus@0708d516 README; pinery-sls/filter_pruning@3b71cd96 README"
_FPM = "pinery-sls/filter_pruning@3b71cd96 README"
_OURS = "Prunemark's own counter; lmbxmu/HRankPlus@0708d516 and pinery-sls/filter_pruning@3b71cd96 READMEs"
_VGG19 = "pinery-sls/filter_pruning@3b71cd96 README; VainF/Torch-Pruning@e80127d7 (one variant skips a pooling layer)"

NETWORK_TOTALS: dict[tuple[str, str], NetworkTotals] = {
    ("imagenet", "alexnet"): NetworkTotals((714, 714), (61.10, 61.10), _TV, (56.522,)),
    ("imagenet", "resnet18"): NetworkTotals((1814, 1814), (11.69, 11.69), _TV, (69.758,)),
    ("imagenet", "resnet34"): NetworkTotals((3664, 3664), (21.80, 21.80), _TV, (73.314,)),
    ("imagenet", "resnet50"): NetworkTotals((4089, 4120), (25.50, 25.56), _TV_TP, (76.130, 80.858)),
    ("imagenet", "resnet101"): NetworkTotals((7801, 7801), (44.55, 44.55), _TV, (77.374, 81.886)),
    ("imagenet", "vgg16"): NetworkTotals((15470, 15470), (138.36, 138.37), _TV, (71.592,)),
    ("imagenet", "vgg16bn"): NetworkTotals((15470, 15470), (138.36, 138.37), _TV, (73.360,)),
    ("imagenet", "vgg19"): NetworkTotals((19632, 19632), (143.67, 143.68), _TV, (72.376,)),
    ("imagenet", "vgg19bn"): NetworkTotals((19632, 19632), (143.67, 143.68), _TV, (74.218,)),
    ("imagenet", "mobilenetv1"): NetworkTotals((569, 569), (4.21, 4.21), "RAIVNLab/STR@2656d790 README"),
    ("imagenet", "mobilenetv2"): NetworkTotals((301, 314.13), (3.50, 3.50), _TV_HRANK, (71.878, 72.154)),
    ("imagenet", "densenet121"): NetworkTotals((2834, 2834), (7.98, 7.98), _TV, (74.434,)),
    ("cifar10", "resnet20"): NetworkTotals((40.55, 40.81), (0.27, 0.28), "Prunemark's own counter"),
    ("cifar10", "resnet56"): NetworkTotals((125.49, 127.12), (0.85, 0.86), _OURS),
    ("cifar10", "resnet110"): NetworkTotals((252.89, 254.99), (1.72, 1.73), _OURS),
    ("cifar10", "resnet164"): NetworkTotals((253.97, 254.50), (1.71, 1.73), _FPM),
    ("cifar10", "vgg16"): NetworkTotals((313.20, 313.80), (14.72, 14.99), _OURS),
    ("cifar10", "vgg19"): NetworkTotals((398.14, 512.73), (20.04, 20.09), _VGG19),
    ("cifar10", "densenet40"): NetworkTotals((282.00, 290.13), (1.04, 1.07), _HRANK_FPM),
    ("cifar10", "googlenet"): NetworkTotals((1520, 1520), (6.15, 6.15), "lmbxmu/HRankPlus@0708d516 README"),
}  # fmt: skip

ALIKE = {
    "cifar100": "cifar10", "imagenet1k": "imagenet", "ilsvrc2012": "imagenet", "imagenet2012": "imagenet",
    "imagenet100": "imagenet",
}  # fmt: skip
"""Datasets whose networks differ from another one's in the classifier only."""

OF_CIFAR_WITH_BN = {"vgg16bn": "vgg16", "vgg19bn": "vgg19"}
"""On CIFAR both names are the network with batch norm."""


def totals_of(dataset: str, network: str) -> NetworkTotals | None:
    """What is known of a network, both names without hyphens, spaces and case."""
    family = ALIKE.get(dataset, dataset)
    name = network.removeprefix("torchvision").removesuffix("v1.5")
    name = OF_CIFAR_WITH_BN.get(name, name) if family == "cifar10" else name
    return NETWORK_TOTALS.get((family, name))
