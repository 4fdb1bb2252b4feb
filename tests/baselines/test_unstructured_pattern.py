"""N:M patterns: what stays of every group, what is refused, and the gradient of SR-STE."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from prunemark.baselines.magnitude import Magnitude
from prunemark.baselines.masked import parametrized, plain_weight
from prunemark.baselines.random_weights import RandomWeights
from prunemark.baselines.sr_ste import SparseRefinedSTE, StraightThrough, largest
from prunemark.benchmark.compression.budget_solver import TargetMissed
from prunemark.benchmark.compression.sparsity import check_pattern, choose_pattern
from prunemark.benchmark.compression.surgery import prunable_groups
from prunemark.benchmark.method import Decision, Group
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.benchmark.trial.plan import check_granularity
from prunemark.benchmark.trial.pruned import check_target, scratch_model
from prunemark.setups.errors import InputError
from prunemark.setups.track_files import find_track

fixed = settings(derandomize=True, deadline=None, database=None)
TRACK = find_track("digits-resnet8-2to4")
PATTERNS = st.integers(2, 8).flatmap(lambda m: st.tuples(st.integers(1, m - 1), st.just(m)))


def by_loops(scores, n, m):
    """The pattern weight by weight: along dimension 1, at each place of the kernel."""
    values, mask = scores.numpy(), np.zeros(scores.shape, dtype=bool)
    out, inputs, *kernel = values.shape
    for o in range(out):
        for place in np.ndindex(*kernel):
            for start in range(0, inputs, m):
                group = [(values[(o, i, *place)], -i, i) for i in range(start, start + m)]
                for _, _, i in sorted(group, reverse=True)[:n]:
                    mask[(o, i, *place)] = True
    return mask


@fixed
@given(PATTERNS, st.integers(1, 4), st.integers(1, 3), st.sampled_from([(), (3, 3), (1, 2)]), st.integers(0, 9))
def test_the_best_of_every_group_stay(pattern, out, groups, kernel, seed):
    n, m = pattern
    generator = torch.Generator().manual_seed(seed)
    scores = {"a": torch.rand(out, groups * m, *kernel, generator=generator, dtype=torch.float64)}
    masks = choose_pattern(scores, pattern, 1.0, "uniform")
    assert masks["a"].numpy().tolist() == by_loops(scores["a"], n, m).tolist()
    assert largest(scores["a"], n, m).tolist() == masks["a"].tolist()  # what SR-STE trains with
    check_pattern(masks, pattern)


def test_the_pattern_by_hand_and_ties_by_place():
    scores = {"a": torch.tensor([[1.0, 4.0, 2.0, 3.0, 5.0, 5.0, 5.0, 5.0]], dtype=torch.float64)}
    assert choose_pattern(scores, (2, 4), 1.0, "uniform")["a"].int().tolist() == [[0, 1, 0, 1, 1, 1, 0, 0]]


@pytest.mark.parametrize("allocation", ["uniform", "global"])
@pytest.mark.parametrize("pattern", [(2, 4), (1, 4)])
def test_a_step_of_a_schedule_takes_its_share_of_those_that_will_go(allocation, pattern):
    generator = torch.Generator().manual_seed(0)
    scores = {n: torch.rand(4, 8, 3, 3, generator=generator, dtype=torch.float64) for n in ("a", "b")}
    end, before = choose_pattern(scores, pattern, 1.0, allocation), None
    going = 576 * (4 - pattern[0]) // 4
    for share in (0.25, 0.5, 0.75, 1.0):
        masks = choose_pattern(scores, pattern, share, allocation)
        assert sum(int((~mask).sum()) for mask in masks.values()) == int(share * going + 0.5)
        for name, mask in masks.items():
            assert not (end[name] & ~mask).any()  # nothing goes that stays in the end
            assert before is None or not (mask & ~before[name]).any()
        before = masks


def test_a_layer_that_groups_do_not_fill_is_refused():
    with pytest.raises(InputError, match="layer stem has 3 inputs, which groups of 4 do not fill"):
        choose_pattern({"stem": torch.rand(8, 3, 3, 3, dtype=torch.float64)}, (2, 4), 1.0, "uniform")
    track, shape = dataclasses.replace(TRACK, prunable=("stem",)), ImageShape(1, 8, 8, 10)
    with pytest.raises(InputError, match="layer stem has 1 inputs, which groups of 4 do not fill"):
        prunable_groups(build_network(track.network, shape, 0), track, shape)


class Trial:
    track, level, seed = TRACK, TRACK.levels[0], 0


def decision(spoil=lambda masks: None):
    model = build_network(TRACK.network, ImageShape(1, 8, 8, 10), 0)
    scores = {name: model.get_submodule(name).weight.detach().abs().double() for name in TRACK.prunable}
    masks = choose_pattern(scores, (2, 4), 1.0, "uniform")
    spoil(masks)
    return Decision({}, masks)


def test_the_target_holds_for_a_decision_made_by_hand():
    shape = ImageShape(1, 8, 8, 10)
    check_target(Trial, decision(), shape, None)

    def one_more(masks):
        masks["blocks.0.conv1"][0, 0] = True

    def swapped(masks):  # the number is right, the groups are not
        masks["blocks.0.conv1"][0, :4], masks["blocks.0.conv1"][0, 4:] = True, False

    for spoil in (one_more, swapped):
        for counts in (None, {name: int(mask.sum()) for name, mask in decision(spoil).masks.items()}):
            with pytest.raises(TargetMissed, match="2 of every 4 weights along the input stay; layer blocks.0.conv1"):
                check_target(Trial, decision(spoil), shape, counts)
    with pytest.raises(TargetMissed, match="a sparsity of 0.5000 was asked for"):
        check_target(Trial, decision(lambda masks: masks.pop("blocks.2.conv2")), shape, None)


def test_every_layer_of_the_track_is_filled_by_groups_and_half_goes():
    masks = decision().masks
    assert sum(int(mask.sum()) for mask in masks.values()) * 2 == sum(mask.numel() for mask in masks.values()) == 19_072


def test_magnitude_is_magnitude_2_4_here_and_controls_keep_the_pattern_too(bench):
    track = bench.short_track("digits-resnet8-2to4")
    with bench.stage(track) as (model, context, _):
        assert context.target.pattern == (2, 4)
        masks = Magnitude().prune(model, context).masks
        for name, mask in masks.items():
            assert mask.numpy().tolist() == by_loops(model.get_submodule(name).weight.detach().abs(), 2, 4).tolist()
        drawn = RandomWeights().prune(model, context).masks
        check_pattern(drawn, (2, 4))
        assert not torch.equal(drawn["blocks.2.conv2"], masks["blocks.2.conv2"])
    counts = {name: int(mask.sum()) for name, mask in masks.items()}
    for ratios in (counts, None):  # random weights from scratch, in a random pattern
        pruned = scratch_model(Trial, ratios, ImageShape(1, 8, 8, 10))
        check_pattern(pruned.decision.masks, (2, 4))
        assert not pruned.model.get_submodule("blocks.0.conv1").weight[~pruned.decision.masks["blocks.0.conv1"]].any()


def test_who_may_run_where():
    for granularity in ("weight", "N:M"):
        check_granularity(TRACK, "x", granularity)
    with pytest.raises(InputError, match="SR-STE needs an N:M pattern, but track digits-resnet8-weights"):
        check_granularity(find_track("digits-resnet8-weights"), "SR-STE", "N:M")
    with pytest.raises(InputError, match=r"L1 prunes filters, but track digits-resnet8-2to4@\d prunes weights"):
        check_granularity(TRACK, "L1", "filter")
    assert dataclasses.replace(TRACK, pattern=None).n_of_m is None


def test_sr_ste_by_hand():
    """2:4 of (4, -3, 2, 1): forward (4, -3, 0, 0). With output gradient g, dense: g + 0.5 * w where pruned."""
    layer, group = nn.Linear(4, 1, bias=False), Group("0", 4)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[4.0, -3.0, 2.0, 1.0]]))
    with parametrized(nn.Sequential(layer), {group: StraightThrough(2, 4, decay=0.5)}):
        assert layer.weight.tolist() == [[4.0, -3.0, 0.0, 0.0]]
        out = layer(torch.tensor([[10.0, 20.0, 30.0, 40.0]]))
        assert out.item() == -20.0
        out.backward()
        assert plain_weight(layer).grad.tolist() == [[10.0, 20.0, 30.0 + 0.5 * 2, 40.0 + 0.5 * 1]]
    assert layer.weight.tolist() == [[4.0, -3.0, 2.0, 1.0]]  # dense again


@pytest.mark.parametrize("decay", [2e-4, 0.5])
def test_sr_ste_trains_with_the_decay_that_is_set(bench, monkeypatch, decay):
    made = []
    plain = StraightThrough.__init__
    monkeypatch.setattr(
        StraightThrough, "__init__", lambda self, n, m, decay: (made.append((n, m, decay)), plain(self, n, m, decay))[0]
    )
    with bench.stage(bench.short_track("digits-resnet8-2to4")) as (model, context, _):
        SparseRefinedSTE(epochs=1, decay=decay).prune(model, context)
        assert made == [(2, 4, decay)] * len(context.groups)


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_of_sr_ste_is_the_published_one(seed):
    generator = torch.Generator().manual_seed(seed)
    layer = nn.Conv2d(8, 3, 3, bias=False)
    nn.init.normal_(layer.weight, generator=generator)
    w, images = layer.weight.detach().clone(), torch.randn(2, 8, 5, 5, generator=generator)
    mask = torch.tensor(by_loops(w.abs(), 2, 4))
    pruned = (w * mask).requires_grad_()
    nn.functional.conv2d(images, pruned).square().sum().backward()
    with parametrized(nn.Sequential(layer), {Group("0", 216): StraightThrough(2, 4, decay=2e-4)}):
        layer(images).square().sum().backward()
        torch.testing.assert_close(plain_weight(layer).grad, pruned.grad + 2e-4 * ~mask * w)


def test_sr_ste_trains_in_the_harness_and_its_mask_follows_the_weights(bench):
    track = bench.short_track("digits-resnet8-2to4")
    for setup, lr in (("S3.2", [0.1, 0.01]), ("S4.2", [0.1, 0.01])):
        with bench.stage(track, setup) as (model, context, meter):
            first = Magnitude().prune(model, context)
            decision = SparseRefinedSTE(epochs=2).prune(model, context)
            assert meter.lr == lr and not meter.overdrawn
            check_pattern(decision.masks, (2, 4))
            assert any(not torch.equal(mask, first.masks[name]) for name, mask in decision.masks.items())
