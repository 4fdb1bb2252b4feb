"""The site as files: the same bytes every time, whole or not at all; links that lead on, names as text."""

import dataclasses
import hashlib
import html
import json
import math
import random
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from support.site_context import CITATION, IDENTIFIER, SETUPS, build, loaded, real_records

from prunemark.leaderboard.site import build as building
from prunemark.leaderboard.site import folder as folders
from prunemark.leaderboard.site.build import build_site
from prunemark.leaderboard.site.folder import MARKER
from prunemark.leaderboard.standings.board import make_board
from prunemark.records.load import Loaded
from prunemark.records.record import canonical_json, dump
from prunemark.setups.errors import InputError, WorkFailed

VENDOR = Path(building.__file__).parent / "vendor"


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


VOID = {"meta", "link", "input", "br", "img"}


class Page(HTMLParser):
    """What a page has: fragments, addresses it refers to, tags that are open, texts of its scripts."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.addresses, self.open, self.scripts, self.tags = [], [], [], [], []
        self.feed(path.read_text())
        self.close()
        assert self.open == [], f"{path.name}: {self.open} not closed"

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append((tag, given))
        self.ids += [given["id"]] if "id" in given else []
        self.addresses += [given[name] for name in ("href", "src") if name in given]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"{tag} closed out of order"

    def handle_data(self, data):
        if self.open and self.open[-1] == "script" and data.strip():
            self.scripts.append(data)


@pytest.fixture(scope="module")
def pages(site):
    return {path.name: Page(path) for path in sorted(site.glob("*.html"))}


def hrefs_of(spec):
    """The page that the marks of a figure link to, with each fragment."""
    page = next((signal["value"] for signal in spec["signals"] if signal["name"] == "page"), None)
    rows = [row for data in spec["data"] for row in data.get("values", ())]
    return [f"{page}#{row['r']}" for row in rows if "r" in row]


def test_the_same_records_give_the_same_bytes_in_any_order(site, tmp_path):
    found = loaded()
    shuffled = list(found.records)
    random.Random(1).shuffle(shuffled)
    again = build(tmp_path / "again", Loaded(tuple(shuffled), found.refused, found.invalid, found.other_versions))
    assert contents(again) == contents(site)


@pytest.mark.parametrize("killed", [False, True], ids=["whole", "killed"])
def test_records_that_another_process_wrote_are_the_same_bytes(site, tmp_path, monkeypatch, killed):
    asked, real = [], folders.in_processes
    monkeypatch.setattr(building, "WORTH_A_PROCESS", 1)
    monkeypatch.setattr(building, "cores", lambda: 2)
    monkeypatch.setattr(
        folders, "in_processes", lambda work: asked.append(work) or ([work[0](), None] if killed else real(work))
    )
    assert contents(build(tmp_path / "again")) == contents(site) and len(asked[0]) == 2


def test_every_page_has_a_title_one_heading_a_language_and_no_fragment_twice(pages):
    assert len(pages) > 10
    for name, page in pages.items():
        tags = [tag for tag, _ in page.tags]
        assert tags.count("h1") == tags.count("title") == tags.count("main") == 1, name
        assert ("html", {"lang": "en"}) in page.tags, name
        assert len(set(page.ids)) == len(page.ids), name


def test_only_what_has_a_role_is_named_and_what_was_not_run_is_said(site, pages, tmp_path):
    """ARIA prohibits a name on a plain span, div or pre: screen readers may drop it."""
    real = [r for r in real_records() if r.outcome.setup == "S2"]
    other = [dataclasses.replace(r, outcome=dataclasses.replace(r.outcome, track="other@1")) for r in real]
    text = (build(tmp_path / "partly", Loaded((*real_records(), *other))) / "index.html").read_text()
    assert '<span class="faint" aria-hidden="true">–</span><span class="sr">not run</span>' in text
    for name, page in [*pages.items(), ("partly", Page(tmp_path / "partly" / "index.html"))]:
        for tag, given in page.tags:
            assert tag not in ("span", "div", "p", "i", "pre") or "role" in given or "aria-label" not in given, name


def test_every_link_leads_somewhere(site, pages):
    records = {name: json.loads(page.scripts[0])["rows"] for name, page in pages.items() if name.startswith("records_")}
    fragments = {name: set(page.ids) for name, page in pages.items()}
    fragments |= {name: fragments[name] | {row[0] for row in rows} for name, rows in records.items()}
    checked = 0
    for name, page in pages.items():
        figures = [json.loads(text) for text in page.scripts if text.startswith('{"description"')]
        for address in [*page.addresses, *(href for spec in figures for href in hrefs_of(spec))]:
            if address.startswith(("https://arxiv.org/", "https://doi.org/", "data:,")):
                continue
            path, _, fragment = address.partition("?")[0].partition("#")
            assert (site / (path or name)).is_file(), f"{name} links to {address}"
            assert not fragment or fragment in fragments[path or name], f"{name} links to {address}"
            checked += 1
    assert checked > 500


def test_nothing_is_loaded_from_elsewhere(pages):
    for page in pages.values():
        loaded_by = [
            given.get("src") or given.get("href") for tag, given in page.tags if tag in ("script", "link", "img")
        ]
        assert all(not address or address.startswith(("assets/", "vendor/", "data:,")) for address in loaded_by)


def test_a_hostile_name_is_text_and_nothing_else(site, pages):
    for name, page in pages.items():
        assert not any(tag == "img" or "onerror" in given for tag, given in page.tags), name
        assert not any("hacked=1" in text and not text.startswith(("{", "[")) for text in page.scripts), name
        for text in page.scripts:
            assert "<" not in text and isinstance(json.loads(text), dict)
    assert all(re.fullmatch(r"[a-z0-9._-]+\.html", name) for name in pages)


def test_the_records_lie_in_shards_with_their_very_bytes_and_their_command(site):
    found = {}
    for path in sorted(site.glob("data/*/[0-9]*.js")):
        text = path.read_text()
        assert text.startswith("prunemarkRecords({") and len(text) < 500_000
        found |= json.loads(text.removeprefix("prunemarkRecords(").removesuffix(");\n"))
    for record in real_records():
        assert canonical_json(found[record.record_sha256]["record"]) == dump(record)
        assert found[record.record_sha256]["command"].startswith("prunemark submit ")
    assert len(found) == len(loaded().records)


def test_the_overview_says_which_levels_were_not_run(site):
    said = "Levels that were not run: digits-resnet8@1: 50% under S2, S3.2, SX-A.</p>"
    assert said in (site / "index.html").read_text()


def test_the_overview_says_what_was_left_out_and_how_to_cite(site):
    cited = (site / "start.html").read_text()
    assert "title = {A \\&amp; B &lt;b&gt;}" in cited and CITATION.splitlines()[0] in cited
    text = (site / "index.html").read_text()
    assert IDENTIFIER in text
    assert "1,234 records of &lt;b&gt;old&lt;/b&gt;@1, which is not the version ranked here" in text
    assert "1 invalidated" in text and "3 records refused" in text and "x.json" in text
    assert "x.json\twas edited" in (site / "left-out.txt").read_text()


def test_versions_that_are_not_ranked_are_listed_with_the_command_that_makes_their_pages(site):
    said = "1,234 records of <b>old</b>@1, which is not the version ranked here"
    command = "prunemark leaderboard --records RECORDS --track '<b>old</b>@1' --output FOLDER"
    (line,) = [line for line in (site / "left-out.txt").read_text().splitlines() if line.startswith("<b>old</b>@1\t")]
    assert said in line and line.endswith(f"Its pages: {command}")
    for page in ("index.html", "records.html"):
        text = html.unescape((site / page).read_text())
        assert said in text and command in text, page


def test_what_the_tables_say_stands_on_the_pages(site):
    board = make_board(loaded())
    for table in board.tables:
        page = next(
            p for p in site.glob("track_*_*.html") if f"under {table.setup} · Prunemark</title>" in p.read_text()
        )
        text = re.sub(r"</?span[^>]*>", "", page.read_text())
        for row in table.ranked:
            if row.verdict:
                low, high = row.verdict.comparison.interval_pp
                difference = f"{row.verdict.comparison.difference_pp:+.2f}"
                assert (f"{difference} [{low:+.2f}, {high:+.2f}]" if math.isfinite(low) else difference) in text
    assert {table.setup for table in board.tables} == set(SETUPS)


def test_a_folder_of_ones_own_is_not_replaced(tmp_path):
    found = Loaded(tuple(real_records()))
    board = make_board(found)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"thesis\.tex"):
        build_site(board, found, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="not a folder"):
        build_site(board, found, tmp_path / "file")


def test_an_earlier_site_is_replaced_as_a_whole_and_kept_when_building_fails(tmp_path, monkeypatch):
    folder = tmp_path / "site"
    folder.mkdir()
    build(folder)
    (folder / "stale.html").write_text("of a method that is gone")
    before = contents(folder)
    monkeypatch.setattr(
        building, "meaning_page", lambda context: (_ for _ in ()).throw(OSError(28, "the disk is full"))
    )
    with pytest.raises(WorkFailed, match="the disk is full"):
        build(folder)
    assert contents(folder) == before and MARKER in before
    monkeypatch.undo()
    build(folder)
    assert "stale.html" not in contents(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_the_vendored_libraries_are_what_their_list_says():
    listed = dict(re.findall(r"^\| (\S+) \|.*`([0-9a-f]{64})` \|$", (VENDOR / "README.md").read_text(), re.M))
    files = [path for path in VENDOR.iterdir() if path.suffix == ".js"]
    assert {path.name for path in files} == set(listed)
    for path in files:
        content = path.read_bytes()
        assert hashlib.sha256(content).hexdigest() == listed[path.name] and len(content) < 10**6
        assert (VENDOR / f"{path.name.split('.')[0]}.LICENSE.txt").is_file()
