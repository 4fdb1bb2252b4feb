"""The form of the audit as a page: the questions in the site's style, and what it runs on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

MARKER_TEXT = "`prunemark audit --form` wrote this folder and replaces it as a whole. Do not keep your files in it.\n"


def form_files(*, alone: bool) -> Iterator[tuple[str, str]]:
    """(name, text) of everything that the page needs, except the style sheet where it lies in a site (not `alone`)."""
    from importlib.metadata import version

    from prunemark.audit.form import engine
    from prunemark.audit.form.document import hidden
    from prunemark.audit.form.questions import example, questions
    from prunemark.audit.report.answer import LEGEND
    from prunemark.leaderboard.site import urls
    from prunemark.leaderboard.site.context import header_links
    from prunemark.leaderboard.site.rendering import FOLDER, render

    yield urls.FORM, render(
        "form", here=urls.FORM, header=header_links(True), alone=alone, questions=questions(), example=example(),
        hidden=hidden({}), legend=LEGEND, version=version("prunemark"), pyodide=engine.PYODIDE,
    )  # fmt: skip
    yield from engine.scripts()
    if alone:
        yield "assets/site.css", (FOLDER / "assets" / "site.css").read_text(encoding="utf-8")


def write_form(folder: Path) -> Path:
    """Writes the page into a folder of its own; gives the page. Raises InputError for a folder with other content."""
    from prunemark.leaderboard.site import urls
    from prunemark.leaderboard.site.folder import write_folder

    write_folder(form_files(alone=True), folder, MARKER_TEXT, ())
    return folder / urls.FORM
