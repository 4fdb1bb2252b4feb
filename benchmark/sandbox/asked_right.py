"""What a method hands to the context, checked with words that say what to write instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from prunemark.benchmark.method import Group, Scores

PENALTY = "Write penalty=lambda: 1e-4 * sum(scale.abs().sum() for scale in scales)"
SCORES = "Write {group: scores of group.layer(model) for group in context.groups}"


def check_by_group(scores: Scores) -> None:
    """Raises ValueError for anything but a dictionary whose keys are groups."""
    if isinstance(scores, Mapping) and all(isinstance(group, Group) for group in scores):
        return
    kinds = {type(key).__name__ for key in scores} if isinstance(scores, Mapping) else {type(scores).__name__}
    raise ValueError(f"decide takes scores by group; got {' and '.join(sorted(kinds))}.\n{SCORES}")


def checked_penalty(penalty: Callable[[], torch.Tensor] | None) -> Callable[[], torch.Tensor] | None:
    """The penalty, checked to be a function that gives a tensor. Raises TypeError, there or when it is called."""
    if penalty is None:
        return None
    if not callable(penalty):
        raise TypeError(f"penalty is a function without arguments; got {penalty!r}.\n{PENALTY}")

    def checked() -> torch.Tensor:
        found = penalty()
        if not isinstance(found, torch.Tensor) or found.numel() != 1:
            got = f"one of shape {tuple(found.shape)}" if isinstance(found, torch.Tensor) else type(found).__name__
            raise TypeError(
                f"penalty() gives a tensor with one number, which is added to the loss; got {got}.\n{PENALTY}"
            )
        return found

    return checked
