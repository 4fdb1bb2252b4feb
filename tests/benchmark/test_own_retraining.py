"""Distillation and a regulariser in a method's own retraining: as published, metered, shown, and ended by S3.2."""

import dataclasses
import json
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from prunemark.benchmark.metering.meter import FLOPS_PER_MAC, Meter
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.benchmark.submission.description import MethodDescription
from prunemark.benchmark.training.extras import distance, objective_of, parameters_of
from prunemark.records.executed import pipeline_of
from prunemark.records.imposed import contradiction
from prunemark.setups.budget import Own, budget_for
from prunemark.setups.comparison import HARNESS_SETUPS, SETUPS
from prunemark.setups.errors import InputError
from prunemark.setups.extras import Distillation, read_distillation, read_regulariser
from prunemark.setups.harness_factors import HARNESS_FACTORS
from prunemark.setups.recipe import OwnRecipe, recipe_from_dict
from prunemark.setups.track_checks import check_track
from prunemark.setups.track_files import find_track

TRACK, SHAPE = find_track("digits-resnet8"), ImageShape(1, 8, 8, 10)
OWN = OwnRecipe(epochs=2, lr="1e-2", distillation="temperature=4, weight=0.9", regulariser="l1:1e-5 on scales")


def test_both_are_read_and_written_alike():
    assert read_distillation("temperature=4,weight=0.9") == Distillation(4.0, 0.9)
    assert str(read_regulariser("group-lasso:1e-3")) == "group-lasso:0.001 on weights"
    recipe = OWN.over(TRACK.retraining)
    assert recipe.distillation == "temperature=4,weight=0.9"
    assert recipe_from_dict(json.loads(json.dumps(recipe.as_dict()))) == recipe
    assert not {"distillation", "regulariser"} & TRACK.retraining.as_dict().keys(), "keys of others stay what they were"


@pytest.mark.parametrize(("name", "text", "words"), [
    ("distillation", "T=4", 'Write distillation="temperature=4,weight=0.9"'),
    ("distillation", 4.0, "cannot read the distillation 4.0"),
    ("distillation", "temperature=0,weight=0.5", "a temperature above 0"),
    ("distillation", "temperature=1,weight=1.5", "at most 1"),
    ("regulariser", "l3:1e-4", "unknown regulariser 'l3'"),
    ("regulariser", "l1:1e-4 on biases", "Valid: all, scales, weights"),
    ("regulariser", "l1", "Write regulariser="),
    ("regulariser", "group-lasso:1 on scales", "over the filters of weights"),
])  # fmt: skip
def test_another_text_is_refused_at_the_line_that_declares_it(name, text, words):
    with pytest.raises(InputError, match=words):
        OwnRecipe(epochs=2, lr="1e-2", **{name: text})


def test_distillation_is_hintons_by_hand():
    """Two classes, T = 2: softmax((2, 0) / 2) against softmax((0, 0))."""
    p = 1 / (1 + math.exp(-1))
    kl = p * math.log(p / 0.5) + (1 - p) * math.log((1 - p) / 0.5)
    found = distance(torch.tensor([[0.0, 0.0]]), torch.tensor([[2.0, 0.0]]), Distillation(2.0, 1.0))
    assert float(found) == pytest.approx(4 * kl, rel=1e-5)


def test_regularisers_by_hand():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[3.0, 4.0], [0.0, -1.0]]))
        model[0].bias.copy_(torch.tensor([1.0, 1.0]))
        model[1].weight.copy_(torch.tensor([-2.0, 0.5]))
    for text, value in (
        ("l1:0.1", 0.8), ("l1:0.1 on scales", 0.25), ("l2:1", 26.0), ("l2:1 on all", 26 + 2 + 4.25),
        ("group-lasso:1", math.sqrt(2) * (5 + 1)),
    ):  # fmt: skip
        recipe = replace(TRACK.retraining, regulariser=str(read_regulariser(text)))
        objective = objective_of(recipe, model, None, 0, Meter(0))
        assert float(objective(None, None, torch.tensor(1.0), 0).detach()) == pytest.approx(1 + value, rel=1e-5), text
    assert len(parameters_of(model, "all")) == 4 and len(parameters_of(model, "weights")) == 1


