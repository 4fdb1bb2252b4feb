"""WoodFisher: the block inverse against numpy's explicit one, and Optimal Brain Surgeon where it is exact."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from prunemark.baselines.woodfisher import FisherBlock, WoodFisher, _chunks, statistic, surgeon_update

DAMPING = 1e-3


def rows(n=7, weights=5, seed=0):
    return torch.randn(n, weights, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def explicit_inverse(gradients, damping):
    g = gradients.numpy()
    return np.linalg.inv(damping * np.eye(g.shape[1]) + g.T @ g / len(g))


def recursion(gradients, damping):
    """The paper's own way (section 3): one Sherman-Morrison step for each gradient."""
    inverse = np.eye(gradients.shape[1]) / damping
    for g in gradients.numpy():
        moved = inverse @ g
        inverse -= np.outer(moved, moved) / (len(gradients) + g @ moved)
    return inverse


@pytest.mark.parametrize(("n", "weights"), [(1, 4), (3, 8), (7, 5), (40, 6)])
@pytest.mark.parametrize("inverse_of", [explicit_inverse, recursion])
def test_the_inverse_is_that_of_the_damped_fisher_matrix(n, weights, inverse_of):
    gradients = rows(n, weights)
    block, inverse = FisherBlock(gradients, DAMPING), inverse_of(gradients, DAMPING)
    np.testing.assert_allclose(block.inverse_diagonal().numpy(), np.diag(inverse), rtol=1e-6)
    vector = torch.linspace(-1, 2, weights, dtype=torch.float64)
    np.testing.assert_allclose(block.inverse_times(vector).numpy(), inverse @ vector.numpy(), rtol=1e-6)


def test_the_statistic_and_the_update_are_the_published_ones():
    gradients, inverse = rows(seed=1), explicit_inverse(rows(seed=1), DAMPING)
    weight = torch.tensor([[0.5, -1.0, 2.0, 0.1, -0.3]])
    w, diagonal = weight.numpy()[0].astype(np.float64), np.diag(inverse)
    block = FisherBlock(gradients, DAMPING)
    np.testing.assert_allclose(statistic(weight, block).numpy()[0], w**2 / (2 * diagonal), rtol=1e-6)
    gone = torch.tensor([[False, True, False, True, False]])
    expected = sum(-w[q] * inverse[:, q] / diagonal[q] for q in (1, 3))
    np.testing.assert_allclose(surgeon_update(weight, gone, block).numpy()[0], expected, rtol=1e-6)


def test_one_weight_is_removed_at_the_least_rise_of_a_quadratic_loss():
    """Where the loss is d' F d / 2 the update is exact: w_q becomes 0, and no other point of the plane is lower."""
    gradients, damping = rows(30, 4, seed=2), 0.1
    fisher = damping * np.eye(4) + gradients.numpy().T @ gradients.numpy() / 30
    weight, gone = torch.tensor([[1.0, -0.5, 0.25, 2.0]]), torch.tensor([[False, True, False, False]])
    block = FisherBlock(gradients, damping)
    moved = surgeon_update(weight, gone, block).numpy()[0]
    assert weight.numpy()[0][1] + moved[1] == pytest.approx(0, abs=1e-9)
    rise = moved @ fisher @ moved / 2
    assert rise == pytest.approx(float(statistic(weight, block)[0, 1]), rel=1e-6)
    generator = np.random.default_rng(0)
    for _ in range(50):
        other = moved + np.insert(generator.normal(size=3), 1, 0.0) * 0.1  # still w_q = 0
        assert other @ fisher @ other / 2 >= rise


def test_without_correlation_it_is_magnitude_by_the_curvature():
    """Gradients along the axes: F is diagonal, the statistic w^2 F_qq / 2, and no other weight moves."""
    gradients = torch.diag(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    block, weight = FisherBlock(gradients, 0.5), torch.tensor([[1.0, 1.0, 1.0]])
    np.testing.assert_allclose(statistic(weight, block).numpy()[0], (0.5 + np.array([1, 4, 9]) / 3) / 2)
    gone = torch.tensor([[True, False, False]])
    np.testing.assert_allclose(surgeon_update(weight, gone, block).numpy(), [[-1.0, 0, 0]], atol=1e-12)


def network(seed=0):
    generator = torch.Generator().manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 3))
    for layer in (model[1], model[3]):
        nn.init.normal_(layer.weight, generator=generator)
    images = torch.randn(12, 1, 2, 2, generator=generator)
    return model.eval(), [(images[:7], torch.arange(7) % 3), (images[7:], torch.arange(5) % 3)]


def test_gradients_are_means_over_so_many_images_and_an_incomplete_rest_is_left_out(bench):
    model, batches = network()
    context = bench.small_context(model, ["1"], batches=batches)
    assert [len(labels) for _, labels in _chunks(context, 3)] == [3, 3, 3]
    method = WoodFisher(gradients=2, images_per_gradient=3)
    (found,) = method._gradient_rows(model, context).values()
    assert found.shape == (2, 12) and found.dtype == torch.float64
    with pytest.raises(ValueError, match="no batch has 8 images; set fewer images_per_gradient"):
        WoodFisher(images_per_gradient=8).prune(model, context)
    images, labels = batches[0]
    for row, cut in zip(found, (slice(0, 3), slice(3, 6)), strict=True):
        model.zero_grad()
        F.cross_entropy(model(images[cut]), labels[cut]).backward()
        torch.testing.assert_close(row, model[1].weight.grad.flatten().double())


def test_the_whole_method_by_numpy(bench):
    """Mask over both layers together, then the update of each; what stays is what numpy says."""
    model, batches = network(1)
    before = {name: model.get_submodule(name).weight.detach().double().clone() for name in ("1", "3")}
    context = bench.small_context(model, ["1", "3"], sparsity=1 / 3, batches=batches)
    method = WoodFisher(gradients=9, images_per_gradient=1, damping=DAMPING)
    gradients = {group.name: found for group, found in method._gradient_rows(model, context).items()}
    inverses = {name: explicit_inverse(found, DAMPING) for name, found in gradients.items()}
    scores = {n: before[n].numpy().flatten() ** 2 / np.diag(inverses[n]) for n in before}
    threshold = np.sort(np.concatenate(list(scores.values())))[7]  # 7 of 21 go
    decision = method.prune(model, context)
    for name, inverse in inverses.items():
        gone = scores[name] < threshold
        assert decision.masks[name].flatten().tolist() == (~gone).tolist()
        w = before[name].numpy().flatten()
        expected = w - inverse @ np.where(gone, w / np.diag(inverse), 0)
        np.testing.assert_allclose(
            model.get_submodule(name).weight.detach().numpy().flatten()[~gone], expected[~gone], rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("update", [True, False])
def test_weights_that_stay_move_unless_told_otherwise(bench, update):
    model, batches = network(2)
    before = model[1].weight.detach().clone()
    context = bench.small_context(model, ["1"], sparsity=0.5, batches=batches)
    mask = WoodFisher(update=update, gradients=4, images_per_gradient=2).prune(model, context).masks["1"]
    assert torch.equal(before[mask], model[1].weight[mask]) is not update


def test_it_looks_at_the_data_once_and_meets_the_target(bench):
    with bench.stage() as (model, context, meter):
        decision = WoodFisher(gradients=20, images_per_gradient=6).prune(model, context)
        assert meter.passes == 1 and not meter.lr and not meter.overdrawn
        assert sum(bench.kept(decision).values()) == 19_072 - round(0.9 * 19_072)
        assert all(torch.isfinite(tensor).all() for tensor in model.state_dict().values())
