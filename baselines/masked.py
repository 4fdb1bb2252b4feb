"""Training with masks that change while it goes on: what movement pruning, SET and RigL share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import nn
from torch.nn.utils import parametrize

from prunemark.benchmark.method import Group

Listener = Callable[[torch.Tensor, torch.Tensor], None]


class MaskedWeight(nn.Module):
    """A layer's weight times a mask, as a parametrization: the network runs with the product, SGD has the weight.

    The gradient by the product is dense: it also says what a weight that is masked out would do. `listen` gets it
    with the weight, at every backward pass; the weight's own gradient is masked.
    """

    def __init__(self, mask: torch.Tensor, listen: Listener | None = None) -> None:
        super().__init__()
        self.mask = mask
        self._listen = listen

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The weight where the mask is True, 0 elsewhere."""
        product = weight * self.mask
        if self._listen is not None and product.requires_grad:
            listen, value = self._listen, weight.detach()
            product.register_hook(lambda gradient: listen(gradient.detach(), value))
        return product


@contextlib.contextmanager
def parametrized(model: nn.Module, parts: Mapping[Group, nn.Module]) -> Iterator[None]:
    """The layers' weights are what these modules make of them; afterwards they are plain weights again, unmasked."""
    layers = {group: group.layer(model) for group in parts}
    for group, part in parts.items():
        parametrize.register_parametrization(layers[group], "weight", part)
    try:
        yield
    finally:
        for layer in layers.values():
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)


def plain_weight(layer: nn.Module) -> torch.Tensor:
    """The weight behind a layer's parametrization: what SGD trains."""
    return layer.get_parameter("parametrizations.weight.original")
