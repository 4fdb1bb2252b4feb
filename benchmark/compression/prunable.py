"""Which layers of a network a track may call prunable, and whether those that it names can be pruned at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from prunemark.benchmark.compression.dependency_graph import (
    dependencies,
    dependency_group,
    depthwise,
    filters_of,
    layer_of,
)
from prunemark.benchmark.compression.properties import refusal
from prunemark.benchmark.networks.registry import ImageShape, as_example
from prunemark.setups.errors import InputError


def propose(model: nn.Module, shape: ImageShape, *, streams: bool = False) -> tuple[str, ...]:
    """The layers that a track of this network may call prunable, in the order in which they run.

    The founding paper's rule for any network: layers whose channels no other layer writes, not the first one and
    not the classifier. Of a residual block that is every convolution but the last, of a transformer the hidden units
    of its MLPs. With `streams`, also one layer of each residual sum, which stands for all that write it. Gates
    (squeeze-and-excitation) are left alone, and so are channels that meet a grouped convolution. Where nothing else is
    found, streams are. What is proposed has been cut out of copies of the network, all together. Raises InputError when
    nothing can be pruned.
    """
    if (problem := refusal(model, [], shape)) is not None:
        raise InputError(problem)
    graph, places = dependencies(model, shape), _places(model, shape)
    first, found = next(iter(places)), list[str]()
    written = set[str]()
    for name in places:
        if name in written or depthwise(model, name):
            continue
        try:
            here = dependency_group(graph, model, name)
        except InputError:
            continue
        writers = [layer for layer in here.writers if layer in places and not depthwise(model, layer)]
        full = [layer for layer in writers if not _gate(layer, places)]
        written |= set(full)
        inside = len(full) == 1 and first not in full
        if here.readers and name in full and (inside or (streams and len(full) > 1)):
            found.append(name)
    found = _together(model, found, shape)
    if not found and not streams:
        return propose(model, shape, streams=True)
    if not found:
        raise InputError("no layer of this network can be pruned: every one is coupled to its output or to others")
    return tuple(found)


def weight_layers(model: nn.Module, shape: ImageShape, pattern: tuple[int, int] | None = None) -> tuple[str, ...]:
    """The layers whose single weights a track may call prunable: all that run but the first and the last.

    With a `pattern` N:M, those whose inputs M divides. Raises InputError when none is left.
    """
    names = list(_places(model, shape))
    inner = names[1:-1] or names
    found = [n for n in inner if pattern is None or layer_of(model, n).weight.shape[1] % pattern[1] == 0]
    if not found:
        raise InputError("no layer of this network can be pruned by weights: none has inputs that the pattern divides")
    return tuple(found)


def _together(model: nn.Module, names: list[str], shape: ImageShape) -> list[str]:
    """As many of these layers as can be pruned together: all, or by halves those of each, tried together again."""
    if not names or refusal(model, names, shape) is None:
        return names
    if len(names) == 1:
        return []
    middle = len(names) // 2
    first, second = (_together(model, half, shape) for half in (names[:middle], names[middle:]))
    if refusal(model, [*first, *second], shape) is None:
        return [*first, *second]
    for name in second:
        if refusal(model, [*first, name], shape) is None:
            first = [*first, name]
    return first


def check_prunable(model: nn.Module, names: Sequence[str], shape: ImageShape) -> None:
    """Raises InputError, with the layer's name, unless these layers can be pruned and the network still computes.

    See `properties.refusal` for what is tried. It takes a few traces of the network and no training.
    """
    problem = refusal(model, names, shape)
    if problem is None:
        return
    for name in names:
        if (alone := refusal(model, [name], shape)) is not None:
            why = alone.removeprefix(f"layer {name!r} cannot be pruned: ")
            raise InputError(f"layer {name!r} cannot be pruned: {why}.\nLeave it out of the track's prunable layers")
    raise InputError(f"the layers {', '.join(names)} cannot be pruned together: {problem}")


def _places(model: nn.Module, shape: ImageShape) -> dict[str, int]:
    """Convolutions and linear layers in the order in which they run, and in how many places of one image each does."""
    places: dict[str, int] = {}

    def noting(name: str) -> Callable[[nn.Module, tuple[torch.Tensor, ...], torch.Tensor], None]:
        def hook(module: nn.Module, _inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            places[name] = output.numel() // filters_of(module)

        return hook

    named = [(name, m) for name, m in model.named_modules() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Linear)]
    handles = [module.register_forward_hook(noting(name)) for name, module in named]
    was_training = model.training
    try:
        with torch.no_grad():
            model.eval()(as_example(shape, next(model.parameters()).device))
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return places


def _gate(layer: str, places: Mapping[str, int]) -> bool:
    """Whether a layer works on a pooled image while layers behind it do not: it weighs channels and costs little."""
    behind = list(places)[list(places).index(layer) :]
    return places[layer] == 1 < max(places[later] for later in behind)
