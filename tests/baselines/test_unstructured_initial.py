"""SNIP, GraSP and SynFlow: scores against gradients and Hessians by hand, and what synaptic flow conserves."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from prunemark.baselines.grasp import Grasp, _balanced
from prunemark.baselines.snip import Snip
from prunemark.baselines.synflow import SynFlow, exponential, positive, synaptic_flow
from prunemark.benchmark.method import Group
from prunemark.benchmark.networks.registry import ImageShape, build_network

CLASSES, INPUTS = 3, 4


def softmax_regression(seed=0):
    """A linear network: its gradient and its Hessian are known in closed form."""
    generator = torch.Generator().manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(INPUTS, CLASSES, bias=False))
    with torch.no_grad():
        model[1].weight.copy_(torch.randn(CLASSES, INPUTS, generator=generator))
    images = torch.randn(6, 1, 2, 2, generator=generator)
    return model, images, torch.tensor([0, 1, 2, 0, 1, 2])


def closed_form(weight, images, labels, temperature=1.0):
    """Gradient (classes * inputs,) and Hessian of the mean cross-entropy of softmax(W x / T)."""
    w, x = weight.detach().numpy().astype(np.float64), images.flatten(1).numpy().astype(np.float64)
    logits = x @ w.T / temperature
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    gradient = ((p - np.eye(CLASSES)[labels.numpy()]).T @ x) / len(x) / temperature
    hessian = sum(
        np.kron(np.diag(q) - np.outer(q, q), np.outer(row, row)) for q, row in zip(p, x, strict=True)
    ) / len(x) / temperature**2  # fmt: skip
    return gradient.flatten(), hessian


def test_snip_is_the_size_of_gradient_times_weight(bench):
    model, images, labels = softmax_regression()
    method, context = Snip(), bench.small_context(model, ["1"], batches=[(images, labels)])
    method.observe(model, context)
    gradient, _ = closed_form(model[1].weight, images, labels)
    expected = np.abs(gradient * model[1].weight.detach().numpy().flatten())
    np.testing.assert_allclose(method.score(model[1], context).detach().numpy().flatten(), expected, rtol=1e-4)


def test_snip_is_the_gradient_by_the_mask(bench):
    """The paper's definition: the derivative of the loss by a connection that is switched off, at all of them on."""
    model, images, labels = softmax_regression(1)
    weight = model[1].weight.detach()
    mask = torch.ones_like(weight, requires_grad=True)
    F.cross_entropy(images.flatten(1) @ (weight * mask).T, labels).backward()
    method, context = Snip(), bench.small_context(model, ["1"], batches=[(images, labels)])
    method.observe(model, context)
    torch.testing.assert_close(method.score(model[1], context), mask.grad.abs())


@pytest.mark.parametrize(("batches", "expected"), [(1, 1.0), (2, 2.0), (5, 3.0)])
def test_snip_adds_up_as_many_batches_as_set(bench, batches, expected):
    model, images, labels = softmax_regression()
    scores = []
    for count, given in ((1, [(images, labels)]), (batches, [(images, labels)] * 3)):
        method, context = Snip(batches=count), bench.small_context(model, ["1"], batches=given)
        method.observe(model, context)
        scores.append(method.score(model[1], context))
    torch.testing.assert_close(scores[1], expected * scores[0])


def test_snip_leaves_the_model_as_it_was(bench):
    with bench.stage() as (model, context, meter):
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        decision = Snip().prune(model, context)
        assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
        assert meter.passes == 1 and not meter.lr and sum(bench.kept(decision).values()) == 1_907


@pytest.mark.parametrize("temperature", [1.0, 200.0])
def test_grasp_is_the_weight_times_hessian_times_gradient(bench, temperature):
    model, images, labels = softmax_regression()
    method = Grasp(images_per_class=2, temperature=temperature)
    context = bench.small_context(model, ["1"], batches=[(images, labels)])
    method.observe(model, context)
    gradient, hessian = closed_form(model[1].weight, images, labels, temperature)
    expected = model[1].weight.detach().numpy().flatten() * (hessian @ gradient)
    scores = method.score(model[1], context).detach().numpy().flatten()
    np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-6 * np.abs(expected).max())
    assert (expected < 0).any() and (expected > 0).any()  # signed: the size is another criterion


