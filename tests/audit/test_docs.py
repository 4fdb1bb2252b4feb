"""What the documents and the action of the audit promise: commands that work, errors that are there."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from prunemark.audit.literature.pairs import pairings
from prunemark.audit.literature.papers import disagreements
from prunemark.audit.literature.published_errors import board_errors, published_errors
from prunemark.audit.literature.results import paper_of, published
from prunemark.audit.literature.runs import distinct
from prunemark.audit.report import markup
from prunemark.cli import app

HOUSE = Path(__file__).parents[2]
EXAMPLES = HOUSE / "tests" / "audit" / "examples"
AUDIT, REFERENCE = ((HOUSE / "docs" / name).read_text() for name in ("audit.md", "audit-document.md"))
LONG = ("--all-pairs", "--report")
BOTH = AUDIT + REFERENCE
COMMANDS = [line for line in re.findall(r"^\$ (prunemark audit .*)$", BOTH, re.M) if "--runs" not in line]
DOCUMENTS = {name: text for text, name in re.findall(r"^```yaml\n(# ([\w.-]+\.yaml)\n.*?)^```$", BOTH, re.M | re.S)}


def test_the_errors_page_lists_what_is_found():
    rows = [tuple(vars(error).values()) for error in published_errors()]
    table = markup.markdown_table(("where", "method", "what"), rows)
    page = (HOUSE / "docs" / "published-errors.md").read_text()
    assert table in page, "run: prunemark audit --published --errors --format markdown"
    assert len(rows) == 26 and len(board_errors()) == 10
    apart = [(", ".join(group.papers), group.what) for group in disagreements()]
    assert markup.markdown_table(("papers", "what"), apart) in page


@pytest.mark.parametrize(
    "line", [pytest.param(c, marks=pytest.mark.slow) if any(word in c for word in LONG) else c for c in COMMANDS]
)
def test_a_command_of_the_page_works(line, tmp_path, monkeypatch, capsys):
    for name in ("audit", "tests"):
        (tmp_path / name).symlink_to(HOUSE / name)
    write_documents(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", shlex.split(line.partition(" > ")[0]))
    code = 0
    try:
        app.main()
    except SystemExit as end:
        code = end.code or 0
    assert code in (0, 3, 4), capsys.readouterr().err


def test_the_page_shows_what_the_command_prints(tmp_path, capsys, monkeypatch):
    write_documents(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", shlex.split(COMMANDS[0]))
    with pytest.raises(SystemExit):
        app.main()
    assert f"```text\n{capsys.readouterr().out}```" in AUDIT


def write_documents(folder):
    """The documents that the pages show whole: blocks that begin with a name."""
    assert "mine.yaml" in DOCUMENTS
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text)


def test_the_numbers_of_the_literature_on_the_page_are_those_of_the_data():
    rows = published()
    papers, runs = {paper_of(row) for row in rows}, distinct(rows)
    pairs = [pair.comparable for pair in pairings(rows)]
    said = " ".join(AUDIT.split())
    assert f"{len(rows):,} published results of {len(papers)} papers" in said
    assert f"{len(rows):,} results are {len(runs):,} runs" in said
    assert f"These are {sum(pairs):,} of {len(pairs):,}," in said
