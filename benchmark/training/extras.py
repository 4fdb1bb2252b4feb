"""What the harness adds to the loss of a retraining that declares it: distillation and a regulariser."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from prunemark.benchmark.metering.meter import Meter
from prunemark.setups.extras import Distillation, Regulariser, read_distillation, read_regulariser
from prunemark.setups.recipe import Recipe

Objective = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, int], torch.Tensor]
"""(images, logits (batch, classes), cross entropy, examples of the whole batch) -> what is minimised."""
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def objective_of(
    recipe: Recipe, model: nn.Module, teacher: nn.Module | None, teacher_macs: int, meter: Meter
) -> Objective | None:
    """What the recipe minimises beyond its cross entropy; None where it adds nothing.

    The teacher's forward passes are metered, `teacher_macs` an image. Raises ValueError where there is no teacher.
    """
    distilled = read_distillation(recipe.distillation) if recipe.distillation else None
    regulariser = read_regulariser(recipe.regulariser) if recipe.regulariser else None
    if distilled is None and regulariser is None:
        return None
    if distilled and teacher is None:
        raise ValueError("distillation needs a base model to learn from")
    if teacher is not None:
        teacher.eval()
    term = _term(regulariser, model) if regulariser else None

    def objective(images: torch.Tensor, logits: torch.Tensor, loss: torch.Tensor, examples: int) -> torch.Tensor:
        if distilled and teacher is not None:
            with torch.no_grad():
                told = teacher(images)
            meter.executed(examples * teacher_macs, 0)
            loss = (1 - distilled.weight) * loss + distilled.weight * distance(logits, told, distilled)
        return loss if term is None else loss + term()

    return objective


def distance(logits: torch.Tensor, teacher: torch.Tensor, distilled: Distillation) -> torch.Tensor:
    """T^2 * KL(softmax(teacher / T), softmax(logits / T)), a mean over the batch: Hinton et al. 2015, section 2.1."""
    temperature = distilled.temperature
    student = F.log_softmax(logits / temperature, dim=1)
    target = F.log_softmax(teacher / temperature, dim=1)
    return F.kl_div(student, target, reduction="batchmean", log_target=True) * temperature**2


def _term(regulariser: Regulariser, model: nn.Module) -> Callable[[], torch.Tensor]:
    """The regulariser of this network, as a function without arguments."""
    parameters = parameters_of(model, regulariser.parameters)

    def term() -> torch.Tensor:
        return regulariser.weight * torch.stack([_size(regulariser.kind, p) for p in parameters]).sum()

    return term


def parameters_of(model: nn.Module, which: str) -> list[nn.Parameter]:
    """The parameters that a regulariser acts on, by a word of `setups.extras.PARAMETERS`."""
    if which == "scales":
        return [m.weight for m in model.modules() if isinstance(m, NORMS) and m.weight is not None]
    return [p for p in model.parameters() if which == "all" or p.dim() > 1]


def _size(kind: str, parameter: torch.Tensor) -> torch.Tensor:
    if kind == "l1":
        return parameter.abs().sum()
    if kind == "l2":
        return parameter.square().sum()
    filters = parameter.flatten(1)  # (filters, entries); the root of 0 has no gradient
    return (filters.square().sum(dim=1) + 1e-12).sqrt().sum() * math.sqrt(filters.shape[1])
