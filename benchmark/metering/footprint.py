"""The memory that a forward pass of the final model takes, and a step of training.

Times are not taken here: other trials run on the machine meanwhile. A quiet pass of its own takes them (`in_turns.py`).
"""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from prunemark.benchmark.networks.registry import ImageShape, as_example

LARGE_BATCH = {"cpu": 64, "cuda": 256}


def peak_memory(model: nn.Module, shape: ImageShape, batch_size: int) -> int:
    """The most bytes that weights, images and activations hold at once in a forward pass of one batch.

    On a GPU what torch's allocator says; on a CPU, which has no such account, the sum over all live tensors. Not
    covered there: what a kernel needs inside itself.
    """
    example = as_example(shape, next(model.parameters()).device)
    images = example.expand(batch_size, -1, -1, -1).contiguous()
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


def step_memory(model: nn.Module, images: torch.Tensor, labels: torch.Tensor, batch_size: int) -> int:
    """About how many bytes a training step with momentum takes at this batch size, from a step on fewer images (CPU).

    Weights, gradients and momentum are the same for any batch; activations grow with it.
    """
    weights = sum(tensor.untyped_storage().nbytes() for tensor in model.parameters())
    live = _LiveBytes()
    with live:
        torch.nn.functional.cross_entropy(model(images), labels).backward()
    return 3 * weights + (live.peak - weights) * batch_size // len(images)


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
