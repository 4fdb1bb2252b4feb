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

from prunemark.benchmark.outcome import (
    Accuracy,
    BaseModel,
    Compression,
    EpochPoint,
    Failure,
    Latency,
    Method,
    Observed,
    Outcome,
    Stage,
    finite,
    pack_correctness,
)
from prunemark.benchmark.record import SCHEMA, Record, canonical_json, dump, load, load_file, pipeline_of
from prunemark.setups.assessment import assess
from prunemark.setups.errors import InputError, RuleBroken
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.track import find_track

fixed = settings(derandomize=True, deadline=None, database=None)

CORRECT = np.arange(500) % 25 > 0  # 480 of 500
RESNET = find_track("digits-resnet8")
WEIGHTS = find_track("digits-resnet8-weights")
BASE = BaseModel("b" * 64, 97.2, Stage(2, (0.1, 0.01), 18, 2194, 10**9))
MINE = Method("L1-norm", "pruned", "anchor", "c" * 64, {"allocation": "uniform", "power": 2.0, "n": 1, "on": True})
OUTCOME = Outcome(
    trial_key="a" * 64, track=RESNET.id, track_terms=json.loads(json.dumps(RESNET.as_dict())), setup="S3.2",
    level="50%", seed=3, method=MINE, status="ok", failure=None, base=BASE, pruning=Stage(0, (), 0, 0, 0),
    retraining=Stage(3, (0.1, 0.1, 0.01), 27, 3291, 2 * 10**9),
    retraining_recipe=Recipe(parse_schedule("0:1e-1,2:1e-2", 3), augmentation="shift1").as_dict(),
    compression=Compression(1.911, None, 1.9105, 0.0, 193_344, 101_184, 19_818, 10_000, "uniform", {"a": 4}, {"a": 8}),
    curve=(EpochPoint(0, 0.1, 0.5, 90.0), EpochPoint(1, 0.1, None, 91.0)),
    accuracy=Accuracy(96.0, 500, pack_correctness(CORRECT), 91.0, 91.0), weights_sha256="d" * 64, data_sha256="e" * 64,
)  # fmt: skip
OBSERVED = Observed(
    "2026-01-01T00:00:00Z", 1.5, 2.5, 0.5, Latency(1, 60, 1.0, 0.9, 1.1), "cpu", "x86_64", {"torch": "2.14"}, "none"
)
RECORD = Record(SCHEMA, OUTCOME, OBSERVED)
FAILED = dataclasses.replace(
    OUTCOME, status="failed", failure=Failure("exception", "the Hessian is singular", "Traceback ..."), base=None,
    pruning=None, retraining=None, retraining_recipe=None, compression=None, curve=(), accuracy=None,
    weights_sha256=None,
)  # fmt: skip


def with_outcome(**leaves: Any) -> Record:
    return dataclasses.replace(RECORD, outcome=dataclasses.replace(OUTCOME, **leaves))


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
stages = st.builds(Stage, counts, st.lists(floats, max_size=3).map(tuple), counts, counts, counts)
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


def test_the_pipeline_is_what_was_executed() -> None:
    pipeline = pipeline_of(RECORD)
    assert (pipeline.method, pipeline.kind, pipeline.name) == ("L1-norm", "pruned", "L1-norm, seed 3")
    assert pipeline.dataset == "digits " + "e" * 64 and pipeline.network == "resnet8"
    assert (pipeline.speedup, str(pipeline.sparsity)) == (1.9105, "not reported")
    assert (pipeline.base.id, pipeline.base.top1_percent) == ("b" * 64, 97.2)
    assert pipeline.retraining.lr == parse_schedule("0:1e-1,2:1e-2", 3) and pipeline.total_epochs == 5
    assert pipeline.training_flops == 3e9 and pipeline.dense_macs == 193_344
    assert (pipeline.details.batch_size, pipeline.details.augmentation) == (128, "shift1")
    assert (pipeline.result.top1_percent, pipeline.result.runs, pipeline.result.selection) == (96.0, 1, "last")
    assert (
        assess([pipeline, pipeline_of(with_outcome(method=dataclasses.replace(MINE, name="B")))]).established == "S4.2"
    )


@pytest.mark.parametrize(
    ("change", "highest"),
    [
        ({"data_sha256": "f" * 64}, None),
        ({"base": dataclasses.replace(BASE, sha256="f" * 64)}, "S1"),
        ({"retraining": Stage(4, (0.1,) * 4, 36, 4388, 2 * 10**9)}, "S2"),
        ({"retraining": Stage(3, (0.1, 0.01, 0.01), 27, 3291, 2 * 10**9)}, "S3.1"),
        ({"pruning": Stage(1, (0.01,), 9, 1097, 10**8)}, "S3.2"),
        ({"seed": 4}, "S4.2"),
    ],
)
def test_a_setup_holds_between_records_as_far_as_what_was_executed_allows(change: dict[str, Any], highest: str) -> None:
    found = assess([pipeline_of(RECORD), pipeline_of(with_outcome(**change))])
    assert found.established == found.ceiling == highest


def test_weights_are_compared_by_sparsity_and_scratch_by_its_totals() -> None:
    assert OUTCOME.compression is not None
    sparse = with_outcome(
        track_terms=WEIGHTS.as_dict(),
        compression=dataclasses.replace(OUTCOME.compression, sparsity=0.95, speedup_macs=1.0),
    )
    assert (str(pipeline_of(sparse).speedup), pipeline_of(sparse).sparsity) == ("not reported", 0.95)
    scratch = with_outcome(
        method=dataclasses.replace(MINE, kind="scratch"), base=None, pruning=None,
        retraining=Stage(5, (0.1, 0.1, 0.1, 0.01, 0.01), 45, 5485, 3 * 10**9),
    )  # fmt: skip
    found = assess([pipeline_of(RECORD), pipeline_of(scratch)])
    assert found.setups["SX-A"] == found.setups["SX-B"] == "holds" and found.setups["S2"] == "not_applicable"


def test_a_failed_record_is_a_pipeline_without_a_result() -> None:
    pipeline = pipeline_of(dataclasses.replace(RECORD, outcome=FAILED))
    assert {str(leaf) for leaf in (pipeline.result.top1_percent, pipeline.base.id, pipeline.speedup)} == {
        "not reported"
    }
    assert pipeline.training_flops == 0


def test_a_method_that_only_looks_at_data_has_a_pipeline() -> None:
    assert pipeline_of(with_outcome(pruning=Stage(1, (0.0,), 0, 1097, 10**8))).pruning.epochs == 1
