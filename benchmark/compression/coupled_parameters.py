"""Which entries of which parameter go with each filter of a layer: for `Group.coupled`, and to hold filters at zero."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import nn

from prunemark.benchmark.compression.channels import Slice
from prunemark.benchmark.method import CoupledParameter, Group


def coupled_parameters_of(model: nn.Module, slices: Iterable[Slice], filters: int) -> tuple[CoupledParameter, ...]:
    """The coupled parameters of all `filters` of a layer, the layer's own first.

    Parameters outside layers (a class token) are left out, and so is a layer whose channels do not belong to the
    filters evenly (one half of a gated split), and what grouped convolutions read (not by one index).
    """
    return tuple(coupled for part in slices for coupled in _of_layer(model, part, filters))


def _of_layer(model: nn.Module, part: Slice, filters: int) -> Iterator[CoupledParameter]:
    if part.role not in ("writer", "reader"):
        return
    layer = model.get_submodule(part.path)
    if part.role == "reader" and getattr(layer, "groups", 1) > 1:
        return
    owned: list[list[int]] = [[] for _ in range(filters)]
    for channel, owner in zip(part.channels, part.owners, strict=True):
        owned[owner].append(channel)
    if len({len(channels) for channels in owned}) != 1:
        return
    index = torch.tensor(owned)  # (filters, channels of each)
    for name, parameter in layer.named_parameters(recurse=False):
        if part.role == "writer":
            yield CoupledParameter(f"{part.path}.{name}", 0, index)
        elif parameter.dim() > 1:  # a bias has no inputs
            yield CoupledParameter(f"{part.path}.{name}", 1, index)


def filter_masks(
    model: nn.Module, groups: Iterable[Group], kept: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Of each parameter that writes the channels of filters that go, where it stays: bool (entries, 1, ...).

    Those are the layer, its batch norm, and whatever else keeps the same channels: a depthwise convolution and its own
    batch norm, batch norms behind a concatenation, the other branches of a residual sum. What reads the channels then
    reads zeros and needs no mask, where the activation of zero is zero. Of a block that goes it is every parameter:
    the block then adds nothing.

    Not covered: batch norms without scale and shift, whose running mean still moves a removed filter in evaluation,
    and layer norms, whose mean is over the removed channels too.
    """
    masks: dict[str, torch.Tensor] = {}
    parameters = dict(model.named_parameters())
    for group in groups:
        if (block := group.block) is not None and block.number not in kept.get(block.stage, [block.number]):
            inside = model.get_submodule(block.path).named_parameters(prefix=block.path)
            masks |= {name: torch.zeros(parameter.shape, dtype=torch.bool) for name, parameter in inside}
        if group.name not in kept:
            continue
        gone = torch.ones(group.size, dtype=torch.bool)
        gone[kept[group.name].cpu()] = False
        for coupled in group.coupled_parameters:
            parameter = parameters.get(coupled.parameter)
            if coupled.dim == 0 and parameter is not None:  # a method that parametrises a layer holds it itself
                shape = (len(parameter), *[1] * (parameter.dim() - 1))
                mask = masks.setdefault(coupled.parameter, torch.ones(shape, dtype=torch.bool))
                mask[coupled.index[gone].flatten()] = False
    return masks
