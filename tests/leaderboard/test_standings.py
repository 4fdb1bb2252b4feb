"""What one table says: at any time or in a planned look, new images by their own test."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from prunemark.leaderboard.inference.crossed import correctness_difference, crossed_t
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


def test_a_field_is_judged_by_the_e_processes_each_method_on_its_seeds() -> None:
    correct = results(np.random.default_rng(2), 10, anchor=0.6, a=0.62, b=0.65, late=0.7)
    correct["late"] = correct["late"][:4]
    found = standings(correct)
    scores = {name: [float(100 * row.mean()) for row in values] for name, values in correct.items()}
    assert found.verdicts == judge(
        against_anchor(scores, "anchor", quantum_percent=100 / EXAMPLES, margin_pp=MARGIN), margin_pp=MARGIN
    )
    assert found.ranks == rank_intervals(scores, 100 / EXAMPLES)
    assert found.verdicts["late"].comparison.seeds == 4 and found.generalises["late"].p_holm is None
    raw = [crossed_t(correctness_difference(correct[m], correct["anchor"])).p_two_sided for m in "ab"]
    adjusted = {name: max(p, found.verdicts[name].p_holm or 0) for name, p in zip("ab", holm(raw), strict=True)}
    assert {name: found.generalises[name].p_holm for name in "ab"} == pytest.approx(adjusted)


def test_a_planned_field_says_nothing_before_and_nothing_more_after() -> None:
    correct = results(np.random.default_rng(3), 8, anchor=0.5, a=0.7)
    early, there, later = (standings({n: v[:k] for n, v in correct.items()}, planned=5) for k in (4, 5, 8))
    assert early.verdicts["a"].evidence == "waiting" and early.ranks == {}
    assert there.verdicts["a"].word == "better" and there.ranks == {"anchor": (2, 2), "a": (1, 1)}
    assert later.verdicts == there.verdicts and later.ranks == there.ranks


def test_a_prior_reaches_planned_verdicts_and_ranks() -> None:
    correct = results(np.random.default_rng(3), 8, anchor=0.5, a=0.7)
    plain, moderated = (standings(correct, planned=8, prior=prior) for prior in (None, VariancePrior(df=100, sd_pp=80)))
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


@pytest.mark.parametrize(("seeds", "judged"), [(1, False), (2, False), (3, True), (8, True)])
def test_few_seeds_have_estimates_and_no_ranks(seeds: int, judged: bool) -> None:
    found = standings(results(np.random.default_rng(5), seeds, anchor=0.5, a=0.7))
    assert bool(found.ranks) is judged and bool(found.verdicts) is (seeds > 1)
    assert all((verdict.p_holm is not None) is judged for verdict in found.verdicts.values())


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
