"""Records on a track that gives its base: it has to be the one stated, and nothing was trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from prunemark.records.admission import admit
from prunemark.records.executed import pipeline_of
from prunemark.records.imposed import contradiction
from prunemark.records.outcome import BaseModel, MeteredStage, Outcome
from prunemark.records.record import Record, dump, load
from prunemark.setups.assessment import assess
from prunemark.setups.pipeline import Training
from prunemark.setups.values import NOT_APPLICABLE, NOT_REPORTED, State

SHA = "ab" * 32
STATED = {"weights": "timm:a1_in1k", "sha256": SHA, "top1_percent": 98.05, "source": "timm", "tolerance_pp": 0.1}
NOT_TRAINED = MeteredStage(0, (), 0, 0, 0)
GIVEN = BaseModel("base", 98.0, NOT_TRAINED, "timm:a1_in1k", SHA)
MakeRecord = Callable[..., Record]


def on_given(record: Record, *bases: dict[str, Any], base: BaseModel | None = GIVEN, name: str = "mine@1") -> Record:
    """The same record of a track that gives these bases, [STATED] where none are said."""
    terms = {key: value for key, value in record.outcome.track_terms.items() if key != "pretraining"}
    terms |= {"base": list(bases) or [STATED]}
    return dataclasses.replace(
        record, outcome=dataclasses.replace(record.outcome, track=name, track_terms=terms, base=base)
    )


def changed(outcome: Outcome, **changes: Any) -> Outcome:
    assert outcome.base
    return dataclasses.replace(outcome, base=dataclasses.replace(outcome.base, **changes))


def test_a_given_base_is_written_and_read_and_a_trained_ones_record_is_as_it_was(make_record: MakeRecord) -> None:
    record = on_given(make_record())
    assert load(dump(record)) == record and f'"file_sha256":"{SHA}"' in dump(record)
    assert "file_sha256" not in dump(make_record()) and "given" not in dump(make_record())
    assert contradiction(record.outcome) == "" == contradiction(make_record().outcome)
    assert admit([record]).admitted == [record]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"given": "", "file_sha256": ""}, "did not start from the base model that its track gives, timm:a1_in1k abab"),
        ({"file_sha256": "cd" * 32}, "did not start from the base model that its track gives"),
        ({"given": "file"}, "did not start from the base model that its track gives"),
        ({"pretraining": MeteredStage(1, (0.1,), 9, 1097, 6 * 1097 * 193_344)}, "did not start from the base model"),
        ({"test_percent": 97.9}, "has a given base of 97.90 %, where its track states 98.05 %"),
    ],
)
def test_what_contradicts_the_track_is_refused(changes: dict[str, Any], words: str, make_record: MakeRecord) -> None:
    record = on_given(make_record())
    forged = dataclasses.replace(record, outcome=changed(record.outcome, **changes))
    assert words in contradiction(forged.outcome) and words in admit([forged]).refused[0].why


def test_the_base_is_that_of_the_seed(make_record: MakeRecord) -> None:
    other = STATED | {"sha256": "cd" * 32}
    assert contradiction(on_given(make_record(seed=0), STATED, other).outcome) == ""
    assert "did not start from" in contradiction(on_given(make_record(seed=1), STATED, other).outcome)
    assert contradiction(on_given(make_record(seed=1), other, STATED).outcome) == ""
    assert "is of seed 2; its track gives 2 base models" in contradiction(
        on_given(make_record(seed=2), STATED, other).outcome
    )


def test_terms_that_give_no_base_are_refused(make_record: MakeRecord) -> None:
    trained = make_record().outcome
    assert (
        contradiction(changed(trained, given="file"))
        == "says that its base model was given, which its track does not state"
    )
    for broken in ("x", 3, [], [{}], ["x"], [STATED | {"top1_percent": -1}], [STATED | {"more": 1}]):
        record = on_given(make_record())
        terms = record.outcome.track_terms | {"base": broken}
        bad = dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, track_terms=terms))
        assert "states a base model that cannot be" in contradiction(bad.outcome)
        assert admit([bad]).refused[0].why == "states a track of which no table can be made: base"


def test_its_training_is_not_reported_and_all_but_the_sums_can_hold(make_record: MakeRecord) -> None:
    one, other = (pipeline_of(on_given(make_record(name, base=""))) for name in ("L1-norm", "FPGM"))
    assert one.pretraining == Training() and one.training_flops == NOT_REPORTED
    assert one.executed and one.executed.base_training == NOT_APPLICABLE and one.base.source == "timm:a1_in1k"
    found = assess([one, other]).setups
    assert {id: found[id] for id in ("S2", "S3.2", "S4.2")} == dict.fromkeys(("S2", "S3.2", "S4.2"), State.HOLDS)
    assert {found[id] for id in ("SX-A", "SX-B")} == {State.UNDECIDABLE}
