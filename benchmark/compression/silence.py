"""The dense network without some channels, no surgery done: what reads them has weights of zero for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from prunemark.benchmark.compression.dependency_graph import DependencyGroup, layer_of
from prunemark.benchmark.compression.take_out import norm_of
from prunemark.setups.errors import InputError

PER_CHANNEL = (
    nn.Conv1d, nn.Conv2d, nn.Linear, nn.BatchNorm2d, nn.BatchNorm1d, nn.PReLU, nn.InstanceNorm1d, nn.InstanceNorm2d,
)  # fmt: skip


def norms_over_channels(model: nn.Module, groups: Sequence[DependencyGroup]) -> dict[str, nn.Module]:
    """What keeps a layer's channels and computes over all of them, by its path."""
    paths: dict[str, None] = {}
    for part in (part for here in groups for part in here.slices):
        if part.role == "writer":
            paths[part.path] = None
        elif part.role == "parameter" and (owner := norm_of(model, part.path)) is not None:
            paths[owner] = None
    found = {path: model.get_submodule(path) for path in paths}
    return {path: module for path, module in found.items() if not isinstance(module, PER_CHANNEL)}


def silence(
    dense: nn.Module,
    norms: Mapping[str, nn.Module],
    groups: Sequence[DependencyGroup],
    kept: Mapping[str, torch.Tensor],
) -> None:
    """Gives the readers new weights, zero for the channels that go: the function of the cut network, in place.

    A block that goes has all its weights at zero: nothing is added to what it is given.
    A norm over channels is given the channels that stay, in the form that the cut network has of it (`norms`). Raises
    InputError where the groups of a group norm would not keep as many channels each.
    """
    over_channels: dict[str, frozenset[int]] = {}
    for here in groups:
        gone = set(range(here.size)) - set(kept[here.name].tolist())
        for part in here.slices:
            channels = part.going_with(gone)
            if part.role == "reader":
                _zero(layer_of(dense, part.path), channels)
            elif part.role == "block" and channels:
                for path, parameter in list(dense.get_submodule(part.path).named_parameters(prefix=part.path)):
                    owner, _, name = path.rpartition(".")
                    setattr(dense.get_submodule(owner), name, nn.Parameter(torch.zeros_like(parameter)))
            elif (norm := part.path if part.role == "writer" else part.path.rpartition(".")[0]) in norms:
                over_channels[norm] = over_channels.get(norm, frozenset()) | frozenset(channels)
    for path, going in over_channels.items():
        whole = dense.get_submodule(path)
        if isinstance(whole, nn.GroupNorm):
            _check_groups(path, whole, going)
        dense.set_submodule(path, _OverTheRest(whole, norms[path], going))


def _zero(reader: nn.Module, channels: list[int]) -> None:
    """A grouped convolution's weight is (filters, inputs of a group, ...): each group has its own."""
    weight = reader.get_parameter("weight").detach().clone()
    groups = getattr(reader, "groups", 1)
    size, by_group = weight.shape[1], weight.unflatten(0, (groups, -1))  # views: (groups, filters of each, inputs, ...)
    of, at = torch.tensor([divmod(channel, size) for channel in channels], dtype=torch.int64).reshape(-1, 2).T
    by_group[of.to(weight.device), :, at.to(weight.device)] = 0
    reader.weight = nn.Parameter(weight)


def _check_groups(path: str, norm: nn.GroupNorm, gone: frozenset[int]) -> None:
    size = norm.num_channels // norm.num_groups
    left = [sum(group * size + i not in gone for i in range(size)) for group in range(norm.num_groups)]
    if len(set(left)) > 1:
        raise InputError(f"the groups of the group norm {path!r} would keep {min(left)} to {max(left)} channels")


class _OverTheRest(nn.Module):
    """A norm over channels as it is in the cut network, in the place that it has in the dense one."""

    def __init__(self, whole: nn.Module, small: nn.Module, gone: frozenset[int]) -> None:
        super().__init__()
        shape = getattr(whole, "normalized_shape", None)
        self.channels = int(shape[0]) if shape else int(next(whole.parameters()).numel())
        self.last = type(whole) is nn.LayerNorm
        self.small, self.whole = small, whole
        self.stays = torch.tensor([index for index in range(self.channels) if index not in gone])

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """The given channels that stay, normalised, and zeros for the others."""
        places = [axis for axis, size in enumerate(given.shape) if axis and size == self.channels]
        axis = places[-1] if self.last else places[0] if len(places) == 1 else self._axis(given, places)
        stays = self.stays.to(given.device)
        left = given.index_select(axis, stays)
        normalised = self.small(left)
        self._check_no_place(left, normalised, axis)
        return torch.zeros_like(given).index_copy(axis, stays, normalised)

    def _axis(self, given: torch.Tensor, places: list[int]) -> int:
        """Where several axes are as long as there are channels: the one along which a channel's parameters act."""
        other = {name: each.detach().clone() for name, each in self.whole.named_parameters()}
        for each in other.values():
            each.flatten()[0] += 1
        changed = torch.func.functional_call(self.whole, other, (given,)) != self.whole(given)
        acting = (axis for axis in places if not changed.narrow(axis, 1, self.channels - 1).any())
        return next(acting, places[0])

    def _check_no_place(self, left: torch.Tensor, normalised: torch.Tensor, axis: int) -> None:
        """Raises InputError for a norm of a stranger's that treats channels by their place: in another order, its
        parameters with them, they have to come out in that order."""
        if type(self.small).__module__.startswith("torch.") or isinstance(self.small, nn.LayerNorm | nn.GroupNorm):
            return
        order = torch.randperm(left.shape[axis], generator=torch.Generator().manual_seed(0)).to(left.device)
        moved = {name: each.flatten()[order].reshape(each.shape) for name, each in self.small.named_parameters()}
        again = torch.func.functional_call(self.small, moved, (left.index_select(axis, order),))
        expected = normalised.index_select(axis, order)
        near = 1e-7 if left.dtype == torch.float64 else 1e-3
        if not bool((again - expected).abs().max() <= near * expected.abs().max()):
            raise InputError(f"the norm {type(self.small).__name__} treats channels by their place")
