"""Images that do not fit in memory: read, cropped and flipped by worker processes, just before they are needed."""

from __future__ import annotations

import gc
import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from prunemark.benchmark.images.augmentation import crop_box
from prunemark.benchmark.images.datasets import UnreadableImage, open_image, read_image
from prunemark.benchmark.images.sources import CONFINED, readers

MOST_WORKERS, BATCHES_AHEAD = 16, 2
TOGETHER = "LOCAL_WORLD_SIZE"


@dataclass(frozen=True)
class ImageFiles:
    """The files of a split, in its order, and the (channels, height, width) that they are brought to.

    `sha256` (files, 32) uint8 is what their bytes have to hash to. `workers` processes read them; 0 reads in the
    process that asks, for where none may be started.
    """

    paths: tuple[str, ...]
    sha256: torch.Tensor
    shape: tuple[int, int, int]
    workers: int | None = None


def whole(examples: int) -> slice:
    """All of a batch."""
    return slice(examples)


def images_served(
    files: ImageFiles, batches: Iterator[torch.Tensor], kind: str, generator: torch.Generator, skip: int = 0,
    part: Callable[[int], slice] = whole,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:  # fmt: skip
    """Augmented uint8 batches (batch, channels, height, width) and the numbers of their examples.

    Each image is augmented by a seed of its own, drawn from the generator in the order of the batches: the number of
    workers changes nothing, nor does the `part` of each batch that is handed out. The first `skip` batches are left
    out, their draws are not. 'resized-crop' is the field's own for ImageNet; of the others only 'none' is covered.
    """
    order = [chosen.cpu() for chosen in batches]
    seeds = torch.randint(0, 2**62, (sum(len(chosen) for chosen in order),), generator=generator).tolist()
    draws = iter(seeds)
    asked = [[(index, next(draws)) for index in chosen.tolist()][part(len(chosen))] for chosen in order]
    served = [chosen[part(len(chosen))] for chosen in order[skip:]]
    yield from zip(_read(_Reader(files, kind), asked[skip:], files), served, strict=True)


def images_in_order(files: ImageFiles, batch_size: int) -> Iterator[torch.Tensor]:
    """uint8 batches (batch, channels, height, width) of all files, resized and cropped from the middle."""
    numbers = [(index, 0) for index in range(len(files.paths))]
    asked = [numbers[start : start + batch_size] for start in range(0, len(numbers), batch_size)]
    yield from _read(_Reader(files, "none"), asked, files)


class _Reader(Dataset[torch.Tensor]):
    """Reads one image; an item is (its number, the seed of its augmentation)."""

    def __init__(self, files: ImageFiles, kind: str) -> None:
        assert kind in ("none", "resized-crop"), "files of any size are cropped to one, or taken from the middle"
        self.files, self.kind = files, kind

    def __getitem__(self, item: tuple[int, int]) -> torch.Tensor:
        number, seed = item
        path, (_channels, height, width) = Path(self.files.paths[number]), self.files.shape
        sha256 = self.files.sha256[number].numpy().tobytes()
        if self.kind == "none":
            return read_image(path, height, sha256)
        return _cropped(open_image(path, sha256), height, width, torch.Generator().manual_seed(seed))


def _cropped(image: Any, height: int, width: int, generator: torch.Generator) -> torch.Tensor:
    from torchvision.transforms import functional as T

    top, left, bottom, right = crop_box(image.height, image.width, generator).int().tolist()
    pixels = T.pil_to_tensor(T.resized_crop(image, top, left, bottom - top, right - left, [height, width]))
    flipped = bool(torch.rand((), generator=generator) < 0.5)
    return torch.as_tensor(pixels.flip(2) if flipped else pixels)


def _read(reader: _Reader, asked: Sequence[Sequence[tuple[int, int]]], files: ImageFiles) -> Iterator[Any]:
    """The batches. Raises UnreadableImage in its own words, which a worker of torch's would hide in its traceback."""
    workers = default_workers() if files.workers is None else files.workers
    if CONFINED in os.environ:
        yield from _in_threads(reader, asked)
        return
    said = ""
    try:
        pinned = torch.cuda.is_initialized()  # batches go to a GPU, which copies these while it computes
        yield from DataLoader(reader, batch_sampler=asked, num_workers=workers, pin_memory=pinned)  # type: ignore[arg-type]
    except UnreadableImage as problem:
        last = str(problem).strip().splitlines()[-1]
        said = last.partition(f"{UnreadableImage.__name__}: ")[2] or last
    if said:
        gc.collect()  # ends the workers, which were forked with the locks of this process and hold them while they live
        raise UnreadableImage(said)


def _in_threads(reader: _Reader, asked: Sequence[Sequence[tuple[int, int]]]) -> Iterator[torch.Tensor]:
    """The same batches where no process may share memory: decoding an image leaves other threads to run."""
    waiting: deque[list[Future[torch.Tensor]]] = deque()
    with ThreadPoolExecutor(max(default_workers(), 1)) as pool:
        for batch in (*asked, *[()] * BATCHES_AHEAD):
            waiting.append([pool.submit(reader.__getitem__, item) for item in batch])
            if len(waiting) > BATCHES_AHEAD and (ready := waiting.popleft()):
                yield torch.stack([each.result() for each in ready])


def default_workers() -> int:
    """As many as the user says, or one for each core but one, 16 at most; with 0 the process that asks reads itself.

    Processes that train together share the cores: how many there are is in torchrun's variable.
    """
    if (stated := readers()) is not None:
        return stated
    cores = len(os.sched_getaffinity(0)) // int(os.environ.get(TOGETHER, "1"))
    return max(min(cores - 1, MOST_WORKERS), 0)


def file_checksums(paths: Sequence[Path]) -> torch.Tensor:
    """SHA-256 of each file's bytes: uint8 (files, 32)."""

    def digest(path: Path) -> bytes:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()

    with ThreadPoolExecutor() as pool:
        digests = list(pool.map(digest, paths))
    return torch.frombuffer(bytearray(b"".join(digests)), dtype=torch.uint8).reshape(-1, 32).clone()
