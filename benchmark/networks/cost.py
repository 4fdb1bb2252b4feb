"""What a network costs: MACs and parameters. One counter for everything."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from prunemark.benchmark.networks.registry import ImageShape, as_example


@dataclass(frozen=True)
class Cost:
    """MACs per example (convolutions, linear layers and attention, one multiply-add each) and parameters.

    `macs_of_layer` has the convolutions and linear layers by name; `outside` is what no layer does: the products of
    queries, keys and values, and those of layers that are written as functions.
    """

    macs: int
    params: int
    macs_of_layer: dict[str, int]
    outside: int = 0


def count(model: nn.Module, shape: ImageShape) -> Cost:
    """Counts by running one empty example through the model, in evaluation mode.

    Batch norm, bias, activations and pooling are not counted (the convention of the literature's 'MACs').
    Subclasses of Conv1d, Conv2d and Linear are, and the products of attention.
    """
    return count_within(model, shape, ())[0]


def count_within(model: nn.Module, shape: ImageShape, inside: Iterable[str]) -> tuple[Cost, Mapping[str, int]]:
    """The same, and all MACs of each of these modules, by their paths."""
    macs: dict[str, int] = {}
    within = dict.fromkeys(inside, 0)
    all_products = Products()

    def adding(name: str, sign: int) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            within[name] += sign * all_products.macs

        return hook

    def counting(name: str) -> Callable[[nn.Module, tuple[torch.Tensor, ...], torch.Tensor], None]:
        def hook(module: nn.Module, _inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            macs[name] = macs.get(name, 0) + _macs(module, output)

        return hook

    counted = [(name, m) for name, m in model.named_modules() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Linear)]
    handles = [module.register_forward_hook(counting(name)) for name, module in counted]
    for name in within:
        module = model.get_submodule(name)
        handles += [module.register_forward_pre_hook(adding(name, -1)), module.register_forward_hook(adding(name, 1))]
    was_training, fused = model.training, torch.backends.mha.get_fastpath_enabled()
    try:
        model.eval()
        torch.backends.mha.set_fastpath_enabled(False)  # one call for all of attention, its products unseen
        with torch.no_grad(), _OneImage(), all_products:
            model(as_example(shape, next(model.parameters()).device))
    finally:
        model.train(was_training)
        torch.backends.mha.set_fastpath_enabled(fused)
        for handle in handles:
            handle.remove()
    outside = all_products.macs - sum(macs.values())
    return Cost(all_products.macs, sum(p.numel() for p in model.parameters()), macs, outside), within


class _OneImage(TorchFunctionMode):
    """Group norms as they are carried out: of one image a group can be left with one value, which torch refuses."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return (torch.group_norm if func is F.group_norm else func)(*args, **(kwargs or {}))


def _macs(module: nn.Module, output: torch.Tensor) -> int:
    """Output elements times the inputs that each of them sums over. One image runs: patches in the batch are its."""
    if isinstance(module, nn.Conv1d | nn.Conv2d):
        return output.numel() * math.prod(module.kernel_size) * (module.in_channels // module.groups)
    assert isinstance(module, nn.Linear)
    return output.numel() * module.in_features


class Products(TorchDispatchMode):
    """Counts the MACs of every product that torch carries out, whichever layer or function asks for it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.macs = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        counted = _MACS_OF.get(func.overloadpacket)
        if counted is not None:
            self.macs += counted(out[0] if isinstance(out, tuple) else out, args)
        return out


def _convolution(out: torch.Tensor, args: Any) -> int:
    return out.numel() * int(args[1][0].numel())


def _product(out: torch.Tensor, args: Any) -> int:
    return out.numel() * int(args[0].shape[-1])


def _added_product(out: torch.Tensor, args: Any) -> int:
    return out.numel() * int(args[1].shape[-1])


def _attention(out: torch.Tensor, args: Any) -> int:
    """Queries by keys, and the result by values: (..., queries, size), (..., keys, size), (..., keys, out size)."""
    query, key, value = args[:3]
    return int(query[..., 0].numel() * key.shape[-2] * (query.shape[-1] + value.shape[-1]))


_ATEN = torch.ops.aten
_MACS_OF: dict[Any, Callable[[torch.Tensor, Any], int]] = {
    _ATEN.convolution: _convolution,
    **dict.fromkeys((_ATEN.mm, _ATEN.bmm), _product),
    **dict.fromkeys((_ATEN.addmm, _ATEN.baddbmm), _added_product),
    **dict.fromkeys(
        (
            _ATEN._scaled_dot_product_flash_attention_for_cpu, _ATEN._scaled_dot_product_flash_attention,
            _ATEN._scaled_dot_product_efficient_attention, _ATEN._scaled_dot_product_cudnn_attention,
        ),
        _attention,
    ),
}  # fmt: skip
