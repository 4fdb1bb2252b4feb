"""What it takes to run the final model here: the time of one image, of a large batch, in both layouts, and memory.

All of it is observed, on the machine that ran the trial; the counted costs are in `cost.py`. Seconds depend on the
machine and on what else it does, so the dense network is timed too, in turns with the final model: how much faster one
is than the other can be compared where seconds cannot.
"""

from __future__ import annotations

import statistics
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from prunemark.benchmark.networks.registry import ImageShape, as_example
from prunemark.records.observed import Latency, Layout

LARGE_BATCH = {"cpu": 64, "cuda": 256}
REPEATS, WARM_UP = 60, 10
_FORMATS: Mapping[Layout, torch.memory_format] = {
    "contiguous": torch.contiguous_format,
    "channels_last": torch.channels_last,
}
ENOUGH_SECONDS, FEWEST = 0.1, 7
"""Passes of both models are repeated for so long, but at least so often: on a CPU, ImageNet takes seconds each."""


@dataclass(frozen=True)
class Footprint:
    """Measured passes and memory of a model; the fields of a record's `observed`."""

    latency: Latency
    passes: tuple[Latency, ...]
    dense_passes: tuple[Latency, ...]
    peak_memory_bytes: int


def measure(model: nn.Module, dense: nn.Module, shape: ImageShape, clock: Callable[[], float]) -> Footprint:
    """Latency of one image and of a large batch, contiguous and channels-last, and the peak memory of the latter.

    `dense` is the unpruned network, on the same device: its passes are timed in turns with those of `model`. Both are
    contiguous afterwards, whatever they were.
    """
    models = (model, dense)
    large = LARGE_BATCH[next(model.parameters()).device.type]
    _lay_out(models, "contiguous")  # training leaves a model channels-last, and convolutions go by the weights
    one = in_turns(models, shape, clock, repeats=REPEATS)
    many = _briefly(models, shape, clock, large, "contiguous")
    peak = peak_memory(model, shape, large)
    _lay_out(models, "channels_last")
    try:
        last = [_briefly(models, shape, clock, size, "channels_last") for size in (1, large)]
    finally:
        _lay_out(models, "contiguous")
    passes, dense_passes = zip(one, many, *last, strict=True)
    return Footprint(passes[0], passes[1:], dense_passes, peak)


def _lay_out(models: Sequence[nn.Module], layout: Layout) -> None:
    for model in models:
        model.to(memory_format=_FORMATS[layout])


def _briefly(
    models: Sequence[nn.Module], shape: ImageShape, clock: Callable[[], float], batch_size: int, layout: Layout
) -> list[Latency]:
    return in_turns(
        models, shape, clock, batch_size=batch_size, layout=layout, warm_up=3, enough_seconds=ENOUGH_SECONDS
    )


def in_turns(
    models: Sequence[nn.Module],
    shape: ImageShape,
    clock: Callable[[], float],
    *,
    batch_size: int = 1,
    layout: Layout = "contiguous",
    repeats: int = REPEATS,
    warm_up: int = WARM_UP,
    enough_seconds: float = float("inf"),
) -> list[Latency]:
    """Times forward passes of one batch by each model in turn, after a warm-up; median and quartiles in milliseconds.

    Stops early once all passes have taken `enough_seconds` together, but not before there are `FEWEST` of each model.
    Other work on the machine shows in the quartiles, and meets all models alike. Not covered: data loading, compiled
    models.
    """
    images = _batch(models[0], shape, batch_size, layout)
    for model in models:
        model.eval()
    seconds: list[list[float]] = [[] for _ in models]
    with torch.no_grad():
        for turn in range(repeats + warm_up):
            for model, taken in zip(models, seconds, strict=True):
                begin = clock()
                model(images)
                if images.device.type == "cuda":
                    torch.cuda.synchronize(images.device)
                if turn >= warm_up:
                    taken.append(clock() - begin)
            if len(seconds[0]) >= FEWEST and sum(map(sum, seconds)) >= enough_seconds:
                break
    return [_summary(taken, batch_size, layout) for taken in seconds]


def _summary(seconds: Sequence[float], batch_size: int, layout: Layout) -> Latency:
    low, median, high = statistics.quantiles(seconds, n=4)
    return Latency(batch_size, len(seconds), 1000 * median, 1000 * low, 1000 * high, layout)


def peak_memory(model: nn.Module, shape: ImageShape, batch_size: int) -> int:
    """The most bytes that weights, images and activations hold at once in a forward pass of one batch.

    On a GPU what torch's allocator says; on a CPU, which has no such account, the sum over all live tensors. Not
    covered there: what a kernel needs inside itself.
    """
    images = _batch(model, shape, batch_size, "contiguous")
    model.eval()
    weights = sum(tensor.untyped_storage().nbytes() for tensor in (*model.parameters(), *model.buffers()))
    with torch.no_grad():
        if images.device.type == "cuda":
            before = int(torch.cuda.memory_allocated(images.device)) - images.untyped_storage().nbytes()
            torch.cuda.reset_peak_memory_stats(images.device)
            model(images)
            torch.cuda.synchronize(images.device)
            peak = torch.cuda.max_memory_allocated(images.device)
            return weights + int(peak) - before
        live = _LiveBytes()
        with live:
            model(images)
    return weights + images.untyped_storage().nbytes() + live.peak


def _batch(model: nn.Module, shape: ImageShape, batch_size: int, layout: Layout) -> torch.Tensor:
    example = as_example(shape, next(model.parameters()).device).expand(batch_size, -1, -1, -1)
    return example.contiguous(memory_format=_FORMATS[layout])


class _LiveBytes(TorchDispatchMode):
    """Sums the memory of all tensors that were made inside and are still held by somebody."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = 0
        self._known: dict[int, weakref.ref[torch.UntypedStorage]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {t.untyped_storage().data_ptr() for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)}
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().data_ptr() not in given:
                self._count(tensor.untyped_storage())
        return out

    def _count(self, storage: torch.UntypedStorage) -> None:
        where, size = storage.data_ptr(), storage.nbytes()
        if where in self._known:
            return

        def freed(_reference: object) -> None:
            self.live -= size
            del self._known[where]

        self._known[where] = weakref.ref(storage, freed)
        self.live += size
        self.peak = max(self.peak, self.live)
