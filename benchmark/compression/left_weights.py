"""The weights that a method left in the model: as the base network has them, or why they are not, layer by layer.

A library that cut the network, masked its weights or computes one weight from another leaves other names and shapes.
Each such kind is said in words, with what to do.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from prunemark.benchmark.compression.surgery import BadDecision
from prunemark.benchmark.method import Decision

CUT_ALREADY = "For a network that a library has cut already, return Decision.from_pruned(model)"
MASK, ORIGINAL = "_mask", "_orig"  # what torch.nn.utils.prune puts behind a parameter's name
SIGNS = (
    (".parametrizations.", "a parametrization of torch", "torch.nn.utils.parametrize.remove_parametrizations"),
    ("_g", "a weight norm of torch", "torch.nn.utils.remove_weight_norm"),
    ("_v", "a weight norm of torch", "torch.nn.utils.remove_weight_norm"),
    ("_u", "a spectral norm of torch", "torch.nn.utils.remove_spectral_norm"),
)
"""What in a name says that a weight is computed from others, whose doing that is, and what ends it."""


class BadWeights(BadDecision):
    """The weights left in the model are not those of the base network. The message says where, and what to do."""


def without_masks(state: Mapping[str, torch.Tensor], decision: Decision) -> dict[str, torch.Tensor]:
    """The state dict, with what `torch.nn.utils.prune` put into it taken out again: the weights before their masks.

    Raises BadWeights where the decision does not say of each masked layer what its mask says.
    """
    masked = {name.removesuffix(MASK) for name in state if name.endswith(MASK)}
    masked = {name for name in masked if f"{name}{ORIGINAL}" in state}
    for name in sorted(masked):
        layer = name.rpartition(".")[0]
        if not name.endswith(".weight") or not torch.equal(
            decision.masks.get(layer, torch.empty(0)), _mask(state, name)
        ):
            raise BadWeights(
                f"layer {layer} still has a mask of torch.nn.utils.prune, and the decision does not have that mask.\n"
                "Return Decision.from_masks(model), or end it with torch.nn.utils.prune.remove(layer, "
                f"{name[len(layer) + 1 :]!r})"
            )
    named = {f"{name}{ORIGINAL}": name for name in masked}
    gone = {f"{name}{MASK}" for name in masked}
    return {named.get(name, name): tensor for name, tensor in state.items() if name not in gone}


def _mask(state: Mapping[str, torch.Tensor], name: str) -> torch.Tensor:
    return state[f"{name}{MASK}"].detach().cpu() != 0


def check_left(state: Mapping[str, torch.Tensor], base: Mapping[str, torch.Tensor]) -> None:
    """Raises BadWeights for weights that do not fit the base network, with the first layer that does not."""
    for name in state:
        if name in base:
            continue
        layer = name.partition(".parametrizations.")[0] if ".parametrizations." in name else name.rpartition(".")[0]
        for sign, what, ended in SIGNS:
            computed = sign in name if sign.startswith(".") else name.endswith(sign)
            if computed and (sign.startswith(".") or f"{name.removesuffix(sign)}" not in state):
                raise BadWeights(
                    f"layer {layer} still has {what}: its weight is computed from {name}.\n"
                    f"End it before prune returns: {ended}(layer, 'weight')"
                )
        raise BadWeights(
            f"the model has {name}, which the base network does not.\nTake out what was added before prune returns"
        )
    for name, expected in base.items():
        if name not in state:
            raise BadWeights(
                f"the model has lost {name} of the base network.\nPut back what was replaced, or change a copy: "
                "copy.deepcopy(model)"
            )
        found = state[name]
        if found.shape != expected.shape:
            shapes = f"{tuple(found.shape)}, and {tuple(expected.shape)} in the base network"
            raise BadWeights(f"{name} has the shape {shapes}.\n{CUT_ALREADY}")
        if found.dtype != expected.dtype:
            raise BadWeights(f"{name} is {_short(found.dtype)}, and {_short(expected.dtype)} in the base network.\n"
                             "Convert a copy for scoring: copy.deepcopy(model)")  # fmt: skip


def _short(kind: torch.dtype) -> str:
    return str(kind).removeprefix("torch.")
