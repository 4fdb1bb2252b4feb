"""Standings against numbers computed by hand, and rows that may not be ranked."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prunemark.leaderboard.inference.any_time import half_width, log_e, path_of
from prunemark.leaderboard.standings.board import make_board
from prunemark.records.admission import Refused
from prunemark.records.load import Loaded
from prunemark.records.outcome import Failure
from prunemark.setups.errors import InputError

ANCHOR = [94.0, 95.0, 93.6, 94.8, 94.4]


BETTER = [96.2, 96.8, 96.0, 97.0, 96.2]


ANCHOR_8, BETTER_8 = [*ANCHOR, 94.2, 94.6, 93.8], [*BETTER, 96.6, 96.4, 96.0]


def table(*groups, **how):
    records = tuple(record for group in groups for record in group)
    return make_board(Loaded(records), **how).tables[0]


def row(found, name):
    return next(r for r in (*found.ranked, *found.unranked) if r.name == name)


def test_numbers_equal_those_computed_by_hand(make_records):
    found = table(make_records("L1-norm", ANCHOR), make_records("Mine", BETTER))
    mine = row(found, "Mine")
    difference = np.subtract(BETTER, ANCHOR)
    half = half_width(5) * difference.std(ddof=1)
    assert mine.accuracy_percent == pytest.approx(np.mean(BETTER))
    assert mine.sd_pp == pytest.approx(np.std(BETTER, ddof=1))
    assert mine.drop_pp == pytest.approx(98 - np.mean(BETTER))
    assert mine.verdict.comparison.difference_pp == pytest.approx(difference.mean())
    assert mine.verdict.comparison.interval_pp == pytest.approx((difference.mean() - half, difference.mean() + half))
    path = path_of(difference, quantum_percent=0.2)
    assert mine.verdict.p_holm == mine.verdict.comparison.p_two_sided == pytest.approx(np.exp(-log_e(path).max()))
    assert mine.verdict.word == "better" and mine.rank == (1, 1)
    assert found.seeds == (0, 1, 2, 3, 4) and found.evidence == "verdicts"


def test_the_same_results_under_two_names_are_never_better(make_records):
    found = table(make_records("L1-norm", ANCHOR_8), make_records("One", BETTER_8), make_records("Two", BETTER_8))
    assert row(found, "One").rank == row(found, "Two").rank == (1, 2) and row(found, "L1-norm").rank == (3, 3)
    same = table(make_records("L1-norm", ANCHOR_8), make_records("Same", ANCHOR_8))
    assert row(same, "Same").verdict.word in ("equivalent", "undetermined") and row(same, "Same").rank == (1, 2)


def test_a_row_with_another_retraining_lr_is_not_ranked_under_s32(make_records):
    found = table(make_records("L1-norm", ANCHOR), make_records("Mine", BETTER, lr=(0.2, 0.01)))
    assert [r.name for r in found.ranked] == ["L1-norm"]
    assert "S3.2 does not hold" in row(found, "Mine").why and "retraining lr" in row(found, "Mine").why


def test_the_same_row_is_ranked_under_s31(make_records):
    groups = [make_records("L1-norm", ANCHOR, setup="S3.1"), make_records("Mine", BETTER, setup="S3.1", lr=(0.2, 0.01))]
    found = table(*groups)
    assert len(found.ranked) == 2 and found.holds == "S3.1"


@pytest.mark.parametrize(
    ("how", "word"), [({"base": "other"}, "base model"), ({"speedup": 3.0}, "compression"), ({"lr": (0.1,)}, "epochs")]
)
def test_a_row_that_breaks_the_setup_on_one_seed_is_not_ranked(make_records, make_record, how, word):
    mine = make_records("Mine", BETTER)
    mine[3] = make_record("Mine", 3, 97.0, **how)
    found = table(make_records("L1-norm", ANCHOR), mine)
    assert word in row(found, "Mine").why and len(found.ranked) == 1


def test_references_are_shown_and_not_ranked(make_records):
    dense = make_records("Dense", BETTER, level="dense", kind="dense", role="reference", speedup=1.0)
    scratch = make_records("Scratch", BETTER, kind="scratch", role="reference")
    found = table(make_records("L1-norm", ANCHOR), dense, scratch)
    assert [r.name for r in found.ranked] == ["L1-norm"]
    assert "unpruned network" in row(found, "Dense").why and "SX-A" in row(found, "Scratch").why


def test_more_seeds_than_the_anchor_has_are_not_used(make_records):
    found = table(make_records("L1-norm", ANCHOR), make_records("Mine", [*BETTER, 60.0]))
    assert row(found, "Mine").accuracy_percent == pytest.approx(np.mean(BETTER))


def test_a_failed_method_counts_at_chance_and_says_so(make_records, make_record):
    failure = Failure("the method raised an error", "ValueError: no")
    all_failed = make_records("Bad", BETTER, status="failed", failure=failure)
    some = make_records("Some", BETTER)
    some[2] = make_record("Some", 2, status="out_of_memory", failure=failure)
    found = table(make_records("L1-norm", ANCHOR), all_failed, some, make_records("Fine", BETTER))
    bad, mixed = row(found, "Bad"), row(found, "Some")
    assert bad.why == mixed.why == "" and bad.scores == (10.0,) * 5 and bad.accuracy_percent == 10.0
    assert bad.flags == ("failed on seeds 0, 1, 2, 3, 4: counted at chance, 10 % (ValueError: no)",)
    assert bad.verdict.word == "worse" and found.ranked[-1] == bad
    assert mixed.scores == (96.2, 96.8, 10.0, 97.0, 96.2) and mixed.verdict.word == "undetermined"
    assert mixed.flags == ("ran out of memory on seed 2: counted at chance, 10 % (ValueError: no)",)
    assert mixed.drop_pp is None and mixed.generalises is None and len(mixed.records) == 5
    assert row(found, "Fine").verdict.p_holm < 0.05 and row(found, "Fine").generalises is not None


def test_a_method_that_broke_a_rule_is_disqualified(make_records, make_record):
    failure = Failure("a subnetwork of the base model", "layer 3 has other weights")
    mine = make_records("Mine", BETTER)
    mine[1] = make_record("Mine", 1, status="noncompliant", failure=failure)
    late = [*make_records("Late", BETTER), make_record("Late", 9, status="budget_exceeded", failure=failure)]
    found = table(make_records("L1-norm", ANCHOR), mine, late)
    assert [r.name for r in found.ranked] == ["L1-norm"]
    reason = "a subnetwork of the base model): layer 3 has other weights"
    assert row(found, "Mine").why == f"disqualified on seed 1: noncompliant ({reason}"
    assert row(found, "Late").why == f"disqualified on seed 9: budget exceeded ({reason}"
    assert row(found, "Mine").seeds == (0, 2, 3, 4) and row(found, "Mine").uncounted == ((1, mine[1].record_sha256),)


def test_a_run_that_diverged_counts_and_is_flagged(make_records):
    mine = make_records("Mine", BETTER)
    bad = dataclasses.replace(mine[3].outcome.curve[1], train_loss=None)
    outcome = dataclasses.replace(mine[3].outcome, curve=(mine[3].outcome.curve[0], bad))
    mine[3] = dataclasses.replace(mine[3], outcome=outcome)
    found = row(table(make_records("L1-norm", ANCHOR), mine), "Mine")
    assert found.flags == ("diverged on seed 3",) and found.accuracy_percent == pytest.approx(np.mean(BETTER))


def test_an_invalidated_record_does_not_count_and_the_row_says_so(make_records):
    anchor, mine, other = (make_records(m, BETTER) for m in ("L1-norm", "Mine", "Other"))
    reasons = {r.record_sha256: "wrong data" for r in (mine[2], *other)}
    board = make_board(Loaded((*anchor, *mine, *other), invalid=reasons))
    mine = row(board.tables[0], "Mine")
    assert (mine.why, mine.seeds) == ("", (0, 1))  # leaving a seed out would be a choice made after its result
    assert mine.flags == ("invalidated on seed 2: wrong data", "no result on seed 2: seeds 3, 4 do not count")
    assert row(board.tables[0], "Other").why == "invalidated: wrong data" and row(board.tables[0], "Other").seeds == ()
    assert board.invalid == reasons


def test_an_anchor_that_broke_a_rule_on_one_seed_is_still_what_all_are_compared_with(make_records, make_record):
    anchor = [
        *make_records("L1-norm", ANCHOR),
        make_record("L1-norm", 5, status="noncompliant", failure=Failure("r", "x")),
    ]
    found = table(anchor, make_records("Mine", BETTER))
    assert row(found, "L1-norm").why == "" and row(found, "Mine").verdict.word == "better"
    assert found.notes == ("Not counted: seed 5, because the anchor has no result on seed 5.",)


def test_a_reference_that_failed_everywhere_has_no_result_at_chance(make_records):
    failure = Failure("the method raised an error", "ValueError: no")
    scratch = make_records("Scratch", BETTER, kind="scratch", role="reference", status="failed", failure=failure)
    found = table(make_records("L1-norm", ANCHOR), scratch)
    assert [r.name for r in found.ranked] == ["L1-norm"] and row(found, "Scratch").why == "failed: ValueError: no"


def test_the_anchor_is_the_one_that_ran_as_the_anchor(make_records):
    impostor = make_records("L1-norm", BETTER, source="aaaa")
    found = table(impostor, make_records("L1-norm", ANCHOR, role="anchor", source="bbbb"))
    assert found.anchor == "L1-norm (source bbbb)" and row(found, "L1-norm (source aaaa)").verdict.word == "better"


def test_without_the_anchor_nothing_is_ranked(make_records):
    found = table(make_records("Mine", BETTER))
    assert found.ranked == () and "anchor has no result" in row(found, "Mine").why


def test_two_seeds_make_no_test(make_records):
    found = table(make_records("L1-norm", ANCHOR[:2]), make_records("Mine", BETTER[:2]))
    assert found.evidence == "no test" and row(found, "Mine").rank is None


def test_one_name_with_two_settings_gives_two_rows_that_say_so(make_records):
    found = table(
        make_records("L1-norm", ANCHOR),
        make_records("Mine", BETTER, settings={"p": 1.0, "q": 0}),
        make_records("Mine", BETTER, settings={"p": 2.0, "q": 0}),
        make_records("Other", BETTER, source="aaaaaaaaaaaa"),
        make_records("Other", BETTER, source="bbbbbbbbbbbb"),
    )
    names = {r.name for r in found.ranked}
    assert names == {"L1-norm", "Mine (p=1.0)", "Mine (p=2.0)", "Other (source aaaaaaaa)", "Other (source bbbbbbbb)"}


def test_one_base_for_all_seeds_is_said(make_record):
    def one_base(record):
        base = dataclasses.replace(record.outcome.base, sha256="the only one")
        return dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, base=base))

    found = table(*[[one_base(make_record(m, s, 95.0)) for s in range(5)] for m in ("L1-norm", "Mine")])
    assert found.one_base
    assert not table([make_record("L1-norm", s, 95.0) for s in range(5)]).one_base


def test_the_setup_that_holds_can_be_higher_than_the_one_asked_for(make_records):
    found = table(make_records("L1-norm", ANCHOR, setup="S2"), make_records("Mine", BETTER, setup="S2"))
    assert found.setup == "S2" and found.holds == "S4.2"


@settings(derandomize=True, deadline=None, database=None, max_examples=20,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(order=st.permutations(range(24)))
def test_the_order_of_the_records_changes_nothing(make_record, order):
    failure = Failure("the method raised an error", "ValueError: no")
    records = [make_record(m, s, 94 + s % 3 + i / 5) for i, m in enumerate(("L1-norm", "A", "B")) for s in range(7)]
    records += [make_record("C", s, 95.0) for s in range(2)] + [make_record("C", 2, status="failed", failure=failure)]
    assert make_board(Loaded(tuple(records[i] for i in order))) == make_board(Loaded(tuple(records)))


def test_a_failure_that_brings_an_accuracy_along_counts_at_chance_all_the_same(make_records):
    mine = make_records("Mine", BETTER)
    outcome = dataclasses.replace(mine[1].outcome, status="failed", failure=Failure("pruning", "ValueError"))
    assert outcome.accuracy is not None
    mine[1] = dataclasses.replace(mine[1], outcome=outcome)
    assert row(table(make_records("L1-norm", ANCHOR), mine), "Mine").scores == (*BETTER[:1], 10.0, *BETTER[2:])


def test_levels_are_in_the_tracks_order(make_records):
    records = [r for level in ("95%", "50%", "90%") for r in make_records("L1-norm", ANCHOR, level=level)]
    assert [t.level for t in make_board(Loaded(tuple(records))).tables] == ["50%", "90%", "95%"]
    with pytest.raises(InputError, match="no records of"):
        make_board(Loaded(tuple(records)), setup="S2")


def test_records_that_are_all_refused_are_said_to_be():
    refused = (Refused("a.json", "was edited"), Refused("b.json", "was edited"))
    with pytest.raises(InputError, match=r"none of 2 records can be used. The first, a.json, was edited"):
        make_board(Loaded((), refused))


def test_of_one_track_only_its_own_other_versions_are_named(make_records):
    loaded = Loaded(tuple(make_records("L1-norm", [95.0, 96.0])), (), {}, {"digits-resnet8@0": 3, "other@1": 4})
    assert make_board(loaded).other_versions == loaded.other_versions
    assert make_board(loaded, track="digits-resnet8@1").other_versions == {"digits-resnet8@0": 3}
