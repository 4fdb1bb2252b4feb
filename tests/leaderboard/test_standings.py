"""What one table says: new images by their own test, two looks for ten seeds, a prior where there is one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from prunemark.leaderboard.inference.crossed import correctness_difference, crossed_t
from prunemark.leaderboard.inference.interim import combine_interim, p_at_interim
from prunemark.leaderboard.inference.multiplicity import against_anchor, holm, judge
from prunemark.leaderboard.inference.ranks import rank_intervals
from prunemark.leaderboard.inference.statistics import VariancePrior
from prunemark.leaderboard.standings.standings import Standings, generalising, stand

EXAMPLES, MARGIN = 400, 1.0
Correct = dict[str, NDArray[np.bool_]]


def results(generator: np.random.Generator, seeds: int, **rates: float) -> Correct:
    """Correctness of every method, shape (seeds, examples); images differ in how hard they are."""
    hard = generator.normal(0, 0.3, EXAMPLES)
    return {name: generator.random((seeds, EXAMPLES)) < rate + hard for name, rate in rates.items()}


def standings(correct: Correct, **how: object) -> Standings:
    scores = {name: [float(100 * row.mean()) for row in values] for name, values in correct.items()}
    return stand(scores, correct, "anchor", quantum_percent=100 / EXAMPLES, margin_pp=MARGIN, **how)  # type: ignore[arg-type]


def test_new_images_are_tested_by_the_crossed_t_with_holm_over_its_own_family() -> None:
    correct = results(np.random.default_rng(0), 6, anchor=0.6, a=0.62, b=0.75, c=0.6)
    found = generalising(correct, "anchor")
    raw = {m: crossed_t(correctness_difference(correct[m], correct["anchor"])).p_two_sided for m in "abc"}
    assert {m: found[m].p_two_sided for m in "abc"} == raw
    assert [found[m].p_holm for m in "abc"] == holm(list(raw.values()))
    assert found["b"].generalises and not found["c"].generalises and "anchor" not in found


def test_a_difference_on_these_images_need_not_generalise() -> None:
    """The same few images on every seed: certain for new seeds, and chance for new images."""
    correct = results(np.random.default_rng(1), 8, anchor=0.6)
    better = correct["anchor"].copy()
    better[:, 7:10] = True
    correct["anchor"][:, 7:10] = False
    found = standings({**correct, "lucky": better})
    assert found.verdicts["lucky"].word == "better"
    assert not found.generalises["lucky"].generalises


def test_ten_seeds_are_judged_at_both_looks() -> None:
    correct = results(np.random.default_rng(2), 10, anchor=0.6, a=0.62, b=0.65)
    found = standings(correct)
    scores = {name: [float(100 * row.mean()) for row in values] for name, values in correct.items()}
    quantum = 100 / EXAMPLES
    early = {name: values[:5] for name, values in scores.items()}
    first, last = (against_anchor(each, "anchor", quantum_percent=quantum) for each in (early, scores))
    assert found.verdicts == judge(last, margin_pp=MARGIN, interim=first)
    assert found.ranks == rank_intervals(scores, quantum, interim=True)
    sides = []
    for name in "ab":
        tests = [crossed_t(correctness_difference(correct[name][:k], correct["anchor"][:k])) for k in (5, 10)]
        assert tests[1].difference_pp > 0
        sides.append(min(1.0, 2 * combine_interim(tests[0].p_greater, tests[1].p_greater)))
    assert [found.generalises[name].p_holm for name in "ab"] == pytest.approx(holm(sides))
    nine = standings({name: values[:9] for name, values in correct.items()})
    assert nine.verdicts == judge(against_anchor({n: v[:9] for n, v in scores.items()}, "anchor",
                                                 quantum_percent=quantum), margin_pp=MARGIN)  # fmt: skip


def test_a_prior_reaches_verdicts_and_ranks() -> None:
    correct = results(np.random.default_rng(3), 8, anchor=0.5, a=0.7)
    plain, moderated = standings(correct), standings(correct, prior=VariancePrior(df=100, sd_pp=80))
    assert plain.verdicts["a"].word == "better" and plain.ranks == {"anchor": (2, 2), "a": (1, 1)}
    assert moderated.verdicts["a"].comparison.df == 107 and moderated.verdicts["a"].word == "undetermined"
    assert moderated.ranks == {"anchor": (1, 2), "a": (1, 2)}
    assert plain.generalises["a"].generalises and not moderated.generalises["a"].generalises


def test_what_is_not_shown_for_new_seeds_is_not_shown_for_new_seeds_and_images() -> None:
    """The crossed test alone can have the smaller p: images give it more degrees of freedom than k - 1."""
    generator = np.random.default_rng(367)
    suits = generator.normal(0.05, 0.3, EXAMPLES)  # some images are for it, some against it
    correct = {"anchor": generator.random((5, EXAMPLES)) < 0.5, "a": generator.random((5, EXAMPLES)) < 0.5 + suits}
    found = standings(correct)
    alone = crossed_t(correctness_difference(correct["a"], correct["anchor"]))
    assert found.generalises["a"].p_two_sided == alone.p_two_sided < found.verdicts["a"].p_holm / 100
    assert found.generalises["a"].p_holm == found.verdicts["a"].p_holm


def test_what_is_withheld_has_no_verdict_no_rank_and_does_not_generalise() -> None:
    correct = results(np.random.default_rng(4), 8, anchor=0.5, a=0.7, b=0.72)
    found = standings(correct, withheld={"b"})
    assert found.verdicts["b"].evidence == "screening" and "b" not in found.ranks
    assert found.generalises["b"].p_holm is None and not found.generalises["b"].generalises
    alone = standings({name: correct[name] for name in ("anchor", "a")})
    assert found.verdicts["a"] == alone.verdicts["a"] and found.generalises["a"] == alone.generalises["a"]
    assert found.ranks == alone.ranks and standings(correct, withheld={"a", "b"}).ranks == {}


@pytest.mark.parametrize(
    ("seeds", "judged", "ranked"),
    [(1, False, False), (2, False, False), (4, False, False), (5, True, False), (7, True, False), (8, True, True)],
)
def test_few_seeds_have_estimates_and_no_ranks(seeds: int, judged: bool, ranked: bool) -> None:
    found = standings(results(np.random.default_rng(5), seeds, anchor=0.5, a=0.7))
    assert bool(found.ranks) is ranked
    assert all((c.p_holm is not None) is judged for c in found.generalises.values())
    assert bool(found.verdicts) is (seeds > 1)


def test_a_method_that_failed_somewhere_is_not_tested_on_new_images() -> None:
    correct = results(np.random.default_rng(6), 5, anchor=0.5, a=0.7)
    scores = {"anchor": [50.0] * 5, "a": [70.0] * 5, "b": [70.0, 70.0, 10.0, 70.0, 70.0]}
    found = stand(scores, correct, "anchor", quantum_percent=0.25, margin_pp=MARGIN)
    assert set(found.verdicts) == {"a", "b"} and set(found.generalises) == {"a"}


def test_a_newcomer_changes_no_estimate_and_no_raw_p() -> None:
    correct = results(np.random.default_rng(7), 8, anchor=0.6, a=0.62, b=0.7)
    fewer, more = (standings({n: v for n, v in correct.items() if n in names}) for names in (("anchor", "a"), correct))
    assert fewer.verdicts["a"].comparison == more.verdicts["a"].comparison
    ours, theirs = fewer.generalises["a"], more.generalises["a"]
    assert (ours.difference_pp, ours.p_two_sided) == (theirs.difference_pp, theirs.p_two_sided)
    assert ours.p_holm is not None and theirs.p_holm is not None and ours.p_holm <= theirs.p_holm


def test_a_method_with_the_first_five_of_ten_seeds_is_judged_at_that_look() -> None:
    """In one family with those that have all ten; it pays p5 / .2, and the ranks are among the others."""
    correct = results(np.random.default_rng(8), 10, anchor=0.6, a=0.62, b=0.75, late=0.68)
    correct["late"] = correct["late"][:5]
    found = standings(correct)
    scores = {name: [float(100 * row.mean()) for row in values] for name, values in correct.items()}
    quantum = 100 / EXAMPLES
    early = {name: values[:5] for name, values in scores.items()}
    first = against_anchor(early, "anchor", quantum_percent=quantum)
    last = against_anchor({n: v for n, v in scores.items() if n != "late"}, "anchor", quantum_percent=quantum)
    raw = {m: judge({m: last[m]}, margin_pp=MARGIN, interim={m: first[m]})[m].p_holm or 0.0 for m in "ab"}
    raw["late"] = min(1.0, first["late"].p_two_sided / 0.2)
    assert [found.verdicts[m].p_holm for m in raw] == holm(list(raw.values()))
    assert found.verdicts["late"].comparison == first["late"] and found.verdicts["late"].family == 3
    equal = combine_interim(found.verdicts["late"].equivalence.p)
    assert judge({"late": first["late"]}, margin_pp=MARGIN, at_interim=["late"])["late"].p_equivalence_holm == equal
    assert set(found.ranks) == {"anchor", "a", "b"} and max(high for _, high in found.ranks.values()) == 3
    alone = generalising({n: correct[n] for n in ("anchor", "late")}, "anchor", interim=True)["late"]
    assert alone.p_holm == min(1.0, alone.p_two_sided / 0.2)


def test_a_first_look_is_five_seeds_of_ten_and_of_no_other_number() -> None:
    correct = results(np.random.default_rng(9), 9, anchor=0.6, late=0.68)
    correct["late"] = correct["late"][:5]
    assert "late" not in generalising(correct, "anchor")
    with pytest.raises(ValueError, match="late has 5 seeds, and the anchor 9"):
        standings(correct)
    scores = {"anchor": [60.0, 61.0, 62.0, 61.5], "late": [70.0, 71.0, 70.5, 70.1]}
    with pytest.raises(ValueError, match="not at the first of two looks"):
        judge(against_anchor(scores, "anchor", quantum_percent=0.1), margin_pp=MARGIN, at_interim=["late"])


def test_a_first_look_pays_what_both_looks_charge_for_it() -> None:
    correct = results(np.random.default_rng(10), 5, anchor=0.6, a=0.63)
    found = crossed_t(correctness_difference(correct["a"], correct["anchor"]))
    assert p_at_interim(found) == pytest.approx(min(1.0, 2 * combine_interim(min(found.p_greater, found.p_less))))
