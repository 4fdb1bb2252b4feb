"""The published results by run and by paper: what ships, what counts once, what is compared, and the pages."""

from __future__ import annotations

import csv
import re
import time
from collections import Counter
from importlib.resources import files
from types import SimpleNamespace

import pytest

from prunemark.audit.document.metrics import METRICS
from prunemark.audit.judgement import assessed_pair
from prunemark.audit.judgement.revised import Sides
from prunemark.audit.literature import papers, results
from prunemark.audit.literature.pairs import all_pairs, claimed, pairings
from prunemark.audit.literature.runs import distinct
from prunemark.audit.report import permalinks
from prunemark.audit.report.literature_page import _summary, report
from prunemark.cli.literature import in_the_site, write_literature
from prunemark.leaderboard.site.urls import LITERATURE
from prunemark.setups.errors import InputError
from prunemark.setups.values import NOT_REPORTED, State, known

SEVERAL_LISTINGS = [
    ({"R171", "R198", "R199"}, "R199"),  # a table, its log at the best epoch and at the last
    ({"R307", "S121", "S471"}, "R307"),  # RigL, and two READMEs that quote it in a decimal less
    ({"R007", "MS050", "MS145"}, "R007"),  # HRank, quoted by three tables
    ({"R244", "MS095"}, "R244"),
]
APART = [("S152", "S153"), ("S132", "S129"), ("R171", "R172"), ("R023", "R022")]


@pytest.fixture(scope="module")
def resnet56():
    return results.select("ResNet-56", "CIFAR-10")


@pytest.fixture(scope="module")
def audits(resnet56):
    return list(all_pairs(resnet56))


def entry(id):
    return results.find_row(id).entry


def test_every_correction_is_in_the_results():
    found = [c for its in papers.corrections().values() for c in its]
    assert len(found) == 119 and Counter(c.column for c in found)["drop_reported"] == 26
    for c in found:
        assert results.find_row(c.row).row[c.column] == c.new != c.old and c.source, c
    assert entry("R212")["network.name"].value == "VGG-16-BN" and entry("R292").kind == "dense_to_sparse"
    assert entry("R249")["result.top1_drop_printed"].value == 0.23


def test_each_metric_is_read_as_what_it_is():
    assert entry("S175")["result.f1"].value == 80.1 and entry("S250")["result.top1"].value == 82.29
    wanda = entry("S346")
    assert (wanda["result.perplexity"].value, wanda["base.perplexity"].value) == (6.42, 5.12)
    assert wanda["measured.context_length"].value == "4096" and not wanda["measured.context_length"].stated
    assert not any(entry("S059")[f"result.{name}"].stated for name in METRICS)  # BLEU: listed, and never judged
    assert entry("S110")["pruning.epochs"].value == 500 and entry("S361")["sparsity"].value == 0.5


def test_the_repeats_of_vgg_19_count_for_the_network_with_batch_norm():
    (audit,) = claimed(results.published(), "R187>R186")
    assert audit.pair.left.network == "VGG-19-BN" and [arm.sd for arm in audit.gap.arms] == [0.19, 0.19]


def test_what_only_code_says_states_nothing_and_the_best_of_many_is_no_single_run():
    assert entry("S129")["recipe.batch_size"].value == 256 and not entry("S129")["recipe.batch_size"].stated
    best = next(r for r in results.published() if r.row["selection"] == "best_of_runs" and r.row["n_runs"] == "1")
    assert best.entry["result.runs"].value == NOT_REPORTED


def test_quoted_is_what_is_said_to_be():
    quoted = {id: entry(id).quoted for id in ("S121", "MS173", "S340", "S507", "R011", "R007")}
    assert quoted == {"S121": True, "MS173": True, "S340": False, "S507": False, "R011": False, "R007": True}


def test_a_run_that_several_tables_list_is_one_run():
    rows = results.published()
    runs = distinct(rows)
    listed = {run.row.id: {run.row.id, *(row.id for row in run.others)} for run in runs}
    assert sum(map(len, listed.values())) == len(rows) and len(runs) < len(rows)
    for ids, first in SEVERAL_LISTINGS:
        assert listed[first] == ids
    for a, b in APART:
        assert not any({a, b} <= ids for ids in listed.values())
    again = [row for row in rows if row.row["network"] == "ResNet-110"]
    assert len(distinct([*again, *again])) == len(distinct(again)), "a second listing is no second run"


