"""What a network costs: MACs, parameters, measured latency. One counter for everything."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from prunemark.benchmark.data import as_example
from prunemark.benchmark.networks import ImageShape
from prunemark.benchmark.outcome import Latency


@dataclass(frozen=True)
class Cost:
    """MACs per example (convolutions and linear layers, one multiply-add each) and trainable parameters."""

    macs: int
    params: int
    macs_of_layer: dict[str, int]


def count(model: nn.Module, shape: ImageShape) -> Cost:
    """Counts by running one empty example through the model, in evaluation mode.

    Batch norm, bias, activations and pooling are not counted (the convention of the literature's
    'MACs'). Subclasses of Conv2d and Linear are; products outside such layers (attention) are not covered.
    """
    macs: dict[str, int] = {}

    def counting(name: str) -> Callable[[nn.Module, tuple[torch.Tensor, ...], torch.Tensor], None]:
        def hook(module: nn.Module, _inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            macs[name] = macs.get(name, 0) + _macs(module, output)

        return hook

    counted = [(name, m) for name, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    handles = [module.register_forward_hook(counting(name)) for name, module in counted]
    was_training = model.training
    try:
        model.eval()
        with torch.no_grad():
            model(as_example(shape, next(model.parameters()).device))
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return Cost(sum(macs.values()), sum(p.numel() for p in model.parameters()), macs)


def _macs(module: nn.Module, output: torch.Tensor) -> int:
    """Output elements times the inputs that each of them sums over."""
    if isinstance(module, nn.Conv2d):
        height, width = module.kernel_size
        return output[0].numel() * height * width * (module.in_channels // module.groups)
    assert isinstance(module, nn.Linear)
    return output[0].numel() * module.in_features


def measure_latency(
    model: nn.Module, shape: ImageShape, clock: Callable[[], float], *, batch_size: int = 1, repeats: int = 60
) -> Latency:
    """Times forward passes of one batch, after a warm-up; median and quartiles in milliseconds.

    Other work on the machine shows in the quartiles. Not covered: data loading, compiled models.
    """
    device = next(model.parameters()).device
    images = as_example(shape, device).expand(batch_size, -1, -1, -1).contiguous()
    model.eval()
    seconds = []
    with torch.no_grad():
        for turn in range(repeats + 10):
            begin = clock()
            model(images)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if turn >= 10:
                seconds.append(clock() - begin)
    low, median, high = statistics.quantiles(seconds, n=4)
    return Latency(batch_size, repeats, 1000 * median, 1000 * low, 1000 * high)
