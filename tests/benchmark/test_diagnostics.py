"""Diagnostics by hand: the Jacobian of a linear map is its matrix, a rising line rises."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from prunemark.benchmark.trial.diagnostics import diagnose, mean_jsv
from prunemark.records.outcome import EpochPoint
from prunemark.setups.schedule import parse_schedule


def curve(values):
    return [EpochPoint(epoch, 0.1, 1.0, value) for epoch, value in enumerate(values)]


def test_the_jacobian_of_a_linear_network_is_its_matrix():
    layer = nn.Linear(12, 5)
    expected = np.linalg.svd(layer.weight.detach().double().numpy(), compute_uv=False).mean()
    assert mean_jsv(nn.Sequential(nn.Flatten(), layer), torch.randn(7, 3, 2, 2)) == pytest.approx(expected, rel=1e-6)


def test_the_jacobian_of_a_network_with_a_relu_is_that_of_its_active_part():
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
    image = torch.randn(1, 1, 2, 2)
    first, second = (net[i].weight.detach().double().numpy() for i in (1, 3))
    active = (net[1](image.flatten(1)) > 0).numpy().reshape(-1, 1)
    expected = np.linalg.svd(second @ (active * first), compute_uv=False).mean()
    assert mean_jsv(net, image) == pytest.approx(expected, rel=1e-5)


def test_scaling_the_weights_scales_it_and_leaves_the_network_as_it_was():
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False)).train()
    before = mean_jsv(net, torch.randn(2, 1, 2, 2))
    with torch.no_grad():
        net[1].weight.mul_(3)
    assert mean_jsv(net, torch.randn(2, 1, 2, 2)) == pytest.approx(3 * before, rel=1e-5)
    assert net.training and net[1].weight.grad is None


SCHEDULE = parse_schedule("0:1e-1,8:1e-2", 12)


def test_a_curve_still_rising_at_the_first_drop_is_immature():
    found = diagnose(curve([10, 20, 30, 40, 50, 60, 70, 80.5, 90, 91, 91, 90]), SCHEDULE, 0.5)
    assert found.immature_decay is True and found.slope_pp_per_epoch == pytest.approx(10.15)
    assert found.trainability_percent == pytest.approx(sum([10, 20, 30, 40, 50, 60, 70, 80.5]) / 8)
    assert (found.first_stage_epochs, found.best_minus_last_pp, found.mean_jsv) == (8, 1, 0.5)


@pytest.mark.parametrize("first", [[90] * 8, [80, 91, 90, 92, 90, 91, 92, 90], [90, 89, 88, 87, 86, 85, 84, 83]])
def test_a_curve_that_is_flat_noisy_or_falling_is_not(first):
    assert diagnose(curve([*first, 93, 93, 93, 93]), SCHEDULE, None).immature_decay is False


def test_what_cannot_be_told_is_none():
    assert diagnose(curve([90.0, 91.0]), parse_schedule("1e-2", 2), None).immature_decay is None  # it never drops
    assert diagnose(curve([50.0, 60.0, 70.0, 80.0]), parse_schedule("0:1e-1,3:1e-2", 4), None).immature_decay is None


def test_a_jacobian_that_would_not_fit_is_not_made():
    """224x224 RGB and a thousand classes: 150 million numbers an image."""
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1000)).train()
    assert math.isnan(mean_jsv(model, torch.zeros(2, 3, 224, 224))) and model.training
    assert mean_jsv(model, torch.zeros(2, 3, 16, 16)) > 0
