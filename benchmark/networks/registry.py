"""The networks a track can name: the project's own, those of timm and torchvision, and code of the track's author.

Always with random weights.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from prunemark.benchmark.networks.architectures import (
    MLP,
    VGG,
    VGG16_WIDTHS,
    VGG19_WIDTHS,
    MobileNetV2,
    ResNet,
    WideResNet,
)
from prunemark.benchmark.networks.own_modules import is_kept
from prunemark.benchmark.networks.own_networks import build_own
from prunemark.setups.errors import InputError, unknown_name


@dataclass(frozen=True)
class ImageShape:
    """What a network is built for: (channels, height, width) images of `classes` classes."""

    channels: int
    height: int
    width: int
    classes: int


Maker = Callable[[ImageShape], nn.Module]


def _resnet(blocks_per_width: int, padded: bool, widths: tuple[int, ...] = (16, 32, 64), stem_stride: int = 1) -> Maker:
    return lambda shape: ResNet(shape.channels, shape.classes, widths, blocks_per_width, padded, stem_stride)


def _vgg(widths: tuple[int, ...]) -> Maker:
    return lambda shape: VGG(shape.channels, shape.classes, widths)


def _wrn(depth: int, factor: int) -> Maker:
    return lambda shape: WideResNet(shape.channels, shape.classes, depth, factor)


# ResNets of He et al. 2016, section 4.2, with shortcuts padded (option A); those ending in b project (option B).
NETWORKS: dict[str, Maker] = {
    "mlp7": lambda shape: MLP(shape.channels * shape.height * shape.width, shape.classes, hidden=100, depth=7),
    "mobilenetv2": lambda shape: MobileNetV2(shape.channels, shape.classes),
    "resnet8": _resnet(1, padded=False, widths=(8, 16, 32)),
    "resnet8-even": _resnet(1, padded=False, widths=(16, 16, 16), stem_stride=2),
    "resnet14-thin": _resnet(2, padded=False, widths=(8, 16, 32)),
    "resnet20": _resnet(3, padded=True),
    "resnet20b": _resnet(3, padded=False),
    "resnet32": _resnet(5, padded=True),
    "resnet32b": _resnet(5, padded=False),
    "resnet56": _resnet(9, padded=True),
    "resnet56b": _resnet(9, padded=False),
    "resnet110": _resnet(18, padded=True),
    "resnet110b": _resnet(18, padded=False),
    "vgg16": _vgg(VGG16_WIDTHS),
    "vgg19": _vgg(VGG19_WIDTHS),
    "wrn16-8": _wrn(16, 8),
    "wrn28-10": _wrn(28, 10),
    "wrn40-2": _wrn(40, 2),
}


def as_example(shape: ImageShape, device: torch.device | None = None) -> torch.Tensor:
    """One empty image (1, channels, height, width), to trace a network with."""
    return torch.zeros(1, shape.channels, shape.height, shape.width, device=device)


def build_network(name: str, shape: ImageShape, seed: int) -> nn.Module:
    """The named network with random weights drawn from `seed`; the global generator is left as it was.

    `name` is one of NETWORKS, or `timm:NAME` or `torchvision:NAME`: theirs, for the dataset's channels, size and
    classes, and never with their trained weights. `initialise` says how weights are drawn. Or it is code of a track's
    author as the store keeps it (`submission/own_code.py`), which is run here: its weights are those that it draws
    itself, since its author wrote how. Raises InputError for an unknown name, and for a network that its library or its
    author cannot build for these images.
    """
    if is_kept(name):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            of: Any = shape  # Any: own_networks imports this module, which pyright takes for two
            return build_own(name, of)
    library, colon, model_name = name.partition(":")
    if name not in NETWORKS and (not colon or library not in LIBRARIES):
        raise unknown_name("network", name, [*NETWORKS, *(f"{library}:NAME" for library in LIBRARIES)])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = NETWORKS[name](shape) if name in NETWORKS else LIBRARIES[library](model_name, shape)
        initialise(model)
    return model


def redraw(name: str, model: nn.Module) -> None:
    """Draws the weights of a cut network anew, from the global generator: see `initialise`.

    A network of the track's author keeps those that it was built with: only its author knows how they are drawn.
    """
    if not is_kept(name):
        initialise(model)


def initialise(model: nn.Module) -> None:
    """Draws the weights anew from the global generator, by the shapes the layers have now.

    He initialisation (He et al. 2015): fan-out for convolutions (of one group), fan-in for linear layers; scale and
    shift of normalisations 1 and 0. A network with layer norms (ViT, ConvNeXt) keeps the weights it was built with:
    its libraries draw them with a deviation that does not depend on the number of filters (torchvision's ViT: the
    hidden layers excepted, which keep the deviation of the dense shape).
    """
    if any(isinstance(module, nn.LayerNorm) for module in model.modules()):
        return
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
            module.reset_parameters()
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.groups > 1:  # torch takes the channels of all groups for fan-out
                with torch.no_grad():
                    module.weight.mul_(module.groups**0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _from_timm(name: str, shape: ImageShape) -> nn.Module:
    import timm

    if not timm.is_model(name):
        raise _not_in("timm", name, timm.list_models())
    terms: dict[str, Any] = {"num_classes": shape.classes, "in_chans": shape.channels}
    config = timm.get_pretrained_cfg(name)
    if config is not None and config.fixed_input_size:
        terms["img_size"] = (shape.height, shape.width)
    return _built(f"timm:{name}", shape, lambda: timm.create_model(name, pretrained=False, **terms))


def _from_torchvision(name: str, shape: ImageShape) -> nn.Module:
    from torchvision import models

    valid = models.list_models(module=models)  # those that classify images, not the submodules' detectors
    if name not in valid:
        raise _not_in("torchvision", name, valid)
    if shape.channels != 3:
        raise InputError(f"torchvision:{name} takes images of 3 channels; these have {shape.channels}")
    terms: dict[str, Any] = {"num_classes": shape.classes}
    if name.startswith("vit_"):
        terms["image_size"] = shape.height
    if name in AUXILIARY:
        terms["aux_logits"] = False  # classifiers on the way, for training only; the output would be no logits
    return _built(f"torchvision:{name}", shape, lambda: models.get_model(name, weights=None, **terms))


AUXILIARY = ("googlenet", "inception_v3")

LIBRARIES: dict[str, Callable[[str, ImageShape], nn.Module]] = {
    "timm": _from_timm,
    "torchvision": _from_torchvision,
}


def _built(name: str, shape: ImageShape, make: Callable[[], Any]) -> nn.Module:
    """A library's network; its own complaints, of many kinds, become an InputError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about weights that are not loaded here
            model = make()
    except Exception as problem:
        size = f"{shape.channels}x{shape.height}x{shape.width}"
        raise InputError(f"{name} cannot be built for images of {size}: {type(problem).__name__}: {problem}") from None
    assert isinstance(model, nn.Module)
    return model


def _not_in(library: str, name: str, valid: Sequence[str]) -> InputError:
    """There are too many to list: the nearest ones."""
    close = difflib.get_close_matches(name, valid, n=3, cutoff=0.5)
    hint = f" Did you mean {', '.join(close)}?" if close else ""
    return InputError(
        f"{library} has no network {name!r}.{hint}\nIt has {len(valid)}: see the documentation of {library}"
    )
