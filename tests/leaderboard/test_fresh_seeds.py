"""On a board, verdicts about contributed methods count only seeds that the board drew after their code was there."""

import dataclasses
import json
import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats
from support.fresh import ANCHOR, ANCHOR_FRESH, FRESH, HONEST, LUCKY, after_confirmation, draw, on, usual

from prunemark.leaderboard.formats import captions, labels, tables
from prunemark.leaderboard.standings.board import make_board
from prunemark.records.load import Loaded
from prunemark.records.outcome import Failure

CHOICE = "on seeds of its author's choice: no verdict and no rank before the board has run it on fresh ones"


def table(*groups, draws=()):
    return make_board(Loaded(tuple(record for group in groups for record in group), draws=draws)).tables[0]


def row(found, name):
    return next(r for r in (*found.ranked, *found.unranked) if r.name == name)


@pytest.fixture
def board(make_records):
    return usual(make_records)


@pytest.fixture
def confirmed(make_records, make_record):
    return after_confirmation(make_records, make_record)


def test_who_knows_the_usual_seeds_by_heart_gets_no_verdict_for_them(board):
    assert row(table(*board, draws=None), "SeedMasks").verdict.word == "better", "elsewhere all seeds count"
    found = table(*board)
    mine = row(found, "SeedMasks")
    assert [r.name for r in found.ranked] == ["L1-norm"] and found.placed == 0
    assert (mine.why, mine.verdict, mine.rank, mine.drawn) == (CHOICE, None, None, False)
    assert mine.accuracy_percent == pytest.approx(np.mean(LUCKY)) and mine.seeds == tuple(range(10))


def test_confirmed_it_is_where_it_belongs(confirmed):
    found = table(*confirmed, draws=(draw(*FRESH),))
    mine = row(found, "SeedMasks")
    assert mine.seeds == FRESH and mine.drawn and mine.verdict.word != "better"
    assert mine.verdict.comparison.difference_pp == pytest.approx(np.mean(np.subtract(HONEST, ANCHOR_FRESH)))
    assert mine.verdict.comparison.t == pytest.approx(stats.ttest_rel(HONEST, ANCHOR_FRESH).statistic)
    assert mine.flags == ("confirmed on 5 fresh seeds",)
    assert [seed for seed, _ in mine.uncounted] == list(range(10)) and mine.rank == (1, 2)
    assert mine.generalises.seeds == 5 and mine.generalises.p_holm is not None
    assert mine.generalises.difference_pp == pytest.approx(mine.verdict.comparison.difference_pp)
    assert found.seeds == tuple(range(10)) and found.notes == () and row(found, "L1-norm").seeds == found.seeds


def test_it_is_said_in_every_format(confirmed, board):
    both = make_board(Loaded(tuple(r for group in confirmed for r in group), draws=(draw(*FRESH),)))
    for format in ("markdown", "csv", "json", "latex"):
        assert "confirmed on 5 fresh seeds" in tables.render(both, format), format
    rows = {each["method"]: each for each in json.loads(tables.render(both, "json"))["rows"]}
    assert rows["SeedMasks"]["seeds_drawn"] is True and rows["SeedMasks"]["seed_list"] == list(FRESH)
    assert rows["L1-norm"]["seeds_drawn"] is None
    said = captions.caption(both.tables[0])
    assert "SeedMasks is paired with L1-norm on fresh seeds, drawn after its code was registered: 40913, 7219" in said
    before = make_board(Loaded(tuple(r for group in board for r in group), draws=()))
    for format in ("markdown", "csv", "json", "latex"):
        assert "author's choice" in tables.render(before, format), format
    assert json.loads(tables.render(before, "json"))["rows"][1]["seeds_drawn"] is False


