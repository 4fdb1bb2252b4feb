"""Network slimming and soft filter pruning: the penalty's gradient, what is zero when, and what goes."""

from types import SimpleNamespace

import pytest
import torch

from prunemark.baselines.network_slimming import NetworkSlimming
from prunemark.baselines.soft_filters import SoftFilterPruning


@pytest.fixture
def track(bench):
    return bench.short_track("digits-resnet8", pruning_epochs_limit=60)


def handed_over(method, model, context):
    """What the method asks of the training loop, which is not run."""
    given = []
    seen = SimpleNamespace(**vars(context) | {"train": lambda model, **how: given.append(how)})
    return method.prune(model, seen), given[0]


def scales_of(model, context):
    return {group: group.batch_norm(model).weight for group in context.groups}


def test_the_gradient_of_the_slimming_penalty_is_its_weight_times_the_sign(bench, track):
    with bench.stage(track, level="50%") as (model, context, _):
        with torch.no_grad():
            for scale in scales_of(model, context).values():
                scale.normal_(generator=context.generator)
                scale[0] = 0
        _, how = handed_over(NetworkSlimming(penalty=3e-3), model, context)
        loss = how["penalty"]()
        loss.backward()
        total = sum(scale.abs().sum() for scale in scales_of(model, context).values())
        assert loss.item() == pytest.approx(3e-3 * total.item())
        for scale in scales_of(model, context).values():
            torch.testing.assert_close(scale.grad, 3e-3 * scale.detach().sign())  # and 0 at 0
        assert model.stem_bn.weight.grad is None  # a layer that may not be pruned


def test_slimming_trains_a_short_version_of_the_papers_schedule(bench, track):
    """Twenty epochs for the paper's 160, whose LR falls at the same shares; the recipe that follows is the paper's."""
    with bench.stage(track, level="50%") as (model, context, _):
        _, how = handed_over(NetworkSlimming(), model, context)
    assert (how["epochs"], how["lr"]) == (20, "0:1e-1,10:1e-2,15:1e-3")
    lrs = [recipe.lr for recipe in NetworkSlimming.retraining]
    assert (NetworkSlimming().penalty, lrs) == (1e-4, ["0:1e-1,80:1e-2,120:1e-3", "0:1e-3"])


def test_slimming_ranks_the_scales_of_all_layers_together(bench, track):
    """The first layer's scales are the largest by far: it loses none while others can."""
    with bench.stage(track, level="50%") as (model, context, _):
        with torch.no_grad():
            for index, scale in enumerate(scales_of(model, context).values()):
                scale.copy_((-1) ** torch.arange(len(scale)) * (torch.arange(len(scale)) + 1) * 10.0 ** -(2 * index))
        decision, _ = handed_over(NetworkSlimming(), model, context)
    sizes = {group.name: group.size for group in context.groups}
    kept = {name: indices.tolist() for name, indices in decision.kept.items()}
    assert kept["blocks.0.conv1"] == list(range(8)) and len(kept["blocks.2.conv1"]) < sizes["blocks.2.conv1"]
    for name, indices in kept.items():  # by size and not by sign: the last ones are largest
        assert indices == list(range(sizes[name] - len(indices), sizes[name]))


def test_slimming_trains_with_its_penalty(bench, track):
    """The same seed and the same steps: with a penalty the scales are smaller."""
    sums = []
    for penalty in (0.0, 0.5):
        with bench.stage(track, level="50%", trained=True) as (model, context, meter):
            NetworkSlimming(penalty=penalty, epochs=4, lr=0.01).prune(model, context)
            sums.append(sum(scale.abs().sum().item() for scale in scales_of(model, context).values()))
            assert meter.lr == [0.01, 0.01, 0.001, 0.0001]
    assert sums[1] < 0.9 * sums[0]


def test_slimming_without_batch_norms_is_refused_before_it_trains(bench):
    with bench.stage(bench.short_track("digits-mlp7"), level="50%") as (model, context, meter):
        with pytest.raises(LookupError, match=r"layer layers\.0 has no batch norm behind it"):
            NetworkSlimming().prune(model, context)
        assert meter.lr == []


def watched(context, look):
    """The context, with a look at the model after each step that the method has seen."""
    train = context.train

    def watching_train(model, after_step, **how):
        def both(step):
            after_step(step)
            look(step)

        train(model, after_step=both, **how)

    return SimpleNamespace(**vars(context) | {"train": watching_train})


def zero_filters(model, context):
    weights = {group.name: group.layer(model).weight.flatten(1) for group in context.groups}
    return {name: weight.abs().sum(dim=1).eq(0).nonzero().flatten().tolist() for name, weight in weights.items()}


def test_soft_filters_are_zero_after_every_epoch_and_grow_back(bench, track):
    seen = []
    with bench.stage(track, level="50%", trained=True) as (model, context, meter):
        view = watched(context, lambda step: seen.append(zero_filters(model, context)))
        decision = SoftFilterPruning(epochs=3).prune(model, view)
        assert context.steps_per_epoch == 4 and len(seen) == 12
        for step, zero in enumerate(seen, start=1):
            expected = {"blocks.0.conv1": 4, "blocks.1.conv1": 8, "blocks.2.conv1": 16}
            if step % 4:
                assert not any(zero.values()), "what was zero is trained again"
            else:
                assert {name: len(indices) for name, indices in zero.items()} == expected
        for group in context.groups:
            gone = set(range(group.size)) - set(decision.kept[group.name].tolist())
            assert gone == set(seen[-1][group.name])
            assert group.batch_norm(model).weight.ne(0).all(), "a zero scale would keep a filter from growing back"
        assert meter.lr == [0.01, 0.002, 0.0004]


def test_soft_filters_go_by_their_l2_norm_as_it_is_after_each_epoch(bench, track):
    before = []
    with bench.stage(track, level="50%", trained=True) as (model, context, _):
        train = context.train

        def spying_train(model, after_step, **how):
            def both(step):
                norms = {g.name: g.layer(model).weight.detach().flatten(1).norm(dim=1) for g in context.groups}
                after_step(step)
                if step % context.steps_per_epoch == 0:
                    before.append((norms, zero_filters(model, context)))

            train(model, after_step=both, **how)

        SoftFilterPruning(epochs=2).prune(model, SimpleNamespace(**vars(context) | {"train": spying_train}))
    assert len(before) == 2
    for norms, zero in before:
        for name, values in norms.items():
            assert sorted(zero[name]) == sorted(values.argsort()[: len(values) // 2].tolist())


def test_soft_filters_may_be_set_to_zero_less_often(bench, track):
    seen = []
    with bench.stage(track, level="50%", trained=True) as (model, context, _):
        view = watched(context, lambda step: seen.append(any(zero_filters(model, context).values())))
        SoftFilterPruning(epochs=4, every=2).prune(model, view)
    assert [step for step, zero in enumerate(seen, start=1) if zero] == [8, 16]
