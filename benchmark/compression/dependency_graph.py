"""What hangs together in a network: which channels go with a layer's filters, and which cannot be pruned.

torch-pruning's dependency graph is read here; its criteria and its counters are not used.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from prunemark.benchmark.compression.coupled_parameters import coupled_parameters_of
from prunemark.benchmark.method import CoupledParameter
from prunemark.benchmark.networks.registry import ImageShape, as_example
from prunemark.setups.errors import InputError

Channels = frozenset[int]


@dataclass(frozen=True)
class DependencyGroup:
    """What goes when filters of a layer go: output channels of `writers`, input channels of `readers`.

    Both by the layer's name. The writers are the layer itself and whatever has to keep the same channels: batch
    norms, depthwise convolutions, the gates of squeeze-and-excitation, and the other branches of a residual sum.
    `coupled_parameters` says the same filter by filter, for `Group.coupled`.
    """

    name: str
    writers: Mapping[str, Channels]
    readers: Mapping[str, Channels]
    coupled_parameters: tuple[CoupledParameter, ...]


def dependencies(model: nn.Module, shape: ImageShape) -> Any:
    """The network's dependency graph. Raises InputError for a network that cannot be traced."""
    import torch_pruning

    example, was_training = as_example(shape, next(model.parameters()).device), model.training
    try:
        with warnings.catch_warnings(), torch.enable_grad():  # the graph is read off autograd's
            warnings.simplefilter("ignore")  # parameters outside layers, such as a class token, are found and handled
            return torch_pruning.DependencyGraph().build_dependency(model, example_inputs=example, verbose=False)
    except Exception as problem:  # whatever a stranger's network does when it is traced
        raise InputError(
            f"torch-pruning could not trace this network: {type(problem).__name__}: {problem}.\n"
            "Its filters cannot be pruned here; use a track that prunes single weights"
        ) from None
    finally:
        model.train(was_training)


def dependency_group(graph: Any, model: nn.Module, name: str, filters: Sequence[int] | None = None) -> DependencyGroup:
    """What goes with these filters of a layer (all by default). Raises InputError when it cannot be pruned."""
    import torch_pruning

    layer = layer_of(model, name)
    try:
        gone = list(range(filters_of(layer)) if filters is None else filters)
        group = graph.get_pruning_group(layer, out_function(layer), gone)
    except Exception as problem:
        raise InputError(
            f"layer {name!r} cannot be pruned: {type(problem).__name__} while following its channels.\n"
            "Leave it out of the track's prunable layers"
        ) from None
    incoming = (torch_pruning.prune_conv_in_channels, torch_pruning.prune_linear_in_channels)
    names = {module: path for path, module in model.named_modules()}
    writers: dict[str, Channels] = {}
    readers: dict[str, Channels] = {}
    for dependency, indices in group:
        module, function = dependency.target.module, dependency.handler
        if module not in names:
            continue
        found = readers if function in incoming else writers
        found[names[module]] = found.get(names[module], frozenset()) | frozenset(indices)
    if grouped := [path for path in (*writers, *readers) if _grouped(model, path)]:
        raise InputError(
            f"layer {name!r} cannot be pruned: its channels meet the grouped convolution {grouped[0]!r}, "
            "which has to keep as many in each group.\nLeave it out of the track's prunable layers"
        )
    return DependencyGroup(name, writers, readers, coupled_parameters_of(group, names, filters_of(layer)))


def dependency_groups(model: nn.Module, names: Iterable[str], shape: ImageShape) -> tuple[DependencyGroup, ...]:
    """The dependency groups of several layers that are to be pruned apart from each other.

    Raises InputError, with the layers' names, for one that cannot be pruned and for two that share channels.
    """
    graph = dependencies(model, shape)
    found: list[DependencyGroup] = []
    taken: dict[tuple[str, int], str] = {}
    for name in names:
        here = dependency_group(graph, model, name)
        for layer, channels in here.writers.items():
            for channel in channels:
                if (owner := taken.setdefault((layer, channel), name)) != name:
                    raise InputError(f"layers {name} and {owner} are coupled: they cannot be pruned apart")
        found.append(here)
    return tuple(found)


def layer_of(model: nn.Module, name: str) -> Any:
    """The convolution or linear layer of this name. Raises InputError for anything else."""
    try:
        layer = model.get_submodule(name)
    except AttributeError:
        raise InputError(f"the network has no layer {name!r}") from None
    if not isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear):
        raise InputError(f"layer {name!r} is a {type(layer).__name__}; only convolutions and linear layers are pruned")
    return layer


def filters_of(layer: nn.Module) -> int:
    """How many filters (or neurons) a layer has."""
    return int(layer.weight.shape[0])  # type: ignore[index]


def out_function(layer: nn.Module) -> Any:
    """torch-pruning's name for taking filters out of a layer of this kind."""
    import torch_pruning

    if isinstance(layer, nn.Conv1d | nn.Conv2d):
        return torch_pruning.prune_conv_out_channels
    return torch_pruning.prune_linear_out_channels


def depthwise(model: nn.Module, name: str) -> bool:
    """Whether each channel of this layer is its own: as many groups as channels, in and out."""
    layer = model.get_submodule(name)
    return isinstance(layer, nn.Conv1d | nn.Conv2d) and layer.groups == layer.in_channels == layer.out_channels > 1


def _grouped(model: nn.Module, name: str) -> bool:
    layer = model.get_submodule(name)
    return isinstance(layer, nn.Conv1d | nn.Conv2d) and layer.groups > 1 and not depthwise(model, name)
