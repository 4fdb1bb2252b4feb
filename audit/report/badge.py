"""A badge: what a comparison shows, in three words, as SVG and as the JSON that shields.io reads from an address."""

from __future__ import annotations

import json
from html import escape

from prunemark.audit.judgement.audit_claim import Audit
from prunemark.setups.errors import InputError

LABEL = "prunemark audit"
COLOURS = {"green": "#2e7d32", "yellow": "#8a6d00", "red": "#b02a1d", "grey": "#5f6368"}
"""Each with white letters on it has a contrast of at least 4.5."""
_LETTER, _PADDING, _HEIGHT = 6.6, 10, 20  # pixels

MESSAGES: dict[str, tuple[str, str]] = {
    "supported": ("fair under {setup}", "green"),
    "attributable": ("fair under {setup}", "green"),
    "attributable-cross-validated": ("fair, recipes crossed", "green"),
    "supported-presumed": ("not stated", "yellow"),
    "attributable-presumed": ("not stated", "yellow"),
    "undecided": ("not stated", "yellow"),
    "within-noise": ("within noise", "yellow"),
    "supported-not-attributable": ("not attributable", "red"),
    "confounded": ("not attributable", "red"),
    "not-a-pruning-effect": ("not attributable", "red"),
    "retraining-dependent": ("depends on retraining", "red"),
    "a-fortiori": ("unequal, yet ahead", "grey"),
    "not-comparable": ("not comparable", "red"),
    "compression-mismatch": ("unequal compression", "red"),
    "claim-contradicted": ("contradicted", "red"),
    "inconsistent-record": ("numbers disagree", "red"),
}
"""What stands on the badge, and its colour, by verdict."""
POINTS_AWAY = ("points the other way", "yellow")
"""Undecided, for the other reason: the gap is below, in an unequal comparison."""


def message(audit: Audit) -> tuple[str, str]:
    """The words and the colour's name."""
    if audit.verdict.word == "undecided" and audit.evidence.position == "below":
        return POINTS_AWAY
    words, colour = MESSAGES.get(audit.verdict.word, (audit.verdict.word.replace("-", " "), "grey"))
    return words.replace("{setup}", _setup(audit)), colour


def _setup(audit: Audit) -> str:
    if audit.pair.whole_pipelines:
        return "SX-B" if audit.pair.assessment.setups["SX-B"].satisfied else "SX-A"
    return audit.pair.assessment.established or "S1"


def _worst(audits: list[Audit]) -> Audit:
    """Of several claims one badge shows the worst. Raises InputError for none."""
    if not audits:
        raise InputError("a badge is about a claim, and there is none")
    return min(audits, key=lambda audit: (3, 4, 0).index(audit.verdict.exit_code))


def as_shields(audits: list[Audit]) -> str:
    """The endpoint of https://shields.io/badges/endpoint-badge."""
    words, colour = message(_worst(audits))
    found = {"schemaVersion": 1, "label": LABEL, "message": words, "color": COLOURS[colour].removeprefix("#")}
    return json.dumps(found) + "\n"


def as_badge(audits: list[Audit]) -> str:
    """One SVG without scripts, fonts or links."""
    words, colour = message(_worst(audits))
    left, right = (round(len(text) * _LETTER + 2 * _PADDING) for text in (LABEL, words))
    label, text = escape(LABEL), escape(words)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{_HEIGHT}" role="img" '
        f'aria-label="{label}: {text}">\n<title>{label}: {text}</title>\n'
        f'<rect width="{left}" height="{_HEIGHT}" fill="#444"/>\n'
        f'<rect x="{left}" width="{right}" height="{_HEIGHT}" fill="{COLOURS[colour]}"/>\n'
        f'<g fill="#fff" text-anchor="middle" font-family="Verdana, DejaVu Sans, sans-serif" font-size="11">\n'
        f'<text x="{left / 2:g}" y="14">{label}</text>\n'
        f'<text x="{left + right / 2:g}" y="14">{text}</text>\n</g>\n</svg>\n'
    )
