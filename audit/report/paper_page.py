"""The page of one paper: what its comparisons support, what is not stated, and what would settle it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from prunemark.audit.judgement.audit_claim import Audit
from prunemark.audit.judgement.contradictions import contradictions
from prunemark.audit.judgement.verdict import EXIT_CODES, VERDICTS
from prunemark.audit.literature.papers import Paper, corrections, disagreements
from prunemark.audit.literature.results import DISCLOSED, as_rows, completeness
from prunemark.audit.literature.results_csv import TableEntry, cell
from prunemark.audit.report.answer import CHECKLIST, Answer, answer
from prunemark.audit.report.page_parts import Cell, Link, Named, clean, items, listing, paragraph, section
from prunemark.audit.report.permalinks import correct_address, source_address

MOST_SHOWN = 300
SUPPORT = ("attributable", "attributable-cross-validated", "supported", "attributable-presumed", "a-fortiori")


@dataclass(frozen=True)
class Places:
    """Where things lie: the page of a paper by its name, and the repository that corrections go to, if it is known.

    `tell` puts an audit into words; a comparison stands on the pages of both papers.
    """

    page: Callable[[str], str]
    repository: str | None = None
    tell: Callable[[Audit], Answer] = answer


def remembered() -> Callable[[Audit], Answer]:
    """`answer`, once for each audit."""
    told: dict[int, Answer] = {}

    def tell(audit: Audit) -> Answer:
        if id(audit) not in told:
            told[id(audit)] = answer(audit)
        return told[id(audit)]

    return tell


def paper_body(paper: Paper, places: Places) -> str:
    """The page as HTML without its frame, the same for the same data."""
    counted = Counter(audit.verdict.word for audit in paper.audits)
    verdicts = [(word, str(counted[word]), VERDICTS[word]) for word in VERDICTS if counted[word]]
    return "".join(
        (
            f'<p class="lede">{clean(_lede(paper, counted))}</p>\n',
            section("supports", "What its comparisons support", *_comparisons(paper, places, verdicts)),
            section("unsaid", "What is not stated", *_unsaid(paper, places)),
            section("record", "What the record contradicts", items(_contradicted(paper))),
            section("results", "Its results", _results(paper, places)),
        )
    )


def _lede(paper: Paper, counted: Counter[str]) -> str:
    where = ", ".join(dict.fromkeys(text for text in (paper.venue, paper.year) if text != "not stated"))
    what = f"{len(paper.rows)} result{'s' * (len(paper.rows) != 1)}{f' ({where})' if where else ''}"
    if not paper.audits:
        return f"{what}. No table that was read prints it with a result that it can be compared with."
    fair = sum(counted[word] for word in SUPPORT[:3])
    return (
        f"{what}. Of {len(paper.audits)} comparisons that one source prints, {fair} show an effect of pruning, and "
        f"{counted['attributable-presumed']} more would if all that is not stated were equal."
    )


def _comparisons(paper: Paper, places: Places, verdicts: list[tuple[str, str, str]]) -> list[str]:
    if not paper.audits:
        return [paragraph("Nothing: a comparison needs a second result of the same dataset, network and metric.")]
    chosen = sorted(paper.audits, key=_weight)
    head = ("comparison", "points", "verdict", "what it supports", "not stated", "what would settle it", "correction")
    parts = [
        listing("Verdicts", ("verdict", "comparisons", "meaning"), verdicts),
        listing("Comparisons", head, [_line(audit, places) for audit in chosen[:MOST_SHOWN]]),
    ]
    if len(chosen) > MOST_SHOWN:
        left = len(chosen) - MOST_SHOWN
        parts.append(paragraph(f"{left} more: prunemark audit --published --all-pairs --format json"))
    return parts


def _weight(audit: Audit) -> tuple[int, int, float]:
    """Support first, then the other verdicts in their order, the larger gaps before the smaller."""
    word = audit.verdict.word
    place = SUPPORT.index(word) if word in SUPPORT else len(SUPPORT) + (EXIT_CODES[word] == EXIT_CODES["undecided"])
    return place, list(VERDICTS).index(word), -(audit.gap.points or 0.0)


def _line(audit: Audit, places: Places) -> list[Cell]:
    found = places.tell(audit)
    a, b = audit.claim.winner, audit.claim.loser
    anchor = f"{a}-{b}"
    names = f"{audit.pair.winner.method} ({a}) over {audit.pair.loser.method} ({b})"
    main = audit.gap.main
    half = f" ±{(main.high - main.low) / 2:.2f}" if main else ""
    points = f"{audit.gap.points:+.2f}{half}" if audit.gap.points is not None else ""
    return [
        Named(anchor, (Link(names, f"#{anchor}"),)), points, found.word, found.sentence,
        "; ".join(found.ask).removesuffix(CHECKLIST),
        found.experiment[0] if found.experiment else "",
        Link("correct this", correct_address(places.repository, f"{a} against {b}")),
    ]  # fmt: skip


def _unsaid(paper: Paper, places: Places) -> list[str]:
    (found,) = completeness(paper.rows)
    lines = [(DISCLOSED[name], f"{100 * part:.0f} %") for name, part in found.fields.items()]
    asked = Counter(
        question for audit in paper.audits for question in places.tell(audit).ask if not question.startswith("and ")
    )
    often = [f"{question}: {count} of {len(paper.audits)} comparisons" for question, count in asked.most_common(5)]
    return [
        listing("Fields disclosed", ("field", "of its results that state it"), lines),
        paragraph("Asked for most often:") if often else "",
        items(often),
    ]


def _contradicted(paper: Paper) -> list[str]:
    found = [fault for row in paper.rows for fault in contradictions(row.entry)]
    return found + [group.what for group in disagreements() if paper.name in group.papers]


def _results(paper: Paper, places: Places) -> str:
    head = ("row", "method", "dataset and network", "kind", "compression", "base", "result", "drop printed", "source",
            "remarks", "correction")  # fmt: skip
    return listing("Results", head, [_result(row, places) for row in paper.rows])


def _result(row: TableEntry, places: Places) -> list[Cell]:
    (said,) = as_rows([row])
    text = {name: str(value) for name, value in said.items()}
    variant = f", {text['variant']}" if text["variant"] else ""
    sparsity = f"sparsity {text['sparsity']}" if text["sparsity"] else ""
    pruned = ", ".join(
        filter(None, (f"{text['speedup']}x" if text["speedup"] else sparsity, cell(row.row, "granularity")))
    )
    metric = "" if text["metric"] == "top1" else f" {text['metric']}"
    spread = f" ± {text['sd']}" if text["sd"] else ""
    corrected = [f"{c.column}: {c.new} for {c.old} ({c.source})" for c in corrections().get(row.id, ())]
    notes = "; ".join(filter(None, (cell(row.row, "notes"), *corrected)))
    return [
        Named(row.id, (Link(row.id, f"#{row.id}"),)), f"{text['method']}{variant}",
        f"{text['dataset']}, {text['network']}", text["kind"] or "not stated", pruned, text["base"],
        f"{text['result']}{spread}{metric}", text["drop"], Link(text["source"], source_address(row.row)), notes,
        Link("correct this", correct_address(places.repository, f"{row.id}, {text['source']}",
                                             source_address(row.row))),
    ]  # fmt: skip