def test_pairs_are_of_runs_and_no_better_one_keeps_more(resnet56, audits):
    firsts = {run.row.id for run in distinct(resnet56)}
    for audit in audits:
        assert {audit.claim.winner, audit.claim.loser} <= firsts and audit.claim.winner != audit.claim.loser
        assert audit.pair.findings["compression"].state is not State.REFUTED
        assert audit.gap.points is None or audit.gap.points >= 0
    counted = Counter(pair.comparable for pair in pairings(resnet56))
    assert counted[True] == len(audits) and counted[False] > len(audits)
    assert any("R163" in (a.claim.winner, a.claim.loser) for a in audits), "a drop that is all a source prints"


def test_settings_that_are_alike_are_judged_as_each_pair_by_itself(audits):
    for audit in audits[::40]:
        pair = audit.pair
        plain = assessed_pair._compared(
            Sides(pair.winner, pair.loser, pair.left, pair.right, frozenset(), None), METRICS["top1"]
        )
        assert pair.details == plain.details and pair.measured == {}
        beside = ("compression", "total_flops")
        assert {k: f for k, f in pair.findings.items() if k not in beside} == {
            k: f for k, f in plain.findings.items() if k not in beside
        }


def test_discoveries_are_counted_over_pairs_of_distinct_runs(audits):
    claims = results.judged_claims(audits)
    assert len({(c.audit.claim.winner, c.audit.claim.loser) for c in claims}) == len(claims) < len(audits)
    assert [c.p_adjusted for c in claims] == results.benjamini_hochberg([c.p for c in claims])
    presumed = {(c.audit.claim.winner, c.audit.claim.loser) for c in claims
                if c.discovered and c.audit.verdict.word == "attributable-presumed"}  # fmt: skip
    assert presumed == {("R191", "R199"), ("R193", "R199"), ("R191", "R203")}


def test_every_result_has_one_paper_and_one_line_by_year_and_venue(resnet56, audits):
    found = papers.papers(resnet56, distinct(resnet56), audits)
    claims = results.judged_claims(audits)
    assert sum(len(paper.rows) for paper in found) == len(resnet56)
    for by in ("year", "venue"):
        lines = papers.headlines(found, resnet56, claims, by)
        assert sum(line.results for line in lines) == len(resnet56)
        assert sum(line.claims for line in lines) == len(claims)
        assert sum(line.beyond_noise for line in lines) == sum(claim.discovered for claim in claims)
    torch_pruning = next(paper for paper in found if paper.name == "Torch-Pruning")
    assert (torch_pruning.year, torch_pruning.venue) == ("2023", "CVPR") and torch_pruning.audits


def test_the_papers_of_a_disagreement_are_there():
    names = {results.paper_of(row) for row in results.published()}
    assert len(papers.disagreements()) == 20
    assert {name for group in papers.disagreements() for name in group.papers} <= names


@pytest.mark.parametrize(
    ("id", "address"),
    [
        ("R150", "https://github.com/MingSun-Tse/Regularization-Pruning/blob/a4044028/readme_figures/"
                 "acceleration_comparison_imagenet.png"),
        ("MS006", "https://github.com/lmbxmu/HRankPlus/blob/bcdb51dd/README.md?plain=1#L152"),
        ("R190", "https://github.com/VainF/Torch-Pruning/tree/e80127d7"),
        ("S506", "https://github.com/IST-DASLab/sparsegpt/issues/37"),
        ("R011", "https://arxiv.org/abs/2301.05219"),
        ("S500", "https://huggingface.co/princeton-nlp/Sheared-LLaMA-1.3B"),
    ],
)  # fmt: skip
def test_a_permalink_leads_to_the_line_that_was_read(id, address):
    assert permalinks.source_address(results.find_row(id).row) == address


