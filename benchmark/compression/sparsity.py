"""Meeting a sparsity: from scores to the weights that stay, exactly as many as were asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch

from prunemark.benchmark.compression.budget_solver import TargetMissed
from prunemark.setups.errors import InputError

ONE_A_FILTER = "One score a filter, dimension 0 of the weight: as in layer.weight.flatten(1).norm(dim=1)"


def check_scores(scores: Mapping[str, torch.Tensor], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """The scores as float64 on the CPU. Raises ValueError for a wrong shape, NaN, or a missing layer."""
    for name in scores:
        if name not in shapes:
            raise ValueError(f"scores for {name!r}, which is not prunable. Prunable: {', '.join(shapes)}")
    checked = {}
    for name, shape in shapes.items():
        if name not in scores:
            raise ValueError(f"no scores for layer {name}; every group of context.groups needs some")
        given = scores[name]
        if not isinstance(given, torch.Tensor):
            raise ValueError(
                f"scores of layer {name} must be a tensor of shape {shape}; got {type(given).__name__}.\n"
                + ("Does `score` return what it computed?" if given is None else "Write torch.as_tensor(scores)")
            )
        if tuple(given.shape) != shape:
            raise ValueError(
                f"scores of layer {name} must have shape {shape}; got {tuple(given.shape)}.\n"
                + (ONE_A_FILTER if len(shape) == 1 else "One score a weight: as layer.weight has them")
            )
        if given.is_meta:
            raise ValueError(f"scores of layer {name} have no values.\nMake them on the device of layer.weight")
        values = given.detach().to("cpu", torch.float64)
        if torch.isnan(values).any():
            raise ValueError(
                f"scores of layer {name} contain NaN.\n"
                "Look for 0 / 0, a root or log of what is below 0, or a missing gradient; torch.nan_to_num replaces it"
            )
        checked[name] = values
    return checked


def choose_weights(scores: Mapping[str, torch.Tensor], sparsity: float, allocation: str) -> dict[str, torch.Tensor]:
    """Masks, True where a weight stays; the number of zeros is round(sparsity x weights), exactly."""
    total = sum(values.numel() for values in scores.values())
    gone = int(sparsity * total + 0.5)
    if allocation == "global":
        flat = torch.cat([values.flatten() for values in scores.values()])
        return _split(_mask_out(flat, gone), scores)
    if allocation == "uniform":
        shares = _shares({name: values.numel() for name, values in scores.items()}, gone)
        return {name: _mask_out(v.flatten(), shares[name]).reshape(v.shape) for name, v in scores.items()}
    raise ValueError(f"allocation is 'uniform' or 'global'; got {allocation!r}")


def choose_pattern(
    scores: Mapping[str, torch.Tensor], pattern: tuple[int, int], share: float, allocation: str
) -> dict[str, torch.Tensor]:
    """Masks of an N:M pattern: of every M consecutive weights along the input the N of highest score stay.

    A `share` below 1 removes only so many of the others, the lowest first, in all layers together or in each.
    Raises InputError for a layer that M does not divide.
    """
    n, m = pattern
    best = {}
    for name, values in scores.items():
        check_divisible(name, values.shape, m)
        order = torch.argsort(in_groups(values, m), dim=1, descending=True, stable=True)
        stays = torch.zeros_like(order, dtype=torch.bool).scatter_(1, order[:, :n], True)
        best[name] = stays.reshape(values.movedim(1, -1).shape).movedim(-1, 1).contiguous()
    if share == 1:
        return best
    ranked = {name: values.masked_fill(best[name], math.inf) for name, values in scores.items()}
    return choose_weights(ranked, share * (m - n) / m, allocation)


def check_pattern(masks: Mapping[str, torch.Tensor], pattern: tuple[int, int]) -> None:
    """Raises TargetMissed unless exactly N of every M consecutive weights along the input stay."""
    n, m = pattern
    for name, mask in masks.items():
        stays = in_groups(mask, m).sum(dim=1)
        if (stays != n).any():
            raise TargetMissed(
                f"{n} of every {m} weights along the input stay; layer {name} has a group in which "
                f"{int(stays[stays != n][0])} do"
            )


def check_divisible(layer: str, shape: Sequence[int], m: int) -> None:
    """Raises InputError for a layer whose inputs cannot be taken M by M: such a layer is spared, not padded."""
    if shape[1] % m:
        raise InputError(
            f"layer {layer} has {shape[1]} inputs, which groups of {m} do not fill.\n"
            "Leave it out of the track's prunable layers"
        )


def in_groups(values: torch.Tensor, m: int) -> torch.Tensor:
    """(out, in, ...) as (groups, m): M consecutive weights along the input each."""
    return values.movedim(1, -1).reshape(-1, m)


def _mask_out(flat: torch.Tensor, gone: int) -> torch.Tensor:
    mask = torch.ones_like(flat, dtype=torch.bool)
    mask[torch.argsort(flat, stable=True)[:gone]] = False
    return mask


def _split(flat: torch.Tensor, like: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    parts = flat.split([values.numel() for values in like.values()])
    return {name: part.reshape(like[name].shape).clone() for name, part in zip(like, parts, strict=True)}


def _shares(sizes: dict[str, int], total: int) -> dict[str, int]:
    """`total` divided in proportion to the sizes: floors first, then one each by the largest remainder."""
    whole = sum(sizes.values())
    if total > whole:
        raise InputError(f"{total} weights cannot be removed from {whole}")
    exact = {name: size * total / whole for name, size in sizes.items()}
    shares = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(sizes, key=lambda name: exact[name] - shares[name], reverse=True)
    for name in by_remainder[: total - sum(shares.values())]:
        shares[name] += 1
    return shares
