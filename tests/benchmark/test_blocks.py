"""Whole residual blocks: which can go, that silenced equals cut, what it costs, and decisions about them."""

from __future__ import annotations

import copy
import dataclasses
from types import SimpleNamespace

import pytest
import torch
from support.pruning_stage import short_track, stage
from torch import nn
from torch.nn import functional as F

from prunemark.baselines.l1_norm import L1Norm
from prunemark.baselines.random_filters import RandomFilters
from prunemark.benchmark.compression.block_decisions import by_layers, by_stages, scores_of_blocks
from prunemark.benchmark.compression.blocks import stages_of
from prunemark.benchmark.compression.budget_solver import choose_filters
from prunemark.benchmark.compression.left_weights import BadWeights
from prunemark.benchmark.compression.properties import check_costs
from prunemark.benchmark.compression.prunable import check_kinds, check_prunable, propose_blocks
from prunemark.benchmark.compression.surgery import (
    BadDecision,
    check_decision,
    cost_model,
    cut,
    sizes_of,
)
from prunemark.benchmark.method import Decision
from prunemark.benchmark.networks.cost import count
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.benchmark.run.timing import built
from prunemark.benchmark.trial import pruned
from prunemark.benchmark.trial.plan import runs_on
from prunemark.records.controls import RANDOM_CONTROL
from prunemark.setups.errors import InputError
from prunemark.setups.track import Level, Track

SHAPE = ImageShape(1, 8, 8, 10)
STAGES = ("blocks.0", "blocks.4", "blocks.7")
TRACK = short_track(
    "digits-resnet8", network="resnet20", granularity="block", prunable=STAGES, levels=(Level("50%", 0.5, 1.88),)
)


class Block(nn.Module):
    """x + f(x), or something that only looks like it."""

    def __init__(self, kind: str = "") -> None:
        super().__init__()
        self.conv, self.kind = nn.Conv2d(8, 8, 3, padding=1), kind

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.kind == "replaces":
            return F.relu(self.conv(x))
        if self.kind == "in place":
            x += 1
        out = x + self.conv(F.relu(x))
        return F.gelu(out) if self.kind == "bends" else out


class Net(nn.Module):
    """A row of blocks in containers, some called twice."""

    def __init__(self, *kinds: str) -> None:
        super().__init__()
        self.stem, self.head, self.kinds = nn.Conv2d(1, 8, 3), nn.Linear(8, 10), kinds
        self.rows = nn.Sequential(*(nn.Sequential(Block(kind)) for kind in kinds))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.stem(images)
        for row, kind in zip(self.rows, self.kinds, strict=True):
            x = row(x)
            if kind == "twice":
                x = row(x)
        logits: torch.Tensor = self.head(x.mean((2, 3)))
        return logits


def test_blocks_are_found_stage_by_stage_and_the_others_are_not() -> None:
    found = stages_of(build_network("resnet20", SHAPE, 0), SHAPE)
    assert found == {
        "blocks.0": ("blocks.0", "blocks.1", "blocks.2"), "blocks.4": ("blocks.4", "blocks.5"),
        "blocks.7": ("blocks.7", "blocks.8"),
    }  # fmt: skip
    kinds = ("", "replaces", "in place", "bends", "twice", "")
    assert stages_of(Net(*kinds), SHAPE) == {"rows.0.0": ("rows.0.0", "rows.5.0")}
    with pytest.raises(InputError, match="no block of this network can be taken out"):
        propose_blocks(build_network("mlp7", SHAPE, 0), SHAPE)


@pytest.mark.parametrize("name", ["resnet20b", "mobilenetv2", "timm:vit_tiny_patch16_224"])
def test_silenced_equals_cut_at_the_cost_that_is_said(name: str) -> None:
    shape = ImageShape(3, 32, 32, 7)
    model = build_network(name, shape, 0)
    stages = propose_blocks(model, shape)  # compares both at random keeps, forward, backward and by cost
    track = dataclasses.replace(TRACK, network=name, prunable=stages)
    check_costs(model, track, shape)
    check_kinds(model, track, shape)
    cost = cost_model(model, track, shape)
    assert cost.dense_macs == count(model, shape).macs
    small = cut(model, {stage: torch.tensor([], dtype=torch.int64) for stage in stages}, shape)
    assert count(small, shape).macs == cost.macs(dict.fromkeys(stages, 0))


def test_blocks_that_share_weights_are_none_and_the_others_are_left() -> None:
    model = Net("", "", "")
    model.rows[1][0].conv.weight = model.rows[0][0].conv.weight
    assert stages_of(model, SHAPE) == {"rows.2.0": ("rows.2.0",)}
    model.rows[2][0].conv = model.rows[0][0].conv
    with pytest.raises(InputError, match="runs once and has its weights for itself"):
        propose_blocks(model, SHAPE)


