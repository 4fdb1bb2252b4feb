"""Surgery: what is cut out is gone, and what is left computes what it did without the filters that went."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from prunemark.benchmark.compression.surgery import (
    BadDecision,
    check_decision,
    cost_model,
    cut,
    prunable_groups,
    rebuild,
)
from prunemark.benchmark.method import Decision
from prunemark.benchmark.networks.cost import count
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.setups.errors import InputError
from prunemark.setups.track import Track
from prunemark.setups.track_files import find_track

few = settings(derandomize=True, deadline=None, database=None, max_examples=15)
DIGITS = ImageShape(1, 8, 8, 10)
RESNET, MLP, WEIGHTS = (find_track(name) for name in ("digits-resnet8", "digits-mlp7", "digits-resnet8-weights"))
FILTERS = {
    "digits-resnet8": {"blocks.0.conv1": 8, "blocks.1.conv1": 16, "blocks.2.conv1": 32},
    "digits-mlp7": {f"layers.{n}": 100 for n in range(6)},
}
# layer whose filters may go -> the layer that reads them
READERS = {name: name.replace("conv1", "conv2") for name in FILTERS["digits-resnet8"]}
READERS |= {f"layers.{n}": f"layers.{n + 1}" for n in range(6)}
both = pytest.mark.parametrize("track", [RESNET, MLP], ids=lambda track: track.name)


def lived_in(track: Track, seed: int) -> nn.Module:
    """A network in float64 whose batch norms are not the identity."""
    model = build_network(track.network, DIGITS, seed).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                for tensor in (module.weight, module.bias, module.running_mean):
                    assert tensor is not None
                    tensor.normal_(generator=generator)
    return model.eval()


@st.composite
def kept_filters(draw: st.DrawFn, track: Track) -> dict[str, torch.Tensor]:
    return {
        name: torch.tensor(sorted(draw(st.sets(st.integers(0, size - 1), min_size=1, max_size=size))))
        for name, size in FILTERS[track.name].items()
        if draw(st.booleans())
    }


def float32(model: nn.Module) -> nn.Module:
    """Tracing feeds float32 images."""
    return model.float()


@both
@few
@given(data=st.data())
def test_a_cut_network_computes_what_the_dense_one_does_without_those_filters(
    track: Track, data: st.DataObject
) -> None:
    """Independently: the readers' weights for the removed filters are set to zero in the dense network."""
    kept = data.draw(kept_filters(track))
    seed = data.draw(st.integers(0, 9))
    dense, small = lived_in(track, seed), lived_in(track, seed)
    with torch.no_grad():
        for name, indices in kept.items():
            gone = sorted(set(range(FILTERS[track.name][name])) - set(indices.tolist()))
            dense.get_submodule(READERS[name]).get_parameter("weight")[:, gone] = 0
    small = cut(float32(small), kept, DIGITS)
    dense32 = float32(dense)  # the same roundings of the same numbers; then both in float64
    images = torch.randn(5, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        assert torch.allclose(small.double().eval()(images), dense32.double().eval()(images), rtol=1e-9, atol=1e-12)


@both
@few
@given(data=st.data())
def test_filters_are_gone_and_the_cost_model_knows_what_is_left(track: Track, data: st.DataObject) -> None:
    kept = data.draw(kept_filters(track))
    sizes = FILTERS[track.name]
    dense = build_network(track.network, DIGITS, 0)
    cost = cost_model(dense, track, DIGITS)
    assert cost.sizes == sizes and cost.dense_macs == count(dense, DIGITS).macs
    small = cut(dense, kept, DIGITS)
    counts = sizes | {name: len(indices) for name, indices in kept.items()}
    for name, left in counts.items():
        assert len(small.get_submodule(name).get_parameter("weight")) == left
        assert small.get_submodule(READERS[name]).get_parameter("weight").shape[1] == left
    assert cost.macs(counts) == count(small, DIGITS).macs


@both
def test_the_weights_that_stay_are_those_that_were_there(track: Track) -> None:
    dense = build_network(track.network, DIGITS, 0)
    before = {name: tensor.clone() for name, tensor in dense.state_dict().items()}
    first = next(iter(FILTERS[track.name]))
    small = cut(dense, {first: torch.tensor([1, 3, 4])}, DIGITS)
    assert torch.equal(small.get_submodule(first).get_parameter("weight"), before[f"{first}.weight"][[1, 3, 4]])
    reader = READERS[first]
    assert torch.equal(small.get_submodule(reader).get_parameter("weight"), before[f"{reader}.weight"][:, [1, 3, 4]])
    assert all(parameter.grad is None for parameter in small.parameters())
    untouched = {n for n, t in small.state_dict().items() if t.shape == before[n].shape}
    assert all(torch.equal(small.state_dict()[name], before[name]) for name in untouched)


def test_groups_of_a_residual_network_have_their_batch_norms() -> None:
    model = build_network("resnet8", DIGITS, 0)
    groups = prunable_groups(model, RESNET, DIGITS)
    assert {group.name: group.size for group in groups} == FILTERS["digits-resnet8"]
    for group in groups:
        assert group.batch_norm_name == group.name.replace("conv1", "bn1")
        assert group.batch_norm(model) is model.get_submodule(group.name.replace("conv1", "bn1"))
        assert group.layer(model) is model.get_submodule(group.name)
    assert [group.name for group in groups] == list(RESNET.prunable)


def test_groups_without_batch_norm_say_so() -> None:
    model = build_network("mlp7", DIGITS, 0)
    group = prunable_groups(model, MLP, DIGITS)[0]
    with pytest.raises(LookupError, match="layer layers.0 has no batch norm behind it"):
        group.batch_norm(model)


def test_groups_of_a_weight_track_count_weights() -> None:
    groups = prunable_groups(build_network("resnet8", DIGITS, 0), WEIGHTS, DIGITS)
    assert [group.name for group in groups] == list(WEIGHTS.prunable)
    assert sum(group.size for group in groups) == 576 * 2 + 1152 + 2304 + 128 + 4608 + 9216 + 512


def with_prunable(track: Track, *names: str) -> Track:
    return dataclasses.replace(track, prunable=names)


def test_layers_that_share_a_residual_sum_cannot_be_pruned_apart() -> None:
    model = build_network("resnet8", DIGITS, 0)
    track = with_prunable(RESNET, "blocks.1.conv2", "blocks.1.shortcut.0")
    with pytest.raises(InputError, match="layers blocks.1.shortcut.0 and blocks.1.conv2 are coupled"):
        prunable_groups(model, track, DIGITS)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("blocks.9.conv1", "the network has no layer 'blocks.9.conv1'"),
        ("blocks.0.bn1", "layer 'blocks.0.bn1' is a BatchNorm2d; only convolutions and linear layers"),
    ],
)
def test_a_track_that_names_a_wrong_layer_is_refused(name: str, words: str) -> None:
    for track in (RESNET, WEIGHTS):
        with pytest.raises(InputError, match=words):
            prunable_groups(build_network("resnet8", DIGITS, 0), with_prunable(track, name), DIGITS)


