"""Scores of single weights against their published formulas, worked out in float64 without the harness."""

import numpy as np
import pytest
import torch
from torch import nn

from prunemark.baselines.lamp import Lamp


def layer_of(values):
    layer = nn.Linear(len(values[0]), len(values))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(values))
    return layer


def published_lamp(weight):
    """Every weight against all that are not smaller, pair by pair."""
    flat = weight.astype(np.float64).flatten() ** 2
    return np.array([own / sum(other for other in flat if other >= own) for own in flat]).reshape(weight.shape)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("layer", [nn.Conv2d(3, 5, 3), nn.Linear(20, 9)], ids=["convolution", "linear"])
def test_lamp_is_the_published_score(layer, seed):
    with torch.no_grad():
        layer.weight.copy_(torch.randn(layer.weight.shape, generator=torch.Generator().manual_seed(seed)))
    scores = Lamp().score(layer, None)
    assert scores.shape == layer.weight.shape
    np.testing.assert_allclose(scores.numpy(), published_lamp(layer.weight.detach().numpy()), rtol=1e-6)


def test_lamp_by_hand():
    """Squares 1, 4, 9 and 16: 1/30, 4/29, 9/25 and 1. Of equal weights the later one counts as larger."""
    scores = Lamp().score(layer_of([[-1.0, 3.0], [2.0, -4.0]]), None)
    np.testing.assert_allclose(scores.numpy(), [[1 / 30, 9 / 25], [4 / 29, 1.0]], rtol=1e-12)
    np.testing.assert_allclose(Lamp().score(layer_of([[2.0, 2.0]]), None).numpy(), [[0.5, 1.0]])


def test_lamp_does_not_change_with_the_scale_of_a_layer_and_keeps_the_order_of_magnitude():
    layer, larger = layer_of([[0.3, -0.1], [0.7, 0.2]]), layer_of([[30.0, -10.0], [70.0, 20.0]])
    np.testing.assert_allclose(Lamp().score(layer, None), Lamp().score(larger, None), rtol=1e-6)
    order = Lamp().score(layer, None).flatten().argsort()
    assert torch.equal(order, layer.weight.flatten().abs().argsort())


def test_lamp_of_a_layer_of_zeros_is_zero():
    assert Lamp().score(layer_of([[0.0, 0.0]]), None).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("level", ["90%", "98%"])
def test_lamp_keeps_the_largest_of_every_layer_and_the_target_exactly(bench, level):
    with bench.stage(level=level) as (model, context, _):
        decision = Lamp().prune(model, context)
        total = sum(group.size for group in context.groups)
        assert sum(bench.kept(decision).values()) == total - round(context.target.sparsity * total)
        for group in context.groups:
            size, mask = group.layer(model).weight.abs(), decision.masks[group.name]
            assert mask.any() and size[mask].min() >= size[~mask].max()  # magnitude within the layer
