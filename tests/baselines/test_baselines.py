"""Every criterion against its published formula, worked out in float64 without the harness."""

import numpy as np
import pytest
import torch
from torch import nn

from prunemark.baselines import geometric_median, l1_norm, l2_norm, magnitude, random_filters, random_weights
from prunemark.records.card import shipped_methods


class Context:
    """As much of a PruningContext as a criterion that trains nothing can ask for."""

    def __init__(self, seed=0):
        self.generator = torch.Generator().manual_seed(seed)


def convolution(filters=12, channels=3, seed=0):
    layer = nn.Conv2d(channels, filters, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(layer.weight.shape, generator=torch.Generator().manual_seed(seed)))
    return layer


def rows(layer):
    return layer.weight.detach().numpy().astype(np.float64).reshape(len(layer.weight), -1)


PUBLISHED = {
    l1_norm.L1Norm: lambda w: np.abs(w).sum(axis=1),
    l2_norm.L2Norm: lambda w: np.sqrt((w**2).sum(axis=1)),
    geometric_median.GeometricMedian: lambda w: np.array([sum(np.sqrt(((a - b) ** 2).sum()) for b in w) for a in w]),
}


@pytest.mark.parametrize("criterion", PUBLISHED, ids=lambda c: c.__name__)
@pytest.mark.parametrize("layer", [convolution(), nn.Linear(20, 9)], ids=["convolution", "linear"])
def test_scores_are_the_published_formula(criterion, layer):
    scores = criterion().score(layer, Context())
    assert scores.shape == (len(layer.weight),)
    np.testing.assert_allclose(scores.detach().numpy(), PUBLISHED[criterion](rows(layer)), rtol=1e-5)


def test_the_geometric_median_by_hand():
    """Three points on a line, 0, 1 and 10: distances sum to 11, 10 and 19; the middle one goes first."""
    layer = nn.Linear(1, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.0], [1.0], [10.0]]))
    assert geometric_median.GeometricMedian().score(layer, Context()).tolist() == [11.0, 10.0, 19.0]


def test_the_geometric_median_takes_the_weights_and_not_their_size():
    """A filter and its negative are far apart, though |w| is the same: the trap of some libraries."""
    layer = nn.Linear(2, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, 4.0], [-3.0, -4.0], [3.0, 4.0]]))
    assert geometric_median.GeometricMedian().score(layer, Context()).tolist() == [10.0, 20.0, 10.0]


def test_close_filters_are_told_apart():
    """Where distances are computed by matrix products, a gap of 1e-4 beside weights of 100 disappears."""
    layer = nn.Linear(30, 30)
    with torch.no_grad():
        layer.weight.fill_(100.0)
        layer.weight[0] += 1e-3
    scores = geometric_median.GeometricMedian().score(layer, Context())
    np.testing.assert_allclose(
        scores.detach().numpy(), PUBLISHED[geometric_median.GeometricMedian](rows(layer)), rtol=1e-5
    )


def test_magnitude_is_the_absolute_weight():
    layer = convolution()
    assert torch.equal(magnitude.Magnitude().score(layer, Context()), layer.weight.abs())
    assert magnitude.Magnitude().allocation == "global" and magnitude.LayerwiseMagnitude().allocation == "uniform"


@pytest.mark.parametrize("criterion", [random_filters.RandomFilters, random_weights.RandomWeights])
def test_random_scores_come_from_the_trials_generator(criterion):
    layer = convolution()
    first, again, other = (criterion().score(layer, Context(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_the_registry_is_of_methods_that_exist():
    import importlib

    for spec in shipped_methods().values():
        module, _, class_name = spec.partition(":")
        assert getattr(importlib.import_module(module), class_name).__doc__
