"""How training is spread over time: the steps of a pruning schedule, and an LR that falls at shares of the epochs."""

import re

import pytest

from prunemark.setups.schedule import parse_schedule, stepped
from prunemark.setups.steps import SCHEDULES, shares_of


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [(160, "0:1e-1,80:1e-2,120:1e-3"), (3, "0:1e-1,2:1e-2"), (2, "0:1e-1,1:1e-2"), (1, "0:1e-1"), (0, "0:1e-1")],
)
def test_an_lr_falls_at_shares_of_the_epochs(epochs, expected):
    """Three epochs: half of them ends in the second, so the LR falls at the third; three quarters are past it."""
    assert str(stepped(0.1, epochs)) == expected
    assert stepped(0.1, epochs) == parse_schedule(expected, epochs)


def test_an_lr_falls_by_any_factor_at_any_share():
    assert str(stepped(1e-2, 200, (0.3, 0.6, 0.8), 0.2)) == "0:1e-2,60:2e-3,120:4e-4,160:8e-5"


def test_the_steps_of_a_schedule_by_hand():
    assert shares_of("one-shot") == (1.0,)
    assert shares_of("rounds:4") == (0.25, 0.5, 0.75, 1.0)
    assert shares_of("agp:2") == (1 - 0.5**3, 1.0)  # Zhu & Gupta (2017), eq. 1


@pytest.mark.parametrize("text", ["rounds", "rounds:0", "agp:1000", "one-shot:1", "often", "rounds:\u0663"])
def test_other_words_are_no_schedule(text):
    assert not re.fullmatch(SCHEDULES, text)
    with pytest.raises(ValueError, match="one-shot, rounds:K or agp:K"):
        shares_of(text)
