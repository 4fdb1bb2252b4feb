"""Whether a track can tell methods apart: each condition can fail, and says what was measured."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from support.record_by_hand import BASE, OUTCOME, RECORD

from prunemark.leaderboard.standings.conditions import conditions
from prunemark.records.outcome import Accuracy, BaseModel, pack_correctness

EXAMPLES = 10_000


def trial(name, seed, percent, *, kind="pruned", base=87.5, kept=4, examples=EXAMPLES, seconds=1.0):
    right = np.arange(examples) < round(examples * percent / 100)
    outcome = dataclasses.replace(
        OUTCOME, seed=seed, method=dataclasses.replace(OUTCOME.method, name=name, kind=kind),
        accuracy=Accuracy(percent, examples, pack_correctness(right), percent, percent),
        base=BaseModel(BASE.sha256, base, BASE.pretraining),
        compression=dataclasses.replace(OUTCOME.compression, kept={"a": 8, "b": kept}),
    )  # fmt: skip
    observed = dataclasses.replace(RECORD.observed, pruning_seconds=0.5, retraining_seconds=seconds)
    return dataclasses.replace(RECORD, outcome=outcome, observed=observed)


def measured(**changes):
    """Of eight seeds: the dense network gains .1, random loses 1.4 and the bad criterion 3.4."""
    means = {"L1-norm": 83.0, "Random": 81.6, "Bad": 79.6} | changes.pop("means", {})
    gain, base = changes.pop("gain", 0.1), changes.pop("base", 87.5)
    records = [trial("Dense", s, base + gain + s % 2 / 10, kind="dense", base=base) for s in range(8)]
    records += [
        trial(name, s, mean + s % 3 / 5, base=base, **changes) for name, mean in means.items() for s in range(8)
    ]
    return {c.condition: c for c in conditions(records, anchor="L1-norm", random="Random", bad="Bad")}


def test_a_track_on_which_all_conditions_hold():
    found = measured()
    assert all(condition.holds for condition in found.values()) and len(found) == 7
    assert found["test examples"].measured == "10,000"
    assert found["error of the base model"].measured == "12.50 % over 8 seeds"
    assert found["random against the anchor"].measured.startswith("-1.40 pp, 95 % interval -1.4")


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"examples": 1000}, "test examples"),
        ({"base": 99.0}, "error of the base model"),
        ({"base": 70.0}, "error of the base model"),
        ({"gain": 0.6}, "retraining the dense network gains"),
        ({"kept": 3}, "filters left in every layer"),
        ({"means": {"Random": 83.0}}, "random against the anchor"),
        ({"means": {"Bad": 83.1}}, "a bad criterion against the anchor"),
        ({"seconds": 3.0}, "a trial on one core"),
    ],
)
def test_each_condition_can_fail(changes, broken):
    assert [name for name, condition in measured(**changes).items() if not condition.holds] == [broken]


def test_two_seeds_measure_nothing():
    records = [trial(name, s, 83.0) for name in ("L1-norm", "Random", "Bad") for s in range(2)]
    records += [trial("Dense", s, 87.5, kind="dense") for s in range(2)]
    with pytest.raises(ValueError, match="3 seeds or more; given 2"):
        conditions(records, anchor="L1-norm", random="Random", bad="Bad")
