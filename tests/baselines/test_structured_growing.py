"""GReg and TPP: what their penalties are after each iteration, and what they do to the filters that go."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from prunemark.baselines.growing_regularization import GReg1, GReg2
from prunemark.baselines.trainability_preserving import TrainabilityPreserving, gram_penalty

LAYER = "blocks.1.conv1"


@pytest.fixture
def ran(bench):
    """A trained network on the filter track: 4 steps an epoch; half of the filters are to go."""
    with bench.stage(bench.short_track("digits-resnet8", pruning_epochs_limit=60), level="50%", trained=True) as (
        model,
        context,
        _,
    ):
        pass
    return model, context  # out of the stage: what the test computes is not metered


def factors(method, model, context, steps, at=LAYER):
    """lambda of each filter at each iteration, (steps, filters): what the penalty's gradient is, over the weight."""
    rows = []

    def train(model, penalty, after_step, **how):
        for step in range(1, steps + 1):
            weight = model.get_parameter(f"{at}.weight")
            gradient = torch.autograd.grad(penalty(), weight)[0]
            rows.append((gradient / weight.detach()).flatten(1).mean(dim=1).tolist())
            after_step(step)

    decision = method.prune(model, SimpleNamespace(**vars(context) | {"train": train}))
    return np.array(rows), decision.kept[at].tolist()


def l1_lowest(model, count, at=LAYER):
    return sorted(model.get_parameter(f"{at}.weight").detach().abs().flatten(1).sum(dim=1).argsort()[:count].tolist())


