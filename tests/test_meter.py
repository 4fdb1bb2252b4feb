"""The meter, counted by hand."""

from __future__ import annotations

import pytest

from prunemark.benchmark.meter import BudgetExceeded, Meter
from prunemark.benchmark.outcome import Stage


def test_a_stage_counted_by_hand() -> None:
    meter = Meter(macs_per_sample=1000)
    for lr in (0.1, 0.01):
        meter.begin_epoch(lr)
        for samples in (4, 4, 2):
            meter.serve(samples)
            meter.step()
    assert meter.stage() == Stage(epochs=2, lr=(0.1, 0.01), steps=6, samples=20, train_flops=20 * 1000 * 2 * 3)


def test_looking_at_data_costs_as_much_as_training_on_it() -> None:
    meter = Meter(10)
    meter.begin_epoch(0.0)
    meter.serve(7)
    assert meter.stage() == Stage(1, (0.0,), 0, 7, 420)
    assert Meter(10).stage() == Stage(0, (), 0, 0, 0)


def test_an_epoch_too_many_is_refused_and_not_counted() -> None:
    meter = Meter(1, epochs_granted=2)
    meter.begin_epoch(0.1)
    meter.begin_epoch(0.1)
    for _ in range(2):  # asking again does not help
        with pytest.raises(BudgetExceeded, match="2 epochs were granted; the method asked for epoch 3"):
            meter.begin_epoch(0.1)
    assert meter.stage().epochs == 2
    with pytest.raises(BudgetExceeded, match="0 epochs were granted"):
        Meter(1, epochs_granted=0).begin_epoch(0.1)


def test_what_was_read_does_not_change_later() -> None:
    meter = Meter(1)
    before = meter.stage()
    meter.begin_epoch(0.1)
    assert before.lr == () and meter.stage().lr == (0.1,)
    assert Meter(1).lr == []  # meters share nothing
