"""Standings over tracks: against numbers computed by hand, and what is refused in words."""

import dataclasses
import json

import numpy as np
import pytest
from scipy import stats

from prunemark.leaderboard.formats import captions, labels, tables
from prunemark.leaderboard.inference.any_time import half_width, interval, log_e, path_of
from prunemark.leaderboard.standings.board import make_board
from prunemark.records.load import Loaded
from prunemark.records.outcome import Failure

ANCHOR = [94.0, 95.0, 93.6, 94.8, 94.4]
BETTER = [96.2, 96.8, 96.0, 97.0, 96.2]
LEVELS = ("50%", "90%", "95%")


def on(records, track, margin_pp=1.0, family="a x b", levels=LEVELS, **terms):
    """The same records as of another track."""

    def moved(record):
        stated = record.outcome.track_terms | {"margin_pp": margin_pp, "family": family} | terms
        stated["levels"] = [{"name": name} for name in levels]
        return dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, track=track, track_terms=stated))

    return [moved(record) for record in records]


@pytest.fixture
def on_track(make_records):
    """on_track(track, {method: shift in points}, ...) -> records of the anchor and of the methods, at every level."""

    def make(track, shifts, *, seeds=5, levels=LEVELS, noise=7, **terms):
        generator, found = np.random.default_rng(noise), []
        for level in levels:
            base = generator.integers(450, 480, seeds)
            for name, shift in {"L1-norm": 0.0, **shifts}.items():
                correct = base + 5 * shift + generator.integers(-2, 3, seeds)
                found += make_records(name, list(correct / 5), level=level)
        return on(found, track, **terms)

    return make


def overall(*groups):
    (found,) = make_board(Loaded(tuple(r for group in groups for r in group))).overall
    return found


def row(found, name):
    return next(r for r in found.rows if r.name == name)


def test_two_tracks_by_hand(make_records):
    """Seed by seed the mean over two tracks of the differences over two levels, each in its margin; the e-process."""
    other, lower = [x - 1.2 for x in BETTER[::-1]], [95.0, 95.4, 94.0, 94.2, 95.2]
    cells = {
        ("one@1", "50%", "L1-norm"): ANCHOR, ("one@1", "50%", "Mine"): BETTER,
        ("one@1", "90%", "L1-norm"): lower, ("one@1", "90%", "Mine"): other,
        ("two@1", "50%", "L1-norm"): other, ("two@1", "50%", "Mine"): ANCHOR,
        ("two@1", "90%", "L1-norm"): lower, ("two@1", "90%", "Mine"): BETTER,
    }  # fmt: skip
    margins = {"one@1": 1.0, "two@1": 0.5}
    found = overall(*(
        on(make_records(name, scores, level=level), track, margins[track], levels=("50%", "90%"))
        for (track, level, name), scores in cells.items()
    ))  # fmt: skip
    one = (np.subtract(BETTER, ANCHOR) + np.subtract(other, lower)) / 2
    two = (np.subtract(ANCHOR, other) + np.subtract(BETTER, lower)) / 2 / 0.5
    path = path_of((one + two) / 2, quantum_percent=0.2 / np.sqrt(2) * np.sqrt(1 + 4) / 2)
    mine = row(found, "Mine")
    assert mine.mean_margins == pytest.approx((one.mean() + two.mean()) / 2)
    assert mine.p_raw == mine.p_holm == pytest.approx(min(1, np.exp(-log_e(path).max())))
    assert mine.interval == pytest.approx(interval(path))
    assert mine.per_track == pytest.approx({"one@1": one.mean(), "two@1": two.mean() * 0.5})
    assert (mine.present, mine.why, found.tracks) == ("2/2", "", ("one@1", "two@1"))
    assert "About these 2 tracks and new seeds (E3)" in found.statement and "Holm over 1 method." in found.statement


def test_a_method_counts_on_the_seeds_that_it_has_on_all_tracks(on_track):
    fewer = [
        r for r in on_track("two@1", {"Mine": 3.0}, seeds=10) if r.outcome.method.name != "Mine" or r.outcome.seed < 4
    ]
    found = overall(on_track("one@1", {"Mine": 3.0}, seeds=7), fewer)
    same = overall(on_track("one@1", {"Mine": 3.0}, seeds=7), [r for r in fewer if r.outcome.seed < 4])
    mine = row(found, "Mine")
    assert mine.why == "" and (mine.p_holm, mine.interval) == (row(same, "Mine").p_holm, row(same, "Mine").interval)
    assert "Seeds: one@1 7; two@1 10." in found.statement and "Judged at any time" in found.statement


