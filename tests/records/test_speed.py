"""What a quiet pass says, by hand and against scipy: the interval, pooling, and every reason to withhold."""

import math
import random
from itertools import product

import pytest
from scipy import stats

from prunemark.records.speed import (
    AGAINST_ITSELF,
    SPREAD,
    Blocks,
    Ratio,
    as_text,
    interval_rank,
    median_with_interval,
    pooled,
    speed_of,
    spread,
)


def blocks(dense, again=None, pruned=None, count=12):
    """As many alike, unless they are given one by one."""
    listed = [each if isinstance(each, list) else [each] * count for each in (dense, again or dense, pruned or dense)]
    return Blocks(*map(tuple, listed))


def test_the_rank_of_the_interval_is_that_of_the_binomial():
    assert [interval_rank(count) for count in (6, 11, 12, 36)] == [1, 2, 3, 12]
    for count in range(6, 60):
        rank = interval_rank(count)
        assert 2 * stats.binom.cdf(rank - 1, count, 0.5) <= 0.05 < 2 * stats.binom.cdf(rank, count, 0.5)
    with pytest.raises(ValueError, match="5 values are too few"):
        interval_rank(5)


def test_the_interval_covers_the_median_as_often_as_it_says_whatever_the_tails():
    draw = random.Random(0)
    hits = 0
    for _ in range(2000):
        found = median_with_interval(
            [math.exp(draw.gauss(0, 1) * (10 if draw.random() < 0.2 else 1)) for _ in range(12)]
        )
        hits += found.low <= 1 <= found.high
    assert 0.95 <= hits / 2000 <= 0.975  # .9614 by the binomial: ranks 3 and 10 of 12


def test_the_speedup_is_the_median_of_ratios_inside_blocks():
    """The machine gets slower from block to block, as long as it does so for all: the ratio is 2 in each."""
    slow = [1 + 0.01 * block for block in range(12)]
    found = speed_of(blocks([3 * x for x in slow], [3 * x for x in slow], [1.5 * x for x in slow]))
    assert (found.speedup, found.against_itself, found.withheld) == (Ratio(2, 2, 2), Ratio(1, 1, 1), "")
    assert found.dense_ms == pytest.approx(3.165) and found.pruned_ms == pytest.approx(1.5825)
    uneven = speed_of(blocks(4.0, 4.16, 2.0))  # the dense time of a block: the geometric mean of its two visits
    assert uneven.speedup.median == pytest.approx(math.sqrt(4 * 4.16) / 2)


def test_a_dense_network_that_differs_from_itself_withholds_the_number():
    assert speed_of(blocks(1.0, 1.04, 0.5)).withheld == ""
    for again in (1.06, 1 / 1.06):
        assert "against itself" in speed_of(blocks(1.0, again, 0.5)).withheld
    assert speed_of(blocks(4.77, 1.0)).withheld.startswith(
        "the dense network against itself is 4.77x [4.77, 4.77] in the same pass, which is not shown"
    )
    wide = [1.0] * 9 + [1.07] * 3  # the median is 1; the third of twelve is not within 5 %
    assert "1.00x [0.93, 1.00]" in speed_of(blocks([1.0] * 12, wide)).withheld
    assert speed_of(blocks([1.0] * 12, [1.0] * 10 + [1.07] * 2)).withheld == "", "two of twelve do not decide"


def test_times_that_spread_withhold_the_number():
    steady, spread_out = [1.0] * 12, [1.0] * 6 + [1.3] * 6
    cases = {
        "times of the dense network": blocks(spread_out, spread_out, [x / 2 for x in spread_out]),
        "times of the pruned network": blocks(steady, steady, spread_out),
    }
    for what, found in cases.items():
        assert f"the upper quartile of the {what} is 1.30 times the lower one" in speed_of(found).withheld
    against = blocks([1.0] * 6 + [1.2] * 6, [1.0] * 6 + [1.2] * 6, [1.1] * 6 + [1.0] * 6)
    assert "ratios of the two is 1.32 times" in speed_of(against).withheld
    assert speed_of(blocks(steady, steady, [1.0] * 6 + [1.2] * 6)).withheld == ""


def test_few_blocks_withhold_the_number():
    assert speed_of(blocks(1.0, count=11)).withheld == "11 blocks were measured and 12 are needed"
    with pytest.raises(ValueError, match="too few"):
        speed_of(blocks(1.0, count=5))


@pytest.mark.parametrize(("wrong", "factor"), list(product(("dense", "again"), (0.11, 0.21, 3.85, 4.77))))
def test_no_figure_of_a_noisy_machine_comes_through(wrong, factor):
    """What was printed of one architecture: each of these is withheld when the dense network shows it of itself."""
    times = {"dense": 1.0, "again": 1.0, wrong: factor}
    assert speed_of(blocks(times["dense"], times["again"], 0.9)).withheld


def test_pooling_is_of_geometric_means_and_leaves_one_architecture_as_it_is():
    one = Ratio(1.23, 1.2, 1.3)
    assert pooled([one, one, one]) == one
    found = pooled([Ratio(1.0, 0.9, 1.1), Ratio(4.0, 3.6, 4.4)])
    assert (found.median, found.low, found.high) == pytest.approx((2.0, 1.8, 2.2))


def test_words_and_limits():
    assert as_text(Ratio(1.214, 1.1, 1.349)) == "1.21x [1.10, 1.35]"
    assert (AGAINST_ITSELF, SPREAD) == (1.05, 1.25)
    assert spread([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]) == 3.0  # quartiles 2 and 6
    assert blocks(1.0).why_unusable == ""
    assert Blocks((1.0,), (1.0,), ()).why_unusable and blocks([1.0, 0.0], 1.0, 1.0, count=2).why_unusable
