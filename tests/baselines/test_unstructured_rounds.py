"""Pruning in rounds: the ramp of AGP, the rounds of iterative magnitude pruning, and what rewinding gives back."""

import itertools
import math

import pytest
import torch
from torch import nn

from prunemark.baselines.gradual_magnitude import GradualMagnitude
from prunemark.baselines.iterative import rounds
from prunemark.baselines.lottery_ticket import LotteryTicket
from prunemark.baselines.lr_rewinding import LRRewinding
from prunemark.baselines.stretches import falling, granted, spread
from prunemark.baselines.weight_rewinding import WeightRewinding
from prunemark.setups.steps import shares_of

REWINDING = (WeightRewinding, LotteryTicket, LRRewinding)


def listening(context):
    """Notes what is decided, and the weights from which each training starts."""
    decided, starts, asked = [], [], []
    decide, train = context.decide, context.train

    def deciding(scores, allocation="uniform", share=1.0):
        decided.append(decide(scores, allocation, share))
        return decided[-1]

    def training(model, **named):
        starts.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        asked.append((named["epochs"], named.get("lr")))
        train(model, **named)

    context.decide, context.train = deciding, training
    return decided, starts, asked


def test_the_ramp_of_agp_is_equation_1():
    """s_t = s_f + (s_i - s_f) (1 - (t - t0) / (n dt))^3, with s_i = 0 and t0 = 0."""
    final, n = 0.9, 10
    published = [final + (0 - final) * (1 - t / n) ** 3 for t in range(1, n + 1)]
    assert [share * final for share in shares_of(GradualMagnitude().schedule)] == pytest.approx(published)
    assert GradualMagnitude().allocation == "uniform"


def test_agp_prunes_by_magnitude_along_the_ramp_and_trains_between(bench):
    with bench.stage() as (model, context, meter):
        decided, starts, _ = listening(context)
        decision = GradualMagnitude(schedule="agp:3", epochs=3).prune(model, context)
        assert meter.lr == [0.01] * 3 and len(decided) == 3 and len(starts) == 3
        for step, (found, start) in enumerate(zip(decided, starts, strict=True), start=1):
            gone = sum(int((~mask).sum()) for mask in found.masks.values())
            assert gone == int(0.9 * (1 - (1 - step / 3) ** 3) * 19_072 + 0.5)
            for name, mask in found.masks.items():
                assert not start[f"{name}.weight"][~mask].any()  # it trains what is left
                assert step == 1 or not (mask & ~decided[step - 2].masks[name]).any()  # masks only shrink
        for group in context.groups:
            assert not group.layer(model).weight[~decision.masks[group.name]].any()


@pytest.mark.parametrize(("sparsity", "count"), [(0.9, 11), (0.95, 14), (0.98, 18), (0.36, 2), (0.2, 1), (0.1, 1)])
def test_rounds_remove_a_fifth_of_what_is_left(sparsity, count):
    shares = rounds(sparsity, 0.2)
    assert len(shares) == count and shares[-1] == 1.0
    left = [1.0] + [1 - share * sparsity for share in shares]
    for before, after in itertools.pairwise(left[:-1]):
        assert after / before == pytest.approx(0.8)
    assert 0.8 - 1e-9 <= left[-1] / left[-2] <= 1  # the last round removes what is missing


def test_one_shot_is_one_round():
    assert rounds(0.9, 1.0) == [1.0] == rounds(0.9, 0.9)


def test_epochs_are_spread_as_equally_as_they_go():
    assert spread(60, 10) == [6] * 10 and spread(10, 4) == [2, 3, 2, 3] and spread(1, 3) == [0, 0, 1]
    assert sum(spread(17, 6)) == 17


class Stage:
    def __init__(self, exact=False, imposed=False, epochs=10):
        self.exact, self.lr_imposed, self.pruning_epochs = exact, imposed, epochs


def test_what_the_setup_imposes_goes_first():
    assert granted(30, Stage(epochs=60)) == 30 and granted(30, Stage(epochs=19)) == 19
    assert granted(30, Stage(exact=True)) == 10 and granted(0, Stage(exact=True)) == 10
    assert falling(0.1, 30, Stage(imposed=True)) is None
    assert falling(0.1, 30, Stage()) == "0:1e-1,15:1e-2,23:1e-3" and falling(0.1, 1, Stage()) == "0:1e-1"


