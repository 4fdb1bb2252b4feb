"""The memory that running a model takes, counted by hand."""

from __future__ import annotations

from torch import nn

from prunemark.benchmark.metering.footprint import peak_memory
from prunemark.benchmark.networks.registry import ImageShape, build_network

DIGITS = ImageShape(1, 8, 8, 10)


def test_peak_memory_by_hand() -> None:
    """4 bytes a number. Two activations at a time: the input of a layer, which the layer before made, and its output.

    Layer 1 makes 8 x 8 x 8, layer 2 16 x 8 x 8, layer 3 makes 1 x 8 x 8 of it: the peak is at layer 2.
    """
    convolution = lambda inputs, outputs: nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)  # noqa: E731
    model = nn.Sequential(convolution(1, 8), convolution(8, 16), convolution(16, 1))
    weights = 9 * (1 * 8 + 8 * 16 + 16 * 1)
    image, first, second = 64, 8 * 64, 16 * 64
    for batch in (1, 5):
        assert peak_memory(model, DIGITS, batch) == 4 * (weights + batch * (image + first + second))


def test_memory_that_is_written_in_place_or_looked_at_differently_counts_once() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 1, bias=False), nn.ReLU(inplace=True), nn.Flatten(), nn.Unflatten(1, (4, 64)))
    assert peak_memory(model, DIGITS, 2) == 4 * (4 + 2 * 64 + 2 * 4 * 64)
    assert peak_memory(nn.Sequential(nn.Flatten(), nn.Linear(64, 10, bias=False)), DIGITS, 2) == 4 * (640 + 128 + 20)


def test_a_pruned_network_takes_less_memory() -> None:
    thin, wide = (peak_memory(build_network(name, DIGITS, 0), DIGITS, 16) for name in ("resnet8", "resnet20"))
    assert thin < wide
