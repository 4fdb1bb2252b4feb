"""The literature as pages: what can be compared, what is supported, by paper, year, venue and network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from prunemark.audit.judgement.audit_claim import Audit
from prunemark.audit.judgement.verdict import EXIT_CODES, VERDICTS
from prunemark.audit.literature.pairs import Pairing, all_pairs, groups, pairings
from prunemark.audit.literature.papers import Headline, Paper, disagreements, headlines, papers
from prunemark.audit.literature.results import (
    DISCLOSED,
    FALSE_DISCOVERY_RATE,
    JudgedClaim,
    comparable,
    completeness,
    judged_claims,
)
from prunemark.audit.literature.results_csv import TableEntry
from prunemark.audit.literature.runs import Run, distinct
from prunemark.audit.report.markup import page
from prunemark.audit.report.page_parts import Cell, Link, items, listing, paragraph, section
from prunemark.audit.report.paper_page import Places, paper_body, remembered
from prunemark.audit.report.scatter_plot import Join, Point, scatter
from prunemark.setups.comparison import S1, SETUPS
from prunemark.setups.values import known

TITLE = "Published pruning results, audited"
FIRST = "Table 1"
FIRST_TITLE = "First example: Table 1 of arXiv:2301.05219 (ResNet-50 on ImageNet)"
SHOWN_CLAIMS = 100
CORRECT = (
    "Say so in an issue: the row (such as R011), what its source prints, and where. Rows stand in "
    "audit/literature/published/results.csv; a correction is a line of corrections.csv next to it, with its source, "
    "and the new value in the row. What a source prints is never repaired: a number that contradicts another one is "
    "shown as it is."
)


@dataclass(frozen=True)
class Literature:
    """Everything that the pages show: results, runs, comparable pairs of runs, and those that are claims."""

    rows: Sequence[TableEntry]
    runs: Sequence[Run]
    pairings: Sequence[Pairing]
    audits: Sequence[Audit]
    claims: Sequence[JudgedClaim]
    papers: Sequence[Paper]


def literature(rows: Sequence[TableEntry]) -> Literature:
    """Audits what is comparable of these rows."""
    runs, audits = distinct(rows), list(all_pairs(rows))
    return Literature(rows, runs, list(pairings(rows)), audits, judged_claims(audits), papers(rows, runs, audits))


def report(rows: Sequence[TableEntry]) -> str:
    """The overview and all networks as one page, the same bytes for the same data. Everything inserted is escaped."""
    found = literature(rows)
    return page(TITLE, index_body(found, None) + networks_body(found))


def pages(rows: Sequence[TableEntry], places: Places) -> Iterator[tuple[str, str, str]]:
    """(address, title, body) of the overview, the networks and every paper."""
    found = literature(rows)
    places = replace(places, tell=remembered())
    yield "index.html", TITLE, index_body(found, places)
    yield "networks.html", "Network by network", networks_body(found)
    for paper in found.papers:
        yield places.page(paper.name), paper.name, paper_body(paper, places)


def index_body(found: Literature, places: Places | None) -> str:
    """The overview; with links to the pages of the papers where there are such."""
    verdicts = Counter(audit.verdict.word for audit in found.audits)
    lines = [(word, f"{verdicts[word]:,}", VERDICTS[word]) for word in VERDICTS if verdicts[word]]
    return "".join(
        (
            paragraph(_summary(found)),
            listing("Verdicts", ("verdict", "pairs", "meaning"), lines),
            paragraph(_left_out(found)),
            section("years", "By year", _by(found, "year")),
            section("venues", "By venue", _by(found, "venue")),
            section("papers", "Papers, and who discloses what", _papers(found, places)),
            section("claims", "Claim by claim", *_claims(found.claims)),
            section("disagree", "Sources that disagree", items([group.what for group in disagreements()])),
            section("correct", "Something is wrong here?", paragraph(CORRECT)),
        )
    )


def _summary(found: Literature) -> str:
    discovered = [claim.audit.verdict.word for claim in found.claims if claim.discovered]
    supported = sum(EXIT_CODES[word] == 0 for word in discovered)
    unlike = sum(audit.verdict.word == "not-comparable" for audit in found.audits)
    return (
        f"{len(found.rows):,} published results of {len(found.papers)} papers, of {len(found.runs):,} distinct runs: a "
        f"run that several tables list counts once. {len(found.audits) - unlike:,} pairs of runs can be compared"
        f"{f'; the audit of {unlike:,} more found that they cannot' if unlike else ''}. Of the "
        f"{len(found.claims):,} of different methods that S1 makes comparable and whose noise is known, the literature "
        f"supports {supported} as an effect of pruning at a false discovery rate of {FALSE_DISCOVERY_RATE:.0%} "
        f"(Benjamini-Hochberg over these pairs of runs), and {discovered.count('attributable-presumed')} more if all "
        "that is not stated were equal. Not reported never counts against a claim as if it differed: what is refuted "
        "and what is missing are shown apart."
    )  # fmt: skip


def _left_out(found: Literature) -> str:
    apart = sum(not pair.common for pair in found.pairings)
    less = len(found.pairings) - len(found.audits) - apart
    return (
        f"{less:,} further pairs of one dataset, network and metric are no comparison: the more accurate network is "
        f"compressed less. Of {apart:,}, the two sides state no measure of compression in common."
    )


def _by(found: Literature, what: str) -> str:
    head = (what, "papers", "results", "comparisons", "beyond noise", "supported", "if the unsaid were equal",
            f"fields disclosed, of {len(DISCLOSED)}")  # fmt: skip
    return listing(
        f"By {what}", head, [_headline(line) for line in headlines(found.papers, found.rows, found.claims, what)]
    )


def _headline(line: Headline) -> tuple[str, ...]:
    counts = (line.papers, line.results, line.claims, line.beyond_noise, line.supported, line.presumed)
    return (line.of, *(f"{count:,}" for count in counts), f"{line.disclosed:.1f}")


def _papers(found: Literature, places: Places | None) -> str:
    of = {paper.name: paper for paper in found.papers}
    lines: list[list[Cell]] = [
        [
            Link(c.paper, places.page(c.paper) if places else ""), of[c.paper].year, of[c.paper].venue, str(c.rows),
            str(len(of[c.paper].audits)), f"{c.disclosed * len(DISCLOSED):.1f}",
            ", ".join(DISCLOSED[name] for name, part in c.fields.items() if part < 0.5),
        ]
        for c in completeness(found.rows)
    ]  # fmt: skip
    head = ("paper", "year", "venue", "results", "comparisons printed", f"fields disclosed, of {len(DISCLOSED)}",
            "mostly missing")  # fmt: skip
    return listing("Papers", head, lines)


def _claims(claims: Sequence[JudgedClaim]) -> list[str]:
    chosen = sorted((c for c in claims if c.discovered), key=_weight)
    lines = [(*_pair_line(c.audit), f"{c.p_adjusted:.2g}") for c in chosen[:SHOWN_CLAIMS]]
    head = ("winner", "loser", "points", "established", "ceiling", "verdict", "adjusted p")
    told = (
        f"{len(chosen):,} of {len(claims):,} gaps exceed noise after Benjamini-Hochberg. A gap that exceeds noise is "
        "not yet one of pruning: the verdict says what else differs."
    )
    left = len(chosen) - SHOWN_CLAIMS
    more = f"{left:,} more: prunemark audit --published --all-pairs --format json" if left > 0 else ""
    return [paragraph(told), listing("Claims", head, lines), paragraph(more) if more else ""]


def _weight(claim: JudgedClaim) -> tuple[bool, bool, int, float]:
    word = claim.audit.verdict.word
    return EXIT_CODES[word] != 0, word != "attributable-presumed", EXIT_CODES[word], claim.p_adjusted


def networks_body(found: Literature) -> str:
    """A figure for every dataset and network, and the pairs of which more than S1 is established."""
    parts = [paragraph(
        "A dot is a result as it was published, an orange one of scratch training. A line joins two of which more than "
        "S1 is known to be equal: green from S3.2 on and for whole pipelines (SX-A), amber for S3.1, grey for less."
    )]  # fmt: skip
    table_1 = [row for row in found.rows if row.row.get("locator", "").startswith(FIRST + " block")]
    if table_1:
        parts.append(_group("first", FIRST_TITLE, table_1, found.audits))
    for n, ((dataset, network), its) in enumerate(groups(found.rows).items()):
        parts.append(_group(f"network-{n}", f"{network} on {dataset}", its, found.audits))
    return "".join(parts)


def _group(id: str, title: str, rows: Sequence[TableEntry], audits: Sequence[Audit]) -> str:
    ids = {row.id for row in rows}
    its = [audit for audit in audits if audit.claim.winner in ids and audit.claim.loser in ids]
    words = ", ".join(f"{setup}: {count:,}" for setup, count in comparable(its).items())
    if not words:
        return ""
    return section(id, title, paragraph(f"Highest setup established, pairs: {words}."),
                   scatter(_points(rows), _joins(its)), _pairs(its))  # fmt: skip


def _points(rows: Sequence[TableEntry]) -> list[Point]:
    found = []
    for row in rows:
        speedup, top1 = (known(row.entry[name].value) for name in ("speedup", "result.top1"))
        if speedup and top1:
            words = f"{row.entry.method}, {row.id}: {top1:g} % at {speedup:g}x"
            found.append(Point(row.id, float(speedup), float(top1), words, row.entry.kind == "scratch"))
    return found


def _joins(audits: Sequence[Audit]) -> list[Join]:
    """Lines only where more than the dataset, network and compression is known to be equal."""
    found = []
    for audit in audits:
        setups = audit.pair.assessment.setups
        best = audit.pair.assessment.established
        name = "SX-A" if audit.pair.whole_pipelines and setups["SX-A"].satisfied else best
        if name and SETUPS[name].factors > S1:
            found.append(Join(audit.claim.winner, audit.claim.loser, name))
    return found


def _pairs(audits: Sequence[Audit]) -> str:
    """Those pairs of which something beyond S1 is established."""
    chosen = [a for a in audits if (name := a.pair.assessment.established) and SETUPS[name].factors > S1]
    if not chosen:
        return paragraph("No pair shares anything beyond dataset, network and compression for certain.")
    head = ("winner", "loser", "points", "established", "ceiling", "verdict")
    table = listing("Pairs", head, [_pair_line(audit) for audit in chosen[:SHOWN_CLAIMS]])
    return f"<details><summary>{len(chosen)} pairs above S1</summary>{table}</details>\n"


def _pair_line(audit: Audit) -> tuple[str, ...]:
    found = audit.pair.assessment
    return (
        f"{audit.claim.winner} {audit.pair.winner.method}", f"{audit.claim.loser} {audit.pair.loser.method}",
        f"{audit.gap.points:+.2f}" if audit.gap.points is not None else "", found.established or "",
        found.ceiling or "", audit.verdict.word,
    )  # fmt: skip
