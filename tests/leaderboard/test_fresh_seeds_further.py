"""Methods on seeds that a board drew for them: in ranks, over tracks, in releases, and in what is run next."""

import dataclasses

import numpy as np
import pytest
from support.fresh import ANCHOR, ANCHOR_FRESH, FRESH, HONEST, LUCKY, after_confirmation, draw, on

from prunemark.leaderboard.formats import citation
from prunemark.leaderboard.inference.ranks import rank_intervals
from prunemark.leaderboard.standings import release as releases
from prunemark.leaderboard.standings.board import make_board
from prunemark.leaderboard.standings.frozen_records import read_frozen
from prunemark.leaderboard.standings.plan import make_plan
from prunemark.records.fresh_seeds import add_draw
from prunemark.records.load import Loaded
from prunemark.records.pack import write_pack


def row(found, name):
    return next(r for r in (*found.ranked, *found.unranked) if r.name == name)


@pytest.fixture
def confirmed(make_records, make_record):
    return after_confirmation(make_records, make_record)


def test_ranks_against_others_go_through_the_anchor():
    """No seeds are shared with the others, so what is shown is what follows: better than what is better."""
    rng = np.random.default_rng(3)
    noise = lambda: rng.normal(0, 0.2, 12)  # noqa: E731
    anchor, there = 94 + noise(), 94 + noise()
    field = {"L1-norm": anchor, "Bad": anchor - 3 + noise(), "Good": anchor + 3 + noise(), "Fresh": there + 3 + noise()}
    ranks = rank_intervals(field, 0.2, anchor="L1-norm", apart={"Fresh": there})
    assert ranks == {"L1-norm": (3, 3), "Bad": (4, 4), "Good": (1, 2), "Fresh": (1, 2)}
    assert rank_intervals({name: field[name] for name in list(field)[:3]}, 0.2)["Good"] == (1, 1)


def test_over_tracks_it_counts_on_its_own_seeds(make_record):
    def track(name, fresh):
        records = []
        for level in ("50%", "70%", "90%"):
            how = {"track": "digits-resnet8", "level": level}
            records += on(make_record, "L1-norm", range(4), ANCHOR[:4], role="anchor", **how)
            records += on(make_record, "L1-norm", fresh, ANCHOR_FRESH, role="anchor", **how)
            records += on(make_record, "SeedMasks", range(4), LUCKY[:4], **how)
            records += on(make_record, "SeedMasks", fresh, HONEST, **how)
        terms = records[0].outcome.track_terms
        levels = [each for each in terms["levels"] if each["name"] in ("50%", "70%", "90%")]
        return [
            dataclasses.replace(
                r, outcome=dataclasses.replace(r.outcome, track=name, track_terms=terms | {"levels": levels})
            )
            for r in records
        ]

    other = tuple(seed + 1 for seed in FRESH)
    draws = tuple(
        dataclasses.replace(draw(*seeds, levels=("50%", "70%", "90%")), track=name)
        for name, seeds in (("one@1", FRESH), ("two@1", other))
    )
    records = (*track("one@1", FRESH), *track("two@1", other))
    [mine] = make_board(Loaded(records, draws=draws)).overall[0].rows
    difference = float(np.mean(np.subtract(HONEST, ANCHOR_FRESH)))
    assert mine.per_track == {"one@1": pytest.approx(difference), "two@1": pytest.approx(difference)}
    assert mine.mean_margins is not None
    [before] = make_board(Loaded(records, draws=())).overall[0].rows or [None]
    assert before is None or before.mean_margins is None


def test_a_release_keeps_the_draws_that_it_had(confirmed, tmp_path):
    source = "ab" * 32
    records = [
        dataclasses.replace(
            r, outcome=dataclasses.replace(
                r.outcome, method=dataclasses.replace(r.outcome.method, source_sha256=source)
            )
        )
        for group in confirmed for r in group
    ]  # fmt: skip
    write_pack(records, tmp_path / "records")
    first = draw(*FRESH, source=source)
    add_draw(tmp_path / "records", first)
    made = releases.freeze(Loaded(tuple(records), draws=(first,)), "2026.1", "2026-03-01")
    assert made.draws == 1
    releases.write_release(made, tmp_path / "releases")
    add_draw(tmp_path / "records", draw(1_234, source=source, at="2026-04-01T00:00:00.000000+00:00"))
    frozen = releases.find_release("2026.1", tmp_path / "releases")
    found = make_board(read_frozen(frozen, tmp_path / "records"), release="2026.1")
    releases.check_field(found, frozen)
    assert row(found.tables[0], "SeedMasks").flags == ("confirmed on 5 fresh seeds",)
    assert releases.freeze(Loaded(tuple(records)), "2026.1", "2026-03-01").draws is None


def test_a_board_is_cited_with_its_draws(confirmed):
    """Who draws more takes verdicts back, though no record changes."""
    records = tuple(r for group in confirmed for r in group)
    later = draw(1_234, at="2026-04-01T00:00:00.000000+00:00")
    none, one, two = (Loaded(records, draws=draws).contents for draws in (None, (draw(*FRESH),), (draw(*FRESH), later)))
    assert len({each.digest for each in (none, one, two)}) == 3
    assert Loaded(records, draws=()).contents.digest == none.digest
    made = releases.freeze(Loaded(records, draws=(draw(*FRESH),)), "2026.1", "2026-03-01")
    assert "has exactly the records of 2026.1" in citation.standing(None, one, [made])
    said = "This board is not a release: it has other fresh seeds than 2026.1, the newest one."
    assert citation.standing(None, two, [made]) == said


def test_no_plan_runs_seeds_that_the_board_would_have_to_draw(confirmed):
    records = tuple(r for group in confirmed for r in group)
    found = make_board(Loaded(records, draws=(draw(*FRESH[:3]),)))
    assert row(found.tables[0], "SeedMasks").verdict.word == "undetermined"
    plan = make_plan(found.tables, records)
    assert plan.prospects == () and [each.name for _, each in plan.over] == ["SeedMasks"]
