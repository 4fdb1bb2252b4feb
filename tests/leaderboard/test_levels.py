"""Levels that are not for ranking: too few filters, or too many runs at chance."""

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from prunemark.leaderboard.standings.levels import collapsed_in_words, collapsed_on, levels_not_for_ranking
from prunemark.leaderboard.standings.method_results import results_of
from prunemark.records.load import read_records

RECORDS = Path(__file__).parents[2] / "leaderboard" / "board" / "records"


def keeping(records, kept, total=8, allocation="uniform"):
    """The same records, keeping so many filters of a layer."""
    return [
        replace(r, outcome=replace(r.outcome, compression=replace(
            r.outcome.compression, kept={"a": 12, "b": kept}, total={"a": 16, "b": total}, allocation=allocation)))
        for r in records
    ]  # fmt: skip


def test_a_layer_with_fewer_than_four_filters(make_records):
    records = make_records("L1-norm", [90.0] * 5)
    assert levels_not_for_ranking(keeping(records, 4), "L1-norm") == {}
    why = levels_not_for_ranking(keeping(records, 3), "L1-norm")
    assert why == {"90%": "b keeps 3 of 8 filters (uniform allocation), and 4 are needed in every layer"}


def test_filters_are_counted_where_the_level_decides(make_records):
    anchor, mine = make_records("L1-norm", [90.0] * 5), make_records("Mine", [90.0] * 5)
    chosen = keeping(mine, 1, allocation="global")
    assert levels_not_for_ranking([*keeping(anchor, 8), *chosen], "L1-norm") == {}
    # an anchor that ranks all layers together says nothing of the level, a uniform method does
    both = [*keeping(anchor, 1, allocation="global"), *keeping(mine, 6)]
    assert levels_not_for_ranking(both, "L1-norm") == {}
    assert levels_not_for_ranking(keeping(anchor, 1, allocation="global"), "L1-norm")["90%"].startswith("b keeps 1")


def test_weights_have_no_filters_to_lose(make_records):
    records = keeping(make_records("Magnitude", [90.0] * 5, track="digits-resnet8-weights"), 1)
    assert levels_not_for_ranking(records, "Magnitude") == {}


def test_more_than_one_run_in_twenty_at_chance(make_records):
    rest = keeping(make_records("L1-norm", [90.0] * 10), 8)
    mine = keeping(make_records("Mine", [*[90.0] * 9, 19.8]), 8)
    assert levels_not_for_ranking([*rest, *mine], "L1-norm") == {}  # 1 of 20 may
    more = keeping(make_records("Mine", [*[90.0] * 8, 19.8, 19.8]), 8)
    why = levels_not_for_ranking([*rest, *more], "L1-norm")
    assert why == {"90%": "2 of 20 runs end below 20 %, twice chance, and 5% may"}
    assert levels_not_for_ranking([*rest, *keeping(make_records("Mine", [20.0] * 10), 8)], "L1-norm") == {}
    withdrawn = [r.record_sha256 for r in more[-2:]]
    assert levels_not_for_ranking([*rest, *more], "L1-norm", withdrawn) == {}


def test_runs_of_all_setups_count_together_and_dense_or_failed_ones_never(make_records):
    rest = [
        r for setup in ("S2", "S3.2", "S4.2") for r in keeping(make_records("L1-norm", [90.0] * 10, setup=setup), 8)
    ]
    mine = keeping(make_records("Mine", [*[90.0] * 9, 12.0], setup="SX-A"), 8)
    assert levels_not_for_ranking([*rest, *mine], "L1-norm") == {}
    assert "90%" in levels_not_for_ranking(mine, "L1-norm")
    dense = make_records("Dense", [10.0] * 20, kind="dense", level="dense")
    failed = make_records("Fails", [0.0] * 20, status="failed")
    assert levels_not_for_ranking([*rest, *mine, *dense, *failed], "L1-norm") == {}


def test_the_seeds_on_which_a_method_collapsed(make_records):
    seeds = tuple(range(5))
    (fine,) = results_of(make_records("Mine", [90.0, 20.0, 90.0, 90.0, 90.0]))
    (dead,) = results_of(make_records("Mine", [90.0, 19.8, 90.0, 10.0, 90.0]))
    (failed,) = results_of([*make_records("Mine", [90.0] * 4), *make_records("Mine", [0.0] * 5, status="failed")[4:]])
    assert collapsed_on(fine, seeds) == () and collapsed_in_words((), seeds) == ""
    assert collapsed_on(dead, seeds) == (1, 3)
    assert collapsed_on(failed, seeds) == (4,)
    assert collapsed_in_words((1, 3), seeds).startswith("collapsed on 2 of 5 seeds")


@pytest.mark.parametrize(("classes", "limit"), [(10, 20.0), (100, 2.0)])
def test_chance_is_that_of_the_tracks_classes(make_records, classes, limit):
    def of(percent):
        records = keeping(make_records("L1-norm", [percent] * 5, examples=1000), 8)
        return [replace(r, outcome=replace(r.outcome, track_terms=r.outcome.track_terms | {"classes": classes}))
                for r in records]  # fmt: skip

    assert levels_not_for_ranking(of(limit), "L1-norm") == {}
    assert "90%" in levels_not_for_ranking(of(limit - 0.2), "L1-norm")


@pytest.mark.parametrize(
    ("track", "expected"),
    [
        ("digits-resnet8@1", {"90%": "blocks.0.conv1 keeps 1 of 8 filters", "95%": "blocks.0.conv1 keeps 1 of 8"}),
        ("digits-mlp7@2", {"80%": "runs end below 20 %, twice chance", "90%": "runs end below 20 %, twice chance"}),
        ("digits-resnet8-weights@2", {}),
    ],
)
def test_the_committed_records(track, expected):
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / track).symlink_to(RECORDS / track)
        (Path(name) / "invalidations.jsonl").symlink_to(RECORDS / "invalidations.jsonl")
        loaded = read_records(Path(name))
    found = levels_not_for_ranking(loaded.records, loaded.records[0].outcome.track_terms["anchor"], loaded.invalid)
    assert found.keys() == expected.keys()
    assert all(words in found[level] for level, words in expected.items())
