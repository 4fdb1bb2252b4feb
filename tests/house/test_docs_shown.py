"""What the pages show and link to: output that is printed, numbers of a release, headings that are there."""

import itertools
import re
import shlex
import sys

import pytest
from support.pages import FENCE, PAGES, ROOT, blocks, commands_of, label

from prunemark.cli import app

LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture
def printed(monkeypatch, capsys):
    """What a command prints in the repository."""
    monkeypatch.chdir(ROOT)

    def run(command):
        monkeypatch.setattr(sys, "argv", shlex.split(command))
        with pytest.raises(SystemExit) as ended:
            app.main()
        assert not ended.value.code
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=label)
def test_relative_links_lead_to_files(page):
    for target in LINK.findall(FENCE.sub("", page.read_text())):
        if not target.startswith(("http://", "https://")):
            path, _, anchor = target.partition("#")
            led_to = page.parent / path if path else page
            assert led_to.exists(), f"{page.name} links to {target}"
            assert not anchor or anchor in anchors(led_to), f"{page.name} links to {target}"


def anchors(page):
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_method_of_the_readme_is_the_example():
    (shown,) = (text for kind, text in blocks(ROOT / "README.md") if kind == "python")
    example = (ROOT / "examples" / "geometric_median.py").read_text()
    assert shown.partition("\n")[2] == example[example.index("import torch") :]


def cells(line):
    return [cell.strip() for cell in line.replace("\\", "").strip("|").split("|")]


def test_what_the_page_about_papers_shows_is_printed(printed):
    found = blocks(ROOT / "docs" / "paper-tables.md")
    shown = [(command, text) for (_, command), (kind, text) in itertools.pairwise(found) if kind == "text"]
    assert len(shown) == 2
    for command, text in shown:
        assert text in printed(commands_of(command)[-1][0])


def test_the_table_of_the_readme_has_the_numbers_of_its_release(printed):
    """The columns that it shows, of the ranked rows."""
    page = (ROOT / "README.md").read_text()
    command = re.search(r"^\$ (prunemark leaderboard .*--release .*)$", page, re.MULTILINE)
    shown = [cells(line) for line in page[command.end() :].split("\n\n")[1].splitlines()]
    whole = printed(f"{command[1]} --format markdown")
    whole = [cells(line) for line in whole[whole.index("| Method") :].split("\n\n")[0].splitlines()]
    columns = [whole[0].index(title) for title in shown[0]]
    assert shown[2:] == [[row[column] for column in columns] for row in whole[2:]]
