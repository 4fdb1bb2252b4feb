"""What a board asks of new results: isolation, seeds that nobody drew, and the settings that a method ships with."""

import dataclasses
import random

import pytest

from prunemark.contributions.asked import Asked
from prunemark.contributions.confirm import contributed, draws_needed
from prunemark.records.board_terms import BoardTerms


@pytest.mark.parametrize(
    ("asks", "ran", "said"),
    [
        ("landlock", "process", "ran with isolation 'process', and this board asks for landlock or container"),
        ("landlock", "none", "ran with isolation 'none', and this board asks for landlock or container"),
        ("container", "landlock", "ran with isolation 'landlock', and this board asks for container"),
        ("landlock", "landlock", ""), ("landlock", "container", ""), ("process", "process", ""),
    ],
)  # fmt: skip
def test_a_board_takes_no_stranger_that_was_less_isolated_than_it_asks(asks, ran, said, make_record):
    asked = Asked(BoardTerms(asks))

    def against(name):
        record = make_record(name)
        observed = dataclasses.replace(record.observed, isolation=ran)
        return list(asked.against(dataclasses.replace(record, observed=observed)))

    assert against("L1-norm") == [], "what ships has no author to be kept from anything"
    found = against("Mine")
    assert (found == []) if not said else found[0].startswith(said)


def test_a_shipped_method_with_other_settings_is_a_method_of_its_own(make_record):
    """One setting, found by test accuracy, would do what an integer per seed does."""
    asked = Asked(BoardTerms("process"))
    assert list(asked.against(make_record("Slimming", settings={"penalty": 1e-4}))) == []
    [found] = asked.against(make_record("Slimming", settings={"penalty": 1.1e-4}))
    assert found == (
        "is of a method that ships with Prunemark, with settings that are not its own: {'penalty': 0.00011}. "
        "Derive a class with another name from it: then the board draws its seeds"
    )


def test_a_row_is_closed_when_its_seeds_are_drawn(make_record):
    """Under some setups a record also says when its method pruned, and `confirm` goes by the records of a row."""
    records = [make_record("Mine", source="a" * 64), make_record("L1-norm", role="anchor")]
    draws = draws_needed(contributed(records), (), records, 2, "2026", random.Random(1))
    asked = Asked(BoardTerms("process"), tuple(draws))
    said = "is of a row that this board drew seeds for: other seeds change nothing any more. Leave it out"
    assert list(asked.against(make_record("Mine", 1, source="a" * 64))) == [said]
    for other in (make_record("Mine", 1, source="a" * 64, level="50%"), make_record("Mine", 1, source="b" * 64)):
        assert list(asked.against(other)) == []
    [taken] = asked.against(make_record("L1-norm", draws[0].seeds[0], role="anchor"))
    assert taken == (
        "is on a seed that this board drew for Mine. Only `prunemark confirm` brings results on those: leave it out"
    )
