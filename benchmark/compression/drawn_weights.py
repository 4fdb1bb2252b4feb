"""Weights drawn at random: what a network does with them, it does whatever it was trained for."""

from __future__ import annotations

import copy

import torch
from torch import nn


def drawn_weights(model: nn.Module) -> nn.Module:
    """A copy with every parameter and batch norm statistic drawn: scales near 1, shifts on both sides of 0."""
    copied, generator = copy.deepcopy(model), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in copied.named_parameters():
            drawn = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() > 1:
                drawn /= max(parameter[0].numel(), 1) ** 0.5
            elif name.endswith("bias"):
                drawn *= 0.5
            else:
                drawn = 0.5 + torch.rand(parameter.shape, generator=generator)
            parameter.copy_(drawn)
        for module in copied.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_var is not None:
                assert module.running_mean is not None
                module.running_mean.copy_(0.3 * torch.randn(module.running_mean.shape, generator=generator))
                module.running_var.copy_(0.5 + torch.rand(module.running_var.shape, generator=generator))
    return copied
