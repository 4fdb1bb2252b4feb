"""A page for each method: what it is, its paper, its results everywhere, its settings, its source as it ran."""

from __future__ import annotations

import ast
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from prunemark.leaderboard.formats import labels
from prunemark.leaderboard.site import charts, urls
from prunemark.leaderboard.site.command import submitted
from prunemark.leaderboard.site.context import SiteContext, page
from prunemark.leaderboard.site.downloads import badge_table, badge_text
from prunemark.leaderboard.site.leaders import compare_address
from prunemark.leaderboard.standings.rows import Row
from prunemark.leaderboard.standings.table import Table
from prunemark.records.card import FAMILIES, card_of
from prunemark.records.python_files import unparsed
from prunemark.records.record import Record, canonical_json
from prunemark.records.source import MethodFiles
from prunemark.records.stated_recipes import recipes_stated, stated
from prunemark.setups.text import shown

ROLES = {
    "anchor": "anchor of a track",
    "submission": "submission",
    "control": "control, run with every submission",
    "reference": "reference, run with every submission",
}
FACETS = {"family": "Family", "year": "Year", "lane": "Lane", "isolation": "Isolation"}
"""By what rows are filtered, and in which words."""
LONGEST_CITATION = 2000
"""Characters of a paper's citation that are looked through: what a stranger states may be a megabyte."""
LINKS = re.compile(
    r"arXiv:(?P<arxiv>\d{4}\.\d{4,5})"
    r"|(?:https?://(?:dx\.)?doi\.org/|doi:\s?)?(?P<doi>10\.\d{4,9}/[^\s;,)]{0,200}[^\s;,).])"
)


def methods_page(context: SiteContext) -> str:
    """The list of all methods."""
    return page(
        context,
        "methods",
        urls.METHODS,
        methods=[
            {
                "name": name,
                "page": context.urls.method(name),
                "summary": _summary(records),
                "facets": facets(name, records.values()),
                "paper": next(((text, to) for text, to in paper(name, records, context) if to), None),
                "roles": ", ".join(roles(records)),
                "tracks": len({record.outcome.track for record in records.values()}),
                "records": len(records),
            }
            for name, records in context.records_by_method.items()
        ],
    )


def method_page(context: SiteContext, name: str, rows: list[tuple[Table, Row]]) -> str:
    """The page of one method; `rows` are all rows of tables that its records stand behind."""
    records = context.records_by_method[name]
    summary = _summary(records)
    card = card_of(name)
    return page(
        context,
        "method",
        context.urls.method(name),
        name=name,
        summary=summary,
        paper=paper(name, records, context),
        note=card.note if card else "",
        family=(card.family, FAMILIES[card.family]) if card else None,
        facets=facets(name, records.values()),
        command=own_network(records, context),
        badges=badges(context, rows),
        recipes=own_recipes(name, records, context),
        elsewhere=[part for part in linked(summary) if part[1]],
        roles=[ROLES[role] for role in roles(records)],
        results=[result_view(context, row, table) for table, row in rows],
        settings=settings(records),
        sources=sources(records, context),
        tracks=[
            (track, context.urls.records(track), number)
            for track, number in sorted(Counter(record.outcome.track for record in records.values()).items())
        ],
    )


def facets(name: str | None, records: Iterable[Record]) -> dict[str, str]:
    """What a method is filtered by: "" where its card or its records do not say."""
    card = card_of(name) if name else None
    observed = [record.observed for record in records]
    lanes = {each.pruning_process.lane for each in observed if each.pruning_process}
    return {
        "family": card.family if card else "",
        "year": str(card.year) if card and card.year else "",
        "lane": " or ".join(sorted(lanes)),
        "isolation": " or ".join(sorted({each.isolation for each in observed if each.isolation})),
    }


def own_network(records: Mapping[str, Record], context: SiteContext) -> tuple[list[str], str]:
    """The commands that run a method on a network and images of one's own, and what else has to be known.

    None for controls and references, which run with every submission.
    """
    ran = [r.outcome for r in records.values() if r.outcome.method.role in ("submission", "anchor")]
    if not ran:
        return [], "It runs with every submission."
    named, note = submitted(ran[-1], context.methods)
    terms = ran[-1].track_terms
    kind = {"filter": "", "weight": " --granularity weight"}.get(str(terms["granularity"]), "")
    kind += f" --pattern {terms['pattern']}" if terms.get("pattern") else ""
    return [
        f"prunemark tracks new photos --network model.py:build --data photos{kind}",
        f"prunemark submit {shlex.quote(named)} --track photos.toml --seeds 5 --data photos",
    ], note


def badges(context: SiteContext, rows: list[tuple[Table, Row]]) -> list[tuple[str, str]]:
    """(address, text) of the badges of a method, one a track."""
    found, spoken_of = {}, {track: badge_table(context, track) for track in {table.track for table, _ in rows}}
    for table, row in rows:
        if row.verdict and table is spoken_of[table.track] and (method := context.method_of(row)):
            found[context.urls.badge(method, table.track)] = badge_text(context, row, table)
    return list(found.items())


