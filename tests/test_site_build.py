"""The site as files: the same bytes every time, whole or not at all; links that lead on, names as text."""

import dataclasses
import hashlib
import json
import random
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from site_material import CITATION, IDENTIFIER, SETUPS, build, loaded, real_records

from prunemark.benchmark.record import canonical_json, dump
from prunemark.leaderboard.board import make_board
from prunemark.leaderboard.load import Loaded
from prunemark.leaderboard.methods import MethodFiles
from prunemark.leaderboard.site import build as building
from prunemark.leaderboard.site import look, overview_page, standings_page
from prunemark.leaderboard.site.build import MARKER, build_site
from prunemark.leaderboard.site.method_pages import linked, stated_paper
from prunemark.leaderboard.site.places import make_places
from prunemark.leaderboard.site.record_pages import superseded
from prunemark.leaderboard.site.switch_page import same_runs
from prunemark.setups.errors import InputError, WorkFailed

VENDOR = Path(building.__file__).parent / "vendor"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return build(tmp_path_factory.mktemp("built") / "site")


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
    again = build(tmp_path / "again", Loaded(tuple(shuffled), found.refused, found.invalid))
    assert contents(again) == contents(site)


def test_every_page_has_a_title_one_heading_a_language_and_no_fragment_twice(pages):
    assert len(pages) > 10
    for name, page in pages.items():
        tags = [tag for tag, _ in page.tags]
        assert tags.count("h1") == tags.count("title") == tags.count("main") == 1, name
        assert ("html", {"lang": "en"}) in page.tags, name
        assert len(set(page.ids)) == len(page.ids), name


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
            path, _, fragment = address.partition("#")
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
    for path in sorted(site.glob("data/*/*.js")):
        text = path.read_text()
        assert text.startswith("prunemarkRecords({") and len(text) < 500_000
        found |= json.loads(text.removeprefix("prunemarkRecords(").removesuffix(");\n"))
    for record in real_records():
        assert canonical_json(found[record.record_sha256]["record"]) == dump(record)
        assert found[record.record_sha256]["command"].startswith("prunemark submit ")
    assert len(found) == len(loaded().records)


def test_the_overview_says_what_was_left_out_and_how_to_cite(site):
    text = (site / "index.html").read_text()
    assert IDENTIFIER in text and "title = {A \\&amp; B &lt;b&gt;}" in text and CITATION.splitlines()[0] in text
    assert "1 invalidated" in text and "3 records refused" in text and "x.json" in text
    assert "x.json\twas edited" in (site / "left-out.txt").read_text()


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
                assert f"{row.verdict.comparison.difference_pp:+.2f} [{low:+.2f}, {high:+.2f}]" in text
    assert {table.setup for table in board.tables} == set(SETUPS)


def with_weights(record, setup, weights, name="Mine"):
    method = dataclasses.replace(record.outcome.method, name=name)
    outcome = dataclasses.replace(record.outcome, setup=setup, weights_sha256=weights, method=method)
    return dataclasses.replace(record, outcome=outcome)


def test_setups_with_the_same_weights_everywhere_are_the_same_runs(site, make_record):
    first, second = make_record("Mine", 0), make_record("Mine", 1)
    same = [with_weights(r, setup, w) for setup in ("S2", "S3.1") for r, w in ((first, "a"), (second, "b"))]
    other = [with_weights(r, "S3.2", w) for r, w in ((first, "a"), (second, "c"))]
    more = [with_weights(r, "S4.2", w) for r, w in ((first, "a"), (second, "b"))]
    more.append(with_weights(first, "S4.2", "a", name="Another"))
    records = {r.record_sha256: r for r in (*same, *other, *more)}
    setups = dict.fromkeys(("S2", "S3.1", "S3.2", "S4.2"))
    material = SimpleNamespace(by_track={"t@1": setups}, records_by_track={"t@1": records})
    assert same_runs(material, "t@1") == ["S2 = S3.1"]
    assert "In all:" not in (site / "index.html").read_text()


def test_real_setups_with_the_same_runs_are_said_on_both_pages(tmp_path):
    real = real_records()
    under_s2 = [r for r in real if r.outcome.setup == "S2"]
    again = [with_weights(r, "S3.1", r.outcome.weights_sha256, r.outcome.method.name) for r in under_s2]
    build(tmp_path / "site", Loaded((*real, *again)))
    for page in ("index.html", "track_digits-resnet8-1.html"):
        assert "S2 = S3.1" in (tmp_path / "site" / page).read_text(), page
        assert "S3.2 =" not in (tmp_path / "site" / page).read_text(), page


