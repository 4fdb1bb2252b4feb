"""SET and RigL: what is dropped, what grows, how many, when; by hand, and in the harness's loop."""

import itertools
import math

import pytest
import torch
from torch import nn

from prunemark.baselines.masked import plain_weight
from prunemark.baselines.rigl import Rigl
from prunemark.baselines.set_training import SparseEvolution
from prunemark.baselines.sparse_training import Connections, grow


def connections(mask, gradient=None):
    layer = Connections(torch.tensor(mask))
    if gradient is not None:
        layer.gradient = torch.tensor(gradient)
    return layer


class Drawing:
    """As much of a context as rewiring asks for."""

    def __init__(self, seed=0):
        self.generator = torch.Generator().manual_seed(seed)


def test_rigl_by_hand():
    """Four of eight weights; half of them are replaced: 0.1 and -0.2 go, the gradients 9 and -8 grow, from zero."""
    weight = torch.tensor([[0.1, -3.0, -0.2, 2.0], [0.0, 0.0, 0.0, 0.0]])
    layer = connections([[True] * 4, [False] * 4], [[1.0, 50.0, 2.0, 60.0], [9.0, 0.5, -8.0, 0.0]])
    Rigl(fraction=0.5).rewire(weight, layer, 0.0, Drawing())
    assert layer.mask.tolist() == [[False, True, False, True], [True, False, True, False]]
    assert weight.tolist() == [[0.0, -3.0, 0.0, 2.0], [0.0, 0.0, 0.0, 0.0]]


def test_rigl_may_grow_what_it_has_just_dropped_which_keeps_its_value():
    """Algorithm 1: candidates are all that do not stay. The dropped 0.1 has the largest gradient."""
    weight = torch.tensor([[0.1, 3.0, 0.0, 0.0]])
    layer = connections([[True, True, False, False]], [[9.0, 50.0, 1.0, 2.0]])
    Rigl(fraction=0.5).rewire(weight, layer, 0.0, Drawing())
    assert layer.mask.tolist() == [[True, True, False, False]] and weight[0, 0] == pytest.approx(0.1)


def test_rigl_replaces_a_share_that_falls_as_a_cosine():
    method = Rigl(fraction=0.3, until=0.75)
    for part in (0.0, 0.1, 0.3, 0.5, 0.74):
        assert method.replaced(part) == pytest.approx(0.15 * (1 + math.cos(part * math.pi / 0.75)))
    assert method.replaced(0.0) == pytest.approx(0.3) and method.replaced(0.75) == pytest.approx(0.0)


@pytest.mark.parametrize("part", [0.0, 0.2, 0.5, 0.7])
def test_rigl_replaces_as_many_as_the_cosine_says(part):
    generator = torch.Generator().manual_seed(1)
    weight, gradient = torch.randn(20, 20, generator=generator), torch.randn(20, 20, generator=generator)
    mask = torch.rand(20, 20, generator=generator) < 0.3
    active = int(mask.sum())
    layer = Connections(mask.clone())
    layer.gradient = torch.where(mask, 0.0, gradient)  # then nothing that was dropped grows again
    Rigl().rewire(weight.mul_(mask), layer, part, Drawing())
    count = int(0.15 * (1 + math.cos(part * math.pi / 0.75)) * active)
    assert int((mask & ~layer.mask).sum()) == int((layer.mask & ~mask).sum()) == count
    assert int(layer.mask.sum()) == active and not weight[layer.mask & ~mask].any()


def due(method, last, steps_per_epoch):
    return [step for step in range(1, last + 1) if method.due(step, last, steps_per_epoch)]


def test_when_masks_change():
    assert due(Rigl(), 1000, 391) == [100, 200, 300, 400, 500, 600, 700]  # before 0.75 of it
    assert due(Rigl(), 40, 9) == [9, 18, 27]  # an epoch is shorter than 100 steps
    assert due(Rigl(every_steps=4, until=0.5), 20, 9) == [4, 8]
    assert due(SparseEvolution(), 27, 9) == [9, 18]  # not after the last epoch


def test_set_by_hand():
    """Of three positive weights the smallest goes, of three negative ones the nearest to zero; two others grow."""
    weight = torch.tensor([[1.0, 2.0, 3.0, -0.5, -6.0, -7.0], [0.0] * 6])
    layer = connections([[True] * 6, [False] * 6])
    SparseEvolution(zeta=0.4).rewire(weight, layer, 0.1, Drawing())
    assert layer.mask[0, [1, 2, 4, 5]].all() and int(layer.mask.sum()) == 6
    assert weight[0, [1, 2, 4, 5]].tolist() == [2.0, 3.0, -6.0, -7.0] and not weight[~layer.mask].any()


def test_a_connection_of_set_that_is_drawn_again_at_once_keeps_its_weight():
    """In a dense layer there is no other place to grow."""
    weight, layer = torch.tensor([[1.0, 2.0, 3.0, -0.5, -6.0, -7.0]]), connections([[True] * 6])
    SparseEvolution(zeta=0.4).rewire(weight, layer, 0.1, Drawing())
    assert layer.mask.all() and weight.tolist() == [[1.0, 2.0, 3.0, -0.5, -6.0, -7.0]]


