"""From what a method returned and left in the model to a decision and weights that fit the base network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from prunemark.benchmark.compression.block_decisions import by_stages
from prunemark.benchmark.compression.cut_already import State, found_in, whole_filters
from prunemark.benchmark.compression.left_weights import BadWeights, check_left, without_masks
from prunemark.benchmark.method import Decision, Group
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.setups.track import Track


@dataclass
class Settling:
    """One trial's. `base` are the weights that the method was given; those that it had trained last are kept too."""

    track: Track
    shape: ImageShape
    groups: tuple[Group, ...]
    base: State
    _trained: dict[str, torch.Tensor] = field(default_factory=dict)

    def note_trained(self, model: nn.Module) -> None:
        """A network that is cut next is a part of this one."""
        state = model.state_dict()
        if _fits(state, self.base):
            self._trained = {name: tensor.detach().cpu().clone() for name, tensor in state.items()}

    def settled(self, decision: Decision) -> Decision:
        """The decision by filters or weights, whatever it was made from. Raises BadWeights."""
        decision = by_name(decision)
        if decision.cut is not None:
            return found_in(_on_cpu(decision.cut), self._whole, self.track, self.shape, self.groups).decision
        return by_stages(whole_filters(decision, self.track), self.groups)

    def left(self, model: nn.Module, decision: Decision) -> tuple[nn.Module, Decision]:
        """The model with weights that fit the base network, and the decision. Raises BadWeights, in words."""
        state = model.state_dict()
        plain: State = without_masks(state, decision)
        if decision.cut is None:
            settled = by_stages(whole_filters(decision, self.track), self.groups)
        else:
            cut = _on_cpu(decision.cut)
            found = found_in(cut, self._whole, self.track, self.shape, self.groups)
            settled = found.decision
            if not _fits(plain, self.base):
                plain = found.weights
                if not _same(_on_cpu(state), cut):
                    raise BadWeights(
                        "the network was changed after Decision.from_pruned was called, and what was done to it would "
                        "be lost.\nTrain with context.train(keep=decision) on a network that is whole: cut a copy of it"
                    )
        check_left(plain, self.base)
        if plain.keys() == state.keys() and _fits(state, self.base):
            return model, settled
        whole = build_network(self.track.network, self.shape, 0)
        whole.load_state_dict(dict(plain))
        return whole.to(next(model.parameters()).device), settled

    @property
    def _whole(self) -> tuple[State, ...]:
        return (self._trained, self.base) if self._trained else (self.base,)


def by_name(decision: Decision) -> Decision:
    """The decision with the names of layers, where its author put the groups themselves."""

    def named(parts: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {layer.name if isinstance(layer, Group) else layer: part for layer, part in parts.items()}

    return replace(decision, kept=named(decision.kept), masks=named(decision.masks))


def _on_cpu(state: State) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu() for name, tensor in state.items()}


def _fits(state: State, base: State) -> bool:
    return {name: tensor.shape for name, tensor in state.items()} == {name: t.shape for name, t in base.items()}


def _same(a: Mapping[str, torch.Tensor], b: Mapping[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(tensor, b[name]) for name, tensor in a.items())
