"""What hangs together in a network: which channels go with a layer's filters, and which cannot be pruned.

torch-pruning's dependency graph is read here; its criteria and its counters are not used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.nn.utils import parametrize

from prunemark.benchmark.compression.blocks import is_block, slices_of, stages_of
from prunemark.benchmark.compression.channels import Slice, follow
from prunemark.benchmark.compression.coupled_parameters import coupled_parameters_of
from prunemark.benchmark.compression.divisibility import steps_of
from prunemark.benchmark.compression.heads import attention_of, follow_heads
from prunemark.benchmark.compression.steps import Steps
from prunemark.benchmark.compression.tracing import dependencies
from prunemark.benchmark.method import CoupledParameter
from prunemark.benchmark.networks.registry import ImageShape
from prunemark.setups.errors import InputError

Channels = frozenset[int]


@dataclass(frozen=True)
class DependencyGroup:
    """What goes when filters of a layer go: output channels of `writers`, input channels of `readers`.

    Both by the layer's name. The writers are the layer itself and whatever has to keep the same channels: batch
    norms, depthwise convolutions, the gates of squeeze-and-excitation, and the other branches of a residual sum.
    `coupled_parameters` says the same filter by filter, for `Group.coupled`, and `slices` for surgery. `steps` are the
    units in which the filters stay or go; None where one by one. `attention` is the path of one whose heads go.
    `size` is the number of filters. Of a stage of `blocks` it is theirs, and these stay or go instead of filters.
    """

    name: str
    size: int
    writers: Mapping[str, Channels]
    readers: Mapping[str, Channels]
    coupled_parameters: tuple[CoupledParameter, ...]
    slices: tuple[Slice, ...]
    steps: Steps | None
    attention: str | None = None
    blocks: tuple[str, ...] = ()


def dependency_group(graph: Any, model: nn.Module, name: str) -> DependencyGroup:
    """What goes with the filters of a layer. Raises InputError when it cannot be pruned."""
    layer = layer_of(model, name)
    filters = filters_of(layer)
    steps: Steps | None
    try:
        if (heads := attention_of(model, name)) is not None:
            slices, steps = follow_heads(*heads)
        else:
            slices, steps = _followed(graph, model, layer)
        _check_own_weights(model, slices)
    except InputError as problem:
        raise InputError(
            f"layer {name!r} cannot be pruned: {problem}.\nLeave it out of the track's prunable layers"
        ) from None
    writers: dict[str, Channels] = {}
    readers: dict[str, Channels] = {}
    for part in slices:
        if part.role in ("writer", "reader"):
            side = readers if part.role == "reader" else writers
            side[part.path] = side.get(part.path, frozenset()) | frozenset(part.channels)
    return DependencyGroup(
        name,
        filters,
        writers,
        readers,
        coupled_parameters_of(model, slices, filters),
        slices,
        steps,
        heads and heads[0],
    )


def _check_own_weights(model: nn.Module, slices: Iterable[Slice]) -> None:
    """Raises InputError where two modules have one parameter: cut, each of them would have its own."""
    owners: dict[int, list[str]] = {}
    for path, module in model.named_modules():
        for parameter in module.parameters(recurse=False):
            owners.setdefault(id(parameter), []).append(path)
    shared = {path: paths for paths in owners.values() if len(paths) > 1 for path in paths}
    for part in slices:
        if part.path in shared:
            one, other = shared[part.path][:2]
            raise InputError(f"its channels meet {one!r} and {other!r}, which share a parameter")


def _followed(graph: Any, model: nn.Module, layer: nn.Module) -> tuple[tuple[Slice, ...], Steps | None]:
    if layer not in graph.module2node:
        raise InputError("it does not run as a layer of its own on the way to the output")
    try:
        found = follow(graph, model, layer, out_function(layer), filters_of(layer))
    except Exception:  # of torch-pruning's mappings, and of `follow` where they lead nowhere
        raise InputError("on the way its channels are split, rearranged or counted") from None
    if not any(part.role == "reader" for part in found.slices):
        raise InputError("no layer reads its channels, as those of a classifier")
    return found.slices, steps_of(model, found, filters_of(layer))


def dependency_groups(model: nn.Module, names: Iterable[str], shape: ImageShape) -> tuple[DependencyGroup, ...]:
    """The dependency groups of several layers that are to be pruned apart from each other.

    Raises InputError, with the layers' names, for one that cannot be pruned and for two that share channels.
    """
    names = list(names)
    return Dependencies(model, shape, traced=not of_blocks(model, names)).groups(names)


def of_blocks(model: nn.Module, names: Iterable[str]) -> bool:
    """Whether these are residual blocks and not layers. Raises InputError where some are and some are not."""
    blocks = {name: is_block(model, name) for name in names}
    if len(set(blocks.values())) > 1:
        one, other = (next(name for name, block in blocks.items() if block is which) for which in (True, False))
        raise InputError(f"{one!r} is a block and {other!r} a layer: a track prunes one kind or the other")
    return any(blocks.values())


class Dependencies:
    """The dependency groups of one network, each followed once. It stays true as long as nothing is cut."""

    def __init__(self, model: nn.Module, shape: ImageShape, *, traced: bool = True) -> None:
        self.model, self.shape, self.graph = model, shape, dependencies(model, shape) if traced else None
        self._found: dict[str, DependencyGroup | InputError] = {}

    def group(self, name: str) -> DependencyGroup:
        """See `dependency_group`."""
        if name not in self._found:
            try:
                self._found[name] = dependency_group(self.graph, self.model, name)
            except InputError as problem:
                self._found[name] = problem
        found = self._found[name]
        if isinstance(found, InputError):
            raise found
        return found

    def groups(self, names: Iterable[str]) -> tuple[DependencyGroup, ...]:
        """See `dependency_groups`."""
        if self.graph is None:
            return self._stages(list(names))
        found: list[DependencyGroup] = []
        taken: dict[tuple[str, int], str] = {}
        for name in names:
            here = self.group(name)
            for layer, channels in here.writers.items():
                for channel in channels:
                    if (owner := taken.setdefault((layer, channel), name)) != name:
                        raise InputError(f"layers {name} and {owner} are coupled: they cannot be pruned apart")
            found.append(here)
        return tuple(found)

    def _stages(self, names: Sequence[str]) -> tuple[DependencyGroup, ...]:
        stages = stages_of(self.model, self.shape)
        for name in names:
            if name not in stages:
                first = next((first for first, blocks in stages.items() if name in blocks), None)
                why = "it is no residual block: without its weights it does not give back what it is given"
                known = (
                    f"the stages of this network begin with {', '.join(stages)}" if stages else "this network has none"
                )
                why = f"{first!r} stands for it" if first else why
                raise InputError(f"block {name!r} cannot be pruned: {why} ({known})")
        return tuple(
            DependencyGroup(name, len(stages[name]), {}, {}, (), slices_of(stages[name]), None, blocks=stages[name])
            for name in dict.fromkeys(names)
        )


def layer_of(model: nn.Module, name: str) -> Any:
    """The convolution or linear layer of this name. Raises InputError for anything else."""
    try:
        layer = model.get_submodule(name)
    except AttributeError:
        raise InputError(f"the network has no layer {name!r}") from None
    if not isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear):
        raise InputError(f"layer {name!r} is a {type(layer).__name__}; only convolutions and linear layers are pruned")
    return layer


def check_own_weights(model: nn.Module) -> None:
    """Raises InputError for a layer whose weight is no parameter of its own: what is cut or masked would come back."""
    for name, module in model.named_modules():
        layer = isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear)
        if parametrize.is_parametrized(module) or (layer and "weight" not in module._parameters):
            raise InputError(
                f"the weight of {name!r} is computed from others (a parametrization, an old weight norm): "
                "remove it first"
            )


def filters_of(layer: nn.Module) -> int:
    """How many filters (or neurons) a layer has."""
    return int(layer.weight.shape[0])  # type: ignore[index]


def out_function(layer: nn.Module) -> Any:
    """torch-pruning's name for taking filters out of a layer of this kind."""
    import torch_pruning

    if isinstance(layer, nn.Conv1d | nn.Conv2d):
        return torch_pruning.prune_conv_out_channels
    return torch_pruning.prune_linear_out_channels
