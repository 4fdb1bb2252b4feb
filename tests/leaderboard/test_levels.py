"""Levels that are not for ranking: too few filters, or too many runs at chance."""

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from support.site_context import build

from prunemark.leaderboard.formats import labels
from prunemark.leaderboard.formats.tables import render
from prunemark.leaderboard.standings.board import make_board
from prunemark.leaderboard.standings.levels import collapsed_in_words, collapsed_on, levels_not_for_ranking
from prunemark.leaderboard.standings.method_results import results_of
from prunemark.leaderboard.standings.table import make_table
from prunemark.records.load import Loaded, read_records

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
    assert levels_not_for_ranking(keeping(records, 4)) == {}
    why = levels_not_for_ranking(keeping(records, 3))
    assert why == {"90%": "b keeps 3 of 8 filters (uniform allocation), and 4 are needed in every layer"}


def test_filters_are_counted_where_the_level_decides(make_records):
    anchor, mine = make_records("L1-norm", [90.0] * 5), make_records("Mine", [90.0] * 5)
    chosen = keeping(mine, 1, allocation="global")
    assert levels_not_for_ranking([*keeping(anchor, 8), *chosen]) == {}
    # an anchor that ranks all layers together says nothing of the level, a uniform method does
    both = [*keeping(anchor, 1, allocation="global"), *keeping(mine, 6)]
    assert levels_not_for_ranking(both) == {}
    assert levels_not_for_ranking(keeping(anchor, 1, allocation="global"))["90%"].startswith("b keeps 1")


def test_weights_have_no_filters_to_lose(make_records):
    records = keeping(make_records("Magnitude", [90.0] * 5, track="digits-resnet8-weights"), 1)
    assert levels_not_for_ranking(records) == {}


def test_more_than_one_run_in_twenty_at_chance(make_records):
    rest = keeping(make_records("L1-norm", [90.0] * 10), 8)
    mine = keeping(make_records("Mine", [*[90.0] * 9, 19.8]), 8)
    assert levels_not_for_ranking([*rest, *mine]) == {}  # 1 of 20 may
    more = keeping(make_records("Mine", [*[90.0] * 8, 19.8, 19.8]), 8)
    why = levels_not_for_ranking([*rest, *more])
    assert why == {"90%": "2 of 20 runs end below 20 %, twice chance, and 5% may"}
    assert levels_not_for_ranking([*rest, *keeping(make_records("Mine", [20.0] * 10), 8)]) == {}
    withdrawn = [r.record_sha256 for r in more[-2:]]
    assert levels_not_for_ranking([*rest, *more], withdrawn) == {}


def test_runs_of_all_setups_count_together_and_dense_or_failed_ones_never(make_records):
    rest = [
        r for setup in ("S2", "S3.2", "S4.2") for r in keeping(make_records("L1-norm", [90.0] * 10, setup=setup), 8)
    ]
    mine = keeping(make_records("Mine", [*[90.0] * 9, 12.0], setup="SX-A"), 8)
    assert levels_not_for_ranking([*rest, *mine]) == {}
    assert "90%" in levels_not_for_ranking(mine)
    dense = make_records("Dense", [10.0] * 20, kind="dense", level="dense")
    failed = make_records("Fails", [0.0] * 20, status="failed")
    assert levels_not_for_ranking([*rest, *mine, *dense, *failed]) == {}


def test_the_seeds_on_which_a_method_collapsed(make_records):
    seeds = tuple(range(5))
    (fine,) = results_of(make_records("Mine", [90.0, 20.0, 90.0, 90.0, 90.0]))
    (dead,) = results_of(make_records("Mine", [90.0, 19.8, 90.0, 10.0, 90.0]))
    (failed,) = results_of([*make_records("Mine", [90.0] * 4), *make_records("Mine", [0.0] * 5, status="failed")[4:]])
    assert collapsed_on(fine, seeds) == () and collapsed_in_words(fine, seeds) == ""
    assert collapsed_on(dead, seeds) == (1, 3) and collapsed_on(dead, seeds[:3]) == (1,)
    assert collapsed_on(failed, seeds) == ()  # it has no end; chance is what it counts
    assert collapsed_in_words(dead, seeds).startswith("collapsed on 2 of 5 seeds")


def test_a_row_that_collapsed_has_no_difference_and_leaves_the_family(make_records):
    anchor = make_records("L1-norm", [90.0, 91.0, 90.5, 90.2, 90.8] * 2, role="anchor")
    others = [r for name in "ABC" for r in make_records(name, [88.0, 89.0, 88.5, 88.4, 88.8] * 2)]
    before = make_table([*anchor, *others], "90%")
    dead = make_records("Dead", [*[95.0] * 9, 10.0])
    after = make_table([*anchor, *others, *dead], "90%")
    assert after.ranked == before.ranked and after.not_for_ranking == ""
    (row,) = after.unranked
    assert row.name == "Dead" and row.verdict is None and row.rank is None
    assert row.why == "collapsed on 1 of 10 seeds (below twice chance): no mean difference is tested"
    assert labels.unranked_word(row) == "collapsed on 1 of 10 seeds"


