"""The pages of the published literature, in the style of the site, as a folder that works from a disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prunemark.audit.literature.results_csv import TableEntry

MARKER_TEXT = (
    "`prunemark audit --published --report` wrote this folder and replaces it as a whole. "
    "Do not keep your files in it.\n"
)
PARTS = ("assets", "vendor")
SITE = "index.html"


def literature_files(rows: Sequence[TableEntry], repository: str | None, in_site: bool) -> Iterator[tuple[str, str]]:
    """(name, text) of every page; `in_site` says that the leaderboard's pages lie one folder up."""
    from markupsafe import Markup

    from prunemark.audit.literature.results import paper_of
    from prunemark.audit.report.literature_page import pages
    from prunemark.audit.report.paper_page import Places
    from prunemark.leaderboard.site.rendering import render
    from prunemark.leaderboard.site.urls import slugs

    slug = slugs(paper_of(row) for row in rows)
    ways = [("index.html", "Papers"), ("networks.html", "Networks")]
    ways += [(f"../{SITE}", "Leaderboard")] if in_site else []
    root = "../" if in_site else ""
    for address, title, body in pages(rows, Places(lambda name: f"paper_{slug[name]}.html", repository)):
        values = {"here": address, "ways": ways, "home": f"{root}{SITE}", "root": root}
        yield address, render("literature", title=title, body=Markup(body), **values)


def write_literature(rows: Sequence[TableEntry], folder: Path, repository: str | None) -> None:
    """Writes the folder, which appears whole or stays as it was. Raises InputError for one with other content."""
    from prunemark.leaderboard.site.folder import write_folder

    write_folder(literature_files(rows, repository, in_site=False), folder, MARKER_TEXT, PARTS)


def further_pages(records: Path | None, literature: bool, documents: bool) -> Iterator[tuple[str, str]]:
    """What a site of a board has besides its own pages: the form of the audit, and the literature if it is wanted."""
    from prunemark.cli.form import form_files
    from prunemark.leaderboard.site import urls
    from prunemark.leaderboard.site.reproduction_pages import FOLDER

    added = {urls.FORM: True, urls.LITERATURE: literature, urls.DOCUMENTS: documents}
    added[urls.REPRODUCTIONS] = bool(records and any((records.parent / FOLDER).glob("*.xz")))
    yield from form_files({name for name, there in added.items() if there})
    yield from in_the_site() if literature else ()


def in_the_site() -> Iterator[tuple[str, str]]:
    """(name, text) of every page as a part of the leaderboard's site, corrected in the repository that is stated."""
    from prunemark.audit.literature.results import select
    from prunemark.leaderboard.site.context import stated_links
    from prunemark.leaderboard.site.urls import LITERATURE

    repository = next((address for address, name in stated_links() if name == "Repository"), None)
    folder = LITERATURE.rpartition("/")[0]
    for name, text in literature_files(select(), repository, in_site=True):
        yield f"{folder}/{name}", text
