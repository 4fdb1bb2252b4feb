"""The record: reads back as it was written, or is refused in words; what was executed becomes a pipeline."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.record_by_hand import FAILED, MINE, OBSERVED, OUTCOME, RECORD, with_outcome

from prunemark.records.outcome import (
    Accuracy,
    BaseModel,
    Compression,
    EpochPoint,
    Failure,
    MeteredStage,
    Method,
    Outcome,
    finite,
    pack_correctness,
)
from prunemark.records.record import SCHEMA, Record, canonical_json, dump, load, load_file
from prunemark.setups.errors import InputError, RuleBroken

fixed = settings(derandomize=True, deadline=None, database=None)


@pytest.mark.parametrize("record", [RECORD, dataclasses.replace(RECORD, outcome=FAILED)], ids=["ok", "failed"])
def test_a_record_reads_back_as_it_was(record: Record) -> None:
    assert load(dump(record)) == record == load(dump(record).encode())
    assert dump(load(dump(record))) == dump(record)
    assert load(dump(record)).record_sha256 == record.record_sha256
    pretty = json.dumps(json.loads(dump(record)), indent=4)  # white space is not content
    assert load(pretty) == record


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)


floats = st.floats(allow_nan=False, allow_infinity=False)


counts = st.integers(-(2**70), 2**70)


stages = st.builds(MeteredStage, counts, st.lists(floats, max_size=3).map(tuple), counts, counts, counts)


jsons = st.recursive(
    st.none() | st.booleans() | counts | floats | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


methods = st.builds(
    Method, texts, st.sampled_from(("pruned", "scratch", "dense")), st.sampled_from(("anchor", "control")), texts,
    st.dictionaries(texts, st.booleans() | counts | floats | texts, max_size=4), texts,
)  # fmt: skip


accuracies = st.builds(
    lambda bits, *rest: Accuracy(100 * sum(bits) / len(bits), len(bits), pack_correctness(np.array(bits)), *rest),
    st.lists(st.booleans(), min_size=1, max_size=20), floats, floats,
)  # fmt: skip


records = st.builds(
    Record, st.just(SCHEMA),
    st.builds(
        Outcome, trial_key=texts, track=texts, track_terms=st.dictionaries(texts, jsons, max_size=3), setup=texts,
        level=texts, seed=counts, method=methods, status=st.sampled_from(("ok", "failed", "timeout", "invalidated")),
        failure=st.none() | st.builds(Failure, texts, texts, texts),
        base=st.none() | st.builds(BaseModel, texts, floats, stages),
        pruning=st.none() | stages, retraining=st.none() | stages,
        retraining_recipe=st.none() | st.dictionaries(texts, jsons, max_size=2),
        compression=st.none() | st.builds(
            Compression, st.none() | floats, st.none() | floats, floats, floats, counts, counts, counts, counts, texts,
            st.dictionaries(texts, counts, max_size=2), st.dictionaries(texts, counts, max_size=2),
        ),
        curve=st.lists(st.builds(EpochPoint, counts, floats, st.none() | floats, floats), max_size=2).map(tuple),
        accuracy=st.none() | accuracies,
        weights_sha256=st.none() | texts, data_sha256=texts, macs_convention=texts,
    ),
    st.just(OBSERVED),
)  # fmt: skip


@fixed
@given(records)
def test_any_record_reads_back_as_it_was(record: Record) -> None:
    again = load(dump(record))
    assert again == record and dump(again) == dump(record)
    before, after = record.outcome.method.settings, again.outcome.method.settings
    assert all(type(before[name]) is type(after[name]) for name in before)  # True stays True, 1 stays 1


@fixed
@given(st.lists(st.booleans(), max_size=70))
def test_correctness_bits_go_round(bits: list[bool]) -> None:
    correct = np.array(bits, dtype=bool)
    accuracy = Accuracy(0.0, len(bits), pack_correctness(correct), 0.0, 0.0)
    assert accuracy.correctness().tolist() == bits and accuracy.correctness().dtype == bool


def test_the_outcome_has_a_name_of_its_own() -> None:
    """The clock and the machine change the record's name, and not the outcome's."""
    later = dataclasses.replace(RECORD, observed=dataclasses.replace(OBSERVED, pruning_seconds=9.0, hardware="other"))
    assert later.outcome_sha256 == RECORD.outcome_sha256 and later.record_sha256 != RECORD.record_sha256
    other = with_outcome(seed=4)
    assert other.outcome_sha256 != RECORD.outcome_sha256 and other.record_sha256 != RECORD.record_sha256


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Outcome)])
def test_every_field_of_the_outcome_is_in_its_name(field: str) -> None:
    other: dict[str, Any] = {f: getattr(FAILED, f) for f in ("failure", "base", "pruning", "retraining")}
    other |= {"method": dataclasses.replace(MINE, name="x"), "status": "failed", "curve": (), "track_terms": {}}
    other |= {"retraining_recipe": None, "compression": None, "accuracy": None, "weights_sha256": None, "seed": 4}
    changed = with_outcome(**{field: other.get(field, "x")})
    assert changed.outcome_sha256 != RECORD.outcome_sha256


def saved(folder: Path, record: Record, text: str | None = None) -> Path:
    path = folder / f"{record.record_sha256}.json"
    path.write_text(text if text is not None else dump(record), encoding="utf-8")
    return path


def test_a_file_answers_to_its_name(tmp_path: Path) -> None:
    assert load_file(saved(tmp_path, RECORD)) == RECORD


@pytest.mark.parametrize("part", ["outcome", "observed"])
def test_an_edited_record_is_refused(tmp_path: Path, part: str) -> None:
    old, new = ('"test_percent":96.0', '"test_percent":99.0') if part == "outcome" else ('"x86_64"', '"H100"')
    path = saved(tmp_path, RECORD, dump(RECORD).replace(old, new))
    assert path.read_text() != dump(RECORD)
    with pytest.raises(RuleBroken, match=r"does not have the content its name promises: it was edited\.\nDelete it"):
        load_file(path)


def changed(**change: Any) -> str:
    return json.dumps(json.loads(dump(RECORD)) | change)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            changed(schema="prunemark-record/2"),
            "newer Prunemark: it has schema 'prunemark-record/2', and this one reads 'prunemark-record/1'.\nUpdate",
        ),
        (changed(schema=None), "has schema None"),
        ("[1]", "has schema None"),
        ("", "is not JSON: it is truncated or was not written by Prunemark"),
        (b"\xff\xfe\x00", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("1" * 5000, "is not JSON"),
        (changed(extra=1), "it has fields or values that prunemark-record/1 does not know"),
        (changed(outcome=dataclasses.asdict(OUTCOME) | {"note": "x"}), r"does not know \(outcome.note\)"),
        (changed(outcome=dataclasses.asdict(OUTCOME) | {"seed": "3"}), "outcome.seed: Input should be a valid integer"),
        (changed(outcome=dataclasses.asdict(OUTCOME) | {"seed": 3.0}), "outcome.seed: Input should be a valid integer"),
        (changed(observed=dataclasses.asdict(OBSERVED) | {"pruning_seconds": 1}), "it has fields or values"),
        (changed(schema="prunemark-record/0"), "has schema 'prunemark-record/0'; this version"),
        (changed(outcome=dataclasses.asdict(OUTCOME) | {"status": "great"}), "is not a valid record: outcome.status"),
        (changed(observed=None), "is not a valid record: observed"),
        (json.dumps({"schema": SCHEMA}), "is not a valid record: outcome: Field required"),
    ],
)
def test_what_is_not_a_record_of_this_schema_is_refused(text: str | bytes, words: str) -> None:
    with pytest.raises(InputError, match=words) as problem:
        load(text, "x.json")
    assert str(problem.value).startswith("x.json ")


@fixed
@given(st.integers(0, len(dump(RECORD)) - 1))
def test_a_truncated_record_is_refused_wherever_it_ends(length: int) -> None:
    with pytest.raises(InputError):
        load(dump(RECORD)[:length])


def leaves(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(found for key, value in items for found in leaves(value, (*path, key)))]


PATHS = leaves(json.loads(dump(RECORD)))


@fixed
@given(st.sampled_from(PATHS[1:]), jsons)
@example(("outcome", "accuracy"), {})
def test_any_other_value_anywhere_is_read_or_refused(path: tuple[Any, ...], value: Any) -> None:
    data = json.loads(dump(RECORD))
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    try:
        record = load(json.dumps(data))
    except InputError:
        return
    assert canonical_json(data) == dump(record)  # nothing was turned into something else


@pytest.mark.parametrize("word", ["NaN", "Infinity"])
def test_numbers_that_json_does_not_have_are_refused(word: str) -> None:
    with pytest.raises(InputError):
        load(dump(RECORD).replace('"pruning_seconds":1.5', f'"pruning_seconds":{word}'))


def test_deep_nesting_in_the_terms_is_refused() -> None:
    deep = "[" * 600 + "]" * 600
    with pytest.raises(InputError):
        load(dump(with_outcome(track_terms={"x": 0})).replace('{"x":0}', f'{{"x":{deep}}}'))


@pytest.mark.parametrize("correct", ["", "AAAA", "not base64!"])
def test_correctness_that_does_not_fit_its_examples_is_refused(correct: str) -> None:
    assert OUTCOME.accuracy is not None
    wrong = with_outcome(accuracy=dataclasses.replace(OUTCOME.accuracy, correct=correct))
    with pytest.raises(InputError):
        load(dump(wrong))


def test_canonical_json_is_one_text_for_one_value() -> None:
    assert canonical_json({"b": 1, "a": [1.0, "é", None]}) == '{"a":[1.0,"é",null],"b":1}'
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": math.nan})
    assert [finite(value) for value in (1.5, math.nan, math.inf, -math.inf)] == [1.5, None, None, None]
