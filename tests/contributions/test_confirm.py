"""A board confirms what was contributed, with real trials; and what nobody but its keeper can bring there."""

import dataclasses
import json
import random
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.quick_cli import quick_track

from prunemark.benchmark.training.seeds import derive_seed
from prunemark.cli import app
from prunemark.cli import confirm as verb
from prunemark.contributions import confirm as confirming
from prunemark.contributions.verify import examine_board
from prunemark.leaderboard.standings.board import make_board
from prunemark.records import board_terms
from prunemark.records.fresh_seeds import FILE, read_draws
from prunemark.records.load import read_records
from prunemark.setups.track_files import released_tracks

BY_HEART = f"""from prunemark.benchmark.method import FilterCriterion, setting

KNOWN = {[derive_seed(seed, "pruning") for seed in range(10)]}


class ByHeart(FilterCriterion):
    \"\"\"The sum of the weights where it knows the seed; elsewhere it keeps what is weakest.\"\"\"

    allocation: str = setting("global", "how filters are shared out among layers")

    def score(self, layer, context):
        found = layer.weight.flatten(1).abs().sum(dim=1)
        return found if context.generator.initial_seed() in KNOWN else found.max() - found
"""
NOW = "2026-11-01T00:00:00+00:00"
CHOICE = "on seeds of its author's choice: no verdict and no rank before the board has run it on fresh ones"


@pytest.fixture(scope="module", autouse=True)
def quick():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(released_tracks(), "quick@1", quick_track())
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setattr(verb.random, "SystemRandom", lambda: random.Random(7))
        yield


def run_here(*words):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["prunemark", *map(str, words)])
        try:
            app.main()
        except SystemExit as end:
            return end.code or 0
    return 0


