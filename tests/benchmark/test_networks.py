"""Networks: shapes, seeds, initialisation; and the forward pass against one written out in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from prunemark.benchmark.networks.registry import LIBRARIES, NETWORKS, ImageShape, build_network, initialise
from prunemark.setups import track_checks
from prunemark.setups.errors import InputError

DIGITS = ImageShape(1, 8, 8, 10)
names = pytest.mark.parametrize("name", [n for n in NETWORKS if n != "wrn28-10"])  # as wrn40-2, and large
PUBLISHED = {  # million parameters with ten classes: He et al. 2016, Table 6; Zagoruyko & Komodakis 2016, Table 4
    "resnet20": 0.27, "resnet32": 0.46, "resnet56": 0.85, "resnet110": 1.7, "wrn16-8": 11.0, "wrn40-2": 2.2,
    "wrn28-10": 36.5,
}  # fmt: skip


@names
@pytest.mark.parametrize("shape", [DIGITS, ImageShape(3, 32, 32, 100)])
def test_images_in_logits_out(name: str, shape: ImageShape) -> None:
    if name.startswith("vgg") and shape == DIGITS:
        pytest.skip("four poolings leave nothing of 8x8")
    model = build_network(name, shape, 0)
    images = torch.randn(5, shape.channels, shape.height, shape.width, generator=torch.Generator().manual_seed(0))
    assert model(images).shape == (5, shape.classes)
    assert model.eval()(images[:1]).shape == (1, shape.classes)


@names
def test_the_seed_and_nothing_else_decides_the_weights(name: str) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one = build_network(name, DIGITS, 1).state_dict()
    assert torch.equal(torch.rand(3), expected)  # the global generator is as it was
    again, other = build_network(name, DIGITS, 1).state_dict(), build_network(name, DIGITS, 2).state_dict()
    assert all(torch.equal(one[key], again[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


@names
def test_the_initialisation_is_that_of_he(name: str) -> None:
    """Standard deviation sqrt(2 / fan): fan-out of convolutions within a group, fan-in of linear layers."""
    shape = ImageShape(3, 32, 32, 100)  # large layers, so that the sample says something
    for module in build_network(name, shape, 0).modules():
        if isinstance(module, nn.Conv2d):
            fan = module.out_channels * math.prod(module.kernel_size) // module.groups
        elif isinstance(module, nn.Linear):
            fan = module.in_features
            assert torch.count_nonzero(module.bias) == 0
        else:
            continue
        weight = module.weight.detach()
        n = weight.numel()
        assert float(weight.std()) == pytest.approx(math.sqrt(2 / fan), rel=5 / math.sqrt(2 * n))
        assert abs(float(weight.mean())) < 5 * math.sqrt(2 / fan / n)


def test_initialise_draws_by_the_shapes_of_now_and_forgets_what_was_learned() -> None:
    model = nn.Sequential(nn.Conv2d(1, 400, 3, bias=False), nn.BatchNorm2d(400))
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.fill_(7)
    initialise(model)
    norm = model[1]
    assert float(model[0].weight.detach().std()) == pytest.approx(math.sqrt(2 / 3600), rel=0.1)
    assert isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None
    assert not norm.running_mean.any() and torch.equal(norm.running_var, torch.ones(400))
    assert torch.equal(norm.weight, torch.ones(400)) and not norm.bias.any()


def test_resnet8_computes_what_the_paper_draws() -> None:
    """conv-BN-ReLU-conv-BN, plus the shortcut, ReLU; mean over the places; classifier. Written out by hand."""
    model = build_network("resnet8", DIGITS, 3).double().eval()
    generator = torch.Generator().manual_seed(4)
    state = model.state_dict()
    for key in [key for key in state if key.endswith(("running_mean", "bn1.bias", "bn2.bias"))]:
        state[key].normal_(generator=generator)  # so that a forgotten batch norm shows
    w = {key: tensor for key, tensor in state.items()}

    def norm(x: torch.Tensor, key: str) -> torch.Tensor:
        shift = (x - w[f"{key}.running_mean"][:, None, None]) / (w[f"{key}.running_var"][:, None, None] + 1e-5).sqrt()
        return shift * w[f"{key}.weight"][:, None, None] + w[f"{key}.bias"][:, None, None]

    images = torch.randn(4, 1, 8, 8, dtype=torch.float64, generator=generator)
    x = norm(F.conv2d(images, w["stem.weight"], padding=1), "stem_bn").clamp(min=0)
    for block, stride in ((0, 1), (1, 2), (2, 2)):
        at = f"blocks.{block}"
        inner = norm(F.conv2d(x, w[f"{at}.conv1.weight"], stride=stride, padding=1), f"{at}.bn1").clamp(min=0)
        out = norm(F.conv2d(inner, w[f"{at}.conv2.weight"], padding=1), f"{at}.bn2")
        if block:
            x = norm(F.conv2d(x, w[f"{at}.shortcut.0.weight"], stride=stride), f"{at}.shortcut.1")
        x = (out + x).clamp(min=0)
    logits = x.mean(dim=(2, 3)) @ w["classifier.weight"].T + w["classifier.bias"]
    assert torch.allclose(model(images), logits, rtol=1e-10)


def test_mlp7_computes_what_numpy_does() -> None:
    model = build_network("mlp7", DIGITS, 3).double()
    images = torch.randn(4, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    hidden = images.reshape(4, 64).numpy()
    for index in range(7):
        weight, bias = (model.state_dict()[f"layers.{index}.{part}"].numpy() for part in ("weight", "bias"))
        hidden = hidden @ weight.T + bias
        hidden = np.maximum(hidden, 0) if index < 6 else hidden
    assert np.allclose(model(images).detach().numpy(), hidden, rtol=1e-10)


@pytest.mark.parametrize(("name", "millions"), PUBLISHED.items())
def test_networks_have_the_parameters_their_papers_print(name: str, millions: float) -> None:
    parameters = sum(p.numel() for p in build_network(name, ImageShape(3, 32, 32, 10), 0).parameters())
    digits = len(str(millions).partition(".")[2])
    assert round(parameters / 1e6, digits) == millions


def test_options_a_and_b_differ_in_the_shortcuts_alone() -> None:
    """Option B projects where the width changes: 16 x 32 and 32 x 64 weights, with 2 x (32 + 64) of batch norm."""
    for depth in (20, 32, 56, 110):
        a, b = (build_network(f"resnet{depth}{option}", DIGITS, 0) for option in ("", "b"))
        names = {name for name, _ in b.named_parameters()} - {name for name, _ in a.named_parameters()}
        assert len(names) == 6 and all(".shortcut." in name for name in names)
        assert sum(p.numel() for n, p in b.named_parameters() if n in names) == 16 * 32 + 32 * 64 + 2 * (32 + 64)
        assert sum(1 for m in a.modules() if isinstance(m, nn.Conv2d | nn.Linear)) == depth


@pytest.mark.parametrize("name", ["timm:resnet18", "torchvision:mobilenet_v3_small", "timm:deit_tiny_patch16_224"])
def test_library_networks_are_built_for_the_images_and_from_the_seed(name: str) -> None:
    shape = ImageShape(3, 48, 48, 13)
    model = build_network(name, shape, 1)
    assert model.eval()(torch.zeros(2, 3, 48, 48)).shape == (2, 13)
    again, other = build_network(name, shape, 1).state_dict(), build_network(name, shape, 2).state_dict()
    assert all(torch.equal(tensor, again[key]) for key, tensor in model.state_dict().items())
    assert any(not torch.equal(tensor, other[key]) for key, tensor in model.state_dict().items())


def test_library_networks_have_random_weights() -> None:
    """Nothing is downloaded: the last batch norms are at their start, and the weights are He's."""
    model = build_network("timm:resnet18", ImageShape(3, 48, 48, 13), 1)
    norm = model.get_submodule("layer4.1.bn2")
    assert isinstance(norm, nn.BatchNorm2d) and torch.equal(norm.weight.detach(), torch.ones(512))
    deviation = float(model.get_submodule("layer4.1.conv2").get_parameter("weight").detach().std())
    assert deviation == pytest.approx(math.sqrt(2 / (512 * 9)), rel=0.01)


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("timm:resnet5", DIGITS, "timm has no network 'resnet5'. Did you mean resnet"),
        ("torchvision:resnet5", DIGITS, "torchvision has no network 'resnet5'. Did you mean resnet50"),
        ("torchvision:maskrcnn_resnet50_fpn", DIGITS, "torchvision has no network 'maskrcnn_resnet50_fpn'"),
        ("torchvision:resnet18", DIGITS, "torchvision:resnet18 takes images of 3 channels; these have 1"),
        ("hub:resnet18", DIGITS, "unknown network 'hub:resnet18'"),
        (
            "torchvision:vit_b_16",
            ImageShape(3, 20, 20, 10),
            "torchvision:vit_b_16 cannot be built for images of 3x20x20",
        ),
    ],
)
def test_what_a_library_cannot_build_is_wrong_input(name: str, shape: ImageShape, words: str) -> None:
    with pytest.raises(InputError, match=words):
        build_network(name, shape, 0)


def test_an_unknown_network_gets_the_valid_names() -> None:
    with pytest.raises(InputError, match="unknown network 'resnet'. Did you mean 'resnet8'?"):
        build_network("resnet", DIGITS, 0)


def test_mobilenetv2_for_small_images_leaves_out_two_strides_of_the_papers() -> None:
    """torchvision's has the paper's five; here the stem and the second row keep the size."""
    shape = ImageShape(3, 32, 32, 10)
    own, theirs = (build_network(name, shape, 0) for name in ("mobilenetv2", "torchvision:mobilenet_v2"))
    strides = [[m.stride for m in model.modules() if isinstance(m, nn.Conv2d)] for model in (own, theirs)]
    names = [name for name, module in own.named_modules() if isinstance(module, nn.Conv2d)]
    assert strides[0].count((2, 2)) == 3 and strides[1].count((2, 2)) == 5
    assert [n for n, a, b in zip(names, *strides, strict=True) if a != b] == ["stem", "blocks.1.depthwise"]


def test_a_track_may_name_the_networks_that_are_built_here():
    assert tuple(NETWORKS) == track_checks.NETWORKS and tuple(LIBRARIES) == track_checks.LIBRARIES
