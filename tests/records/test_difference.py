"""Two outcomes of one trial: the first field they do not share, and what machines may explain."""

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prunemark.records.difference import first_difference, other_machine
from prunemark.records.observed import INSTRUCTIONS, PROCESSOR_KIND
from prunemark.records.outcome import Failure
from prunemark.records.record import dump, load


def test_the_same_bits_are_no_difference_whatever_the_clock_and_the_build_say(make_record):
    one = make_record(key="a")
    two = dataclasses.replace(make_record(key="b", finished="2027-01-01T00:00:00"))
    assert one.outcome.trial_key != two.outcome.trial_key
    assert first_difference(one.outcome, two.outcome) is None
    assert first_difference(one.outcome, load(dump(one)).outcome) is None, "tuples and lists are one thing"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda o: {"seed": 3}, "seed differs: recorded 0, here 3"),
        (
            lambda o: {"base": dataclasses.replace(o.base, sha256="other")},
            'base.sha256 differs: recorded "base0", here "other"',
        ),
        (
            lambda o: {"curve": (o.curve[0], dataclasses.replace(o.curve[1], train_loss=0.5000000001))},
            "curve[1].train_loss differs: recorded 0.5, here 0.5000000001",
        ),
        (lambda o: {"curve": o.curve[:1]}, "curve differs: recorded "),
        (lambda o: {"status": "failed", "accuracy": None}, 'status differs: recorded "ok", here "failed"'),
        (lambda o: {"weights_sha256": "x"}, 'weights_sha256 differs: recorded "of L1-norm", here "x"'),
        (
            lambda o: {"method": dataclasses.replace(o.method, settings={"power": 1})},
            "method.settings.power differs: recorded null, here 1",
        ),
    ],
)
def test_the_first_field_is_named_with_both_values(make_record, change, said):
    outcome = make_record().outcome
    assert str(first_difference(outcome, dataclasses.replace(outcome, **change(outcome)))).startswith(said)


def test_words_and_where_the_files_of_a_failed_method_lay_are_no_difference(make_record):
    one = make_record().outcome
    assert first_difference(one, dataclasses.replace(one, macs_convention="in other words")) is None
    one, two = (make_record(status="failed", failure=Failure("rule", "why", f"in {f}/x.py")).outcome for f in "ab")
    assert one != two and first_difference(one, two) is None
    other = dataclasses.replace(two, failure=Failure("rule", "another", ""))
    assert first_difference(one, other).field == "failure.evidence"


def test_of_several_the_earlier_stage_is_named(make_record):
    one, two = make_record(base="a", percent=95).outcome, make_record(base="b", percent=96).outcome
    assert first_difference(one, two).field == "base.sha256"


def test_a_long_value_is_shown_where_it_parts(make_record):
    outcome = make_record().outcome
    correct = outcome.accuracy.correct
    flipped = correct[:60] + ("A" if correct[60] != "A" else "B") + correct[61:]
    changed = dataclasses.replace(outcome, accuracy=dataclasses.replace(outcome.accuracy, correct=flipped))
    found = first_difference(outcome, changed)
    assert found.field == "accuracy.correct" and len(found.recorded) < 60 and found.recorded != found.here


def test_whole_numbers_and_reals_are_not_the_same_bits(make_record):
    outcome = make_record().outcome
    one = dataclasses.replace(outcome, track_terms={"x": 1})
    assert first_difference(one, dataclasses.replace(outcome, track_terms={"x": 1.0})).field == "track_terms.x"


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_a_value_never_differs_from_itself_and_always_from_another(make_record, value):
    outcome = make_record().outcome
    one = dataclasses.replace(outcome, track_terms={"x": value})
    assert first_difference(one, one) is None
    assert first_difference(one, dataclasses.replace(outcome, track_terms={"x": [value, 1]})) is not None


def test_machines_differ_by_processor_device_or_numeric_version_and_by_nothing_else(make_record):
    here = make_record().observed
    assert other_machine(here, here) == ""
    later = dataclasses.replace(here, finished_at="2030", versions=here.versions | {"mlflow": "9", "prunemark": "9"})
    assert other_machine(here, later) == ""
    assert other_machine(here, dataclasses.replace(here, hardware="another")) == (
        "processor: recorded a processor, here another"
    )
    assert "torch: recorded 2.14.1, here 3" in other_machine(here, dataclasses.replace(here, versions={"torch": "3"}))
    assert "numpy: recorded none, here 2" in other_machine(
        here, dataclasses.replace(here, versions=here.versions | {"numpy": "2"})
    )
    known = [dataclasses.replace(here, versions=here.versions | {INSTRUCTIONS: name}) for name in ("AVX2", "AVX512")]
    assert other_machine(*known) == "cpu instructions: recorded AVX2, here AVX512"
    assert other_machine(here, known[0]) == "", "an older record does not say, which explains nothing"
    kinds = [dataclasses.replace(here, versions=here.versions | {PROCESSOR_KIND: f"model {n}"}) for n in (1, 2)]
    assert other_machine(*kinds) == "cpu kind: recorded model 1, here model 2", "two processors may have one name"
    assert other_machine(here, kinds[0]) == ""
    assert "device" in other_machine(here, dataclasses.replace(here, device="cuda"))
