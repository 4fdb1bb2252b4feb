"""Erdős-Rényi-Kernel: densities against a solver of its own, and counts that are exact."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from torch import nn

from prunemark.baselines.erk import ErkMagnitude, layer_densities, ranked
from prunemark.benchmark.compression.sparsity import choose_weights
from prunemark.benchmark.method import Group

fixed = settings(derandomize=True, deadline=None, database=None)
SHAPES = st.lists(
    st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=6
)


class Wanted:
    """As much of a context as densities ask for."""

    def __init__(self, sparsity):
        self.target = type("Target", (), {"sparsity": sparsity})


def zeros(shapes):
    return {Group(f"layer{n}", int(np.prod(shape))): torch.zeros(shape) for n, shape in enumerate(shapes)}


def solved(shapes, density, kernel):
    """e by root finding on the sum of capped layers: no layer is ever set aside."""
    sizes = np.array([np.prod(shape) for shape in shapes], dtype=float)
    raw = np.array([sum(s) / np.prod(s) for s in (shapes if kernel else [shape[:2] for shape in shapes])])
    want = density * sizes.sum()
    scale = brentq(lambda e: (np.minimum(1, e * raw) * sizes).sum() - want, 0, 2 / raw.min(), xtol=1e-14)
    return np.minimum(1, scale * raw)


@fixed
@given(SHAPES, st.floats(0.01, 0.95), st.sampled_from(["erk", "er"]))
def test_densities_are_those_of_another_solver(shapes, density, kind):
    found = layer_densities(kind, zeros(shapes), Wanted(1 - density))
    np.testing.assert_allclose(list(found.values()), solved(shapes, density, kind == "erk"), rtol=1e-6)


def test_densities_by_hand():
    """8 of 32 weights stay. Raw densities are (4+4)/16 and (2+8)/16: 4/9 and 5/9 of the 8 weights."""
    found = layer_densities("er", zeros([(4, 4), (2, 8)]), Wanted(0.75))
    np.testing.assert_allclose(list(found.values()), [8 * 4 / 9 / 16, 8 * 5 / 9 / 16])
    assert list(layer_densities("uniform", zeros([(4, 4), (2, 8)]), Wanted(0.75)).values()) == [0.25, 0.25]


def test_a_layer_that_would_be_more_than_dense_is_dense():
    """Half of 104 weights: (2+2)/4 = 1 for the small layer, 20/100 for the other; scaled, the small one exceeds 1."""
    small, large = layer_densities("er", zeros([(2, 2), (10, 10)]), Wanted(0.5)).values()
    assert small == 1.0 and large == pytest.approx((52 - 4) / 100)


def test_the_kernel_counts_by_its_sides():
    """(3+2+3+3) / (3*2*9) against (3+2) / (3*2): the 3x3 layer is sparser with the kernel in the formula."""
    shapes = [(3, 2, 3, 3), (9, 6, 1, 1)]  # both 54 weights
    with_kernel = list(layer_densities("erk", zeros(shapes), Wanted(0.9)).values())
    without = list(layer_densities("er", zeros(shapes), Wanted(0.9)).values())
    assert with_kernel[0] / with_kernel[1] == pytest.approx(11 / 17)  # 9 + 6 + 1 + 1
    assert without[0] / without[1] == pytest.approx((5 / 6) / (15 / 54))


@fixed
@given(SHAPES, st.floats(0.05, 0.95), st.integers(0, 9))
def test_the_counts_are_the_densities_and_add_up(shapes, sparsity, seed):
    generator = torch.Generator().manual_seed(seed)
    weights = zeros(shapes)
    scores = {group: torch.rand(weight.shape, generator=generator) for group, weight in weights.items()}
    densities = layer_densities("erk", weights, Wanted(sparsity))
    keys = {group.name: values.double() for group, values in ranked(scores, densities).items()}
    masks = choose_weights(keys, sparsity, "global")
    total = sum(group.size for group in weights)
    assert sum(int(mask.sum()) for mask in masks.values()) == total - int(sparsity * total + 0.5)
    for group in weights:
        mask, values = masks[group.name], scores[group]
        assert abs(int(mask.sum()) - densities[group] * group.size) < len(shapes)  # one rounding a layer at most
        assert densities[group] < 1 or mask.all() or abs(int(mask.sum()) - group.size) <= 1
        if mask.any() and not mask.all():
            assert values[mask].min() >= values[~mask].max()  # the best of the layer


def test_magnitude_with_these_ratios_keeps_the_largest_of_each_layer(bench):
    with bench.stage() as (model, context, _):
        decision = ErkMagnitude().prune(model, context)
        weights = {group: group.layer(model).weight for group in context.groups}
        shapes = [tuple(weight.shape) for weight in weights.values()]
        want = solved(shapes, 1 - context.target.sparsity, kernel=True)
        for (group, weight), density in zip(weights.items(), want, strict=True):
            mask = decision.masks[group.name]
            assert abs(int(mask.sum()) - density * group.size) <= 1
            assert mask.all() or weight.abs()[mask].min() >= weight.abs()[~mask].max()
        assert sum(bench.kept(decision).values()) == 19_072 - round(0.9 * 19_072)


@pytest.mark.parametrize("kind", ["er", "uniform"])
def test_other_densities_can_be_set(bench, kind):
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 2))
    context = bench.small_context(model, ["0", "1"], sparsity=0.5)
    counts = bench.kept(ErkMagnitude(densities=kind).prune(model, context))
    assert counts == {"er": {"0": 25, "1": 15}, "uniform": {"0": 32, "1": 8}}[kind]
