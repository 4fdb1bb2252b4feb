"""What has to hold of a network whose filters are cut out, tried on copies of it.

The cut network computes what the dense one does when nobody reads those channels: whatever the weights are, so all of
them are drawn at random (a classifier that starts at 0 would make every comparison true), whichever channels stay, so
several odd numbers of them are drawn, and on whichever images. Norms over channels run over the channels that stay.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from prunemark.benchmark.compression.dependency_graph import (
    DependencyGroup,
    dependency_groups,
    of_blocks,
)
from prunemark.benchmark.compression.drawn import Drawn, restored
from prunemark.benchmark.compression.silence import norms_over_channels, silence
from prunemark.benchmark.compression.steps import first, highest
from prunemark.benchmark.compression.surgery import cost_of_groups, cut_groups
from prunemark.benchmark.networks.cost import count
from prunemark.benchmark.networks.registry import ImageShape
from prunemark.setups.errors import InputError
from prunemark.setups.track import Track

Keep = tuple[int, int, bool]
KEEPS: tuple[Keep, ...] = ((1, 2, False), (5, 8, True), (1, 3, True))
"""Shares of the filters that stay, and whether these are drawn, as many as the share on average, odd in number."""
Kept = Mapping[str, torch.Tensor]


def refusal(drawn: Drawn, names: Sequence[str], keeps: Sequence[Keep] = KEEPS) -> str | None:
    """Why these layers cannot be pruned together, in words; None where they can. `keeps` are tried, each once."""
    try:
        with drawn.precisely():
            return _refusal(drawn, names, keeps)
    except InputError as problem:
        return str(problem).splitlines()[0].rstrip(".")
    except Exception as problem:  # shapes that do not fit any more, in whatever words torch has for it
        if of_blocks(drawn.dense, names):
            return (
                f"taken out, the network does not run ({type(problem).__name__}): something reads the block's parts, "
                "or changes in place what it gave"
            )
        return (
            f"without some of its filters the network does not run ({type(problem).__name__}): on the way its channels "
            "are split, rearranged or counted"
        )


def _refusal(drawn: Drawn, names: Sequence[str], keeps: Sequence[Keep]) -> str | None:
    groups = drawn.found.groups(names)
    for path in (path for here in groups for path in here.blocks):
        if any(part._forward_hooks or part._forward_pre_hooks for part in drawn.dense.get_submodule(path).modules()):
            return f"{path} has hooks, and what they do would be gone with it"
    for number, (numerator, denominator, random) in enumerate(keeps if names else keeps[:1]):
        generator = torch.Generator().manual_seed(number)
        kept = {here.name: _some(here, numerator, denominator, random, generator) for here in groups}
        if (why := _difference(drawn, groups, kept, generator)) is not None:
            return why
    if len(keeps) > 1:
        _train(drawn, groups, kept)
        return _miscounted(drawn, groups, kept)
    return None


def _some(
    here: DependencyGroup, numerator: int, denominator: int, drawn: bool, generator: torch.Generator
) -> torch.Tensor:
    """Which filters stay: the first so many, or an odd number of any; of units, where they go in steps.

    Odd numbers are drawn for each layer: a network that needs as many in two layers is found out. Of blocks it is one
    half, then the other, so that each goes once, and then any number but all.
    """
    filters = here.size
    if here.blocks:
        halves, half = torch.randperm(filters, generator=torch.Generator().manual_seed(0)), filters // 2
        if drawn and 2 * numerator < denominator:
            half = int(torch.randint(0, filters, (1,), generator=generator))
        elif drawn:
            return halves[half:].sort().values
        return halves[:half].sort().values
    units, step = (filters, 1) if here.steps is None else (here.steps.units, here.steps.step)
    count = max(1, units * numerator // denominator)
    if not drawn:
        return first(count * step, here.steps)
    count = int(torch.randint(1, min(2 * count, units) + 1, (1,), generator=generator))
    return highest(torch.rand(filters, generator=generator), min(count | 1, units) * step, here.steps)


def _difference(drawn: Drawn, groups: Sequence[DependencyGroup], kept: Kept, generator: torch.Generator) -> str | None:
    """Between the network that is cut and the dense one that does not read those channels, in words."""
    model, shape, device = drawn.dense, drawn.shape, next(drawn.dense.parameters()).device
    images = [  # the way through a network may depend on the image
        (shift + scale * torch.randn(2, shape.channels, shape.height, shape.width, generator=generator)).to(device)
        for shift, scale in ((0.0, 1.0), (1.0, 3.0), (-3.0, 1.0))
    ]
    with restored(model):
        cut_groups(model, groups, kept).eval()
        norms = {path: copy.deepcopy(model.get_submodule(path)) for path in norms_over_channels(model, groups)}
        with torch.no_grad():
            cut = [_logits(model, each, shape) for each in images]
    with restored(model), torch.no_grad():
        silence(model.eval(), norms, groups, kept)
        for now, each in zip(cut, images, strict=True):
            expected = _logits(model, each, shape)
            if not float((now - expected).abs().max()) <= drawn.tolerance * float(expected.abs().max()):
                if any(here.blocks for here in groups):
                    return "taken out, the network is another than the dense one whose block adds nothing"
                return "without some of its filters the network is another than the dense one that does not read them"
    return None


def _train(drawn: Drawn, groups: Sequence[DependencyGroup], kept: Kept) -> None:
    """One step of what is left, forward and backward: raises what it raises."""
    shape, device = drawn.shape, next(drawn.dense.parameters()).device
    images = torch.randn(2, shape.channels, shape.height, shape.width, generator=torch.Generator().manual_seed(0))
    with restored(drawn.dense):
        cut_groups(drawn.dense, groups, kept)
        _logits(drawn.dense.train(), images.to(device), shape).sum().backward()


def _miscounted(drawn: Drawn, groups: Sequence[DependencyGroup], kept: Kept) -> str | None:
    """In words, where the cost model and a count of the cut network differ."""
    predicted = cost_of_groups(drawn.dense, groups, drawn.shape).macs({n: len(indices) for n, indices in kept.items()})
    with restored(drawn.dense):
        found = count(cut_groups(drawn.dense, groups, kept), drawn.shape).macs
    return None if found == predicted else f"cut, the network has {found:,} MACs, and it should have {predicted:,}"


def _logits(model: nn.Module, images: torch.Tensor, shape: ImageShape) -> torch.Tensor:
    out = model(images)
    if not isinstance(out, torch.Tensor) or out.shape != (len(images), shape.classes):
        found = tuple(out.shape) if isinstance(out, torch.Tensor) else f"a {type(out).__name__}"
        raise InputError(f"the network's output is {found}, not logits (examples, {shape.classes})")
    return out


def check_costs(model: nn.Module, track: Track, shape: ImageShape) -> None:
    """Raises InputError where the cost model and a count of the cut network differ: levels would be missed."""
    groups = dependency_groups(model, track.prunable, shape)
    cost = cost_of_groups(model, groups, shape)
    for number, (numerator, denominator, drawn) in enumerate(KEEPS):
        generator = torch.Generator().manual_seed(number)
        kept = {here.name: _some(here, numerator, denominator, drawn, generator) for here in groups}
        predicted = cost.macs({name: len(indices) for name, indices in kept.items()})
        found = count(cut_groups(copy.deepcopy(model), groups, kept), shape).macs
        if predicted != found:
            raise InputError(
                f"network {track.network_id} cannot be pruned to a level: cut, it has {found:,} MACs, and by its dense "
                f"layers it should have {predicted:,}.\nSome layer does work that depends on others in a way that is "
                "not covered; try fewer prunable layers"
            )
