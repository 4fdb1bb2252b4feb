"""What a record says about how well its pruned network could be trained."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from prunemark.records.outcome import Diagnostics, EpochPoint
from prunemark.setups.schedule import LRSchedule

JSV_IMAGES, LARGEST_JACOBIAN = 32, 1 << 22
SLOPE_POINTS, SLOPE_P = 4, 0.05


def mean_jsv(model: nn.Module, images: torch.Tensor) -> float:
    """The mean singular value of the input-output Jacobian over images (images, channels, height, width).

    Wang & Fu, ICLR 2023 (TPP): of the logits by the pixels, in evaluation mode; the network is left as it is.
    NaN where the Jacobian of one image has more than 4 million entries: on ImageNet it has 150 million.
    Not covered: networks whose examples do not pass through independently of each other.
    """
    was_training = model.training
    model.eval()
    inputs = images.detach().clone().requires_grad_(True)
    try:
        with torch.enable_grad():
            logits = model(inputs)
            if logits.shape[1] * inputs[0].numel() > LARGEST_JACOBIAN:
                return math.nan
            rows = [
                torch.autograd.grad(logits[:, index].sum(), inputs, retain_graph=True)[0].flatten(1)
                for index in range(logits.shape[1])
            ]
    finally:
        model.train(was_training)
    jacobians = torch.stack(rows, dim=1).to(torch.float64).cpu()  # (images, classes, pixels)
    if not torch.isfinite(jacobians).all():
        return math.nan
    return float(torch.linalg.svdvals(jacobians).mean())


def diagnose(curve: Sequence[EpochPoint], schedule: LRSchedule, jsv: float | None) -> Diagnostics:
    """The diagnostics of one retraining, from its validation curve.

    Trainability accuracy (arXiv:2301.05219, eq. 1) is the mean accuracy over the first LR stage; the paper takes
    the test split, here it is the validation split, because the test split is opened once a trial. Compare it
    only between runs of one LR schedule.
    """
    accuracy = [point.validation_accuracy_percent for point in curve]
    first_stage = schedule.first_drop
    slope, p = _slope(accuracy[:first_stage]) if first_stage < schedule.epochs else (None, None)
    return Diagnostics(
        trainability_percent=sum(accuracy[:first_stage]) / len(accuracy[:first_stage]) if first_stage else None,
        first_stage_epochs=first_stage,
        mean_jsv=jsv,
        immature_decay=None if p is None else p < SLOPE_P,
        slope_pp_per_epoch=slope,
        slope_p=p,
        best_minus_last_pp=max(accuracy) - accuracy[-1] if accuracy else None,
    )


def _slope(accuracy: Sequence[float]) -> tuple[float | None, float | None]:
    """Is the curve still rising when the LR first drops? The slope of the second half, and its one-sided p.

    None for fewer than four points, which show no trend beyond noise.
    """
    points = accuracy[len(accuracy) // 2 :] if len(accuracy) >= 2 * SLOPE_POINTS else accuracy[-SLOPE_POINTS:]
    if len(points) < SLOPE_POINTS:
        return None, None
    from scipy import stats

    if len(set(points)) == 1:
        return 0.0, 1.0
    fit = stats.linregress(range(len(points)), points, alternative="greater")
    return float(fit.slope), float(fit.pvalue)
