"""The training loop: against SGD written out in numpy, bit for bit where it must be, one data order a seed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from prunemark.benchmark.images.data import Images
from prunemark.benchmark.metering.meter import BudgetExceeded, Grant, Meter
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.benchmark.training.loop import Hooks, accuracy_percent, correctness, predictions, served, train
from prunemark.records.outcome import EpochPoint
from prunemark.setups.errors import InputError
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule

DIGITS = ImageShape(1, 8, 8, 10)
RECIPE = Recipe(parse_schedule("0:1e-1,2:1e-2", 4), batch_size=32, augmentation="shift1")


def some_images(n: int = 100, seed: int = 0, shape: ImageShape = DIGITS) -> Images:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(n, shape.channels, shape.height, shape.width, generator=generator)
    return Images(images, torch.randint(0, shape.classes, (n,), generator=generator), shape.classes, -0.5)


DATA = some_images()


def trained(model: nn.Module, recipe: Recipe = RECIPE, seed: int = 0, **more: object) -> tuple[EpochPoint, ...]:
    return train(model, DATA, recipe, seed=seed, stream="t", meter=Meter(1), **more)[0]  # type: ignore[arg-type]


def bits(model: nn.Module) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("name", ["resnet8", "mlp7"])
def test_the_same_seed_gives_the_same_bits(name: str) -> None:
    results = []
    for seed in (3, 3, 4):
        model = build_network(name, DIGITS, 1)
        torch.manual_seed(len(results))  # the global generator is not asked
        results.append((trained(model, seed=seed), bits(model)))
    assert results[0] == results[1]
    assert results[0][1] != results[2][1]


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_resumed_run_is_an_uninterrupted_one_bit_for_bit(cut: int) -> None:
    whole, parts = build_network("resnet8", DIGITS, 1), build_network("resnet8", DIGITS, 1)
    points = trained(whole)
    first, momentum = train(parts, DATA, RECIPE, seed=0, stream="t", meter=Meter(1), epochs=range(cut))
    carried = build_network("resnet8", DIGITS, 9)
    carried.load_state_dict(parts.state_dict())  # as from a file
    second, _ = train(
        carried, DATA, RECIPE, seed=0, stream="t", meter=Meter(1), epochs=range(cut, 4), momentum=momentum
    )
    assert first + second == points and bits(carried) == bits(whole)
    forgetful = build_network("resnet8", DIGITS, 9)
    forgetful.load_state_dict(parts.state_dict())
    train(forgetful, DATA, RECIPE, seed=0, stream="t", meter=Meter(1), epochs=range(cut, 4))
    assert bits(forgetful) != bits(whole)  # so the momentum matters, and this test can fail


def test_adamw_goes_on_as_if_it_had_never_stopped_and_dropout_is_seeded() -> None:
    """Its averages and steps are carried over, and what a layer draws depends on the epoch alone."""
    recipe = Recipe(parse_schedule("0:1e-2,2:1e-3", 4), batch_size=32, weight_decay=0.05, optimiser="AdamW")

    def model() -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(3)
            return nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Dropout(0.5), nn.Linear(20, 10))

    whole, parts = model(), model()
    torch.manual_seed(5)
    train(whole, DATA, recipe, seed=0, stream="t", meter=Meter(1))
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(1))  # the global generator is as it was
    _, momentum = train(parts, DATA, recipe, seed=0, stream="t", meter=Meter(1), epochs=range(2))
    assert set(momentum) == {f"{n}.{p}:{s}" for n in (1, 4) for p in ("weight", "bias")
                             for s in ("exp_avg", "exp_avg_sq", "step")}  # fmt: skip
    train(parts, DATA, recipe, seed=0, stream="t", meter=Meter(1), epochs=range(2, 4), momentum=momentum)
    assert bits(parts) == bits(whole)


def test_a_first_step_of_adamw_by_hand() -> None:
    """Every weight moves by the LR against its gradient's sign, after decay by LR x 0.05 (Loshchilov & Hutter 2019)."""
    data = some_images(50)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).double()
    before = model[1].weight.detach().clone()
    doubled = dataclasses.replace(data, images=data.images.double())
    torch.nn.functional.cross_entropy(model(doubled.images), doubled.labels).backward()
    sign = model[1].weight.grad / (model[1].weight.grad.abs() + 1e-8)  # AdamW's epsilon: a sign, but for the tiniest
    model.zero_grad()
    recipe = Recipe(parse_schedule("1e-2", 1), batch_size=50, weight_decay=0.05, optimiser="AdamW")
    train(model, doubled, recipe, seed=0, stream="t", meter=Meter(1))
    assert torch.allclose(model[1].weight.detach(), before * (1 - 1e-2 * 0.05) - 1e-2 * sign, atol=1e-6)


