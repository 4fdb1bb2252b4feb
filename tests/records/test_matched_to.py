"""What a control is matched to: a text in the record, a structure everywhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunemark.records.matched_to import RATIOS_OF, MatchedTo

NAMES = st.from_regex(r"\w[\w.-]*", fullmatch=True)
HASHES = st.text("0123456789abcdef", min_size=8, max_size=8)
IDENTIFIERS = st.from_regex(r"[a-z_]\w*", fullmatch=True)
VALUES = st.sampled_from(["0.1", "True", "", "0:1e-1, 5:1e-2", "a (b)", "x 12345678 (y)", "a=b", "two\nlines"])
SETTINGS = st.lists(st.tuples(IDENTIFIERS, VALUES), unique_by=lambda pair: pair[0]).map(tuple)
"""Of values only one that holds `, name=` cannot be told from two settings."""


@given(NAMES, HASHES, SETTINGS)
def test_the_structure_comes_back_from_its_text(name, start, settings):
    matched = MatchedTo(name, start, settings)
    assert MatchedTo.parse(matched.text) == matched


@given(st.text() | st.from_regex(r"A [0-9a-f]{8} \(.*\)"))
def test_any_text_comes_back_as_it_was(text):
    assert MatchedTo.parse(text).text == text


@given(NAMES, HASHES, SETTINGS, st.randoms())
def test_a_method_is_known_whatever_the_order_of_its_settings(name, start, settings, random):
    matched = MatchedTo.parse(MatchedTo(name, start, settings).text)
    mixed = random.sample(settings, len(settings))
    assert matched.names(name, start + "0" * 56, dict(mixed))
    assert not matched.names(name + "x", start, dict(mixed))
    assert not matched.names(name, start[::-1] + "g", dict(mixed)) or start == start[::-1]
    assert not matched.names(name, start, dict(mixed) | {"Another": "1"})


def test_numbers_are_the_texts_that_python_writes():
    settings = {"lr": 1e-05, "update": True, "epochs": 20, "densities": "erk"}
    text = "W 967a8f9b (lr=1e-05, update=True, epochs=20, densities=erk)"
    assert MatchedTo.of("W", "967a8f9b" + "0" * 56, settings).text == text
    assert MatchedTo.among({RATIOS_OF: text}).names("W", "967a8f9b" + "0" * 56, settings)


@pytest.mark.parametrize("text", ["A", "A b (c=1)", "A 0123abcd (c)", "A 0123abcd", " 0123abcd ()"])
def test_a_text_of_another_form_matches_nothing(text):
    matched = MatchedTo.parse(text)
    assert (matched.name, matched.source_sha256_start) == (text, "")
    assert not matched.names(text, "", {}) and not matched.names("A", "0123abcd" + "0" * 56, {})