def test_the_teacher_is_metered_and_not_trained():
    teacher, model = build_network(TRACK.network, SHAPE, 1), build_network(TRACK.network, SHAPE, 2)
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    recipe, meter = replace(TRACK.retraining, distillation="temperature=4,weight=0.5"), Meter(1000)
    images = torch.randn(6, 1, 8, 8)
    logits = model(images)
    loss = objective_of(recipe, model, teacher.train(), 700, meter)(images, logits, torch.tensor(2.0), len(images))
    loss.backward()
    expected = 0.5 * 2.0 + 0.5 * float(distance(logits.detach(), teacher(images).detach(), Distillation(4.0, 0.5)))
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-4)
    assert (meter.forward_macs, meter.backward_macs) == (6 * 700, 0)
    assert all(torch.equal(before[name], tensor) for name, tensor in teacher.state_dict().items())
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert objective_of(TRACK.retraining, model, None, 0, meter) is None
    with pytest.raises(ValueError, match="needs a base model"):
        objective_of(recipe, model, None, 0, meter)


@pytest.mark.parametrize("setup", SETUPS.values(), ids=lambda setup: setup.id)
def test_it_runs_where_retraining_is_free_and_ends_with_s3_2(setup):
    own = Own(retraining=OWN)
    if setup.id in ("S1", "S1-acc", "S2", "S3.1"):
        recipe = budget_for(TRACK, setup, TRACK.levels[0], "pruned", own).retraining
        assert (recipe.distillation, recipe.regulariser) == ("temperature=4,weight=0.9", "l1:1e-05 on scales")
        assert recipe.epochs == (TRACK.retraining.epochs if setup.id == "S3.1" else 2)
    else:
        with pytest.raises(InputError, match=rf"(?s)regulariser, and {setup.id} imposes.*run under S1, S1-acc, S2"):
            budget_for(TRACK, setup, TRACK.levels[0], "pruned", own)


def test_it_belongs_to_no_pretraining_and_to_no_track():
    with pytest.raises(InputError, match="declares distillation"):
        budget_for(TRACK, SETUPS["S1"], TRACK.levels[0], "pruned", Own(pretraining=replace(OWN, regulariser=None)))
    with pytest.raises(InputError, match=r"leave them out of \[retraining\]"):
        check_track(replace(TRACK, retraining=replace(TRACK.retraining, regulariser="l1:1e-05 on scales")))


def test_records_show_it_as_what_differs(make_record):
    """S2 holds between a distilled method and another; S3.2 is refuted by exactly this."""
    plain, other = make_record("L1-norm"), make_record("Distilled")
    recipe = other.outcome.retraining_recipe | {"distillation": "temperature=4,weight=0.9"}
    stage = other.outcome.retraining
    more = FLOPS_PER_MAC * stage.samples * other.outcome.compression.dense_macs
    retraining = replace(stage, train_flops=stage.train_flops + more)
    distilled = replace(other, outcome=replace(other.outcome, retraining_recipe=recipe, retraining=retraining))
    pipelines = [pipeline_of(plain), pipeline_of(distilled)]
    found = HARNESS_FACTORS["distillation"].compare(*pipelines)
    assert (found.state.value, found.left, found.right) == ("refuted", "none", "temperature=4,weight=0.9")
    assert pipelines[1].details.distillation == "temperature=4,weight=0.9"
    assert "distillation" in HARNESS_SETUPS["S3.2"].verified and "distillation" not in HARNESS_SETUPS["S3.1"].verified
    assert HARNESS_FACTORS["regulariser"].compare(*pipelines).state.value == "holds"
    assert "distillation temperature" in contradiction(distilled.outcome)


def test_a_described_method_keeps_it():
    described = MethodDescription("Mine", "filter", retraining=(OWN,))
    assert MethodDescription.from_dict(json.loads(json.dumps(dataclasses.asdict(described)))) == described
