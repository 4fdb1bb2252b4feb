"""Taking filters out of a network, physically, so that a small dense one is left, and what that one costs.

torch-pruning's dependency graph finds what is coupled to a layer (its batch norm, the next layer's inputs);
it is used for that only, never for its criteria or its counters.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import torch
from torch import nn

from prunemark.benchmark.compression.blocks import layers_in
from prunemark.benchmark.compression.budget_solver import CostModel, CostTerm
from prunemark.benchmark.compression.channels import Slice
from prunemark.benchmark.compression.dependency_graph import DependencyGroup, dependency_groups, filters_of, layer_of
from prunemark.benchmark.compression.divisibility import depthwise
from prunemark.benchmark.compression.sparsity import check_divisible
from prunemark.benchmark.compression.steps import Block, Steps, first
from prunemark.benchmark.compression.take_out import take_out
from prunemark.benchmark.method import CoupledParameter, Decision, Group
from prunemark.benchmark.networks.cost import Cost, count_within
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.setups.errors import InputError
from prunemark.setups.track import Level, Track


class BadDecision(Exception):
    """A decision does not describe a subnetwork of the base model. The message says where."""


def prunable_groups(model: nn.Module, track: Track, shape: ImageShape) -> tuple[Group, ...]:
    """The track's prunable layers with what a criterion needs to know of them; of its blocks all layers.

    Raises InputError, with the layer's name, when a layer is missing, cannot be pruned, or is coupled to another
    prunable one.
    """
    if track.granularity == "weight":
        weights = {name: layer_of(model, name).weight for name in track.prunable}
        if track.n_of_m is not None:
            for name, weight in weights.items():
                check_divisible(name, weight.shape, track.n_of_m[1])
        return tuple(Group(name, weight.numel()) for name, weight in weights.items())
    found = dependency_groups(model, track.prunable, shape)
    if track.granularity == "block":
        return tuple(
            _in_block(model, layer, Block(path, stage.name, number))
            for stage in found
            for number, path in enumerate(stage.blocks)
            for layer in layers_in(model, path)
        )
    return tuple(
        Group(here.name, here.size, _batch_norm(model, here), here.coupled_parameters, here.steps) for here in found
    )


def _in_block(model: nn.Module, layer: str, block: Block) -> Group:
    """A layer of a block, with its own weight and bias by filters."""
    filters = filters_of(layer_of(model, layer))
    index, own = torch.arange(filters)[:, None], layer_of(model, layer).named_parameters(recurse=False)
    coupled = tuple(CoupledParameter(f"{layer}.{name}", 0, index) for name, _ in own)
    return Group(layer, filters, None, coupled, block=block)


def _batch_norm(model: nn.Module, here: DependencyGroup) -> str | None:
    """The first batch norm that has exactly the layer's channels: one behind a concatenation has more."""
    for name in here.writers:
        norm = model.get_submodule(name)
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d) and norm.num_features == here.size:
            return name
    return None


def cost_model(model: nn.Module, track: Track, shape: ImageShape, level: Level | None = None) -> CostModel:
    """How the network's MACs depend on the number of filters kept in each group, without any surgery.

    With a level that states layer ratios, it holds those too.
    """
    cost = cost_of_groups(model, dependency_groups(model, track.prunable, shape), shape)
    if level is None or level.layer_ratios is None:
        return cost
    return dataclasses.replace(cost, ratios={name: level.ratio_of(name) for name in cost.sizes})