class Reading(Net):
    """Something but the output is read of the block in the place of a kind, and all the others are plain."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.stem(images)
        for (block,), kind in zip(self.rows, self.kinds, strict=True):
            given, x = x, block(x)
            if kind == "parts":
                x = x * block.conv.weight.mean()
            if kind == "class" and not isinstance(block, Block):
                x = 2 * x
            if kind == "in place":
                x = x.mul_(2) + given
        logits: torch.Tensor = self.head(x.mean((2, 3)))
        return logits


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("parts", "taken out, the network does not run .AttributeError.: something reads the block's parts"),
        ("class", "taken out, the network is another than the dense one whose block adds nothing"),
        ("in place", "taken out, the network is another than the dense one whose block adds nothing"),
        ("hook", "rows.0.0 has hooks, and what they do would be gone with it"),
    ],
)
def test_a_block_of_which_more_than_the_output_is_read_stays_and_other_stages_go(kind: str, words: str) -> None:
    alone, model = Reading(kind), Reading(kind, "", "", "")
    model.rows[2][0], model.rows[3][0] = Scaled(), Scaled()
    for each in (alone, model):
        if kind == "hook":
            each.rows[0][0].conv.register_forward_hook(lambda *_: None)
        else:
            each.rows[0][0].kind = ""
    with pytest.raises(InputError, match=f"block 'rows.0.0' cannot be pruned: {words}"):
        propose_blocks(alone, SHAPE)
    assert propose_blocks(model, SHAPE) == ("rows.2.0",)


def test_every_block_goes_once_in_what_is_tried() -> None:
    """One of three has to stay: it is found out, whichever that is."""
    for needed in range(3):
        kinds = ["class" if n == needed else "" for n in range(3)]
        with pytest.raises(InputError, match="whose block adds nothing"):
            propose_blocks(Reading(*kinds), SHAPE)


class Scaled(Block):
    """With a scale that starts at next to nothing (layer scale)."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((8, 1, 1), 1e-6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.scale * self.conv(F.relu(x))


def test_the_blocks_that_stay_are_those_that_compute() -> None:
    """By hand: of three blocks the second goes."""
    model = Net("", "", "").eval()
    images = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    x = model.stem(images)
    by_hand = model.head(model.rows[2](model.rows[0](x)).mean((2, 3)))
    small = cut(copy.deepcopy(model), {"rows.0.0": torch.tensor([0, 2])}, SHAPE)
    assert torch.equal(small(images), by_hand) and not torch.equal(by_hand, model(images))
    assert not any(name.startswith("rows.1.") for name in small.state_dict())


@pytest.mark.parametrize("allocation", ["uniform", "global"])
def test_the_solver_may_take_all_blocks_of_a_stage(allocation: str) -> None:
    model = build_network("resnet20", SHAPE, 0)
    cost = cost_model(model, TRACK, SHAPE)
    assert cost.sizes == {"blocks.0": 3, "blocks.4": 2, "blocks.7": 2} and cost.least == 0
    scores = {name: torch.arange(size).double() + 10 * i for i, (name, size) in enumerate(cost.sizes.items())}
    most = cost.dense_macs / cost.macs(dict.fromkeys(cost.sizes, 0))
    kept = choose_filters(scores, cost, most, 0.001, allocation)
    assert all(len(indices) == 0 for indices in kept.values())
    kept = choose_filters(scores, cost, 1.88, 0.01, allocation)
    assert count(cut(model, kept, SHAPE), SHAPE).macs == cost.macs({n: len(k) for n, k in kept.items()})


def two_blocks() -> tuple[list[SimpleNamespace], dict[str, torch.Tensor]]:
    """Of a stage of two blocks with two layers each: the groups, and scores."""
    groups = [
        SimpleNamespace(
            name=f"b{block}.{layer}", size=2, block=SimpleNamespace(path=f"b{block}", stage="b0", number=block)
        )
        for block in range(2)
        for layer in "xy"
    ]
    scores = {"b0.x": [1.0, 2], "b0.y": [3.0, 4], "b1.x": [1.0, 1], "b1.y": [1.0, 5]}
    return groups, {name: torch.tensor(values) for name, values in scores.items()}


def test_a_block_has_the_mean_score_of_its_filters_and_one_fate() -> None:
    groups, scores = two_blocks()
    assert scores_of_blocks(scores, groups)["b0"].tolist() == [2.5, 2.0]
    layers = by_layers({"b0": torch.tensor([1])}, groups)
    assert {name: part.tolist() for name, part in layers.items()} == {
        "b0.x": [], "b0.y": [], "b1.x": [0, 1], "b1.y": [0, 1]
    }  # fmt: skip
    assert by_stages(Decision(layers), groups).kept["b0"].tolist() == [1]
    assert by_stages(Decision({"b0": torch.tensor([0])}), groups).kept["b0"].tolist() == [0]
    for wrong in ({"b0.x": torch.tensor([0])}, {"b0.x": torch.tensor([], dtype=torch.int64)}):
        with pytest.raises(BadWeights, match="a block stays or goes whole"):
            by_stages(Decision(wrong), groups)


