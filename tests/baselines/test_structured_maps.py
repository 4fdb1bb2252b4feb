"""HRank and CHIP against their published formulas: numpy on the feature maps, one image and one filter at a time."""

import numpy as np
import pytest
import torch
from torch import nn

from prunemark.baselines.feature_maps import ChannelIndependence, HighRank, nuclear_norm

CRITERIA = {
    HighRank: lambda maps: [[np.linalg.matrix_rank(one) for one in image] for image in maps],
    ChannelIndependence: lambda maps: [
        [nuclear(image) - nuclear(np.delete(image, index, axis=0)) for index in range(len(image))]
        for image in maps.reshape(*maps.shape[:2], -1)
    ],
}


def nuclear(matrix):
    """The sum of the roots of the eigenvalues of M M^T: no singular value decomposition."""
    return np.sqrt(np.clip(np.linalg.eigvalsh(matrix.astype(np.float64) @ matrix.T.astype(np.float64)), 0, None)).sum()


def maps_of(model, group, images):
    """What comes out behind batch norm and ReLU, (images, filters, height, width)."""
    found = []
    handle = model.get_submodule(group.batch_norm_name).register_forward_hook(
        lambda module, arguments, output: found.append(output.detach().clamp(min=0).numpy())
    )
    model.eval()(images)
    handle.remove()
    return found[0]


@pytest.mark.parametrize("criterion", CRITERIA)
def test_scores_are_the_published_formula_on_the_first_images(bench, criterion):
    with bench.stage(bench.short_track("digits-resnet8"), level="50%", trained=True) as (model, context, _):
        images = torch.cat([images for images, _ in context.batches()])[:40]
        method = criterion(images=40)
        context.batches = lambda epochs=1: iter([(images[:32], None), (images[32:], None), (images[:8], None)])
        method.observe(model.eval(), context)
        for group in context.groups:
            expected = np.array(CRITERIA[criterion](maps_of(model, group, images))).sum(axis=0)
            scores = method.score(group.layer(model), context)
            np.testing.assert_allclose(scores.numpy(), expected, rtol=2e-3, atol=1e-3)


def test_the_rank_by_hand():
    """The identity has rank 2, a map of equal values 1, a map of zeros 0."""
    maps = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]], [[2.0, 2.0], [2.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]]])
    assert HighRank().score_maps(maps).tolist() == [[2.0, 1.0, 0.0]]


def test_independence_by_hand():
    """Two rows (3, 4) and one (0, 0): without one of the pair sqrt(50) becomes 5; the zero row costs nothing."""
    maps = torch.tensor([[[[3.0, 4.0]], [[3.0, 4.0]], [[0.0, 0.0]]]])
    loss = 50**0.5 - 5
    torch.testing.assert_close(ChannelIndependence().score_maps(maps), torch.tensor([[loss, loss, 0.0]]))
    orthogonal = torch.tensor([[[[3.0, 0.0]], [[0.0, 4.0]]]])  # nothing replaces either: each costs its own norm
    torch.testing.assert_close(ChannelIndependence().score_maps(orthogonal), torch.tensor([[3.0, 4.0]]))
    assert nuclear_norm(torch.eye(3)[None]).item() == pytest.approx(3.0)


@pytest.mark.parametrize(("criterion", "images"), [(HighRank, 500), (ChannelIndependence, 640)])
def test_the_published_number_of_images_is_the_default_and_one_pass_at_most_is_spent(bench, criterion, images):
    assert criterion().images == images
    with bench.stage(bench.short_track("digits-resnet8")) as (model, context, meter):
        criterion(images=33).observe(model, context)
        assert (meter.passes, meter.samples, meter.lr) == (1, 64, [])  # two batches of 32; the rest is not asked for
        assert not any(module._forward_hooks for module in model.modules())
    with bench.stage(bench.short_track("digits-resnet8")) as (model, context, meter):
        criterion().observe(model, context)
        assert (meter.passes, meter.samples) == (1, 128)


def test_maps_are_cut_to_the_number_of_images(bench):
    """33 images: all of the first batch and one of the second, whatever else the second holds."""
    with bench.stage(bench.short_track("digits-resnet8")) as (model, context, _):
        batches = list(context.batches())
        scores = []
        for second in (batches[1][0], torch.cat([batches[1][0][:1], batches[2][0][1:]])):
            context.batches = lambda epochs=1, second=second: iter([batches[0], (second, None)])
            method = HighRank(images=33)
            method.observe(model, context)
            scores.append(method.score(context.groups[0].layer(model), context))
        assert torch.equal(*scores)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_layer_without_maps_is_refused_by_name_before_anything_is_read(bench, criterion):
    with bench.stage(bench.short_track("digits-mlp7"), level="50%") as (model, context, meter):
        with pytest.raises(ValueError, match=r"layer layers\.0 is no convolution"):
            criterion().prune(model, context)
        assert meter.passes == 0


def test_a_convolution_without_batch_norm_is_looked_at_itself(bench):
    model = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1))
    context = bench.small_context(model, ["0"], batches=[(torch.eye(2).reshape(1, 1, 2, 2), None)])
    method = HighRank(images=1)
    method.observe(model, context)
    assert method.score(model[0], context).tolist() == [2.0, 0.0]  # the negative map is zero behind ReLU
