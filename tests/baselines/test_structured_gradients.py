"""Taylor, OBD and Kron-OBD against their published formulas: in float64, an image at a time, without the criteria."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from prunemark.baselines.kronecker import KronOBD
from prunemark.baselines.optimal_brain_damage import ChannelOBD, OptimalBrainDamage
from prunemark.baselines.taylor import TaylorFO, TaylorFOBN
from prunemark.benchmark.method import Group

STEP = 1e-6


def look(bench, name):
    """A trained network with what a method sees of it, a copy in float64, and the batches that one pass hands out."""
    track = bench.short_track(name)
    with bench.stage(track, level=track.levels[0].name, trained=True) as (model, context, _):
        batches = [(images, labels) for images, labels in context.batches()]
    context.batches = lambda epochs=1: iter(batches)  # out of the stage: what the test computes is not metered
    return model, context, copy.deepcopy(model).double(), [(i.double(), t) for i, t in batches]


@pytest.fixture(params=["digits-resnet8", "digits-mlp7", "tokens"])
def ran(request, bench):
    """A look at a network with batch norms and strides, one with biases, and one whose linear layer sees tokens."""
    if request.param != "tokens":
        return look(bench, request.param)
    model, generator = Tokens(), torch.Generator().manual_seed(0)
    batches = [(torch.randn(8, 1, 3, 4, generator=generator), torch.arange(8) % 3) for _ in range(2)]
    context = bench.small_context(model, ["shared"])
    context.groups = (Group("shared", 5),)
    context.batches = lambda epochs=1: iter(batches)
    return model, context, copy.deepcopy(model).double(), [(i.double(), t) for i, t in batches]


def observed(criterion, model, context):
    criterion.observe(model.eval(), context)
    return {group.name: criterion.score(group.layer(model), context).double().numpy() for group in context.groups}


def change(exact, scaled, images, labels):
    """The derivative of the loss by a factor on the given slices at factor 1, by central differences."""
    losses = []
    for factor in (1 + STEP, 1 - STEP):
        saved = [tensor.clone() for tensor in scaled]
        with torch.no_grad():
            for tensor in scaled:
                tensor.mul_(factor)
            losses.append(F.cross_entropy(exact(images), labels).item())
            for tensor, value in zip(scaled, saved, strict=True):
                tensor.copy_(value)
    return (losses[0] - losses[1]) / (2 * STEP)


def published_taylor(exact, batches, slices, filters):
    """Eq. 8: the sum of w * dL/dw over a filter is what the loss changes with a factor on its weights."""
    return np.array(
        [
            sum(change(exact, slices(index), images, labels) ** 2 for images, labels in batches)
            for index in range(filters)
        ]
    )


def test_taylor_is_the_squared_first_order_change_of_the_loss(ran):
    model, context, exact, batches = ran
    scores = observed(TaylorFO(), model, context)
    for group in context.groups[:3]:
        weight = group.layer(exact).weight.data
        expected = published_taylor(exact, batches, lambda index, w=weight: [w[index]], min(group.size, 12))
        np.testing.assert_allclose(scores[group.name][: len(expected)], expected, rtol=2e-2, atol=1e-3 * expected.max())


def test_taylor_on_gates_is_the_change_with_a_factor_behind_the_batch_norm(bench):
    model, context, exact, batches = look(bench, "digits-resnet8")
    scores = observed(TaylorFOBN(), model, context)
    for group in context.groups:
        gates = torch.ones(group.size, dtype=torch.float64)
        handle = group.batch_norm(exact).register_forward_hook(lambda m, a, out, g=gates: out * g[None, :, None, None])
        expected = published_taylor(exact, batches, lambda index, g=gates: [g[index : index + 1]], group.size)
        handle.remove()
        np.testing.assert_allclose(scores[group.name], expected, rtol=2e-2, atol=1e-3 * expected.max())


class Weighed(nn.Module):
    """One neuron per class, so that the gradient of each weight is known: (softmax - target) times the input."""

    def __init__(self):
        super().__init__()
        self.only = nn.Linear(2, 2, bias=False)
        nn.init.zeros_(self.only.weight)

    def forward(self, images):
        return self.only(images.flatten(1))


def test_taylor_squares_the_sum_and_does_not_sum_the_squares(bench):
    """Weights (1, -1) with gradients (-1/2, -1/2) cancel: the trap is a score of 1/2 or 1, where eq. 8 gives 0."""
    model = Weighed()
    with torch.no_grad():
        model.only.weight.copy_(torch.tensor([[1.0, -1.0], [1.0, -1.0]]))  # both classes alike: softmax is 1/2
    batch = (torch.ones(1, 1, 1, 2), torch.tensor([0]))
    context = bench.small_context(model, ["only"], batches=[batch])
    assert observed(TaylorFO(), model, context)["only"].tolist() == [0.0, 0.0]
    with torch.no_grad():
        model.only.weight.fill_(1.0)  # (1, 1): the products add up to -1 and to +1
    assert observed(TaylorFO(), model, context)["only"].tolist() == [1.0, 1.0]


def squared_gradients(exact, layers, batches):
    """The mean over single images of the squared gradient, for each layer's weight: one backward pass an image."""
    total, examples = {layer: 0.0 for layer in layers}, 0
    for images, labels in batches:
        for image, label in zip(images, labels, strict=True):
            loss = F.cross_entropy(exact(image[None]), label[None])
            for layer, gradient in zip(
                layers, torch.autograd.grad(loss, [layer.weight for layer in layers]), strict=True
            ):
                total[layer] = total[layer] + gradient.square()
            examples += 1
    return {layer: (squares / examples) for layer, squares in total.items()}


