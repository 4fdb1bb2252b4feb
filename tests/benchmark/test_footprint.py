"""What running a model takes: times by a clock that is passed in, memory counted by hand."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from prunemark.benchmark.metering.footprint import LARGE_BATCH, in_turns, measure, peak_memory
from prunemark.benchmark.networks.registry import ImageShape, build_network

DIGITS = ImageShape(1, 8, 8, 10)


def test_latency_is_read_from_the_clock_after_a_warm_up() -> None:
    model, batches = nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), []
    model.register_forward_pre_hook(lambda _, inputs: batches.append(inputs[0].shape))
    model.train()
    durations = [9.0] * 10 + [float(n) for n in range(1, 60 + 1)]  # the warm-up is slow; 1 to 60 s, then
    times = itertools.chain.from_iterable((0.0, second) for second in durations[10:])
    warm = itertools.chain([0.0] * 10, times)
    (latency,) = in_turns([model], DIGITS, lambda: next(warm), batch_size=7)
    assert set(batches) == {torch.Size([7, 1, 8, 8])} and len(batches) == 70
    assert (latency.batch_size, latency.repeats) == (7, 60)
    assert latency.median_ms == 30_500.0
    assert (latency.low_ms, latency.high_ms) == (15_250.0, 45_750.0)  # quartiles at 15.25 and 45.75 of 1 to 60
    assert not model.training


def test_slow_passes_are_repeated_until_they_took_enough_and_at_least_seven_times() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    for seconds, expected in ((30.0, 7), (0.05, 20), (1e-6, 60)):
        turns = itertools.count()
        (latency,) = in_turns(
            [model], DIGITS, lambda turns=turns, step=seconds: step * next(turns), enough_seconds=0.999
        )
        assert latency.repeats == expected, seconds
        assert abs(latency.median_ms - 1000 * seconds) < 1e-6


def test_models_take_turns_so_what_else_the_machine_does_meets_them_alike() -> None:
    """A clock that runs twice as fast in the second half: each model sees both halves, so their ratio stays 3."""
    order: list[str] = []
    now = [0.0]
    models = {name: nn.Sequential(nn.Flatten(), nn.Linear(64, 2)) for name in ("final", "dense")}
    for name, model in models.items():

        def takes(*_: object, name: str = name) -> None:
            order.append(name)
            now[0] += (1.0 if name == "final" else 3.0) * (2.0 if len(order) > 20 else 1.0)

        model.register_forward_pre_hook(takes)
    final, dense = in_turns(list(models.values()), DIGITS, lambda: now[0], repeats=20, warm_up=0)
    assert order == ["final", "dense"] * 20
    assert (final.repeats, dense.repeats) == (20, 20)
    assert (final.median_ms, dense.median_ms) == (1500.0, 4500.0)


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


@pytest.mark.parametrize("trained", [torch.contiguous_format, torch.channels_last], ids=str)
def test_both_networks_are_timed_in_the_layout_that_is_named_whatever_training_left(
    trained: torch.memory_format,
) -> None:
    """Convolutions follow their weights: a final model left channels-last would never be timed contiguous."""
    model = build_network("resnet8", DIGITS, 0).eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.to(memory_format=trained)  # type: ignore[call-overload]
    dense = build_network("resnet8", DIGITS, 0)
    ticks, layouts = itertools.count(), {"final": set(), "dense": set()}
    for name, network in (("final", model), ("dense", dense)):
        network.get_submodule("blocks.1.conv2").register_forward_pre_hook(
            lambda module, inputs, seen=layouts[name]: seen.add((len(inputs[0]), *_flat_or_last(module.weight)))
        )
    found = measure(model, dense, DIGITS, lambda: 0.001 * next(ticks))
    assert layouts["final"] == {(size, flat, not flat) for size in (1, LARGE_BATCH["cpu"]) for flat in (True, False)}
    assert layouts["dense"] == layouts["final"]
    assert (found.latency.batch_size, found.latency.layout) == (1, "contiguous")
    large = LARGE_BATCH["cpu"]
    assert [(p.batch_size, p.layout) for p in found.passes] == [
        (large, "contiguous"), (1, "channels_last"), (large, "channels_last"),
    ]  # fmt: skip
    assert [(p.batch_size, p.layout) for p in found.dense_passes] == [
        (p.batch_size, p.layout) for p in (found.latency, *found.passes)
    ]
    assert all(tensor.is_contiguous() for tensor in (*model.parameters(), *dense.parameters()))
    assert abs(found.passes[0].images_per_second - 1000 * large) < 1
    assert found.peak_memory_bytes == peak_memory(model, DIGITS, large)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def _flat_or_last(weight: torch.Tensor) -> tuple[bool, bool]:
    return weight.is_contiguous(), weight.is_contiguous(memory_format=torch.channels_last)


def test_the_images_of_a_pass_lie_in_the_layout_that_is_named() -> None:
    seen = []
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(1))
    model.register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0].is_contiguous(memory_format=torch.channels_last))
    )
    shape = ImageShape(3, 8, 8, 10)
    ticks = itertools.count()
    for layout in ("contiguous", "channels_last"):
        in_turns([model], shape, lambda: float(next(ticks)), batch_size=2, layout=layout, repeats=2, warm_up=0)
    assert seen == [False, False, True, True]
