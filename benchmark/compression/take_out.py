"""Taking channels out of modules, all of them at once: the indices are those of the dense network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from prunemark.benchmark.compression.blocks import TakenOut
from prunemark.benchmark.compression.channels import Slice


def take_out(model: nn.Module, going: Iterable[tuple[Slice, list[int]]]) -> None:
    """Removes these channels, in place. A grouped convolution loses as many inputs in each group, whichever they are.

    torch-pruning's own functions do it, but for grouped convolutions (there each group loses the inputs that the first
    one loses) and layer norms (there few channels of many can come out in another order).
    """
    together: dict[tuple[str, Any], tuple[Slice, set[int]]] = {}
    for part, channels in going:
        together.setdefault((part.path, part.take), (part, set()))[1].update(channels)
    for part, gone in sorted(
        together.values(), key=lambda each: each[0].role != "reader"
    ):  # inputs while groups are whole
        if gone:
            _take(model, part, sorted(gone))


def norm_of(model: nn.Module, parameter: str) -> str | None:
    """The path of the norm over channels that a parameter outside torch's layers belongs to; None where it is none.

    That is a module without parts whose class says so, and whose parameters have one number a channel: RMS norms, layer
    norms by a lab's own code, global response norm (ConvNeXt V2).
    """
    owner = parameter.rpartition(".")[0]
    module = model.get_submodule(owner)
    sizes = {(each.numel(), max(each.shape)) for each in module.parameters()}
    said = any(word in type(module).__name__.lower() for word in ("norm", "grn"))
    one_a_channel = len(sizes) == 1 and all(numel == most for numel, most in sizes)
    return owner if said and one_a_channel and not any(module.children()) else None


def _take(model: nn.Module, part: Slice, gone: list[int]) -> None:
    if part.role == "parameter":
        owner, _, name = part.path.rpartition(".")
        module = model.get_submodule(owner)
        part.take.__self__.pruning_dim = part.axis
        setattr(module, name, part.take(getattr(module, name), gone))
        if norm_of(model, part.path) is not None and hasattr(module, "normalized_shape"):
            setattr(module, "normalized_shape", (getattr(module, name).numel(),))  # noqa: B010
        return
    if part.role == "block":
        model.set_submodule(part.path, TakenOut())
        return
    module = model.get_submodule(part.path)
    if part.role == "reader" and isinstance(module, nn.Conv1d | nn.Conv2d) and module.groups > 1:
        _take_inputs(module, gone)
    elif isinstance(module, nn.LayerNorm) and len(module.normalized_shape) == 1:
        _take_normalised(module, gone)
    else:
        part.take(module, gone)


def _take_inputs(conv: nn.Conv1d | nn.Conv2d, gone: list[int]) -> None:
    """Weight (filters, inputs of a group, ...): the filters of each group read its own inputs."""
    size = conv.in_channels // conv.groups
    weights = conv.weight.detach().unflatten(0, (conv.groups, -1))  # (groups, filters of each, inputs, ...)
    stays = [[i for i in range(size) if group * size + i not in set(gone)] for group in range(conv.groups)]
    conv.weight = nn.Parameter(torch.cat([weights[group][:, inputs] for group, inputs in enumerate(stays)]))
    conv.in_channels -= len(gone)


def _take_normalised(norm: nn.LayerNorm, gone: list[int]) -> None:
    stays = torch.tensor([index for index in range(norm.normalized_shape[0]) if index not in set(gone)])
    norm.normalized_shape = (len(stays),)
    for name, parameter in list(norm.named_parameters(recurse=False)):
        setattr(norm, name, nn.Parameter(parameter.detach()[stays.to(parameter.device)]))
