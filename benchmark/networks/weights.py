"""Weights as data: their content hash, and whether a network is one whose weights say all about it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import nn

HOOKS = (
    "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks",
    "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
)  # fmt: skip


def weights_sha256(state: Mapping[str, torch.Tensor]) -> str:
    """The content hash of a model: names, shapes, types and bytes of every tensor."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def is_plain(model: nn.Module) -> bool:
    """Whether another network of the same kind with the same weights trains as this one does.

    It does not where something hangs on it that its weights do not show: a hook, a frozen parameter, another forward.
    """
    changed = any(
        any(module.__dict__.get(hooks) for hooks in HOOKS) or "forward" in module.__dict__ for module in model.modules()
    )
    return not changed and all(
        parameter.requires_grad and not parameter._backward_hooks and not _after_gradient(parameter)
        for parameter in model.parameters()
    )


def _after_gradient(parameter: torch.Tensor) -> bool:
    return bool(getattr(parameter, "_post_accumulate_grad_hooks", None))
