"""Epochs of pruning and of retraining, and when a method had more of them than the anchor."""

from dataclasses import replace

import pytest

from prunemark.leaderboard.standings.training import Epochs, epochs_of, more_epochs, more_in_words
from prunemark.records.outcome import MeteredStage
from prunemark.setups.comparison import HARNESS_SETUPS


def pruned_for(records, *epochs):
    """The same records with so many epochs in the pruning stage, seed by seed."""
    return [
        replace(r, outcome=replace(r.outcome, pruning=MeteredStage(count, (0.01,) * count, 9, 9, 9)))
        for r, count in zip(records, epochs, strict=True)
    ]


def test_epochs_are_means_of_what_was_executed(make_records):
    records = make_records("Mine", [90.0] * 3, lr=(0.1,) * 20)
    assert epochs_of(records) == Epochs(0, 20) and epochs_of(records).words == "0 + 20"
    assert epochs_of(pruned_for(records, 30, 30, 30)).words == "30 + 20"
    assert epochs_of(pruned_for(records, 30, 31, 31)).words == "30.7 + 20"
    scratch = make_records("Scratch", [90.0] * 3, kind="scratch")
    assert epochs_of(scratch) == Epochs(None, 2) and epochs_of(scratch).words == "- + 2"
    failed = make_records("Mine", [0.0] * 3, status="failed")
    assert epochs_of(failed) == Epochs(None, None) and epochs_of(failed).words == ""


def test_passes_that_train_nothing_are_no_epochs(make_records):
    (record,) = make_records("Mine", [90.0])
    scoring = replace(record.outcome.pruning, scoring_epochs=2)
    assert epochs_of([replace(record, outcome=replace(record.outcome, pruning=scoring))]).words == "0 + 2"


@pytest.mark.parametrize("setup", HARNESS_SETUPS)
def test_more_epochs_are_an_advantage_unless_the_setup_holds_them_or_their_sum_equal(setup):
    imposed = HARNESS_SETUPS[setup].factors & {"pruning_epochs", "pruning_lr", "total_epochs", "total_flops"}
    more = more_epochs(Epochs(30, 20), Epochs(0, 20), setup)
    assert more == (0 if imposed else 30)


def test_fewer_epochs_none_or_those_of_scratch_are_not_more():
    assert more_epochs(Epochs(0, 20), Epochs(0, 20), "S3.2") == 0
    assert more_epochs(Epochs(5, 20), Epochs(10, 20), "S3.2") == 0
    assert more_epochs(Epochs(None, 20), Epochs(0, 20), "S1") == 0
    assert more_epochs(Epochs(10.5, 20), Epochs(10, 20), "S3.2") == 0.5


def test_words():
    assert more_in_words(30.0) == "with 30 more epochs"
    assert more_in_words(1.0) == "with 1 more epoch"
    assert more_in_words(0.5) == "with 0.5 more epochs"
    assert more_in_words(0.0) == ""
