"""What a verdict presumes because it is not stated, in a sentence: what, and who does not report it."""

from __future__ import annotations

from collections.abc import Sequence

from prunemark.audit.judgement.audit_claim import Audit
from prunemark.audit.judgement.presumed import is_open
from prunemark.audit.report.factor_words import label, listed

_PRESUMED = {
    "network": "dense MACs of the network",
    "base_model": "file of the base model",
    "noise": "scatter of the runs",
    "compression": "other measure of compression",
}
"""What is not reported, where its name alone would say too much."""


def presumed_words(audit: Audit, names: tuple[str, str], presumed: Sequence[str]) -> str:
    """What is not stated, and who does not: `the teacher, which A does not report`.

    `names` are those of the winner and the loser.
    """
    by_side: dict[str, list[str]] = {}
    of = dict(zip((audit.pair.winner.name, audit.pair.loser.name), names, strict=True))
    for name in presumed:
        silent = audit.evidence.presumed.get(name, ())
        who = f"{of[silent[0]]} does not report" if len(silent) == 1 else "neither reports"
        who = "the two do not clearly state as the same" if is_open(audit.pair, name) else who
        by_side.setdefault(who, []).append(_PRESUMED.get(name, label(name)))
    return ", and ".join(f"the {listed(found)}, which {who}" for who, found in by_side.items())


def conditions(audit: Audit, names: tuple[str, str], presumed: Sequence[str]) -> str:
    """On what a positive verdict stands that is not stated: `if the teacher, which neither reports, were equal`."""
    equal = [name for name in presumed if name != "noise"]
    parts = [f"if {presumed_words(audit, names, equal)}, were equal"] if equal else []
    if "noise" in presumed:
        parts.append(f"if {presumed_words(audit, names, ['noise'])}, is no larger than presumed")
    return ", and ".join(parts) or "if what is not stated were equal"
