"""What progress says elsewhere than on a terminal: how far it is, and how long the rest takes."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from prunemark.benchmark.run.work import checkpoints, expected_work
from prunemark.cli.progress import Progress, in_words


def lines_of(seconds, trained, epochs=100):
    clock = iter([0.0, *seconds])
    text = io.StringIO()
    progress = Progress(Console(file=text, width=200), 4, epochs, clock=lambda: next(clock))
    trial = SimpleNamespace(label="Fine 50% seed 0")
    with progress:
        for _ in range(trained):
            progress.epoch(trial, "retraining", None)
    return text.getvalue().splitlines()


def test_the_time_that_is_left_follows_the_pace_so_far():
    said = lines_of([1.0, 2.0, 3.0, 20.0, 20.0], 4)
    assert said == ["0 of 4 trials, 4 of 100 epochs, 20 s, about 8 min left"]


def test_nothing_is_estimated_when_all_is_trained():
    assert lines_of([20.0, 20.0], 1, epochs=1) == ["0 of 4 trials, 1 of 1 epochs, 20 s"]


@pytest.mark.parametrize(("seconds", "words"), [(41.3, "41 s"), (300, "5 min"), (9000, "2.5 h")])
def test_a_wait_is_as_precise_as_an_estimate(seconds, words):
    assert in_words(seconds) == words


def test_stored_bases_are_not_work(plan_of_two):
    needed = checkpoints(plan_of_two)
    epochs = sum(trial.budget.base_epochs for trial in needed.values())
    whole, rest = expected_work(plan_of_two), expected_work(plan_of_two, list(needed))
    assert epochs > 0 and whole.epochs - rest.epochs == epochs
