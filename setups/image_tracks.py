"""Tracks on CIFAR, ImageNet and ImageNet100: the literature's networks, recipes and levels.

Levels are those of arXiv:2301.05219, Tables 1, 4, 6 and 7, where it has them; else speed-ups that removing a ratio of
every prunable layer gives. Schedules end at one LR within a track (Rule 1), follow Rule 2 and, on ImageNet, Rule 3.
"""

from __future__ import annotations

from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import LRSchedule, cosine, halving, parse_schedule
from prunemark.setups.terms import PORTABLE, Granularity, Level, SeedPrior, Track

HOUR = 3600.0
CAP = 30  # Rule 3


def _first_convolutions(blocks: int) -> tuple[str, ...]:
    return tuple(f"blocks.{index}.conv1" for index in range(blocks))


def _block_convolutions(blocks: int, widened: tuple[int, ...]) -> tuple[str, ...]:
    """Both convolutions of every block, and the shortcut's where a block widens."""
    inner = {index: ("conv1", "conv2", *(("shortcut.0",) if index in widened else ())) for index in range(blocks)}
    return tuple(f"blocks.{index}.{name}" for index, names in inner.items() for name in names)


def _of_stages(blocks: tuple[int, ...], inner: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"layer{s}.{b}.{conv}" for s, n in enumerate(blocks, 1) for b in range(n) for conv in inner)


# Table 6's base: 0.1, divided by 10 at epochs 100 and 150; Rule 1 adds the last stage. Retraining: 120 epochs from 1e-2
_CIFAR_PRETRAINING = Recipe(lr=halving(1e-1, 1e-4, 200), augmentation="crop-flip")
_CIFAR_PRUNING = Recipe(lr=parse_schedule("1e-3", 30), augmentation="crop-flip")
_CIFAR_RETRAINING = Recipe(lr=halving(1e-2, 1e-4, 120), augmentation="crop-flip")


def _imagenet(lr: LRSchedule, weight_decay: float = 1e-4) -> Recipe:
    return Recipe(lr=lr, batch_size=256, weight_decay=weight_decay, augmentation="resized-crop")


# The paper's scratch schedule of 120 epochs, and the 90 epochs of retraining of Table 1
_IMAGENET_PRETRAINING = _imagenet(parse_schedule("0:0.1,30:0.01,60:0.001,90:1e-4,105:1e-5", 120))
_IMAGENET_PRUNING = _imagenet(parse_schedule("1e-3", 10))
_IMAGENET_RETRAINING = _imagenet(halving(1e-2, 1e-5, 90, cap=CAP))
# Sandler et al. 2018 train by another decay; 150 epochs, 0.05 and a cosine are what pruning papers use (AMC and later)
_MOBILENET = _imagenet(cosine(5e-2, 0.0, 150), weight_decay=4e-5)


# Touvron et al. 2021, Table 9, without distillation, mixing of images, RandAugment, erasing and stochastic depth
def _deit(lr: LRSchedule) -> Recipe:
    return Recipe(
        lr=lr, batch_size=1024, weight_decay=0.05, label_smoothing=0.1, augmentation="resized-crop", optimiser="AdamW"
    )


_DEIT = _deit(cosine(1e-3, 1e-5, 300, warmup_epochs=5))
_VGG16 = tuple(f"features.{n}" for n in (3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40))
_VGG19 = tuple(f"features.{n}" for n in (3, 7, 10, 14, 17, 20, 23, 27, 30, 33, 36, 40, 43, 46, 49))
_RESNET34 = _of_stages((3, 4, 6, 3), ("conv1",))
_RESNET50 = _of_stages((3, 4, 6, 3), ("conv1", "conv2"))
_RESNET56_LEVELS = (Level("30%", 0.3, 1.45), Level("50%", 0.5, 1.99), Level("70%", 0.7, 3.59), Level("90%", 0.9, 11.41))


def _stages(*ratios: float) -> tuple[tuple[str, float], ...]:
    return tuple((f"layer{stage}.", ratio) for stage, ratio in enumerate(ratios, 1) if ratio)


def _cifar(name: str, title: str, dataset: str, network: str, family: str, prunable: tuple[str, ...],
           levels: tuple[Level, ...]) -> Track:  # fmt: skip
    return Track(
        name=name, version=1, title=title, dataset=dataset, classes=100 if dataset == "cifar100" else 10,
        network=network, family=family, granularity="filter", prunable=prunable, levels=levels,
        pretraining=_CIFAR_PRETRAINING, pruning=_CIFAR_PRUNING, retraining=_CIFAR_RETRAINING,
        anchor="L1-norm", margin_pp=0.5, pruning_seconds_limit=2 * HOUR,
    )  # fmt: skip


