"""Which trials are run again, and how a re-run is judged. test_contribution.py runs real ones."""

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prunemark.contributions.draw import accused, can_run, submission_of
from prunemark.contributions.draw import draw as draw_both
from prunemark.contributions.rerun import Code, compared, isolations, on_other_bases
from prunemark.records.matched_to import RATIOS_OF
from prunemark.records.observed import PruningProcess
from prunemark.records.outcome import Failure
from prunemark.records.source import MethodFiles


def draw(*given):
    return draw_both(*given).drawn


@pytest.fixture
def new(make_records):
    return make_records("Mine", [90.0 + seed for seed in range(8)])


def test_the_draw_is_decided_by_content_and_salt(new):
    assert draw(new, new, 3, "a") == draw(new[::-1], new, 3, "a"), "not by the order in which they come"
    assert draw(new, new, 3, "a") == draw(new, new, 8, "a")[:3]
    assert len({draw(new, new, 1, str(salt))[0].outcome.seed for salt in range(50)}) == len(new), (
        "every one can be drawn"
    )
    orders = {
        tuple(r.outcome.seed for r in draw(new[:n], new, n, "a") if r.outcome.seed < 4) for n in range(4, len(new) + 1)
    }
    assert len(orders) > 1, "one record more deals all of them anew"
    assert draw(new, new, 99, "a") and len(draw(new, new, 99, "a")) == 8


def test_bases_that_train_as_long_at_other_lrs_are_not_the_same(make_record):
    ours = make_record("Mine")
    base = ours.outcome.base

    def with_base(**changes):
        stage = dataclasses.replace(base.pretraining, lr=changes.pop("lr", base.pretraining.lr))
        changed = dataclasses.replace(base, pretraining=stage, **changes)
        return dataclasses.replace(ours, outcome=dataclasses.replace(ours.outcome, base=changed))

    assert on_other_bases([ours], [ours]) is None
    other = with_base(sha256="f" * 64)
    assert on_other_bases([ours], [other]) is other
    lr = tuple(each / 2 for each in base.pretraining.lr)
    assert on_other_bases([ours], [with_base(sha256="f" * 64, lr=lr)]) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(st.text(max_size=20), st.integers(0, 10))
def test_a_draw_takes_each_once_and_not_more_than_there_are(new, salt, count):
    drawn = [record.outcome.seed for record in draw(new, new, count, salt)]
    assert len(drawn) == len(set(drawn)) == min(count, len(new)) and set(drawn) <= set(range(8))


def test_only_what_ends_alike_each_time_is_drawn_and_the_rest_is_named(make_record):
    ok, failed, late = make_record("Mine"), make_record("Mine", 1, status="failed"), make_record(status="timeout")
    tuned = make_record("Mine", setup="S3.1-tuned")
    gpu = dataclasses.replace(ok, observed=dataclasses.replace(ok.observed, device="cuda"))
    assert [can_run(record, []) for record in (ok, failed, late, tuned, gpu)] == [True, True, False, False, False]
    found = draw_both([late, tuned, gpu], [], 3, "")
    assert found.drawn == () and all(r in found.beyond for r in (late, tuned, gpu))
    assert len(draw([failed, ok], [], 3, "")) == 2


def test_whoever_brings_a_failure_of_somebody_elses_method_has_it_run_again(make_records):
    """One such seed disqualifies, so of each kind one is drawn, however few are drawn otherwise."""
    held = make_records("Theirs", [90.0] * 5)
    broken = [
        r for setup in ("S3.2", "S2") for r in make_records("Theirs", [0] * 3, status="noncompliant", setup=setup)
    ]
    mine = [*make_records("Mine", [90.0] * 9), *make_records("Mine", [0] * 2, status="failed", setup="S2")]
    new = [*mine, *broken, *make_records("Theirs", [91.0], setup="S2")]
    against = accused(new, held)
    assert list(against) == broken
    for salt in "abcdef":
        drawn = [r for r in draw_both(new, new, 0, salt, against).drawn]
        assert sorted(r.outcome.setup for r in drawn) == ["S2", "S3.2"] and all(r in broken for r in drawn)
        assert len(draw_both(new, new, 1, salt, against).drawn) in (2, 3)


def counted(record, kept, allocation="uniform"):
    compression = dataclasses.replace(record.outcome.compression, kept={"a": kept}, allocation=allocation)
    return dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, compression=compression))


def test_a_control_is_run_beside_the_method_whose_layer_ratios_it_has(make_record):
    control = counted(make_record("Random", role="control", source="r"), 4, "given")
    scratch = counted(make_record("Scratch", role="reference", kind="scratch", source=""), 4, "given")
    mine, anchor = make_record("Mine"), make_record("L1-norm", role="anchor")
    for record in (control, scratch):
        assert submission_of(record, [record, mine]) == mine and can_run(record, [mine])
        assert submission_of(record, [counted(mine, 2), anchor]) == anchor, "the counts have to be the same"
        assert submission_of(record, [make_record("Mine", seed=1), make_record("Mine", setup="S2"), control]) is None
        assert not can_run(record, [])