@pytest.mark.parametrize("kind", REWINDING, ids=lambda kind: kind.__name__)
def test_masks_only_shrink_by_magnitude_and_meet_the_target(bench, kind):
    with bench.stage() as (model, context, meter):
        decided, starts, asked = listening(context)
        named = {} if kind is not WeightRewinding else {"rewind_to": 1}
        decision = kind(rate=0.5, epochs=6, **named).prune(model, context)
        assert len(decided) == 4 and asked == [(2, "0:1e-1,1:1e-2")] * 3 and meter.lr == [0.1, 0.01] * 3
        left = [sum(bench.kept(found).values()) for found in decided]
        assert left == [9_536, 4_768, 2_384, 19_072 - round(0.9 * 19_072)]
        for before, after in itertools.pairwise(decided):
            for name, mask in after.masks.items():
                assert not (mask & ~before.masks[name]).any()
        for found, start in zip(decided, starts, strict=False):
            assert all(not start[f"{name}.weight"][~mask].any() for name, mask in found.masks.items())
        assert all(torch.equal(decided[-1].masks[name], mask) for name, mask in decision.masks.items())


@pytest.mark.parametrize(("kind", "epoch"), [(WeightRewinding, 1), (LotteryTicket, 0)])
def test_the_weights_that_stay_are_those_of_the_epoch(bench, kind, epoch):
    with bench.stage(trained=True) as (model, context, _):
        early, base = context.earlier(epoch), {n: t.clone() for n, t in model.state_dict().items()}
        _, starts, _ = listening(context)
        decision = kind(rate=0.5, epochs=3, **({"rewind_to": 1} if epoch else {})).prune(model, context)
        for state in [*starts, model.state_dict()]:
            for name, tensor in state.items():
                mask = decision.masks.get(name.removesuffix(".weight"))
                same = tensor == early[name] if mask is None else (tensor == early[name])[mask]
                assert same.all(), name
        assert any(not torch.equal(early[name], base[name]) for name in base)


def test_lr_rewinding_leaves_the_weights(bench):
    with bench.stage(trained=True) as (model, context, meter):
        base = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        decision = LRRewinding(rate=1.0).prune(model, context)
        assert not meter.lr  # one round: its training is the harness's retraining
        for group in context.groups:
            mask, weight = decision.masks[group.name], group.layer(model).weight
            assert torch.equal(weight[mask], base[f"{group.name}.weight"][mask]) and not weight[~mask].any()


def test_earlier_weights_are_those_of_the_bases_own_run(bench):
    """Bit for bit: the last epoch gives the base model itself, epoch 0 its initialisation."""
    with bench.stage(seed=4) as (model, _, _):
        initial = model.state_dict()
    with bench.stage(trained=True, seed=4) as (model, context, meter):
        for epoch, expected in ((2, model.state_dict()), (0, initial)):
            found = context.earlier(epoch)
            assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
        assert not meter.lr and not meter.samples and not meter.forward_macs  # it belongs to the base
        with pytest.raises(ValueError, match="the base model was trained for 2 epochs"):
            context.earlier(3)
        with pytest.raises(ValueError, match="epochs must be a whole number"):
            context.earlier(0.5)


@pytest.mark.parametrize("setup", ["S4.1", "S4.2"])
@pytest.mark.parametrize("kind", REWINDING, ids=lambda kind: kind.__name__)
def test_imposed_epochs_are_used_exactly(bench, kind, setup):
    with bench.stage(setup=setup) as (model, context, meter):
        kind().prune(model, context)
        meter.settle()
        assert len(meter.lr) == 2 and (setup == "S4.1" or meter.lr == [0.1, 0.01])


def test_what_went_does_not_come_back_among_weights_that_are_zero(bench):
    """After the second pruning 4 of 8 are gone: the two of the first, and of three that are rewound to zero two."""
    model = nn.Sequential(nn.Linear(8, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[8.0, 7.0, 6.0, 0.1, 0.2, 5.0, 4.0, 3.0]]))
    early = torch.tensor([[0.0, 0.0, 0.0, 9.0, 9.0, 5.0, 6.0, 7.0]])
    context = bench.small_context(model, ["0"], sparsity=0.5)
    context.earlier = lambda epoch: model.state_dict() | {"0.weight": early}
    mask = LotteryTicket(rate=0.25, epochs=0).prune(model, context).masks["0"]
    assert mask.tolist() == [[False, False, True, False, False, True, True, True]]


def test_rounds_on_an_n_m_pattern_end_in_the_pattern(bench):
    model = nn.Sequential(nn.Linear(16, 6))
    context = bench.small_context(model, ["0"], sparsity=0.5, pattern=(2, 4))
    context.earlier = lambda epoch: model.state_dict()
    mask = LotteryTicket(epochs=0).prune(model, context).masks["0"]
    assert (mask.reshape(-1, 4).sum(dim=1) == 2).all() and math.isclose(mask.float().mean(), 0.5)
