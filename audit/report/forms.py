"""The forms of a report, by the name of `--format`. Only the one that is asked for is loaded."""

from __future__ import annotations

from importlib import import_module

from prunemark.audit.judgement.audit_claim import Audit

FORMS: dict[str, tuple[str, str]] = {
    "json": ("content", "as_json"),
    "markdown": ("markup", "as_markdown"),
    "html": ("markup", "as_html"),
    "latex": ("latex", "as_latex"),
    "review": ("review", "as_review"),
    "checklist": ("checklist", "as_checklist"),
    "badge": ("badge", "as_badge"),
    "shields": ("badge", "as_shields"),
}
"""Each with the module of this folder and its function from audits to text."""


def render(audits: list[Audit], form: str) -> str:
    """The report on these claims; Markdown for a form that is none of these, as `text` in a file."""
    module, function = FORMS.get(form, FORMS["markdown"])
    text: str = getattr(import_module(f"prunemark.audit.report.{module}"), function)(audits)
    return text