def softmax_sgd(
    batches: list[list[tuple[np.ndarray, np.ndarray]]], weight: np.ndarray, bias: np.ndarray, recipe: Recipe
) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Multinomial regression by SGD, written out in float64: v = mu v + g, w = w - lr (g + mu v or v)."""
    parameters = [weight.copy(), bias.copy()]
    velocity = [np.zeros_like(p) for p in parameters]
    losses = []
    classes = len(bias)
    for lr, epoch in zip(recipe.lr.vector, batches, strict=True):
        of_epoch = []
        for x, y in epoch:
            logits = x @ parameters[0].T + parameters[1]
            logp = logits - logits.max(axis=1, keepdims=True)
            logp = logp - np.log(np.exp(logp).sum(axis=1, keepdims=True))
            smooth = recipe.label_smoothing
            target = np.full_like(logp, smooth / classes)
            target[np.arange(len(y)), y] += 1 - smooth
            of_epoch.append(-(target * logp).sum(axis=1).mean())
            error = (np.exp(logp) - target) / len(y)
            for i, gradient in enumerate((error.T @ x, error.sum(axis=0))):
                g = gradient + recipe.weight_decay * parameters[i]
                velocity[i] = recipe.momentum * velocity[i] + g
                parameters[i] = parameters[i] - lr * (
                    g + recipe.momentum * velocity[i] if recipe.nesterov else velocity[i]
                )
        losses.append(float(np.mean(of_epoch)))
    return parameters[0], parameters[1], losses


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"momentum": 0.0, "weight_decay": 0.0},
        {"weight_decay": 0.1, "label_smoothing": 0.1},
        {"nesterov": True, "batch_size": 7},
        {"lr": parse_schedule("cosine:1e-1+warmup2", 6)},
    ],
)
def test_each_step_is_that_of_sgd_in_numpy(changes: dict[str, object]) -> None:
    shape = ImageShape(1, 2, 3, 4)
    data = some_images(30, shape=shape)
    data = dataclasses.replace(data, images=data.images.double())
    recipe = dataclasses.replace(Recipe(parse_schedule("0:5e-1,2:1e-1,3:1e-3", 5), batch_size=8), **changes)
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 4)).double()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        nn.init.normal_(model[1].weight)
    start = [parameter.detach().numpy().copy() for parameter in model.parameters()]
    meter = Meter(1)
    points, _ = train(model, data, recipe, seed=2, stream="s", meter=meter)
    batches = [
        [(x.flatten(1).numpy(), y.numpy()) for x, y in served(data, recipe, 2, "s", epoch, Meter(1))]
        for epoch in range(recipe.epochs)
    ]
    weight, bias, losses = softmax_sgd(batches, start[0], start[1], recipe)
    assert np.allclose(model[1].weight.detach().numpy(), weight, rtol=1e-10, atol=1e-13)
    assert np.allclose(model[1].bias.detach().numpy(), bias, rtol=1e-10, atol=1e-13)
    assert [point.train_loss for point in points] == pytest.approx(losses, rel=1e-10)
    assert tuple(point.lr for point in points) == meter.stage().lr == recipe.lr.vector  # executed is planned


def test_every_epoch_serves_each_image_once_in_an_order_of_its_own() -> None:
    recipe = dataclasses.replace(RECIPE, augmentation="none")
    orders = []
    for epoch in range(3):
        batches = list(served(DATA, recipe, 0, "t", epoch, Meter(1)))
        assert [len(labels) for _, labels in batches] == [32, 32, 32, 4]
        images = torch.cat([images for images, _ in batches])
        matches = (images.flatten(1)[:, None] == DATA.images.flatten(1)[None]).all(dim=2)
        order = matches.int().argmax(dim=1)
        assert sorted(order.tolist()) == list(range(100))
        assert torch.equal(torch.cat([labels for _, labels in batches]), DATA.labels[order])
        orders.append(tuple(order.tolist()))
    assert len(set(orders)) == 3


def test_models_of_one_seed_see_one_data_order() -> None:
    """Whatever the network, whatever it draws: so methods are paired by seed."""
    seen: dict[str, list[torch.Tensor]] = {}
    for name in ("resnet8", "mlp7"):
        model, pieces = build_network(name, DIGITS, 1), seen.setdefault(name, [])

        def looking(_: nn.Module, images: tuple[torch.Tensor], pieces: list[torch.Tensor] = pieces) -> None:
            pieces.append(images[0])
            torch.rand(len(pieces))  # a model that draws, too

        model.register_forward_pre_hook(looking)
        trained(model)
    assert len(seen["mlp7"]) == 4 * 4
    assert all(torch.equal(a, b) for a, b in zip(seen["resnet8"], seen["mlp7"], strict=True))


def test_streams_and_seeds_have_orders_of_their_own() -> None:
    first = [next(served(DATA, RECIPE, seed, stream, 0, Meter(1)))[1].tolist() for seed, stream in
             ((0, "pretraining"), (0, "retraining"), (1, "pretraining"))]  # fmt: skip
    assert first[0] != first[1] and first[0] != first[2]


def test_the_meter_by_hand() -> None:
    meter = Meter(macs_per_sample=57_400)
    train(build_network("mlp7", DIGITS, 0), DATA, RECIPE, seed=0, stream="t", meter=meter)
    stage = meter.stage()
    assert (stage.epochs, stage.steps, stage.samples) == (4, 4 * 4, 400)  # 100 images: 32 + 32 + 32 + 4
    assert stage.train_flops == 400 * 57_400 * 6 and stage.lr == (0.1, 0.1, 0.01, 0.01)


def test_a_single_image_at_the_end_is_left_out() -> None:
    """Batch norm cannot train on it."""
    meter = Meter(1)
    train(build_network("resnet8", DIGITS, 0), some_images(33), RECIPE, seed=0, stream="t", meter=meter)
    assert (meter.samples, meter.steps) == (4 * 32, 4)


def test_a_recipe_with_batches_of_one_image_is_refused_in_words() -> None:
    with pytest.raises(InputError, match="batch_size is a whole number, at least 2"):
        dataclasses.replace(RECIPE, batch_size=1)


def test_masked_weights_stay_zero_and_the_others_learn() -> None:
    model = build_network("mlp7", DIGITS, 1)
    weight = model.get_parameter("layers.2.weight")
    mask = torch.rand(weight.shape, generator=torch.Generator().manual_seed(0)) < 0.3
    with torch.no_grad():
        weight.mul_(mask)
    before = weight.detach().clone()
    seen: list[bool] = []
    hooks = Hooks(masks={"layers.2.weight": mask}, after_step=lambda step: seen.append(not weight[~mask].any()))
    trained(model, hooks=hooks)
    assert len(seen) == 16 and all(seen)
    assert torch.count_nonzero(weight) == mask.sum() and not torch.equal(weight, before)


def test_an_epoch_too_many_stops_the_training() -> None:
    model, meter = build_network("mlp7", DIGITS, 1), Meter(1, Grant(3, 0, 9, 100))
    with pytest.raises(BudgetExceeded, match="3 pruning epochs were granted"):
        train(model, DATA, RECIPE, seed=0, stream="t", meter=meter)
    assert meter.stage().epochs == 3 and meter.steps == 12


def test_hooks_are_called_once_a_step_and_once_an_epoch() -> None:
    steps: list[int] = []
    points: list[EpochPoint] = []
    model = build_network("mlp7", DIGITS, 1)
    returned = trained(
        model, hooks=Hooks(after_step=steps.append, on_epoch=points.append), validation=some_images(50, 1)
    )
    assert steps == list(range(1, 17)) and tuple(points) == returned
    assert [point.epoch for point in points] == [0, 1, 2, 3]
    final = accuracy_percent(correctness(model, some_images(50, 1)))
    assert points[-1].validation_accuracy_percent == final > 0


def test_a_penalty_is_added_to_the_objective_and_not_to_the_loss_that_is_reported() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    start = model[1].bias.detach().clone()
    plain = Recipe(parse_schedule("1e-1", 1), batch_size=100, momentum=0.0, weight_decay=0.0)
    twin = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    twin.load_state_dict(model.state_dict())
    (without,) = trained(model, plain)
    (with_penalty,) = trained(twin, plain, hooks=Hooks(penalty=lambda: 5.0 * twin[1].bias.sum()))
    assert with_penalty.train_loss == without.train_loss
    moved = (model[1].bias - twin[1].bias).detach()
    assert torch.allclose(moved, torch.full((10,), 0.1 * 5.0), atol=1e-6) and len(start) == 10


def test_a_loss_that_is_not_finite_is_none() -> None:
    model = build_network("mlp7", DIGITS, 1)
    points = trained(model, Recipe(parse_schedule("1e30", 2), batch_size=32))
    assert points[-1].train_loss is None and points[-1].lr == 1e30


def test_accuracy_is_exact_and_predictions_do_not_depend_on_the_batch() -> None:
    assert accuracy_percent(torch.tensor([True] * 497 + [False] * 3)) == 99.4
    model, data = build_network("resnet8", DIGITS, 1).train(), some_images(1500)
    found = predictions(model, data)
    assert not model.training and found.dtype == torch.int64 and found.shape == (1500,)
    with torch.no_grad():
        one_by_one = torch.cat([model(data.images[i : i + 1]).argmax(dim=1) for i in range(0, 1500, 50)])
    assert torch.equal(found[::50], one_by_one)
    assert torch.equal(correctness(model, data), found == data.labels)
