"""ResNet-56 on CIFAR-10 at the paper's settings, in images a second: the harness, a bare loop, and the public record.

    .venv/bin/python perf/resnet56.py [--seconds 5] [--network resnet56]

On a GPU all terms of execution are measured. Without one, the same is done in small on one core of the CPU: few images,
and only the terms that it has. Images are random and of CIFAR's size, because only time is measured.

The public record for fast training on CIFAR-10 trains another network to 94 %, in half precision, with batches of 1,024
images. Its training FLOPs an image are nearly those of ResNet-56, so FLOP/s can be compared: with care, on another GPU.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch.nn import functional as F

from prunemark.benchmark.images.data import Images
from prunemark.benchmark.metering.meter import FLOPS_PER_MAC, PASSES_PER_STEP, Meter
from prunemark.benchmark.networks import cost
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.benchmark.training import arithmetic
from prunemark.benchmark.training.execution import held, hold_again
from prunemark.benchmark.training.loop import Hooks, placed, train
from prunemark.setups.execution import execution_of
from prunemark.setups.schedule import from_vector
from prunemark.setups.track_files import find_track

TRACK = find_track("cifar10-resnet56")
SHAPE = ImageShape(3, 32, 32, 10)
TERMS = ((), ("float32",), ("tf32",), ("bf16",), ("bf16", "compile"), ("bf16", "reduce-overhead"))
OF_A_CPU = ((), ("bf16",))
EPOCHS, IMAGES = 3, {"cuda": 6400, "cpu": 256}
PAIRS = {"cuda": 5, "cpu": 3}
RECORD_STEPS, RECORD_BATCH, RECORD_SECONDS, RECORD_PFLOPS = 476, 1024, 3.83, 0.36
RECORD = (
    "airbench94.py, 94.01 % in 3.83 s of an A100-SXM4-80GB, 0.36 PFLOPs, 9.9 epochs in 476 steps of 1,024 images "
    "(K. Jordan, arXiv:2404.00498 and github.com/KellerJordan/cifar10-airbench)"
)


@dataclass(frozen=True)
class Row:
    """What was measured and with what it is compared, both in `unit`."""

    what: str
    value: float
    against: str
    other: float
    unit: str

    @property
    def ratio(self) -> float:
        """How many times the other it is."""
        return self.value / self.other

    def __str__(self) -> str:
        return f"{self.what}: {self.value:,.0f} {self.unit}; {self.against}: {self.other:,.0f}; {self.ratio:.2f}x"


def rows(network: str = "resnet56", seconds: float = 5.0) -> list[Row]:
    """Of this machine's GPU, or of a core of its CPU: the harness against a bare loop, each on other terms, the record.

    A ratio is the median of pairs that were run in turns, `seconds` in all for each row.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind = device.type
    data = _images(device)
    found: list[Row] = []
    fresh = held()
    for words in TERMS if kind == "cuda" else OF_A_CPU:
        hold_again(fresh)
        arithmetic.use(None, kind, execution_of(words))
        ours, theirs = in_turns(
            partial(harness, network, data, words), partial(bare_loop, network, data, words), PAIRS[kind], seconds
        )
        name = f"{network}, {'+'.join(words) or 'as by default'}"
        found.append(Row(name, ours, "bare loop on the same terms", theirs, "images/s"))
        if words:
            found.append(Row(name, ours, "as by default", found[0].value, "images/s"))
    hold_again(fresh)
    best = max(row.value for row in found)
    flops = FLOPS_PER_MAC * PASSES_PER_STEP * cost.count(build_network(network, SHAPE, 0), SHAPE).macs
    their_images = RECORD_STEPS * RECORD_BATCH / RECORD_SECONDS
    found.append(Row(f"{network}, the fastest", best, "public record on an A100", their_images, "images/s"))
    their_flops = RECORD_PFLOPS * 1e6 / RECORD_SECONDS
    found.append(Row(f"{network}, the fastest", best * flops / 1e9, "public record on an A100", their_flops, "GFLOP/s"))
    return found


