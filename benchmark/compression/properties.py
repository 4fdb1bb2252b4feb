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
from torch.nn.utils import parametrize

from prunemark.benchmark.compression.dependency_graph import (
    dependencies,
    dependency_group,
    dependency_groups,
    filters_of,
    layer_of,
)
from prunemark.benchmark.compression.surgery import cost_model, cut
from prunemark.benchmark.networks.cost import count
from prunemark.benchmark.networks.registry import ImageShape
from prunemark.setups.errors import InputError
from prunemark.setups.track import Track

TOLERANCE = 1e-3
"""Of the largest logit: what single precision may change when sums are taken in another order."""
KEEPS = ((1, 2, False), (5, 8, True), (1, 3, True))
"""Shares of the filters that stay, and whether these are drawn; drawn ones are odd in number."""
PER_CHANNEL = (
    nn.Conv1d, nn.Conv2d, nn.Linear, nn.BatchNorm2d, nn.BatchNorm1d, nn.PReLU, nn.InstanceNorm1d, nn.InstanceNorm2d,
)  # fmt: skip
Kept = Mapping[str, torch.Tensor]


def refusal(model: nn.Module, names: Sequence[str], shape: ImageShape) -> str | None:
    """Why these layers cannot be pruned together, in words; None where they can."""
    try:
        if (odd := _computed_weight(model)) is not None:
            return f"the weight of {odd!r} is computed from others (a parametrization): remove it before pruning"
        dense = _drawn(model)
        dependency_groups(copy.deepcopy(dense), names, shape)
        for number, (numerator, denominator, drawn) in enumerate(KEEPS if names else KEEPS[:1]):
            generator = torch.Generator().manual_seed(number)
            kept = {
                name: _some(filters_of(layer_of(dense, name)), numerator, denominator, drawn, generator)
                for name in names
            }
            if (why := _difference(dense, kept, shape, generator)) is not None:
                return why
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


def _some(filters: int, numerator: int, denominator: int, drawn: bool, generator: torch.Generator) -> torch.Tensor:
    """Which filters stay: the first so many, or an odd number of any."""
    count = max(1, filters * numerator // denominator)
    if not drawn:
        return torch.arange(count)
    return torch.randperm(filters, generator=generator)[: min(count | 1, filters)].sort().values


def _difference(dense: nn.Module, kept: Kept, shape: ImageShape, generator: torch.Generator) -> str | None:
    """Between the network that is cut and the dense one that does not read those channels, in words."""
    small = cut(copy.deepcopy(dense), kept, shape).eval()
    silent = copy.deepcopy(dense).eval()
    _silence(silent, small, kept, shape)
    device = next(dense.parameters()).device
    for shift, scale in ((0.0, 1.0), (1.0, 3.0)):  # the way through a network may depend on the image
        images = shift + scale * torch.randn(2, shape.channels, shape.height, shape.width, generator=generator)
        with torch.no_grad():
            now, expected = _logits(small, images.to(device), shape), _logits(silent, images.to(device), shape)
        if float((now - expected).abs().max()) > TOLERANCE * float(expected.abs().max()):
            return "without some of its filters the network is another than the dense one that does not read them"
    _logits(small.train(), images.to(device), shape).sum().backward()
    return None


def _logits(model: nn.Module, images: torch.Tensor, shape: ImageShape) -> torch.Tensor:
    out = model(images)
    if not isinstance(out, torch.Tensor) or out.shape != (len(images), shape.classes):
        found = tuple(out.shape) if isinstance(out, torch.Tensor) else f"a {type(out).__name__}"
        raise InputError(f"the network's output is {found}, not logits (examples, {shape.classes})")
    return out


def _silence(dense: nn.Module, small: nn.Module, kept: Kept, shape: ImageShape) -> None:
    """Sets the readers' weights for the channels that go to zero: the cut network's function, without surgery.

    A norm over channels is given the channels that stay, in the form that the cut network has of it. Raises InputError
    for what has to keep a multiple of something.
    """
    graph = dependencies(dense, shape)
    over_channels: dict[str, frozenset[int]] = {}
    for name, indices in kept.items():
        gone = sorted(set(range(filters_of(layer_of(dense, name)))) - set(indices.tolist()))
        here = dependency_group(graph, dense, name, gone)
        for layer, channels in here.writers.items():
            module = dense.get_submodule(layer)
            _check_multiples(name, layer, module)
            if not isinstance(module, PER_CHANNEL):
                over_channels[layer] = over_channels.get(layer, frozenset()) | channels
        for layer, channels in here.readers.items():
            _check_multiples(name, layer, dense.get_submodule(layer))
            layer_of(dense, layer).weight.data[:, sorted(channels)] = 0
    for layer, channels in over_channels.items():
        dense.set_submodule(layer, _OverTheRest(dense.get_submodule(layer), small.get_submodule(layer), channels))


def _check_multiples(name: str, layer: str, module: nn.Module) -> None:
    if isinstance(module, nn.GroupNorm) and module.num_groups > 1:
        raise InputError(
            f"layer {name!r} cannot be pruned: its channels meet the group norm {layer!r}, which has to keep as many in"
            " each group"
        )
    if isinstance(module, nn.MultiheadAttention):
        raise InputError(
            f"layer {name!r} cannot be pruned: its channels meet the attention {layer!r}, whose width has to stay "
            "divisible by its heads"
        )


def check_costs(model: nn.Module, track: Track, shape: ImageShape) -> None:
    """Raises InputError where the cost model and a count of the cut network differ: levels would be missed."""
    cost = cost_model(model, track, shape)
    for number, (numerator, denominator, drawn) in enumerate(KEEPS):
        generator = torch.Generator().manual_seed(number)
        kept = {name: _some(size, numerator, denominator, drawn, generator) for name, size in cost.sizes.items()}
        predicted = cost.macs({name: len(indices) for name, indices in kept.items()})
        found = count(cut(copy.deepcopy(model), kept, shape), shape).macs
        if predicted != found:
            raise InputError(
                f"network {track.network_id} cannot be pruned to a level: cut, it has {found:,} MACs, and by its dense "
                f"layers it should have {predicted:,}.\nSome layer does work that depends on others in a way that is "
                "not covered; try fewer prunable layers"
            )


class _OverTheRest(nn.Module):
    """A norm over channels as it is in the cut network, in the place that it has in the dense one."""

    def __init__(self, whole: nn.Module, small: nn.Module, gone: frozenset[int]) -> None:
        super().__init__()
        shape = getattr(whole, "normalized_shape", None)
        self.channels = int(shape[0]) if shape else int(next(whole.parameters()).numel())
        self.last = type(whole) is nn.LayerNorm
        self.small = small
        self.stays = torch.tensor([index for index in range(self.channels) if index not in gone])

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """The given channels that stay, normalised, and zeros for the others."""
        places = [axis for axis, size in enumerate(given.shape) if axis and size == self.channels]
        axis = places[-1] if self.last else places[0]
        stays = self.stays.to(given.device)
        out = torch.zeros_like(given)
        return out.index_copy(axis, stays, self.small(given.index_select(axis, stays)))
