"""Taking filters out of a network, physically, so that a small dense one is left.

torch-pruning's dependency graph finds what is coupled to a layer (its batch norm, the next layer's inputs);
it is used for that surgery only, never for its criteria or its counters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from prunemark.benchmark.compression import CostModel, CostTerm
from prunemark.benchmark.cost import count
from prunemark.benchmark.data import as_example
from prunemark.benchmark.method import Decision, Group
from prunemark.benchmark.networks import ImageShape, build_network
from prunemark.setups.errors import InputError
from prunemark.setups.track import Track


class BadDecision(Exception):
    """A decision does not describe a subnetwork of the base model. The message says where."""


def prunable_groups(model: nn.Module, track: Track, shape: ImageShape) -> tuple[Group, ...]:
    """The track's prunable layers with what a criterion needs to know of them.

    Raises InputError, with the layer's name, when a layer is missing or coupled to another prunable one.
    """
    if track.granularity == "weight":
        sizes = {name: _layer(model, name).weight.numel() for name in track.prunable}
        return tuple(Group(name, size) for name, size in sizes.items())
    graph = _dependencies(model, shape)
    groups, owner = [], dict[str, str]()
    for name in track.prunable:
        members = _members(graph, model, name)
        for member in members["out"]:
            if owner.setdefault(member, name) != name:
                raise InputError(f"layers {name} and {owner[member]} are coupled: they cannot be pruned apart")
        norms = [m for m in members["out"] if isinstance(model.get_submodule(m), nn.BatchNorm2d)]
        groups.append(Group(name, _filters(_layer(model, name)), norms[0] if norms else None))
    return tuple(groups)


def cost_model(model: nn.Module, track: Track, shape: ImageShape) -> CostModel:
    """How the network's MACs depend on the number of filters kept in each group, without any surgery."""
    graph = _dependencies(model, shape)
    out_group: dict[str, str] = {}
    in_group: dict[str, str] = {}
    for name in track.prunable:
        members = _members(graph, model, name)
        out_group |= dict.fromkeys(members["out"], name)
        in_group |= dict.fromkeys(members["in"], name)
    sizes = {name: _filters(_layer(model, name)) for name in track.prunable}
    terms = [
        CostTerm(macs, out_group.get(layer), None if _depthwise(model, layer) else in_group.get(layer))
        for layer, macs in count(model, shape).macs_of_layer.items()
    ]
    return CostModel(sizes, tuple(terms))


def cut(model: nn.Module, kept: Mapping[str, torch.Tensor], shape: ImageShape) -> nn.Module:
    """Removes every filter that is not kept, in place, and returns the model."""
    for name, indices in kept.items():
        layer = _layer(model, name)
        gone = sorted(set(range(_filters(layer))) - set(indices.tolist()))
        if gone:
            graph = _dependencies(model, shape)  # built anew: indices in it are those of the model as it is now
            graph.get_pruning_group(layer, _out_function(layer), gone).prune()
    for parameter in model.parameters():
        parameter.grad = None
    return model


def rebuild(
    track: Track, shape: ImageShape, weights: Mapping[str, torch.Tensor], decision: Decision, seed: int
) -> nn.Module:
    """The pruned network: the track's own architecture, the given weights, then the decision carried out.

    Raises BadDecision when the weights or the decision do not fit the architecture.
    """
    model = build_network(track.network, shape, seed)
    try:
        model.load_state_dict(dict(weights))
    except RuntimeError as problem:
        raise BadDecision(f"the weights left by the method do not fit {track.network}: {problem}") from None
    check_decision(decision, model, track)
    cut(model, decision.kept, shape)
    with torch.no_grad():
        for name, mask in decision.masks.items():
            _layer(model, name).weight.mul_(mask)
    return model


def check_decision(decision: Decision, model: nn.Module, track: Track) -> None:
    """Raises BadDecision unless the decision names prunable layers and filters or weights that exist."""
    wrong_kind = decision.masks if track.granularity == "filter" else decision.kept
    if wrong_kind:
        raise BadDecision(f"track {track.id} prunes {track.granularity}s; the decision is about something else")
    for name in [*decision.kept, *decision.masks]:
        if name not in track.prunable:
            raise BadDecision(f"layer {name!r} may not be pruned. Prunable: {', '.join(track.prunable)}")
    for name, indices in decision.kept.items():
        filters = _filters(_layer(model, name))
        values = indices.tolist()
        if not values or len(set(values)) != len(values) or min(values) < 0 or max(values) >= filters:
            raise BadDecision(f"layer {name}: kept filters must be 1 to {filters} different numbers below {filters}")
    for name, mask in decision.masks.items():
        weight = _layer(model, name).weight
        if mask.shape != weight.shape or mask.dtype != torch.bool:
            raise BadDecision(f"layer {name}: the mask must be bool of shape {tuple(weight.shape)}")


def _dependencies(model: nn.Module, shape: ImageShape) -> Any:
    import torch_pruning

    return torch_pruning.DependencyGraph().build_dependency(
        model, example_inputs=as_example(shape, next(model.parameters()).device), verbose=False
    )


def _members(graph: Any, model: nn.Module, name: str) -> dict[str, list[str]]:
    """Names of the layers that lose output channels, and of those that lose input channels, with a layer."""
    import torch_pruning

    layer = _layer(model, name)
    names = {module: path for path, module in model.named_modules()}
    found: dict[str, list[str]] = {"out": [], "in": []}
    for dependency, _ in graph.get_pruning_group(layer, _out_function(layer), [0]):
        module, function = dependency.target.module, dependency.handler
        if module in names:
            incoming = function in (
                torch_pruning.prune_conv_in_channels,
                torch_pruning.prune_linear_in_channels,
            )
            found["in" if incoming else "out"].append(names[module])
    return found


def _out_function(layer: nn.Module) -> Any:
    import torch_pruning

    if isinstance(layer, nn.Conv2d):
        return torch_pruning.prune_conv_out_channels
    return torch_pruning.prune_linear_out_channels


def _layer(model: nn.Module, name: str) -> Any:
    try:
        layer = model.get_submodule(name)
    except AttributeError:
        raise InputError(f"the network has no layer {name!r}") from None
    if not isinstance(layer, nn.Conv2d | nn.Linear):
        raise InputError(f"layer {name!r} is a {type(layer).__name__}; only convolutions and linear layers are pruned")
    return layer


def _filters(layer: nn.Module) -> int:
    return int(layer.weight.shape[0])  # type: ignore[index]


def _depthwise(model: nn.Module, name: str) -> bool:
    layer = model.get_submodule(name)
    return isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1
