"""A source on the board that is older than the shipped method of its name: it runs, with the helpers of its day."""

from __future__ import annotations

import sys
from pathlib import Path

from prunemark.benchmark.run.entrants import describe_methods
from prunemark.benchmark.run.executor import LocalProcesses
from prunemark.benchmark.run.home import Home, open_home
from prunemark.benchmark.submission.load import BASELINES, load_class
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.submission.method_files import read_source, write_source
from prunemark.records.card import shipped_methods
from prunemark.records.source import MethodFiles, read_methods

METHODS = Path(__file__).parents[2] / "leaderboard" / "board" / "methods"


def test_every_source_of_the_board_that_ships_no_more_can_be_run(tmp_path):
    """More seeds of a row are run from what its records name, also where the method that ships has moved on."""
    shipped = {read_source(locate(name)[1]).source_sha256 for name in shipped_methods()}
    old = {sha256: text for sha256, text in read_methods(METHODS).items() if sha256 not in shipped}
    assert any(len(text.files) > 1 for text in old.values())
    written = {sha256: write_source(text, tmp_path / sha256) for sha256, text in old.items()}
    described = describe_methods(written, open_home(Home(tmp_path / "home")), LocalProcesses(1))
    assert described.keys() == old.keys()


def test_its_helpers_are_its_own_and_those_of_the_next_method_are_not(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    source = locate("LR-rewinding")[1]
    text = read_source(source)
    older = [
        (name, content.replace("rate: float = setting(0.2", "rate: float = setting(0.3"))
        for name, content in text.files
    ]
    recorded = write_source(MethodFiles(text.class_name, tuple(older)), tmp_path)
    assert recorded.sha256 != source.sha256
    before = {name: module for name, module in sys.modules.items() if name.startswith(f"{BASELINES}.")}
    try:
        assert [load_class(each).rate for each in (source, recorded, source)] == [0.2, 0.3, 0.2]
    finally:
        sys.modules.update(before)