def test_a_page_for_every_paper(resnet56, tmp_path):
    write_literature(resnet56, tmp_path / "pages", "https://example.org/of/ours")
    pages = {path.name: path.read_text() for path in (tmp_path / "pages").glob("*.html")}
    assert len(pages) == 2 + len({results.paper_of(row) for row in resnet56})
    index, page = pages["index.html"], pages["paper_torch-pruning.html"]
    for part in ("By year", "By venue", "who discloses what", "Claim by claim", "Sources that disagree"):
        assert part in index
    for part in (
        "What its comparisons support", "What is not stated", "what would settle it", 'id="R191-R199"',
        "https://example.org/of/ours/issues/new?", "prints a drop of -0.38", "VainF/Torch-Pruning/blob/",
    ):  # fmt: skip
        assert part in page
    for name, text in pages.items():
        links = re.findall(r'(?:href|src)="([^"#][^"]*)"', text)
        own = [link.partition("#")[0] for link in links if "//" not in link and not link.startswith("data:")]
        assert all((tmp_path / "pages" / link).exists() for link in own), name
        for anchor in re.findall(r'href="#([^"]+)"', text):
            assert f'id="{anchor}"' in text
    write_literature(resnet56, tmp_path / "again", "https://example.org/of/ours")
    assert (tmp_path / "again" / "index.html").read_text() == index


def test_the_pages_replace_only_themselves_and_know_the_site_around_them(tmp_path, monkeypatch):
    rows = results.select("ResNet-110")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    with pytest.raises(InputError, match="has other content"):
        write_literature(rows, tmp_path / "mine", None)
    for _ in range(2):
        write_literature(rows, tmp_path / "literature", None)
    assert "../" not in (tmp_path / "literature" / "index.html").read_text()
    monkeypatch.setattr(results, "select", lambda: rows)
    pages = dict(in_the_site())
    assert "paper_sfp.html" in str(pages) and all("../index.html" in text for text in pages.values())
    assert all(name.startswith("literature/") for name in pages) and "../assets/site.css" in pages[LITERATURE]
    assert (
        "index.html#correct" in (tmp_path / "literature" / "paper_sfp.html").read_text()
        and 'id="correct"' in pages[LITERATURE]
    )


def test_the_overview_as_one_page_is_the_same_every_time():
    rows = results.select("ResNet-50", "ImageNet", "greg")
    page = report(rows)
    assert page == report(rows)
    for part in (
        "Table 1 of arXiv:2301.05219",
        "Claim by claim",
        "<svg",
        "Benjamini-Hochberg",
        "distinct runs",
    ):
        assert part in page


def test_pairs_that_an_audit_finds_not_comparable_are_not_counted_as_compared():
    audits = [SimpleNamespace(verdict=SimpleNamespace(word=w)) for w in ("not-comparable", "undecided", "undecided")]
    found = SimpleNamespace(rows=[], papers=[], runs=[], claims=[], audits=audits)
    assert "2 pairs of runs can be compared; the audit of 1 more found that they cannot. Of" in _summary(found)


def test_names_of_strangers_are_escaped_on_the_pages():
    from prunemark.audit.report.page_parts import Link, Named, items, listing, paragraph, section

    evil = "<script>\"'&"
    made = "".join((
        listing(evil, [evil], [[Named(evil, (Link(evil, evil),))]]), items([evil]), paragraph(evil),
        section("id", evil, "x"),
    ))  # fmt: skip
    assert "<script>" not in made and made.count("&lt;script&gt;") == 8


@pytest.mark.slow
def test_all_pairs_take_less_than_ten_seconds_of_one_core(prunemark, tmp_path):
    began = time.process_time()
    prunemark("audit", "--published", "--all-pairs", "--format", "json", "--output", tmp_path / "pairs.json")
    assert time.process_time() - began < 10
    assert known(entry("R011")["result.top1"].value) and (tmp_path / "pairs.json").stat().st_size > 1e7


def test_the_columns_are_those_of_a_table_of_ones_own():
    text = (files("prunemark.audit.literature") / "published" / "results.csv").read_text(encoding="utf-8")
    head = next(csv.reader(text.splitlines()))
    assert {"metric", "metric_value", "calibration", "seq_len", "granularity_pattern"} <= set(head)
