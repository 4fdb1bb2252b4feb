"""Networks: shapes, seeds, initialisation; and the forward pass against one written out in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from prunemark.benchmark.networks import NETWORKS, ImageShape, build_network, initialise
from prunemark.setups.errors import InputError

DIGITS = ImageShape(1, 8, 8, 10)
names = pytest.mark.parametrize("name", NETWORKS)


@names
@pytest.mark.parametrize("shape", [DIGITS, ImageShape(3, 32, 32, 100)])
def test_images_in_logits_out(name: str, shape: ImageShape) -> None:
    if name == "vgg19" and shape == DIGITS:
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
    """Standard deviation sqrt(2 / fan): fan-out of convolutions, fan-in of linear layers."""
    shape = ImageShape(3, 32, 32, 100)  # large layers, so that the sample says something
    for module in build_network(name, shape, 0).modules():
        if isinstance(module, nn.Conv2d):
            fan = module.out_channels * math.prod(module.kernel_size)
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


def test_an_unknown_network_gets_the_valid_names() -> None:
    with pytest.raises(InputError, match="unknown network 'resnet'. Did you mean 'resnet8'?"):
        build_network("resnet", DIGITS, 0)
