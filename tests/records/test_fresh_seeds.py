"""The seeds that a board draws, and what it asks: written once, read strictly, said in words where it is wrong."""

import dataclasses
import json
import random

import pytest

from prunemark.records import board_terms
from prunemark.records.fresh_seeds import (
    FILE,
    HIGHEST,
    LOWEST,
    FreshSeeds,
    add_draw,
    draw_seeds,
    drawn_for,
    needs_fresh_seeds,
    read_draws,
)
from prunemark.records.load import read_records
from prunemark.records.pack import write_pack
from prunemark.setups.errors import InputError

DRAW = FreshSeeds(
    "2026-02-01T00:00:00.000000+00:00", ("50%", "90%"), "Mine", (40_913, 7_219), {"power": 1.5}, "S3.2", "ab" * 32,
    "digits-resnet8@1",
)  # fmt: skip


def test_draws_are_read_as_they_were_written_and_in_their_order(tmp_path):
    later = dataclasses.replace(DRAW, at="2026-02-02T00:00:00.000000+00:00", seeds=(5_005,))
    for draw in (DRAW, later):
        add_draw(tmp_path, draw)
    assert read_draws(tmp_path) == ((DRAW, later), ()) and len((tmp_path / FILE).read_bytes().splitlines()) == 2
    assert read_draws(tmp_path / "nowhere") == ((), ())


@pytest.mark.parametrize(
    "change",
    [
        {"more": 1}, {"at": "today"}, {"at": "2026-02-01T00:00:00.000000+02:00"}, {"levels": []}, {"levels": [1]},
        {"method": None}, {"seeds": []}, {"seeds": [7]}, {"seeds": [1e9]}, {"seeds": [True]}, {"seeds": [10**9]},
        {"seeds": list(range(1_000, 1_101))}, {"seeds": "40913"}, {"settings": []}, {"settings": {"a": None}},
        {"source_sha256": "abc"}, {"track": 3},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_draw_is_named(tmp_path, change):
    add_draw(tmp_path, DRAW)
    line = json.loads((tmp_path / FILE).read_text()) | change
    (tmp_path / FILE).write_text(json.dumps(line, sort_keys=True, separators=(",", ":")) + "\n")
    assert read_draws(tmp_path) == ((), ((f"{FILE}, line 1", "is not a draw of seeds"),))


@pytest.mark.parametrize("text", ["{}", "[1]", "null", "nan", "[" * 50_000, "\x00", '{"at": 1, "at": 2}'], ids=repr)
def test_what_is_no_json_of_ours_neither(tmp_path, text):
    (tmp_path / FILE).write_text(text + "\n")
    assert read_draws(tmp_path) == ((), ((f"{FILE}, line 1", "is not a draw of seeds"),))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, "has a seed a second time"),
        ({"at": "2026-02-03T00:00:00.000000+00:00"}, "has a seed a second time"),
        ({"at": "2026-02-03T00:00:00.000000+00:00", "method": "Other"}, "has a seed a second time"),
        ({"seeds": (1_234, 1_234)}, "has a seed a second time"),
        ({"at": "2026-01-01T00:00:00.000000+00:00", "seeds": (1_234,)}, "is older than a line before it"),
    ],
)
def test_no_seed_is_drawn_twice_and_no_draw_goes_back_in_time(tmp_path, change, why):
    add_draw(tmp_path, DRAW)
    add_draw(tmp_path, dataclasses.replace(DRAW, **change))
    assert read_draws(tmp_path) == ((DRAW,), ((f"{FILE}, line 2", why),))


@pytest.mark.parametrize("change", [{"method": "Other"}, {"setup": "S2"}, {"levels": ("70%",)}, {"track": "other@1"}])
def test_what_is_drawn_at_one_time_may_be_for_several_rows(tmp_path, change):
    other = dataclasses.replace(DRAW, **change)
    add_draw(tmp_path, DRAW)
    add_draw(tmp_path, other)
    assert read_draws(tmp_path) == ((DRAW, other), ())


