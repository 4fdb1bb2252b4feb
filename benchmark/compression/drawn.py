"""A network with weights drawn at random, in double precision: what it computes depends on nothing that was trained.

A classifier that starts at 0 would make every comparison true, and single precision hides what deep networks dampen.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from prunemark.benchmark.compression.dependency_graph import Dependencies, check_own_weights
from prunemark.benchmark.compression.drawn_weights import drawn_weights
from prunemark.benchmark.networks.registry import ImageShape, as_example

DOUBLE, SINGLE = 1e-7, 1e-3
"""Of the largest logit: what may change when sums are taken in another order, by the precision."""


class Drawn:
    """A copy of a network with weights drawn at random, and what hangs together in it: each is found once.

    It computes in double precision where it can, and in single where its forward pass insists on that. Raises
    InputError for a network that cannot be traced, and one whose weights are computed from others.
    """

    def __init__(self, model: nn.Module, shape: ImageShape, *, traced: bool = True) -> None:
        check_own_weights(model)
        self.dense, self.shape = drawn_weights(model), shape
        self.found = Dependencies(self.dense, shape, traced=traced)
        self.dtype = torch.float64
        try:
            with self.precisely(), torch.no_grad():
                self.dense.double().eval()(as_example(shape, next(model.parameters()).device))
        except Exception:  # it makes tensors of single precision on its way
            self.dtype = torch.float32
            self.dense.float()

    @property
    def tolerance(self) -> float:
        """How much of the largest logit two ways of computing the same may differ by."""
        return DOUBLE if self.dtype == torch.float64 else SINGLE

    @contextmanager
    def precisely(self) -> Iterator[None]:
        """Inside, new tensors have this network's precision."""
        before = torch.get_default_dtype()
        torch.set_default_dtype(self.dtype)
        try:
            yield
        finally:
            torch.set_default_dtype(before)


@contextmanager
def restored(model: nn.Module) -> Iterator[None]:
    """Afterwards every module has its attributes, parameters and buffers of before: cheaper than a copy of them all.

    What is done to a parameter's numbers stays done: a new parameter has to take its place.
    """
    held = ("_parameters", "_buffers", "_modules")
    before = [
        (module, {name: copy.copy(value) if name in held else value for name, value in vars(module).items()})
        for module in model.modules()
    ]
    for module, _ in before:
        for name, buffer in module._buffers.items():
            module._buffers[name] = None if buffer is None else buffer.clone()
    try:
        yield
    finally:
        for module, attributes in before:
            vars(module).clear()
            vars(module).update(attributes)
