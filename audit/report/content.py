"""One audit in words: what every form of the report shows, so that terminal, Markdown and HTML cannot differ."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from typing import Any

from prunemark.audit.judgement.audit_claim import Audit
from prunemark.audit.judgement.verdict import VERDICTS
from prunemark.setups.comparison import SETUPS, chain
from prunemark.setups.factors import FACTORS
from prunemark.setups.text import MOST_OF_A_TEXT, shown
from prunemark.setups.values import State

MARKS = {"holds": "●", "holds_a_fortiori": "●", "undecidable": "◐", "refuted": "○", "not_applicable": "–"}
LEGEND = "● holds  ◐ cannot be decided  ○ refuted  – does not apply"
SD_SOURCES = {
    "stated": "standard deviations as reported",
    "prior": "standard deviation from published repeats of this network, not from these runs",
    "own-repeats": "standard deviation from this project's own repeats",
    "unknown": "run-to-run noise unknown",
}


@dataclass(frozen=True)
class ReportContent:
    """The parts of a report, in the order in which they are read."""

    word: str
    sentence: str
    setups: str
    interval: str
    factors: tuple[tuple[str, str, str, str, str], ...]
    gap: tuple[str, ...]
    confounders: tuple[tuple[str, str, str], ...]
    undisclosed: str
    missing: str
    next_experiments: tuple[str, ...]
    notes: tuple[str, ...]
    names: tuple[str, str]


def content(audit: Audit) -> ReportContent:
    """The audit as words."""
    pair, found = audit.pair, audit.pair.assessment
    names = tuple(f"{e.name} ({e.method})" if e.name != e.method else e.name for e in (pair.winner, pair.loser))
    row = chain()
    order = [*row, *(id for id in SETUPS if id not in row)]
    whole = ReportContent(
        word=audit.verdict.word,
        sentence=f"{_claim(audit, names)}: {VERDICTS[audit.verdict.word]} ({audit.verdict.why}).",
        setups="  ".join(f"{id} {MARKS[found.setups[id]]}" for id in order),
        interval=_interval(found.established, found.ceiling, row, {id: found.setups[id] for id in row}),
        factors=tuple(_factor_row(audit, id) for id in FACTORS),
        gap=_gap(audit),
        confounders=tuple((c.name, c.favours or "not known", c.why) for c in audit.differing),
        undisclosed=", ".join(c.name for c in audit.undisclosed),
        missing=", ".join(audit.missing),
        next_experiments=audit.next_experiments,
        notes=audit.notes,
        names=(names[0], names[1]),
    )  # fmt: skip
    return ReportContent(**{field.name: _seen(getattr(whole, field.name)) for field in fields(whole)})


def _seen(part: Any) -> Any:
    """Texts of a part, which may have names of strangers in them, as every form can show them."""
    return shown(part, MOST_OF_A_TEXT) if isinstance(part, str) else tuple(_seen(each) for each in part)


def _claim(audit: Audit, names: tuple[str, ...]) -> str:
    kind = "is better than" if audit.claim.kind == "better" else f"is within {audit.claim.margin:g} points of"
    credit = "" if audit.claim.credited_to == "pruning" else f", credited to the {audit.claim.credited_to}"
    return f"{names[0]} {kind} {names[1]}{credit}"


def _interval(established: str | None, ceiling: str | None, row: tuple[str, ...], states: dict[str, State]) -> str:
    """`[S1 ━ S2]┄ S3.1`: solid up to what is established, dotted up to what silence leaves possible."""
    line = " ─ ".join(f"{id} {MARKS[states[id]]}" for id in row)
    return f"{line}    established: {established or 'nothing'}, ceiling: {ceiling or 'nothing'}"


def _factor_row(audit: Audit, id: str) -> tuple[str, str, str, str, str]:
    finding = audit.pair.findings[id]
    why = finding.why.replace("on the left and right", "by either side")
    why = why.replace("on the left", f"for {audit.pair.winner.name}").replace(
        "on the right", f"for {audit.pair.loser.name}"
    )
    return (id, _short(finding.left), _short(finding.right), finding.state.replace("_", " "), why)


def _short(text: str) -> str:
    return text if len(text) <= 44 else f"{text[:41]}..."


def _gap(audit: Audit) -> tuple[str, ...]:
    gap = audit.gap
    if gap.points is None:
        return ("An accuracy is not reported: there is no difference to test.",)
    if gap.main is None:
        return (f"{gap.points:+.2f} points; {SD_SOURCES['unknown']}: no interval, and no positive verdict.",)
    source = " and ".join(SD_SOURCES.get(part, part) for part in gap.sd_source.split(" and "))
    lines = [
        f"{r.name}: {r.points:+.2f} points, 95 % {r.low:+.2f} to {r.high:+.2f}" + " (shown only)" * (not r.decisive)
        for r in (*gap.readings, *gap.asides)
    ]
    return (*lines, f"Noise: {source}.")


def as_dict(audit: Audit) -> dict[str, Any]:
    """What `--format json` prints. Numbers are in points; an interval that nothing is known of is null."""
    found, main = audit.pair.assessment, audit.gap.main
    return {
        "verdict": audit.verdict.word,
        "exit_code": audit.verdict.exit_code,
        "established": found.established,
        "ceiling": found.ceiling,
        "setups": {id: str(state) for id, state in found.setups.items()},
        "overall_lr": str(audit.pair.findings["overall_lr"].state),
        "final_lr": str(audit.pair.findings["final_lr"].state),
        "confounders": [dict(vars(c)) for c in audit.differing],
        "presumed": list(audit.presumed),
        "unknown": list(audit.missing),
        "difference": {
            "points": _number(audit.gap.points),
            "interval": [_number(main.low), _number(main.high)] if main else None,
            "sd_source": audit.gap.sd_source,
            "readings": [
                {"name": r.name, "points": _number(r.points), "interval": [_number(r.low), _number(r.high)],
                 "decisive": r.decisive}
                for r in (*audit.gap.readings, *audit.gap.asides)
            ],
        },
        "settle": list(audit.next_experiments),
        "why": audit.verdict.why,
        "claim": {
            "winner": audit.claim.winner, "loser": audit.claim.loser, "kind": audit.claim.kind,
            "credited_to": audit.claim.credited_to,
            "metric": audit.pair.metric.name if audit.pair.metric else None, "margin": audit.claim.margin,
        },
        "undisclosed": [dict(vars(c)) for c in audit.undisclosed],
        "factors": {
            id: {"state": str(f.state), "left": f.left, "right": f.right, "why": f.why}
            for id, f in audit.pair.findings.items()
        },
        "notes": list(audit.notes),
    }  # fmt: skip


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 4)


def as_json(audits: list[Audit]) -> str:
    """One object for one claim; for several a list with one claim a line, which is written ten times as fast."""
    if len(audits) == 1:
        return json.dumps(as_dict(audits[0]), indent=1, allow_nan=False) + "\n"
    return "[\n" + ",\n".join(json.dumps(as_dict(audit), allow_nan=False) for audit in audits) + "\n]\n"