def test_seeds_count_in_the_order_in_which_they_were_drawn(confirmed):
    """Evidence at any time rests on the order: whoever could deal it anew could choose it."""
    one = row(table(*confirmed, draws=(draw(*FRESH),)), "SeedMasks")
    parts = (draw(*FRESH[:2]), draw(*FRESH[2:], at="2026-03-01T00:00:00.000000+00:00"))
    assert row(table(*confirmed, draws=parts), "SeedMasks").seeds == one.seeds
    other = row(table(*confirmed, draws=(draw(*FRESH[::-1]),)), "SeedMasks")
    assert other.seeds == FRESH[::-1] and other.verdict.comparison.p_two_sided != one.verdict.comparison.p_two_sided


@pytest.mark.parametrize("lacking", ["SeedMasks", "L1-norm"])
def test_a_drawn_seed_without_its_result_withholds_the_verdict(confirmed, lacking):
    """Nobody draws until it suits: seeds that nobody liked, or that were taken back, are missing."""
    short = [
        [r for r in group if (r.outcome.method.name, r.outcome.seed) != (lacking, FRESH[3])] for group in confirmed
    ]
    mine = row(table(*short, draws=(draw(*FRESH),)), "SeedMasks")
    assert mine.why == "not confirmed yet: no result on 1 of 5 fresh seeds (5005)" and mine.verdict is None
    again = (draw(*FRESH), draw(1_234, at="2026-03-01T00:00:00.000000+00:00"))
    mine = row(table(*confirmed, draws=again), "SeedMasks")
    assert mine.why == "not confirmed yet: no result on 1 of 6 fresh seeds (1234)"
    assert mine.accuracy_percent == pytest.approx(np.mean(HONEST)), "what is there of the fresh seeds is shown"


def test_an_invalidated_result_on_a_drawn_seed_is_missing(confirmed):
    bad = confirmed[-1][2].record_sha256
    loaded = Loaded(tuple(r for g in confirmed for r in g), invalid={bad: "a bad day"}, draws=(draw(*FRESH),))
    mine = row(make_board(loaded).tables[0], "SeedMasks")
    assert mine.why == "not confirmed yet: no result on 1 of 5 fresh seeds (880001)"


def test_a_failure_on_a_drawn_seed_counts_at_chance_as_everywhere(confirmed, make_record):
    failed = make_record(
        "SeedMasks", FRESH[0], status="failed", failure=Failure("the method raised an error", "KeyError: 3")
    )
    mine = row(table(*confirmed[:-1], [failed, *confirmed[-1][1:]], draws=(draw(*FRESH),)), "SeedMasks")
    assert mine.scores[0] == 10.0 and mine.seeds == FRESH and mine.verdict is not None


@pytest.mark.parametrize(
    "other",
    [
        {"source": "b" * 64}, {"settings": {"key": 17}}, {"levels": ("50%",)}, {"method": "Other"},
    ],
    ids=["code", "settings", "level", "name"],
)  # fmt: skip
def test_seeds_that_were_drawn_for_another_row_say_nothing(confirmed, other):
    """Other code, a setting or a level that was chosen when the seeds were known: these are not fresh for it."""
    assert row(table(*confirmed, draws=(draw(*FRESH, **other),)), "SeedMasks").why == CHOICE


def test_what_ships_counts_as_ever_also_on_a_board(make_records):
    groups = make_records("L1-norm", ANCHOR, role="anchor"), make_records("FPGM", LUCKY)
    assert table(*groups) == table(*groups, draws=None)


def test_contributed_runs_do_not_decide_whether_a_level_ranks(make_records):
    collapsed = make_records("Bomb", [11.0] * 10)
    groups = make_records("L1-norm", ANCHOR, role="anchor"), make_records("FPGM", LUCKY)
    assert "end below" in table(*groups, collapsed, draws=None).not_for_ranking
    found = table(*groups, collapsed)
    assert found.not_for_ranking == "" and row(found, "FPGM").verdict.word == "better"


