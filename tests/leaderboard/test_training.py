"""Epochs of pruning and of retraining, and when a method had more of them than the anchor."""

from dataclasses import replace

import pytest

from prunemark.leaderboard.formats import captions, labels
from prunemark.leaderboard.formats.found import found_in_words
from prunemark.leaderboard.formats.plain import plain_row
from prunemark.leaderboard.formats.tables import render
from prunemark.leaderboard.site.setup_effect import changes
from prunemark.leaderboard.site.track_facts import tally, tally_words
from prunemark.leaderboard.standings.board import make_board
from prunemark.leaderboard.standings.training import Epochs, epochs_of, more_epochs, more_in_words
from prunemark.records.load import Loaded
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


ANCHOR = [90.0, 90.6, 90.2, 90.8, 90.4] * 3
HIGHER = [percent + 3 + 0.2 * (number % 2) for number, percent in enumerate(ANCHOR)]


def longer(make_records, setup, epochs=30):
    """A board of the anchor and of one method that is better, with so many epochs in its pruning stage."""
    anchor = make_records("L1-norm", ANCHOR, setup=setup, role="anchor")
    return make_board(Loaded((*anchor, *pruned_for(make_records("Mine", HIGHER, setup=setup), *[epochs] * 15))))


def test_what_more_epochs_explain_is_said_and_not_counted(make_records):
    (table,) = longer(make_records, "S3.2").tables
    mine, anchor = table.ranked
    assert mine.verdict.word == "better" and mine.more_epochs == 30 and anchor.more_epochs == 0
    assert labels.verdict_words(mine, table) == "better, with 30 more epochs"
    assert tally([table]) == {"better": 0, "worse": 0, "equivalent": 0, "with more epochs": 1, "undetermined": 0}
    assert tally_words(tally([table])) == "1 with more epochs"
    said = found_in_words([table])
    assert "0 are decided" in said and "1 more are shown of methods that pruned for longer" in said
    assert "With more pruning epochs than L1-norm, so not about the criterion" in captions.caption(table)
    assert captions.caption(table).count(": Mine.") == 1
    row = plain_row(mine, table)
    assert (row["pruning_epochs"], row["retraining_epochs"], row["more_pruning_epochs"]) == (30, 2, 30)


def test_without_more_epochs_or_where_they_are_paid_for_nothing_is_added(make_records):
    (same,) = longer(make_records, "S3.2", epochs=0).tables
    assert labels.verdict_words(same.ranked[0], same) == "better" and tally([same])["better"] == 1
    assert "criterion" not in captions.caption(same)


@pytest.mark.parametrize("format", ["markdown", "csv", "json", "latex"])
def test_every_form_shows_the_epochs(make_records, format):
    text = render(longer(make_records, "S3.2"), format)
    assert "with 30 more epochs" in text or format in ("csv", "json")
    assert ("30 + 2" in text) if format in ("markdown", "latex") else ("pruning_epochs" in text)
    assert "not about the criterion" in text or format == "csv"


def test_another_setup_that_gives_as_many_epochs_to_all_shows_what_they_did(make_records):
    loose = longer(make_records, "S3.2").tables
    anchor = pruned_for(make_records("L1-norm", ANCHOR, setup="S4.2"), *[30] * 15)
    strict = make_board(Loaded((*anchor, *pruned_for(make_records("Mine", ANCHOR[::-1], setup="S4.2"), *[30] * 15))))
    (change,) = changes([*loose, *strict.tables])
    assert change.sentence.startswith("Under S3.2, Mine is better than L1-norm by 3.09 pp, with 30 more epochs; ")
