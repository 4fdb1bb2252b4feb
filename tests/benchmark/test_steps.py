"""Filters that stay in steps: group norms, grouped convolutions, gated pairs and heads, solved for, decided and cut."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from prunemark.benchmark.compression.budget_solver import choose_filters, uniform_counts
from prunemark.benchmark.compression.dependency_graph import dependency_groups
from prunemark.benchmark.compression.properties import check_costs
from prunemark.benchmark.compression.prunable import check_kinds, check_prunable, propose
from prunemark.benchmark.compression.steps import Steps, blocks, first, highest, sets
from prunemark.benchmark.compression.surgery import BadDecision, cost_model, cut, first_filters, prunable_groups
from prunemark.benchmark.networks.cost import count
from prunemark.benchmark.networks.registry import ImageShape
from prunemark.benchmark.trial.plan import runs_on
from prunemark.records.controls import RANDOM_CONTROL
from prunemark.setups.errors import InputError
from prunemark.setups.track import Track
from prunemark.setups.track_files import find_track

SHAPE = ImageShape(3, 16, 16, 4)
ALLOCATIONS = pytest.mark.parametrize("allocation", ["uniform", "global"])


class Net(nn.Module):
    """A body, global pooling, a linear classifier."""

    def __init__(self, *body: nn.Module) -> None:
        super().__init__()
        self.body, self.classifier = nn.Sequential(*body), nn.Linear(8, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.classifier(self.body(images).mean(dim=(2, 3)))
        return logits


class Gated(nn.Module):
    """One half of a layer's outputs gates the other."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.f, self.g = nn.Conv2d(3, 8, 3), nn.Linear(8, 24), nn.Linear(12, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        left, right = self.f(F.relu(self.a(images)).mean((2, 3))).chunk(2, -1)
        logits: torch.Tensor = self.g(F.silu(left) * right)
        return logits


class Attention(nn.Module):
    """Like timm's: the forward pass takes the number of heads from `num_heads`."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.num_heads, self.head_dim, self.attn_dim = heads, width // heads, width
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).reshape(*x.shape[:2], 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4)
        out: torch.Tensor = self.proj(
            F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(*x.shape[:2], self.attn_dim)
        )
        return out


class Transformer(nn.Module):
    """One block, without norms."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.attn, self.head = nn.Conv2d(3, 16, 4, stride=4), Attention(16, 4), nn.Linear(16, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.patch(images).flatten(2).transpose(1, 2)
        logits: torch.Tensor = self.head((x + self.attn(x)).mean(1))
        return logits


def normed(groups: int, filters: int = 16) -> nn.Module:
    return Net(nn.Conv2d(3, filters, 3), nn.GroupNorm(groups, filters), nn.ReLU(), nn.Conv2d(filters, 8, 3), nn.ReLU())


def grouped(groups: int, norm: int = 1) -> nn.Module:
    return Net(
        nn.Conv2d(3, 24, 1), nn.GroupNorm(norm, 24), nn.ReLU(), nn.Conv2d(24, 36, 3, groups=groups), nn.ReLU(),
        nn.Conv2d(36, 8, 1),
    )  # fmt: skip


def track_of(*layers: str) -> Track:
    return dataclasses.replace(find_track("digits-resnet8"), network="mine", prunable=layers)


CASES = [
    (lambda: normed(4), ("body.0",), 4),
    (lambda: normed(8), ("body.0",), 8),
    (lambda: grouped(3), ("body.0", "body.3"), 3),
    (lambda: grouped(4, norm=6), ("body.0", "body.3"), 12),  # as many in each of 4 and of 6 groups
    (Gated, ("f",), 2),
    (Transformer, ("attn.qkv",), 12),
]


@pytest.mark.parametrize(("make", "layers", "step"), CASES)
def test_what_goes_in_steps_is_pruned_at_the_cost_that_is_said(make, layers, step: int) -> None:
    model = make()
    check_prunable(model, layers, SHAPE)  # silenced equals cut, at random keeps
    check_costs(model, track_of(*layers), SHAPE)
    assert prunable_groups(model, track_of(*layers), SHAPE)[0].steps.step == step
    assert set(layers) <= set(propose(model, SHAPE, streams=True))


