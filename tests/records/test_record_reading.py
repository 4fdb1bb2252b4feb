"""A text that hashes to its name is read at once: nothing gets through that the exact way refuses."""

import dataclasses
import hashlib
import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prunemark.records.observed import Latency
from prunemark.records.record import dump, load, load_exactly
from prunemark.setups.errors import InputError, RuleBroken

fixed = settings(
    derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def named(text):
    """The text under the name that it hashes to."""
    return text, "x.json", hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def test_a_record_that_was_read_by_its_name_remembers_it(make_record, monkeypatch):
    record = make_record()
    found = load(*named(dump(record)))
    assert found == record and dump(found) == dump(record)
    assert found.__dict__["record_sha256"] == record.record_sha256
    later = dataclasses.replace(found, observed=dataclasses.replace(found.observed, hardware="other"))
    assert later.record_sha256 == hashlib.sha256(dump(later).encode()).hexdigest() != found.record_sha256


def test_records_of_equal_terms_share_them_and_what_is_only_equal_in_value_keeps_its_text(make_record):
    text = dump(make_record())
    one, other = load(*named(text)), load(*named(text.replace('"seed":0', '"seed":1')))
    assert one.outcome.track_terms is other.outcome.track_terms
    for number in ("1", "true"):
        found = load_exactly(*named(text.replace('"margin_pp":1.0', f'"margin_pp":{number}')))
        assert found.outcome.track_terms == one.outcome.track_terms and f'"margin_pp":{number},' in dump(found)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"margin_pp":1.0', '"margin_pp":1e999', "is not JSON"),
        ('"margin_pp":1.0', '"margin_pp":NaN', "is not JSON"),
        ('"margin_pp":1.0', f'"margin_pp":{"1" * 5000}', "is not JSON"),
        ('"margin_pp":1.0', f'"margin_pp":{"[" * 600}{"]" * 600}', "is not a valid record"),
        ('"batch_size":128', '"batch_size":-1e999', "is not JSON"),
        ('"pruning_seconds":0.1', '"pruning_seconds":Infinity', "is not JSON"),
        ('"pruning_seconds":0.1', '"pruning_seconds":"0.1"', "observed.pruning_seconds"),
        ('"seed":0', '"seed":0.0', "outcome.seed"),
        ('"seed":0', '"seed":0,"note":1', r"does not know \(outcome.note\)"),
        ('"status":"ok"', '"status":"great"', "outcome.status"),
        ('"test_percent":95.0', '"test_percent":96.0', "its correctness bits do not give its accuracy"),
        ('"a processor"', '"\\ud800"', "is not a valid record"),
        ("prunemark-record/1", "prunemark-record/2", "newer Prunemark"),
        ("prunemark-record/1", "prunemark-record/x", "has schema 'prunemark-record/x'"),
    ],
)
def test_the_right_name_makes_no_wrong_record_sound(make_record, old, new, words):
    text = dump(make_record())
    assert old in text
    with pytest.raises(InputError, match=words):
        load(*named(text.replace(old, new)))


def test_another_text_of_the_same_content_is_read_and_not_taken_for_as_it_was_written(make_record):
    record = make_record()
    for text in (json.dumps(json.loads(dump(record))), dump(record).replace('"seed":0', '"seed":7,"seed":0')):
        assert load(*named(text)) == record
        with pytest.raises(RuleBroken, match="x.json is not written canonically"):
            load_exactly(*named(text))
    assert load_exactly(*named(dump(record))) == record
    whole = dump(record).replace('"pruning_seconds":0.1', '"pruning_seconds":2')
    assert load(*named(whole)).observed.pruning_seconds == 2.0
    with pytest.raises(RuleBroken):
        load_exactly(*named(whole))


def test_white_space_is_no_content_for_a_file_under_its_canonical_name(make_record):
    record = make_record()
    pretty = json.dumps(json.loads(dump(record)), indent=1)
    assert load(pretty, "x.json", record.record_sha256) == record
    with pytest.raises(RuleBroken, match="does not have the content its name promises"):
        load(pretty, "x.json", "f" * 64)


def places(data, path=()):
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(found for key, value in items for found in places(value, (*path, key)))]


@fixed
@given(data=st.data())
def test_whatever_stands_anywhere_is_read_the_same_by_its_name_and_exactly(make_record, data):
    whole = json.loads(dump(make_record()))
    *path, last = data.draw(st.sampled_from(places(whole)[1:]))
    inner = whole
    for key in path:
        inner = inner[key]
    inner[last] = data.draw(jsons)
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        quick = load(*named(text))
    except InputError:
        with pytest.raises(InputError):
            load(text, "x.json")
        return
    try:
        assert load(text, "x.json") == quick
    except InputError:  # a whole number where a float belongs: the same value, and not as it is written
        with pytest.raises(RuleBroken):
            load_exactly(*named(text))


@fixed
@given(place=st.integers(0, 2000), byte=st.binary(max_size=2))
def test_any_byte_that_is_changed_in_a_record_is_refused(make_record, place, byte):
    record = make_record()
    whole = dump(record).encode()
    spoiled = whole[:place] + byte + whole[place + 1 :]
    try:
        assert load(spoiled, "x.json", record.record_sha256) == record
        assert json.loads(spoiled) == json.loads(whole)
    except (InputError, RuleBroken) as problem:
        assert spoiled != whole and str(problem).startswith("x.json ")


def test_fields_that_came_later_are_written_only_where_they_are_known(make_record):
    """Records that were published before keep their names."""
    plain = make_record()
    assert not {"passes", "peak_memory_bytes", "model_bytes", "layout"} & set(re.findall(r'"(\w+)":', dump(plain)))
    passes = (Latency(64, 9, 1.0, 0.9, 1.1), Latency(64, 9, 1.0, 0.9, 1.1, "channels_last"))
    whole = dataclasses.replace(
        plain, observed=dataclasses.replace(plain.observed, passes=passes, peak_memory_bytes=0, model_bytes=80_000)
    )
    assert load(dump(whole)) == whole
    written = json.loads(dump(whole))["observed"]
    assert [one.get("layout") for one in written["passes"]] == [None, "channels_last"]
    assert (written["peak_memory_bytes"], written["model_bytes"]) == (0, 80_000)
    said = dump(plain).replace('"isolation"', '"model_bytes":null,"isolation"')
    with pytest.raises(InputError, match="has fields or values"):
        load(said)  # one record has one text
