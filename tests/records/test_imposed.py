"""Forged records: one number of what was imposed is changed, hashed anew, and must not stand."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prunemark.leaderboard.standings.board import make_board
from prunemark.records.executed import pipeline_of
from prunemark.records.imposed import contradiction
from prunemark.records.load import Loaded, read_texts
from prunemark.records.record import dump
from prunemark.setups.assessment import holds, violations
from prunemark.setups.comparison import HARNESS_SETUPS

fixed = settings(
    derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ANCHOR, BETTER = [95.0, 95.2, 95.4], [97.0, 97.2, 97.8]
FROM_S3_2 = [setup.id for setup in HARNESS_SETUPS.values() if not setup.own_retraining_lr]
CHANGES: dict[str, Any] = {
    "batch size": {"batch_size": 32}, "momentum": {"momentum": 0.0}, "nesterov": {"nesterov": True},
    "weight decay": {"weight_decay": 0.0}, "augmentation": {"augmentation": "none"},
    "label smoothing": {"label_smoothing": 0.1}, "optimiser": {"optimiser": "AdamW"},
}  # fmt: skip


def with_recipe(record, change):
    recipe = record.outcome.retraining_recipe | change
    return dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, retraining_recipe=recipe))


def with_stage(record, stage, **change):
    """`stage` is base, pruning or retraining."""
    o = record.outcome
    if stage == "base":
        base = dataclasses.replace(o.base, pretraining=dataclasses.replace(o.base.pretraining, **change))
        return dataclasses.replace(record, outcome=dataclasses.replace(o, base=base))
    changed = dataclasses.replace(getattr(o, stage), **change)
    return dataclasses.replace(record, outcome=dataclasses.replace(o, **{stage: changed}))


def admitted(records):
    return read_texts([(r.record_sha256, r.record_sha256, dump(r)) for r in records])


def without(record, name):
    recipe = {key: value for key, value in record.outcome.retraining_recipe.items() if key != name}
    return dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, retraining_recipe=recipe))


@pytest.mark.parametrize("setup", FROM_S3_2)
@pytest.mark.parametrize("what", CHANGES)
def test_another_recipe_is_found_between_two_records_and_in_one(make_record, setup, what):
    anchor, mine = make_record(setup=setup), make_record("Mine", setup=setup)
    assert holds([pipeline_of(anchor), pipeline_of(mine)], HARNESS_SETUPS[setup])
    forged = with_recipe(mine, CHANGES[what])
    (found,) = violations([pipeline_of(anchor), pipeline_of(forged)], HARNESS_SETUPS[setup])
    assert found.factor.replace("_", " ") == what and " against " in found.why
    assert f"ran under {setup}, which imposes the track's recipe, with another one: {what}" in contradiction(
        forged.outcome
    )


@pytest.mark.parametrize("setup", ["S1", "S2", "S3.1"])
@pytest.mark.parametrize("what", sorted(set(CHANGES) - {"batch size"}))
def test_a_recipe_of_its_own_is_free_up_to_s31(make_record, setup, what):
    mine = with_recipe(make_record("Mine", setup=setup), CHANGES[what])
    assert holds([pipeline_of(make_record(setup=setup)), pipeline_of(mine)], HARNESS_SETUPS[setup])
    assert contradiction(mine.outcome) == ""


def test_the_forgery_of_the_issue_is_not_ranked_under_s42(make_records):
    """Batch 32, no momentum, no augmentation and four times the steps; and each of them by itself."""
    anchor = make_records("L1-norm", ANCHOR, setup="S4.2", role="anchor")
    mine = make_records("Mine", BETTER, setup="S4.2")
    (honest,) = make_board(admitted([*anchor, *mine])).tables
    assert honest.holds == "S4.2" and len(honest.ranked) == 2
    small, four = {"batch_size": 32}, {"steps": 4 * 18}
    forgeries = {
        "batch size 32, not 128": [with_recipe(r, small) for r in mine],
        "momentum 0.0, not 0.9": [with_recipe(r, {"momentum": 0.0}) for r in mine],
        "augmentation none, not shift1": [with_recipe(r, {"augmentation": "none"}) for r in mine],
        "says 72 optimiser steps of retraining; 2 epochs of 1097 images in batches of 128 are 18": [
            with_stage(r, "retraining", **four) for r in mine
        ],
        "augmentation none, not shift1, batch size 32, not 128, momentum 0.0, not 0.9": [
            with_stage(with_recipe(r, small | {"momentum": 0.0, "augmentation": "none"}), "retraining", **four)
            for r in mine
        ],
    }
    for why, forged in forgeries.items():
        board = make_board(admitted([*anchor, *forged]))
        assert [row.name for row in board.tables[0].ranked] == ["L1-norm"]
        assert len(board.refused) == 3 and all(why in each.why for each in board.refused), why
        (seen,) = make_board(Loaded((*anchor, *forged))).tables  # as if nobody had sifted them
        (row,) = seen.unranked
        assert "S4.2 does not hold with L1-norm" in row.why and " against " in row.why


def test_a_whole_board_that_was_forged_alike_is_refused(make_records):
    anchor = make_records("L1-norm", ANCHOR, setup="S4.2", role="anchor")
    forged = [with_recipe(r, {"momentum": 0.0}) for r in (*anchor, *make_records("Mine", BETTER, setup="S4.2"))]
    assert not admitted(forged).records and len(admitted(forged).refused) == 6


@pytest.mark.parametrize("name", ["batch_size", "momentum", "nesterov", "weight_decay", "augmentation",
                                  "label_smoothing", "epochs", "lr"])  # fmt: skip
def test_a_value_that_was_left_out_is_not_filled_in(make_record, name):
    anchor, dropped = make_record(), without(make_record("Mine"), name)
    assert contradiction(dropped.outcome)
    if name not in ("epochs", "lr"):
        (found,) = violations([pipeline_of(anchor), pipeline_of(dropped)], HARNESS_SETUPS["S3.2"])
        assert (found.factor, found.why) == (name, "not reported on the right")


NUMBERS = st.tuples(
    st.sampled_from(["retraining", "base"]), st.sampled_from(["epochs", "steps", "samples", "train_flops", "lr"]),
    st.integers(1, 10**6), st.booleans(),
)  # fmt: skip


@fixed
@given(NUMBERS, st.sampled_from(["S2", "S3.2", "S4.2", "SX-A", "SX-B"]))
def test_no_single_number_of_a_stage_can_be_changed(make_record, number, setup):
    stage, name, by, shorter = number
    mine = make_record("Mine", setup=setup)
    meter = mine.outcome.retraining if stage == "retraining" else mine.outcome.base.pretraining
    if name == "lr":
        value: Any = meter.lr[:-1] if shorter else (*meter.lr, by / 10**6)
    else:
        value = max(getattr(meter, name) - by, 0) if shorter else getattr(meter, name) + by
    forged = with_stage(mine, stage, **{name: value})
    assert contradiction(forged.outcome), "it contradicts what else is on the record"


@pytest.mark.parametrize("setup", ["S3.2", "S4.1", "S4.2", "SX-A"])
def test_more_steps_than_the_pruning_epochs_have_batches_are_refused(make_record, setup):
    mine = make_record("Mine", setup=setup)
    trained = with_stage(mine, "pruning", epochs=2, lr=(0.01, 0.01), steps=18, samples=2194)
    assert contradiction(trained.outcome) == ""
    assert "at most 18" in contradiction(with_stage(trained, "pruning", steps=72).outcome)
    assert "2 pruning epochs and 1 LRs" in contradiction(with_stage(trained, "pruning", lr=(0.01,)).outcome)


def test_fewer_pruning_steps_are_another_training_under_s42(make_record):
    trained = [
        with_stage(make_record(name), "pruning", epochs=2, lr=(0.01, 0.01), steps=steps, samples=2194)
        for name, steps in (("L1-norm", 18), ("Mine", 12))
    ]
    pair = [pipeline_of(record) for record in trained]
    assert not violations(pair, HARNESS_SETUPS["S4.1"])
    assert [found.factor for found in violations(pair, HARNESS_SETUPS["S4.2"])] == ["pruning_steps"]


def test_one_base_model_has_one_training(make_record):
    longer = with_stage(make_record("Mine"), "base", epochs=4, lr=(0.1, 0.1, 0.1, 0.01), steps=36, samples=4388)
    pair = [pipeline_of(make_record()), pipeline_of(longer)]
    (found,) = violations(pair, HARNESS_SETUPS["S2"])
    assert found.factor == "base_training" and "two trainings" in found.why
    other = pipeline_of(make_record("Mine", base="other"))
    assert [f.factor for f in violations([pair[0], other], HARNESS_SETUPS["S2"])] == ["base_model"]


def longer_by(record, epochs):
    """Honest numbers of a retraining that lasted longer."""
    stage = record.outcome.retraining
    total = stage.epochs + epochs
    lr = (stage.lr[0],) * (total - 1) + (stage.lr[-1],)
    return with_stage(
        record, "retraining", epochs=total, lr=lr, steps=9 * total, samples=1097 * total,
        train_flops=stage.train_flops // stage.epochs * total,
    )  # fmt: skip


def test_half_as_many_retraining_epochs_again_are_not_hidden_in_a_total(make_record):
    """At a speed-up of 6.4, half as many again are within 5 % of all FLOPs; 5 % of the stage are one epoch."""
    long = (*((0.1,) * 19), 0.01)
    anchor, mine = (make_record(name, setup="SX-B", lr=long) for name in ("L1-norm", "Mine"))
    slow = with_stage(anchor, "base", epochs=60, lr=(0.1,) * 60, steps=540, samples=65820, train_flops=30 * 10**9 * 3)
    base = slow.outcome.base
    anchor, mine = (dataclasses.replace(r, outcome=dataclasses.replace(r.outcome, base=base)) for r in (anchor, mine))
    setup = HARNESS_SETUPS["SX-B"]
    for epochs, allowed in ((0, True), (1, True), (2, False), (10, False)):
        pair = [pipeline_of(anchor), pipeline_of(longer_by(mine, epochs))]
        found = violations(pair, setup)
        assert (not found) == allowed, (epochs, found)
    assert "of the retraining stage apart" in found[0].why
    assert [f.factor for f in found] == ["flops_of_all_stages"], "the paper's 5 % of the total would let it through"


def test_one_epoch_more_is_one_too_many_under_sx_a(make_record):
    """The paper's 1 % of a total of 200 epochs would let it through."""
    long = (0.1,) * 197 + (0.01,)
    anchor, mine = (make_record(name, setup="SX-A", lr=long) for name in ("L1-norm", "Mine"))
    (found,) = violations([pipeline_of(anchor), pipeline_of(longer_by(mine, 1))], HARNESS_SETUPS["SX-A"])
    assert (found.factor, found.left, found.right) == ("epochs_of_all_stages", "200", "201")