def test_a_control_of_a_method_that_ranks_all_layers_together_names_it(make_record):
    power = {"power": 2.0}
    mine, other, weaker = (
        counted(make_record(name, source="abcdef0123", settings=settings), 2, "global")
        for name, settings in (("Mine", power), ("Other", power), ("Mine", {"power": 1.0}))
    )
    named = {RATIOS_OF: "Mine abcdef01 (power=2.0)"}
    control = counted(make_record("Random", role="control", settings=named), 2, "given")
    assert submission_of(control, [other, weaker, mine]) == mine
    assert (
        submission_of(control, [other, weaker, counted(make_record("Mine", source="abcdef0123", settings=power), 2)])
        is None
    )
    unnamed = counted(make_record("Random", role="control"), 2, "given")
    assert submission_of(unnamed, [mine, other]) is None


def test_a_control_of_a_method_that_failed_runs_alone(make_record):
    failed, anchor = make_record("Mine", status="failed"), make_record("L1-norm", role="anchor")
    control = make_record("Random", role="control")
    scratch = counted(make_record("Scratch", role="reference", kind="scratch", source=""), 3, "given")
    for record in (control, scratch):
        assert submission_of(record, [failed, anchor]) is None and can_run(record, [failed, anchor])
        assert not can_run(record, [anchor, make_record("Mine", seed=1, status="failed")])
    named = make_record("Random", role="control", settings={RATIOS_OF: "Mine abcdef01 (power=2.0)"})
    assert not can_run(named, [failed])


def test_the_class_is_that_of_the_records_name_and_of_shipped_methods_the_registered_one(make_record):
    text = MethodFiles("First", (("two.py", "class First: ...\nclass Second: ...\n"),))
    code = Code({text.source_sha256: text}, {"L1-norm": "L1Norm"})
    assert code.of(make_record("Second", source=text.source_sha256)).class_name == "Second"
    assert code.of(make_record("L1-norm", source=text.source_sha256)).class_name == "L1Norm"


def elsewhere(record):
    return dataclasses.replace(record, observed=dataclasses.replace(record.observed, hardware="another"))


def test_the_same_bits_count_on_any_machine(make_record):
    one, again = make_record(), make_record(finished="2027-01-01T00:00:00", key="another build")
    assert compared(one, again, None, None).state == compared(one, elsewhere(again), {}, {}).state == "same"


def test_a_difference_counts_against_the_record_on_the_same_kind_of_machine_alone(make_record):
    one, again = make_record(percent=95.0), make_record(percent=94.8)
    found = compared(one, again, None, None)
    assert found.state == "differs" and found.words == "accuracy.test_percent differs: recorded 95.0, here 94.8"
    found = compared(one, elsewhere(again), None, None)
    assert found.state == "undecided"
    assert "recorded 95.0, here 94.8" in found.words and "recorded a processor, here another" in found.words
    assert "nothing is concluded" in found.words


def test_another_build_is_mentioned_and_excuses_nothing(make_record):
    found = compared(make_record(percent=95.0), make_record(percent=94.8, key="other"), None, None)
    assert found.state == "differs" and found.words.endswith("it may come from another version of the harness")


def test_a_method_that_fails_here_says_why_and_a_slow_machine_says_nothing(make_record):
    failed = make_record(status="failed", failure=Failure("the method raised an error", "ImportError: no scipy"))
    found = compared(make_record(), failed, None, None)
    assert found.state == "differs" and 'recorded "ok", here "failed" (ImportError: no scipy)' in found.words
    for status in ("timeout", "out_of_memory"):
        assert compared(make_record(), make_record(status=status), None, None).state == "undecided"


def test_another_decision_is_found_although_the_outcome_is_the_same(make_record):
    one, again = make_record(), make_record(finished="2027-01-01T00:00:00")
    mine, other = {"kept": {"a": [1]}, "masks": {}}, {"kept": {"a": [2]}, "masks": {}}
    assert compared(one, again, mine, other).state == "differs"
    assert "the decision is another one" in compared(one, again, mine, other).words
    lost = compared(one, again, mine, None)
    assert (lost.state, "is not found here" in lost.words) == ("undecided", True)
    assert compared(one, again, mine, mine).state == "same"


def kept(record, isolation, lane):
    process = PruningProcess(isolation, lane, 1.0) if lane else None
    observed = dataclasses.replace(record.observed, isolation=isolation, pruning_process=process)
    return dataclasses.replace(record, observed=observed)


def test_a_record_comes_out_in_the_lane_that_it_says_and_both_isolations_are_named(make_record):
    record = make_record("Mine")
    told, same = kept(record, "landlock", "decision"), kept(record, "process", "decision")
    assert compared(told, same, None, None).state == "same"
    assert isolations(told, same) == "isolation: recorded landlock, here process"
    wider = compared(told, kept(record, "landlock", "own"), None, None)
    assert wider.state == "differs"
    assert "same bits, but its lane differs: recorded decision, here own" in wider.words


def test_an_old_record_says_no_lane_and_nothing_is_compared(make_record):
    old = kept(make_record("Mine"), "process", "")
    for lane in ("decision", "harness", "own"):
        assert compared(old, kept(old, "landlock", lane), None, None).state == "same"
