"""What has to hold of a network whose filters are cut out, tried on copies of it.

The cut network computes what the dense one does when nobody reads those channels: whatever the weights are, so all of
them are drawn at random (a classifier that starts at 0 would make every comparison true), whichever channels stay, so
several odd numbers of them are drawn, and on whichever images. Norms over channels run over the channels that stay.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.utils import parametrize

from prunemark.benchmark.compression.dependency_graph import (
    Dependencies,
    DependencyGroup,
    dependency_groups,
    filters_of,
    layer_of,
)
from prunemark.benchmark.compression.silence import norms_over_channels, silence
from prunemark.benchmark.compression.steps import first, highest
from prunemark.benchmark.compression.surgery import cost_of_groups, cut_groups
from prunemark.benchmark.networks.cost import count
from prunemark.benchmark.networks.registry import ImageShape
from prunemark.setups.errors import InputError
from prunemark.setups.track import Track

TOLERANCE = 1e-3
"""Of the largest logit: what single precision may change when sums are taken in another order."""
Keep = tuple[int, int, bool]
KEEPS: tuple[Keep, ...] = ((1, 2, False), (5, 8, True), (1, 3, True))
"""Shares of the filters that stay, and whether these are drawn; drawn ones are odd in number."""
Kept = Mapping[str, torch.Tensor]


class Drawn:
    """A copy of a network with weights drawn at random, and what hangs together in it: each is found once.

    Raises InputError for a network that cannot be traced, and one whose weights are computed from others.
    """

    def __init__(self, model: nn.Module, shape: ImageShape) -> None:
        if (odd := _computed_weight(model)) is not None:
            raise InputError(f"the weight of {odd!r} is computed from others (a parametrization): remove it first")
        self.dense, self.shape = _drawn(model), shape
        self.found = Dependencies(self.dense, shape)


def refusal(drawn: Drawn, names: Sequence[str], keeps: Sequence[Keep] = KEEPS) -> str | None:
    """Why these layers cannot be pruned together, in words; None where they can. `keeps` are tried, each once."""
    try:
        groups = drawn.found.groups(names)
        for number, (numerator, denominator, random) in enumerate(keeps if names else keeps[:1]):
            generator = torch.Generator().manual_seed(number)
            kept = {here.name: _some(drawn.dense, here, numerator, denominator, random, generator) for here in groups}
            if (why := _difference(drawn, groups, kept, generator)) is not None:
                return why
        if len(keeps) > 1:
            _train(drawn, groups, kept)
            return _miscounted(drawn, groups, kept)
    except InputError as problem:
        return str(problem).splitlines()[0].rstrip(".")
    except Exception as problem:  # shapes that do not fit any more, in whatever words torch has for it
        return (
            f"without some of its filters the network does not run ({type(problem).__name__}): on the way its channels "
            "are split, rearranged or counted"
        )
    return None


def _computed_weight(model: nn.Module) -> str | None:
    return next((name for name, module in model.named_modules() if parametrize.is_parametrized(module)), None)


def _drawn(model: nn.Module) -> nn.Module:
    """A copy with every parameter and batch norm statistic drawn, all of them far from 0."""
    copied, generator = copy.deepcopy(model), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in copied.parameters():
            drawn = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() > 1:
                drawn /= max(parameter[0].numel(), 1) ** 0.5
            else:
                drawn = 0.5 + torch.rand(parameter.shape, generator=generator)
            parameter.copy_(drawn)
        for module in copied.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_var is not None:
                assert module.running_mean is not None
                module.running_mean.copy_(0.3 * torch.randn(module.running_mean.shape, generator=generator))
                module.running_var.copy_(0.5 + torch.rand(module.running_var.shape, generator=generator))
    return copied


def _some(
    model: nn.Module, here: DependencyGroup, numerator: int, denominator: int, drawn: bool, generator: torch.Generator
) -> torch.Tensor:
    """Which filters stay: the first so many, or an odd number of any; of units, where they go in steps."""
    filters = filters_of(layer_of(model, here.name))
    units, step = (filters, 1) if here.steps is None else (here.steps.units, here.steps.step)
    count = max(1, units * numerator // denominator)
    if not drawn:
        return first(count * step, here.steps)
    return highest(torch.rand(filters, generator=generator), min(count | 1, units) * step, here.steps)


def _difference(drawn: Drawn, groups: Sequence[DependencyGroup], kept: Kept, generator: torch.Generator) -> str | None:
    """Between the network that is cut and the dense one that does not read those channels, in words."""
    model, shape, device = drawn.dense, drawn.shape, next(drawn.dense.parameters()).device
    images = [  # the way through a network may depend on the image
        (shift + scale * torch.randn(2, shape.channels, shape.height, shape.width, generator=generator)).to(device)
        for shift, scale in ((0.0, 1.0), (1.0, 3.0))
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
            if not float((now - expected).abs().max()) <= TOLERANCE * float(expected.abs().max()):
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


@contextmanager
def restored(model: nn.Module) -> Iterator[None]:
    """Afterwards every module has its attributes, parameters and buffers of before: cheaper than a copy of them all.

    What is done to a parameter's numbers stays done: a new parameter has to take its place.
    """
    held = ("_parameters", "_buffers", "_modules")
    before = [
        (module, {name: copy.copy(value) if name in held else value for name, value in vars(module).items()})
        for module in model.modules()
    ]
    for module, _ in before:
        for name, buffer in module._buffers.items():
            module._buffers[name] = None if buffer is None else buffer.clone()
    try:
        yield
    finally:
        for module, attributes in before:
            vars(module).clear()
            vars(module).update(attributes)


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
        kept = {here.name: _some(model, here, numerator, denominator, drawn, generator) for here in groups}
        predicted = cost.macs({name: len(indices) for name, indices in kept.items()})
        found = count(cut_groups(copy.deepcopy(model), groups, kept), shape).macs
        if predicted != found:
            raise InputError(
                f"network {track.network_id} cannot be pruned to a level: cut, it has {found:,} MACs, and by its dense "
                f"layers it should have {predicted:,}.\nSome layer does work that depends on others in a way that is "
                "not covered; try fewer prunable layers"
            )
