"""The page of the literature: what was published, what can be compared, who discloses what, what is supported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape

from prunemark.audit.judgement.audit_claim import Audit
from prunemark.audit.judgement.verdict import EXIT_CODES, VERDICTS
from prunemark.audit.literature.pairs import all_pairs, groups
from prunemark.audit.literature.results import (
    DISCLOSED,
    FALSE_DISCOVERY_RATE,
    JudgedClaim,
    as_rows,
    comparable,
    completeness,
    judged_claims,
)
from prunemark.audit.literature.results_csv import TableEntry
from prunemark.audit.report.markup import page, table
from prunemark.audit.report.scatter_plot import Join, Point, scatter
from prunemark.setups.comparison import S1, SETUPS
from prunemark.setups.values import known

FIRST = "Table 1"
FIRST_TITLE = "First example: Table 1 of arXiv:2301.05219 (ResNet-50 on ImageNet)"
SHOWN_CLAIMS = 400


def report(rows: Sequence[TableEntry]) -> str:
    """The page as HTML, the same bytes for the same data. Everything inserted is escaped."""
    audits = list(all_pairs(rows))
    claims = judged_claims(rows)
    parts = [_summary(rows, audits, claims)]
    table_1 = [row for row in rows if row.row.get("locator", "").startswith(FIRST + " ")]
    if table_1:
        parts.append(_group(FIRST_TITLE, table_1, [a for a in audits if _within(a, table_1)]))
    parts.append(_completeness(rows))
    parts.append(_claims(claims))
    for (dataset, network), its in groups(rows).items():
        parts.append(_group(f"{network} on {dataset}", its, [a for a in audits if _within(a, its)]))
    return page("Published pruning results, audited", "\n".join(parts))


def _within(audit: Audit, rows: Sequence[TableEntry]) -> bool:
    ids = {row.id for row in rows}
    return audit.claim.winner in ids and audit.claim.loser in ids


def _summary(rows: Sequence[TableEntry], audits: Sequence[Audit], claims: Sequence[JudgedClaim]) -> str:
    counted = Counter(audit.verdict.word for audit in audits)
    verdicts = [(word, str(counted[word]), VERDICTS[word]) for word in VERDICTS if counted[word]]
    found = [claim.audit.verdict.word for claim in claims if claim.discovered]
    supported = sum(EXIT_CODES[word] == 0 for word in found)
    presumed = found.count("attributable-presumed")
    return (
        f"<p>{len(rows)} published results, {len(audits)} pairs within one dataset and network. Of the "
        f"{len(claims)} pairs of different methods that S1 makes comparable and whose noise is known, the literature "
        f"supports {supported} as an effect of pruning at a false discovery rate of {FALSE_DISCOVERY_RATE:.0%} "
        f"(Benjamini-Hochberg over the list), and {presumed} more if all that is not stated were equal. "
        "Not reported never counts against a claim as if it differed: "
        "what is refuted and what is missing are shown apart.</p>"
        + table(("verdict", "pairs", "meaning"), verdicts)
    )  # fmt: skip


def _group(title: str, rows: Sequence[TableEntry], audits: Sequence[Audit]) -> str:
    counts = comparable(audits)
    words = ", ".join(f"{setup}: {count}" for setup, count in counts.items()) or "no pair"
    listing = as_rows(rows)
    head = tuple(listing[0]) if listing else ()
    return (
        f"<h2>{escape(title)}</h2>\n<p>Highest setup established, pairs: {escape(words)}.</p>\n"
        + scatter(_points(rows), _joins(audits))
        + "<details><summary>the results</summary>"
        + table(head, [tuple(str(cell) for cell in line.values()) for line in listing])
        + "</details>\n"
        + _pairs(audits)
    )


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
    lines = [_pair_line(audit) for audit in chosen[:SHOWN_CLAIMS]]
    if not lines:
        return "<p>No pair shares anything beyond dataset, network and compression for certain.</p>\n"
    head = ("winner", "loser", "points", "established", "ceiling", "verdict")
    return f"<details><summary>{len(chosen)} pairs above S1</summary>{table(head, lines)}</details>\n"


def _pair_line(audit: Audit) -> tuple[str, ...]:
    found = audit.pair.assessment
    return (
        f"{audit.claim.winner} {audit.pair.winner.method}", f"{audit.claim.loser} {audit.pair.loser.method}",
        f"{audit.gap.points:+.2f}" if audit.gap.points is not None else "", found.established or "",
        found.ceiling or "", audit.verdict.word,
    )  # fmt: skip


def _completeness(rows: Sequence[TableEntry]) -> str:
    found = completeness(rows)
    lines = [
        (c.paper, str(c.rows), f"{c.disclosed * len(DISCLOSED):.1f} of {len(DISCLOSED)}",
         ", ".join(DISCLOSED[name] for name, part in c.fields.items() if part < 0.5))
        for c in found
    ]  # fmt: skip
    return "<h2>Who discloses what</h2>\n" + table(("paper", "results", "fields disclosed", "mostly missing"), lines)


def _claims(claims: Sequence[JudgedClaim]) -> str:
    chosen = sorted((c for c in claims if c.discovered), key=lambda c: (EXIT_CODES[c.audit.verdict.word], c.p_adjusted))
    lines = [(*_pair_line(c.audit), f"{c.p_adjusted:.2g}") for c in chosen[:SHOWN_CLAIMS]]
    head = ("winner", "loser", "points", "established", "ceiling", "verdict", "adjusted p")
    more = f"<p>{len(chosen) - SHOWN_CLAIMS} more are left out here.</p>" if len(chosen) > SHOWN_CLAIMS else ""
    return (
        f"<h2>Claim by claim</h2>\n<p>{len(chosen)} of {len(claims)} gaps exceed noise after Benjamini-Hochberg. "
        "A gap that exceeds noise is not yet one of pruning: the verdict says what else differs.</p>\n"
        + table(head, lines) + more
    )  # fmt: skip
