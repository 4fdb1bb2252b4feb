"""What a decision does not keep is held at zero: the masked network computes what the physically cut one does."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torchvision.models import DenseNet

from prunemark.benchmark.compression.surgery import cut
from prunemark.benchmark.method import Decision, FilterCriterion, WeightCriterion
from prunemark.benchmark.networks import registry
from prunemark.benchmark.networks.registry import ImageShape

DIGITS = ImageShape(1, 8, 8, 10)
LAYERS = {
    "mlp7": ("layers.0", "layers.3"),
    "resnet8": ("blocks.0.conv1", "blocks.2.conv1"),
    "resnet8, a residual sum": ("stem", "blocks.1.conv1"),  # the stem stands for all that writes into its sum
    "mobilenetv2": ("blocks.1.expand", "blocks.4.expand"),  # a depthwise convolution with a batch norm of its own
    "small densenet": (  # the second one's channels are read behind a batch norm over several layers' channels
        "features.denseblock1.denselayer1.conv1",
        "features.denseblock1.denselayer1.conv2",
    ),
}


def small_densenet(shape: ImageShape) -> nn.Module:
    model = DenseNet(growth_rate=6, block_config=(2, 2), num_init_features=8, bn_size=2, num_classes=shape.classes)
    model.features.conv0 = nn.Conv2d(shape.channels, 8, 7, stride=2, padding=3, bias=False)
    return model


@pytest.fixture(params=LAYERS)
def staged(request, bench, monkeypatch):
    """(model, context, decision): a network whose batch norms are no identity; of its layers every third filter."""
    monkeypatch.setitem(registry.NETWORKS, "small densenet", small_densenet)
    network, layers = request.param.partition(",")[0], LAYERS[request.param]
    track = bench.short_track("digits-resnet8", network=network, prunable=layers)
    with bench.stage(track, level="50%") as (model, context, _):
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for module in model.modules():
                if isinstance(module, nn.BatchNorm2d):
                    for tensor in (module.weight, module.bias, module.running_mean):
                        tensor.normal_(generator=generator)
        kept = {group.name: torch.arange(0, group.size, 3) for group in context.groups}
        yield model, context, Decision(kept, {})


def assert_computes_the_same(masked, dense, decision):
    small = cut(copy.deepcopy(dense), decision.kept, DIGITS)  # traced with float32 images
    images = torch.randn(5, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        found, expected = (copy.deepcopy(model).double().eval()(images) for model in (masked, small))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)


def test_a_network_with_filters_removed_computes_what_the_cut_one_does(staged):
    model, context, decision = staged
    dense = copy.deepcopy(model)
    context.remove(model, decision)
    assert_computes_the_same(model, dense, decision)


def test_filters_stay_removed_while_the_network_trains(staged):
    model, context, decision = staged
    before = copy.deepcopy(model)
    context.train(model, epochs=1, lr="1e-1", keep=decision)
    assert_computes_the_same(model, model, decision)
    for group in context.groups:  # and what stays was trained
        kept = decision.kept[group.name]
        assert not torch.equal(group.layer(model).weight[kept], group.layer(before).weight[kept])


@pytest.mark.parametrize("name", ["digits-resnet8", "digits-mlp7"])
def test_on_the_digits_tracks_only_the_layer_and_its_batch_norm_are_zeroed(bench, name):
    """There nothing else writes the channels: not a bit of what was measured on them depends on more than these."""
    with bench.stage(bench.short_track(name), level="50%") as (model, context, _):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(1.0)
        context.remove(model, Decision({group.name: torch.arange(1) for group in context.groups}, {}))
        layers = [layer for group in context.groups for layer in (group.name, group.batch_norm_name) if layer]
        own = {f"{layer}.{key}" for layer in layers for key, _ in model.get_submodule(layer).named_parameters()}
        for parameter, values in model.named_parameters():
            assert values[0].all() and bool(values[1:].any()) == (parameter not in own), parameter


class LooksAtFilters(FilterCriterion):
    """Notes how many filters of each layer are all zero whenever it looks, and scores by the L1 norm."""

    def observe(self, model, context):
        rows = {group.name: group.layer(model).weight.detach().flatten(1) for group in context.groups}
        self.seen = [*getattr(self, "seen", []), {name: int((~each.any(dim=1)).sum()) for name, each in rows.items()}]

    def score(self, layer, context):
        return layer.weight.flatten(1).abs().sum(dim=1)


class LooksAtWeights(WeightCriterion):
    """The same of single weights."""

    def observe(self, model, context):
        zeros = {group.name: int((group.layer(model).weight == 0).sum()) for group in context.groups}
        self.seen = [*getattr(self, "seen", []), zeros]

    def score(self, layer, context):
        return layer.weight.abs()


@pytest.mark.parametrize(
    ("kind", "track"), [(LooksAtFilters, "digits-resnet8"), (LooksAtWeights, "digits-resnet8-weights")]
)
@pytest.mark.parametrize("epochs", [0, 1, 3])
def test_every_look_of_a_schedule_is_at_what_is_left(bench, kind, track, epochs):
    """With no epochs between the steps, with fewer than steps, and with one for each."""
    with bench.stage(bench.short_track(track)) as (model, context, meter):
        decided, decide = [], context.decide

        def deciding(*how):
            decided.append(decide(*how))
            return decided[-1]

        context.decide = deciding
        method = kind(schedule="rounds:3", epochs=epochs)
        method.prune(model, context)
        assert len(meter.lr) == epochs
    sizes = {group.name: group.size for group in context.groups}
    gone = [
        {name: sizes[name] - len(stay) for name, stay in each.kept.items()}
        | {name: int((~mask).sum()) for name, mask in each.masks.items()}
        for each in decided
    ]
    assert method.seen == [dict.fromkeys(sizes, 0), *gone[:2]]
    assert 0 < sum(gone[0].values()) < sum(gone[1].values())


def test_one_shot_leaves_the_weights_to_the_harness(bench):
    """Nothing is set to zero for a decision that the harness carries out itself."""
    with bench.stage(bench.short_track("digits-resnet8")) as (model, context, _):
        before = copy.deepcopy(model.state_dict())
        LooksAtFilters().prune(model, context)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