def test_set_grows_at_random_from_the_trials_generator_all_places_alike():
    counts = torch.zeros(2, 6)
    for seed in range(300):
        weight, layer = (
            torch.tensor([[1.0, 2.0, 3.0, -0.5, -6.0, -7.0], [0.0] * 6]),
            connections([[True] * 6, [False] * 6]),
        )
        SparseEvolution(zeta=0.4).rewire(weight, layer, 0.1, Drawing(seed))
        counts += layer.mask
    assert counts[0, [1, 2, 4, 5]].tolist() == [300.0] * 4
    others = counts[counts < 300]  # 2 of 8 places, those just dropped among them: 75 of 300 each
    assert len(others) == 8 and others.min() > 45 and others.max() < 105
    again = [torch.zeros(1, 40), torch.zeros(1, 40)]
    for weight in again:
        weight[0, :20] = torch.linspace(1, 2, 20)
        SparseEvolution().rewire(weight, connections([[True] * 20 + [False] * 20]), 0.1, Drawing(5))
    assert torch.equal(*again)


def test_new_weights_of_set_are_spread_like_the_first_ones():
    weight = torch.zeros(1, 4000)
    weight[0, :2000] = torch.cat([torch.linspace(1, 3, 1000), -torch.linspace(1, 3, 1000)])
    layer = Connections(torch.arange(4000).reshape(1, -1) < 2000, deviation=0.5)
    SparseEvolution().rewire(weight, layer, 0.1, Drawing())
    new = weight[0, 2000:][layer.mask[0, 2000:]]
    assert len(new) > 300 and new.std().item() == pytest.approx(0.5, rel=0.15)
    assert new.mean().item() == pytest.approx(0, abs=0.1)


def test_the_first_weights_are_those_of_the_base(bench):
    with bench.stage() as (model, context, _):
        before = {group: group.layer(model).weight.detach().numpy().std() for group in context.groups}
        layers = SparseEvolution().first_connections(model, context)
        assert {group: layer.deviation for group, layer in layers.items()} == pytest.approx(before, rel=1e-5)


def test_growing_fills_up_to_the_count_with_the_highest_wishes():
    weight, layer = torch.tensor([[5.0, 6.0, 0.0, 0.0]]), connections([[True, True, False, False]])
    wish, new = torch.tensor([[9.0, 9.0, 1.0, 2.0]]), torch.tensor([[7.0, 7.0, 7.0, 7.0]])
    grow(weight, layer, torch.tensor([[False, True, False, False]]), wish * torch.tensor([[0.0, 1, 1, 1]]), new)
    assert layer.mask.tolist() == [[False, True, False, True]] and weight.tolist() == [[0.0, 6.0, 0.0, 7.0]]


@pytest.mark.parametrize("method", [Rigl(epochs=4, every_steps=2), SparseEvolution(epochs=4)], ids=["RigL", "SET"])
def test_every_layer_keeps_its_number_of_weights_at_every_step(bench, method):
    with bench.stage() as (model, context, meter):
        counts, masks, left, train = [], [], [], context.train

        def watched(network, *, after_step, **named):
            parts = {g.name: g.layer(network).parametrizations.weight[0] for g in context.groups}

            def after(step):
                after_step(step)
                counts.append({name: int(part.mask.sum()) for name, part in parts.items()})
                masks.append({name: part.mask.clone() for name, part in parts.items()})
                left.append(any(plain_weight(g.layer(network))[~parts[g.name].mask].any() for g in context.groups))

            train(network, after_step=after, **named)

        context.train = watched
        decision = method.prune(model, context)
        assert meter.lr == [0.1, 0.1, 0.01, 0.001] and len(counts) == 16 and not meter.overdrawn
        assert all(found == bench.kept(decision) for found in counts)
        assert sum(counts[0].values()) == 19_072 - round(0.9 * 19_072)
        changed = [
            i + 2 for i, (a, b) in enumerate(itertools.pairwise(masks)) if any(not torch.equal(a[n], b[n]) for n in a)
        ]
        assert changed == {"Rigl": [2, 4, 6, 8, 10], "SparseEvolution": [4, 8, 12]}[type(method).__name__]
        assert not any(left[step - 1] for step in changed)  # what SGD holds of a dropped weight is zero too


def test_without_training_it_is_a_random_mask_and_n_m_is_refused(bench):
    with bench.stage() as (model, context, _):
        masks = Rigl(epochs=0).prune(model, context).masks
        assert sum(int(mask.sum()) for mask in masks.values()) == 1_907
    model = nn.Sequential(nn.Linear(8, 4))
    with pytest.raises(ValueError, match="does not follow an N:M pattern"):
        SparseEvolution().prune(model, bench.small_context(model, ["0"], pattern=(2, 4)))
