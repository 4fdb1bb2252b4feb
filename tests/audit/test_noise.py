"""Noise: the t distribution against scipy, Welch by hand, priors, readings, selection, runs needed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunemark.audit.document.metrics import METRICS
from prunemark.audit.document.reported_values import ReportedValue
from prunemark.audit.judgement.noise import gap as gap_of
from prunemark.audit.judgement.noise import make_arm, runs_needed
from prunemark.audit.judgement.selection import selection_of
from prunemark.audit.judgement.t_distribution import quantile, two_sided_p
from prunemark.setups.values import NOT_REPORTED, Between, Conflict

fixed = settings(derandomize=True, deadline=None, database=None)
sides = st.tuples(st.floats(60, 90), st.floats(0.01, 2), st.integers(2, 9))  # accuracy, sd, runs
VALUES = ("top1", "top1_sd", "top1_plus_minus", "runs", "selection")


def arm(top1=75.0, *, dataset="ImageNet", network="ResNet-50", base=None, own=None, **values):
    result = {
        f"result.{name}": ReportedValue(values.get(name, NOT_REPORTED), decimals=2, half=0.005) for name in VALUES
    }
    result["result.top1"] = ReportedValue(top1)
    return make_arm(result, ReportedValue(base) if base else None, dataset, network, own)


def gap(winner, loser, by_drop=False):
    return gap_of(winner, loser, by_drop)


def stated(top1, sd, runs=3, **more):
    return arm(top1, top1_sd=sd, runs=runs, **more)


@fixed
@given(st.floats(0.01, 60), st.floats(1, 200) | st.just(math.inf))
def test_the_t_distribution_is_scipys(t, df):
    from scipy.stats import norm
    from scipy.stats import t as t_distribution

    law = norm if math.isinf(df) else t_distribution(df)
    assert two_sided_p(t, df) == pytest.approx(2 * law.sf(t), rel=1e-9, abs=1e-300)
    assert quantile(0.95, df) == pytest.approx(law.ppf(0.975), rel=1e-9)


def test_known_quantiles():
    assert [round(quantile(0.95, df), 3) for df in (1, 2, 10, math.inf)] == [12.706, 4.303, 2.228, 1.960]
    assert quantile(0.95, 0) == math.inf and two_sided_p(3.0, 0) == 1.0
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile(95, 3)


def test_welch_by_hand_for_table_4():
    """95 %: 77.64 +- 0.39 against 76.67 +- 0.90, three runs each: df 2.73, half-width 1.9; at 30 %, p is .016."""
    from scipy.stats import ttest_ind_from_stats

    for a, b in (((77.64, 0.39), (76.67, 0.90)), ((84.0, 0.22), (83.31, 0.13))):
        found = gap(stated(*a), stated(*b)).main
        assert found.p == pytest.approx(ttest_ind_from_stats(*a, 3, *b, 3, equal_var=False).pvalue, rel=1e-9)
    wide = gap(stated(77.64, 0.39), stated(76.67, 0.90)).main
    assert wide.high - wide.points == pytest.approx(1.91, abs=0.01)


def test_a_single_run_takes_its_sd_from_the_prior_and_says_so():
    found = gap(arm(75.24), arm(74.98))
    assert found.sd_source == "prior" and found.position() == "within"
    assert found.main.high - found.main.points == pytest.approx(1.96 * math.sqrt(2) * 0.16, rel=1e-4)  # 0.44
    assert gap(arm(75.24), stated(74.0, 0.1)).sd_source == "prior and stated"
    three = gap(arm(runs=3), arm(74.0, runs=3)).main
    assert three.high - three.points == pytest.approx(1.96 * math.sqrt(2 / 3) * 0.16, rel=1e-4)


def test_the_priors_are_those_four():
    named = {f"{data} {net}": sd for data, net, sd in METRICS["top1"].priors}
    others = {"imagenet resnet34": 0.17, "cifar10 resnet56": 0.20, "cifar100 vgg19": 0.19}
    assert named == {"imagenet resnet50": 0.16} | others


def test_own_repeats_come_before_the_prior():
    own = {("imagenet", "resnet50"): 0.5}
    found = gap(arm(own=own), arm(74.0, own=own))
    assert found.sd_source == "own-repeats" and found.sd == 0.5


def test_without_a_prior_the_noise_is_unknown_and_never_zero():
    found = gap(arm(90.0, network="GoogLeNet"), arm(80.0, network="GoogLeNet"))
    assert (found.points, found.readings, found.sd_source, found.position()) == (10.0, (), "unknown", "unknown")


def test_a_printed_zero_is_rounding():
    found = gap(stated(79.70, 0.0), stated(79.69, 0.0))
    assert found.sd == pytest.approx(0.005) and found.position() == "within"


def test_at_least_three_runs_count_as_three_and_a_conflict_as_its_fewest():
    assert arm(top1_sd=0.1, runs=Between(3)).runs == 3
    assert arm(top1_sd=0.1, runs=Conflict((5, 3))).runs == 3
    assert not arm(top1_sd=0.1).runs_reported and arm(top1_sd=0.1).runs == 1


def test_an_unexplained_plus_minus_has_to_hold_in_every_reading():
    clear = gap(stated(84.0, 0.22), stated(83.31, 0.13))
    assert clear.position() == "above" and [r.decisive for r in clear.asides] == [False, False]
    unclear = gap(arm(84.0, top1_plus_minus=0.22, runs=3), arm(83.31, top1_plus_minus=0.13, runs=3))
    assert unclear.position() == "within"  # as a standard error the sd would be 1.7 times as large
    assert {r.name for r in unclear.readings} == {"accuracy", "if +- is a standard error", "if +- is a population sd"}


def test_accuracy_and_drop():
    a, b = stated(76.0, 0.1, base=77.0), stated(75.0, 0.1, base=76.1)
    found = gap(a, b, by_drop=True)
    assert [(r.name, round(r.points, 3)) for r in found.readings] == [("accuracy", 1.0), ("drop", 0.1)]
    assert found.position() == "within" and gap(a, b).position() == "above"


@pytest.mark.parametrize(("runs", "sds"), [(3, 0.85), (5, 1.16), (10, 1.54), (None, 1.54)])
def test_the_best_of_k_runs_is_inflated(runs, sds):
    values = {"selection": "best_of_runs"} | ({"runs": runs} if runs else {})
    found = gap(arm(75.0, **values), arm(74.0))
    assert len(found.readings) == 1 and found.inflation == pytest.approx(sds * 0.16)
    assert found.asides[-1].points == pytest.approx(1.0 - sds * 0.16) and not found.asides[-1].decisive
    assert gap(arm(74.0), arm(75.0, **values)).inflation == 0  # never to the loser's cost


def test_the_best_epoch_on_the_test_split():
    best, last = {"selection": "best_epoch_on_test"}, {"selection": "last"}
    shown = gap(arm(75.0, **best), arm(74.5, **last))
    assert shown.position() == "above" and shown.inflation == 0.29  # shown, and never the reason for "within noise"
    assert gap(arm(75.0, **best), arm(74.5, **best)).position() == "above"
    words = ("mean", "Last-Epoch", "Best Epoch", NOT_REPORTED)
    assert [selection_of(word) for word in words] == ["last", "last", "best_epoch_on_test", None]


def test_runs_needed_by_the_formula():
    assert runs_needed(0.20, 0.53) == 3  # 2 (2.8)^2 0.04 / 0.2809 = 2.23
    assert runs_needed(0.16, 0.12) == 28 and runs_needed(0.16, 0.26) == 6
    assert runs_needed(0.1, 5.0) == 2 and runs_needed(0.1, 0.0) is None and runs_needed(1.0, 1e-9) is None


@fixed
@given(sides, sides)
def test_exchanging_the_sides_mirrors_the_interval(a, b):
    there, back = (gap(stated(*x), stated(*y)).main for x, y in ((a, b), (b, a)))
    assert there.low == pytest.approx(-back.high) and there.p == pytest.approx(back.p)
