"""What computes a result is in its key: of a library too, where a network or the images come from one."""

import dataclasses

import pytest

from prunemark.benchmark.trial import environment
from prunemark.benchmark.trial.keys import pretrain_key
from prunemark.benchmark.trial.plan import Competitor, Trial
from prunemark.setups.budget import OWN_NOTHING, budget_for
from prunemark.setups.track import find_track


def key(**changes):
    track = dataclasses.replace(find_track("digits-resnet8"), **changes)
    level = track.levels[0]
    fine = Competitor("Fine", "pruned", "submission", None, (), "filter", OWN_NOTHING)
    return pretrain_key(Trial(track, level, "S3.2", 0, fine, budget_for(track, "S3.2", level, "pruned"), "cpu", 60.0))


@pytest.mark.parametrize(
    ("network", "dataset", "counts"),
    [("resnet8", "digits", set()), ("timm:resnet18", "digits", {"timm"}),
     ("torchvision:resnet18", "digits", {"torchvision"}), ("resnet8", "fashion-mnist", {"torchvision", "pillow"}),
     ("timm:resnet18", "fashion-mnist", {"timm", "torchvision", "pillow"})],
)  # fmt: skip
def test_the_library_of_a_network_and_of_images_is_in_the_keys(monkeypatch, network, dataset, counts):
    monkeypatch.setattr("prunemark.benchmark.trial.keys.source_of", lambda _: {})
    real, before = environment.package_versions, key(network=network, dataset=dataset)
    for name in ("timm", "torchvision", "pillow"):

        def newer(names, name=name):
            return {each: "99.0" if each == name else found for each, found in real(names).items()}

        with monkeypatch.context() as patch:
            patch.setattr(environment, "package_versions", newer)
            assert (key(network=network, dataset=dataset) != before) == (name in counts), name
