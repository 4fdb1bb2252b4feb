"""Controls beside submissions: one row for equal layer ratios, and none that only repeats another's networks."""

import dataclasses
import hashlib

import numpy as np

from prunemark.leaderboard.inference.any_time import interval, log_e, log_e_equivalent, path_of
from prunemark.leaderboard.standings.board import make_board
from prunemark.records.load import Loaded
from prunemark.records.matched_to import RATIOS_OF
from prunemark.records.outcome import Failure

ANCHOR = [94.0, 95.0, 93.6, 94.8, 94.4]
BETTER = [96.2, 96.8, 96.0, 97.0, 96.2]


def table(*groups):
    return make_board(Loaded(tuple(record for group in groups for record in group))).tables[0]


def row(found, name):
    return next(r for r in (*found.ranked, *found.unranked) if r.name == name)


def test_a_control_of_equal_ratios_is_one_row_whoever_it_ran_beside(make_records):
    def allocated(record, word, kept):
        compression = dataclasses.replace(record.outcome.compression, allocation=word, kept=kept)
        return dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, compression=compression))

    random = make_records("Random", BETTER, role="control")
    first = [allocated(r, "given", {"a": 1}) for r in random[:2]]
    rest = [allocated(r, "uniform", {"a": 1}) for r in random[2:]]
    other = [with_weights(allocated(r, "given", {"a": 2}), f"others {r.outcome.seed}") for r in random]
    assert [r.name for r in table(make_records("L1-norm", ANCHOR), first, rest).ranked] == ["Random", "L1-norm"]
    names = {r.name for r in table(make_records("L1-norm", ANCHOR), first, rest, other).ranked}
    assert names == {"L1-norm", "Random (layer ratios 1)", "Random (layer ratios 2)"}


def with_weights(record, sha256):
    return dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, weights_sha256=sha256))


def source_of(name):
    return hashlib.sha256(name.encode()).hexdigest()


def matched(make_records, method_name, scores, weights, **how):
    """A control with the layer ratios of this method; "" for the one with the level's own."""
    settings = (
        {RATIOS_OF: f"{method_name} {source_of(method_name)[:8]} (q=2, p=1.5, lr=0:1e-1, 5:1e-2)"}
        if method_name
        else {}
    )
    records = make_records("Random", scores, role="control", settings=settings, **how)
    return [with_weights(r, f"{weights} {r.outcome.seed}") for r in records]


def method(make_records, name, scores):
    return make_records(name, scores, source=source_of(name), settings={"lr": "0:1e-1, 5:1e-2", "p": 1.5, "q": 2})


def test_a_matched_control_is_compared_with_its_method_and_with_nobody_else(make_records):
    """The numbers by the e-processes; the family is of such controls alone, and costs the ranked nothing."""
    scores = {"A": BETTER, "B": [94.2, 95.2, 93.8, 95.0, 94.4]}
    groups = [make_records("L1-norm", ANCHOR), *(method(make_records, n, s) for n, s in scores.items())]
    other = [94.0, 95.2, 93.8, 95.0, 94.6]
    controls = [matched(make_records, "A", ANCHOR, "1"), matched(make_records, "B", other, "2")]
    found, without = table(*groups, *controls), table(*groups)
    assert found.ranked == without.ranked and len(found.ranked) == 3
    a, b = (path_of(np.subtract(scores[n], c), quantum_percent=0.2) for n, c in (("A", ANCHOR), ("B", other)))
    low, high = interval(a)
    said = row(found, "Random (layer ratios of A)").why
    assert said.startswith(
        f"a matched control: A, with the same layer ratios, is at +2.08 pp [{low:+.2f}, {high:+.2f}]"
    )
    assert f"better (p {2 / np.exp(log_e(a).max()):.3g}, Holm over 2 such controls)" in said
    p = 2 / np.exp(log_e_equivalent(b, 1.0)[-1])  # A's e is the smaller one of this family
    assert p < 0.05 and f"equivalent (p {p:.3g}, Holm over 2" in row(found, "Random (layer ratios of B)").why


def test_a_matched_control_says_why_it_is_compared_with_nothing(make_records):
    """Its method is not there, or not with all of the seeds, or under other settings, or the setup does not hold."""
    anchor = make_records("L1-norm", ANCHOR)
    control = matched(make_records, "A", BETTER, "1")
    alone = "a control for A, which has no results to compare it with on these seeds"
    assert row(table(anchor, control), "Random").why == alone
    assert row(table(anchor, control, method(make_records, "A", BETTER[:1])), "Random").why == alone
    assert row(table(anchor, control, method(make_records, "A", BETTER)[1:]), "Random").why == alone
    other = make_records("A", BETTER, source="a", settings={"p": 1.0, "q": 2})
    assert row(table(anchor, control, other), "Random").why == alone
    longer = matched(make_records, "A", BETTER, "1", lr=(0.1, 0.1, 0.01))
    assert "S3.2 does not hold" in row(table(anchor, longer, method(make_records, "A", BETTER)), "Random").why


def test_a_matched_control_is_compared_on_the_seeds_that_both_have(make_records):
    control = matched(make_records, "A", ANCHOR, "1")
    found = table(make_records("L1-norm", ANCHOR), method(make_records, "A", BETTER[:4]), control)
    difference = np.mean(BETTER[:4]) - np.mean(ANCHOR[:4])
    assert f"is at {difference:+.2f} pp" in row(found, "Random").why