def cost_of_groups(model: nn.Module, found: Sequence[DependencyGroup], shape: ImageShape) -> CostModel:
    """The cost model of these dependency groups.

    A layer at a concatenation has a term for each pair of groups that it writes and reads, and for channels of none.
    """
    sizes = {here.name: here.size for here in found}
    inside = [path for here in found for path in (here.attention, *here.blocks) if path is not None]
    counted, within = count_within(model, shape, inside)
    if any(here.blocks for here in found):
        return CostModel(sizes, tuple(_of_blocks(found, counted, within)), least=0)
    terms = _outside(found, counted, within)
    for layer, macs in counted.macs_of_layer.items():
        writing = _shares(
            {here.name: here.writers.get(layer, ()) for here in found}, filters_of(layer_of(model, layer))
        )
        if depthwise(model, layer):
            terms += [CostTerm(macs * share // filters_of(layer_of(model, layer)), w, None) for w, share in writing]
            continue
        filters, channels = filters_of(layer_of(model, layer)), _channels_in(layer_of(model, layer))
        reading = _shares({here.name: here.readers.get(layer, ()) for here in found}, channels)
        terms += [
            CostTerm(macs * written * read // (filters * channels), writer, reader)
            for writer, written in writing
            for reader, read in reading
        ]
    return CostModel(sizes, tuple(terms), steps={here.name: here.steps for here in found if here.steps is not None})


def _of_blocks(found: Sequence[DependencyGroup], counted: Cost, within: Mapping[str, int]) -> Iterator[CostTerm]:
    """A term for each stage of blocks and one for the rest. Raises InputError where the blocks of a stage differ."""
    for stage in found:
        costs = [within[path] for path in stage.blocks]
        if len(set(costs)) > 1:
            raise InputError(f"block {stage.name!r} cannot be pruned: its stage has blocks of {min(costs):,} and "
                             f"{max(costs):,} MACs")  # fmt: skip
        yield CostTerm(sum(costs), stage.name, None)
    yield CostTerm(counted.macs - sum(within.values()), None, None)


def _outside(found: Sequence[DependencyGroup], counted: Cost, within: Mapping[str, int]) -> list[CostTerm]:
    """What no layer does: of an attention whose heads may go, the products of each head, and the rest."""
    rest, terms = counted.outside, []
    heads = {here.attention: here.name for here in found if here.attention is not None}
    for path, macs in within.items():
        products = macs - sum(of for layer, of in counted.macs_of_layer.items() if layer.startswith(f"{path}."))
        terms.append(CostTerm(products, heads[path], None))
        rest -= products
    return [CostTerm(rest, None, None), *terms] if rest else terms


def _shares(channels: Mapping[str, Collection[int]], total: int) -> list[tuple[str | None, int]]:
    """How many of a layer's channels are of each group, and how many of none."""
    shares: list[tuple[str | None, int]] = [(name, len(here)) for name, here in channels.items() if here]
    rest = total - sum(size for _, size in shares)
    return [*shares, (None, rest)] if rest or not shares else shares


def _channels_in(layer: nn.Conv1d | nn.Conv2d | nn.Linear) -> int:
    return layer.in_channels if isinstance(layer, nn.Conv1d | nn.Conv2d) else layer.in_features


def cut(model: nn.Module, kept: Mapping[str, torch.Tensor], shape: ImageShape) -> nn.Module:
    """Removes every filter that is not kept, in place, and returns the model.

    Raises BadDecision where a layer's filters go in steps and these do not.
    """
    return cut_groups(model, dependency_groups(model, kept, shape) if kept else (), kept)


def first_filters(
    model: nn.Module, counts: Mapping[str, int], shape: ImageShape, names: Collection[str] = ()
) -> dict[str, torch.Tensor]:
    """So many filters of each layer, the first ones that can stay: where only the shape that is left matters.

    Of blocks it matters which ones stay where there are weights: those that `names`, of weights, are in.
    """
    found = dependency_groups(model, counts, shape) if counts else ()
    left = {
        here.name: [n for n, b in enumerate(here.blocks) if any(w.startswith(f"{b}.") for w in names)] for here in found
    }
    return {
        here.name: torch.tensor(left[here.name], dtype=torch.int64)
        if here.blocks and names
        else first(counts[here.name], here.steps)
        for here in found
    }


def cut_groups(model: nn.Module, found: Iterable[DependencyGroup], kept: Mapping[str, torch.Tensor]) -> nn.Module:
    """`cut`, for groups that were followed on this network or on one that it is a copy of."""
    going: list[tuple[Slice, list[int]]] = []
    for here in found:
        if here.name not in kept:
            continue
        check_steps(here.name, here.steps, kept[here.name])
        gone = set(range(here.size)) - set(kept[here.name].tolist())
        going += [(part, part.going_with(gone)) for part in here.slices] if gone else []
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    take_out(model, going)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name not in frozen)  # what is cut is a new parameter
        parameter.grad = None
    return model


def check_steps(name: str, steps: Steps | None, kept: torch.Tensor) -> None:
    """Raises BadDecision where a layer's filters go in steps and these do not."""
    if steps is not None and not steps.fit(kept):
        raise BadDecision(
            f"layer {name}: its filters stay {steps}; {len(kept)} are kept otherwise. "
            "`context.decide` chooses whole steps; a Group has them as `steps`"
        )


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
    sizes = sizes_of(model, track, shape) if track.granularity == "block" else {}
    check_decision(decision, model, track, sizes)
    cut(model, decision.kept, shape)
    with torch.no_grad():
        for name, mask in decision.masks.items():
            layer_of(model, name).weight.mul_(mask)
    return model


def sizes_of(model: nn.Module, track: Track, shape: ImageShape) -> dict[str, int]:
    """How many filters, or blocks, each prunable layer or stage has."""
    return {here.name: here.size for here in dependency_groups(model, track.prunable, shape)}


def check_decision(decision: Decision, model: nn.Module, track: Track, blocks: Mapping[str, int] | None = None) -> None:
    """Raises BadDecision unless the decision names prunable layers and filters or weights that exist.

    `blocks` are those of each stage, on a track of blocks; a stage may lose all of them.
    """
    wrong_kind = decision.masks if track.of_filters else decision.kept
    if wrong_kind:
        raise BadDecision(f"track {track.id} prunes {track.granularity}s; the decision is about something else")
    for name in [*decision.kept, *decision.masks]:
        if name not in track.prunable:
            raise BadDecision(f"layer {name!r} may not be pruned. Prunable: {', '.join(track.prunable)}")
    for name, indices in decision.kept.items():
        size = blocks[name] if blocks else filters_of(layer_of(model, name))
        values, least = indices.tolist(), 0 if blocks else 1
        if len(values) < least or len(set(values)) != len(values) or not set(values) <= set(range(size)):
            what = "blocks" if blocks else "filters"
            raise BadDecision(f"layer {name}: kept {what} must be {least} to {size} different numbers below {size}")
    for name, mask in decision.masks.items():
        weight = layer_of(model, name).weight
        if mask.shape != weight.shape or mask.dtype != torch.bool:
            raise BadDecision(f"layer {name}: the mask must be bool of shape {tuple(weight.shape)}")
