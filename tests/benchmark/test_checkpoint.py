"""Stopped between any two steps and gone on from a checkpoint: the same bits; and a checkpoint is whole, or none."""

import dataclasses
import itertools

import pytest
import torch
from torch import nn

from prunemark.benchmark.images.data import Images
from prunemark.benchmark.metering.meter import Meter
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.benchmark.training.checkpoint import EVERY_EPOCHS, Checkpoint, checkpoint_of, from_bytes, to_bytes
from prunemark.benchmark.training.loop import Hooks, train
from prunemark.benchmark.training.snapshot import Place
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule

SHAPE = ImageShape(1, 8, 8, 10)
SGD = Recipe(parse_schedule("0:1e-1,2:1e-2", 3), batch_size=32, augmentation="shift1", label_smoothing=0.1)
ADAMW = dataclasses.replace(SGD, optimiser="AdamW", lr=parse_schedule("0:1e-2,2:1e-3", 3))
STEPS = 4  # an epoch: three batches of 32 and one of 14


def some_images(count, seed):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(count, 1, 8, 8, generator=generator)
    return Images(images, torch.randint(0, 10, (count,), generator=generator), 10, -0.5)


DATA, VALIDATION = some_images(110, 0), some_images(50, 1)


def with_dropout(seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.BatchNorm1d(24), nn.Dropout(0.5), nn.Linear(24, 10))


NETWORKS = {"dropout": with_dropout, "resnet8": lambda seed: build_network("resnet8", SHAPE, seed)}


def run(model, recipe, start=None, keep=None, masks=None):
    meter = Meter(1000)
    points, momentum = train(
        model, DATA, recipe, seed=7, stream="t", meter=meter, validation=VALIDATION, start=start,
        hooks=Hooks(keep=keep, masks=masks or {}),
    )  # fmt: skip
    state = {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()}
    return points, meter.stage(), state, {name: value.numpy().tobytes() for name, value in momentum.items()}


def every_snapshot(model, recipe, masks=None):
    found = []
    run(model, recipe, keep=lambda place, snapshot: found.append((place, snapshot())), masks=masks)
    return found


@pytest.mark.parametrize(("network", "recipe"), list(itertools.product(NETWORKS, [SGD, ADAMW])))
def test_from_every_place_training_goes_on_with_the_same_bits(network, recipe):
    whole = run(NETWORKS[network](1), recipe)
    found = every_snapshot(NETWORKS[network](1), recipe)
    places = [Place(epoch, step) for epoch in range(3) for step in range(1, STEPS + 1)]
    places += [Place(epoch, 0) for epoch in (1, 2, 3)]
    assert sorted((p.epoch, p.step) for p, _ in found) == sorted((p.epoch, p.step) for p in places)
    for place, snapshot in found:
        torch.manual_seed(place.epoch * 10 + place.step)  # whatever the generators were
        assert run(NETWORKS[network](9), recipe, start=from_bytes(to_bytes(snapshot))) == whole, place


def test_masks_hold_after_a_stop():
    mask = torch.rand(24, 64, generator=torch.Generator().manual_seed(2)) < 0.5
    masks = {"1.weight": mask}
    whole = run(with_dropout(1), SGD, masks=masks)
    for place, snapshot in every_snapshot(with_dropout(1), SGD, masks)[::3]:
        model = with_dropout(9)
        assert run(model, SGD, start=snapshot, masks=masks) == whole, place
        assert not model[1].weight[~mask].any()


@pytest.mark.parametrize("forgotten", ["momentum", "generators", "losses", "weights"])
def test_each_part_matters(forgotten):
    """So the test above can fail."""
    whole = run(with_dropout(1), SGD)
    snapshot = dict(every_snapshot(with_dropout(1), SGD))[Place(1, 2)]
    other = {
        "momentum": {}, "generators": {"cpu": torch.Generator().manual_seed(4).get_state()},
        "losses": snapshot.losses[:1], "weights": with_dropout(9).state_dict(),
    }  # fmt: skip
    assert run(with_dropout(9), SGD, start=dataclasses.replace(snapshot, **{forgotten: other[forgotten]})) != whole


def test_it_is_saved_every_k_epochs_and_every_so_many_seconds(tmp_path):
    now, saved = [0.0], []
    checkpoint = Checkpoint(tmp_path / "c", every_epochs=10, every_seconds=100, clock=lambda: now[0])
    snapshot = every_snapshot(with_dropout(1), SGD)[0][1]

    def at(epoch, step, seconds):
        now[0] = seconds
        checkpoint.path.unlink(missing_ok=True)
        checkpoint.keep(Place(epoch, step), lambda: snapshot)
        saved.append(checkpoint.path.exists())

    for epoch in range(1, 31):
        at(epoch, 0, float(epoch))
    assert [epoch for epoch, was in enumerate(saved, 1) if was] == [10, 20, 30]
    saved.clear()
    for step in range(1, 400):
        at(30, step, 30.0 + step)
    assert [step for step, was in enumerate(saved, 1) if was] == [100, 200, 300]
    assert EVERY_EPOCHS <= 10


def test_a_full_disk_costs_the_checkpoint_and_not_the_training(tmp_path):
    (tmp_path / "file").touch()
    checkpoint = Checkpoint(tmp_path / "file" / "c", every_epochs=1)
    assert run(with_dropout(1), SGD, keep=checkpoint.keep) == run(with_dropout(1), SGD)


def test_every_flipped_byte_is_seen_and_told(tmp_path):
    snapshot = every_snapshot(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), SGD)[2][1]
    whole, told = to_bytes(snapshot), []
    path = checkpoint_of(tmp_path, "key", told.append).path
    path.parent.mkdir(parents=True)
    for at in range(0, len(whole), 41):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        assert checkpoint_of(tmp_path, "key", told.append).start is None
    for cut in (0, 10, 40, len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert checkpoint_of(tmp_path, "key", told.append).start is None
    assert len(told) == len(range(0, len(whole), 41)) + 4 and "is damaged" in told[0]
    path.write_bytes(whole)
    assert checkpoint_of(tmp_path, "key", pytest.fail).start.place == snapshot.place
    checkpoint = checkpoint_of(tmp_path, "key", pytest.fail)
    checkpoint.remove()
    assert not path.exists() and checkpoint_of(tmp_path, "key", pytest.fail).start is None
