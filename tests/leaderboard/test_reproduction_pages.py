"""Reproductions as pages: every number is that of the records or of the paper, and the command runs it again."""

import re
from pathlib import Path

import pytest
from support.site_context import reproduced

from prunemark.leaderboard.site import context, urls
from prunemark.leaderboard.site.reproduction_pages import read_reproductions
from prunemark.setups.paper_tables import GRIDS


def cells(page, row):
    """The texts of the row that begins with this, as a reader sees them."""
    (found,) = re.findall(rf'<tr><th scope="row">{re.escape(row)}</th>(.*?)</tr>', page)
    return [re.sub("<[^>]+>", " ", cell).split() for cell in re.findall(r"<td[^>]*>(.*?)</td>", found)]


def test_a_page_has_our_numbers_and_the_papers_and_the_command(site):
    page, table = (site / "reproduction_table4.html").read_text(), reproduced()["table4"]
    setup, first, *_ = cells(page.partition('id="findings"')[0], "P15F105, 1e-1")
    cell = table.cells["P15F105, 1e-1 (S4.2)", "10%"]
    assert setup == ["S4.2"] and first == [f"{cell.mean:.2f}", "±", f"{cell.sd:.2f}", "paper", "83.95"]
    assert table.summary in page and page.count("<tr>") == 2 + len(GRIDS["table4"].rows) + len(table.findings)
    assert ">prunemark reproduce table4 --track digits-resnet8 --seeds 5</pre>" in page
    said = re.findall(r'class="verdict glyph \w+">(\w+)<', page)
    assert {word: said.count(word) for word in set(said)} == {word: table.count(word) for word in set(said)}


def test_a_table_that_was_not_run_shows_the_papers_numbers_and_says_so(site):
    page = (site / "reproduction_table7.html").read_text()
    assert "Not run here yet" in page and "prunemark reproduce table7" in page and "findings" not in page
    row = GRIDS["table7"].rows[0]
    assert cells(page, row.name)[1:] == [[f"{percent:.2f}"] for percent in row.paper_percent]


def test_the_list_counts_what_its_tables_find_and_is_linked_from_every_page(site):
    page = (site / "reproductions.html").read_text()
    findings = [each for table in reproduced().values() for each in table.findings]
    assert f"Of {len(findings)} differences in 2 tables" in page
    assert f"{sum(each.word == 'confirmed' for each in findings)} are confirmed" in page
    assert all(f'href="reproduction_{id}.html"' in page for id in GRIDS) and page.count("not run yet") == len(GRIDS) - 2
    assert all(
        '<a href="reproductions.html"' in path.read_text() for path in (site / "index.html", site / "start.html")
    )


def test_what_is_damaged_or_not_whole_is_left_out(tmp_path):
    committed = Path(__file__).parents[2] / "leaderboard" / "board" / "reproductions" / "m1.jsonl.xz"
    (tmp_path / "m1.jsonl.xz").write_bytes(committed.read_bytes()[:-40])
    (tmp_path / "table4.jsonl.xz").write_bytes(committed.read_bytes())  # records of another table
    assert read_reproductions(tmp_path) == {} == read_reproductions(tmp_path / "none")


@pytest.mark.parametrize("stated", [(), (("https://example.org/code", "Repository"), ("https://d.org/", "Documents"))])
@pytest.mark.parametrize("beside", [False, True])
def test_the_header_links_what_there_is(monkeypatch, stated, beside):
    """Documents that lie in the site are linked there, whatever address the package states."""
    monkeypatch.setattr(context, "stated_links", lambda: stated)
    links = dict(reversed(pair) for pair in context.header_links({urls.DOCUMENTS} if beside else set()))
    assert links.get("Repository") == ("https://example.org/code" if stated else None)
    assert links.get("Documents") == (urls.DOCUMENTS if beside else "https://d.org/" if stated else None)
    assert "Literature" not in links and "Reproductions" not in links