@pytest.fixture
def drawn(monkeypatch):
    """The classes that a criterion draws, batch by batch."""
    draws, original = [], torch.multinomial

    def recorded(*arguments, **named):
        draws.append(original(*arguments, **named))
        return draws[-1]

    monkeypatch.setattr(torch, "multinomial", recorded)
    return draws


def labelled(batches, draws):
    """The batches with the drawn classes in the place of their labels."""
    return [(images, classes.squeeze(1)) for (images, _), classes in zip(batches, draws, strict=True)]


@pytest.mark.parametrize("criterion", [OptimalBrainDamage, ChannelOBD])
def test_obd_is_half_the_fisher_diagonal_times_the_squared_weights(ran, drawn, criterion):
    """The empirical Fisher at the labels, the true one at classes drawn from the network's prediction."""
    model, context, exact, batches = ran
    scores = observed(criterion(), model, context)
    layers = {group.name: group.layer(exact) for group in context.groups}
    batches = batches if criterion is OptimalBrainDamage else labelled(batches, drawn)
    fisher = squared_gradients(exact, list(layers.values()), batches)
    for name, layer in layers.items():
        expected = (fisher[layer] * layer.weight.square()).flatten(1).sum(dim=1).detach().numpy() / 2
        np.testing.assert_allclose(scores[name], expected, rtol=1e-3, atol=1e-5 * expected.max())


class Tokens(nn.Module):
    """A linear layer that three tokens of each image go through, as in a transformer."""

    def __init__(self):
        super().__init__()
        self.shared, self.last = nn.Linear(4, 5), nn.Linear(5, 3)

    def forward(self, images):
        return self.last(self.shared(images.reshape(len(images), 3, 4)).relu().mean(dim=1))


def kronecker(exact, layer, batches):
    """A and S of one layer: sums over images and places of the products of inputs and of output gradients."""
    images, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    seen = {}
    handles = [
        layer.register_forward_pre_hook(lambda m, arguments: seen.update(inputs=arguments[0].detach())),
        layer.register_forward_hook(lambda m, arguments, output: seen.update(output=output)),
    ]
    loss = F.cross_entropy(exact(images), labels, reduction="sum")
    gradient = torch.autograd.grad(loss, seen["output"])[0]
    for handle in handles:
        handle.remove()
    if isinstance(layer, nn.Conv2d):
        patches = F.unfold(seen["inputs"], layer.kernel_size, padding=layer.padding, stride=layer.stride)
    elif gradient.dim() == 3:  # tokens
        patches, gradient = seen["inputs"].transpose(1, 2), gradient.transpose(1, 2)
    else:
        patches, gradient = seen["inputs"][:, :, None], gradient[:, :, None]
    if layer.bias is not None:
        patches = torch.cat([patches, torch.ones_like(patches[:, :1])], dim=1)
    gradient = gradient.flatten(2)
    a = sum(image @ image.T for image in patches) / len(images)
    s = sum(image @ image.T for image in gradient) / len(images) / gradient.shape[2]
    return a.numpy(), s.numpy()


def test_kron_obd_is_the_quadratic_form_of_its_factors(ran, drawn):
    model, context, exact, batches = ran
    scores = observed(KronOBD(), model, context)
    for group in context.groups:
        layer = group.layer(exact)
        a, s = kronecker(exact, layer, labelled(batches, drawn))
        weight = layer.weight.detach().flatten(1)
        if layer.bias is not None:
            weight = torch.cat([weight, layer.bias.detach()[:, None]], dim=1)
        expected = np.diag(s) * np.einsum("fi,ij,fj->f", weight.numpy(), a, weight.numpy()) / 2
        np.testing.assert_allclose(scores[group.name], expected, rtol=1e-3, atol=1e-6 * expected.max())


@pytest.mark.parametrize("criterion", [ChannelOBD, KronOBD])
def test_classes_are_drawn_from_the_prediction_with_the_trials_generator(bench, drawn, criterion):
    """Logits (0, log 3): the second class three times in four; the same seed draws the same classes."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2), nn.Linear(2, 2))
    with torch.no_grad():
        model[2].weight.zero_()
        model[2].bias.copy_(torch.tensor([0.0, 1.0986123]))
    batch = (torch.ones(4000, 1, 1, 2), torch.zeros(4000, dtype=torch.int64))
    for seed in (0, 0, 1):
        context = bench.small_context(model, ["1"], batches=[batch], seed=seed)
        observed(criterion(), model, context)
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    assert drawn[0].double().mean().item() == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize("criterion", [TaylorFO, TaylorFOBN, OptimalBrainDamage, ChannelOBD, KronOBD])
def test_a_look_leaves_the_network_as_it_was(bench, criterion):
    with bench.stage(bench.short_track("digits-resnet8"), trained=True) as (model, context, meter):
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        criterion().observe(model.eval(), context)
        assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
        assert not any(module._forward_hooks for module in model.modules())
        assert (meter.passes, meter.lr) == (1, [])
