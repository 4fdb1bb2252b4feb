"""Which entries of which parameter go with each filter of a layer: what `Group.coupled` hands out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from prunemark.benchmark.method import Part


def parts_of(group: Any, names: Mapping[nn.Module, str], filters: int) -> tuple[Part, ...]:
    """The parts of a dependency group that was made for all `filters` of a layer, the layer's own first.

    `names` is the path of each module. Parameters outside layers (a class token) are left out, and so is a layer
    whose channels do not belong to the filters evenly (one half of a gated split).
    """
    return tuple(part for item in group for part in _parts_of_layer(item, names, filters))


def _parts_of_layer(item: Any, names: Mapping[nn.Module, str], filters: int) -> Iterator[Part]:
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
            yield Part(f"{names[layer]}.{name}", 0, index)
        elif parameter.dim() > 1:  # a bias has no inputs
            yield Part(f"{names[layer]}.{name}", 1, index)
