"""LAMP on filters and the group norm of DepGraph, against their published formulas in float64 numpy."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from prunemark.baselines.group_norm import GroupNorm, group_norms, relative, shrinkage
from prunemark.baselines.lamp_filters import LampFilters

LAYER = "blocks.1.conv1"


def rows(tensor):
    return tensor.detach().numpy().astype(np.float64).reshape(len(tensor), -1)


def with_rows(values):
    layer = nn.Linear(len(values[0]), len(values))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(values))
    return layer


@pytest.fixture
def ran(bench):
    """A random network on the filter track, and what a method sees of it."""
    with bench.stage(bench.short_track("digits-resnet8"), level="50%") as (model, context, _):
        with torch.no_grad():
            for index, parameter in enumerate(model.parameters()):
                parameter.normal_(generator=torch.Generator().manual_seed(index))
        yield model, context


def published_lamp(weight):
    squares = (weight**2).sum(axis=1)
    return np.array([own / sum(other for other in squares if other >= own) for own in squares])


@pytest.mark.parametrize("layer", [nn.Conv2d(3, 12, 3), nn.Linear(20, 9)], ids=["convolution", "linear"])
def test_lamp_is_the_published_score_with_filters_for_weights(layer):
    scores = LampFilters().score(layer, None)
    np.testing.assert_allclose(scores.numpy(), published_lamp(rows(layer.weight)), rtol=1e-5)


def test_lamp_by_hand():
    """Squared norms 25, 1 and 4: 25/25, 1/30 and 4/29. Of equal ones the later counts as larger; zeros score zero."""
    np.testing.assert_allclose(
        LampFilters().score(with_rows([[3.0, 4.0], [1.0, 0.0], [0.0, 2.0]]), None).numpy(),
        [1, 1 / 30, 4 / 29],
        rtol=1e-6,
    )
    assert LampFilters().score(with_rows([[2.0], [2.0]]), None).tolist() == [0.5, 1.0]
    assert LampFilters().score(with_rows([[0.0], [0.0]]), None).tolist() == [0.0, 0.0]


def test_lamp_keeps_the_largest_filter_of_every_layer(ran):
    model, context = ran
    decision = LampFilters().prune(model, context)
    for group in context.groups:
        assert int((rows(group.layer(model).weight) ** 2).sum(axis=1).argmax()) in decision.kept[group.name].tolist()


def published_norms(model, block=1):
    """Of a block's first layer: its own rows, its batch norm's scales, and the columns of conv2 that read it."""
    own, scales, reading = (model.get_parameter(f"blocks.{block}.{part}.weight") for part in ("conv1", "bn1", "conv2"))
    return sum((rows(each) ** 2).sum(axis=1) for each in (own, scales, reading.transpose(0, 1)))


def group_of(context):
    return next(group for group in context.groups if group.name == LAYER)


def test_the_group_norm_is_of_all_coupled_weights_and_no_bias(ran):
    model, context = ran
    norms = group_norms(group_of(context), model)
    assert norms.shape == (16,)
    np.testing.assert_allclose(norms.detach().numpy(), published_norms(model), rtol=1e-5)


def test_the_shrinkage_by_hand():
    """Norms 9, 1, 5 and alpha 4: 2^0, 2^4 and 2^2; where all are equal nothing is told apart."""
    assert shrinkage(torch.tensor([9.0, 1.0, 5.0]), 4.0).tolist() == [1.0, 16.0, 4.0]
    assert shrinkage(torch.tensor([3.0, 3.0]), 4.0).tolist() == [1.0, 1.0]


def test_scores_are_relative_to_the_largest_of_their_group():
    assert relative(torch.tensor([8.0, 2.0, 4.0]), 1).tolist() == [1.0, 0.25, 0.5]
    assert relative(torch.tensor([8.0, 2.0, 4.0]), 2).tolist() == pytest.approx([8 / 6, 2 / 6, 4 / 6])
    assert relative(torch.tensor([8.0, 2.0, 5.0]), 9).tolist() == pytest.approx([8 / 5, 2 / 5, 1.0])


def penalty_of(method, model, context):
    """The penalty that the method hands to the training loop, which is not run."""
    given = []
    seen = SimpleNamespace(**vars(context) | {"train": lambda model, **how: given.append(how)})
    method.prune(model, seen)
    return given[0]


def test_the_gradient_of_the_group_penalty_is_penalty_times_gamma_times_w(ran):
    model, context = ran
    how = penalty_of(GroupNorm(penalty=5e-4, epochs=3), model, context)
    assert (how["epochs"], how["lr"]) == (3, "0:1e-2,2:1e-3")
    how["penalty"]().backward()
    norms = published_norms(model)
    gamma = 2 ** (4 * (norms.max() - norms) / (norms.max() - norms.min()))
    weight = model.get_parameter(f"{LAYER}.weight")
    expected = 5e-4 * gamma[:, None] * rows(weight)
    np.testing.assert_allclose(rows(weight.grad), expected, rtol=1e-4, atol=1e-9)
    scales = model.get_parameter("blocks.1.bn1.weight")
    np.testing.assert_allclose(scales.grad.numpy(), 5e-4 * gamma * scales.detach().numpy(), rtol=1e-4)
    reading = model.get_parameter("blocks.1.conv2.weight")  # read by the filters of this group, and by no other group
    np.testing.assert_allclose(
        reading.grad.numpy(), 5e-4 * gamma[None, :, None, None] * reading.detach().numpy(), rtol=1e-4, atol=1e-9
    )
    assert model.get_parameter("blocks.1.bn1.bias").grad is None


def test_the_lowest_group_norms_of_a_layer_go(ran):
    model, context = ran
    decision = GroupNorm(epochs=0, allocation="uniform").prune(model, context)
    norms = published_norms(model)
    gone = sorted(set(range(16)) - set(decision.kept[LAYER].tolist()))
    assert gone and norms[gone].max() < norms[decision.kept[LAYER].numpy()].min()


def scaled_apart(model):
    """Block by block 1,000 times the size: by raw norms every filter of an earlier block is below all later ones."""
    with torch.no_grad():
        for block in range(3):
            for part in ("conv1", "bn1", "conv2"):
                model.get_parameter(f"blocks.{block}.{part}.weight").mul_(1000.0 ** (block - 1))


def test_one_ranking_over_all_groups_is_by_norms_relative_to_the_largest_of_each(ran):
    """Section 3.3: I_k / max I_k. What goes is what numpy ranks lowest, whatever the scale of a layer."""
    model, context = ran
    scaled_apart(model)
    decision = GroupNorm(epochs=0).prune(model, context)
    norms = {f"blocks.{block}.conv1": published_norms(model, block) for block in range(3)}
    raw = np.concatenate([norms[group.name] for group in context.groups])
    score = np.concatenate([norms[group.name] / norms[group.name].max() for group in context.groups])
    stays = np.concatenate([np.isin(np.arange(g.size), decision.kept[g.name].numpy()) for g in context.groups])
    assert score[~stays].max() <= score[stays].min() and raw[~stays].max() > 1e6 * raw[stays].min()


def test_sparse_training_shrinks_the_weakest_groups_most(bench):
    track = bench.short_track("digits-resnet8")
    ratios = []
    for penalty in (0.0, 0.05):
        with bench.stage(track, level="50%", trained=True) as (model, context, _):
            before = {group: group_norms(group, model).detach() for group in context.groups}
            GroupNorm(penalty=penalty, epochs=5).prune(model, context)
            group = context.groups[2]
            kept = group_norms(group, model).detach() / before[group]
            ratios.append((kept[before[group].argmin()] / kept[before[group].argmax()]).item())
    assert ratios[1] < 0.5 * ratios[0]
