"""How many images or examples a result is measured on, by dataset: facts, each with its source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TestSet:
    """The examples of the test split; several numbers where a dataset has several splits in use."""

    images: tuple[int, ...]
    source: str


_CIFAR = "https://www.cs.toronto.edu/~kriz/cifar.html"
_IMAGENET = "Russakovsky et al. 2015, arXiv:1409.0575, Table 2: 50,000 validation images"
_GLUE = "Wang et al. 2019, arXiv:1804.07461, and the development files of gluebenchmark.com"

TEST_SETS: dict[str, TestSet] = {
    "cifar10": TestSet((10_000,), _CIFAR),
    "cifar100": TestSet((10_000,), _CIFAR),
    "imagenet": TestSet((50_000,), _IMAGENET),
    "imagenet1k": TestSet((50_000,), _IMAGENET),
    "imagenet2012": TestSet((50_000,), _IMAGENET),
    "ilsvrc2012": TestSet((50_000,), _IMAGENET),
    "imagenet100": TestSet((5_000,), "100 classes of 50 validation images; arXiv:1409.0575, Table 2"),
    "tinyimagenet": TestSet((10_000,), "200 classes of 50; http://cs231n.stanford.edu/tiny-imagenet-200.zip"),
    "mnist": TestSet((10_000,), "LeCun et al. 1998; http://yann.lecun.com/exdb/mnist/"),
    "fashionmnist": TestSet((10_000,), "Xiao et al. 2017, arXiv:1708.07747, Table 1"),
    "svhn": TestSet((26_032,), "http://ufldl.stanford.edu/housenumbers/"),
    "mnli": TestSet((9_815, 9_832, 19_647), _GLUE),
    "multinli": TestSet((9_815, 9_832, 19_647), _GLUE),
    "qnli": TestSet((5_463, 5_732), _GLUE),
    "sst2": TestSet((872,), _GLUE),
    "rte": TestSet((277,), _GLUE),
    "mrpc": TestSet((408, 1_725), _GLUE),
}  # fmt: skip
"""By the name without hyphens, spaces and case. What is not here is not checked."""