def in_turns(a: Callable[[], float], b: Callable[[], float], pairs: int, seconds: float) -> tuple[float, float]:
    """Images a second of both, each of which returns its own."""
    rates: list[tuple[float, float]] = []
    until = time.perf_counter() + seconds
    while len(rates) < pairs or time.perf_counter() < until:
        rates.append((a(), b()))
    ratio = statistics.median(one / other for one, other in rates)
    mine = statistics.median(one for one, _ in rates)
    return mine, mine / ratio


def _images(device: torch.device) -> Images:
    pixels = torch.randint(0, 256, (IMAGES[device.type], 3, 32, 32), dtype=torch.uint8)
    return Images(pixels, torch.arange(len(pixels)) % 10, 10, 0.0, (0.5,) * 3, (0.25,) * 3).to(device)


class Clock:
    """Images a second from the end of the first epoch, in which networks are compiled, to that of the last."""

    def __init__(self, images: int) -> None:
        self.images = images
        self.ends: list[float] = []

    def epoch_over(self, _point: object = None) -> None:
        """Once an epoch has ended, on the GPU too."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.images * (len(self.ends) - 1) / (self.ends[-1] - self.ends[0])


def harness(network: str, data: Images, words: tuple[str, ...]) -> float:
    """Images a second of the harness's own loop, metered."""
    execution, clock = execution_of(words), Clock(len(data))
    model = placed(build_network(network, SHAPE, 0), data.device, execution)
    recipe = replace(TRACK.pretraining, lr=from_vector((1e-2,) * EPOCHS))
    hooks = Hooks(on_epoch=clock.epoch_over)
    train(model, data, recipe, seed=0, stream="bench", meter=Meter(0), hooks=hooks, execution=execution)
    return clock.rate


def bare_loop(network: str, data: Images, words: tuple[str, ...]) -> float:
    """What one writes by hand: tensors on the device, He's augmentation in batches, and nothing counted."""
    recipe, clock = TRACK.pretraining, Clock(len(data))
    model = placed(build_network(network, SHAPE, 0), data.device, execution_of(words)).train()
    optimiser = torch.optim.SGD(model.parameters(), 1e-2, momentum=recipe.momentum, weight_decay=recipe.weight_decay)
    forward: Callable[[torch.Tensor], torch.Tensor] = model
    if {"compile", "reduce-overhead"} & set(words):
        torch.compiler.reset()
        forward = torch.compile(model, mode="reduce-overhead" if "reduce-overhead" in words else "default")
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(data), device=data.device).split(recipe.batch_size):
            images = (_cropped_and_flipped(data.images[chosen]).float() / 255 - 0.5) / 0.25
            with torch.autocast(data.device.type, torch.bfloat16, enabled="bf16" in words):
                logits = forward(images)
            loss = F.cross_entropy(logits.float(), data.labels[chosen])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        clock.epoch_over()
    return clock.rate


def _cropped_and_flipped(images: torch.Tensor) -> torch.Tensor:
    batch, size = len(images), images.shape[-1]
    padded = F.pad(images, (4, 4, 4, 4))
    rows, columns = torch.randint(0, 9, (2, batch, 1), device=images.device) + torch.arange(size, device=images.device)
    columns = torch.where(torch.rand(batch, 1, device=images.device) < 0.5, columns.flip(1), columns)
    every = torch.arange(batch, device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[every, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def main() -> None:
    """Prints one line for each comparison, and the source of the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--network", default="")
    given = parser.parse_args()
    torch.set_num_threads(1)
    there = torch.cuda.is_available()
    network = given.network or ("resnet56" if there else "resnet20")
    where = torch.cuda.get_device_name() if there else "one core of a CPU, in small"
    print(f"{where}, torch {torch.__version__}, batches of {TRACK.pretraining.batch_size}", flush=True)
    for row in rows(network, given.seconds):
        print(row, flush=True)
    print(f"record: {RECORD}")


if __name__ == "__main__":
    main()
