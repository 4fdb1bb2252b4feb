"""Counted costs: by hand, and against torch's own counter."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from prunemark.benchmark.networks.cost import count
from prunemark.benchmark.networks.registry import ImageShape, build_network

DIGITS = ImageShape(1, 8, 8, 10)


class Normalised(nn.Conv2d):
    """A convolution that standardises its weights: counters that ask for the exact type miss it."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        weight = (self.weight - self.weight.mean()) / self.weight.std()
        return nn.functional.conv2d(images, weight, self.bias, self.stride, self.padding)


class Twice(nn.Module):
    """One layer that is used twice costs twice and has its parameters once."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1, bias=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.conv(self.conv(images))
        return result


def test_resnet8_by_hand() -> None:
    """Output elements times inputs of each, layer by layer; 8x8, then 4x4, then 2x2 positions."""
    by_hand = {
        "stem": 64 * 8 * 9 * 1,
        "blocks.0.conv1": 64 * 8 * 9 * 8,
        "blocks.0.conv2": 64 * 8 * 9 * 8,
        "blocks.1.conv1": 16 * 16 * 9 * 8,
        "blocks.1.conv2": 16 * 16 * 9 * 16,
        "blocks.1.shortcut.0": 16 * 16 * 8,
        "blocks.2.conv1": 4 * 32 * 9 * 16,
        "blocks.2.conv2": 4 * 32 * 9 * 32,
        "blocks.2.shortcut.0": 4 * 32 * 16,
        "classifier": 320,
    }
    cost = count(build_network("resnet8", DIGITS, 0), DIGITS)
    assert cost.macs_of_layer == by_hand
    assert cost.macs == sum(by_hand.values()) == 193_344


def test_mlp7_by_hand() -> None:
    """The founding paper's network: 64 inputs, six hidden layers of 100, ten classes."""
    cost = count(build_network("mlp7", DIGITS, 0), DIGITS)
    assert cost.macs == 64 * 100 + 5 * 100 * 100 + 100 * 10 == 57_400
    assert cost.params == 57_400 + 6 * 100 + 10


MODELS: dict[str, tuple[nn.Module, ImageShape]] = {
    "grouped": (nn.Conv2d(8, 16, 3, groups=4, bias=False), ImageShape(8, 9, 7, 1)),
    "depthwise": (nn.Conv2d(6, 12, 5, stride=2, groups=6), ImageShape(6, 11, 11, 1)),
    "not square": (nn.Conv2d(3, 5, (1, 7), stride=(2, 3), padding=(0, 2), dilation=(1, 2)), ImageShape(3, 12, 31, 1)),
    "a subclass": (Normalised(4, 6, 3), ImageShape(4, 8, 8, 1)),
    "used twice": (Twice(), ImageShape(3, 8, 8, 1)),
    "tokens": (nn.Sequential(nn.Flatten(2), nn.Linear(16, 5)), ImageShape(3, 4, 4, 1)),  # a linear layer on (3, 16)
}
MODELS |= {name: (build_network(name, DIGITS, 0), DIGITS) for name in ("mlp7", "resnet8", "resnet20b", "mobilenetv2")}
MODELS["vgg19"] = (build_network("vgg19", ImageShape(3, 32, 32, 100), 0), ImageShape(3, 32, 32, 100))
MODELS["resnet8, RGB"] = (build_network("resnet8", ImageShape(3, 32, 32, 100), 0), ImageShape(3, 32, 32, 100))


GOLDEN = Path(__file__).parents[1] / "golden" / "fvcore_macs.json"


def by_fvcore() -> dict[str, int]:
    """MACs of each model: it too calls a multiply-add one. Its batch norms and additions are left out."""
    fvcore = pytest.importorskip("fvcore.nn", reason="no fvcore: what it counted is in tests/golden/fvcore_macs.json")
    found = {}
    for name, (model, shape) in MODELS.items():
        images = torch.zeros(1, shape.channels, shape.height, shape.width)
        with torch.no_grad():
            counted = fvcore.FlopCountAnalysis(model.eval(), images).unsupported_ops_warnings(False).by_operator()
        found[name] = int(sum(counted[op] for op in ("conv", "linear", "matmul", "bmm")))
    return found


