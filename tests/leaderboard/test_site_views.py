"""What the pages make of a board: same runs, folds, links to papers and to newer records."""

import dataclasses
import html
import re
from types import SimpleNamespace

import pytest
from support.site_context import ENTRANCE, LEVELS, SETUPS, STANDINGS, build, real_records

from prunemark.leaderboard.site import overview_page, style, track_page
from prunemark.leaderboard.site.method_pages import linked, stated_paper
from prunemark.leaderboard.site.record_pages import superseded
from prunemark.leaderboard.site.same_runs import same_runs
from prunemark.leaderboard.site.urls import make_urls
from prunemark.leaderboard.standings.board import make_board
from prunemark.records.admission import Refused
from prunemark.records.card import shipped_cards
from prunemark.records.load import Loaded
from prunemark.records.matched_to import RATIOS_OF
from prunemark.records.source import MethodFiles


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
    longer = [with_weights(r, "S1", w) for r, w in ((first, "a"), (second, "b"), (make_record("Mine", 2), "d"))]
    elsewhere = [with_weights(make_record("Mine", 3), "SX-A", "e")]
    records = {r.record_sha256: r for r in (*same, *other, *more, *longer, *elsewhere)}
    setups = dict.fromkeys(("S1", "S2", "S3.1", "S3.2", "S4.2", "SX-A"))
    assert same_runs(setups, records.values()) == ["S1 = S2 = S3.1"]
    assert "In all:" not in (site / "index.html").read_text()


def test_real_setups_with_the_same_runs_are_said_on_both_pages(tmp_path):
    real = real_records()
    under_s2 = [r for r in real if r.outcome.setup == "S2"]
    again = [with_weights(r, "S3.1", r.outcome.weights_sha256, r.outcome.method.name) for r in under_s2]
    build(tmp_path / "site", Loaded((*real, *again)))
    for page in ("index.html", STANDINGS):
        assert "S2 = S3.1" in (tmp_path / "site" / page).read_text(), page
        assert "S3.2 =" not in (tmp_path / "site" / page).read_text(), page


def test_over_tracks_the_setup_that_pages_open_with_is_open_and_first():
    def overall(setup, kind="filter", rows=("row",)):
        return SimpleNamespace(setup=setup, granularity=kind, rows=rows)

    found = [overall("S2"), overall("S2", "weight"), overall("S3.2"), overall("SX-A"), overall("S3.2", rows=())]
    shown = [(each.setup, each.granularity) for each in found]
    context = SimpleNamespace(board=SimpleNamespace(overall=found))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overview_page, "overall_view", lambda _, each: (each.setup, each.granularity))
        assert overview_page.over_tracks(context) == [
            ("S3.2", [shown[2]]), ("S2", shown[:2]), ("SX-A", [shown[3]]),
        ]  # fmt: skip


def test_rows_that_repeat_others_are_folded_with_a_count(make_record):
    scores = (95.0, 95.5, 96.0, 95.2, 95.8)
    records = [make_record(name, seed, a, role=role) for name, role in (("L1-norm", "anchor"), ("Random", "control"))
               for seed, a in enumerate(scores)]  # fmt: skip
    (table,) = make_board(Loaded(tuple(records))).tables
    row = next(row for row in table.ranked if row.name == "Random")

    def control(name, why, kind="pruned"):
        settings = ((RATIOS_OF, "A"),) if "layer ratios" in name else ()
        return dataclasses.replace(row, name=name, why=why, kind=kind, settings=settings, verdict=None, rank=None)

    same = "the same networks as Random, on every seed"
    unranked = (
        control("Random (layer ratios of A)", same), control("Random (layer ratios of B)", same),
        control("Random (layer ratios of C)", "a matched control: C is at +1 pp"),
        control("Scratch (layer ratios of A)", "scratch training has no base model", "scratch"),
        control("Scratch", "scratch training has no base model", "scratch"),
    )  # fmt: skip
    table = dataclasses.replace(table, unranked=unranked)
    styles, urls = style.assign([table]), make_urls({table.track: table.setup}, (), (), ())
    context = SimpleNamespace(styles=styles, urls=urls, records={}, method_of=lambda row: None)
    found = {fold["what"]: [row["name"] for row in fold["rows"]] for fold in track_page.folds(context, table)}
    assert found == {
        "1 more row of scratch training, with the layer ratios of a method": ["Scratch (layer ratios of A)"],
        "2 more rows that are the same networks as another one here": [each.name for each in unranked[:2]],
    }
    assert [row.name for row in unranked if not track_page.repeats(row)] == [unranked[2].name, "Scratch"]


def test_the_anchor_sorts_at_zero_on_the_page_of_a_method(site):
    text = (site / "method_l1-norm.html").read_text()
    assert '<td data-order="0.0">anchor</td>' in text


def test_the_page_of_every_shipped_method_links_its_paper(tmp_path, make_record):
    records = [make_record(name) for name in shipped_cards()]
    build(tmp_path / "site", Loaded(tuple(records)))
    for name, card in shipped_cards().items():
        text = (tmp_path / "site" / f"method_{name.lower()}.html").read_text()
        links = [f'<a href="{address}">{text}</a>' for text, address in card.links]
        assert len(links) == {"SET": 2, "Random": 0, "Random-weights": 0}.get(name, 1)
        assert ("<dt>Paper</dt>" in text) is bool(links), name
        assert all(link in text for link in links) and card.citation in html.unescape(text), name
    also = (tmp_path / "site" / "method_weight-rewinding.html").read_text()
    assert '<a href="https://arxiv.org/abs/1912.05671">arXiv:1912.05671</a>' in also


def test_a_long_text_is_read_once_for_links():
    """200 kB each, of which 2,000 characters are looked at: a pattern that starts anew at each would take hours."""
    for text in ("S" * 200_000, "10.1000/" + "." * 200_000, "arXiv:" * 33_000, "S and S, " * 22_000):
        assert linked(text) == [(f"{text[:1999]}…", "")]
    assert len([address for _, address in linked("arXiv:2301.05219 " * 12_000) if address]) == 1999 // 17


def test_a_strangers_paper_is_read_from_the_source_and_linked_by_arxiv_id_or_doi():
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
    newer_ones = [("a", "b"), ("b", "c"), ("d", "e"), ("f", "")]
    board = SimpleNamespace(refused=[Refused(f"{old * 64}.json", "because", newer * 64) for old, newer in newer_ones])
    context = SimpleNamespace(board=board, records_by_track={"t@1": {"c" * 64: None}, "u@1": {}})
    assert superseded(context, "t@1") == {"a" * 12: "c" * 12, "b" * 12: "c" * 12}
    assert superseded(context, "u@1") == {}


def test_every_page_of_a_track_says_what_the_other_setups_change(site):
    for setup in SETUPS:
        text = (site / f"track_digits-resnet8-1_{setup.lower()}.html").read_text()
        told = re.findall(r'<p class="over-setups">(.*?)</p>', text)
        assert len(told) == len(LEVELS) - 1 and all("Under S" in each or "No verdict" in each for each in told)
        assert text.count('class="chart slopes"') == 1 and f"95 % intervals are those under {setup}," in text
    assert f'content="0; url={STANDINGS}"' in (site / ENTRANCE).read_text()
