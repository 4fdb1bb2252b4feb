"""Several processes that train together: what one process gives, but for the last bits of sums."""

import dataclasses
import itertools
import math

import pytest
import torch
from support.image_folders import prepared, write_tree
from torch import nn

from prunemark.benchmark.images.data import Images
from prunemark.benchmark.images.sources import VARIABLE
from prunemark.benchmark.metering.meter import Meter
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.benchmark.training.checkpoint import from_bytes, to_bytes
from prunemark.benchmark.training.extras import objective_of
from prunemark.benchmark.training.loop import EVALUATION_BATCH, Hooks, train
from prunemark.benchmark.training.processes import Processes, here
from prunemark.benchmark.training.together import run_together
from prunemark.benchmark.training.whole_batch import check_examples_are_apart
from prunemark.setups.errors import InputError
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule

SHAPE = ImageShape(1, 8, 8, 10)
SGD = Recipe(parse_schedule("0:1e-1,1:1e-2", 2), batch_size=32, augmentation="shift1", label_smoothing=0.1)
RECIPES = {
    "SGD": SGD,
    "AdamW": dataclasses.replace(SGD, optimiser="AdamW", lr=parse_schedule("1e-2", 2)),
    "distilled": dataclasses.replace(SGD, distillation="temperature=4,weight=0.5", regulariser="l1:1e-4 on scales"),
}


