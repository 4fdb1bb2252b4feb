"""Which filters stay in a network that another library has cut: found by its weights, and proven by cutting again.

Surgery keeps what it keeps, and in its order. So each filter that is left has the weights of one filter of the network
before, less some inputs. What was found is carried out by the harness's own surgery, and has to give the same network,
bit for bit. Not covered: filters with equal weights, of which nobody can tell which one stayed; and a network that was
trained after it was cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from prunemark.benchmark.compression import surgery
from prunemark.benchmark.compression.block_decisions import by_stages
from prunemark.benchmark.compression.left_weights import BadWeights
from prunemark.benchmark.method import Decision, Group
from prunemark.benchmark.networks.registry import ImageShape
from prunemark.setups.track import Track

State = Mapping[str, torch.Tensor]
BY_HAND = "Write the decision yourself: Decision({layer: indices of the filters that stay}, {})"
EARLIER = "Call Decision.from_pruned right after cutting, and train with context.train(keep=decision)"


class _NotFound(Exception):
    """The cut network is not a part of this one. The message says why."""


@dataclass(frozen=True)
class Found:
    """What stays, and the weights of the whole network that it is a part of."""

    decision: Decision
    weights: State


def found_in(cut: State, whole: Sequence[State], track: Track, shape: ImageShape, groups: Sequence[Group]) -> Found:
    """Which filters of the first of `whole` that it can be a part of the cut network has kept.

    Raises BadWeights, in words, where it is no part of any, and where filters cannot be told apart.
    """
    if not track.of_filters:
        raise BadWeights(f"track {track.id} prunes single weights, which Decision.from_pruned does not find.\n"
                         "Return Decision.from_masks(model), or what context.decide gives")  # fmt: skip
    why = ""
    for weights in whole:
        try:
            decision = by_stages(Decision({group.name: _kept(group, cut, weights) for group in groups}, {}), groups)
            _check(decision, cut, weights, track, shape)
            return Found(decision, weights)
        except _NotFound as problem:
            why = str(problem)
    raise BadWeights(why)


def _kept(group: Group, cut: State, whole: State) -> torch.Tensor:
    """The filters of one layer that are in the cut network, (kept,)."""
    name = f"{group.name}.weight"
    if group.block is not None:
        return torch.arange(group.size if name in cut else 0)
    if name not in cut:
        raise _NotFound(f"the network that was cut has no {name}.\nChange no names of its layers")
    left, before = cut[name], whole[name]
    if len(left) == len(before):
        return torch.arange(len(before))
    if left.dim() != before.dim() or any(a > b for a, b in zip(left.shape, before.shape, strict=True)):
        raise _NotFound(
            f"{name} has the shape {tuple(left.shape)}, which is no part of {tuple(before.shape)}.\n{BY_HAND}"
        )
    rows = _rows_by_slice(before)
    chosen: list[int] = []
    for number, filter_left in enumerate(_slices(left)):
        among = _candidates(filter_left, rows)
        if len(among) > 1:
            among = _told_apart(
                among, number, _of_filters(group, len(left), cut), _of_filters(group, len(before), whole)
            )
        if not among:
            raise _NotFound(
                f"filter {number} that is left in layer {group.name} has the weights of no filter of the base model: "
                f"it was trained after the network was cut.\n{EARLIER}"
            )
        if len(among) > 1:
            alike = ", ".join(map(str, sorted(among)[:4]))
            raise BadWeights(
                f"layer {group.name}: filters {alike} have equal weights; nobody can tell which stayed.\n{BY_HAND}"
            )
        chosen += among
    if len(set(chosen)) != len(chosen):
        raise BadWeights(f"layer {group.name}: two filters that are left have the weights of one.\n{BY_HAND}")
    return torch.tensor(chosen)


def _slices(weight: torch.Tensor) -> list[list[bytes]]:
    """Of each filter its weights for each input channel, as bytes."""
    flat = weight.detach().cpu().contiguous().flatten(2) if weight.dim() > 2 else weight.detach().cpu().unsqueeze(2)
    return [[channel.tobytes() for channel in filter] for filter in flat.contiguous().numpy()]


def _rows_by_slice(weight: torch.Tensor) -> dict[bytes, set[int]]:
    found: dict[bytes, set[int]] = {}
    for row, filter in enumerate(_slices(weight)):
        for channel in filter:
            found.setdefault(channel, set()).add(row)
    return found


def _candidates(left: Sequence[bytes], rows: Mapping[bytes, set[int]]) -> set[int]:
    """The filters that have all of these channels."""
    among: set[int] | None = None
    for channel in left:
        having = rows.get(channel, set())
        among = having if among is None else among & having
        if not among:
            return set()
    return set(among or ())


def _told_apart(among: set[int], number: int, left: State, before: State) -> set[int]:
    """Those whose bias and batch norm are the filter's as well."""
    return {row for row in among if all(torch.equal(left[name][number], before[name][row]) for name in left)}


def _of_filters(group: Group, size: int, state: State) -> dict[str, torch.Tensor]:
    """What has one number a filter: the layer's bias, and its batch norm."""
    owners = [group.name, *([group.batch_norm_name] if group.batch_norm_name else [])]
    names = [f"{owner}.{part}" for owner in owners for part in ("weight", "bias", "running_mean", "running_var")]
    return {name: state[name] for name in names if name in state and state[name].shape == (size,)}


def _check(decision: Decision, cut: State, whole: State, track: Track, shape: ImageShape) -> None:
    """Cuts the whole network so, and raises _NotFound unless that gives the one that was cut."""
    made = surgery.rebuild(track, shape, whole, decision, 0).state_dict()
    for name in dict.fromkeys((*made, *cut)):
        if name not in cut or name not in made:
            raise _NotFound(
                f"{name} is in one of the two networks only, the one that was cut or the base.\nChange no names"
            )
        if made[name].shape != cut[name].shape:
            raise _NotFound(
                f"{name} was cut to {tuple(cut[name].shape)}; by the layers that {track.id} prunes it has "
                f"{tuple(made[name].shape)}.\nHave the library cut only {', '.join(_first(track.prunable))}: all other "
                "layers are its ignored_layers"
            )
        if not torch.equal(made[name], cut[name].cpu()):
            raise _NotFound(f"{name} was changed after the network was cut.\n{EARLIER}")


def _first(names: Sequence[str]) -> Iterator[str]:
    yield from names[:3]
    if len(names) > 3:
        yield f"... ({len(names)} in all, see context.groups)"


def whole_filters(decision: Decision, track: Track) -> Decision:
    """On a track of filters: masks that keep or remove whole filters, as the filters that stay.

    Raises BadWeights for a mask that keeps a part of a filter.
    """
    if not track.of_filters or not decision.masks:
        return decision
    kept = dict(decision.kept)
    for name, mask in decision.masks.items():
        rows = torch.as_tensor(mask).flatten(1)
        parts = rows.any(dim=1) & ~rows.all(dim=1)
        if parts.any():
            raise BadWeights(
                f"layer {name}: the mask keeps a part of filter {int(parts.nonzero()[0])}, and {track.id} removes whole"
                " ones.\nMask along dimension 0: torch.nn.utils.prune.ln_structured(layer, 'weight', amount, n, dim=0)"
            )
        kept[name] = rows.any(dim=1).nonzero().flatten()
    return Decision(kept, {}, decision.allocation)
