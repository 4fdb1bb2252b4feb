"""Batch norm over the whole batch of several processes, on any device.

Torch's SyncBatchNorm needs a GPU, and replaces modules by its own. Here the function `batch_norm` itself is replaced
while processes train together: every layer that calls it is covered, whatever its class, and no network is changed.
The shares are put together by the formula of Chan, Golub and LeVeque (1983), so a batch's statistics do not depend on
how it was cut but for rounding. Running statistics take the unbiased variance of the whole batch, as in one process.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional as F

from prunemark.benchmark.networks.registry import ImageShape
from prunemark.setups.errors import InputError

TOLERANCE = 1e-4  # relative: rounding is a thousandth of it, and what depends on other images is of their size


@dataclass
class WholeBatch:
    """`counted`: whether the share of this process is part of the batch, or only stands in where there is none."""

    counted: bool = True

    @contextlib.contextmanager
    def statistics(self) -> Iterator[None]:
        """Inside, batch norm in training mode is over the batches of all processes."""
        before = F.batch_norm

        def batch_norm(
            given: torch.Tensor, running_mean: torch.Tensor | None, running_var: torch.Tensor | None,
            weight: torch.Tensor | None = None, bias: torch.Tensor | None = None, training: bool = False,
            momentum: float = 0.1, eps: float = 1e-5,
        ) -> torch.Tensor:  # fmt: skip
            if not training:
                return before(given, running_mean, running_var, weight, bias, training, momentum, eps)
            out: torch.Tensor = _WholeBatchNorm.apply(
                given, weight, bias, running_mean, running_var, momentum, eps, self.counted
            )
            return out

        with _in_its_place(batch_norm):
            yield


@contextlib.contextmanager
def _in_its_place(batch_norm: Any) -> Iterator[None]:
    before = F.batch_norm
    F.__dict__["batch_norm"] = batch_norm  # every layer looks it up there, torch's own and a library's
    try:
        yield
    finally:
        F.__dict__["batch_norm"] = before


class _WholeBatchNorm(torch.autograd.Function):
    """(batch, channels, ...) normalised by the mean and variance of each channel over the batches of all processes."""

    @staticmethod
    def forward(
        ctx: Any, given: torch.Tensor, weight: torch.Tensor | None, bias: torch.Tensor | None,
        running_mean: torch.Tensor | None, running_var: torch.Tensor | None, momentum: float, eps: float, counted: bool,
    ) -> torch.Tensor:  # fmt: skip
        channels = given.shape[1]
        dims = [0, *range(2, given.dim())]
        var, mean = torch.var_mean(given.detach().to(_exact(given.dtype)), dims, correction=0)
        values = float(given.numel() // channels if counted else 0)
        count = torch.full((1,), values, dtype=torch.float64, device=given.device)
        mine = torch.cat([count, mean.double(), var.double()])
        shares = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
        dist.all_gather(shares, mine)
        counts, means, variances = torch.stack(shares).split([1, channels, channels], dim=1)
        total = counts.sum()
        mean = (counts * means).sum(0) / total
        squares = (counts * (variances + (means - mean).square())).sum(0)
        if running_mean is not None and running_var is not None:
            running_mean.mul_(1 - momentum).add_(momentum * mean.to(running_mean.dtype))
            running_var.mul_(1 - momentum).add_((momentum * squares / (total - 1)).to(running_var.dtype))
        dtype = torch.float32 if weight is None else weight.dtype
        mean, var = mean.to(dtype), (squares / total).to(dtype)
        ctx.save_for_backward(given, weight, mean, var, total)
        ctx.eps, ctx.counted = eps, counted
        return _normalised(given, mean, var, weight, bias, eps)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        given, weight, mean, var, total = ctx.saved_tensors
        scale = torch.ones_like(mean) if weight is None else weight
        by_given, by_weight, by_bias = torch.ops.aten.native_batch_norm_backward(
            grads[0], given, scale, mean, var, None, None, False, ctx.eps, [True, True, True]
        )
        sums = torch.stack([by_bias, by_weight]).to(mean.dtype)
        dist.all_reduce(sums)
        if ctx.counted:
            rate = (var + ctx.eps).rsqrt()
            slope = -scale * rate.square() * sums[1] / total.to(mean.dtype)
            offset = -scale * rate * sums[0] / total.to(mean.dtype) - slope * mean
            shape = [1, -1, *[1] * (given.dim() - 2)]
            by_given = by_given + torch.addcmul(offset.reshape(shape), given, slope.reshape(shape)).to(by_given.dtype)
        else:  # what stands in has no part in the statistics, and its gradient is 0
            by_given = torch.zeros_like(given)
        affine = (None, None) if weight is None else (by_weight, by_bias)
        return by_given, *affine, None, None, None, None, None


def _normalised(
    given: torch.Tensor, mean: torch.Tensor, var: torch.Tensor, weight: torch.Tensor | None, bias: torch.Tensor | None,
    eps: float,
) -> torch.Tensor:  # fmt: skip
    """Normalised by statistics that are known."""
    return torch.batch_norm(given, weight, bias, mean, var, False, 0.0, eps, torch.backends.cudnn.enabled)


def _exact(dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


def check_examples_are_apart(model: nn.Module, shape: ImageShape) -> None:
    """Raises InputError for a network that looks at a whole batch by other means than `batch_norm`.

    Tried on two batches with one image in common, without batch norm: what comes out for that image has to be alike.
    Ghost batches, EvoNorm-B and the like would take the statistics of a share.
    """
    tried = copy.deepcopy(model).train()
    one = next(model.parameters())
    images = torch.randn(3, shape.channels, shape.height, shape.width, generator=torch.Generator().manual_seed(0))
    images = images.to(one.device, one.dtype)
    found: list[torch.Tensor] = []
    with torch.no_grad(), torch.random.fork_rng([one.device] if one.is_cuda else []), _in_its_place(_by_example):
        for other in (1, 2):
            torch.manual_seed(0)
            found.append(tried(images[[0, other]])[0])
    size = TOLERANCE * float(found[0].abs().max())
    if not torch.allclose(found[0], found[1], rtol=TOLERANCE, atol=size, equal_nan=True):
        raise InputError(
            "this network computes one image's output from the whole batch, by more than batch norm: several processes "
            "would each do so on their share.\nTrain it on one device: leave --devices-per-trial out"
        )


def _by_example(given: torch.Tensor, *_rest: Any, **_named: Any) -> torch.Tensor:
    """In place of batch norm: each example scaled by itself, so that deep networks stay finite."""
    size = given.flatten(1).square().mean(1).sqrt().clamp(min=1e-6)
    return given / size.reshape(-1, *[1] * (given.dim() - 1))