def test_planned_looks_and_any_time_are_kept_apart(on_track):
    """Planned tracks have a table of their own, by the paired t, when all planned seeds are there."""
    groups = [on_track(f"free{n}@1", {"Mine": 3}) for n in (1, 2)]
    dear = [on_track(f"dear{n}@1", {"Mine": 3, "Late": 3}, judged="planned: 5", noise=n) for n in (1, 2)]
    dear[1] = [r for r in dear[1] if r.outcome.method.name != "Late" or r.outcome.seed < 4]
    board = make_board(Loaded(tuple(r for g in (*groups, *dear) for r in g)))
    found = {o.planned: o for o in board.overall}
    assert found[False].tracks == ("free1@1", "free2@1") and found[True].tracks == ("dear1@1", "dear2@1")
    means = []
    for name in ("Mine", "L1-norm"):
        rows = [r for t in board.tables if t.planned for r in t.ranked if r.name == name]
        means.append(np.mean([r.scores for r in rows], axis=0))
    mine, late = row(found[True], "Mine"), row(found[True], "Late")
    p = stats.ttest_1samp(means[0] - means[1], 0).pvalue
    assert (mine.p_raw, mine.p_holm) == pytest.approx((p, p))
    assert (late.verdict, late.p_holm) == ("waits for all planned seeds of dear2@1", None)
    assert "Judged in one look" in found[True].statement
    assert labels.overall_head(found[True])[3] == "p (Holm)" and labels.overall_head(found[False])[3] == "p (any time)"


def test_a_method_that_lacks_a_track_is_partial_and_nothing_is_imputed(on_track):
    found = overall(
        on_track("one@1", {"Mine": 3, "Half": 3, "Less": 3}),
        on_track("two@1", {"Mine": 3, "Less": 3}),
        on_track("three@1", {"Mine": 3, "Half": 3}),
    )
    half, mine = row(found, "Half"), row(found, "Mine")
    assert (half.present, half.why) == ("2/3", "partial 2/3: lacks two@1")
    assert (half.mean_margins, half.p_holm, half.verdict, set(half.per_track)) == (None, None, "", {"one@1", "three@1"})
    assert mine.verdict == "better" and mine.p_holm == mine.p_raw  # the partial ones are no part of the family
    assert [r.name for r in found.rows] == ["Mine", "Half", "Less"]


def test_a_method_that_lacks_a_level_lacks_the_track(on_track):
    short = [r for r in on_track("two@1", {"Mine": 3}) if (r.outcome.method.name, r.outcome.level) != ("Mine", "90%")]
    found = overall(on_track("one@1", {"Mine": 3}), short)
    assert row(found, "Mine").why == "partial 1/2: lacks level 90% of two@1"


def test_a_track_whose_anchor_lacks_a_level_is_left_out(on_track):
    broken = [
        r for r in on_track("bad@1", {"Mine": 3}) if (r.outcome.method.name, r.outcome.level) != ("L1-norm", "90%")
    ]
    found = overall(on_track("one@1", {"Mine": 3}), on_track("two@1", {"Mine": 3}), broken)
    assert found.tracks == ("one@1", "two@1") and row(found, "Mine").present == "2/2"
    assert found.statement.endswith("Left out, because the anchor lacks a level or seeds there: bad@1.")


def test_one_track_is_no_over_tracks(on_track):
    found = overall(on_track("one@1", {"Mine": 3}))
    assert found.rows == () and found.statement == "Nothing is said over tracks: there is one, one@1."


def test_setups_and_granularities_are_kept_apart_and_parts_of_a_board_say_nothing(on_track, make_records):
    weights = on(make_records("L1-norm", ANCHOR, level="50%"), "w@1", levels=("50%",), granularity="weight")
    records = tuple(on_track("one@1", {"Mine": 3}) + weights)
    assert [(o.setup, o.granularity) for o in make_board(Loaded(records)).overall] == [
        ("S3.2", "filter"),
        ("S3.2", "weight"),
    ]
    assert make_board(Loaded(records), track="one@1").overall == ()
    assert make_board(Loaded(records), levels=["50%"]).overall == ()


def test_tracks_of_a_pattern_do_not_make_methods_for_single_weights_partial(on_track):
    """Movement cannot run on a 2:4 track; over the tracks where it can it is complete."""
    terms = {"granularity": "weight"}
    free = [on_track(f"free{n}@1", {"Movement": 3}, **terms) for n in (1, 2)]
    pattern = [on_track(f"pattern{n}@1", {"SR-STE": 3}, pattern="2:4", **terms) for n in (1, 2)]
    board = make_board(Loaded(tuple(r for g in (*free, *pattern) for r in g)))
    found = {o.kind: o for o in board.overall}
    assert set(found) == {"weight", "2:4"}
    assert (row(found["weight"], "Movement").present, row(found["weight"], "Movement").why) == ("2/2", "")
    assert found["2:4"].tracks == ("pattern1@1", "pattern2@1") and row(found["2:4"], "SR-STE").why == ""
    plain = {row["pattern"]: row["granularity"] for row in json.loads(tables.render(board, "json"))["rows"]}
    assert plain == {None: "weight", "2:4": "weight"}
    assert captions.overall_caption(found["2:4"]).startswith("Run under S3.2, 2:4 pruning.")
    assert [captions.what_is_pruned(found[kind]) for kind in ("weight", "2:4")] == ["weights", "weights by 2:4"]


