"""Every family of networks: what is proposed can be cut out, and what is left trains, and costs what is said."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from prunemark.benchmark.compression.dependency_graph import dependency_groups, layer_of
from prunemark.benchmark.compression.prunable import check_prunable, propose
from prunemark.benchmark.compression.steps import first
from prunemark.benchmark.compression.surgery import cost_model, prunable_groups, rebuild
from prunemark.benchmark.images.data import tensor_dict
from prunemark.benchmark.method import Decision, Group
from prunemark.benchmark.networks.cost import count
from prunemark.benchmark.networks.registry import NETWORKS, ImageShape, build_network
from prunemark.setups.errors import InputError
from prunemark.setups.track import Track
from prunemark.setups.track_files import find_track

slow = pytest.mark.slow
TINY, SMALL = ImageShape(3, 32, 32, 7), ImageShape(3, 64, 64, 7)
FAMILIES = [
    ("resnet20", TINY, False), ("resnet20b", TINY, True), ("mobilenetv2", TINY, False),
    ("torchvision:mobilenet_v3_small", SMALL, False), ("timm:regnety_002", SMALL, True),
    ("timm:convnext_atto", SMALL, False),
    pytest.param("vgg16", TINY, False, marks=slow), pytest.param("timm:resnet18", SMALL, True, marks=slow),
    pytest.param("resnet110", TINY, False, marks=slow), pytest.param("vgg19", TINY, False, marks=slow),
    pytest.param("wrn16-8", TINY, False, marks=slow), pytest.param("timm:resnet50", SMALL, False, marks=slow),
    pytest.param("torchvision:resnet34", SMALL, False, marks=slow),
    pytest.param("torchvision:resnet50", SMALL, True, marks=slow),
    pytest.param("torchvision:densenet121", SMALL, False, marks=slow),
    pytest.param("torchvision:mobilenet_v2", SMALL, False, marks=slow),
    pytest.param("timm:efficientnet_b0", SMALL, False, marks=slow),
    pytest.param("timm:mobilenetv3_large_100", SMALL, False, marks=slow),
    pytest.param("torchvision:regnet_x_400mf", SMALL, True, marks=slow),
    pytest.param("timm:deit_tiny_patch16_224", SMALL, False, marks=slow),
    pytest.param("torchvision:vit_b_16", SMALL, False, marks=slow),
    pytest.param("torchvision:vgg16_bn", SMALL, False, marks=slow),
    pytest.param("torchvision:squeezenet1_1", SMALL, False, marks=slow),
]  # fmt: skip


def track_of(network: str, *layers: str) -> Track:
    return dataclasses.replace(find_track("digits-resnet8"), network=network, prunable=layers)


def third_of(group: Group) -> torch.Tensor:
    """Every third filter, or the first third of the steps."""
    if group.steps is None:
        return torch.arange(0, group.size, 3)
    return first(-(-group.steps.units // 3) * group.steps.step, group.steps)


@pytest.mark.parametrize(("name", "shape", "streams"), FAMILIES, ids=str)
def test_a_family_is_pruned_trained_and_saved(name: str, shape: ImageShape, streams: bool, tmp_path: Path) -> None:
    model = build_network(name, shape, 0)
    layers = propose(model, shape, streams=streams)
    check_prunable(model, layers, shape)
    track = track_of(name, *layers)
    kept = {group.name: third_of(group) for group in prunable_groups(model, track, shape)}
    small = rebuild(track, shape, model.state_dict(), Decision(kept, {}), 0)

    now, cost = count(small, shape), cost_model(model, track, shape)
    assert now.macs == cost.macs({layer: len(indices) for layer, indices in kept.items()}) < cost.dense_macs
    assert cost.dense_macs == count(model, shape).macs
    images = torch.randn(2, shape.channels, shape.height, shape.width, generator=torch.Generator().manual_seed(1))
    nn.init.normal_([m for m in small.modules() if isinstance(m, nn.Conv2d | nn.Linear)][-1].weight)  # some start at 0
    F.cross_entropy(small.train()(images), torch.tensor([0, 1])).backward()
    for layer, indices in kept.items():
        gradient = layer_of(small, layer).weight.grad
        assert len(gradient) == len(indices) and gradient.abs().sum() > 0

    save_file(tensor_dict(small.state_dict()), tmp_path / "w.safetensors")
    again = rebuild(track, shape, build_network(name, shape, 5).state_dict(), Decision(kept, {}), 5)
    again.load_state_dict(load_file(tmp_path / "w.safetensors"))
    with torch.no_grad():
        assert torch.equal(again.eval()(images), small.eval()(images))
    for group in prunable_groups(model, track, shape):
        if group.batch_norm_name is not None:
            norm = group.batch_norm(model)
            assert isinstance(norm, nn.BatchNorm2d) and norm.num_features == group.size


@pytest.mark.parametrize(
    ("name", "per_block"), [("torchvision:resnet18", 1), pytest.param("torchvision:resnet50", 2, marks=slow)]
)
def test_the_rule_is_that_of_the_founding_paper(name: str, per_block: int) -> None:
    """All but the last convolution of a block: what Tables 1 and 4 prune, found and not written down.

    CIFAR's networks are in test_track.py, beside the layers that the tracks on them prune.
    """
    shape = ImageShape(3, 64, 64, 100)
    inner = [f"conv{n}" for n in range(1, per_block + 1)]
    model = build_network(name, shape, 0)
    expected = [n for n, _ in model.named_modules() if n.startswith("layer") and n.split(".")[-1] in inner]
    assert list(propose(model, shape)) == expected


def test_a_stream_stands_for_everything_that_writes_it() -> None:
    """The first sum of an option-B network: the stem and the second convolutions of its blocks keep one set."""
    model = build_network("resnet20b", TINY, 0)
    found = {here.name: here for here in dependency_groups(model, propose(model, TINY, streams=True), TINY)}
    assert {"stem", "blocks.0.conv2", "blocks.1.conv2", "blocks.2.conv2"} <= set(found["stem"].writers)
    assert set(found["stem"].readers) == {
        "blocks.0.conv1", "blocks.1.conv1", "blocks.2.conv1", "blocks.3.conv1", "blocks.3.shortcut.0",
    }  # fmt: skip


def test_two_streams_in_one_concatenation_are_no_conflict_but_one_stream_twice_is() -> None:
    shape = ImageShape(3, 32, 32, 7)
    model = build_network("torchvision:squeezenet1_1", SMALL, 0)
    both = ("features.3.expand1x1", "features.3.expand3x3")
    first, second = dependency_groups(model, both, SMALL)
    reader = "features.4.squeeze"
    assert len(first.readers[reader]) == len(second.readers[reader]) == 64
    assert not first.readers[reader] & second.readers[reader]
    with pytest.raises(InputError, match="layers blocks.0.conv2 and stem are coupled: they cannot be pruned apart"):
        dependency_groups(build_network("resnet20b", shape, 0), ["stem", "blocks.0.conv2"], shape)


class Strange(nn.Module):
    """A network whose channels are used by position: cutting `inner` would shift them."""

    def __init__(self, works: bool) -> None:
        super().__init__()
        self.first, self.inner = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 6, 1)
        self.classifier, self.works = nn.Linear(6 if works else 3, 7), works

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.inner(self.first(images)).mean(dim=(2, 3))
        logits: torch.Tensor = self.classifier(features if self.works else features.reshape(len(images), 2, 3)[:, 1])
        return logits


def test_what_cannot_be_pruned_is_refused_with_the_name_of_its_layer() -> None:
    check_prunable(Strange(works=True), ["inner"], TINY)
    with pytest.raises(InputError, match="layer 'inner' cannot be pruned: .*\nLeave it out of the track's prunable"):
        check_prunable(Strange(works=False), ["first", "inner"], TINY)
    with pytest.raises(InputError, match="layer 'classifier' cannot be pruned: no layer reads its channels"):
        check_prunable(Strange(works=True), ["classifier"], TINY)


class Breaking(Strange):
    """Its first layer takes what it is given apart with numbers of its own, or the output is no tensor."""

    def __init__(self, what: str) -> None:
        super().__init__(works=True)
        self.what = what

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.what == "count" and len(images) == 1:  # torch-pruning traces one
            raise ZeroDivisionError("integer division or modulo by zero")
        logits = super().forward(images)
        return {"logits": logits} if self.what == "words" else logits  # type: ignore[return-value]


def test_networks_that_no_graph_can_be_made_of_are_refused_in_our_words() -> None:
    with pytest.raises(InputError, match="torch-pruning could not trace this network: its operations") as told:
        propose(Breaking("count"), TINY)
    assert "ZeroDivision" not in str(told.value)
    with pytest.raises(InputError, match=r"the network's output is a dict, not logits \(examples, 7\)"):
        propose(Breaking("words"), TINY)
    inside = nn.Sequential(nn.Conv2d(3, 3, 1), Breaking("count"))
    with pytest.raises(InputError, match="could not trace this network in layer '1': "):
        propose(inside, TINY)


@pytest.mark.parametrize("name", ["torchvision:shufflenet_v2_x0_5", pytest.param("timm:coat_tiny", marks=slow)])
def test_where_channels_are_rearranged_the_others_are_pruned(name: str) -> None:
    """torch-pruning ends at both, with a ZeroDivisionError and a TypeError."""
    assert len(propose(build_network(name, SMALL, 0), SMALL)) >= 12


def test_checking_changes_nothing() -> None:
    model = build_network("resnet8", TINY, 0).train()
    before = tensor_dict(model.state_dict())
    check_prunable(model, propose(model, TINY), TINY)
    assert model.training and all(torch.equal(before[name], t) for name, t in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


ASKED_ELSEWHERE = {"resnet20", "resnet20b", "mobilenetv2", "vgg16", "vgg19", "resnet56", "resnet14-thin"}
"""Above, or in test_track.py."""
LARGE = {"wrn16-8", "wrn28-10", "wrn40-2", "resnet56b", "resnet110", "resnet110b"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=slow) if n in LARGE else n for n in sorted(NETWORKS) if n not in ASKED_ELSEWHERE],
)
def test_every_network_of_ours_has_something_to_prune(name: str) -> None:
    assert propose(build_network(name, TINY, 0), TINY)
