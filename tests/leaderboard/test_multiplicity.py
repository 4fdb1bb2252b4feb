"""Holm, verdicts against the anchor, rank intervals: known answers, properties, family-wise error."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from prunemark.leaderboard.inference.any_time import interval, log_e, log_e_equivalent, path_of
from prunemark.leaderboard.inference.evidence import Evidence, evidence
from prunemark.leaderboard.inference.multiplicity import (
    Verdict,
    against_anchor,
    evidence_level,
    holm,
    judge,
)
from prunemark.leaderboard.inference.statistics import VariancePrior
from prunemark.setups.errors import InputError

QUANTUM, MARGIN = 0.01, 0.3
fixed = settings(derandomize=True, deadline=None, database=None)
p_values = st.lists(st.floats(0, 1), max_size=12)


def field(generator: np.random.Generator, means: Sequence[float], seeds: int) -> dict[str, NDArray[np.float64]]:
    """Accuracies in percent on 10,000 images; the seeds are shared, so that methods are paired."""
    base = generator.normal(0, 0.2, seeds)
    return {f"m{index}": np.round(mean + base + generator.normal(0, 0.1, seeds), 2) for index, mean in enumerate(means)}


def against_zero(differences: Sequence[float], planned: int | None = None, **how: object) -> Evidence:
    zeros = np.zeros(len(differences))
    return evidence(differences, zeros, quantum_percent=QUANTUM, margin_pp=MARGIN, planned=planned, **how)  # type: ignore[arg-type]


def verdict_on(*differences: float) -> Verdict:
    return judge({"it": against_zero(differences)}, margin_pp=MARGIN)["it"]


def against(scores: Mapping[str, ArrayLike], planned: int | None = None) -> dict[str, Evidence]:
    return against_anchor(scores, "m0", quantum_percent=QUANTUM, margin_pp=MARGIN, planned=planned)


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
    assert [evidence_level(seeds) for seeds in (0, 2, 3, 30)] == ["no test"] * 2 + ["verdicts"] * 2
    assert [evidence_level(seeds, 5) for seeds in (0, 4, 5, 6)] == ["waiting"] * 2 + ["verdicts"] * 2


def test_the_four_words() -> None:
    assert verdict_on(1.0, 1.1, 0.9, 1.0, 1.05).word == "better"
    assert verdict_on(-1.0, -1.1, -0.9, -1.0, -1.05).word == "worse"
    assert verdict_on(0.05, -0.05, 0.02, -0.03, 0.01).word == "equivalent"
    assert verdict_on(1.0, -1.0, 0.7, -0.4, 0.2).word == "undetermined"


def test_the_numbers_are_those_of_the_e_processes() -> None:
    """p is 1 over the largest e so far, adjusted by its place among the others; the interval that of the last seed."""
    differences = {"a": [1.0, 1.1, 0.9, 1.0, 0.2], "b": [0.1, 0.0, -0.1, 0.2, 0.1, -0.2], "c": [3.0, -3.0, 2.0]}
    verdicts = judge({name: against_zero(values) for name, values in differences.items()}, margin_pp=MARGIN)
    paths = {name: path_of(values, quantum_percent=QUANTUM) for name, values in differences.items()}
    largest = {name: math.exp(log_e(path).max()) for name, path in paths.items()}
    assert largest["a"] > math.exp(log_e(paths["a"])[-1])  # it was more after four seeds
    assert verdicts["a"].p_holm == pytest.approx(3 / largest["a"]) and verdicts["a"].comparison.p_two_sided == (
        pytest.approx(1 / largest["a"])
    )
    assert verdicts["b"].p_equivalence_holm == pytest.approx(
        min(1, 3 * math.exp(-log_e_equivalent(paths["b"], MARGIN)[-1]))
    )
    assert all(verdicts[name].comparison.interval_pp == interval(path) for name, path in paths.items())
    assert [v.comparison.seeds for v in verdicts.values()] == [5, 6, 3]


@pytest.mark.parametrize("sign", [1, -1])
def test_what_was_shown_stays_shown_on_its_side(sign: int) -> None:
    """Ten seeds show a difference, and the next ones go the other way: it was never shown on that side."""
    first = [0.5, 0.52, 0.49, 0.5, 0.51, 0.48, 0.5, 0.5, 0.52, 0.49]
    whole = sign * np.array([*first, *[-3.0, -1.0] * 4])
    verdict = verdict_on(*whole)
    assert sign * verdict.comparison.difference_pp < 0
    assert verdict.word == ("better" if sign > 0 else "worse")


def test_a_small_difference_that_is_certain_is_better_and_within_the_margin() -> None:
    verdict = verdict_on(0.10, 0.11, 0.09, 0.10, 0.10)
    assert verdict.word == "better" and verdict.within_margin


def test_an_identical_method_is_equivalent_and_never_better() -> None:
    same = verdict_on(0, 0, 0, 0, 0)
    assert same.word == "equivalent" and same.p_holm == 1 and same.comparison.floored
    json.dumps(asdict(same), allow_nan=False)
    coarse = evidence([50.0] * 5, [50.0] * 5, quantum_percent=5, margin_pp=MARGIN)  # 20 images
    assert judge({"it": coarse}, margin_pp=MARGIN)["it"].word == "undetermined"


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_seeds_get_no_verdict_and_cost_nobody_anything(seeds: int) -> None:
    lone = against_zero([0.3, 0.29, 0.33, 0.1, 0.35])
    few = against_zero([5.0, 5.1][:seeds])
    verdicts = judge({"few": few, "lone": lone}, margin_pp=MARGIN)
    assert (verdicts["few"].word, verdicts["few"].evidence) == ("undetermined", "no test")
    assert verdicts["few"].p_holm is None and verdicts["few"].p_equivalence_holm is None
    assert verdicts["few"].more_seeds == 3 - seeds
    assert verdicts["lone"] == judge({"lone": lone}, margin_pp=MARGIN)["lone"]
    assert (verdicts["few"].family, verdicts["lone"].family) == (2, 1)


def test_both_families_are_corrected() -> None:
    """Each passes alone, none among twenty like it."""
    difference, closeness = against_zero([0.9, 1.0, 1.2, 0.7, 0.8, 1.1]), against_zero([0.1, -0.1, 0.1, 0.0, -0.1, 0.1])
    assert judge({"a": difference}, margin_pp=MARGIN)["a"].word == "better"
    assert judge({"a": closeness}, margin_pp=MARGIN)["a"].word == "equivalent"
    many = {f"{kind}{n}": found for kind, found in (("d", difference), ("c", closeness)) for n in range(200)}
    together = judge(many, margin_pp=MARGIN)
    assert {v.word for v in together.values()} == {"undetermined"} and together["d0"].family == 400


def test_more_seeds_are_expected_in_company() -> None:
    noisy = against_zero([1.0, -1.0, 0.7, -0.4, 0.2])
    alone = judge({"a": noisy}, margin_pp=MARGIN)["a"].more_seeds
    in_company = judge({name: noisy for name in "abcdefg"}, margin_pp=MARGIN)["a"].more_seeds
    assert alone is not None and in_company is not None and 1 <= alone < in_company
    assert verdict_on(0, 0, 0, 0, 0).more_seeds is None


def test_a_planned_look_is_one_fixed_sample_test_when_all_seeds_are_there() -> None:
    """Nothing before, exactly the first n, and none added after."""
    differences = [0.9, 0.3, 1.1, 0.1, 0.6, -4.0, -5.0]
    for seeds in (2, 4):
        early = judge({"a": against_zero(differences[:seeds], 5)}, margin_pp=MARGIN)["a"]
        assert (early.word, early.evidence, early.p_holm) == ("undetermined", "waiting", None)
        assert early.more_seeds == 5 - seeds
    test = stats.ttest_1samp(differences[:5], 0)
    for seeds in (5, 7):
        found = judge({"a": against_zero(differences[:seeds], 5)}, margin_pp=MARGIN)["a"]
        assert found.word == "better" and found.p_holm == pytest.approx(test.pvalue)
        assert found.comparison.interval_pp == pytest.approx(tuple(test.confidence_interval(0.95)))
        assert found.comparison.seeds == 5 and found.more_seeds is None
    among = judge({name: against_zero(differences, 5) for name in "abc"}, margin_pp=MARGIN)
    assert among["a"].p_holm == pytest.approx(3 * test.pvalue)
    close = [0.1, -0.05, 0.02, -0.03, 0.06]
    p = max(
        stats.ttest_1samp(np.array(close) + shift, 0, alternative=way).pvalue
        for shift, way in ((MARGIN, "greater"), (-MARGIN, "less"))
    )
    equal = judge({"a": against_zero(close, 5)}, margin_pp=MARGIN)["a"]
    assert equal.word == "equivalent" and equal.p_equivalence_holm == pytest.approx(p)


def test_a_prior_counts_in_planned_looks_only() -> None:
    vague = VariancePrior(df=100, sd_pp=50)
    scores = field(np.random.default_rng(3), [93, 94], 5)
    how = {"quantum_percent": QUANTUM, "margin_pp": MARGIN, "prior": vague}
    assert against_anchor(scores, "m0", planned=5, **how)["m1"].comparison.df == 104  # type: ignore[arg-type]
    assert against_anchor(scores, "m0", **how)["m1"].comparison.df == 4  # type: ignore[arg-type]


def test_no_table_mixes_the_two() -> None:
    with pytest.raises(ValueError, match="no table mixes"):
        judge({"a": against_zero([0.1] * 5), "b": against_zero([0.1] * 5, 5)}, margin_pp=MARGIN)


def test_the_anchor_must_be_in_the_field() -> None:
    with pytest.raises(InputError, match=r"unknown anchor 'l1_nrm'. Did you mean 'l1_norm'\?"):
        against_anchor({"l1_norm": [1.0, 2.0], "fpgm": [1.0, 2.0]}, "l1_nrm", quantum_percent=QUANTUM, margin_pp=MARGIN)


def test_methods_have_the_seeds_that_they_have() -> None:
    scores = {"m0": [1.0, 2.0, 1.5, 1.2], "less": [1.0, 2.0, 1.0], "same": [1.0, 2.0, 3.0, 1.0]}
    assert {name: found.comparison.seeds for name, found in against(scores).items()} == {"less": 3, "same": 4}
    with pytest.raises(ValueError, match="more has 5 seeds and the anchor m0 4"):
        against({**scores, "more": [1.0] * 5})


@given(st.integers(0, 2**32 - 1), st.integers(2, 9))
@fixed
def test_a_newcomer_changes_no_estimate_interval_or_raw_p(seed: int, seeds: int) -> None:
    generator = np.random.default_rng(seed)
    scores = field(generator, [93, 93.1, 93.5], seeds)
    newcomer = {"new": generator.uniform(0, 100, seeds)}
    before, after = (judge(against(each), margin_pp=MARGIN) for each in (scores, newcomer | scores))
    assert list(after) == ["new", "m1", "m2"]
    assert all(after[name].comparison == before[name].comparison for name in before)


def test_family_wise_error_of_the_verdicts() -> None:
    """500 fields of six equal methods, looked at after every seed to the 15th: a better or worse anywhere, ever."""
    generator = np.random.default_rng(7)
    errors = 0
    for _ in range(500):
        # the running maximum: what was ever said is said at the end too, in the same family
        found = judge(against(field(generator, [93] * 6, 15)), margin_pp=MARGIN)
        errors += any(verdict.word in ("better", "worse") for verdict in found.values())
    assert errors / 500 <= 0.05
