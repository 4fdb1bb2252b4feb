"""Which entries of which parameter go with each filter of a layer: for `Group.coupled`, and to hold filters at zero."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from prunemark.benchmark.method import CoupledParameter, Group


def coupled_parameters_of(group: Any, names: Mapping[nn.Module, str], filters: int) -> tuple[CoupledParameter, ...]:
    """The coupled parameters of a dependency group that was made for all `filters` of a layer, the layer's own first.

    `names` is the path of each module. Parameters outside layers (a class token) are left out, and so is a layer
    whose channels do not belong to the filters evenly (one half of a gated split).
    """
    return tuple(coupled for item in group for coupled in _of_layer(item, names, filters))


def _of_layer(item: Any, names: Mapping[nn.Module, str], filters: int) -> Iterator[CoupledParameter]:
    import torch_pruning

    layer, function = item.dep.target.module, item.dep.handler
    if layer not in names:
        return
    incoming = function in (torch_pruning.prune_conv_in_channels, torch_pruning.prune_linear_in_channels)
    owned: list[list[int]] = [[] for _ in range(filters)]
    for channel, owner in zip(item.idxs, item.root_idxs, strict=True):
        owned[owner].append(channel)
    if len({len(channels) for channels in owned}) != 1:
        return
    index = torch.tensor(owned)  # (filters, channels of each)
    for name, parameter in layer.named_parameters(recurse=False):
        if not incoming:
            yield CoupledParameter(f"{names[layer]}.{name}", 0, index)
        elif parameter.dim() > 1:  # a bias has no inputs
            yield CoupledParameter(f"{names[layer]}.{name}", 1, index)


def filter_masks(
    model: nn.Module, groups: Iterable[Group], kept: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Of each parameter that writes the channels of filters that go, where it stays: bool (entries, 1, ...).

    Those are the layer, its batch norm, and whatever else keeps the same channels: a depthwise convolution and its own
    batch norm, batch norms behind a concatenation, the other branches of a residual sum. What reads the channels then
    reads zeros and needs no mask, where the activation of zero is zero.

    Not covered: batch norms without scale and shift, whose running mean still moves a removed filter in evaluation,
    and layer norms, whose mean is over the removed channels too.
    """
    masks: dict[str, torch.Tensor] = {}
    parameters = dict(model.named_parameters())
    for group in groups:
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