def test_each_group_of_a_grouped_convolution_keeps_inputs_of_its_own() -> None:
    """By hand: of 2 groups with 3 inputs each, the first keeps 0 and 1, the second 4 and 5."""
    model = Net(nn.Conv2d(3, 6, 1), nn.Conv2d(6, 8, 1, groups=2))
    weight = model.body[1].weight.detach().clone()
    small = cut(model, {"body.0": torch.tensor([0, 1, 4, 5])}, SHAPE)
    assert torch.equal(small.body[1].weight, torch.cat([weight[:4, [0, 1]], weight[4:, [1, 2]]]))
    assert small.body[1].in_channels == 4 and small.body[1].groups == 2


def test_heads_go_whole() -> None:
    model = Transformer()
    group = prunable_groups(model, track_of("attn.qkv"), SHAPE)[0]
    rows = [part * 16 + head * 4 + i for part in range(3) for head in (1, 3) for i in range(4)]
    small = cut(copy.deepcopy(model), {"attn.qkv": torch.tensor(rows)}, SHAPE)
    assert torch.equal(small.attn.qkv.weight, model.attn.qkv.weight[rows])
    assert torch.equal(small.attn.proj.weight, model.attn.proj.weight[:, [4, 5, 6, 7, 12, 13, 14, 15]])
    assert (small.attn.num_heads, small.attn.attn_dim) == (2, 8)
    scores = torch.zeros(48)
    scores[rows] = 1.0
    assert group.steps.highest(scores, 24).tolist() == rows
    cost = cost_model(model, track_of("attn.qkv"), SHAPE)
    products = 2 * 16 * 16 * 16  # queries by keys, and the result by values: 16 places, 16 wide
    assert cost.macs({"attn.qkv": 48}) - cost.macs({"attn.qkv": 24}) == (16 * 16 * 64 + products) // 2


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        ([0, 1, 2, 3], "as many in each of its 4 blocks of 4 filters; 4 are kept otherwise"),
        ([0, 4, 8], "as many in each of its 4 blocks"),
    ],
)
def test_a_decision_that_breaks_the_step_is_refused_in_words(kept: list[int], words: str) -> None:
    with pytest.raises(BadDecision, match=words):
        cut(normed(4), {"body.0": torch.tensor(kept)}, SHAPE)
    cut(normed(4), {"body.0": torch.tensor([0, 5, 8, 15])}, SHAPE)


@ALLOCATIONS
@pytest.mark.parametrize("make", [lambda: grouped(3), lambda: grouped(4, norm=6)])
def test_the_solver_chooses_whole_steps_and_meets_the_target(make, allocation: str) -> None:
    model = make()
    track = track_of("body.0", "body.3", "body.5")
    cost = cost_model(model, track, SHAPE)
    scores = {
        name: torch.rand(size, generator=torch.Generator().manual_seed(size)).double()
        for name, size in cost.sizes.items()
    }
    kept = choose_filters(scores, cost, 2.0, 0.1, allocation)
    for name, steps in cost.steps.items():
        assert len(kept[name]) % steps.step == 0 and steps.fit(kept[name])
    left = count(cut(model, kept, SHAPE), SHAPE).macs
    assert left == cost.macs({name: len(indices) for name, indices in kept.items()})
    assert abs(cost.dense_macs / left / 2.0 - 1) <= 0.1


