"""Which layers of a network a track may call prunable, and whether those that it names can be pruned at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from prunemark.benchmark.compression.blocks import stages_of
from prunemark.benchmark.compression.dependency_graph import dependency_groups, filters_of, layer_of, of_blocks
from prunemark.benchmark.compression.divisibility import depthwise
from prunemark.benchmark.compression.drawn import Drawn
from prunemark.benchmark.compression.properties import KEEPS, Keep, refusal
from prunemark.benchmark.networks.registry import ImageShape, as_example
from prunemark.setups.errors import InputError
from prunemark.setups.track import Track

ONE = KEEPS[1:2]


def propose(model: nn.Module, shape: ImageShape, *, streams: bool = False) -> tuple[str, ...]:
    """The layers that a track of this network may call prunable, in the order in which they run.

    The founding paper's rule for any network: layers whose channels no other layer writes, not the first one and
    not the classifier. Of a residual block that is every convolution but the last, of a transformer the hidden units
    of its MLPs. Gates (squeeze-and-excitation) are left alone. With `streams` it is all that can go: also one layer of
    each residual sum, which stands for all that write it, the first layer, the hidden units of gates, and the heads of
    attentions by their `qkv`. Where nothing else is found, these are. What is proposed has been cut out of the network,
    all together, at the cost that is predicted. Raises InputError when nothing can be pruned.
    """
    drawn = Drawn(model, shape)
    if (problem := refusal(drawn, [])) is not None:
        raise InputError(problem)
    return _propose(drawn, _places(model, shape), streams=streams)


def _propose(drawn: Drawn, places: Mapping[str, int], *, streams: bool) -> tuple[str, ...]:
    first, found, model = next(iter(places)), list[str](), drawn.dense
    written = set[str]()
    for name in places:
        if name in written or depthwise(model, name):
            continue
        try:
            here = drawn.found.group(name)
        except InputError:
            continue
        full = [layer for layer in here.writers if _is_full(model, layer, places)]
        if streams and not full:
            full = [layer for layer in here.writers if layer in places and not depthwise(model, layer)]
        written |= set(full)
        inside = len(full) == 1 and first not in full and here.attention is None
        if name in full and (inside or streams):
            found.append(name)
    found = _together(drawn, _together(drawn, found, ONE), KEEPS)  # first what fails is found, cheaply
    if not found and not streams:
        return _propose(drawn, places, streams=True)
    if not found:
        raise InputError("no layer of this network can be pruned: every one is coupled to its output or to others")
    return tuple(found)


def propose_blocks(model: nn.Module, shape: ImageShape) -> tuple[str, ...]:
    """The first block of each stage of residual blocks that can be taken out, all together: see `blocks`.

    Raises InputError when there is none.
    """
    if names := list(stages_of(model, shape)):
        if found := _together(Drawn(model, shape, traced=False), names, KEEPS):
            return tuple(found)
        check_prunable(model, names, shape)  # says why
    raise InputError(
        "no block of this network can be taken out: none gives back its input when its weights are zero, runs once and "
        "has its weights for itself"
    )


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


def _together(drawn: Drawn, names: list[str], keeps: Sequence[Keep]) -> list[str]:
    """As many of these layers as can be pruned together: all, or by halves those of each, tried together again."""
    if not names or refusal(drawn, names, keeps) is None:
        return names
    if len(names) == 1:
        return []
    middle = len(names) // 2
    first, second = (_together(drawn, half, keeps) for half in (names[:middle], names[middle:]))
    if not first or not second or refusal(drawn, [*first, *second], keeps) is None:
        return [*first, *second]
    for name in second:
        if refusal(drawn, [*first, name], keeps) is None:
            first = [*first, name]
    return first


def check_prunable(model: nn.Module, names: Sequence[str], shape: ImageShape) -> None:
    """Raises InputError, with the layer's name, unless these layers can be pruned and the network still computes.

    See `properties.refusal` for what is tried. It takes a trace of the network and no training.
    """
    blocks = of_blocks(model, names)
    drawn, what = Drawn(model, shape, traced=not blocks), "block" if blocks else "layer"
    problem = refusal(drawn, names)
    if problem is None:
        return
    for name in names:
        if (alone := refusal(drawn, [name])) is not None:
            why = alone.removeprefix(f"{what} {name!r} cannot be pruned: ")
            raise InputError(f"{what} {name!r} cannot be pruned: {why}.\nLeave it out of the track's prunable {what}s")
    raise InputError(f"the {what}s {', '.join(names)} cannot be pruned together: {problem}")


def check_kinds(model: nn.Module, track: Track, shape: ImageShape) -> None:
    """Raises InputError for a layer that is not what the track prunes: a stream, the heads of an attention, a block.

    A layer stands for a stream when other convolutions or linear layers, gates aside, have to keep its channels.
    """
    if track.granularity == "filter" and not of_blocks(model, track.prunable):
        return
    for name, kind in kinds(model, track.prunable, shape).items():
        if kind != track.granularity:
            wanted = {
                "head": "the `qkv` of an attention", "stream": "in a residual sum", "block": "a residual block",
                "filter": "a convolution or linear layer",
            }[track.granularity]  # fmt: skip
            raise InputError(
                f"track {track.id} prunes {track.granularity}s, and its layer {name!r} is not {wanted}.\n"
                f"Leave it out, or state granularity {'block' if kind == 'block' else 'filter'}"
            )


def kinds(model: nn.Module, names: Sequence[str], shape: ImageShape) -> dict[str, str]:
    """What each of these stands for: the heads of an attention, a residual stream, blocks, or its own filters."""
    if of_blocks(model, names):
        return dict.fromkeys(names, "block")
    places, found = _places(model, shape), {}
    for here in dependency_groups(model, names, shape):
        full = [layer for layer in here.writers if _is_full(model, layer, places)]
        found[here.name] = "head" if here.attention is not None else "stream" if len(full) > 1 else "filter"
    return found


def _is_full(model: nn.Module, layer: str, places: Mapping[str, int]) -> bool:
    return layer in places and not depthwise(model, layer) and not _gate(layer, places)


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
