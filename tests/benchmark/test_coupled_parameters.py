"""What goes with a filter: slices of every coupled weight, checked against what surgery really cuts."""

import copy

import pytest
import torch
from torch import nn

from prunemark.benchmark.compression.dependency_graph import dependency_groups
from prunemark.benchmark.compression.surgery import cut
from prunemark.benchmark.method import Group
from prunemark.benchmark.networks.registry import ImageShape, build_network

DIGITS = ImageShape(1, 8, 8, 10)


class Flattened(nn.Module):
    """A convolution whose every filter is read by 64 inputs of a linear layer."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(256, 5)

    def forward(self, images):
        return self.last(torch.relu(self.first(images)).flatten(1))


class Concatenated(nn.Module):
    """Two convolutions side by side: the second's filters lie behind the first's."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Conv2d(1, 3, 1), nn.Conv2d(1, 4, 1)
        self.norm, self.last = nn.BatchNorm2d(7), nn.Conv2d(7, 2, 1)

    def forward(self, images):
        return self.last(self.norm(torch.cat([self.left(images), self.right(images)], dim=1)))


NETWORKS = {
    "resnet8": (lambda: build_network("resnet8", DIGITS, 0), "blocks.1.conv1"),
    "mlp7": (lambda: build_network("mlp7", DIGITS, 0), "layers.2"),
    "flattened": (Flattened, "first"),
    "concatenated": (Concatenated, "right"),
    "depthwise": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, groups=4), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1)
        ),
        "0",
    ),
}


def group_of(model, name):
    (here,) = dependency_groups(model, [name], DIGITS)
    return Group(name, len(model.get_submodule(name).weight), None, here.coupled_parameters)


@pytest.mark.parametrize("case", NETWORKS)
def test_what_goes_with_a_filter_is_what_surgery_takes(case):
    """Parameters that shrink are those named, by as many entries as the slices of the filters that go have."""
    make, name = NETWORKS[case]
    model = make()
    group = group_of(model, name)
    gone = [0, group.size - 1]
    stays = torch.tensor([index for index in range(group.size) if index not in gone])
    taken = {}
    for parameter, part in group.coupled(model):
        assert part.shape[0] == group.size
        taken[parameter] = taken.get(parameter, 0) + part[gone].numel()
    smaller = dict(cut(copy.deepcopy(model), {name: stays}, DIGITS).named_parameters())
    lost = {key: value.numel() - smaller[key].numel() for key, value in model.named_parameters()}
    assert taken == {key: entries for key, entries in lost.items() if entries}


def test_the_slices_hold_the_filters_own_values_in_order():
    """Every entry of the network is numbered: the slices are those of numpy indexing."""
    model = build_network("resnet8", DIGITS, 0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.arange(parameter.numel()).reshape(parameter.shape))
    parts = dict(group_of(model, "blocks.1.conv1").coupled(model))
    assert list(parts) == [
        "blocks.1.conv1.weight", "blocks.1.bn1.weight", "blocks.1.bn1.bias", "blocks.1.conv2.weight"
    ]  # fmt: skip
    reading = model.get_parameter("blocks.1.conv2.weight")
    assert torch.equal(parts["blocks.1.conv2.weight"], reading.transpose(0, 1).flatten(1))
    assert torch.equal(parts["blocks.1.conv1.weight"], model.get_parameter("blocks.1.conv1.weight").flatten(1))


def test_the_inputs_behind_a_flattened_map_are_those_of_its_filter():
    model = Flattened()
    part = dict(group_of(model, "first").coupled(model))["last.weight"]  # (filters, 64 places * 5 neurons)
    assert torch.equal(part, torch.stack([model.last.weight[:, 64 * f : 64 * f + 64].T.flatten() for f in range(4)]))


def test_behind_a_concatenation_the_channels_are_counted_on():
    model = Concatenated()
    parts = dict(group_of(model, "right").coupled(model))
    assert torch.equal(parts["norm.weight"], model.norm.weight[3:, None])
    assert torch.equal(parts["last.weight"], model.last.weight[:, 3:].transpose(0, 1).flatten(1))


def test_gradients_flow_into_the_slices_and_nowhere_else():
    model = Concatenated()
    sum(part.square().sum() for _, part in group_of(model, "left").coupled(model)).backward()
    torch.testing.assert_close(model.last.weight.grad[:, :3], 2 * model.last.weight.detach()[:, :3])
    assert not model.last.weight.grad[:, 3:].any() and model.right.weight.grad is None


def test_a_group_of_a_weight_track_has_no_parts():
    assert list(Group("layers.0", 100).coupled(build_network("mlp7", DIGITS, 0))) == []
