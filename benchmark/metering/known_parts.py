"""Parts of torch whose products are known: the watch is off while they run.

Nine in ten functions that a training step calls are those of its optimiser, a few for each parameter, and a batch norm
calls three. Asking the watch about each of them took a sixth of the whole step. Covered are the classes named here.
A subclass, a closure, a hook or a number of another class is watched as ever.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from torch import nn, optim
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.optimizer import Optimizer

# Not Muon, which multiplies matrices, nor LBFGS, which calls its closure
OPTIMISERS = (optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad)
NORMS = frozenset((nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d))
LAYERS = (nn.Conv2d, nn.Linear)
# As torch.overrides has them, without its layer of Python: a step calls them thirty times
_enabled, _pop, _push = (
    torch._C._is_torch_function_mode_enabled, torch._C._pop_torch_function_stack,
    torch._C._push_on_torch_function_stack,
)  # fmt: skip
NUMBERS = frozenset((float, int, bool, str, type(None), tuple, list, torch.Tensor))


class Noting(Protocol):
    """The watch, as this file needs it."""

    def note(self, out: torch.Tensor, macs: int) -> None:
        """Counts a product, and its gradients once they are made."""


@contextlib.contextmanager
def known_parts(watch: Noting) -> Iterator[None]:
    """Inside, these parts of torch tell the watch what they compute, and it does not look into them."""
    patched: list[tuple[Any, str, Any]] = []

    def put(holder: Any, name: str, function: Any) -> None:
        patched.append((holder, name, getattr(holder, name)))
        setattr(holder, name, function)

    try:
        for kind in OPTIMISERS:
            step: Any = kind.step
            # torch wraps a step into its hooks when the first instance is made: they stay outside, and watched
            inner = step.__wrapped__ if getattr(step, "hooked", False) else step
            hooked: Any = Optimizer.profile_hook_step(_without_products(inner, watch, _is_plain))
            hooked.hooked = True
            put(kind, "step", hooked)
        put(Optimizer, "zero_grad", _without_products(Optimizer.zero_grad, watch, _is_plain))
        put(_BatchNorm, "forward", _without_products(_BatchNorm.forward, watch, _is_norm))
        for layer in LAYERS:
            put(layer, "forward", _one_product(layer, watch))
        yield
    finally:
        for holder, name, before in reversed(patched):
            setattr(holder, name, before)


def _without_products(run: Callable[..., Any], watch: Noting, known: Callable[..., bool]) -> Callable[..., Any]:
    @functools.wraps(run)
    def unwatched(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _enabled() and known(self, *args, **kwargs):
            top = _pop()
            try:
                if top is watch:
                    return run(self, *args, **kwargs)
            finally:
                _push(top)
        return run(self, *args, **kwargs)

    return unwatched


def _one_product(layer: Any, watch: Noting) -> Callable[..., Any]:
    """A layer's forward pass: each element of its result sums over one filter."""
    run = layer.forward

    @functools.wraps(run)
    def noted(self: Any, given: Any) -> Any:
        weight = self._parameters.get("weight") if type(self) is layer else None
        if weight is not None and _enabled():
            top = _pop()
            try:
                if top is watch:
                    out = run(self, given)
                    watch.note(out, out.numel() * (weight.numel() // weight.size(0)))
                    return out
            finally:
                _push(top)
        return run(self, given)

    return noted


def _is_plain(optimiser: Optimizer, *args: Any, **kwargs: Any) -> bool:
    """Whether a call runs torch's code only: no closure, and no LR that brings code of its own."""
    if type(optimiser) not in OPTIMISERS or any(args) or kwargs.get("closure"):
        return False
    return all(NUMBERS.issuperset(map(type, group.values())) for group in optimiser.param_groups)


def _is_norm(layer: nn.Module, *_given: Any) -> bool:
    return type(layer) in NORMS
