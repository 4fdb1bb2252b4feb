"""The literature paper by paper: its results, the comparisons that its sources print, and what contradicts what."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from prunemark.audit.judgement.audit_claim import Audit
from prunemark.audit.judgement.verdict import EXIT_CODES
from prunemark.audit.literature.results import DISCLOSED, JudgedClaim, completeness, paper_of
from prunemark.audit.literature.results_csv import TableEntry, cell
from prunemark.audit.literature.runs import Run

NO_YEAR = "not stated"
RENAMED = {"NIPS": "NeurIPS"}
"""Venues that have another name now."""


@dataclass(frozen=True)
class Paper:
    """One paper with its results; `audits` are the comparable pairs that one of its sources prints."""

    name: str
    year: str
    venue: str
    rows: tuple[TableEntry, ...]
    audits: tuple[Audit, ...]


@dataclass(frozen=True)
class Correction:
    """A cell of a published table that was read wrongly, or is filled in from a stated place: old, new, and where."""

    row: str
    column: str
    old: str
    new: str
    source: str


@dataclass(frozen=True)
class Disagreement:
    """Places that disagree: of which papers, and the numbers."""

    papers: tuple[str, ...]
    what: str


@dataclass(frozen=True)
class Headline:
    """One line of the literature by year or venue.

    `claims` are comparisons with a known noise; `beyond_noise` those whose gap remains after Benjamini-Hochberg, and
    `presumed` those of them that would be effects of pruning if all that is not stated were equal; `supported` those
    that are. `disclosed` is the mean number of the fields of `DISCLOSED`.
    """

    of: str
    papers: int
    results: int
    claims: int
    beyond_noise: int
    supported: int
    presumed: int
    disclosed: float


def papers(rows: Sequence[TableEntry], runs: Sequence[Run], audits: Iterable[Audit]) -> list[Paper]:
    """All papers by name. A pair belongs to the papers of both rows, if one source prints both."""
    by_paper: dict[str, list[TableEntry]] = defaultdict(list)
    for row in rows:
        by_paper[paper_of(row)].append(row)
    listed = {run.row.id: (run.row, *run.others) for run in runs}
    compared: dict[str, list[Audit]] = defaultdict(list)
    for audit in audits:
        sides = [listed[name] for name in (audit.claim.winner, audit.claim.loser)]
        sources = [{row.row.get("source_key") for row in side} for side in sides]
        if sources[0] & sources[1]:
            for name in {paper_of(row) for side in sides for row in side}:
                compared[name].append(audit)
    return [
        Paper(name, *_published_in(its), tuple(its), tuple(compared[name]))
        for name, its in sorted(by_paper.items(), key=lambda item: item[0].lower())
    ]


def _published_in(rows: Sequence[TableEntry]) -> tuple[str, str]:
    """(year, venue) as most of the sources have them."""
    found = []
    for column in ("year", "venue"):
        said = Counter(
            RENAMED.get(text, text) for row in rows if (text := cell(row.row, column)) and text not in ("repo", "issue")
        )
        found.append(max(sorted(said), key=said.__getitem__) if said else NO_YEAR)
    return found[0], found[1]


def headlines(
    found: Sequence[Paper], rows: Sequence[TableEntry], claims: Sequence[JudgedClaim], by: str
) -> list[Headline]:
    """The literature by `year` or `venue` of the paper, whose method is said to win a comparison."""
    of = {paper.name: getattr(paper, by) for paper in found}
    paper_of_row = {row.id: paper_of(row) for row in rows}
    disclosed = {c.paper: c for c in completeness(rows)}
    lines = []
    for key in sorted(set(of.values())):
        its = [paper for paper in found if of[paper.name] == key]
        mine = [c for c in claims if of[paper_of_row[c.audit.claim.winner]] == key]
        beyond = [c.audit.verdict.word for c in mine if c.discovered]
        count = sum(len(paper.rows) for paper in its)
        fields = sum(disclosed[paper.name].disclosed * len(paper.rows) for paper in its) / count * len(DISCLOSED)
        lines.append(
            Headline(
                key, len(its), count, len(mine), len(beyond), sum(EXIT_CODES[word] == 0 for word in beyond),
                beyond.count("attributable-presumed"), fields,
            )
        )  # fmt: skip
    return lines


@cache
def corrections() -> Mapping[str, tuple[Correction, ...]]:
    """Every correction of the shipped results, by row; `results.csv` has the new values."""
    found: dict[str, list[Correction]] = defaultdict(list)
    for line in _read("corrections.csv"):
        found[line["row_id"]].append(
            Correction(line["row_id"], line["column"], line["old"], line["new"], line["source"])
        )
    return {row: tuple(its) for row, its in found.items()}


@cache
def disagreements() -> tuple[Disagreement, ...]:
    """Every group of places that disagree, among sources or within one."""
    return tuple(Disagreement(tuple(line["papers"].split(";")), line["what"]) for line in _read("contradictions.csv"))


def _read(name: str) -> list[dict[str, str]]:
    text = (files("prunemark.audit.literature") / "published" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
