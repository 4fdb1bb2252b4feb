"""Which layers of a network a track may call prunable, and whether those that it names can be pruned at all."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from prunemark.benchmark.compression.dependency_graph import (
    dependencies,
    dependency_group,
    dependency_groups,
    depthwise,
    filters_of,
    layer_of,
)
from prunemark.benchmark.compression.surgery import cut
from prunemark.benchmark.networks.registry import ImageShape, as_example
from prunemark.setups.errors import InputError


def propose(model: nn.Module, shape: ImageShape, *, streams: bool = False) -> tuple[str, ...]:
    """The layers that a track of this network may call prunable, in the order in which they run.

    The founding paper's rule for any network: layers whose channels no other layer writes, not the first one and
    not the classifier. Of a residual block that is every convolution but the last, of a transformer the hidden units
    of its MLPs. With `streams`, also one layer of each residual sum, which stands for all that write it. Gates
    (squeeze-and-excitation) are left alone, and so are channels that meet a grouped convolution. What is proposed has
    been cut out of a copy of the network. Raises InputError when nothing can be pruned.
    """
    if (problem := _refusal(model, [], shape)) is not None:
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
    if _refusal(model, found, shape) is not None:
        found = [name for name in found if _refusal(model, [name], shape) is None]
    if not found:
        raise InputError("no layer of this network can be pruned: every one is coupled to its output or to others")
    return tuple(found)


def check_prunable(model: nn.Module, names: Sequence[str], shape: ImageShape) -> None:
    """Raises InputError, with the layer's name, unless these layers can be pruned and the network still computes.

    Half of the filters of every layer are cut out of a copy of the network, which then has to run forward and
    backward, to give logits, and to say what the dense network says when nobody reads those channels. It takes a few
    traces of the network and no training.
    """
    problem = _refusal(model, names, shape)
    if problem is None:
        return
    for name in names:
        if (alone := _refusal(model, [name], shape)) is not None:
            raise InputError(f"layer {name!r} cannot be pruned: {alone}.\nLeave it out of the track's prunable layers")
    raise InputError(f"the layers {', '.join(names)} cannot be pruned together: {problem}")


def _refusal(model: nn.Module, names: Sequence[str], shape: ImageShape) -> str | None:
    """Why these layers cannot be pruned together, in words; None where they can."""
    dense = copy.deepcopy(model)
    images = torch.randn(2, shape.channels, shape.height, shape.width, generator=torch.Generator().manual_seed(0))
    images = images.to(next(model.parameters()).device)
    try:
        dependency_groups(dense, names, shape)
        kept = {name: torch.arange(max(1, filters_of(layer_of(dense, name)) // 2)) for name in names}
        small = cut(copy.deepcopy(dense), kept, shape)
        exact = _silence(dense, kept, shape)
        with torch.no_grad():
            now, expected = _logits(small.eval(), images, shape), _logits(dense.eval(), images, shape)
        _logits(small.train(), images, shape).sum().backward()
    except InputError as problem:
        return str(problem).splitlines()[0]
    except Exception as problem:  # shapes that do not fit any more, in whatever words torch has for it
        return f"cut to half, the network fails with {type(problem).__name__}: {problem}".splitlines()[0]
    if exact and not torch.allclose(expected, now, rtol=1e-3, atol=1e-4):
        return "cut to half, the network computes something else than the dense one that does not read those channels"
    return None


def _logits(model: nn.Module, images: torch.Tensor, shape: ImageShape) -> torch.Tensor:
    out = model(images)
    if not isinstance(out, torch.Tensor) or out.shape != (len(images), shape.classes):
        found = tuple(out.shape) if isinstance(out, torch.Tensor) else f"a {type(out).__name__}"
        raise InputError(f"the network's output is {found}, not logits (examples, {shape.classes})")
    return out


def _silence(dense: nn.Module, kept: Mapping[str, torch.Tensor], shape: ImageShape) -> bool:
    """Sets the readers' weights for the channels that go to zero: the cut network's function, without surgery.

    Says whether it is: not where a layer norm lies among the coupled, whose mean is over the channels that stay.
    """
    graph, exact = dependencies(dense, shape), True
    for name, indices in kept.items():
        gone = sorted(set(range(filters_of(layer_of(dense, name)))) - set(indices.tolist()))
        here = dependency_group(graph, dense, name, gone)
        exact = exact and not any(_over_channels(dense.get_submodule(layer)) for layer in here.writers)
        for layer, channels in here.readers.items():
            layer_of(dense, layer).weight.data[:, sorted(channels)] = 0
    return exact


def _over_channels(module: nn.Module) -> bool:
    """Whether a layer mixes the channels that it keeps: a norm over them."""
    return not isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d | nn.PReLU)


def _places(model: nn.Module, shape: ImageShape) -> dict[str, int]:
    """Convolutions and linear layers in the order in which they run, and in how many places of one image each does."""
    places: dict[str, int] = {}

    def noting(name: str) -> Callable[[nn.Module, tuple[torch.Tensor, ...], torch.Tensor], None]:
        def hook(module: nn.Module, _inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            places[name] = output.numel() // filters_of(module)

        return hook

    named = [(name, m) for name, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
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
