"""Attention heads as whole sets of filters: the rows of `qkv` that make a head, and the columns of `proj` that read it.

An attention of timm's kind has a linear layer `qkv` for queries, keys and values, a linear layer `proj`, and the number
of its heads as `num_heads` (and their width together as `attn_dim`, where its forward pass reads it). Not covered:
torch's `nn.MultiheadAttention`, whose width is its heads, and attentions with weights by heads of their own (Swin's
table of positions): those are refused when the network that is left does not run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from prunemark.benchmark.compression.channels import Slice
from prunemark.benchmark.compression.steps import Steps, sets


def attention_of(model: nn.Module, name: str) -> tuple[str, Any] | None:
    """The attention whose `qkv` a layer is, with its path; None where it is no such layer."""
    path, _, last = name.rpartition(".")
    module: Any = model.get_submodule(path)
    if last != "qkv" or not all(isinstance(getattr(module, part, None), nn.Linear) for part in ("qkv", "proj")):
        return None
    heads = getattr(module, "num_heads", None)
    if not isinstance(heads, int) or heads < 2 or module.qkv.out_features != 3 * module.proj.in_features:
        return None
    return None if module.proj.in_features % heads else (path, module)


def follow_heads(path: str, attention: Any) -> tuple[tuple[Slice, ...], Steps]:
    """What goes with the rows of `qkv`, and the sets of them that make a head: its queries, keys and values."""
    import torch_pruning

    width, heads = attention.proj.in_features, attention.num_heads
    size, rows = width // heads, tuple(range(3 * width))
    prefix = f"{path}." if path else ""
    slices = (
        Slice(f"{prefix}qkv", "writer", torch_pruning.prune_linear_out_channels, -1, rows, rows),
        Slice(f"{prefix}proj", "reader", torch_pruning.prune_linear_in_channels, -1, rows[:width], rows[2 * width :]),
        Slice(path, "heads", fewer_heads, -1, rows[:heads], rows[:width:size]),
    )
    of_heads = [[part * width + head * size + i for part in range(3) for i in range(size)] for head in range(heads)]
    return slices, sets(of_heads)


def fewer_heads(attention: Any, gone: Sequence[int]) -> None:
    """Tells an attention how many heads are left."""
    left = attention.num_heads - len(gone)
    if hasattr(attention, "attn_dim"):
        attention.attn_dim = attention.attn_dim // attention.num_heads * left
    attention.num_heads = left
