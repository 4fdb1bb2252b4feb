"""Holm, verdicts against the anchor, rank intervals: known answers, properties, family-wise error."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from prunemark.leaderboard.inference.interim import combine_interim
from prunemark.leaderboard.inference.multiplicity import (
    Verdict,
    against_anchor,
    evidence_level,
    holm,
    judge,
)
from prunemark.leaderboard.inference.statistics import PairedComparison, VariancePrior, paired_t, tost
from prunemark.setups.errors import InputError

QUANTUM, MARGIN = 0.01, 0.3
fixed = settings(derandomize=True, deadline=None, database=None)
p_values = st.lists(st.floats(0, 1), max_size=12)


def field(generator: np.random.Generator, means: Sequence[float], seeds: int) -> dict[str, NDArray[np.float64]]:
    """Accuracies in percent on 10,000 images; the seeds are shared, so that methods are paired."""
    base = generator.normal(0, 0.2, seeds)
    return {f"m{index}": np.round(mean + base + generator.normal(0, 0.1, seeds), 2) for index, mean in enumerate(means)}


def against_zero(differences: Sequence[float]) -> PairedComparison:
    return paired_t(differences, np.zeros(len(differences)), quantum_percent=QUANTUM)


def verdict_on(*differences: float) -> Verdict:
    return judge({"it": against_zero(differences)}, margin_pp=MARGIN)["it"]


def test_holm_known_answer() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == [] and holm([0.2]) == [0.2]


@given(p_values)
@fixed
def test_holm_lies_between_raw_and_bonferroni_and_keeps_the_order(raw: list[float]) -> None:
    adjusted = holm(raw)
    for p, q in zip(raw, adjusted, strict=True):
        assert p <= q <= min(1.0, len(raw) * p)
    by_raw = [adjusted[index] for index in np.argsort(raw)]
    assert by_raw == sorted(by_raw)
    if raw:
        assert min(adjusted) == min(1.0, len(raw) * min(raw))


@given(p_values, st.randoms(use_true_random=False), st.floats(0, 1))
@fixed
def test_holm_does_not_depend_on_order_and_grows_with_the_family(
    raw: list[float], random: object, another: float
) -> None:
    order = np.random.default_rng(len(raw)).permutation(len(raw)).tolist()
    assert holm([raw[index] for index in order]) == [holm(raw)[index] for index in order]
    assert all(q >= p for p, q in zip(holm(raw), holm([*raw, another]), strict=False))


@pytest.mark.parametrize("wrong", [-0.1, 1.1, math.nan])
def test_holm_refuses_what_is_no_probability(wrong: float) -> None:
    with pytest.raises(ValueError, match="p-value must lie between 0 and 1"):
        holm([0.5, wrong])


def test_evidence_levels() -> None:
    levels = [evidence_level(seeds) for seeds in (0, 2, 3, 4, 5, 7, 8, 30)]
    assert levels == ["no test"] * 2 + ["screening"] * 2 + ["verdicts"] * 2 + ["ranks"] * 2


def test_the_four_words() -> None:
    assert verdict_on(1.0, 1.1, 0.9, 1.0, 1.05).word == "better"
    assert verdict_on(-1.0, -1.1, -0.9, -1.0, -1.05).word == "worse"
    assert verdict_on(0.05, -0.05, 0.02, -0.03, 0.01).word == "equivalent"
    assert verdict_on(1.0, -1.0, 0.7, -0.4, 0.2).word == "undetermined"


def test_not_significant_is_undetermined_however_close() -> None:
    close = verdict_on(0.9, 0.3, 1.1, 0.0, 0.2)
    assert close.p_holm is not None and 0.05 < close.p_holm < 0.1
    assert close.word == "undetermined"
    # at another alpha the same data have another word
    assert judge({"it": close.comparison}, margin_pp=MARGIN, alpha=0.1)["it"].word == "better"


def test_a_small_difference_that_is_certain_is_better_and_within_the_margin() -> None:
    verdict = verdict_on(0.10, 0.11, 0.09, 0.10, 0.10)
    assert verdict.word == "better" and verdict.within_margin


def test_an_identical_method_is_equivalent_and_never_better() -> None:
    same = verdict_on(0, 0, 0, 0, 0)
    assert same.word == "equivalent" and same.p_holm == 1 and same.comparison.floored
    json.dumps(asdict(same), allow_nan=False)
    assert verdict_on(0, 0, 0, 0).word == "undetermined"
    coarse = paired_t([50.0] * 5, [50.0] * 5, quantum_percent=5)  # 20 images say nothing of 0.3 points
    assert judge({"it": coarse}, margin_pp=MARGIN)["it"].word == "undetermined"


@pytest.mark.parametrize("seeds", [1, 2, 3, 4])
def test_fewer_than_five_seeds_get_no_verdict_and_cost_nobody_anything(seeds: int) -> None:
    lone = against_zero([0.3, 0.29, 0.33, 0.1, 0.35])
    few = against_zero([5.0, 5.1, 5.2, 4.9][:seeds])
    verdicts = judge({"few": few, "lone": lone}, margin_pp=MARGIN)
    assert verdicts["few"].word == "undetermined"
    assert verdicts["few"].evidence == evidence_level(seeds) != "verdicts"
    assert verdicts["few"].p_holm is None and verdicts["few"].p_equivalence_holm is None
    assert verdicts["lone"] == judge({"lone": lone}, margin_pp=MARGIN)["lone"]
    assert (verdicts["few"].family, verdicts["lone"].family) == (2, 1)


def test_both_families_are_corrected() -> None:
    """Two differences and two equivalences, each of p about .03: each passes alone, none together."""
    difference = against_zero([0.9, 0.3, 1.1, 0.1, 0.6])
    closeness = against_zero([0.3, -0.2, 0.2, 0.1, -0.1])
    assert judge({"a": difference}, margin_pp=MARGIN)["a"].word == "better"
    assert judge({"a": closeness}, margin_pp=MARGIN)["a"].word == "equivalent"
    together = judge({"a": difference, "b": difference, "c": closeness, "d": closeness}, margin_pp=MARGIN)
    assert [v.word for v in together.values()] == ["undetermined"] * 4
    assert together["a"].p_holm == pytest.approx(4 * difference.p_two_sided)
    assert together["c"].p_equivalence_holm == pytest.approx(4 * together["c"].equivalence.p)
    assert all(v.family == 4 for v in together.values())


def test_needed_seeds_count_the_family() -> None:
    noisy = against_zero([1.0, -1.0, 0.7, -0.4, 0.2])
    alone = judge({"a": noisy}, margin_pp=MARGIN)["a"].needed_seeds
    in_company = judge({name: noisy for name in "abcdefg"}, margin_pp=MARGIN)["a"].needed_seeds
    assert alone is not None and in_company is not None
    assert 5 < alone < in_company
    assert verdict_on(0.1).needed_seeds is None


def test_two_looks_are_charged_for() -> None:
    differences = [0.30, 0.05, 0.31, 0.02, 0.22, 0.01, 0.33, -0.05, 0.12, -0.20]
    second, first = against_zero(differences), against_zero(differences[:5])
    once = judge({"a": second}, margin_pp=MARGIN)["a"]
    twice = judge({"a": second}, margin_pp=MARGIN, interim={"a": first})["a"]
    assert twice.p_holm == pytest.approx(combine_interim(first.p_two_sided, second.p_two_sided))
    assert once.p_holm is not None and twice.p_holm is not None and once.p_holm < twice.p_holm
    assert once.p_equivalence_holm is not None and twice.p_equivalence_holm is not None
    assert once.p_equivalence_holm < twice.p_equivalence_holm


@pytest.mark.parametrize("sign", [1, -1])
def test_a_first_look_that_the_second_reverses_decides_nothing(sign: int) -> None:
    differences = sign * np.array([0.1, 0.1, 0.1, 0.1, 0.1, -0.9, 0.2, -0.8, 0.1, -0.1])
    first, second = against_zero(differences[:5].tolist()), against_zero(differences.tolist())
    assert combine_interim(first.p_two_sided, second.p_two_sided) < 1e-3
    verdict = judge({"a": second}, margin_pp=0.01, interim={"a": first})["a"]
    assert verdict.word == "undetermined"


def test_nothing_is_equivalent_that_lies_outside_the_margin_on_all_seeds() -> None:
    """Random against L1-norm on digits-mlp7@2, 90 %: at chance on nine seeds of ten, and at 42 % on one."""
    random, l1_norm = [9.4] * 7 + [42.0] + [9.4] * 2, [9.6] * 10
    first, last = (paired_t(random[:n], l1_norm[:n], quantum_percent=0.2) for n in (5, 10))
    assert combine_interim(tost(first, 1.0).p, tost(last, 1.0).p) < 0.001 and tost(last, 1.0).p > 0.7
    verdict = judge({"random": last}, margin_pp=1.0, interim={"random": first})["random"]
    assert verdict.word == "undetermined" and not verdict.within_margin
    assert verdict.p_equivalence_holm == pytest.approx(tost(last, 1.0).p)
    assert judge({"random": first}, margin_pp=1.0, at_interim=["random"])["random"].within_margin


def test_there_are_exactly_two_looks_at_five_and_ten() -> None:
    seven, five = against_zero([0.1] * 7), against_zero([0.1] * 5)
    with pytest.raises(ValueError, match="looked at with 5 and 7 seeds: there are exactly two looks"):
        judge({"a": seven}, margin_pp=MARGIN, interim={"a": five})
    with pytest.raises(ValueError, match="b has a first look but no comparison; compared: a"):
        judge({"a": seven}, margin_pp=MARGIN, interim={"b": five})


def test_the_anchor_must_be_in_the_field() -> None:
    with pytest.raises(InputError, match=r"unknown anchor 'l1_nrm'. Did you mean 'l1_norm'\?"):
        against_anchor({"l1_norm": [1.0, 2.0], "fpgm": [1.0, 2.0]}, "l1_nrm", quantum_percent=QUANTUM)


def test_methods_on_different_seeds_are_refused_by_name() -> None:
    scores = {"l1_norm": [1.0, 2.0], "fpgm": [1.0, 2.0, 3.0]}
    with pytest.raises(ValueError, match=r"fpgm \(A\) against l1_norm \(B\): A has 3 seeds and B has 2"):
        against_anchor(scores, "l1_norm", quantum_percent=QUANTUM)


@given(st.integers(0, 2**32 - 1), st.integers(2, 9))
@fixed
def test_a_newcomer_changes_no_estimate_interval_or_raw_p(seed: int, seeds: int) -> None:
    generator = np.random.default_rng(seed)
    scores = field(generator, [93, 93.1, 93.5], seeds)
    newcomer = {"new": generator.uniform(0, 100, seeds)}
    before = against_anchor(scores, "m0", quantum_percent=QUANTUM)
    after = against_anchor(newcomer | scores, "m0", quantum_percent=QUANTUM)
    assert list(after) == ["new", "m1", "m2"]
    assert {name: after[name] for name in before} == before


@given(st.integers(0, 2**32 - 1), st.permutations(range(8)))
@fixed
def test_seeds_permuted_jointly_change_no_verdict(seed: int, order: list[int]) -> None:
    scores = field(np.random.default_rng(seed), [93, 93.1, 93.3], 8)
    shuffled = {name: values[order] for name, values in scores.items()}
    verdicts = [
        judge(against_anchor(each, "m0", quantum_percent=QUANTUM), margin_pp=MARGIN) for each in (scores, shuffled)
    ]
    assert verdicts[0] == verdicts[1]


def test_what_is_withheld_is_screened_and_costs_nobody_anything() -> None:
    comparisons = against_anchor(field(np.random.default_rng(1), [93, 91, 95], 8), "m0", quantum_percent=QUANTUM)
    verdicts = judge(comparisons, margin_pp=MARGIN, withheld={"m2"})
    assert (verdicts["m2"].evidence, verdicts["m2"].word, verdicts["m2"].p_holm) == ("screening", "undetermined", None)
    assert verdicts["m1"] == judge({"m1": comparisons["m1"]}, margin_pp=MARGIN)["m1"]


def test_a_prior_reaches_every_comparison() -> None:
    scores = field(np.random.default_rng(3), [93, 94], 5)
    vague = VariancePrior(df=100, sd_pp=50)
    assert against_anchor(scores, "m0", quantum_percent=QUANTUM, prior=vague)["m1"].df == 104


def test_family_wise_error_of_the_verdicts() -> None:
    """1,000 fields of six equal methods on five seeds: a better or worse anywhere is an error."""
    generator = np.random.default_rng(7)
    errors, uncorrected = 0, 0
    for _ in range(1000):
        comparisons = against_anchor(field(generator, [93] * 6, 5), "m0", quantum_percent=QUANTUM)
        p_adjusted = holm([c.p_two_sided for c in comparisons.values()])
        errors += min(p_adjusted) <= 0.05
        uncorrected += min(c.p_two_sided for c in comparisons.values()) <= 0.05
    assert 0.02 <= errors / 1000 <= 0.06
    assert uncorrected / 1000 > 0.12