def some_images(count, seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(count, 1, 8, 8, generator=generator).to(dtype)
    return Images(images, torch.randint(0, 10, (count,), generator=generator), 10, -0.5)


def with_dropout(seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.BatchNorm1d(24), nn.Dropout(0.5), nn.Linear(24, 10))


def trained(name, examples, network="resnet8", start=None, keep=None, dtype=torch.float64):
    """What a process has in the end; weights of one layer are masked."""
    model = (with_dropout(1) if network == "dropout" else build_network(network, SHAPE, 1)).to(dtype)
    meter, recipe = Meter(1000), RECIPES[name]
    teacher = build_network(network, SHAPE, 5).to(dtype) if recipe.distillation else None
    first = next(n for n, p in model.named_parameters() if p.dim() > 1)
    mask = (torch.arange(model.get_parameter(first)[0].numel()) % 3 > 0).reshape(model.get_parameter(first)[0].shape)
    points, momentum = train(
        model, some_images(examples, 0, dtype), recipe, seed=7, stream="t", meter=meter, start=start,
        validation=some_images(50, 1, dtype),
        hooks=Hooks(objective=objective_of(recipe, model, teacher, 700, meter), masks={first: mask}, keep=keep),
    )  # fmt: skip
    return points, meter.stage(), model.state_dict(), momentum


def together(count, calls, folder):
    """The same in so many processes: a list of results for each of them."""

    def work():
        torch.save([trained(*call) for call in calls], folder / str(here().rank))

    run_together(count, "cpu", "a test", work)
    return [torch.load(folder / str(rank), weights_only=False) for rank in range(count)]


def difference(a, b):
    """The largest of any weight or running statistic, against the largest there is."""
    assert a.keys() == b.keys()
    return max(float((a[name] - b[name]).abs().max() / (1e-9 + b[name].abs().max())) for name in a)


def assert_alike(found, alone, relative):
    (points, stage, weights, momentum), (points1, stage1, weights1, momentum1) = found, alone
    assert stage == stage1  # epochs, LRs, samples, steps and FLOPs, to the last one
    assert difference(weights, weights1) < relative and difference(momentum, momentum1) < 100 * relative
    for point, point1 in zip(points, points1, strict=True):
        assert math.isclose(point.train_loss, point1.train_loss, rel_tol=relative)
        assert point.validation_accuracy_percent == point1.validation_accuracy_percent


@pytest.mark.parametrize("count", [2, 3])
def test_processes_give_what_one_process_gives(count, tmp_path):
    """Of 98 examples the last batch has two: of three processes one has none. In float64, where rounding is small."""
    calls = [*itertools.product(RECIPES, [98]), ("SGD", 98, "mlp7"), ("SGD", 97)]
    found = together(count, calls, tmp_path)
    for number, call in enumerate(calls):
        alone = trained(*call)
        assert_alike(found[0][number], alone, 1e-9)
        for other in found[1:]:
            assert difference(other[number][2], found[0][number][2]) == 0.0, "the processes drift apart"


def test_in_float32_two_processes_stay_within_a_hundred_thousandth_over_an_epoch(tmp_path):
    call = ("SGD", 98, "mlp7", None, None, torch.float32)
    assert_alike(together(2, [call], tmp_path)[0][0], trained(*call), 1e-5)


def test_layers_that_draw_draw_apart_and_training_goes_on_from_within_an_epoch(tmp_path):
    """Dropout has a stream for each process; from a checkpoint between steps it goes on in all of them."""

    def whole():
        kept = []
        result = trained("SGD", 98, "dropout", None, lambda place, snapshot: kept.append((place, snapshot)))
        torch.save(result, tmp_path / f"whole-{here().rank}")
        assert bool(kept) == here().first, "who is not the first keeps nothing"

    def cut():
        def keep(place, snapshot):
            if (place.epoch, place.step) == (1, 2):
                (tmp_path / "checkpoint").write_bytes(to_bytes(snapshot()))

        trained("SGD", 98, "dropout", None, keep)

    def resumed():
        start = from_bytes((tmp_path / "checkpoint").read_bytes()) if here().first else None
        torch.save(trained("SGD", 98, "dropout", start), tmp_path / f"resumed-{here().rank}")

    for work in (whole, cut, resumed):
        run_together(2, "cpu", "a test", work)
    first, second = (torch.load(tmp_path / f"{name}-0", weights_only=False) for name in ("whole", "resumed"))
    assert first[:2] == second[:2] and difference(first[2], second[2]) == 0.0
    assert difference(first[2], trained("SGD", 98, "dropout")[2]) > 1e-6, "other masks than those of one process"


@pytest.mark.parametrize("in_files", [False, True])
def test_shares_are_the_batch_of_one_process_in_its_order_and_augmentation(in_files, tmp_path, monkeypatch):
    data, kind = some_images(50, 0, torch.float32), "crop-flip"
    if in_files:
        monkeypatch.setenv(VARIABLE, str(tmp_path))
        write_tree(tmp_path / "insects")
        data, kind = prepared("folder:insects@16/files", tmp_path / "splits")["train"], "resized-crop"
    batches = list(torch.arange(len(data)).flip(0).split(7))

    def served(part):
        return list(data.served(iter(batches), kind, torch.Generator().manual_seed(3), 1, part))

    whole = served(Processes().part)
    shares = [served(Processes(rank, 3).part) for rank in range(3)]
    for number, (images, labels) in enumerate(whole):
        parts = [s[number] for r, s in enumerate(shares) if Processes(r, 3).weight(len(labels)) > 0]
        assert torch.equal(torch.cat([part for part, _ in parts]), images)
        assert torch.equal(torch.cat([part for _, part in parts]), labels)


def test_weights_of_shares_make_the_mean_of_the_batch():
    for examples, count in itertools.product(range(1, 12), range(1, 6)):
        all_of = [Processes(rank, count) for rank in range(count)]
        assert sum(p.weight(examples) for p in all_of) == pytest.approx(count)
        covered = [n for p in all_of if p.weight(examples) for n in range(examples)[p.part(examples)]]
        assert covered == list(range(examples))
        assert all(len(range(examples)[p.part(examples)]) for p in all_of), "each has something to compute on"


def test_evaluation_is_cut_at_whole_batches():
    data = some_images(2 * EVALUATION_BATCH + 5, 0)
    parts = [Processes(rank, 2).some_of(data, EVALUATION_BATCH) for rank in range(2)]
    assert [len(part) for part in parts] == [EVALUATION_BATCH, EVALUATION_BATCH + 5]
    assert torch.equal(torch.cat([part.images for part in parts]), data.images)


class Centred(nn.Module):
    """Computes with the batch by its own hands."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, images):
        return self.scale * (images - images.mean(0)).flatten(1)


def test_a_network_that_looks_at_the_whole_batch_by_other_means_is_refused():
    for name in ("resnet8", "resnet56", "mlp7", "vgg19", "timm:deit_tiny_patch16_224", "torchvision:mobilenet_v2"):
        shape = dataclasses.replace(SHAPE, channels=3, height=224, width=224) if ":" in name else SHAPE
        shape = dataclasses.replace(SHAPE, channels=3, height=32, width=32) if name == "vgg19" else shape
        check_examples_are_apart(build_network(name, shape, 0), shape)
    check_examples_are_apart(with_dropout(0), SHAPE)
    with pytest.raises(InputError, match="leave --devices-per-trial out"):
        check_examples_are_apart(Centred(), SHAPE)
