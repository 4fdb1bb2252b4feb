"""Controls beside submissions: one row for equal layer ratios, and none that only repeats another's networks."""

import dataclasses

from prunemark.benchmark.outcome import RATIOS_OF
from prunemark.leaderboard.board import make_board
from prunemark.leaderboard.load import Loaded

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


def lent(make_records, lender, scores, weights):
    settings = {RATIOS_OF: f"{lender} abcd1234 (allocation=global)"} if lender else {}
    records = make_records("Random", scores, role="control", settings=settings)
    return [with_weights(r, f"{weights} {r.outcome.seed}") for r in records]


def test_controls_that_are_the_same_networks_are_ranked_once(make_records):
    others = [("A", ANCHOR, "1"), ("B", BETTER, "2"), ("C", BETTER, "2"), ("", ANCHOR, "1")]
    found = table(make_records("L1-norm", ANCHOR), *(lent(make_records, *other) for other in others))
    assert [r.name for r in found.ranked] == ["Random (layer ratios of B)", "L1-norm", "Random"]
    assert row(found, "Random (layer ratios of A)").why == "the same networks as Random, on every seed"
    assert "same networks as Random (layer ratios of B)" in row(found, "Random (layer ratios of C)").why
    assert row(found, "Random").verdict.family == 2


def test_controls_that_differ_on_one_seed_are_both_ranked(make_records):
    one, other = (lent(make_records, lender, BETTER, "same") for lender in ("A", "B"))
    other[4] = with_weights(other[4], "another")
    assert len(table(make_records("L1-norm", ANCHOR), one, other).ranked) == 3


def test_methods_that_decide_alike_are_both_ranked(make_records):
    alike = [[with_weights(r, f"{r.outcome.seed}") for r in make_records(n, BETTER)] for n in ("One", "Two")]
    assert len(table(make_records("L1-norm", ANCHOR), *alike).ranked) == 3
