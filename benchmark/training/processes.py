"""One training by several processes, each on its share of every batch: DistributedDataParallel, one process a GPU.

The batch is the recipe's, and the steps and LRs with it. It is cut in rank order, so that processes together serve
what one would serve, in its order and with its augmentation. The loss of a share counts by its images, batch norm takes
the statistics of the whole batch (`whole_batch.py`), and the meter counts whole batches: numbers differ from those of
one process in the last bits of sums. What layers draw themselves (dropout) comes from a stream of each process.

Who starts the processes is `together.py`; a process finds out by `here` that it is one of them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from collections.abc import Iterator
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from prunemark.benchmark.images.data import Images
from prunemark.benchmark.training.seeds import derive_seed
from prunemark.benchmark.training.whole_batch import WholeBatch, check_examples_are_apart

Thing = TypeVar("Thing")


@dataclasses.dataclass(frozen=True)
class Processes:
    """This process among the `count` that train together; `rank` counts from 0, and 0 is the one that writes."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that keeps results, and says how it goes."""
        return self.rank == 0

    @property
    def several(self) -> bool:
        """Whether there are others."""
        return self.count > 1

    def part(self, examples: int) -> slice:
        """The share of a batch: as many as the others get, or one fewer.

        Where none is left, the first example stands in and weighs nothing: every layer gets something to compute on.
        """
        begin, end = self._bounds(examples)
        return slice(begin, end) if end > begin else slice(0, 1)

    def weight(self, examples: int) -> float:
        """By what the mean loss of this share is multiplied, so that the mean over processes is that of the batch."""
        begin, end = self._bounds(examples)
        return self.count * (end - begin) / examples

    def _bounds(self, items: int) -> tuple[int, int]:
        return self.rank * items // self.count, (self.rank + 1) * items // self.count

    def draw(self, seed: int, stream: str, epoch: int, step: int) -> None:
        """Seeds what layers draw in the next step; alone, they go on in the stream of their epoch."""
        if self.several:
            torch.manual_seed(derive_seed(seed, stream, "dropout", epoch, step, self.rank))

    def mean(self, loss: torch.Tensor, examples: int) -> torch.Tensor:
        """The mean loss of a batch, from the mean loss of this share of it."""
        if not self.several:
            return loss
        total = loss * (self.weight(examples) / self.count)
        dist.all_reduce(total)
        return total

    def total(self, count: int) -> int:
        """The sum over all processes."""
        if not self.several:
            return count
        total = torch.tensor(count)
        dist.all_reduce(total)
        return int(total)

    def from_first(self, thing: Thing) -> Thing:
        """What the first process has, which may be anything that can be pickled; the others' own is not asked."""
        if not self.several:
            return thing
        box = [thing if self.first else None]
        dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
        return box[0]  # type: ignore[return-value]

    def some_of(self, data: Images, batch_size: int) -> Images:
        """The images that this process evaluates, in whole batches: those that one process would make."""
        begin, end = self._bounds(-(-len(data) // batch_size))
        return data.between(begin * batch_size, min(end * batch_size, len(data)))


ALONE = Processes()


def here() -> Processes:
    """Which process this is: alone, unless `together` started it."""
    if not (dist.is_available() and dist.is_initialized()):
        return ALONE
    return Processes(dist.get_rank(), dist.get_world_size())


def leave() -> None:
    """From here on this process is alone."""
    if here().several:
        dist.destroy_process_group()


@dataclasses.dataclass(frozen=True)
class Pass:
    """What computes a step: the network or what wraps it, and the loss that the backward pass starts from."""

    model: nn.Module
    processes: Processes = ALONE
    batch: WholeBatch | None = None

    def begin(self, examples: int) -> None:
        """Of a batch of so many examples, before its forward pass."""
        if self.batch:
            self.batch.counted = self.processes.weight(examples) > 0

    def loss(self, loss: torch.Tensor, examples: int) -> torch.Tensor:
        """What the backward pass starts from. A term that is the same in all shares stays as it is by this."""
        return loss * self.processes.weight(examples) if self.processes.several else loss


@contextlib.contextmanager
def training(model: nn.Module, data: Images) -> Iterator[Pass]:
    """Inside, steps are those of one process among several, where it is that.

    All processes start from the first one's weights. Raises InputError for a network whose outputs for one example
    depend on the others by more than batch norm.
    """
    processes = here()
    if not processes.several:
        yield Pass(model)
        return
    check_examples_are_apart(model, data.shape)
    # Parameters that take no part would otherwise end the second step. Buffers are equal everywhere as it is.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch 2.14 has another word for broadcast_buffers
        wrapped = DistributedDataParallel(model, broadcast_buffers=False, find_unused_parameters=True)
    batch = WholeBatch()
    with batch.statistics():
        yield Pass(wrapped, processes, batch)
