"""`prunemark.audit`: was a published comparison fair? From a dictionary, a text or a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prunemark.audit.document.comparison import Comparison
    from prunemark.audit.judgement.audit_claim import Audit

WIDTH = 140  # columns of the text


@dataclass(frozen=True, repr=False)
class AuditResult:
    """What was found. `details` has the factors, the gap and the confounders as objects."""

    details: Audit

    @property
    def verdict(self) -> str:
        """One word, such as "supported"; docs/audit.md lists them."""
        return self.details.verdict.word

    @property
    def why(self) -> str:
        """The reason, in a sentence."""
        return self.details.verdict.why

    @property
    def exit_code(self) -> int:
        """What `prunemark audit` ends with: 0 supported, 3 not, 4 undecided."""
        return self.details.verdict.exit_code

    @property
    def text(self) -> str:
        """The report, as `prunemark audit` prints it."""
        import io

        from rich.console import Console

        from prunemark.audit.report.terminal import print_audit

        into = io.StringIO()
        print_audit(
            self.details, Console(file=into, width=WIDTH, highlight=False, force_jupyter=False, force_terminal=False)
        )
        return "\n".join(line.rstrip() for line in into.getvalue().splitlines()) + "\n"

    def as_dict(self) -> dict[str, Any]:
        """The report as plain data, as `prunemark audit --format json` has it."""
        from prunemark.audit.report.content import as_dict

        return as_dict(self.details)

    def __repr__(self) -> str:
        return self.text


def audit(document: Mapping[str, Any] | Path | str) -> AuditResult:
    """Audits one comparison document: a dictionary, the text of one in YAML, or the path of its file.

    A text of one line is a path. `prunemark audit --template` writes a document to fill in, and `--schema` its schema.
    Raises InputError, with the place, for what is wrong in the document.
    """
    from prunemark.audit.judgement.audit_claim import audit_comparison

    return AuditResult(audit_comparison(_read(document)))


def _read(document: Mapping[str, Any] | Path | str) -> Comparison:
    from prunemark.audit.document.comparison import load, loads

    if isinstance(document, Mapping):
        import yaml

        return loads(yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True), "the dictionary")
    if isinstance(document, str) and "\n" in document:
        return loads(document, "the text")
    return load(Path(document))
