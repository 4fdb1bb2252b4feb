"""One audit as plain data: what `--format json` prints."""

from __future__ import annotations

import json
import math
from typing import Any

from prunemark.audit.judgement.audit_claim import Audit
from prunemark.audit.judgement.reasons import reading_name
from prunemark.audit.report.remarks import remarks


def as_dict(audit: Audit) -> dict[str, Any]:
    """What `--format json` prints. Numbers are in units of the metric; an interval that nothing is known of is null."""
    found, main = audit.pair.assessment, audit.gap.main
    return {
        "verdict": audit.verdict.word,
        "exit_code": audit.verdict.exit_code,
        "established": found.established,
        "ceiling": found.ceiling,
        "setups": {id: state.value for id, state in found.setups.items()},
        "overall_lr": audit.pair.findings["overall_lr"].state.value,
        "final_lr": audit.pair.findings["final_lr"].state.value,
        "confounders": [dict(vars(c)) for c in audit.differing],
        "presumed": list(audit.presumed),
        "unknown": list(audit.missing),
        "difference": {
            "points": _number(audit.gap.points),
            "interval": [_number(main.low), _number(main.high)] if main else None,
            "sd_source": audit.gap.sd_source,
            "readings": [
                {"name": reading_name(r.name, audit.pair.metric), "points": _number(r.points),
                 "interval": [_number(r.low), _number(r.high)], "decisive": r.decisive}
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
            id: {"state": f.state.value, "left": f.left, "right": f.right, "why": f.why}
            for id, f in audit.pair.findings.items()
        },
        "notes": list(audit.notes),
        "remarks": list(remarks(audit.pair.winner, audit.pair.loser)),
    }  # fmt: skip


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 4)


def as_json(audits: list[Audit]) -> str:
    """One object for one claim; for several a list with one claim a line, which is written ten times as fast."""
    if len(audits) == 1:
        return json.dumps(as_dict(audits[0]), indent=1, allow_nan=False) + "\n"
    return "[\n" + ",\n".join(json.dumps(as_dict(audit), allow_nan=False) for audit in audits) + "\n]\n"