def test_grasp_removes_what_weakens_the_gradient_least(bench):
    """Removing a weight changes |g|^2 by -2 w (Hg) to first order: measured by making each a little smaller."""
    model, images, labels = softmax_regression(2)
    method = Grasp(images_per_class=2, temperature=1.0)
    context = bench.small_context(model, ["1"], batches=[(images, labels)])
    method.observe(model, context)
    scores = method.score(model[1], context).detach().numpy().flatten()
    weight, measured = model[1].weight.detach(), []
    for place in range(weight.numel()):
        less = weight.double().clone()
        less.view(-1)[place] *= 1 - 1e-6
        flow = [(closed_form(w, images, labels)[0] ** 2).sum() for w in (weight, less)]
        measured.append((flow[0] - flow[1]) / 1e-6 / 2)
    np.testing.assert_allclose(scores, measured, rtol=1e-2, atol=1e-3 * np.abs(measured).max())


def test_grasp_counts_the_gradient_of_layers_that_are_not_pruned(bench):
    """Two layers in float64, one of them prunable: Hg of that one has a part from the other's gradient."""
    generator = torch.Generator().manual_seed(3)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 5, bias=False), nn.Tanh(), nn.Linear(5, 3, bias=False)).double()
    with torch.no_grad():
        for layer in (model[1], model[3]):
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator))
    images, labels = torch.randn(6, 1, 2, 2, generator=generator).double(), torch.tensor([0, 1, 2, 0, 1, 2])
    method = Grasp(images_per_class=2, temperature=1.0)
    context = bench.small_context(model, ["1"], batches=[(images, labels)])
    method.observe(model, context)
    shapes = [model[1].weight.shape, model[3].weight.shape]
    sizes = [shape.numel() for shape in shapes]

    def loss(flat):
        first, second = (part.reshape(shape) for part, shape in zip(flat.split(sizes), shapes, strict=True))
        return F.cross_entropy(torch.tanh(images.flatten(1) @ first.T) @ second.T, labels)

    flat = torch.cat([model[1].weight.detach().flatten(), model[3].weight.detach().flatten()])
    gradient = torch.autograd.functional.jacobian(loss, flat)
    product = torch.autograd.functional.hessian(loss, flat) @ gradient
    expected = (flat * product)[: sizes[0]]
    torch.testing.assert_close(method.score(model[1], context).detach().flatten(), expected)
    alone = flat[: sizes[0]] * (
        torch.autograd.functional.hessian(loss, flat)[: sizes[0], : sizes[0]] @ gradient[: sizes[0]]
    )
    assert (alone - expected).abs().max() > 0.05 * expected.abs().max()


@pytest.mark.parametrize("method", [Snip(), Grasp(images_per_class=2, temperature=1.0)], ids=["SNIP", "GraSP"])
def test_batch_norm_is_that_of_the_batch(bench, method):
    """Its running statistics are far away: the score is that of a model that has none."""
    generator = torch.Generator().manual_seed(5)
    images, labels = torch.randn(6, 2, 3, 3, generator=generator), torch.tensor([0, 1, 2, 0, 1, 2])

    def model(running):
        made = nn.Sequential(
            nn.Conv2d(2, 3, 2, bias=False), nn.BatchNorm2d(3, track_running_stats=running), nn.ReLU(), nn.Flatten(),
            nn.Linear(12, 3),
        )  # fmt: skip
        for parameter in made.parameters():
            nn.init.uniform_(parameter, 0.5, 1.5, generator=torch.Generator().manual_seed(parameter.numel()))
        if running:
            made[1].running_mean.fill_(50.0)
            made[1].running_var.fill_(900.0)
        return made.eval()

    scores = []
    for running in (True, False):
        network = model(running)
        context = bench.small_context(network, ["0"], batches=[(images, labels)])
        method.observe(network, context)
        scores.append(method.score(network[0], context).detach())
    torch.testing.assert_close(scores[0], scores[1])