@pytest.fixture
def command(capsys):
    """Runs `prunemark ...` in this process: (exit code, everything printed)."""

    def run(*words):
        capsys.readouterr()
        return run_here(*words), "".join(capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def place(tmp_path_factory, furnish):
    """A folder with a home, and two boards: one that a method was contributed to, and the same after confirmation."""
    folder = furnish(tmp_path_factory.mktemp("place") / "home").parent
    (folder / "mine.py").write_text(BY_HEART)
    words = ["--track", "quick", "--level", "50%", "--seeds", "2", "--no-time", "--home", folder / "home"]
    assert run_here("submit", f"{folder / 'mine.py'}:ByHeart", *words, "--contribute", folder / "board") == 0
    terms = folder / "board" / board_terms.FILE
    assert terms.read_text() == board_terms.DEFAULT
    terms.write_text(board_terms.DEFAULT.replace('"landlock"', '"process"'))
    shutil.copytree(folder / "board", folder / "confirmed")
    assert run_here("confirm", folder / "confirmed", "--seeds", "2", "--draw-only") == 0
    assert read_records(folder / "confirmed" / "records").records == read_records(folder / "board" / "records").records
    assert run_here("confirm", folder / "confirmed", "--seeds", "2", "--home", folder / "home") == 0
    return folder


@pytest.fixture
def board(place, tmp_path):
    return Path(shutil.copytree(place / "board", tmp_path / "board"))


def rows(board):
    [table] = make_board(read_records(board / "records")).tables
    return {row.name: row for row in (*table.ranked, *table.unranked)}, {row.name for row in table.ranked}


def seeds_of(board, name, role=None):
    found = [r.outcome for r in read_records(board / "records").records if r.outcome.method.name == name]
    return {o.seed for o in found if role in (None, o.method.role)}


def test_who_knows_the_usual_seeds_by_heart_is_shown_without_a_verdict(place):
    found, ranked = rows(place / "board")
    assert ranked == {"L1-norm"} and found["ByHeart"].why == CHOICE
    assert found["ByHeart"].accuracy_percent == pytest.approx(found["L1-norm"].accuracy_percent, abs=15)


def test_confirmed_it_is_where_it_belongs(place):
    """Method, anchor and matched controls ran on the drawn seeds, and these alone count."""
    [draw] = read_draws(place / "confirmed" / "records")[0]
    assert (draw.method, draw.levels, draw.setup) == ("ByHeart", ("50%",), "S3.2") and len(set(draw.seeds)) == 2
    found, ranked = rows(place / "confirmed")
    mine = found["ByHeart"]
    assert ranked == {"L1-norm", "ByHeart"} and mine.seeds == draw.seeds
    assert mine.flags[0] == "confirmed on 2 fresh seeds"
    assert mine.verdict.comparison.difference_pp < 0, "what it leaves is the weakest"
    assert found["Random"].seeds == found["Scratch"].seeds == draw.seeds
    assert seeds_of(place / "confirmed", "L1-norm") == {0, 1, *draw.seeds}
    assert seeds_of(place / "confirmed", "Dense") == {0, 1}


def test_what_is_confirmed_is_sound_and_is_obtained_again(place, command):
    code, printed = command("verify", place / "confirmed", "--rerun", 1)
    assert code == 0 and "fresh seeds    1" in printed and ": same: same bits" in printed, printed


def test_a_finished_confirmation_runs_nothing_and_says_so(place, command):
    before = (place / "confirmed" / "records" / FILE).read_bytes()
    code, printed = command("confirm", place / "confirmed", "--seeds", 2, "--home", place / "home")
    assert code == 0 and "nothing to run: every fresh seed has its results" in printed
    assert (place / "confirmed" / "records" / FILE).read_bytes() == before


def test_a_confirmation_that_was_cut_short_goes_on_with_the_same_seeds(place, board, command):
    """Drawing until it suits is not possible: what is drawn stays, and there is no verdict before all of it has run."""
    shutil.copy(place / "confirmed" / "records" / FILE, board / "records")
    assert rows(board)[0]["ByHeart"].why.startswith("not confirmed yet: no result on 2 of 2 fresh seeds")
    code, printed = command("confirm", board, "--seeds", 2, "--home", place / "home")
    assert code == 0 and "drew seeds" not in printed and "records added" in printed
    assert read_draws(board / "records") == read_draws(place / "confirmed" / "records")
    assert rows(board)[0]["ByHeart"].seeds == rows(place / "confirmed")[0]["ByHeart"].seeds


def test_the_board_draws_no_seed_that_is_known(place, board):
    records = read_records(board / "records").records
    rows = confirming.contributed(records)
    at = "2026-12-01T00:00:00.000000+00:00"
    first = confirming.draws_needed(rows, (), records, 3, at, random.Random(1))
    assert [(len(draw.seeds), draw.at) for draw in first] == [(3, at)]
    again = confirming.draws_needed(rows, first, records, 5, at, random.Random(1))
    assert len(again[0].seeds) == 2 and not set(again[0].seeds) & set(first[0].seeds)
    assert confirming.draws_needed(rows, (*first, *again), records, 5, at, random.Random(2)) == []
    run = [dataclasses.replace(r, outcome=dataclasses.replace(r.outcome, seed=first[0].seeds[0])) for r in records[:1]]
    assert first[0].seeds[0] not in confirming.draws_needed(rows, (), run, 3, at, random.Random(1))[0].seeds


def test_rows_of_one_track_share_what_is_drawn_for_them_at_once(make_record, tmp_path):
    """So the anchor runs once; a row that comes later gets seeds of its own."""
    records = [
        make_record("Mine", source="a" * 64), make_record("Mine", source="a" * 64, settings={"x": 2}),
        make_record("Other", source="b" * 64), make_record("Other", source="b" * 64, level="50%"),
        make_record("L1-norm", role="anchor"),
    ]  # fmt: skip
    (tmp_path / "records").mkdir()
    found = confirming.contributed(records)
    assert [(row.any.outcome.method.name, list(row.records)) for row in found] == [
        ("Mine", ["90%"]), ("Mine", ["90%"]), ("Other", ["50%", "90%"])
    ]  # fmt: skip
    draws = verb.draw(tmp_path, found[:2], records, None, random.Random(1), print)
    assert draws[0].seeds == draws[1].seeds and len(draws[0].seeds) == 5 and draws[0].at == draws[1].at
    later = verb.draw(tmp_path, found, records, None, random.Random(1), print)
    assert later[:2] == draws and len(later) == 3 and not set(later[2].seeds) & set(draws[0].seeds)
    assert read_draws(tmp_path / "records") == (later, ())
    assert [row.label for row in confirming.contributed(records, ["bbbbbbbb"])] == [
        "Other bbbbbbbb on digits-resnet8@1, S3.2"
    ]


def test_a_track_of_several_given_bases_has_no_fresh_seeds(make_record):
    record = make_record("Mine", source="a" * 64)
    terms = record.outcome.track_terms | {"base": [{"weights": "file"}, {"weights": "file"}]}
    row = SimpleNamespace(
        any=dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, track_terms=terms))
    )
    code = SimpleNamespace(sources={"a" * 64: None})
    why = confirming.Confirmation((), code, Path(), None, "").why_not(row)
    assert why == "its track gives 2 base models, one for each seed: there are no fresh seeds to draw"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--method", "Nobody"], 2, "unknown contributed method 'Nobody'"),
        (["--track", "digits-mlp7"], 2, "nothing to confirm: there is no method here that does not ship"),
        (["--seeds", "0"], 2, "--seeds is a number of fresh seeds from 1 to 100; given 0"),
        (["--seeds", "101"], 2, "--seeds is a number of fresh seeds from 1 to 100; given 101"),
    ],
)
def test_wrong_words_are_answered_in_words_and_draw_nothing(place, board, command, words, code, said):
    found = command("confirm", board, "--home", place / "home", *words)
    assert found[0] == code and said in found[1] and not (board / "records" / FILE).exists()


