"""A growing board: the made-up records are sound, and the dear parts of reading and ranking are done once a record."""

import functools
import importlib.util
import sys
from pathlib import Path

import pytest

from prunemark.leaderboard.standings import method_results
from prunemark.leaderboard.standings.board import make_board
from prunemark.records import identity, load
from prunemark.records import record as records
from prunemark.records.source import read_methods
from prunemark.setups import assessment


@pytest.fixture(scope="module")
def synthetic():
    """perf/synthetic.py, which is no package."""
    path = Path(__file__).parents[2] / "perf" / "synthetic.py"
    spec = importlib.util.spec_from_file_location("synthetic", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_made_up_records_are_the_same_for_a_seed_and_as_large_as_real_ones(synthetic):
    first = [records.dump(record) for record in synthetic.make_records(30)]
    assert first == [records.dump(record) for record in synthetic.make_records(30)]
    assert first != [records.dump(record) for record in synthetic.make_records(30, seed=1)]
    assert len(set(first)) == 30 and 5000 < len(first[0]) < 9000
    assert all(records.load(text) for text in first)


def test_a_made_up_board_is_whole_and_ranked(synthetic, tmp_path):
    synthetic.write_board(tmp_path, 400)
    loaded = load.read_records(tmp_path / "records")
    assert len(loaded.records) == 400 and not loaded.refused
    board = make_board(loaded)
    assert len(board.tables) == 3 and len(board.tables[0].ranked) > 15 and board.tables[0].holds
    sources = {record.outcome.method.source_sha256 for record in loaded.records}
    assert sources == read_methods(tmp_path / "methods").keys()


def calls(monkeypatch, places, work):
    """How often each function is called while `work` is done."""
    counts = {name: 0 for _, name in places}

    def counting(name, whole, *given, **named):
        counts[name] += 1
        return whole(*given, **named)

    with monkeypatch.context() as patch:
        for module, name in places:
            patch.setattr(module, name, functools.partial(counting, name, getattr(module, name)))
        work()
    return counts


def test_twice_the_records_are_twice_the_work(synthetic, tmp_path, monkeypatch):
    """Counted, because the time of a shared machine says little: nothing grows faster than the records."""
    places = [(load, "load"), (identity, "_who"), (records, "_accuracy_is_that_of_its_bits"),
              (method_results, "pipeline_of"), (assessment, "_among")]  # fmt: skip
    for name, few in (("SETUPS", synthetic.SETUPS[:1]), ("METHODS", 5), ("SEEDS", 4)):
        monkeypatch.setattr(synthetic, name, few)
    per_track = 3 * 5 * 4
    counts = []
    for tracks in (1, 2, 4):
        synthetic.write_board(tmp_path / str(tracks), tracks * per_track)
        counts.append(calls(monkeypatch, places, lambda at=tracks: make_board(_read(tmp_path / str(at)))))
    one, two, four = counts
    assert one["load"] == per_track and all(count > 0 for count in one.values())
    for name, count in one.items():
        assert two[name] <= 2.05 * count and four[name] <= 4.1 * count, name


def _read(folder):
    return load.read_records(folder / "records")