def test_two_seeds_make_no_test(on_track):
    found = overall(on_track("one@1", {"Mine": 3}, seeds=2), on_track("two@1", {"Mine": 3}))
    mine = row(found, "Mine")
    assert (mine.verdict, mine.p_raw, mine.p_holm) == ("no test (2 seeds)", None, None)


def test_equivalence_is_within_one_margin_on_average(on_track):
    found = overall(on_track("one@1", {"Same": 0.0}, margin_pp=3), on_track("two@1", {"Same": 0.0}, margin_pp=3))
    assert row(found, "Same").verdict == "equivalent"


def test_equal_results_rest_on_the_rounding_of_a_mean_over_levels(make_records):
    """A difference of two accuracies in steps of 0.2 has a variance of 0.2^2 / 6; the mean of three a third of it."""
    same = [r for m in ("L1-norm", "Same") for level in LEVELS for r in make_records(m, ANCHOR, level=level)]
    found = row(overall(on(same, "one@1"), on(same, "two@1")), "Same")
    sd = np.sqrt(0.2**2 / 6 / 3 / 2)
    assert found.p_raw == 1 and found.interval[1] == pytest.approx(half_width(5) * sd)


def test_a_failed_seed_counts_at_chance_and_is_flagged(on_track, make_record):
    records = on_track("two@1", {"Mine": 3})
    where = next(i for i, r in enumerate(records) if r.outcome.method.name == "Mine" and r.outcome.seed == 2)
    lost = make_record("Mine", 2, level=records[where].outcome.level, status="timeout", failure=Failure("r", "slow"))
    (records[where],) = on([lost], "two@1")
    found = overall(on_track("one@1", {"Mine": 3}), records)
    assert row(found, "Mine").verdict == "undetermined"
    assert row(found, "Mine").flags == ("two@1, 50%: timed out on seed 2: counted at chance, 10 % (slow)",)


def test_an_e3_p_is_never_shown_as_e4(on_track):
    """Six tracks of two families say nothing of new families; six families do, and less than the tracks alone."""
    tracks = [f"t{i}@1" for i in range(6)]
    two = overall(*(on_track(t, {"Mine": 2 + i}, family=f"f{i % 2}", noise=i) for i, t in enumerate(tracks)))
    assert two.e4 == "E4 needs 5 dataset x network families; there are 2." and row(two, "Mine").e4 is None
    six = overall(*(on_track(t, {"Mine": 2 + i}, family=f"f{i}", noise=i) for i, t in enumerate(tracks)))
    mine = row(six, "Mine")
    peer = stats.ttest_1samp([mine.per_track[t] for t in tracks], 0)
    assert mine.e4.p_raw == mine.e4.p_holm == pytest.approx(peer.pvalue) and mine.e4.p_raw > mine.p_raw
    assert mine.e4.mean_margins == pytest.approx(mine.mean_margins)
    assert "About new dataset x network families (E4), over 6" in six.e4


def test_a_family_that_is_not_stated_is_not_made_up(on_track):
    found = overall(on_track("one@1", {"Mine": 3}), on_track("two@1", {"Mine": 3}, family=""))
    assert found.e4 == "E4 cannot be told: some records do not state the family of their track."


def test_methods_are_the_same_when_code_and_settings_are(on_track, make_records):
    def mine(track, **how):
        return [r for level in LEVELS for r in on(make_records("Mine", BETTER, level=level, **how), track)]

    found = overall(
        on_track("one@1", {}), mine("one@1", settings={"p": 1}), mine("one@1", settings={"p": 2}),
        on_track("two@1", {}), mine("two@1", settings={"p": 1}),
    )  # fmt: skip
    assert [(r.name, r.present) for r in found.rows] == [("Mine (p=1)", "2/2"), ("Mine (p=2)", "1/2")]
    apart = overall(
        on_track("one@1", {}), mine("one@1", source="a"), on_track("two@1", {}), mine("two@1", source="b")
    )  # fmt: skip
    assert {r.name for r in apart.rows} == {"Mine (on one@1)", "Mine (on two@1)"}
