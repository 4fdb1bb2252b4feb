"""Every form of the report, byte for byte, on three examples; and what LaTeX, XML and JSON readers make of them.

After a change that is meant: PYTHONPATH=tests python tests/audit/test_report_forms.py refresh
"""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from prunemark.audit.document.comparison import load
from prunemark.audit.judgement.audit_claim import Audit, audit_comparison
from prunemark.audit.report.forms import FORMS
from prunemark.audit.report.forms import render as render_form
from prunemark.audit.report.terminal import print_audit

HOUSE = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
EXAMPLES = ("1-l1reimpl-vs-hrank", "5-t4-30pct-p30f90-1e-2-vs-scratch", "7-control-same-method-two-lrs")
ENDS = {
    "text": "txt", "json": "json", "markdown": "md", "html": "html", "latex": "tex", "review": "review.txt",
    "checklist": "checklist.txt", "badge": "svg", "shields": "shields.json",
}  # fmt: skip
REFRESH = "PYTHONPATH=tests python tests/audit/test_report_forms.py refresh"


def as_text(audits: list[Audit]) -> str:
    into = io.StringIO()
    for one in audits:
        print_audit(one, Console(file=into, width=80, highlight=False, force_jupyter=False, force_terminal=False))
    return "\n".join(line.rstrip() for line in into.getvalue().splitlines()) + "\n"


def render(example: str, form: str) -> str:
    place = Path("tests") / "audit" / "examples" / f"{example}.yaml"
    audits = [audit_comparison(load(place))]
    return as_text(audits) if form == "text" else render_form(audits, form)


@pytest.mark.parametrize("form", ENDS)
@pytest.mark.parametrize("example", EXAMPLES)
def test_a_form_of_the_report(example: str, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HOUSE)
    golden = GOLDEN / f"{example.partition('-')[0]}.{ENDS[form]}"
    assert render(example, form) == golden.read_text(), f"if that is meant: {REFRESH}"


def test_every_form_is_here() -> None:
    assert set(ENDS) == {"text", *FORMS}
    assert len(list(GOLDEN.iterdir())) == len(ENDS) * len(EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_forms_are_what_they_say(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HOUSE)
    badge = ElementTree.fromstring(render(example, "badge"))
    assert badge.tag.endswith("svg") and "script" not in render(example, "badge")
    endpoint = json.loads(render(example, "shields"))
    assert endpoint["schemaVersion"] == 1 and re.fullmatch(r"[0-9a-f]{6}", endpoint["color"])
    assert {"remarks", "verdict", "exit_code"} <= set(json.loads(render(example, "json")))
    latex = render(example, "latex")
    assert latex.count("\\begin{") == latex.count("\\end{") and latex.isascii()
    assert "\n" not in render(example, "review").strip()
    assert all(len(line) <= 80 for form in ("text", "checklist") for line in render(example, form).splitlines())


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs LaTeX")
@pytest.mark.slow
def test_latex_sets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HOUSE)
    body = "\n".join(render(example, "latex") for example in EXAMPLES)
    (tmp_path / "a.tex").write_text(f"\\documentclass{{article}}\n\\begin{{document}}\n{body}\n\\end{{document}}\n")
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def refresh() -> None:
    """Writes the golden files anew; run from the root of the repository."""
    GOLDEN.mkdir(exist_ok=True)
    for example in EXAMPLES:
        for form, end in ENDS.items():
            (GOLDEN / f"{example.partition('-')[0]}.{end}").write_text(render(example, form))


if __name__ == "__main__" and sys.argv[1:] == ["refresh"]:
    refresh()
