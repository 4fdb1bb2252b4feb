"""The documents as a site: built from the sources without a warning, and every link of every page followed again."""

import contextlib
import importlib
import json
import shutil
import sys
from html.parser import HTMLParser

import pytest
from support.browser import open_browser, visiting
from support.pages import ROOT

from prunemark.cli import app
from prunemark.setups.comparison import SETUPS
from prunemark.setups.factors import FACTORS
from prunemark.setups.track_files import released_tracks

SOURCES = ROOT / "docs" / "site"
NOTEBOOK = ROOT / "docs" / "board.ipynb"


@pytest.fixture(scope="module")
def made():
    """The modules that build: scripts, which no package has."""
    sys.path.insert(0, str(SOURCES))
    yield {name: importlib.import_module(name) for name in ("build", "notebook")}
    sys.path.remove(str(SOURCES))


@pytest.fixture(scope="module")
def site(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "docs"
    assert made["build"].build(folder) == []
    return folder


class Seen(HTMLParser):
    """What a page leads to, and what can be led to in it."""

    def __init__(self, text):
        super().__init__()
        self.links, self.ids = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.links += [named[name] for name in ("href", "src") if name in named]
        self.ids += [named["id"]] if "id" in named else []


def test_every_link_of_every_page_leads_somewhere(site):
    pages = {path: Seen(path.read_text()) for path in site.rglob("*.html")}
    assert len(pages) > 40
    for path, page in pages.items():
        assert len(set(page.ids)) == len(page.ids), path.name
        for link in page.links:
            if link.startswith(("https://", "http://", "mailto:", "data:")) or link.endswith("../index.html"):
                continue  # the leaderboard lies around this folder
            name, _, anchor = link.partition("#")
            target = (path.parent / name).resolve() if name else path
            assert target.is_file(), f"{path.name}: {link}"
            assert not anchor or anchor in pages[target].ids, f"{path.name}: {link}"


def test_every_document_has_a_page_and_the_reference_names_everything(site):
    for source in (ROOT / "docs").rglob("*.md"):
        name = str(source.relative_to(ROOT / "docs")).replace("README.md", "index.md").removesuffix(".md")
        assert (site / f"{name}.html").is_file(), name
    reference = {path.stem: path.read_text() for path in (site / "reference").glob("*.html")}
    for page, names in {
        "setups": SETUPS,
        "factors": FACTORS,
        "tracks": [track.id for track in released_tracks().values()],
        "commands": [
            f"prunemark {command.name or command.callback.__name__}" for command in app.app.registered_commands
        ],
        "exit-codes": ["within-noise", "Interrupted"],
        "python": ["FilterCriterion", "submit", "PruningContext"],
    }.items():
        assert [name for name in names if name not in reference[page]] == []
    assert "--until" in reference["commands"] and "arxiv.org" in reference["methods"]


def test_what_leads_nowhere_is_said_and_what_is_in_the_repository_is_linked(made):
    build = made["build"]
    source, other = ROOT / "docs" / "x.md", ROOT / "docs" / "log" / "y.md"
    text = "# A `b`, c\n\n[one](none.md) [two](#no) [three](log/y.md#here) [four](../LICENSE) [five](#a-b-c)\n"
    sources = {source: text, other: "# Here\n\n# Here\n"}
    site = build.Site(sources)
    assert site.problems == [
        "x.md links to none.md, and there is no such file",
        "x.md links to #no, and there is no such heading",
    ]
    html = site.pages[source].html
    assert 'href="log/y.html#here"' in html and " four " in html and 'id="a-b-c"' in html
    assert [id for _, id, _ in site.pages[other].headings] == ["here", "here-1"]
    assert 'href="https://there/blob/main/LICENSE"' in build.Site(sources, "https://there").pages[source].html
    assert "<script>" not in build.Site({source: "# X\n\n<script>alert(1)</script>\n"}).pages[source].html


def test_a_page_that_no_list_names_is_said(made, tmp_path, monkeypatch):
    build = made["build"]
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("__pycache__", "log", "decisions"))
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "INDEX", tmp_path / "docs" / "README.md")
    monkeypatch.setattr(build, "COPIED", ())
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "docs" / "README.md").write_text("# Documents\n\n## Tutorials\n\n- [First](quickstart.md): one\n")
    problems = build.build(tmp_path / "site")
    assert "docs/README.md does not list audit.md" in problems
    assert "docs/README.md does not list quickstart.md" not in problems


def test_in_a_browser_pages_are_quiet_fit_a_phone_and_are_found(site):
    with contextlib.ExitStack() as stack:
        visit = stack.enter_context(visiting(stack.enter_context(open_browser()), site))
        for name in ("index.html", "quickstart.html", "reference/commands.html", "board.html"):
            page = visit(name, viewport={"width": 390, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") == 390, name
        page = visit("find.html")
        rows = page.locator("#headings tbody tr")
        page.fill("#words", "until decided seeds")
        shown = [row for row in rows.all() if row.is_visible()]
        assert 0 < len(shown) < rows.count()
        assert any("Until it is decided" in row.inner_text() for row in shown)


def test_an_accessibility_checker_finds_nothing_in_the_documents(site):
    from axe_playwright_python.sync_playwright import Axe

    with open_browser() as browser:
        page = browser.new_page(color_scheme="dark")
        for name in ("quickstart.html", "reference/setups.html", "find.html"):
            page.goto(f"{site.as_uri()}/{name}")
            found = Axe().run(page).response["violations"]
            assert [(name, each["id"], each["nodes"][0]["html"]) for each in found] == []


def test_a_notebook_keeps_what_its_cells_print_and_are(made):
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "source": ["x = 2\n", "print('said')\n", "x * 21"]}
    text = {"cell_type": "markdown", "metadata": {}, "source": ["# A"]}
    (_, ran) = made["notebook"].run({"cells": [text, cell], "nbformat": 4})["cells"]
    assert [output.get("text") or output["data"]["text/plain"] for output in ran["outputs"]] == [["said\n"], ["42"]]
    with pytest.raises(ZeroDivisionError):
        made["notebook"].run({"cells": [cell | {"source": ["1 / 0"]}]})


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom_and_shows_what_it_prints(made, monkeypatch):
    monkeypatch.chdir(ROOT)
    told = json.loads(NOTEBOOK.read_text())
    assert made["notebook"].run(told) == told, "run: .venv/bin/python docs/site/notebook.py docs/board.ipynb"
