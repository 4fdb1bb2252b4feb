"""How many training images a second a GPU takes when one trial runs on it, and when several share it.

    .venv/bin/python perf/gpu.py [--processes 1,4,8] [--seconds 4] [--network resnet56]

The harness's own loop trains on random images of CIFAR's size, batches of 128, held to one order of sums as trials are.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from typing import Any

import torch

from prunemark.benchmark.images.data import Images
from prunemark.benchmark.metering.meter import Meter
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.benchmark.training import arithmetic
from prunemark.benchmark.training.loop import placed, train
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule

IMAGES = 1280
RECIPE = Recipe(lr=parse_schedule("1e-2", 1), augmentation="crop-flip")


def trained_per_second(network: str, seconds: float, one_order: bool, ready: Any, until: Any, said: Any) -> None:
    """Trains for some seconds once all processes are ready, and says how many images it took."""
    if one_order:
        arithmetic.use(None, "cuda")
    torch.set_num_threads(1)
    device = torch.device("cuda")
    pixels = torch.randint(0, 256, (IMAGES, 3, 32, 32), dtype=torch.uint8)
    data = Images(pixels, torch.arange(IMAGES) % 10, 10, 0.0, (0.5,) * 3, (0.25,) * 3).to(device)
    model = placed(build_network(network, ImageShape(3, 32, 32, 10), 0), device)
    one_pass(model, data, 0)
    ready.wait()
    begin, passes = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        one_pass(model, data, passes)
        passes += 1
    said.put(passes * IMAGES / (time.perf_counter() - begin))
    until.wait()  # nobody leaves while others are being timed


def one_pass(model: torch.nn.Module, data: Images, seed: int) -> None:
    """One epoch of the harness's loop."""
    train(model, data, RECIPE, seed=seed, stream="bench", meter=Meter(0))


def together(processes: int, network: str, seconds: float, one_order: bool = True) -> float:
    """Images a second of all processes together."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["prunemark.benchmark.training.loop"])
    ready, until, said = context.Barrier(processes), context.Barrier(processes), context.Queue()
    arguments = (network, seconds, one_order, ready, until, said)
    running = [context.Process(target=trained_per_second, args=arguments) for _ in range(processes)]
    for process in running:
        process.start()
    found = [said.get(timeout=60) for _ in running]
    for process in running:
        process.join()
    said.close()
    return sum(found)


def main() -> None:
    """Prints one line for each number of processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", default="1,4,8")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--network", default="resnet56")
    given = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("torch sees no GPU here: nothing was measured")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {given.network}, batches of 128", flush=True)
    alone = together(1, given.network, given.seconds)
    for processes in (int(n) for n in given.processes.split(",")):
        rate = alone if processes == 1 else together(processes, given.network, given.seconds)
        epoch = 45_000 / rate
        print(
            f"{processes:3} at once: {rate:7.0f} images/s, {rate / alone:.2f}x one; {epoch:.2f} s per epoch of 45,000",
            flush=True,
        )
    free = together(1, given.network, given.seconds, one_order=False)
    print(f"  1 alone, sums in any order: {free:7.0f} images/s, {free / alone:.2f}x")


if __name__ == "__main__":
    main()