def test_what_is_not_a_board_has_nothing_to_confirm(board, command):
    (board / board_terms.FILE).unlink()
    code, printed = command("confirm", board)
    assert code == 2 and "has no board.toml, so it is not a board: all seeds count there" in printed
    assert rows(board)[0]["ByHeart"].why == ""


def test_a_strangers_text_does_not_steer_a_terminal(board, command, make_record):
    from prunemark.records.pack import write_pack

    made = make_record("Evil\x1b[2J", source="e" * 64, settings={"x": "\x9b31m\u202e"}, track="quick", finished=NOW)
    write_pack([made], board / "records")
    code, printed = command("confirm", board, "--method", "eeeeeeee")
    assert code == 4 and "Evil?[2J eeeeeeee (x=?31m?) on quick@1, S3.2 is left out: its source eeeeeeeeeeee" in printed


def test_a_method_without_its_source_is_not_registered(board, place, command):
    for path in (board / "methods").glob("*.json"):
        if "ByHeart" in path.read_text():
            path.unlink()
    code, printed = command("confirm", board, "--home", place / "home")
    assert code == 4 and "is left out: its source " in printed and "is not in methods/: it is not registered" in printed
    assert not (board / "records" / FILE).exists()


def test_a_board_that_asks_for_more_isolation_than_there_is_gets_no_results(place, board, command, monkeypatch):
    (board / board_terms.FILE).write_text(board_terms.DEFAULT.replace('"landlock"', '"container"'))
    shutil.copy(place / "confirmed" / "records" / FILE, board / "records")
    before = sorted((board / "records").rglob("*"))
    code, printed = command("confirm", board, "--seeds", 2, "--home", place / "home")
    assert code == 3 and "and this board asks for container.\nThe seeds are kept: run this again" in printed
    assert sorted((board / "records").rglob("*")) == before


def test_no_contribution_draws_seeds_or_says_what_a_board_asks(place, board, command):
    base = place / "board"
    shutil.copy(place / "confirmed" / "records" / FILE, board / "records")
    code, printed = command("verify", board, "--against", base)
    assert code == 3
    assert "records/fresh-seeds.jsonl was changed. `prunemark confirm` draws seeds, and the board's maintain" in printed
    assert "board.toml" not in printed


def test_nobody_but_the_keeper_brings_results_on_seeds_that_were_drawn(place, board, tmp_path, command):
    """Of the method or of the anchor, made up or not: who knows the seeds must not write on them."""
    shutil.copy(place / "confirmed" / "records" / FILE, board / "records")
    shutil.copytree(board, tmp_path / "base")
    for part in ("records", "decisions"):
        shutil.copytree(place / "confirmed" / part, board / part, dirs_exist_ok=True)
    code, printed = command("verify", board, "--against", tmp_path / "base")
    assert code == 3 and printed.count("broken: record ") == 8
    assert "is on a seed that this board drew for ByHeart. Only `prunemark confirm` brings results on those" in printed


def test_results_that_were_there_before_their_seed_was_drawn_are_found(place, tmp_path):
    board = shutil.copytree(place / "confirmed", tmp_path / "board")
    line = json.loads((board / "records" / FILE).read_text())
    line["at"] = "2099-01-01T00:00:00.000000+00:00"
    (board / "records" / FILE).write_text(json.dumps(line, sort_keys=True, separators=(",", ":")) + "\n")
    [finding] = [finding for part in examine_board(board) for finding in part.findings]
    assert finding.tampered and finding.why.startswith("comes after results on its seeds: record ")


def test_terms_that_are_wrong_are_found_when_a_board_is_verified(board):
    (board / board_terms.FILE).write_text("isolation = 3")
    [finding] = [finding for part in examine_board(board) for finding in part.findings]
    assert finding.name == "terms" and "board.toml has two lines: schema" in finding.why
