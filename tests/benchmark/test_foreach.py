"""The optimiser steps all parameters in one call: the same bits as one after the other, which records were made by."""

import dataclasses

import pytest
import torch
from torch import nn

from prunemark.benchmark.training.loop import _optimiser
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule

RECIPE = Recipe(lr=parse_schedule("1e-1", 1))


def stepped(optimiser, model):
    generator = torch.Generator().manual_seed(1)
    for _ in range(5):
        for parameter in model.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimiser.step()
    return [value.clone() for value in model.parameters()]


def network():
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 7, 3), nn.BatchNorm2d(7), nn.Linear(5, 3))
    return layers.to(memory_format=torch.channels_last)


@pytest.mark.parametrize("changes", [{}, {"nesterov": True}, {"weight_decay": 0.0}, {"momentum": 0.0}], ids=str)
def test_the_bits_are_those_of_one_parameter_after_the_other(changes):
    together, apart = network(), network()
    recipe = dataclasses.replace(RECIPE, **changes)
    settings = {name: getattr(recipe, name) for name in ("momentum", "nesterov", "weight_decay")}
    single = torch.optim.SGD(apart.parameters(), lr=recipe.lr.initial, foreach=False, **settings)
    optimiser = _optimiser(together, recipe, None)
    assert optimiser.defaults["foreach"]
    pairs = zip(stepped(optimiser, together), stepped(single, apart), strict=True)
    assert all(torch.equal(mine, other) for mine, other in pairs)
