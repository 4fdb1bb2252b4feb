"""The form of the audit as a page: the questions in the site's style, and what it runs on."""

from __future__ import annotations

from collections.abc import Iterator, Set
from pathlib import Path

MARKER_TEXT = "`prunemark audit --form` wrote this folder and replaces it as a whole. Do not keep your files in it.\n"


def form_files(site: Set[str] = frozenset()) -> Iterator[tuple[str, str]]:
    """(name, text) of everything that the page needs, except the style sheet where it lies in a site.

    `site` names what is added to that site; empty where the page is alone in a folder.
    """
    from importlib.metadata import version

    from prunemark.audit.form import engine
    from prunemark.audit.form.document import hidden
    from prunemark.audit.form.questions import example, questions
    from prunemark.audit.report.answer import LEGEND
    from prunemark.leaderboard.site import urls
    from prunemark.leaderboard.site.context import header_links
    from prunemark.leaderboard.site.rendering import FOLDER, render

    yield urls.FORM, render(
        "form", here=urls.FORM, header=header_links(site), alone=not site, questions=questions(),
        example=example(), hidden=hidden({}), legend=LEGEND, version=version("prunemark"), pyodide=engine.PYODIDE,
    )  # fmt: skip
    yield from engine.scripts()
    if not site:
        yield "assets/site.css", (FOLDER / "assets" / "site.css").read_text(encoding="utf-8")


def write_form(folder: Path) -> Path:
    """Writes the page into a folder of its own; gives the page. Raises InputError for a folder with other content."""
    from prunemark.leaderboard.site import urls
    from prunemark.leaderboard.site.folder import write_folder

    write_folder(form_files(), folder, MARKER_TEXT, ())
    return folder / urls.FORM
