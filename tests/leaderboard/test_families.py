"""New families (E4): averages within, a t-test over them, and refusals in words."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from prunemark.leaderboard.inference.families import family_means, in_words, over_families, refusal

QUANTUM = 0.01


def means(generator: np.random.Generator, families: int, **shifts: float) -> dict[str, dict[str, float]]:
    return {
        name: {f"f{index}": value for index, value in enumerate(generator.normal(shift, 0.2, families))}
        for name, shift in shifts.items()
    }


def test_tracks_are_averaged_within_their_family() -> None:
    margins = {"a@1": 1.0, "b@1": 2.0, "c@1": 6.0}
    assert family_means(margins, {"a@1": "x", "b@1": "x", "c@1": "y"}) == {"x": 1.5, "y": 6.0}


def test_it_is_students_t_over_families_with_holm_over_methods() -> None:
    values = means(np.random.default_rng(0), 6, a=0.5, b=0.1)
    found = over_families(values, QUANTUM)
    peers = {name: stats.ttest_1samp(list(v.values()), 0) for name, v in values.items()}
    a, b = found["a"], found["b"]
    assert (a.p_raw, b.p_raw) == pytest.approx((peers["a"].pvalue, peers["b"].pvalue))
    assert a.p_holm == pytest.approx(2 * a.p_raw) and b.p_holm == pytest.approx(b.p_raw)
    interval = peers["a"].confidence_interval(0.95)
    assert a.interval == pytest.approx((interval.low, interval.high))


def test_a_method_equal_to_the_anchor_everywhere_is_not_separated() -> None:
    found = over_families({"a": dict.fromkeys("vwxyz", 0.0)}, QUANTUM)
    assert found["a"].p_raw == 1 and found["a"].interval[0] < 0 < found["a"].interval[1]


@pytest.mark.parametrize("families", [1, 4])
def test_too_few_families_are_refused(families: int) -> None:
    with pytest.raises(ValueError, match="5 families"):
        over_families(means(np.random.default_rng(0), families, a=0.5), QUANTUM)


def test_methods_on_other_families_are_refused() -> None:
    values = means(np.random.default_rng(0), 6, a=0.5)
    with pytest.raises(ValueError, match="the same 5 families"):
        over_families({**values, "b": dict.fromkeys("tuvwxyz", 1.0)}, QUANTUM)


def test_refusals_in_words() -> None:
    assert refusal(["x", "y", "x"]) == "E4 needs 5 dataset x network families; there are 2."
    assert refusal(["x", "x"]) == "E4 needs 5 dataset x network families; there is 1."
    assert refusal(list("vwxyz")) == "" and "do not state the family" in refusal([*"vwxyz", ""])
    assert in_words(None, ["x"]) == refusal(["x"])
    assert in_words(None, list("vwxyz")) == "E4: no method can be tested on all 5 families."