A = "blocks.0.conv1"


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        (Decision({"stem": torch.arange(4)}, {}), "layer 'stem' may not be pruned. Prunable: blocks.0.conv1,"),
        (
            Decision({A: torch.arange(0)}, {}),
            "layer blocks.0.conv1: kept filters must be 1 to 8 different numbers below 8",
        ),
        (Decision({A: torch.tensor([0, 0])}, {}), "different numbers below 8"),
        (Decision({A: torch.tensor([8])}, {}), "different numbers below 8"),
        (Decision({A: torch.tensor([-1])}, {}), "different numbers below 8"),
        (
            Decision({}, {A: torch.ones(8, 8, 3, 3, dtype=torch.bool)}),
            "prunes filters; the decision is about something else",
        ),
    ],
)
def test_a_decision_about_filters_that_do_not_exist_is_refused(decision: Decision, words: str) -> None:
    model = build_network("resnet8", DIGITS, 0)
    with pytest.raises(BadDecision, match=words):
        check_decision(decision, model, RESNET)
    with pytest.raises(BadDecision, match=words):
        rebuild(RESNET, DIGITS, model.state_dict(), decision, 0)


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        (Decision({A: torch.arange(4)}, {}), "prunes weights; the decision is about something else"),
        (Decision({}, {"stem": torch.ones(8, 1, 3, 3, dtype=torch.bool)}), "layer 'stem' may not be pruned"),
        (Decision({}, {A: torch.ones(8, 8, 3, 3)}), r"the mask must be bool of shape \(8, 8, 3, 3\)"),
        (Decision({}, {A: torch.ones(8, 8, dtype=torch.bool)}), "the mask must be bool of shape"),
    ],
)
def test_a_decision_about_weights_that_do_not_exist_is_refused(decision: Decision, words: str) -> None:
    with pytest.raises(BadDecision, match=words):
        rebuild(WEIGHTS, DIGITS, build_network("resnet8", DIGITS, 0).state_dict(), decision, 0)


def test_weights_of_another_network_are_refused() -> None:
    other = build_network("mlp7", DIGITS, 0).state_dict()
    with pytest.raises(BadDecision, match="the weights left by the method do not fit resnet8"):
        rebuild(RESNET, DIGITS, other, Decision({}, {}), 0)
    extra = build_network("resnet8", DIGITS, 0).state_dict() | {"head.weight": torch.ones(1)}
    with pytest.raises(BadDecision, match=r"head\.weight"):
        rebuild(RESNET, DIGITS, extra, Decision({}, {}), 0)


def test_rebuilding_takes_the_weights_and_carries_the_decision_out() -> None:
    weights = build_network("resnet8", DIGITS, 5).state_dict()
    model = rebuild(RESNET, DIGITS, weights, Decision({A: torch.tensor([2, 5])}, {}), 0)
    assert torch.equal(model.get_parameter(f"{A}.weight"), weights[f"{A}.weight"][[2, 5]])
    assert torch.equal(model.get_parameter("stem.weight"), weights["stem.weight"])
    mask = torch.rand(8, 8, 3, 3, generator=torch.Generator().manual_seed(0)) < 0.2
    model = rebuild(WEIGHTS, DIGITS, weights, Decision({}, {A: mask}), 0)
    assert torch.equal(model.get_parameter(f"{A}.weight"), weights[f"{A}.weight"] * mask)