def test_the_best_of_each_block_stay_and_of_equal_ones_the_first() -> None:
    steps = blocks(6, 2)  # 0 1 2 and 3 4 5
    assert steps.highest(torch.tensor([1.0, 3, 2, 9, 7, 8]), 4).tolist() == [1, 2, 3, 5]
    assert highest(torch.ones(6), 2, steps).tolist() == [0, 3] == first(2, steps).tolist()
    assert steps.scores(torch.tensor([1.0, 3, 2, 9, 7, 8])).tolist() == [4.0, 5.0, 6.0]
    assert sets([[0, 2], [1, 3]]).highest(torch.tensor([0.0, 3, 4, 2]), 2).tolist() == [1, 3]
    with pytest.raises(ValueError, match="filters stay in multiples of 2 here; got 3"):
        steps.highest(torch.ones(6), 3)


def test_a_ratio_is_rounded_to_whole_steps() -> None:
    steps: dict[str, Steps] = {"a": blocks(12, 3)}
    assert uniform_counts({"a": 12, "b": 12}, 0.4, steps=steps) == {"a": 6, "b": 7}
    assert uniform_counts({"a": 12}, 0.99, steps=steps) == {"a": 3}


@pytest.mark.parametrize(
    ("model", "layer", "words"),
    [
        (normed(16), "body.0", "the group norm 'body.1', which has to keep the one that each group has"),
        (
            Net(nn.Conv2d(3, 6, 1), nn.Conv2d(6, 6, 1, groups=3), nn.Conv2d(6, 12, 1, groups=6), nn.Conv2d(12, 8, 1)),
            "body.1", "the grouped convolution 'body.2', which has to keep the one that each group has",
        ),
    ],
)  # fmt: skip
def test_where_nothing_can_go_it_is_said(model: nn.Module, layer: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        dependency_groups(model, [layer], SHAPE)


def test_few_channels_of_many_come_out_of_a_layer_norm_in_order() -> None:
    """A set of integers below its size is not always sorted: 100 comes before 3 in a small one."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 600), nn.LayerNorm(600), nn.Linear(600, 4))
    with torch.no_grad():
        model[2].weight.copy_(torch.arange(600.0))
    small = cut(model, {"1": torch.tensor([3, 100, 511])}, SHAPE)
    assert small[2].weight.tolist() == [3.0, 100.0, 511.0]


def granular(granularity: str, *layers: str) -> Track:
    return dataclasses.replace(track_of(*layers), granularity=granularity)


def test_a_track_of_streams_or_heads_has_only_these() -> None:
    check_kinds(Transformer(), granular("head", "attn.qkv"), SHAPE)
    check_kinds(Transformer(), granular("stream", "patch"), SHAPE)
    check_kinds(Transformer(), granular("filter", "attn.qkv", "patch"), SHAPE)
    with pytest.raises(InputError, match="prunes heads, and its layer 'patch' is not the `qkv` of an attention"):
        check_kinds(Transformer(), granular("head", "attn.qkv", "patch"), SHAPE)
    with pytest.raises(InputError, match="prunes streams, and its layer 'attn.qkv' is not in a residual sum"):
        check_kinds(Transformer(), granular("stream", "attn.qkv"), SHAPE)


def test_methods_for_filters_run_on_streams_and_heads_with_the_controls_of_filters() -> None:
    for granularity in ("filter", "stream", "head"):
        assert runs_on("filter", granular(granularity, "a")) and RANDOM_CONTROL[granularity] == "Random"
        assert not runs_on("weight", granular(granularity, "a")) and not runs_on("N:M", granular(granularity, "a"))
    assert runs_on("weight", granular("weight", "a")) and not runs_on("filter", granular("weight", "a"))


@pytest.mark.parametrize("granularity", ["filter", "head"])
def test_the_shape_that_is_left_can_be_made_anew(granularity: str) -> None:
    """What scratch training and the timing of an architecture do with a number of filters."""
    model = Transformer() if granularity == "head" else grouped(4, norm=6)
    counts = {"attn.qkv": 24} if granularity == "head" else {"body.0": 12, "body.3": 24}
    small = cut(model, first_filters(model, counts, SHAPE), SHAPE)
    assert {name: len(small.get_submodule(name).weight) for name in counts} == counts
    assert small(torch.zeros(2, 3, 16, 16)).shape == (2, 4)