def test_over_tracks_the_setup_that_pages_open_with_is_open_and_first():
    def overall(setup, kind="filter", rows=("row",)):
        return SimpleNamespace(setup=setup, granularity=kind, rows=rows)

    found = [overall("S2"), overall("S2", "weight"), overall("S3.2"), overall("SX-A"), overall("S3.2", rows=())]
    shown = [(each.setup, each.granularity) for each in found]
    material = SimpleNamespace(board=SimpleNamespace(overall=found))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overview_page, "overall_view", lambda _, each: (each.setup, each.granularity))
        assert overview_page.over_tracks(material) == [
            ("S3.2", [shown[2]]), ("S2", shown[:2]), ("SX-A", [shown[3]]),
        ]  # fmt: skip


def test_rows_that_repeat_others_are_folded_with_a_count(make_record):
    scores = (95.0, 95.5, 96.0, 95.2, 95.8)
    records = [make_record(name, seed, a, role=role) for name, role in (("L1-norm", "anchor"), ("Random", "control"))
               for seed, a in enumerate(scores)]  # fmt: skip
    (table,) = make_board(Loaded(tuple(records))).tables
    row = next(row for row in table.ranked if row.name == "Random")

    def control(name, why, kind="pruned"):
        return dataclasses.replace(row, name=name, why=why, kind=kind, verdict=None, rank=None)

    same = "the same networks as Random, on every seed"
    unranked = (
        control("Random (layer ratios of A)", same), control("Random (layer ratios of B)", same),
        control("Random (layer ratios of C)", "a control: beside it C is at +1 pp"),
        control("Scratch (layer ratios of A)", "scratch training has no base model", "scratch"),
        control("Scratch", "scratch training has no base model", "scratch"),
    )  # fmt: skip
    table = dataclasses.replace(table, unranked=unranked)
    looks, places = look.assign([table]), make_places((table.track,), (), (), ())
    material = SimpleNamespace(looks=looks, places=places, records={}, method_of=lambda row: None)
    found = {fold["what"]: [row["name"] for row in fold["rows"]] for fold in standings_page.folds(material, table)}
    assert found == {
        "1 more row of scratch training, with the layer ratios of a method": ["Scratch (layer ratios of A)"],
        "2 more rows that are the same networks as another one here": [each.name for each in unranked[:2]],
    }
    assert [row.name for row in unranked if not standings_page.repeats(row)] == [unranked[2].name, "Scratch"]


def test_the_anchor_sorts_at_zero_on_the_page_of_a_method(site):
    text = (site / "method_l1-norm.html").read_text()
    assert '<td data-order="0.0">anchor</td>' in text


def test_papers_are_read_from_the_source_and_linked_by_arxiv_id_or_doi(tmp_path, site):
    assert "Pruning Filters for Efficient ConvNets, ICLR 2017" in (site / "method_l1-norm.html").read_text()
    source = MethodFiles("Mine", (("a.py", "class Other:\n    about = About(paper='no')\n"), ("b.py", "def ("), (
        "c.py", "class Mine:\n    about = About(paper='A: B, arXiv:2301.05219; '\n        'doi:10.1000/x<y>.')\n",
    )))  # fmt: skip
    assert stated_paper(source) == "A: B, arXiv:2301.05219; doi:10.1000/x<y>."
    assert linked(stated_paper(source)) == [
        ("A: B, ", ""), ("arXiv:2301.05219", "https://arxiv.org/abs/2301.05219"), ("; ", ""),
        ("doi:10.1000/x<y>", "https://doi.org/10.1000/x%3Cy%3E"), (".", ""),
    ]  # fmt: skip
    run = MethodFiles("Mine", (("c.py", "class Mine:\n    about = About(paper=open('/etc/passwd').read())\n"),))
    assert stated_paper(run) == "" and linked("") == [] and linked("none") == [("none", "")]


def test_superseded_records_lead_to_the_one_that_is_shown():
    refused = [
        ("a" * 64, "superseded by " + "b" * 12), ("b" * 64, "superseded by " + "c" * 12),
        ("d" * 64, "superseded by " + "e" * 12), ("f" * 64, "was edited"),
    ]  # fmt: skip
    board = SimpleNamespace(refused=[SimpleNamespace(name=f"{sha}.json", why=why) for sha, why in refused])
    material = SimpleNamespace(board=board, records_by_track={"t@1": {"c" * 64: None}, "u@1": {}})
    assert superseded(material, "t@1") == {"a" * 12: "c" * 12, "b" * 12: "c" * 12}
    assert superseded(material, "u@1") == {}


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
    (folder / "index.html").write_text("the page of an earlier version")
    build(folder)
    (folder / "stale.html").write_text("of a method that is gone")
    before = contents(folder)
    monkeypatch.setattr(
        building, "meaning_page", lambda material: (_ for _ in ()).throw(OSError(28, "the disk is full"))
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
