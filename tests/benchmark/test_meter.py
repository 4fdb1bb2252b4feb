"""What is counted and what is granted, by hand; what a method that catches the error gains."""

import pytest

from prunemark.benchmark.metering.meter import BudgetExceeded, Grant, Meter

GRANT = Grant(epochs=2, scoring_epochs=1, steps_per_epoch=3, samples=100)
MACS = 7


def metered(**changes) -> Meter:
    return Meter(MACS, Grant(**{**GRANT.__dict__, **changes}))


def test_a_stage_counted_by_hand():
    meter = Meter(MACS)
    for lr in (0.1, 0.01):
        meter.begin_pass()
        meter.begin_epoch(lr)
        for samples in (6, 4):
            meter.serve(samples)
            meter.trained(samples)
    stage = meter.stage()
    assert (stage.epochs, stage.lr, stage.steps, stage.samples) == (2, (0.1, 0.01), 4, 20)
    assert (stage.forward_macs, stage.backward_macs) == (20 * 7, 2 * 20 * 7)
    assert stage.train_flops == 20 * 7 * 3 * 2


def test_an_epoch_too_many_is_refused_and_not_counted():
    meter = metered()
    meter.begin_epoch(0.1)
    meter.begin_epoch(0.1)
    with pytest.raises(BudgetExceeded, match="2 pruning epochs were granted; the method began epoch 3"):
        meter.begin_epoch(0.1)
    assert meter.stage().epochs == 2


def test_passes_are_those_of_the_epochs_and_of_the_scores():
    meter = metered()
    for _ in range(3):
        meter.begin_pass()
    with pytest.raises(BudgetExceeded, match="3 passes over the training split in all; the method asked for pass 4"):
        meter.begin_pass()
    assert meter.stage().scoring_epochs == 3


def test_so_many_steps_of_an_own_optimiser_make_an_epoch():
    meter = metered()
    for _ in range(3):
        meter.foreign_step(0.5)
    assert meter.stage().lr == (0.5,)
    for _ in range(3):
        meter.foreign_step(0.25)
    assert meter.stage().lr == (0.5, 0.25) and meter.stage().steps == 6
    with pytest.raises(BudgetExceeded, match="began epoch 3"):
        meter.foreign_step(0.1)


def test_an_own_optimiser_may_not_step_where_the_lr_is_imposed():
    with pytest.raises(BudgetExceeded, match="only context.train may step"):
        metered(imposed_lr=True).foreign_step(0.1)


def test_more_flops_than_the_epochs_cost_are_refused():
    meter = metered()
    one_pass = 3 * 100 * MACS
    meter.executed(one_pass, 2 * one_pass)  # as dear as three passes: all that is granted
    with pytest.raises(BudgetExceeded, match="the training FLOPs of 2 pruning epochs and 1 passes"):
        meter.executed(one_pass, 0)


def test_one_unseen_backward_pass_beside_each_real_one_is_free():
    meter = metered(samples=1000)
    meter.backward_run(True, 50)
    meter.backward_run(False, 50)
    assert meter.forward_macs == 0
    meter.backward_run(False, 50)
    assert (meter.forward_macs, meter.backward_macs) == (50 * MACS, 2 * 50 * MACS)


def test_catching_the_error_gains_nothing():
    meter = metered()
    meter.begin_epoch(0.1)
    meter.begin_epoch(0.1)
    with pytest.raises(BudgetExceeded):
        meter.begin_epoch(0.1)
    with pytest.raises(BudgetExceeded, match="began epoch 3"):
        meter.settle()


@pytest.mark.parametrize("used", [0, 1])
def test_exactly_so_many_epochs_are_imposed(used):
    meter = metered(exact=True)
    for _ in range(used):
        meter.begin_epoch(0.1)
    with pytest.raises(BudgetExceeded, match=f"exactly 2 pruning epochs are imposed on every method; {used} were used"):
        meter.settle()