def test_nothing_is_compared_with_an_anchor_that_collapsed(make_records):
    anchor = make_records("L1-norm", [*[90.0] * 9, 10.0], role="anchor")
    table = make_table([*anchor, *make_records("Mine", [91.0] * 10)], "90%")
    assert table.ranked == () and table.tested == 0
    assert table.not_for_ranking == "the anchor, L1-norm, collapsed on 1 of 10 seeds (below twice chance)"
    assert {row.name: row.why for row in table.unranked}["Mine"] == "the level is not for ranking"


def test_a_level_that_is_not_for_ranking_is_shown_without_verdicts(make_records):
    def board(kept):
        anchor = keeping(make_records("L1-norm", [90.0, 90.4, 90.2] * 4, role="anchor"), kept)
        return make_board(Loaded((*anchor, *keeping(make_records("Mine", [95.0, 95.4, 95.2] * 4), 8))))

    (fine,), (table,) = board(4).tables, board(3).tables
    assert [row.verdict.word for row in fine.ranked if row.verdict] == ["better"]
    assert table.ranked == () and "b keeps 3 of 8 filters" in table.not_for_ranking
    assert [row.accuracy_percent for row in table.unranked] == [row.accuracy_percent for row in fine.ranked]
    assert {row.why for row in table.unranked} == {"the level is not for ranking"}
    assert table.holds == fine.holds == "S4.2" and table.seeds == fine.seeds
    for format in ("markdown", "json", "latex"):
        assert "b keeps 3 of 8 filters" in render(board(3), format) and "filters" not in render(board(4), format)


def test_which_setup_is_chosen_does_not_change_which_levels_rank(make_records):
    rest = keeping(make_records("L1-norm", [90.0] * 20, setup="S3.2"), 8)
    dead = keeping(make_records("L1-norm", [10.0] * 5, setup="S4.2"), 8)
    loaded = Loaded((*rest, *dead))
    assert all(table.not_for_ranking for table in make_board(loaded).tables)
    (table,) = make_board(loaded, setup="S3.2").tables
    assert table.not_for_ranking.startswith("5 of 25 runs end below 20 %")


@pytest.mark.parametrize(("classes", "limit"), [(10, 20.0), (100, 2.0)])
def test_chance_is_that_of_the_tracks_classes(make_records, classes, limit):
    def of(percent):
        records = keeping(make_records("L1-norm", [percent] * 5, examples=1000), 8)
        return [replace(r, outcome=replace(r.outcome, track_terms=r.outcome.track_terms | {"classes": classes}))
                for r in records]  # fmt: skip

    assert levels_not_for_ranking(of(limit)) == {}
    assert "90%" in levels_not_for_ranking(of(limit - 0.2))


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
    found = levels_not_for_ranking(loaded.records, loaded.invalid)
    assert found.keys() == expected.keys()
    assert all(words in found[level] for level, words in expected.items())


def of_track(records, track):
    """The same records, as of a track with these levels."""
    return [
        replace(r, outcome=replace(r.outcome, track=track, track_terms=r.outcome.track_terms | {
            "levels": [{"name": "50%"}, {"name": "90%"}], "family": track}))
        for r in records
    ]  # fmt: skip


def test_means_over_tracks_leave_out_levels_that_are_not_for_ranking(make_records):
    def track(name, kept_at_90, shift_at_90=5.0):
        found = []
        for level, kept, shift in (("50%", 8, 1.0), ("90%", kept_at_90, shift_at_90)):
            percents = [90.0, 90.4, 90.2, 90.6, 90.8] * 2
            found += keeping(make_records("L1-norm", percents, level=level, role="anchor"), kept)
            found += keeping(make_records("Mine", [p + shift for p in percents], level=level), kept)
        return of_track(found, name)

    def over(*tracks):
        (found,) = make_board(Loaded(tuple(r for track in tracks for r in track))).overall
        return found

    every, some = over(track("a@1", 4), track("b@1", 4)), over(track("a@1", 4), track("b@1", 3))
    assert every.rows[0].per_track == pytest.approx({"a@1": 3.0, "b@1": 3.0})
    assert some.rows[0].per_track == pytest.approx({"a@1": 3.0, "b@1": 1.0})
    assert "Levels that are not for ranking: b@1 90%." in some.statement and "not for ranking" not in every.statement
    none = over(track("a@1", 4), of_track(keeping(make_records("L1-norm", [90.0] * 5), 1), "c@1"))
    assert none.rows == () and "there is one, a@1" in none.statement and "c@1 90%" in none.statement


def test_the_site_names_them_with_the_reason_and_shows_their_rows(make_records, tmp_path):
    shown = keeping(make_records("L1-norm", [90.0, 90.4] * 5, level="50%", role="anchor"), 8)
    unfit = keeping([*make_records("L1-norm", [90.0, 90.4] * 5, role="anchor"), *make_records("Mine", [95.0] * 10)], 3)
    build(tmp_path / "site", Loaded((*shown, *unfit)))
    pages = {page.name: page.read_text() for page in (tmp_path / "site").glob("*.html")}
    why = "b keeps 3 of 8 filters (uniform allocation)"
    assert f"Levels that are not for ranking are not counted: digits-resnet8@1: 90% ({why}" in pages["index.html"]
    track = pages["track_digits-resnet8-1_s3.2.html"]
    assert f"Not for ranking, because {why}" in track and "95.00" in track
    assert "not ranked: the level is not for ranking" in pages["method_mine.html"]