def _small(name: str, title: str, granularity: Granularity, prunable: tuple[str, ...], levels: tuple[Level, ...],
           anchor: str, pattern: str | None = None, arithmetic: str | None = None) -> Track:  # fmt: skip
    """Reduced CIFAR-10, whose trial takes about a minute on one core of a CPU: 16x16 and 4,000 training images."""
    return Track(
        name=name, version=1,
        title=f"CIFAR-10 (JPEG), reduced to 16x16 and 4,000 training images, a thin ResNet-14{title}",
        dataset="cifar10-jpeg-16", classes=10, network="resnet14-thin", family="CIFAR-10 x ResNet",
        granularity=granularity, prunable=prunable, levels=levels,
        pretraining=Recipe(lr=halving(1e-1, 1e-3, 60), augmentation="crop-flip"),
        pruning=Recipe(lr=parse_schedule("1e-2", 10), augmentation="crop-flip"),
        retraining=Recipe(lr=halving(1e-1, 1e-3, 40), augmentation="crop-flip"),
        anchor=anchor, margin_pp=1.0, pruning_seconds_limit=600.0, pattern=pattern, arithmetic=arithmetic,
    )  # fmt: skip


IMAGE_TRACKS: tuple[Track, ...] = (
    _small(
        "cifar10-jpeg-small", ": for one core of a CPU", "filter", _first_convolutions(6),
        (Level("50%", 0.5, 1.918), Level("70%", 0.7, 3.125), Level("90%", 0.9, 6.55)), "L1-norm",
    ),
    _small(
        "cifar10-jpeg-small-weights", ", single weights pruned: for one core of a CPU", "weight",
        _block_convolutions(6, widened=(2, 4)), (Level("80%", 0.8), Level("90%", 0.9), Level("95%", 0.95)), "Magnitude",
    ),
    _small(
        "cifar10-jpeg-small-2to4", ", 2 of every 4 weights kept: for one core of a CPU", "weight",
        _block_convolutions(6, widened=(2, 4)), (Level("50%", 0.5),), "Magnitude",
        pattern="2:4", arithmetic=PORTABLE,
    ),
    _cifar(
        "cifar10-resnet20", "CIFAR-10, ResNet-20 (option A), the first convolution of each block pruned",
        "cifar10", "resnet20", "CIFAR-10 x ResNet", _first_convolutions(9),
        (Level("30%", 0.3, 1.437), Level("50%", 0.5, 1.978), Level("70%", 0.7, 3.174)),
    ),
    _cifar(
        "cifar10-resnet56", "CIFAR-10, ResNet-56 (option A), the first convolution of each block pruned (Table 6)",
        "cifar10", "resnet56", "CIFAR-10 x ResNet", _first_convolutions(27), _RESNET56_LEVELS,
    ),
    _cifar(
        "cifar10-jpeg-resnet56", "CIFAR-10 (JPEG), ResNet-56 (option A), the first convolution of each block pruned",
        "cifar10-jpeg", "resnet56", "CIFAR-10 x ResNet", _first_convolutions(27), _RESNET56_LEVELS,
    ),
    _cifar(
        "cifar10-vgg16", "CIFAR-10, VGG-16 with batch norm, all convolutions but the first pruned",
        "cifar10", "vgg16", "CIFAR-10 x VGG", _VGG16,
        (Level("30%", 0.3, 1.928), Level("50%", 0.5, 3.517), Level("70%", 0.7, 8.334)),
    ),
    _cifar(
        "cifar100-resnet56", "CIFAR-100, ResNet-56 (option A), the first convolution of each block pruned",
        "cifar100", "resnet56", "CIFAR-100 x ResNet", _first_convolutions(27), _RESNET56_LEVELS,
    ),
    _cifar(
        "cifar100-vgg19", "CIFAR-100, VGG-19 with batch norm, all convolutions but the first pruned (Table 7)",
        "cifar100", "vgg19", "CIFAR-100 x VGG", _VGG19,  # the paper's speed-ups; its ratios give others
        (Level("1.23x", 0.1, 1.23), Level("1.97x", 0.3, 1.97), Level("3.6x", 0.5, 3.6), Level("8.84x", 0.7, 8.84)),
    ),
    Track(
        name="imagenet-resnet50", version=1,
        title="ImageNet, ResNet-50, the first two convolutions of each block pruned by stage (Table 1)",
        dataset="imagenet", classes=1000, network="torchvision:resnet50", family="ImageNet x ResNet",
        granularity="filter", prunable=_RESNET50,
        levels=(
            Level("2.31x", 0.4423, 2.31, _stages(0.60, 0.60, 0.60, 0.21)),
            Level("2.56x", 0.4685, 2.56, _stages(0.74, 0.74, 0.60, 0.21)),
        ),
        pretraining=_IMAGENET_PRETRAINING, pruning=_IMAGENET_PRUNING, retraining=_IMAGENET_RETRAINING,
        anchor="L1-norm", margin_pp=0.5, pruning_seconds_limit=120 * HOUR, pruning_epochs_limit=40,
        lr_stage_cap=CAP,
    ),
    Track(
        name="imagenet-resnet34", version=1,
        title="ImageNet, ResNet-34, the first convolution of each block pruned",
        dataset="imagenet", classes=1000, network="torchvision:resnet34", family="ImageNet x ResNet",
        granularity="filter", prunable=_RESNET34,
        levels=(Level("30%", 0.3, 1.404), Level("50%", 0.5, 1.928), Level("70%", 0.7, 3.073)),
        pretraining=_IMAGENET_PRETRAINING, pruning=_IMAGENET_PRUNING, retraining=_IMAGENET_RETRAINING,
        anchor="L1-norm", margin_pp=0.5, pruning_seconds_limit=120 * HOUR, pruning_epochs_limit=40,
        lr_stage_cap=CAP,
    ),
    Track(
        name="imagenet-mobilenetv2", version=1,
        title="ImageNet, MobileNetV2, the expansions of its blocks pruned with their depthwise convolutions",
        dataset="imagenet", classes=1000, network="torchvision:mobilenet_v2", family="ImageNet x MobileNet",
        granularity="filter", prunable=tuple(f"features.{index}.conv.0.0" for index in range(2, 18)),
        levels=(Level("30%", 0.3, 1.348), Level("50%", 0.5, 1.754), Level("70%", 0.7, 2.51)),
        pretraining=_MOBILENET, pruning=_imagenet(parse_schedule("1e-3", 10), 4e-5), retraining=_MOBILENET,
        anchor="L1-norm", margin_pp=0.5, pruning_seconds_limit=120 * HOUR, pruning_epochs_limit=40,
    ),
    Track(
        name="imagenet-deit-tiny", version=1,
        title="ImageNet, DeiT-Tiny, the hidden units of its MLPs pruned",
        dataset="imagenet", classes=1000, network="timm:deit_tiny_patch16_224", family="ImageNet x ViT",
        granularity="filter", prunable=tuple(f"blocks.{index}.mlp.fc1" for index in range(12)),
        levels=(Level("30%", 0.3, 1.2), Level("50%", 0.5, 1.385), Level("70%", 0.7, 1.638)),
        pretraining=_DEIT, pruning=_deit(parse_schedule("1e-4", 10)), retraining=_DEIT,
        anchor="L1-norm", margin_pp=0.5, pruning_seconds_limit=120 * HOUR, pruning_epochs_limit=40,
    ),
    Track(
        name="imagenet100-resnet34", version=1,
        title="ImageNet100, ResNet-34, the first convolution of each block pruned (Table 4)",
        dataset="imagenet100", classes=100, network="torchvision:resnet34", family="ImageNet100 x ResNet",
        granularity="filter", prunable=_RESNET34,
        levels=(
            Level("10%", 0.1, 1.11), Level("30%", 0.3, 1.41), Level("50%", 0.5, 1.93), Level("70%", 0.7, 3.09),
            Level("90%", 0.9, 7.68), Level("95%", 0.95, 12.06),
        ),
        pretraining=_IMAGENET_PRETRAINING, pruning=_IMAGENET_PRUNING, retraining=_IMAGENET_RETRAINING,
        anchor="L1-norm", margin_pp=0.5, pruning_seconds_limit=24 * HOUR, pruning_epochs_limit=40,
        lr_stage_cap=CAP,
        prior=SeedPrior(0.43, "1.25 x sqrt 2 x 0.243, the pooled deviation of arXiv:2301.05219, Table 4 (72 cells)"),
    ),
)  # fmt: skip
