"""What the documents and the action of the audit promise: commands that work, errors that are there."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from prunemark.audit.literature.published_errors import board_errors, published_errors
from prunemark.audit.report import markup
from prunemark.cli import app

HOUSE = Path(__file__).parents[2]
EXAMPLES = HOUSE / "tests" / "audit" / "examples"
AUDIT = (HOUSE / "docs" / "audit.md").read_text()
LONG = ("--all-pairs", "--report")
COMMANDS = [line for line in re.findall(r"^\$ (prunemark audit .*)$", AUDIT, re.M) if "--runs" not in line]


def test_the_errors_page_lists_what_is_found():
    rows = [tuple(vars(error).values()) for error in published_errors()]
    table = markup.markdown_table(("where", "method", "what"), rows)
    page = (HOUSE / "docs" / "published-errors.md").read_text()
    assert table in page, "run: prunemark audit --published --errors --format markdown"
    assert len(rows) == 20 and len(board_errors()) == 10


@pytest.mark.parametrize(
    "line", [pytest.param(c, marks=pytest.mark.slow) if any(word in c for word in LONG) else c for c in COMMANDS]
)
def test_a_command_of_the_page_works(line, tmp_path, monkeypatch, capsys):
    for name in ("audit", "tests"):
        (tmp_path / name).symlink_to(HOUSE / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", shlex.split(line.partition(" > ")[0]))
    code = 0
    try:
        app.main()
    except SystemExit as end:
        code = end.code or 0
    assert code in (0, 3, 4), capsys.readouterr().err


def test_the_page_shows_what_the_command_prints(capsys, monkeypatch):
    monkeypatch.chdir(HOUSE)
    monkeypatch.setattr(sys, "argv", shlex.split(COMMANDS[0]))
    with pytest.raises(SystemExit):
        app.main()
    for line in capsys.readouterr().out.splitlines():
        words = line.split("  ")[0].strip()
        assert words[:60] in AUDIT
