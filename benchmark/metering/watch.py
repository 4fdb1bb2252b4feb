"""Watching submitted code: every optimiser that steps, every product that torch makes, every gradient of it.

It works inside the child's own process, so it catches what goes through torch, not a hostile program: such
a one is for the isolation of the child and for the reader of its source, which is on the record. Products
written out by hand as sums of element-wise ones are not seen.
"""

from __future__ import annotations

import _thread
import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.nn import functional as F
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook
from torch.overrides import TorchFunctionMode

from prunemark.benchmark.metering.known_parts import known_parts
from prunemark.benchmark.metering.meter import BACKWARD_PER_FORWARD, Meter
from prunemark.benchmark.networks.cost import Products


class _Pauses(threading.local):
    """How often `paused` is entered, in this thread: another one may compute meanwhile."""

    count = 0


class Watch(TorchFunctionMode):
    """Counts the MACs of convolutions and matrix products, and of their gradients, into a meter.

    While `paused` is entered nothing of that thread is counted: the harness's own loop counts for itself.
    """

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter
        self._own = _Pauses()
        self.paused_runs = self.paused_steps = 0

    @property
    def _pauses(self) -> int:
        return self._own.count

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs the function and counts it."""
        if func not in _WATCHED:  # nearly all of them: these lines are what the watch costs
            return func(*args, **kwargs) if kwargs else func(*args)
        if func in _COMPOSED and not self._pauses:
            return self._measured(func, args, kwargs or {})
        out = func(*args, **kwargs) if kwargs else func(*args)
        count = None if self._pauses else _COUNTED.get(func)
        if count is not None and isinstance(out, torch.Tensor):
            with torch._C.DisableTorchFunction():
                self.note(out, int(count(out, args, kwargs or {})))
        return out

    def _measured(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Runs a function that makes several products inside, and counts those as torch carries them out."""
        with Products() as products:
            out = func(*args, **kwargs)
        result = out[0] if isinstance(out, tuple) else out
        with torch._C.DisableTorchFunction():
            self.note(result, products.macs)
        return out

    def note(self, out: torch.Tensor, macs: int) -> None:
        """A product was made; it has gradients once they are asked for."""
        self._meter.executed(macs, 0)
        if (node := out.grad_fn) is None:
            return
        executed, gradients = self._meter.executed, BACKWARD_PER_FORWARD * macs
        if out._backward_hooks is None:
            # what register_hook does, without what it takes to remove the hook again: half its time
            out._backward_hooks = OrderedDict({"watch": lambda _: executed(0, gradients)})  # pyright: ignore[reportAttributeAccessIssue]
            node._register_hook_dict(out)
        else:
            out.register_hook(lambda _: executed(0, gradients))

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Counts nothing inside, at no cost: torch does not even ask."""
        self._own.count += 1
        try:
            with torch._C.DisableTorchFunction():
                yield
        finally:
            self._own.count -= 1

    @contextlib.contextmanager
    def resumed(self) -> Iterator[None]:
        """Counts again inside: for what the submission adds to the harness's loop."""
        before, self._own.count = self._own.count, 0
        try:
            with torch._C._EnableTorchFunction():
                yield
        finally:
            self._own.count = before

    def on_step(self, optimiser: Optimizer, *_: object) -> None:
        """Any optimiser of torch's kind has stepped."""
        if self._pauses:
            self.paused_steps += 1
        else:
            self._meter.foreign_step(float(optimiser.param_groups[0]["lr"]))

    def around(self, run: Callable[..., Any], batch: int) -> Callable[..., Any]:
        """The engine of autograd, with its runs counted."""

        def counted(*args: Any, **kwargs: Any) -> Any:
            before = self._meter.backward_macs
            out = run(*args, **kwargs)
            if self._pauses:
                self.paused_runs += 1
            else:
                self._meter.backward_run(self._meter.backward_macs > before, batch)
            return out

        return counted

    def in_threads(self, start: Callable[..., Any]) -> Callable[..., Any]:
        """What starts a thread: one that is watched as well, for torch asks the watch of its own thread alone."""

        def started(function: Callable[..., Any], *rest: Any, **how: Any) -> Any:
            def watched(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return function(*args, **kwargs)

            return start(watched, *rest, **how)

        return started


@contextlib.contextmanager
def _every_thread(watch: Watch) -> Iterator[None]:
    """Threads that are started inside are watched. Python 3.13 has another way to start one."""
    starters = [(_thread, "start_new_thread"), (_thread, "start_new"), (_thread, "start_joinable_thread"),
                (threading, "_start_new_thread"), (threading, "_start_joinable_thread")]  # fmt: skip
    before = [(module, name, getattr(module, name)) for module, name in starters if hasattr(module, name)]
    for module, name, start in before:
        setattr(module, name, watch.in_threads(start))
    try:
        yield
    finally:
        for module, name, start in before:
            setattr(module, name, start)


@contextlib.contextmanager
def watching(meter: Meter, batch_size: int) -> Iterator[Watch]:
    """Everything inside is counted, but for what is paused."""
    watch = Watch(meter)
    handle = register_optimizer_step_post_hook(watch.on_step)
    engines: list[Any] = [torch.autograd, torch.autograd.graph]
    run = torch.autograd.graph._engine_run_backward
    try:
        for engine in engines:
            engine._engine_run_backward = watch.around(run, batch_size)
        with known_parts(watch), watch, _every_thread(watch):
            yield watch
    finally:
        for engine in engines:
            engine._engine_run_backward = run
        handle.remove()


def has_any_global_hook() -> bool:
    """Whether something was registered that runs in every module there is, those of the harness too."""
    names = (
        "_global_forward_hooks",
        "_global_forward_pre_hooks",
        "_global_backward_hooks",
        "_global_backward_pre_hooks",
    )
    return any(getattr(torch.nn.modules.module, name, None) for name in names)


def _convolution(out: torch.Tensor, args: Any, kwargs: Any) -> int:
    weight = args[1] if len(args) > 1 else kwargs["weight"]
    return int(out.numel() * (weight.numel() // weight.shape[0]))


def _transposed(out: torch.Tensor, args: Any, kwargs: Any) -> int:
    given = args[0] if args else kwargs["input"]
    weight = args[1] if len(args) > 1 else kwargs["weight"]
    return int(given.numel() * weight[0].numel())


def _product(out: torch.Tensor, args: Any, kwargs: Any) -> int:
    """The second factor's rows (a vector's length) are what each element of the result sums over."""
    left = args[0] if args else kwargs["input"]
    return out.numel() * int(left.shape[-1])


def _added_product(out: torch.Tensor, args: Any, kwargs: Any) -> int:
    left = args[1] if len(args) > 1 else kwargs["mat1"]
    return out.numel() * int(left.shape[-1])


def _added_batches(out: torch.Tensor, args: Any, kwargs: Any) -> int:
    left = args[1] if len(args) > 1 else kwargs["batch1"]
    return out.numel() * int(left.shape[0] * left.shape[-1])


def _bilinear(out: torch.Tensor, args: Any, kwargs: Any) -> int:
    weight = args[2] if len(args) > 2 else kwargs["weight"]
    return int(out.numel() * (weight.numel() // weight.shape[0]))


def _einsum(out: torch.Tensor, args: Any, kwargs: Any) -> int:
    """By the sizes of all letters: what one nested loop over them would take."""
    text, *operands = args
    if not isinstance(text, str):
        return out.numel()
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = list(operands[0])
    sizes: dict[str, int] = {}
    for letters, operand in zip(text.split("->")[0].split(","), operands, strict=False):
        if "." not in letters:
            sizes |= dict(zip(letters.strip(), operand.shape, strict=False))
    total = 1
    for size in sizes.values():
        total *= int(size)
    return max(total, out.numel())


_COUNTED: dict[Any, Callable[[torch.Tensor, Any, Any], int]] = {
    **dict.fromkeys((F.conv1d, F.conv2d, F.conv3d, torch.conv1d, torch.conv2d, torch.conv3d), _convolution),
    **dict.fromkeys((F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d), _transposed),
    **dict.fromkeys(
        (
            F.linear, torch.matmul, torch.mm, torch.bmm, torch.mv, torch.Tensor.matmul, torch.Tensor.__matmul__,
            torch.Tensor.__rmatmul__, torch.Tensor.mm, torch.Tensor.bmm, torch.Tensor.mv, torch.inner,
            torch.Tensor.inner, torch.dot, torch.Tensor.dot, torch.vdot, torch.Tensor.vdot,
        ),
        _product,
    ),
    **dict.fromkeys(
        (
            torch.addmm, torch.baddbmm, torch.addmv, torch.Tensor.addmm, torch.Tensor.baddbmm, torch.Tensor.addmv,
        ),
        _added_product,
    ),
    **dict.fromkeys((torch.addbmm, torch.Tensor.addbmm), _added_batches),
    **dict.fromkeys((F.bilinear, torch.bilinear), _bilinear),
    torch.einsum: _einsum,
}  # fmt: skip
_COMPOSED = frozenset((
    F.scaled_dot_product_attention, F.multi_head_attention_forward, torch.tensordot, torch.linalg.multi_dot,
    torch.chain_matmul,
))  # fmt: skip
_WATCHED = _COMPOSED | _COUNTED.keys()