def test_grasp_takes_as_many_images_of_each_class(bench):
    model, images, labels = softmax_regression()
    batches = [(images[:3], labels[:3]), (images[3:], labels[3:]), (images + 1, labels)]
    context = bench.small_context(model, ["1"], batches=batches)
    found, classes = _balanced(model, context, 2)
    assert classes.tolist() == [0, 0, 1, 1, 2, 2] and torch.equal(found, images[[0, 3, 1, 4, 2, 5]])
    found, classes = _balanced(model, bench.small_context(model, ["1"], batches=batches[:1]), 2)
    assert classes.tolist() == [0, 1, 2]  # no more there


def test_synaptic_flow_by_hand():
    """Two layers, |w| = (1, 2; 3, 4) and (5, 6), on ones: R = 5*3 + 6*7 = 57."""
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[-1.0, 2.0], [3.0, -4.0]]))
        model[2].weight.copy_(torch.tensor([[5.0, -6.0]]))
    groups = (Group("0", 4), Group("2", 2))
    scores = synaptic_flow(positive(model), torch.ones(1, 2, dtype=torch.float64), groups)
    assert scores[groups[0]].tolist() == [[5.0, 10.0], [18.0, 24.0]] and scores[groups[1]].tolist() == [[15.0, 42.0]]
    assert model[0].weight[0, 0] == -1.0  # the model itself keeps its signs


@pytest.mark.parametrize("name", ["mlp7", "resnet8"])
def test_synaptic_flow_is_conserved_by_every_layer(name):
    """What flows into a layer flows out of it: each cut through the network carries all of R (theorem 2)."""
    model = build_network(name, ImageShape(1, 8, 8, 10), 3)
    for module in model.modules():  # a trained network has shifts: they have no part in the flow
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, generator=torch.Generator().manual_seed(1))
            nn.init.normal_(module.weight, generator=torch.Generator().manual_seed(2))
    linear, image = positive(model), torch.ones(1, 1, 8, 8, dtype=torch.float64)
    layers = [path for path, module in model.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    groups = tuple(Group(path, 0) for path in layers)
    flow = {group.name: float(values.sum()) for group, values in synaptic_flow(linear, image, groups).items()}
    total = linear(image).sum().item()
    cuts = {
        "mlp7": [[path] for path in layers],
        "resnet8": [["stem"], ["classifier"]] + [[f"blocks.{n}.conv2", f"blocks.{n}.shortcut.0"] for n in (1, 2)],
    }[name]
    assert total > 0
    for cut in cuts:
        assert sum(flow[path] for path in cut) == pytest.approx(total, rel=1e-9), cut


def test_the_schedule_is_exponential():
    shares = exponential(0.99, 100)
    left = [1 - share * 0.99 for share in shares]
    np.testing.assert_allclose(left, [0.01 ** (k / 100) for k in range(1, 101)], rtol=1e-12)
    assert exponential(0.9, 1) == [1.0]


def test_no_layer_collapses_before_it_must(bench):
    """Maximal critical compression: with as many weights left as layers, each has one; in one round it is not so."""
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 20), nn.ReLU(), nn.Linear(20, 4), nn.ReLU(), nn.Linear(4, 20))
    for layer in (model[0], model[2], model[4]):
        nn.init.normal_(layer.weight, generator=generator)
    total = 400 + 80 + 80
    context = bench.small_context(model, ["0", "2", "4"], sparsity=1 - 3 / total, image_shape=(20,))
    assert bench.kept(SynFlow().prune(model, context)) == {"0": 1, "2": 1, "4": 1}
    assert 0 in bench.kept(SynFlow(rounds=1).prune(model, context)).values()


def test_synflow_uses_no_data_and_its_masks_only_shrink(bench):
    with bench.stage(level="98%") as (model, context, meter):
        seen, decide = [], context.decide
        context.decide = lambda *given: seen.append(decide(*given)) or seen[-1]
        decision = SynFlow().prune(model, context)
        assert meter.passes == 0 and meter.samples == 0 and len(seen) == 100
        for before, after in itertools.pairwise(seen):
            for name, mask in after.masks.items():
                assert not (mask & ~before.masks[name]).any()
        assert sum(bench.kept(decision).values()) == 19_072 - round(0.98 * 19_072)