@pytest.mark.parametrize(
    ("names", "granularity", "words"),
    [
        (["blocks.1"], "block", "block 'blocks.1' cannot be pruned: 'blocks.0' stands for it"),
        (["blocks.3"], "block", "it is no residual block.* begin with blocks.0, blocks.4, blocks.7"),
        (["blocks.0", "blocks.0.conv1"], "block", "'blocks.0' is a block and 'blocks.0.conv1' a layer"),
        (["blocks.0"], "filter", "its layer 'blocks.0' is not a convolution or linear.*\n.*state granularity block"),
        (["blocks.0.conv1"], "block", "its layer 'blocks.0.conv1' is not a residual block.*\n.*granularity filter"),
    ],
)
def test_what_is_no_stage_is_refused_in_words(names: list[str], granularity: str, words: str) -> None:
    model = build_network("resnet20", SHAPE, 0)
    with pytest.raises(InputError, match=words):
        check_prunable(model, names, SHAPE)
        check_kinds(model, dataclasses.replace(TRACK, prunable=tuple(names), granularity=granularity), SHAPE)


def test_a_decision_about_blocks_that_do_not_exist_is_refused() -> None:
    model = build_network("resnet20", SHAPE, 0)
    sizes = sizes_of(model, TRACK, SHAPE)
    check_decision(Decision({"blocks.0": torch.tensor([], dtype=torch.int64)}), model, TRACK, sizes)
    with pytest.raises(BadDecision, match="kept blocks must be 0 to 3 different numbers below 3"):
        check_decision(Decision({"blocks.0": torch.tensor([3])}), model, TRACK, sizes)


@pytest.mark.parametrize("method", [L1Norm, RandomFilters])
@pytest.mark.parametrize("schedule", ["one-shot", "rounds:2"])
def test_methods_for_filters_score_blocks_and_meet_the_target(method: type, schedule: str) -> None:
    with stage(TRACK) as (model, context, _):
        decision = method(schedule=schedule, epochs=2).prune(model, context)
        settled = by_stages(decision, context.groups)
        small = cut(copy.deepcopy(model), settled.kept, SHAPE)
        context.remove(model, decision)  # zero is what a block that goes computes
        images = torch.randn(2, 1, 8, 8)
        assert torch.equal(model.eval()(images), small.eval()(images))
    sizes = {name: len(indices) for name, indices in settled.kept.items()}
    assert sizes == {"blocks.0": 1, "blocks.4": 1, "blocks.7": 1}
    assert runs_on("filter", TRACK) and not runs_on("weight", TRACK) and RANDOM_CONTROL["block"] == "Random"


def test_blocks_that_go_are_held_at_zero_in_training_and_found_in_a_network_that_was_cut() -> None:
    with stage(TRACK) as (model, context, _):
        decision = context.decide({group: L1Norm().score(group.layer(model), context) for group in context.groups})
        before = copy.deepcopy(model)
        context.train(model, epochs=1, keep=decision)
        kept = by_stages(decision, context.groups).kept
        gone = [f"blocks.{n}." for n in range(3) if n not in kept["blocks.0"].tolist()]
        held = [p for name, p in model.named_parameters() if name.startswith(tuple(gone))]
        assert held and all(not parameter.any() for parameter in held)
        small = Decision.from_pruned(cut(before, kept, SHAPE))
        context.train(copy.deepcopy(model), epochs=1, keep=small)


def test_references_and_the_record_count_blocks() -> None:
    trial = SimpleNamespace(track=TRACK, level=TRACK.levels[0], seed=0)
    scratch = pruned.scratch_model(trial, {"blocks.0": 2, "blocks.4": 0, "blocks.7": 1}, SHAPE)
    cost = pruned.measure_compression(trial, scratch, SHAPE)
    assert cost.kept == {"blocks.0": 2, "blocks.4": 0, "blocks.7": 1}
    assert cost.total == {"blocks.0": 3, "blocks.4": 2, "blocks.7": 2} and cost.params < cost.dense_params
    assert pruned.counts_of(pruned.scratch_model(trial, None, SHAPE).decision) == dict.fromkeys(STAGES, 1)


def test_an_exported_network_has_the_blocks_that_its_weights_are_for() -> None:
    model = build_network("resnet20", SHAPE, 0)
    small = cut(model, {"blocks.0": torch.tensor([2])}, SHAPE)
    again = built("resnet20", SHAPE, {"blocks.0": 1}, small.state_dict())
    again.load_state_dict(small.state_dict())
    timed: Track | nn.Module = built("resnet20", SHAPE, {"blocks.0": 1})
    assert count(timed, SHAPE).macs == count(again, SHAPE).macs