def failing(records, seed):
    """The method failed on this seed: no accuracy, no weights."""
    failure = Failure("pruning", "ValueError: no")
    return [
        r
        if r.outcome.seed != seed
        else dataclasses.replace(
            r, outcome=dataclasses.replace(r.outcome, status="failed", failure=failure, accuracy=None)
        )
        for r in records
    ]


def test_a_method_counts_at_chance_beside_its_matched_control_too(make_records):
    """And where the control has nothing on that seed, it ends there: a seed is never left out for a failure."""
    groups = make_records("L1-norm", ANCHOR), failing(method(make_records, "A", BETTER), 2)
    control = matched(make_records, "A", ANCHOR, "1")
    said = row(table(*groups, control), "Random").why
    mine = [*BETTER[:2], 10.0, *BETTER[3:]]
    assert f"is at {sum(mine) / 5 - sum(ANCHOR) / 5:+.2f} pp" in said
    del control[2]
    said = row(table(*groups, control), "Random").why
    assert f"is at {sum(mine[:2]) / 2 - sum(ANCHOR[:2]) / 2:+.2f} pp [any]" in said and "such controls" not in said


def test_controls_that_are_the_same_networks_are_shown_once(make_records):
    others = [("A", ANCHOR, "1"), ("B", BETTER, "2"), ("C", BETTER, "2"), ("", ANCHOR, "1")]
    methods = [method(make_records, name, BETTER) for name in "ABC"]
    found = table(make_records("L1-norm", ANCHOR), *methods, *(matched(make_records, *other) for other in others))
    assert [r.name for r in found.ranked] == ["A", "B", "C", "L1-norm", "Random"]
    assert row(found, "Random (layer ratios of A)").why == "the same networks as Random, on every seed"
    assert "same networks as Random (layer ratios of B)" in row(found, "Random (layer ratios of C)").why
    assert "a matched control: B" in row(found, "Random (layer ratios of B)").why


def test_methods_that_are_the_same_networks_are_ranked_and_said_to_be(make_records):
    """At a level that leaves one filter in most layers two criteria can pick the same one, seed by seed."""
    first, second = method(make_records, "A", BETTER), method(make_records, "B", BETTER)
    alike = [[with_weights(r, f"seed {r.outcome.seed}") for r in group] for group in (first, second)]
    found = table(make_records("L1-norm", ANCHOR), *alike)
    assert row(found, "B").flags == ("the same networks as A, on every seed",) and row(found, "A").flags == ()
    assert row(found, "B").verdict == row(found, "A").verdict and len(found.ranked) == 3
    alike[1][2] = with_weights(alike[1][2], "another")
    assert row(table(make_records("L1-norm", ANCHOR), *alike), "B").flags == ()


def test_a_control_that_was_submitted_as_a_method_too_is_compared_once(make_records):
    """Somebody ran `submit Random` with more seeds than the control beside the anchor has: the same networks again."""
    ten = [*ANCHOR, *(score + 0.2 for score in ANCHOR)]
    submitted = make_records("Random", ten, settings={"allocation": "uniform"})
    control = make_records("Random", ANCHOR, role="control")
    weights = [[with_weights(r, f"random {r.outcome.seed}") for r in group] for group in (submitted, control)]
    found = table(make_records("L1-norm", ten), *weights)
    assert len(found.ranked) == 2 and {len(r.seeds) for r in found.ranked} == {10}
    (repeated,) = found.unranked
    assert repeated.why.startswith("the same networks as Random") and len(repeated.seeds) == 5
    weights[1][3] = with_weights(weights[1][3], "another")
    assert len(table(make_records("L1-norm", ten), *weights).ranked) == 3


def test_controls_that_differ_on_one_seed_are_both_compared(make_records):
    one, other = (matched(make_records, method_name, BETTER, "same") for method_name in ("A", "B"))
    other[4] = with_weights(other[4], "another")
    methods = [method(make_records, name, BETTER) for name in "AB"]
    found = table(make_records("L1-norm", ANCHOR), *methods, one, other)
    assert all("such controls" in row(found, f"Random (layer ratios of {name})").why for name in "AB")


def test_methods_that_decide_alike_are_both_ranked(make_records):
    alike = [[with_weights(r, f"{r.outcome.seed}") for r in make_records(n, BETTER)] for n in ("One", "Two")]
    assert len(table(make_records("L1-norm", ANCHOR), *alike).ranked) == 3


def test_a_method_keeps_its_name_where_an_earlier_form_of_it_was_withdrawn(make_records):
    """Both are shown; the one that counts is not told apart from what does not."""
    old = make_records("Mine", ANCHOR, source="0" * 64, key="old")
    new = make_records("Mine", BETTER, source="1" * 64)
    records = (*make_records("L1-norm", ANCHOR), *old, *new)
    withdrawn = {record.record_sha256: "another formula" for record in old}
    (found,) = make_board(Loaded(records, (), withdrawn)).tables
    assert [r.name for r in found.ranked] == ["Mine", "L1-norm"]
    assert [r.why for r in found.unranked] == ["invalidated: another formula"]
    assert {r.name for r in table(records).ranked} == {"L1-norm", "Mine (source 00000000)", "Mine (source 11111111)"}
