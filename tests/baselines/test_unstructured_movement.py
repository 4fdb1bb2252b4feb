"""Movement pruning and masks that change during training: gradients by hand, scores by numpy."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from prunemark.baselines.masked import MaskedWeight, parametrized, plain_weight
from prunemark.baselines.movement import Movement, MovementPruning
from prunemark.benchmark.method import Group


def trained_by(context, model, images, labels, steps, lr):
    """Plain SGD in place of the harness's loop: `train` of a context by hand."""

    def train(network, *, epochs, lr=lr, after_step=None, **_):
        for step in range(1, steps + 1):
            network.zero_grad()
            F.cross_entropy(network(images), labels).backward()
            with torch.no_grad():
                for parameter in network.parameters():
                    parameter.sub_(parameter.grad, alpha=0.5)
            after_step(step)

    context.train = train
    context.steps_per_epoch = steps
    return context


def regression(seed=0):
    generator = torch.Generator().manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 3, bias=False))
    nn.init.normal_(model[0].weight, generator=generator)
    return model, torch.randn(9, 4, generator=generator), torch.arange(9) % 3


def test_the_network_runs_masked_and_both_gradients_are_right():
    """y = (w * m) x with w = (2, 3), m = (1, 0), x = (5, 7): dy/d(w m) = (5, 7), dy/dw = (5, 0)."""
    layer, heard = nn.Linear(2, 1, bias=False), []
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[2.0, 3.0]]))
    part = MaskedWeight(torch.tensor([[True, False]]), lambda g, w: heard.append((g.tolist(), w.tolist())))
    model, group = nn.Sequential(layer), Group("0", 2)
    with parametrized(model, {group: part}):
        out = model(torch.tensor([[5.0, 7.0]]))
        assert out.item() == 10.0
        out.backward()
        assert heard == [([[5.0, 7.0]], [[2.0, 3.0]])] and plain_weight(layer).grad.tolist() == [[5.0, 0.0]]
        part.mask = torch.tensor([[False, True]])
        assert model(torch.tensor([[5.0, 7.0]])).item() == 21.0
    assert layer.weight.tolist() == [[2.0, 3.0]] and [name for name, _ in model.named_parameters()] == ["0.weight"]


def test_a_parametrization_is_taken_off_when_training_fails():
    model = nn.Sequential(nn.Linear(2, 1))
    with (
        pytest.raises(RuntimeError, match="diverged"),
        parametrized(model, {Group("0", 2): MaskedWeight(torch.ones(1, 2, dtype=torch.bool))}),
    ):
        raise RuntimeError("diverged")
    assert "0.weight" in model.state_dict()


def test_a_score_rises_when_a_weight_moves_away_from_zero():
    """SGD moves a weight against its gradient: w = 1 with gradient -2 grows, w = -1 with gradient -2 shrinks."""
    scores = torch.zeros(2)
    Movement(scores)(torch.tensor([-2.0, -2.0]), torch.tensor([1.0, -1.0]))
    assert scores.tolist() == [2.0, -2.0]


@pytest.mark.parametrize(
    ("part", "share"), [(0.0, 0.0), (0.1, 0.0), (0.45, 0.875), (0.8, 1.0), (0.9, 1.0), (1.0, 1.0), (0.275, 37 / 64)]
)
def test_the_ramp_is_cubic_between_warm_up_and_cool_down(part, share):
    assert MovementPruning().share(part) == pytest.approx(share, abs=1e-12)


def numpy_movement(weight, images, labels, steps, share, sparsity):
    """The published method on a softmax regression: masks by the Top_v of the sums of -(dL/dW') W."""
    w, x, y = weight.astype(np.float64), images.numpy().astype(np.float64), np.eye(3)[labels.numpy()]
    scores, mask = np.zeros_like(w), np.ones_like(w)
    for step in range(1, steps + 1):
        logits = x @ (w * mask).T
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        gradient = (p / p.sum(axis=1, keepdims=True) - y).T @ x / len(x)
        scores -= gradient * w
        w -= 0.5 * gradient * mask
        gone = int(share(step / steps) * sparsity * w.size + 0.5)
        mask = np.ones(w.size)
        mask[np.argsort(scores.flatten(), kind="stable")[:gone]] = 0
        mask = mask.reshape(w.shape)
    return scores, mask, w


@pytest.mark.parametrize("seed", range(3))
def test_the_whole_method_by_numpy(bench, seed):
    model, images, labels = regression(seed)
    start = model[0].weight.detach().numpy().copy()
    method, steps = MovementPruning(epochs=1), 20
    context = trained_by(bench.small_context(model, ["0"], sparsity=0.5), model, images, labels, steps, "1e-2")
    decision = method.prune(model, context)
    _, mask, weight = numpy_movement(start, images, labels, steps, method.share, 0.5)
    assert decision.masks["0"].numpy().tolist() == mask.astype(bool).tolist()
    np.testing.assert_allclose(model[0].weight.detach().numpy(), weight, rtol=1e-4, atol=1e-5)


def test_a_weight_that_was_masked_out_can_come_back(bench):
    """Of two weights the one with the lower score is out; the gradient still scores it, and it overtakes."""
    model = nn.Sequential(nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, 1.0]]))
    context = bench.small_context(model, ["0"], sparsity=0.5)
    context.steps_per_epoch, masks = 4, []
    wanted = iter([[-1.0, 0.0], [0.0, -5.0], [0.0, 0.0], [0.0, 0.0]])  # gradients by the masked weights

    def train(network, *, after_step, **_):
        for step in range(4):
            (network(torch.eye(2)).flatten() * torch.tensor(next(wanted))).sum().backward()
            after_step(step)
            masks.append(network[0].parametrizations.weight[0].mask.flatten().tolist())

    context.train = train
    decision = MovementPruning(warm_up=0.0, epochs=1).prune(model, context)
    assert masks == [[True, False], [False, True], [False, True], [False, True]]
    assert decision.masks["0"].tolist() == [[False, True]]


def test_it_trains_in_the_harness_and_meets_the_target(bench):
    with bench.stage() as (model, context, meter):
        decision = MovementPruning(epochs=2).prune(model, context)
        assert meter.lr == [0.01, 0.01] and not meter.overdrawn
        assert sum(bench.kept(decision).values()) == 19_072 - round(0.9 * 19_072)
    with bench.stage(setup="S4.2") as (model, context, meter):
        MovementPruning().prune(model, context)
        assert meter.lr == [0.1, 0.01] and not meter.overdrawn
    with bench.stage() as (model, context, meter):  # without training there are no movements
        assert sum(bench.kept(MovementPruning(epochs=0).prune(model, context)).values()) == 1_907 and not meter.lr
