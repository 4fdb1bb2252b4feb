"""Meeting a sparsity: as many zeros as were asked for, exactly, and always the lowest scores."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from prunemark.benchmark.compression.sparsity import check_scores, choose_weights
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.setups.errors import InputError
from prunemark.setups.track import Level, Track
from prunemark.setups.track_files import released_tracks

fixed = settings(derandomize=True, deadline=None, database=None)
ALLOCATIONS = ("uniform", "global")
SHAPE = ImageShape(1, 8, 8, 10)


def test_an_unknown_allocation_is_refused() -> None:
    with pytest.raises(ValueError, match="allocation is 'uniform' or 'global'; got 'layerwise'"):
        choose_weights({"a": torch.ones(4)}, 0.5, "layerwise")


shapes = st.dictionaries(
    st.sampled_from("abc"), st.lists(st.integers(1, 6), min_size=1, max_size=3).map(tuple), min_size=1
)


@fixed
@given(shapes, st.floats(0, 1), st.sampled_from(ALLOCATIONS), st.integers(0, 9), st.booleans())
def test_masks_have_the_exact_number_of_zeros(
    sizes: dict[str, tuple[int, ...]], sparsity: float, allocation: str, seed: int, tied: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)
    draws = {n: torch.rand(shape, generator=generator, dtype=torch.float64) for n, shape in sizes.items()}
    scores = {name: (3 * values).round() if tied else values for name, values in draws.items()}
    masks = choose_weights(scores, sparsity, allocation)
    total = sum(values.numel() for values in scores.values())
    assert sum(int((~mask).sum()) for mask in masks.values()) == math.floor(sparsity * total + 0.5)
    pools = [list(sizes)] if allocation == "global" else [[name] for name in sizes]
    for pool in pools:
        gone = torch.cat([scores[name][~masks[name]] for name in pool])
        stays = torch.cat([scores[name][masks[name]] for name in pool])
        assert not len(gone) or not len(stays) or gone.max() <= stays.min()
    for name, mask in masks.items():
        assert mask.dtype == torch.bool and mask.shape == scores[name].shape
        if allocation == "uniform":
            assert abs(int((~mask).sum()) - sparsity * mask.numel()) < 1.5
    again = choose_weights(scores, sparsity, allocation)
    assert all(torch.equal(again[name], masks[name]) for name in masks)


def test_masks_by_hand() -> None:
    scores = {"a": torch.tensor([[4.0, 1.0], [3.0, 2.0]]), "b": torch.tensor([9.0, 0.5, 8.0, 7.0, 6.0, 5.0])}
    masks = choose_weights(scores, 0.3, "global")  # the lowest three: 0.5, 1, 2
    assert masks["a"].tolist() == [[True, False], [True, False]]
    assert masks["b"].tolist() == [True, False, True, True, True, True]
    masks = choose_weights(scores, 0.5, "uniform")  # two of four, three of six
    assert masks["a"].tolist() == [[True, False], [True, False]]
    assert masks["b"].tolist() == [True, False, True, True, False, False]
    shares = choose_weights({"a": torch.ones(3), "b": torch.ones(3), "c": torch.ones(4)}, 0.5, "uniform")
    assert [int((~mask).sum()) for mask in shares.values()] == [2, 1, 2]  # largest remainder, then the first


OF_WEIGHTS = [t for t in released_tracks().values() if t.granularity == "weight"]


@pytest.mark.parametrize("track", OF_WEIGHTS, ids=lambda t: t.id)
def test_weight_levels_are_exact_on_the_networks_of_the_tracks(track: Track) -> None:
    model = build_network(track.network, SHAPE, 0)
    scores = {name: model.get_submodule(name).get_parameter("weight").detach().abs() for name in track.prunable}
    total = sum(values.numel() for values in scores.values())
    level: Level
    for level in track.levels:
        for allocation in ALLOCATIONS:
            masks = choose_weights(scores, level.ratio, allocation)
            assert sum(int((~mask).sum()) for mask in masks.values()) == round(level.ratio * total)


def test_more_weights_than_there_are_cannot_go() -> None:
    with pytest.raises(InputError, match="6 weights cannot be removed from 4"):
        choose_weights({"a": torch.ones(4)}, 1.5, "uniform")


@pytest.mark.parametrize(
    ("given_scores", "words"),
    [
        ({"a": torch.ones(4)}, "no scores for layer b; every group"),
        ({"a": torch.ones(4), "b": torch.ones(3)}, r"scores of layer b must have shape \(2,\); got \(3,\)"),
        ({"a": torch.ones(4), "b": torch.ones(2, 1)}, r"must have shape \(2,\); got \(2, 1\)"),
        ({"a": torch.ones(4), "b": torch.tensor([1.0, math.nan])}, "scores of layer b contain NaN"),
        ({"a": torch.ones(4), "b": [1.0, 2.0]}, "must be a tensor of shape .* got list"),
        ({"a": torch.ones(4), "b": torch.ones(2), "c": torch.ones(1)}, "'c', which is not prunable. Prunable: a, b"),
    ],
)
def test_scores_that_cannot_be_ranked_are_refused(given_scores: dict[str, torch.Tensor], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_scores(given_scores, {"a": (4,), "b": (2,)})


def test_scores_come_out_in_the_order_of_the_network_as_float64() -> None:
    weight = torch.ones(2, requires_grad=True)
    checked = check_scores({"b": weight, "a": torch.tensor([1, 2, 3])}, {"a": (3,), "b": (2,)})
    assert list(checked) == ["a", "b"]  # so that ties do not depend on the order in which a method scored
    assert all(values.dtype == torch.float64 and not values.requires_grad for values in checked.values())
