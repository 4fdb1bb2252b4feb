"""Decisions about blocks: by the filters of their layers, as methods make them, and by the numbers of blocks.

A method scores the filters of every layer in a block, and the block's score is their mean. Criteria for filters were
carried over to whole layers before (LayerPrune, Elkerdawy et al. 2020, arXiv:2007.05667).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from prunemark.benchmark.compression.left_weights import BadWeights
from prunemark.benchmark.method import Decision, Group


def scores_of_blocks(scores: Mapping[str, torch.Tensor], groups: Sequence[Group]) -> dict[str, torch.Tensor]:
    """By stage, a score for each block, (blocks,): the mean over the filters of all its layers."""
    parts: dict[str, dict[int, list[torch.Tensor]]] = {}
    for group in groups:
        if group.block is not None:
            of_stage = parts.setdefault(group.block.stage, {})
            of_stage.setdefault(group.block.number, []).append(scores[group.name].flatten())
    return {
        stage: torch.stack([torch.cat(found[number]).mean() for number in sorted(found)])
        for stage, found in parts.items()
    }


def by_layers(kept: Mapping[str, torch.Tensor], groups: Sequence[Group]) -> dict[str, torch.Tensor]:
    """The filters that stay in each layer of the stages: all, or of a block that goes none."""
    found: dict[str, torch.Tensor] = {}
    for group in groups:
        if group.block is not None and group.block.stage in kept:
            stays = group.block.number in kept[group.block.stage].tolist()
            found[group.name] = torch.arange(group.size if stays else 0)
    return found


def by_stages(decision: Decision, groups: Sequence[Group]) -> Decision:
    """The same decision by the numbers of the blocks that stay, where it is by the filters of their layers.

    Raises BadWeights for a part of a block, and for weights.
    """
    layers = {group.name: group for group in groups if group.block is not None}
    if not layers or not any(name in layers for name in decision.kept):
        return decision
    stays: dict[str, dict[int, bool]] = {}
    kept = {name: part for name, part in decision.kept.items() if name not in layers}
    for name, group in layers.items():
        assert group.block is not None
        part = torch.as_tensor(decision.kept.get(name, torch.arange(group.size)))
        whole = len(part) > 0
        if (
            len(part) not in (0, group.size)
            or stays.setdefault(group.block.stage, {}).setdefault(group.block.number, whole) != whole
        ):
            raise BadWeights(
                f"block {group.block.path} would lose {group.size - len(part)} of the {group.size} filters of its "
                f"layer {name}: here a block stays or goes whole.\nReturn what context.decide gives, or "
                f"Decision({{{group.block.stage!r}: numbers of the blocks that stay}})"
            )
        stays[group.block.stage][group.block.number] = whole
    kept |= {stage: torch.tensor([n for n, whole in found.items() if whole]) for stage, found in stays.items()}
    return replace(decision, kept={name: torch.as_tensor(part).to(torch.int64) for name, part in kept.items()})
