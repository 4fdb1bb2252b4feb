"""Who a record belongs to, and by which name: rows that no other row can be taken for."""

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prunemark.leaderboard.standings.board import make_board
from prunemark.leaderboard.standings.method_results import results_of
from prunemark.records.load import Loaded, read_texts
from prunemark.records.outcome import Failure
from prunemark.records.record import dump

ANCHOR = [94.0, 95.0, 93.6, 94.8, 94.4]
BETTER = [96.2, 96.8, 96.0, 97.0, 96.2]
TEN = [*ANCHOR, 94.2, 94.6, 93.8, 94.4, 95.2]


def table(*groups):
    return make_board(Loaded(tuple(record for group in groups for record in group))).tables[0]


def row(found, name):
    return next(r for r in (*found.ranked, *found.unranked) if r.name == name)


def kept(record, filters):
    compression = dataclasses.replace(record.outcome.compression, kept={"a": filters})
    return dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, compression=compression))


def test_settings_and_source_together_tell_methods_apart(make_records):
    """Settings alone do not: the file was edited once, and one of the settings had run before."""
    slightly = [percent + 0.2 * (seed % 2) for seed, percent in enumerate(ANCHOR)]
    found = table(
        make_records("L1-norm", ANCHOR),
        make_records("Mine", slightly, settings={"x": 1}, source="11111111aa"),
        make_records("Mine", slightly, settings={"x": 2}, source="11111111aa"),
        make_records("Mine", BETTER, settings={"x": 1}, source="22222222aa"),
    )
    old, new = (row(found, f"Mine (x=1, source {digit * 8})") for digit in "12")
    assert old.verdict.word != "better" and old.verdict.comparison.difference_pp == pytest.approx(0.08)
    assert new.verdict.word == "better" and row(found, "Mine (x=2)").verdict.family == 3


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(st.sampled_from(["A", "B"]), st.sampled_from(["12345678x", "12345678y", "z"]), st.integers(0, 2),
                  st.integers(1, 3), st.sampled_from(["control", "submission"])),
        min_size=1, max_size=12, unique=True,
    )
)  # fmt: skip
def test_no_two_methods_have_one_name(make_record, them):
    records = [
        kept(make_record(name, source=source, settings={"x": x}, role=role), filters)
        for name, source, x, filters, role in them
    ]
    names = [c.name for c in results_of(records)]
    assert len(set(names)) == len(names)
    assert len(names) == len({(n, s, x, f if role == "control" else 0) for n, s, x, f, role in them})


def test_a_control_that_failed_on_one_seed_is_the_same_control(make_records, make_record):
    anchor = make_records("L1-norm", ANCHOR, role="anchor")
    control = [kept(r, 4) for r in make_records("Random", BETTER, role="control") if r.outcome.seed != 3]
    lost = make_record(
        "Random", 3, role="control", status="failed", failure=Failure("exception", "boom"), finished="2025"
    )
    found = table(anchor, control, [lost])
    assert [r.name for r in (*found.ranked, *found.unranked)] == ["L1-norm", "Random"]
    random = row(found, "Random")
    assert random.seeds == (0, 1, 2, 3, 4) and random.scores[3] == 10.0
    assert random.flags == ("failed on seed 3: counted at chance, 10 % (boom)",)


def test_a_control_that_failed_and_was_run_again_is_superseded(make_records, make_record):
    control = [kept(r, 4) for r in make_records("Random", BETTER, role="control")]
    lost = make_record(
        "Random", 3, role="control", status="failed", failure=Failure("exception", "boom"), finished="2025"
    )
    loaded = read_texts([(r.record_sha256, r.record_sha256, dump(r)) for r in (*control, lost)])
    assert len(loaded.records) == 5 and [r.why for r in loaded.refused] == [
        f"superseded by {control[3].record_sha256[:12]}"
    ]


def test_a_failed_control_that_could_be_two_is_neither(make_records, make_record):
    anchor = make_records("L1-norm", ANCHOR, role="anchor")
    two = [kept(r, filters) for filters in (4, 5) for r in make_records("Random", BETTER, role="control")]
    lost = make_record("Random", 3, role="control", status="failed", failure=Failure("exception", "boom"))
    found = table(anchor, two, [lost])
    assert row(found, "Random (layer ratios unknown)").why


def test_of_two_anchors_the_one_with_most_seeds_stands(make_records):
    long, short = (make_records("L1-norm", TEN[:n], role="anchor", source=s * 8) for n, s in ((10, "b"), (5, "a")))
    found = table(short, long, make_records("Mine", [x + 2 for x in TEN]))
    assert found.anchor == "L1-norm (source bbbbbbbb)" and len(found.seeds) == 10
    assert row(found, "Mine").rank is not None and "2 competitors could be the anchor" in found.notes[0]


def test_of_two_anchors_with_as_many_seeds_the_newest_stands(make_records):
    new = make_records("L1-norm", ANCHOR, role="anchor", source="a" * 8, finished="2026-02-01")
    old = make_records("L1-norm", ANCHOR, role="anchor", source="b" * 8, finished="2026-01-01")
    assert table(old, new).anchor == "L1-norm (source aaaaaaaa)"


def test_under_a_pattern_a_control_has_nobodys_ratios(make_records):
    """Its records name whom it ran beside; every layer keeps two of four all the same."""
    here = {"track": "digits-resnet8-2to4", "level": "50%"}
    matched = {"layer_ratios_of": "Magnitude cccccccc (allocation=global)"}
    anchor = make_records("Magnitude", ANCHOR, role="anchor", source="c" * 64, **here)
    beside_it = make_records("Random", BETTER, role="control", settings=matched, **here)
    found = table(anchor, beside_it)
    assert [r.name for r in found.ranked] == ["Random", "Magnitude"] and found.ranked[0].settings == ()
    beside_another = make_records("Random", BETTER, role="control", key="other", **here)
    loaded = read_texts([(r.record_sha256, r.record_sha256, dump(r)) for r in (*anchor, *beside_it, *beside_another)])
    assert len(loaded.records) == 10 and all("superseded" in each.why for each in loaded.refused)
