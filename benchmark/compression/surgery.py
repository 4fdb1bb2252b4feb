"""Taking filters out of a network, physically, so that a small dense one is left.

torch-pruning's dependency graph finds what is coupled to a layer (its batch norm, the next layer's inputs);
it is used for that surgery only, never for its criteria or its counters.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from prunemark.benchmark.compression.budget_solver import CostModel, CostTerm
from prunemark.benchmark.compression.dependency_graph import (
    DependencyGroup,
    dependencies,
    dependency_groups,
    depthwise,
    filters_of,
    layer_of,
    out_function,
)
from prunemark.benchmark.compression.sparsity import check_divisible
from prunemark.benchmark.method import Decision, Group
from prunemark.benchmark.networks.cost import count
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.setups.track import Level, Track


class BadDecision(Exception):
    """A decision does not describe a subnetwork of the base model. The message says where."""


def prunable_groups(model: nn.Module, track: Track, shape: ImageShape) -> tuple[Group, ...]:
    """The track's prunable layers with what a criterion needs to know of them.

    Raises InputError, with the layer's name, when a layer is missing, cannot be pruned, or is coupled to another
    prunable one.
    """
    if track.granularity == "weight":
        weights = {name: layer_of(model, name).weight for name in track.prunable}
        if track.n_of_m is not None:
            for name, weight in weights.items():
                check_divisible(name, weight.shape, track.n_of_m[1])
        return tuple(Group(name, weight.numel()) for name, weight in weights.items())
    return tuple(
        Group(here.name, filters_of(layer_of(model, here.name)), _batch_norm(model, here), here.coupled_parameters)
        for here in dependency_groups(model, track.prunable, shape)
    )


def _batch_norm(model: nn.Module, here: DependencyGroup) -> str | None:
    """The first batch norm that has exactly the layer's channels: one behind a concatenation has more."""
    filters = filters_of(layer_of(model, here.name))
    for name in here.writers:
        norm = model.get_submodule(name)
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d) and norm.num_features == filters:
            return name
    return None


def cost_model(model: nn.Module, track: Track, shape: ImageShape, level: Level | None = None) -> CostModel:
    """How the network's MACs depend on the number of filters kept in each group, without any surgery.

    With a level that states layer ratios, it holds those too.

    A layer behind a concatenation has a term for each group that it reads, and one for the channels of none.
    """
    found = dependency_groups(model, track.prunable, shape)
    sizes = {here.name: filters_of(layer_of(model, here.name)) for here in found}
    counted = count(model, shape)
    terms = [CostTerm(counted.outside, None, None)] if counted.outside else []
    for layer, macs in counted.macs_of_layer.items():
        writing = next((here.name for here in found if layer in here.writers), None)
        if depthwise(model, layer):
            terms.append(CostTerm(macs, writing, None))
            continue
        channels = _channels_in(layer_of(model, layer))
        read = {here.name: len(here.readers[layer]) for here in found if layer in here.readers}
        terms += [CostTerm(macs * size // channels, writing, name) for name, size in read.items()]
        if rest := channels - sum(read.values()):
            terms.append(CostTerm(macs * rest // channels, writing, None))
    stated = level is not None and level.layer_ratios is not None
    return CostModel(sizes, tuple(terms), {name: level.ratio_of(name) for name in sizes} if level and stated else {})


def _channels_in(layer: nn.Conv1d | nn.Conv2d | nn.Linear) -> int:
    return layer.in_channels if isinstance(layer, nn.Conv1d | nn.Conv2d) else layer.in_features


def cut(model: nn.Module, kept: Mapping[str, torch.Tensor], shape: ImageShape) -> nn.Module:
    """Removes every filter that is not kept, in place, and returns the model."""
    graph = dependencies(model, shape) if kept else None
    for name, indices in kept.items():
        layer = layer_of(model, name)
        if gone := sorted(set(range(filters_of(layer))) - set(indices.tolist())):
            assert graph is not None
            graph.get_pruning_group(layer, out_function(layer), gone).prune()
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
        raise BadDecision(f"the weights left by the method do not fit {track.network_id}: {problem}") from None
    check_decision(decision, model, track)
    cut(model, decision.kept, shape)
    with torch.no_grad():
        for name, mask in decision.masks.items():
            layer_of(model, name).weight.mul_(mask)
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
        filters = filters_of(layer_of(model, name))
        values = indices.tolist()
        if not values or len(set(values)) != len(values) or min(values) < 0 or max(values) >= filters:
            raise BadDecision(f"layer {name}: kept filters must be 1 to {filters} different numbers below {filters}")
    for name, mask in decision.masks.items():
        weight = layer_of(model, name).weight
        if mask.shape != weight.shape or mask.dtype != torch.bool:
            raise BadDecision(f"layer {name}: the mask must be bool of shape {tuple(weight.shape)}")