def rows_by_method(context: SiteContext) -> dict[str, list[tuple[Table, Row]]]:
    """All rows of all tables by the name that their records give, in the order of the tables."""
    found: dict[str, list[tuple[Table, Row]]] = {name: [] for name in context.records_by_method}
    for table in context.board.tables:
        for row in (*table.ranked, *table.unranked):
            if method := context.method_of(row):
                found[method].append((table, row))
    return found


def paper(name: str, records: Mapping[str, Record], context: SiteContext) -> list[tuple[str, str]]:
    """A method's paper as pieces of text, each with its address or "": by its card, or as its own source states it."""
    card = card_of(name)
    if card is None:
        return linked(published_paper(records, context))
    pieces = [(card.citation, "")] if card.title else []
    for text, address in card.links:
        pieces += [(", ", ""), (text, address)]
    return [*pieces, *(piece for text in card.also for piece in (("; ", ""), *linked(text)))]


def own_recipes(name: str, records: Mapping[str, Record], context: SiteContext) -> dict[str, str]:
    """The retraining recipes that the newest published source declares, by class of data; {} without a source."""
    newest_first = sorted(records.values(), key=lambda r: (r.observed.finished_at, r.outcome.trial_key), reverse=True)
    known = (context.methods.get(record.outcome.method.source_sha256) for record in newest_first)
    if (method := next((found for found in known if found), None)) is None:
        return {}
    card = card_of(name)
    return recipes_stated(stated(method, card.class_name if card else method.class_name, "retraining"))


def published_paper(records: Mapping[str, Record], context: SiteContext) -> str:
    """The paper that a published source states in `about = About(paper=...)`, read without running it; "" for none."""
    hashes = Counter(record.outcome.method.source_sha256 for record in records.values())
    for sha256, _ in sorted(hashes.items(), key=lambda item: (-item[1], item[0])):
        if (known := context.methods.get(sha256)) and (found := stated_paper(known)):
            return found
    return ""


def stated_paper(method: MethodFiles) -> str:
    """What the class of a source says of its paper; "" where it says nothing, or not as a plain text."""
    for _, text in method.files:
        try:
            parsed = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for made in parsed.body:
            if isinstance(made, ast.ClassDef) and made.name == method.class_name:
                return next((found for statement in made.body if (found := _paper_in(statement))), "")
    return ""


def _paper_in(statement: ast.stmt) -> str:
    if not (isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call)):
        return ""
    if [unparsed(target) for target in statement.targets] != ["about"]:
        return ""
    given = [keyword.value for keyword in statement.value.keywords if keyword.arg == "paper"]
    return next((str(v.value) for v in given if isinstance(v, ast.Constant) and isinstance(v.value, str)), "")


def linked(text: str) -> list[tuple[str, str]]:
    """A text in pieces, each with the address that it leads to: that of an arXiv id or a DOI, or "" for none."""
    pieces: list[tuple[str, str]] = []
    text, end = shown(text, LONGEST_CITATION), 0
    for found in LINKS.finditer(text):
        arxiv, doi = found["arxiv"], found["doi"]
        address = f"https://arxiv.org/abs/{arxiv}" if arxiv else f"https://doi.org/{quote(doi)}"
        pieces += [(text[end : found.start()], ""), (found[0], address)]
        end = found.end()
    return [piece for piece in (*pieces, (text[end:], "")) if piece[0]]


def roles(records: Mapping[str, Record]) -> list[str]:
    """In which roles a method ran, the anchor's first."""
    there = {record.outcome.method.role for record in records.values()}
    return [role for role in ROLES if role in there]


def _summary(records: Mapping[str, Record]) -> str:
    """What the newest record says of the method."""
    newest = max(records.values(), key=lambda r: (r.observed.finished_at, r.outcome.trial_key))
    return shown(newest.outcome.method.summary)


def settings(records: Mapping[str, Record]) -> list[tuple[str, int]]:
    """The settings that ran, as name=value, and in how many records."""
    found = Counter(canonical_json(record.outcome.method.settings) for record in records.values())
    texts = {
        canonical_json(s): ", ".join(f"{name}={value}" for name, value in sorted(s.items())) or "none"
        for s in (record.outcome.method.settings for record in records.values())
    }
    return [(texts[key], number) for key, number in sorted(found.items())]


def sources(records: Mapping[str, Record], context: SiteContext) -> list[dict[str, Any]]:
    """Each source that ran, by its hash; `files` is empty where it is not published with the board."""
    found = Counter(record.outcome.method.source_sha256 for record in records.values())
    return [
        {"sha256": sha256, "records": number, "files": known.files if (known := context.methods.get(sha256)) else ()}
        for sha256, number in sorted(found.items(), key=lambda item: (-item[1], item[0]))
        if sha256
    ]


def result_view(context: SiteContext, row: Row, table: Table) -> dict[str, Any]:
    """One result as texts, with what the columns are sorted by."""
    line = labels.line(row, table)
    difference = row.verdict.comparison.difference_pp if row.verdict else 0.0 if row.name == table.anchor else None
    return {
        "track": table.track,
        "setup": table.setup,
        "level": table.level,
        "page": context.urls.track(table.track, table.setup, table.level),
        "name": row.name,
        "cells": line.cells,
        "accuracy": row.accuracy_percent,
        "difference": difference,
        "word": charts.word(row) if row.verdict else "",
        "compare": compare_address(table, row.name, table.anchor) if row.verdict else "",
        "why": row.why,
    }
