"""A paragraph to paste into a review: it says no more than the evidence does."""

from __future__ import annotations

from collections.abc import Sequence

from prunemark.audit.judgement.audit_claim import Audit
from prunemark.audit.report.answer import Answer, answer
from prunemark.audit.report.headline import full_names, sides
from prunemark.audit.report.presumed_words import conditions

OPENINGS: dict[str, str] = {
    "inconsistent-record": "I could not check the claim that {claim}, because numbers behind it contradict each other.",
    "not-comparable": "The claim that {claim} compares results that are not of one kind.",
    "supported": "As far as it is reported, the evidence supports the claim that {claim}.",
    "supported-presumed": "The evidence would support the claim that {claim} {conditions}.",
    "supported-not-attributable": "The numbers agree with the claim that {claim}; they do not show why.",
    "attributable-cross-validated": "The evidence supports the claim that {claim}, under either recipe.",
    "attributable-presumed": "The evidence would support the claim that {claim} {conditions}.",
    "claim-contradicted": "The reported numbers point against the claim that {claim}.",
    "retraining-dependent": "Whether {claim} appears to depend on how both are retrained.",
    "within-noise": "I do not think that the numbers show that {claim}: runs of one method vary as much.",
    "not-a-pruning-effect": "The claim that {claim} seems not to be about pruning, since both use one pruning method.",
    "compression-mismatch": "The claim that {claim} compares networks of different size, to its advantage.",
    "attributable": "As far as it is reported, the evidence supports the claim that {claim}.",
    "confounded": "The claim that {claim} may be right, but the comparison does not isolate it.",
    "a-fortiori": "The claim that {claim} is plausible, since all that differs favours the other side.",
    "undecided": "From what is reported I cannot tell whether {claim}.",
}
"""How the paragraph begins, by verdict."""
POINTS_AWAY = "The reported numbers do not show that {claim}: they point the other way, in an unequal comparison."


def as_review(audits: list[Audit]) -> str:
    """A paragraph a claim, as plain text."""
    return "\n\n".join(review(audit) for audit in audits) + "\n"


def review(audit: Audit) -> str:
    """The paragraph: opening, reasons, questions, experiment, and on what it was judged."""
    found, names = answer(audit), sides(audit)
    below = found.word == "undecided" and audit.evidence.position == "below"
    opening = (
        POINTS_AWAY if below else OPENINGS.get(found.word, "The claim that {claim} was checked: " + found.sentence)
    )
    opening = opening.replace("{conditions}", conditions(audit, (names.winner, names.loser), audit.presumed))
    parts = [opening.replace("{claim}", found.claim)]
    parts += [_hedged(reason) for reason in found.reasons]
    parts += [_asked(found)] if found.ask else []
    parts += [_proposed(found, full_names(audit))] if found.experiment and found.exit_code else []
    parts += [f"A number deserves a second look: {found.remarks[0].rstrip('.')}."] if found.remarks else []
    parts.append("(Checked with Prunemark against the comparison setups of arXiv:2301.05219, from what is reported.)")
    return " ".join(part for part in parts if part)


def _hedged(reason: str) -> str:
    return reason.replace("which favours", "which may favour").replace("nobody knows whom that favours", "it is open "
                                                                        "whom that favours")  # fmt: skip


def _asked(found: Answer) -> str:
    questions = [question for question in found.ask if not question.startswith("and ")]
    numbered = [f"({number}) {question}" for number, question in enumerate(questions, 1)]
    return f"Could the authors state {'; '.join(numbered)}?"


def _proposed(found: Answer, names: Sequence[str]) -> str:
    step = found.experiment[0]
    return f"I think that the smallest experiment that would settle it, for {' and '.join(names)}, is: {step}."