def test_a_draw_is_for_a_row_and_for_the_controls_that_are_matched_to_it(make_record):
    def drawn(name="Mine", **more):
        how = {"source": "ab" * 32, "settings": {"power": 1.5}} | more
        return drawn_for(make_record(name, **how).outcome, [DRAW])

    assert drawn() == drawn(level="50%") == DRAW.seeds
    assert drawn("Random", role="control", settings={"layer_ratios_of": "Mine abababab (power=1.5)"}) == DRAW.seeds
    for other in ({"level": "70%"}, {"setup": "S2"}, {"source": "cd" * 32}, {"settings": {"power": 2.0}}):
        assert drawn(**other) == ()
    assert drawn("Random", role="control", settings={"layer_ratios_of": "Mine abababab (power=2.0)"}) == ()


def test_what_ships_needs_none(make_record):
    def needs(name, **how):
        return needs_fresh_seeds(make_record(name, **how).outcome)

    assert needs("Mine") and needs("Scratch", kind="scratch", settings={"layer_ratios_of": "Mine abababab ()"})
    assert not needs("L1-norm") and not needs("Scratch", kind="scratch") and not needs("Dense", kind="dense")
    assert not needs("Random", role="control", settings={"layer_ratios_of": "FPGM abababab ()"})


def test_seeds_are_drawn_from_the_randomness_that_is_given_and_none_is_taken():
    first = draw_seeds(5, (), random.Random(3))
    assert first == draw_seeds(5, (), random.Random(3)) != draw_seeds(5, (), random.Random(4))
    assert len(set(first)) == 5 and all(LOWEST <= seed <= HIGHEST for seed in first)
    assert not set(first) & set(draw_seeds(5, first, random.Random(3)))
    for number in (0, 101):
        with pytest.raises(InputError, match=f"one draw has 1 to 100 seeds; asked for {number}"):
            draw_seeds(number, (), random.Random(3))


def test_only_a_board_has_draws(tmp_path, make_records):
    write_pack(make_records("Mine", [90.0, 91.0]), tmp_path / "records")
    add_draw(tmp_path / "records", DRAW)
    path = tmp_path / "records" / FILE
    path.write_text(path.read_text() + "nonsense\n")
    assert read_records(tmp_path / "records").draws is None
    (tmp_path / board_terms.FILE).write_text(board_terms.DEFAULT)
    found = read_records(tmp_path / "records")
    assert found.draws == (DRAW,)
    assert [(each.name, each.why) for each in found.refused] == [(f"{FILE}, line 2", "is not a draw of seeds")]


def test_a_board_says_what_it_asks(tmp_path):
    assert board_terms.read_terms(tmp_path) is None
    board_terms.make_board(tmp_path)
    terms = board_terms.read_terms(tmp_path)
    assert terms.isolation == "landlock" and terms.accepted == ("landlock", "container")
    assert [terms.admits(what) for what in ("process", "landlock", "container", "none", "")] == [
        False, True, True, False, False
    ]  # fmt: skip
    (tmp_path / board_terms.FILE).unlink()
    (tmp_path / "records").mkdir()
    board_terms.make_board(tmp_path)
    assert board_terms.read_terms(tmp_path) is None, "what has records already stays what it is"


@pytest.mark.parametrize(
    "text", ["", "isolation = 3", 'schema = "prunemark-board/1"\nisolation = "none"', board_terms.DEFAULT + "x = 1\n"]
)
def test_terms_that_are_wrong_are_answered_in_words(tmp_path, text):
    (tmp_path / board_terms.FILE).write_text(text)
    with pytest.raises(InputError) as caught:
        board_terms.read_terms(tmp_path)
    assert str(caught.value) == (
        f'{tmp_path}/board.toml has two lines: schema = "prunemark-board/1", and isolation, which is one of '
        "process, landlock, container"
    )
    (tmp_path / board_terms.FILE).write_text("[" * 50_000)
    with pytest.raises(InputError, match="is not TOML that can be read"):
        board_terms.read_terms(tmp_path)