def refresh() -> None:
    """After a model was added, where fvcore is installed beside this: `pip install --target DIR fvcore`."""
    versions = {package: version(package) for package in ("fvcore", "torch")}
    GOLDEN.write_text(json.dumps(versions | {"macs": by_fvcore()}, indent=2) + "\n")


@pytest.mark.parametrize("name", MODELS)
def test_macs_are_what_fvcore_counted(name: str) -> None:
    """Without a release since 2022 and built on torch.jit, which torch deprecates, fvcore is no dependency."""
    assert count(*MODELS[name]).macs == json.loads(GOLDEN.read_text())["macs"][name]


def test_what_fvcore_counted_is_what_it_counts() -> None:
    assert by_fvcore() == json.loads(GOLDEN.read_text())["macs"]


@pytest.mark.parametrize("name", MODELS)
def test_macs_are_half_of_the_flops_torch_counts(name: str) -> None:
    model, shape = MODELS[name]
    image = torch.zeros(1, shape.channels, shape.height, shape.width)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(image)
    cost = count(model, shape)
    assert 2 * cost.macs == counter.get_total_flops() > 0
    assert cost.params == sum(parameter.numel() for parameter in model.parameters())


PUBLISHED = (  # torchvision prints their multiply-adds and parameters beside its trained weights
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "mobilenet_v2", "mobilenet_v3_large",
    "resnet18", "resnet34", "resnet50", "resnext50_32x4d", "swin_t", "vgg16", "vit_b_16",
)  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_totals_are_the_published_ones(name: str) -> None:
    shape = ImageShape(3, 224, 224, 1000)
    with torch.random.fork_rng(), torch.device("meta"):  # shapes are all it takes
        model = torchvision.models.get_model(name, weights=None)
    published = torchvision.models.get_model_weights(name).DEFAULT.meta
    cost = count(model.eval(), shape)
    assert round(cost.macs / 1e9, 3) == published["_ops"] and cost.params == published["num_params"]


def test_attention_by_hand() -> None:
    """Two heads over five tokens of size six: 5 x 5 x 6 by the keys, as many by the values, and four projections."""

    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention, self.classifier = nn.MultiheadAttention(6, 2, batch_first=True), nn.Linear(6, 2)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            tokens = images.flatten(2)
            logits: torch.Tensor = self.classifier(self.attention(tokens, tokens, tokens)[0].mean(dim=1))
            return logits

    cost = count(Tokens(), ImageShape(5, 2, 3, 2))
    assert cost.macs_of_layer == {"classifier": 12}
    assert cost.outside == 4 * 5 * 6 * 6 + 2 * 5 * 5 * 6 and cost.macs == cost.outside + 12


def test_a_layer_has_nothing_outside() -> None:
    for name in ("resnet8", "mlp7", "mobilenetv2"):
        cost = count(build_network(name, DIGITS, 0), DIGITS)
        assert cost.outside == 0 and cost.macs == sum(cost.macs_of_layer.values())


def test_special_convolutions_by_hand() -> None:
    assert count(*MODELS["grouped"]).macs == 16 * 7 * 5 * 9 * 2  # each output sums over 8 / 4 channels
    assert count(*MODELS["depthwise"]).macs == 12 * 4 * 4 * 25
    assert count(*MODELS["a subclass"]).macs == 6 * 6 * 6 * 9 * 4
    assert count(*MODELS["used twice"]).macs == 2 * 3 * 64 * 9 * 3


def test_counting_leaves_the_model_as_it_was() -> None:
    model = build_network("resnet8", DIGITS, 0).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    count(model, DIGITS)
    assert model.training and all(torch.equal(before[n], t) for n, t in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())

    def broken(*_: Any) -> None:
        raise RuntimeError("no")

    handle = model.register_forward_pre_hook(broken)
    with pytest.raises(RuntimeError, match="no"):
        count(model, DIGITS)
    handle.remove()
    assert model.training and not any(module._forward_hooks for module in model.modules())


def test_a_group_norm_with_one_value_in_each_group_of_one_image_is_counted():
    """torch refuses that outside of larger batches; with few filters and small images it is what is left."""
    model = nn.Sequential(nn.Conv2d(1, 4, 8), nn.GroupNorm(4, 4), nn.Flatten(), nn.Linear(4, 3))
    assert count(model, ImageShape(1, 8, 8, 3)).macs == 4 * 64 + 12
