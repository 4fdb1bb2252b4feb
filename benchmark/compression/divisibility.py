"""What has to stay divisible: grouped convolutions, group norms, and filters that share a channel.

A grouped convolution and a group norm need as many channels in each group. A channel that several filters write (two
halves of a layer that gate each other) goes only with all of them. Both make steps of a layer's filters. A layer whose
channels are a part of what is grouped, or lie across the groups, is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import lcm

from torch import nn

from prunemark.benchmark.compression.channels import Followed, Slice
from prunemark.benchmark.compression.steps import Steps, blocks, sets
from prunemark.setups.errors import InputError


def depthwise(model: nn.Module, name: str) -> bool:
    """Whether each channel of this layer is its own: as many groups as channels, in and out."""
    layer = model.get_submodule(name)
    return isinstance(layer, nn.Conv1d | nn.Conv2d) and layer.groups == layer.in_channels == layer.out_channels > 1


def steps_of(model: nn.Module, found: Followed, filters: int) -> Steps | None:
    """The units in which a layer's filters stay or go; None where one by one. Raises InputError where none can go."""
    grouped = {part: groups for part in found.slices if (groups := _groups(model, part)) > 1}
    if found.ties:
        if grouped:
            raise InputError(f"its filters go in sets, and {_said(model, next(iter(grouped)))} has groups of channels")
        return _tied(found.ties, filters)
    if not grouped:
        return None
    step = lcm(*grouped.values())
    for part, groups in grouped.items():
        if filters % step or not _even(part, groups, _channels(model, part), filters, step):
            raise InputError(
                f"its channels meet {_said(model, part)}, which has to keep as many in each of its {groups} groups, "
                "and lie across them or are a part of them"
            )
    if step == filters:
        most = max(grouped, key=lambda part: grouped[part])
        raise InputError(f"its channels meet {_said(model, most)}, which has to keep the one that each group has")
    return blocks(filters, step)


def _groups(model: nn.Module, part: Slice) -> int:
    """How many groups the channels of this slice have to stay divisible by. Raises InputError for attention."""
    if part.role == "parameter":
        return 1
    module = model.get_submodule(part.path)
    if isinstance(module, nn.MultiheadAttention):
        raise InputError(
            f"its channels meet the attention {part.path!r}, whose width has to stay divisible by its heads"
        )
    if isinstance(module, nn.GroupNorm):
        return module.num_groups
    if not isinstance(module, nn.modules.conv._ConvNd) or module.groups == 1 or depthwise(model, part.path):
        return 1
    if module.transposed or module.groups == module.out_channels:
        raise InputError(f"its channels meet {_said(model, part)}, which has one output channel a group")
    return module.groups


def _channels(model: nn.Module, part: Slice) -> int:
    module = model.get_submodule(part.path)
    if isinstance(module, nn.GroupNorm):
        return module.num_channels
    assert isinstance(module, nn.modules.conv._ConvNd)
    return module.in_channels if part.role == "reader" else module.out_channels


def _said(model: nn.Module, part: Slice) -> str:
    norm = isinstance(model.get_submodule(part.path), nn.GroupNorm)
    return f"the {'group norm' if norm else 'grouped convolution'} {part.path!r}"


def _even(part: Slice, groups: int, channels: int, filters: int, step: int) -> bool:
    """Whether as many filters of each of `step` blocks leave as many channels in each group, whichever they are.

    It holds when filters of one block have channels in the same groups, and all blocks together in every group alike.
    """
    places: list[list[int]] = [[] for _ in range(filters)]
    for channel, owner in zip(part.channels, part.owners, strict=True):
        places[owner].append(channel // (channels // groups))
    size = filters // step
    alike = all(sorted(places[f]) == sorted(places[f // size * size]) for f in range(filters))
    counts = [0] * groups
    for block in range(step):
        for group in places[block * size]:
            counts[group] += 1
    return alike and len(set(counts)) == 1 and len(part.channels) == channels


def _tied(ties: Iterable[tuple[int, int]], filters: int) -> Steps:
    """Sets of filters that share channels, with those that share channels with them. Raises InputError if uneven."""
    parent = list(range(filters))

    def root(filter_: int) -> int:
        while parent[filter_] != filter_:
            filter_ = parent[filter_]
        return filter_

    for one, other in ties:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    members: dict[int, list[int]] = {}
    for filter_ in range(filters):
        members.setdefault(root(filter_), []).append(filter_)
    if len(members) == 1 or len({len(each) for each in members.values()}) > 1:
        raise InputError("its filters share channels with each other, all of them or unevenly")
    return sets(list(members.values()))