def test_the_penalty_of_greg1_is_raised_every_few_iterations_and_not_every_epoch(ran):
    """40 iterations, 90 % of them growth, a raise every 5: 7 raises up to 1, the first before the first iteration."""
    model, context = ran
    gone = l1_lowest(model, 8)
    values, kept = factors(GReg1(epochs=10, every=5), model, context, 40)
    assert sorted(set(range(16)) - set(kept)) == gone
    expected = [min(1 + step // 5, 7) / 7 for step in range(40)]
    np.testing.assert_allclose(values[:, gone], np.array(expected)[:, None].repeat(8, 1), rtol=1e-4)
    np.testing.assert_allclose(values[:, kept], 0, atol=1e-6)
    assert len(set(expected)) == 7 and expected[4] != expected[5], "within an epoch of 4 steps and across epochs"


def test_the_penalty_of_greg1_stays_at_its_ceiling_while_weights_settle(ran):
    model, context = ran
    values, _ = factors(GReg1(epochs=10, every=2, ceiling=0.3, growing=0.5), model, context, 40)
    at = values.max(axis=1)
    np.testing.assert_allclose(at[18:], 0.3, rtol=1e-4)  # 10 raises, the last at iteration 18
    assert (np.diff(at) >= -1e-6).all() and at[17] < 0.299


def test_greg2_grows_for_all_and_then_for_those_that_are_smallest_by_then(ran):
    """20 raises: 2 for all up to 0.01, then those picked go on to 1 and the others get the negative weight decay."""
    model, context = ran
    before = l1_lowest(model, 8)
    weight = model.get_parameter(f"{LAYER}.weight")
    strongest = int(weight.detach().abs().flatten(1).sum(dim=1).argmax())
    picked_late = {}

    def shrink_the_strongest(step):
        if step == 3:  # what is smallest when they are picked goes, not what was at the start
            with torch.no_grad():
                weight[strongest] *= 1e-3
            picked_late["lowest"] = l1_lowest(model, 8)

    rows = []

    def train(model, penalty, after_step, **how):
        for step in range(1, 41):
            gradient = torch.autograd.grad(penalty(), weight)[0]
            rows.append((gradient / weight.detach()).flatten(1).mean(dim=1).tolist())
            shrink_the_strongest(step)
            after_step(step)

    decision = GReg2(epochs=10, every=2, growing=1.0).prune(model, SimpleNamespace(**vars(context) | {"train": train}))
    values, kept = np.array(rows), decision.kept[LAYER].tolist()
    gone = sorted(set(range(16)) - set(kept))
    assert gone == picked_late["lowest"] != before and strongest in gone
    np.testing.assert_allclose(values[:2], 0.005, rtol=1e-3)
    np.testing.assert_allclose(values[2:4], 0.01, rtol=1e-3)
    expected = [0.01 + 0.99 * (1 + step // 2 - 2) / 18 for step in range(4, 40)]
    np.testing.assert_allclose(values[4:, gone], np.array(expected)[:, None].repeat(8, 1), rtol=1e-3)
    np.testing.assert_allclose(values[4:, kept], -5e-4, rtol=1e-2)


@pytest.mark.parametrize("method", [GReg1, GReg2, TrainabilityPreserving])
def test_a_single_epoch_still_reaches_the_ceiling(bench, method):
    with bench.stage(bench.short_track("digits-resnet8", pruning_epochs_limit=60), level="50%") as (
        model,
        context,
        meter,
    ):
        decision = method(epochs=1).prune(model, context)
        assert meter.lr == [0.01] and len(decision.kept[LAYER]) == 8


@pytest.mark.parametrize(("method", "most"), [(GReg1, 0.2), (GReg2, 0.2), (TrainabilityPreserving, 0.7)])
def test_what_goes_is_driven_towards_zero_and_what_stays_is_not(bench, method, most):
    track = bench.short_track("digits-resnet8", pruning_epochs_limit=40)
    with bench.stage(track, level="50%", trained=True) as (model, context, _):
        before = {group: group.layer(model).weight.detach().flatten(1).norm(dim=1) for group in context.groups}
        decision = method(epochs=40).prune(model, context)
        for group in context.groups:
            share = group.layer(model).weight.detach().flatten(1).norm(dim=1) / before[group]
            kept = decision.kept[group.name]
            gone = torch.ones(group.size, dtype=torch.bool)
            gone[kept] = False
            assert share[gone].max() < most and share[kept].min() > 0.7


def published_gram(weight, stays):
    """||W W^T * (1 - m m^T)||_F^2, entry by entry."""
    rows = weight.detach().numpy().astype(np.float64).reshape(len(weight), -1)
    return sum(
        (rows[i] @ rows[j]) ** 2 * (1 - stays[i] * stays[j]) ** 2 for i in range(len(rows)) for j in range(len(rows))
    )


def test_the_gram_penalty_is_the_published_sum():
    weight = torch.randn(6, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    stays = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    assert gram_penalty(weight, stays).item() == pytest.approx(published_gram(weight, stays.tolist()), rel=1e-5)


def test_the_gram_penalty_by_hand():
    """Rows (1, 0) stays, (1, 1) goes, (0, 2) stays: entries 1 (twice), 2 (twice) and 2 itself: 1 + 1 + 4 + 4 + 4."""
    weight = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    assert gram_penalty(weight, torch.tensor([1.0, 0.0, 1.0])).item() == 14.0
    assert gram_penalty(weight, torch.ones(3)).item() == 0.0  # between those that stay nothing is penalised


def test_tpp_is_its_gram_penalties_and_the_batch_norms_of_what_goes(ran):
    """lambda / 2 times both sums; lambda rises from 1/7 to 1, every 5 iterations and not with every epoch of 4."""
    model, context = ran
    totals = []

    def train(model, penalty, after_step, **how):
        for step in range(1, 41):
            totals.append(penalty().item())
            after_step(step)

    with torch.no_grad():
        for group in context.groups:
            group.batch_norm(model).bias.normal_(generator=context.generator)
    decision = TrainabilityPreserving(epochs=10).prune(model, SimpleNamespace(**vars(context) | {"train": train}))
    expected = 0.0
    for group in context.groups:
        stays = np.zeros(group.size)
        stays[decision.kept[group.name].numpy()] = 1
        assert sorted(np.flatnonzero(stays == 0)) == l1_lowest(model, group.size // 2, group.name)
        expected += published_gram(group.layer(model).weight, stays)
        norm = group.batch_norm(model)
        expected += ((norm.weight**2 + norm.bias**2).detach().numpy().astype(np.float64) * (1 - stays)).sum()
    assert totals == pytest.approx([expected / 2 * min(1 + step // 5, 7) / 7 for step in range(40)], rel=1e-4)


def test_tpp_decorrelates_what_goes_from_what_stays(bench):
    track = bench.short_track("digits-resnet8", pruning_epochs_limit=40)
    with bench.stage(track, level="50%", trained=True) as (model, context, _):
        start = {g: group_correlation(g.layer(model).weight, None) for g in context.groups}
        decision = TrainabilityPreserving(epochs=40).prune(model, context)
        for group in context.groups:
            kept = decision.kept[group.name]
            assert group_correlation(group.layer(model).weight, kept) < 0.5 * start[group][kept].mean()


def group_correlation(weight, kept):
    rows = weight.detach().flatten(1)
    gram = (rows @ rows.T).abs()
    if kept is None:
        return gram.mean(dim=1)
    gone = torch.ones(len(rows), dtype=torch.bool)
    gone[kept] = False
    return gram[kept][:, gone].mean()
