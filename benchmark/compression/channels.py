"""Which channels of which module go with each filter of a layer, followed along torch-pruning's dependency graph.

Its graph is read here, with its index mappings; its pruning groups are not: these are made for a set of filters at a
time and do not say which filters share a channel, and so have to go together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

MOST_MAPPED, MOST_OWNERS = 150_000, 8
"""Channels that are counted anew, at concatenations and flattened maps (VGG's has 25,088); filters of one channel."""
Role = Literal["writer", "reader", "parameter", "heads", "block"]


@dataclass(frozen=True)
class Slice:
    """Channels of one module, or of a parameter outside layers, that go with the filters of a layer.

    Channel `channels[i]` goes with filter `owners[i]`. A writer keeps those of the layer, a reader takes them in.
    "heads" are those of an attention, which only has to be told; the one channel of a "block" is itself. `take` is the
    function that takes channels out, along `axis` where that is free.
    """

    path: str
    role: Role
    take: Any
    axis: int
    channels: tuple[int, ...]
    owners: tuple[int, ...]

    def going_with(self, gone: Iterable[int]) -> list[int]:
        """The channels that go with these filters, sorted."""
        filters = frozenset(gone)
        return sorted(c for c, owner in zip(self.channels, self.owners, strict=True) if owner in filters)


@dataclass(frozen=True)
class Followed:
    """What goes with each filter of a layer, the layer's own channels first, and pairs of filters that share some."""

    slices: tuple[Slice, ...]
    ties: frozenset[tuple[int, int]]


def follow(graph: Any, model: nn.Module, layer: nn.Module, function: Any, filters: int) -> Followed:
    """Follows all filters of a layer. Raises whatever torch-pruning does about it."""
    import torch_pruning
    from torch_pruning._helpers import _HybridIndex

    if isinstance(layer, nn.Conv1d | nn.Conv2d) and layer.groups == layer.out_channels > 1:
        function = torch_pruning.prune_depthwise_conv_out_channels
    node = graph.module2node[layer]
    root = torch_pruning.dependency.Dependency(function, function, source=node, target=node)
    found = _reached(root, [_HybridIndex(idx=index, root_idx=index) for index in range(filters)])
    incoming = (torch_pruning.prune_conv_in_channels, torch_pruning.prune_linear_in_channels)
    names: dict[Any, str] = {module: path for path, module in model.named_modules()} | dict(graph._param_to_name)
    slices, ties = [], set[tuple[int, int]]()
    for (target, take), pairs in found.items():
        owner: dict[int, int] = {}
        for channel, filter_ in pairs:
            if (first := owner.setdefault(channel, filter_)) != filter_:
                ties.add((first, filter_))
        if target.module in names:
            role: Role = "reader" if take in incoming else "writer"
            if isinstance(target.module, nn.Parameter):
                role = "parameter"
            path, axis = names[target.module], target.pruning_dim
            slices.append(Slice(path, role, take, axis, tuple(owner), tuple(owner.values())))
    return Followed(tuple(slices), frozenset(ties))


def _reached(root: Any, indices: list[Any]) -> dict[tuple[Any, Any], dict[Any, None]]:
    """By what is reached and how it is pruned, the channels and their filters: depth first, as torch-pruning does.

    Only what is new at a place goes on from there: in a network whose channels are rearranged it would never end.
    """
    found: dict[tuple[Any, Any], dict[Any, None]] = {(root.target, root.handler): dict.fromkeys(indices)}
    stack, mapped = [(root, indices)], 0
    while stack:
        dependency, here = stack.pop()
        for further in dependency.target.dependencies:
            if not further.is_triggered_by(dependency.handler):
                continue
            there = here
            for mapping in further.index_mapping:
                if mapping is not None:
                    mapped += len(there) * (1 if mapping.reverse else getattr(mapping, "_stride", 1))
                    if mapped > MOST_MAPPED:
                        raise RecursionError("its channels are rearranged without end")
                    there = mapping(there)
            known = found.setdefault((further.target, further.handler), {})
            if new := [pair for pair in there if pair not in known]:
                known.update(dict.fromkeys(new))
                channels = {pair.idx for pair in known}
                if len(known) > MOST_OWNERS * len(channels):
                    raise RecursionError("its filters share channels")
                if max(channels) >= _most_channels(further.target.module):
                    raise IndexError("more channels than there are")
                stack.append((further, new))
    return {key: known for key, known in found.items() if known}


def _most_channels(module: Any) -> float:
    """How many channels a module has at most, in or out, where that is known."""
    sizes = [getattr(module, name, 0) for name in ("in_channels", "out_channels", "in_features", "out_features")]
    return max([*sizes, getattr(module, "num_features", 0), getattr(module, "num_channels", 0)]) or float("inf")
