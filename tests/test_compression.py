"""Meeting the target: exactly, by the lowest scores, the same every time; or an error that says how far it went."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from prunemark.benchmark.compression import (
    CostModel,
    CostTerm,
    TargetMissed,
    check_scores,
    choose_filters,
    choose_weights,
    highest,
    uniform_counts,
)
from prunemark.benchmark.networks import ImageShape, build_network
from prunemark.benchmark.surgery import cost_model
from prunemark.setups.errors import InputError
from prunemark.setups.track import TRACKS, Level, Track

fixed = settings(derandomize=True, deadline=None, database=None)
ALLOCATIONS = ("uniform", "global")
SHAPE = ImageShape(1, 8, 8, 10)
FILTER_TRACKS = [track for track in TRACKS.values() if track.granularity == "filter"]


@st.composite
def cost_models(draw: st.DrawFn, low: int, high: int) -> CostModel:
    """A chain of one to four layers, each fed by the one before, and a part that nothing shrinks."""
    widths = draw(st.lists(st.integers(low, high), min_size=1, max_size=4))
    names = [f"layer{n}" for n in range(len(widths))]
    places = st.integers(1, 50)
    terms = [CostTerm(draw(places) * widths[0], names[0], None)]
    for n in range(1, len(widths)):
        terms.append(CostTerm(draw(places) * widths[n - 1] * widths[n], names[n], names[n - 1]))
    terms.append(CostTerm(10 * widths[-1], None, names[-1]))
    terms.append(CostTerm(draw(st.integers(0, 500)), None, None))
    return CostModel(dict(zip(names, widths, strict=True)), tuple(terms))


def random_scores(cost: CostModel, seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.rand(size, generator=generator, dtype=torch.float64) for name, size in cost.sizes.items()}


def reached(cost: CostModel, kept: dict[str, torch.Tensor]) -> float:
    """The speed-up, by a formula of its own: every term times the kept share of both of its sides."""
    share = {name: len(indices) / cost.sizes[name] for name, indices in kept.items()} | {None: 1.0}
    pruned = sum(term.macs * share[term.out_group] * share[term.in_group] for term in cost.terms)
    return sum(term.macs for term in cost.terms) / pruned


@fixed
@given(cost_models(2, 24), st.floats(1, 10), st.sampled_from(ALLOCATIONS), st.integers(0, 99))
def test_the_target_is_met_or_missed_in_words(cost: CostModel, speedup: float, allocation: str, seed: int) -> None:
    scores = random_scores(cost, seed)
    try:
        kept = choose_filters(scores, cost, speedup, 0.01, allocation)
    except TargetMissed as problem:
        assert f"a speed-up of {speedup:.3f}x was asked for, within 1 %; whole filters reach" in str(problem)
        nearest = float(str(problem).split()[-1].rstrip("x"))
        assert abs(speedup / nearest - 1) > 0.009  # the pruned MACs are off by more than the tolerance
        return
    assert abs(speedup / reached(cost, kept) - 1) <= 0.01 + 1e-9
    for name, indices in kept.items():
        stays = set(indices.tolist())
        assert 1 <= len(stays) == len(indices) <= cost.sizes[name] and indices.tolist() == sorted(stays)
        gone = [float(scores[name][i]) for i in range(cost.sizes[name]) if i not in stays]
        assert max(gone, default=-math.inf) <= min(float(scores[name][i]) for i in stays)  # lowest go first


@fixed
@given(cost_models(200, 400), st.floats(1, 6), st.sampled_from(ALLOCATIONS))
def test_fine_layers_always_meet_a_target(cost: CostModel, speedup: float, allocation: str) -> None:
    floor = cost.dense_macs / cost.macs(dict.fromkeys(cost.sizes, 70))  # one filter is then 1.4 % of its layer
    speedup = min(speedup, floor)
    kept = choose_filters(random_scores(cost, 0), cost, speedup, 0.01, allocation)
    assert reached(cost, kept) == pytest.approx(speedup, rel=0.0102)
    if allocation == "uniform":
        shares = [len(indices) / cost.sizes[name] for name, indices in kept.items()]
        assert max(shares) - min(shares) <= 7 / 200  # one ratio, but for an exchange of at most three filters each


@pytest.mark.parametrize("track", FILTER_TRACKS, ids=lambda track: track.id)
def test_every_level_of_every_track_can_be_met_by_any_scores(track: Track) -> None:
    """Also by scores so different between layers that a global ranking empties them one after the other."""
    cost = cost_model(build_network(track.network, SHAPE, 0), track, SHAPE)
    for level in track.levels:
        assert level.speedup is not None
        for seed in range(20):
            scale = torch.rand(len(cost.sizes), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
            spread = dict(zip(cost.sizes, 1000.0 ** (seed % 3 * scale), strict=True))
            scores = {name: values * spread[name] for name, values in random_scores(cost, seed).items()}
            for allocation in ALLOCATIONS:
                kept = choose_filters(scores, cost, level.speedup, track.tolerance, allocation)
                assert reached(cost, kept) == pytest.approx(level.speedup, rel=track.tolerance * 1.02)


@pytest.mark.parametrize("track", FILTER_TRACKS, ids=lambda track: track.id)
def test_uniform_removes_the_ratio_of_the_level(track: Track) -> None:
    cost = cost_model(build_network(track.network, SHAPE, 0), track, SHAPE)
    for level in track.levels:
        assert level.speedup is not None
        kept = choose_filters(random_scores(cost, 1), cost, level.speedup, track.tolerance, "uniform")
        assert {name: len(indices) for name, indices in kept.items()} == uniform_counts(cost.sizes, level.ratio)


def test_one_layer_by_hand() -> None:
    """Four filters of 100 MACs and 100 MACs that stay: two filters left are 300 of 500."""
    cost = CostModel({"a": 4}, (CostTerm(400, "a", None), CostTerm(100, None, None)))
    scores = {"a": torch.tensor([3.0, 1.0, 2.0, 0.0])}
    for allocation in ALLOCATIONS:
        assert choose_filters(scores, cost, 5 / 3, 0.01, allocation)["a"].tolist() == [0, 2]
    assert choose_filters(scores, cost, 1.0, 0.01, "global")["a"].tolist() == [0, 1, 2, 3]


def test_two_layers_by_hand() -> None:
    """Eight filters of 100 MACs each, five to stay: the three lowest of all are 1, 2 and 3."""
    cost = CostModel({"a": 4, "b": 4}, (CostTerm(400, "a", None), CostTerm(400, "b", None)))
    scores = {"a": torch.tensor([7.0, 1.0, 5.0, 6.0]), "b": torch.tensor([9.0, 2.0, 8.0, 3.0])}
    kept = choose_filters(scores, cost, 8 / 5, 0.01, "global")
    assert {name: indices.tolist() for name, indices in kept.items()} == {"a": [0, 2, 3], "b": [0, 2]}
    kept = choose_filters(scores, cost, 2.0, 0.01, "uniform")
    assert {name: indices.tolist() for name, indices in kept.items()} == {"a": [0, 3], "b": [0, 2]}


def test_a_layer_never_goes_whole() -> None:
    cost = CostModel({"a": 4, "b": 4}, (CostTerm(400, "a", None), CostTerm(400, "b", None)))
    scores = {"a": torch.zeros(4), "b": torch.ones(4)}
    kept = choose_filters(scores, cost, 2.0, 0.01, "global")
    assert {name: len(indices) for name, indices in kept.items()} == {"a": 1, "b": 3}


def test_the_cost_of_a_layer_between_two_groups_is_exact() -> None:
    cost = CostModel({"a": 3, "b": 7}, (CostTerm(3 * 7 * 5, "b", "a"), CostTerm(11, None, None)))
    assert cost.dense_macs == 116
    assert [cost.macs({"a": a, "b": b}) for a, b in ((1, 1), (2, 3), (3, 7))] == [16, 41, 116]


@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_an_impossible_target_says_what_can_be_reached(allocation: str) -> None:
    cost = CostModel({"a": 4}, (CostTerm(400, "a", None), CostTerm(100, None, None)))
    with pytest.raises(
        TargetMissed, match=r"a speed-up of 10.000x was asked for, within 1 %; whole filters reach 2.500x"
    ):
        choose_filters({"a": torch.rand(4)}, cost, 10.0, 0.01, allocation)
    with pytest.raises(TargetMissed, match=r"reach 1.250x"):
        choose_filters({"a": torch.rand(4)}, cost, 1.3, 0.01, allocation)


@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_ties_are_broken_by_place(allocation: str) -> None:
    cost = CostModel({"b": 6, "a": 6}, (CostTerm(600, "a", None), CostTerm(600, "b", None)))
    scores = {"b": torch.ones(6), "a": torch.ones(6)}
    first = choose_filters(scores, cost, 2.0, 0.01, allocation)
    for _ in range(3):
        again = choose_filters({name: scores[name].clone() for name in scores}, cost, 2.0, 0.01, allocation)
        assert {n: i.tolist() for n, i in again.items()} == {n: i.tolist() for n, i in first.items()}
    for indices in first.values():
        assert indices.tolist() == list(range(len(indices)))  # of equal scores the later one goes first
    assert highest(torch.tensor([1.0, 2.0, 1.0, 1.0]), 2).tolist() == [0, 1]
    assert highest(torch.tensor([-math.inf, 0.0, math.inf]), 2).tolist() == [1, 2]


def test_an_unknown_allocation_is_refused() -> None:
    cost = CostModel({"a": 4}, (CostTerm(400, "a", None),))
    with pytest.raises(ValueError, match="allocation is 'uniform' or 'global'; got 'layerwise'"):
        choose_filters({"a": torch.ones(4)}, cost, 2.0, 0.01, "layerwise")
    with pytest.raises(ValueError, match="allocation is 'uniform' or 'global'; got 'layerwise'"):
        choose_weights({"a": torch.ones(4)}, 0.5, "layerwise")


@pytest.mark.parametrize(
    ("size", "ratio", "kept"),
    [
        (8, 0.5, 4),
        (8, 0.9, 1),
        (8, 0.95, 1),
        (16, 0.9, 2),
        (32, 0.9, 3),
        (32, 0.95, 2),
        (3, 0.5, 1),
        (5, 0.0, 5),
        (1, 0.9, 1),
    ],
)
def test_uniform_counts_round_to_the_nearest_and_keep_one(size: int, ratio: float, kept: int) -> None:
    assert uniform_counts({"a": size}, ratio) == {"a": kept}


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


@pytest.mark.parametrize("track", [t for t in TRACKS.values() if t.granularity == "weight"], ids=lambda t: t.id)
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
