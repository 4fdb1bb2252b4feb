"""The report as LaTeX, to be put into a review or an appendix: nothing of a stranger's text is a command."""

from __future__ import annotations

from collections.abc import Sequence

from prunemark.audit.judgement.audit_claim import Audit
from prunemark.audit.report.answer import Answer, answer
from prunemark.setups.text import MOST_OF_A_TEXT, shown

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "`": r"\textasciigrave{}", "[": "{[}", "]": "{]}",
    "●": r"$\bullet$", "◐": r"$\odot$", "○": r"$\circ$", "–": "--", "±": r"$\pm$", "×": r"$\times$", "−": "-",
    "…": r"\dots{}", "’": "'", "“": "``", "”": "''", "→": r"$\to$", "≥": r"$\geq$", "≤": r"$\leq$", "α": r"$\alpha$",
}  # fmt: skip


def escaped(text: str) -> str:
    """A text that LaTeX sets as it is, on one line; letters outside of Latin-1 become a question mark."""
    letters = shown(text, MOST_OF_A_TEXT)
    return "".join(_SPECIAL.get(c) or (c if ord(c) < 128 or 0xC0 <= ord(c) < 0x180 else "?") for c in letters)


def as_latex(audits: list[Audit]) -> str:
    """A paragraph and a table a claim. It needs no package."""
    return "\n".join(_claim(answer(audit)) for audit in audits)


def _claim(found: Answer) -> str:
    parts = [
        f"% prunemark audit: {escaped(found.word)}",
        f"\\paragraph{{{escaped(found.whole_claim)}}} \\textbf{{{escaped(found.word)}.}} {escaped(found.sentence)}",
        _items("enumerate", found.reasons),
        _titled("Ask the authors for", found.ask),
        _titled("The smallest experiment that settles it", found.experiment),
        _titled("Numbers that look odd", found.remarks),
        f"\\noindent Fairness: {escaped(found.interval)}.",
        table(
            ("", "factor", "found"),
            [(line.mark, line.name, line.words) for line in found.factors],
            "llp{0.7\\linewidth}",
        ),
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _titled(title: str, parts: Sequence[str]) -> str:
    return f"\\noindent {title}:\n{_items('itemize', parts)}" if parts else ""


def _items(kind: str, parts: Sequence[str]) -> str:
    if not parts:
        return ""
    return "\n".join([f"\\begin{{{kind}}}", *(f"\\item {escaped(part)}" for part in parts), f"\\end{{{kind}}}"])


def table(head: Sequence[str], rows: Sequence[Sequence[str]], columns: str) -> str:
    """A plain tabular; `columns` is LaTeX already."""
    lines = [" & ".join(escaped(cell) for cell in row) + r" \\" for row in (head, *rows)]
    return "\n".join(
        [f"\\begin{{tabular}}{{{columns}}}", "\\hline", lines[0], "\\hline", *lines[1:], "\\hline", "\\end{tabular}"]
    )