def test_an_anchor_that_has_no_other_seeds_is_enough(confirmed):
    found = table(*confirmed[2:], draws=(draw(*FRESH),))
    assert found.seeds == () and row(found, "SeedMasks").verdict.comparison.seeds == 5
    assert labels.verdict_words(row(found, "SeedMasks"), found) == "equivalent"


def test_matched_controls_follow_the_seeds_of_their_method(confirmed, board, make_record):
    matched = {"layer_ratios_of": "SeedMasks abcabcab ()"}
    source = "abcabcab" * 8

    def of(records):
        return [
            dataclasses.replace(
                r, outcome=dataclasses.replace(
                    r.outcome, method=dataclasses.replace(r.outcome.method, source_sha256=source)
                )
            )
            if r.outcome.method.name == "SeedMasks" else r
            for r in records
        ]  # fmt: skip

    usual = on(make_record, "Random", range(10), [90.0] * 10, role="control", settings=matched)
    fresh = on(make_record, "Random", FRESH, [93.0, 93.4, 93.1, 93.6, 92.9], role="control", settings=matched)
    before = table(*map(of, board), usual)
    assert row(before, "Random").why == CHOICE and row(before, "Random").drawn is False
    after = table(*map(of, confirmed), usual, fresh, draws=(draw(*FRESH, source=source),))
    assert row(after, "Random").why.startswith("a matched control: SeedMasks, with the same layer ratios, is at +1.16")
    assert row(after, "Random").seeds == FRESH


def test_a_planned_track_looks_at_the_first_drawn_seeds_once(confirmed):
    terms = confirmed[0][0].outcome.track_terms | {"judged": "planned: 3"}
    planned = [
        [
            dataclasses.replace(r, outcome=dataclasses.replace(r.outcome, track="dear@1", track_terms=terms))
            for r in group
        ]
        for group in confirmed
    ]
    drawn = dataclasses.replace(draw(*FRESH), track="dear@1")
    mine = row(table(*planned, draws=(drawn,)), "SeedMasks")
    assert mine.seeds == FRESH[:3] and mine.verdict.evidence == "verdicts"
    assert mine.verdict.comparison.p_two_sided == pytest.approx(stats.ttest_rel(HONEST[:3], ANCHOR_FRESH[:3]).pvalue)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("contribute"), st.sets(st.integers(0, 30), max_size=6)),
            st.tuples(st.just("draw"), st.integers(1, 4)),
            st.tuples(st.just("run"), st.integers(0, 6)),
        ),
        max_size=8,
    )
)
def test_in_no_order_of_steps_does_a_seed_of_the_authors_count(steps, make_record):
    """Contributed, drawn and run in any order, and cut short anywhere: what has a verdict has it for drawn seeds."""
    randomness, draws, there = random.Random(1), [], {}
    for kind, what in steps:
        if kind == "contribute":
            there |= {("SeedMasks", seed): 97.0 for seed in what} | {("L1-norm", seed): 94.0 for seed in what}
        elif kind == "draw":
            seeds = randomness.sample(range(1_000, 10_000), what)
            draws.append(draw(*seeds, at=f"2026-03-{len(draws) + 1:02}T00:00:00.000000+00:00"))
        else:
            waiting = [s for d in draws for s in d.seeds if ("SeedMasks", s) not in there]
            there |= {(name, seed): 94.0 for seed in waiting[:what] for name in ("SeedMasks", "L1-norm")}
    drawn = tuple(seed for each in draws for seed in each.seeds)
    records = [
        make_record(name, seed, percent, role="anchor" if name == "L1-norm" else "submission")
        for (name, seed), percent in there.items()
    ]
    if not any(name == "SeedMasks" for name, _ in there):
        return
    mine = row(table(records, draws=tuple(draws)), "SeedMasks")
    whole = bool(drawn) and all(("SeedMasks", seed) in there for seed in drawn)
    assert (mine.why == "") == whole
    assert mine.why != "" or (mine.seeds == drawn and set(mine.scores) == {94.0})
