"""One set of terms a track: whoever ran on other terms is named, with the field; the newest version is ranked."""

import copy
import dataclasses

import pytest

from prunemark.leaderboard.standings.method_results import terms_of
from prunemark.records.admission import of_the_newest_version, on_the_same_terms
from prunemark.records.load import read_texts
from prunemark.records.record import dump
from prunemark.setups.track_files import released_tracks


def with_terms(record, track=None, **terms):
    """The record with other terms; a value of None takes the field away."""
    mixed = {**copy.deepcopy(record.outcome.track_terms), **terms}
    mixed = {name: value for name, value in mixed.items() if value is not None}
    outcome = dataclasses.replace(record.outcome, track=track or record.outcome.track, track_terms=mixed)
    return dataclasses.replace(record, outcome=outcome)


def same_terms(records):
    """The records admitted, and of the others (hash, why)."""
    found = on_the_same_terms(records)
    return found.admitted, [(each.name.removesuffix(".json"), each.why) for each in found.refused]


def newest(*given):
    """The records admitted, how many there are of other versions, and why some are refused."""
    found = of_the_newest_version(*given)
    return found.admitted, found.other_versions, [each.why for each in found.refused]


@pytest.mark.parametrize(
    ("terms", "fields"),
    [({"margin_pp": 5.0}, "margin_pp"), ({"levels": [], "anchor": "Mine"}, "anchor, levels"),
     ({"anchor": None}, "anchor"), ({"note": "x"}, "note"), ({"classes": 2}, "classes")],
)  # fmt: skip
def test_a_record_on_other_terms_than_the_released_track_is_left_out_by_name(make_records, terms, fields):
    good, bad = make_records("A", [95.0, 96.0])
    bad = with_terms(bad, **terms)
    found = read_texts([(r.record_sha256, r.record_sha256, dump(r)) for r in (good, bad)])
    assert found.records == (good,)
    assert [refused.name for refused in found.refused] == [f"{bad.record_sha256}.json"]
    assert found.refused[0].why == f"ran on other terms of digits-resnet8@1 than the released track: {fields}"


def test_what_tracks_state_only_since_then_may_be_missing(make_record):
    old = with_terms(make_record(), classes=None, family=None)
    assert "family" not in old.outcome.track_terms
    assert same_terms([old]) == ([old], [])


def test_of_a_track_of_ones_own_the_terms_stated_first_stand(make_record):
    late = with_terms(make_record("A", 0, finished="2026-02-01"), "mine@1", margin_pp=2.0)
    first = with_terms(make_record("A", 1, finished="2026-01-01"), "mine@1", margin_pp=1.0)
    same = with_terms(make_record("A", 2, finished="2026-03-01"), "mine@1", margin_pp=1.0)
    kept, others = same_terms([late, first, same])
    assert kept == [first, same]
    assert others == [
        (late.record_sha256, "ran on other terms of mine@1 than the first records of this track: margin_pp")
    ]


def test_a_title_is_words_of_ones_own_track_and_a_term_of_a_released_one(make_record):
    first = with_terms(make_record("A", 0, finished="2026-01-01"), "mine@1", title="Before")
    renamed = with_terms(make_record("A", 1, finished="2026-02-01"), "mine@1", title="Corrected")
    assert same_terms([first, renamed]) == ([first, renamed], [])
    assert [terms_of(records)["title"] for records in ([first, renamed], [renamed, first])] == ["Corrected"] * 2
    released = with_terms(make_record(), title="Corrected")
    assert same_terms([released])[1] == [
        (released.record_sha256, "ran on other terms of digits-resnet8@1 than the released track: title")
    ]


def test_the_newest_version_is_ranked_unless_another_is_asked_for(make_record):
    ids = ["mine@1", "mine@2", "mine@10", "other@1", "odd"]
    records = [with_terms(make_record("A", seed), id) for seed, id in enumerate(ids)]
    kept, others, objections = newest([*records, with_terms(make_record("B"), "mine@2")])
    assert [r.outcome.track for r in kept] == ["mine@10", "other@1", "odd"]
    assert (others, objections) == ({"mine@1": 1, "mine@2": 2}, [])
    kept, others, objections = newest(records, "mine@1")
    assert [r.outcome.track for r in kept] == ["mine@1", "other@1", "odd"]
    assert (others, objections) == ({"mine@10": 1, "mine@2": 1}, [])


def test_a_released_track_of_which_there_are_no_records_ranks_nothing_else_away(make_record, monkeypatch):
    tracks = released_tracks()
    monkeypatch.setitem(tracks, "digits-resnet8@2", dataclasses.replace(tracks["digits-resnet8@1"], version=2))
    record = make_record(track="digits-resnet8@1")
    assert newest([record]) == ([record], {}, [])


def test_a_version_that_nobody_released_displaces_nothing(make_records):
    records = [with_terms(r, "digits-resnet8@9") for r in make_records("Mine", [95.0, 96.0])]
    known = make_records("A", [95.0, 96.0])
    kept, others, objections = newest([*records, *known])
    assert (kept, others) == (known, {})
    assert objections == 2 * [
        "of digits-resnet8@9, which this Prunemark does not know: update it, or it was never released; "
        "ranked are the records of digits-resnet8@1"
    ]
    assert newest(records) == (records, {}, [])  # alone, they are the track that somebody has


def test_of_a_track_of_ones_own_facts_may_be_stated_later(make_record):
    """As after an update: the first records do not say how many classes there are, the later ones do."""
    old, new, other = (
        dataclasses.replace(record, observed=dataclasses.replace(record.observed, finished_at=f"2026-0{month}"))
        for month, record in enumerate(
            (
                with_terms(make_record("A", 0), "mine@1", classes=None, family=None),
                with_terms(make_record("A", 1), "mine@1", classes=10, family="d x n"),
                with_terms(make_record("A", 2), "mine@1", classes=2, family="d x n"),
            ),
            start=1,
        )
    )
    kept, others = same_terms([other, new, old])
    assert kept == [new, old]
    assert others == [
        (other.record_sha256, "ran on other terms of mine@1 than the first records of this track: classes")
    ]


def test_a_prior_is_stated_before_or_not_at_all(make_record):
    first, later = make_record("A", 0, finished="2026-01"), make_record("A", 1, finished="2026-02")
    first = with_terms(first, "mine@1")
    later = with_terms(later, "mine@1", prior={"df": 4, "sd_pp": 0.4})
    assert same_terms([first, later])[0] == [first]
