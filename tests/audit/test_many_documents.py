"""Thousands of documents, made up and mutated: an audit or a message with its place, and never a traceback.

A few hundred are tried each time; the slow test tries 10,000 of each.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml
from support.audit_documents import made_up

from prunemark.audit.document.comparison import loads
from prunemark.audit.judgement.audit_claim import audit_claims
from prunemark.audit.judgement.verdict import EXIT_CODES
from prunemark.audit.report.content import as_json
from prunemark.setups.errors import InputError

TEXTS = sorted(
    path.read_text(encoding="utf-8")
    for path in (Path(__file__).parent / "examples").glob("*.yaml")
    if ".expected." not in path.name
)
STRANGE = [
    "n/a", "null", "-1", "0", "1e999", "1,000", "75,24", "{min: 1}", "{range: [2, 1]}", "{conflict: [1, 2]}", "[]",
    "{same_as: A}", "{same_as: B}", "{value: 3, evidence: code_default}", "4.09G", "45%", "2:4", "75.2 ± 0.1", "± 3",
    "0.1, /10 every 1", "0.1, /0 every 3 epochs", "cosine:1e-1->0", "{kind: linear, initial: 1}", "\u00e4", "''", "A",
    "perplexity", "best of 3", "{set: C4, samples: 128}", "true", "0x1F", "1e300", "{shared: true, locator: x}", "~",
    "{}", "+-", "x" * 99, "unknown", "best of 9999", "cosine from 0 to 0", "0.1, x0 every 1 epochs", "10^-999", "AP",
    "KD from", "ImageNet (", "(((((", "a/b", "{kind: step, every: 0, factor: 0.1, lr: 0.1}", "{0: 0.1, 30: 0.01}",
]  # fmt: skip


def judged(text: str) -> str:
    """How it ended: a verdict, or "refused"."""
    try:
        audits = audit_claims(loads(text))
    except InputError as problem:
        message = str(problem.args[0])
        assert message.startswith("document") and len(message) < 3000
        return "refused"
    as_json(audits)
    assert {one.verdict.exit_code for one in audits} <= set(EXIT_CODES.values())
    return audits[0].verdict.word


def mutated(seed: int) -> str:
    """A text of a document with a few characters, lines or values changed; the same for the same seed."""
    chance = random.Random(seed)
    text = chance.choice(TEXTS) if chance.random() < 0.5 else yaml.safe_dump(made_up(seed), sort_keys=False)
    for _ in range(chance.randint(1, 4)):
        lines = text.split("\n")
        at = chance.randrange(len(lines))
        how = chance.randrange(5)
        if how == 0:
            del lines[at]
        elif how == 1:
            lines.insert(at, chance.choice(lines))
        elif how == 2 and ":" in lines[at]:
            lines[at] = f"{lines[at].partition(':')[0]}: {chance.choice(STRANGE)}"
        elif how == 3 and lines[at]:
            place = chance.randrange(len(lines[at]))
            lines[at] = lines[at][:place] + chance.choice("{}[]:,#&*!|>'\"%@` \t-0a") + lines[at][place + 1 :]
        else:
            other = chance.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        text = "\n".join(lines)
    return text


def generated(seed: int) -> str:
    return yaml.safe_dump(made_up(seed, most=12), sort_keys=False, allow_unicode=True)


def test_a_few_hundred() -> None:
    words = {judged(generated(seed)) for seed in range(200)} | {judged(mutated(seed)) for seed in range(200)}
    assert len(words) >= 12, words  # most verdicts come up


@pytest.mark.slow
def test_ten_thousand_generated_and_ten_thousand_mutated() -> None:
    words = {judged(generated(seed)) for seed in range(1_000, 11_000)}
    words |= {judged(mutated(seed)) for seed in range(1_000, 11_000)}
    assert words == {"refused", *EXIT_CODES}
