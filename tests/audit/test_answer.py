"""The answer: read from the top, in words that read one way, at 80 columns, whatever the names of strangers are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from support.audit_pairs import entry, judge

from prunemark.audit.document.comparison import load, loads
from prunemark.audit.judgement.audit_claim import Audit, audit_comparison
from prunemark.audit.judgement.verdict import EXIT_CODES, VERDICTS
from prunemark.audit.report import answer, badge, headline, review
from prunemark.audit.report.answer import ASK, STATED_AS
from prunemark.audit.report.checklist import ITEMS, checklist
from prunemark.audit.report.factor_words import LABELS, factor_words
from prunemark.audit.report.layout import WIDTH, lines
from prunemark.audit.report.schedule_words import against, named
from prunemark.setups.errors import InputError
from prunemark.setups.factors import FACTORS
from prunemark.setups.schedule import LRSchedule, cosine, from_vector, parse_schedule
from prunemark.setups.values import NOT_APPLICABLE, NOT_REPORTED, Conflict

EXAMPLES = Path(__file__).parent / "examples"
CASES = sorted(path for path in EXAMPLES.glob("*.yaml") if not path.name.endswith(".expected.yaml"))
quick = settings(deadline=None, max_examples=150, database=None, derandomize=True)


def audit(path: Path) -> Audit:
    return audit_comparison(load(path))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_report_is_read_from_the_top_at_80_columns(path: Path) -> None:
    found = answer.answer(audit(path))
    shown = lines(found)
    assert max(map(cell_len, shown)) <= WIDTH == 80
    assert shown[0] == found.word and " ".join(shown[1:3]).strip().startswith(found.sentence[:60])
    assert 1 <= len(found.reasons) <= 3 and all(reason.endswith(".") for reason in found.reasons)
    order = [shown.index(title) for title in ("Why", "Ask the authors for", "The smallest experiment that settles it")
             if title in shown]  # fmt: skip
    assert order == sorted(order) and len(found.ask) <= 7
    assert [line.name for line in found.factors] == [LABELS[id] for id in FACTORS]
    whole = "\n".join(shown)
    assert "same number" not in whole and "per-epoch vector" not in whole and "_" not in found.sentence
    for line in found.factors:
        assert len(re.findall(r"\d+:\d", line.words)) == 0, "a schedule is named"
        assert line.state != "refuted" or not re.search(r"the same(?!.*\bmust)", line.words) or "must be" in line.words
    assert max(map(cell_len, lines(found, 40))) <= 40


def test_a_refutation_says_what_must_be() -> None:
    found = audit(EXAMPLES / "1-l1reimpl-vs-hrank.yaml")
    assert factor_words(found, "retraining_epochs", "A", "B") == "90 against 30 epochs; must be the same"


def test_every_verdict_has_its_words_everywhere() -> None:
    coming = {"attributable-presumed", "supported-presumed"}
    for words in (headline._SENTENCES, review.OPENINGS, badge.MESSAGES):
        assert set(VERDICTS) | coming == set(words)
    assert {colour for _, colour in badge.MESSAGES.values()} == set(badge.COLOURS)
    assert all(EXIT_CODES[word] != 0 or badge.MESSAGES[word][1] == "green" for word in VERDICTS)
    assert set(ASK) >= set(STATED_AS) and set(ASK) <= set(LABELS) and set(FACTORS) <= set(LABELS)
    assert len(ITEMS) == 12


@pytest.mark.parametrize(
    ("text", "epochs", "words"),
    [
        ("0:1e-2,30:1e-3,60:1e-4,75:1e-5", 90, "1e-2, a tenth from epoch 30, 60 and 75, 90 epochs"),
        ("1e-3", 1, "1e-3 throughout, 1 epoch"),
        ("cosine:1e-1->1e-4+warmup5", 100, "cosine 1e-1 to 1e-4, 100 epochs, 5 epochs of warm-up"),
        ("one-cycle:1e-1", 30, "one-cycle up to 1e-1, 30 epochs"),
        ("0:1e-2,30:5e-3,60:1e-4", 90, "1e-2, 5e-3 from epoch 30, 1e-4 from epoch 60, 90 epochs"),
        (
            ",".join(f"{2 * e}:{0.1 * 0.97**e:.12g}" for e in range(40)),
            80,
            "1e-1, 0.97 times every 2 epochs, 80 epochs",
        ),
    ],
)
def test_a_schedule_is_named(text: str, epochs: int, words: str) -> None:
    assert named(parse_schedule(text, epochs)) == words


def test_a_logged_vector_is_named_and_not_printed() -> None:
    assert named(from_vector(cosine(0.1, 0.0, 200).vector)).startswith("cosine 1e-1 to ")
    line = from_vector(tuple(0.1 * (1 - e / 100) for e in range(100)))
    assert named(line) == "a straight line from 1e-1 to 1e-3, 100 epochs"
    odd = from_vector(tuple(0.1 / (1 + e * e % 7) for e in range(90)))
    assert re.fullmatch(r"\d+ steps between 1e-1 and 2e-2, 90 epochs", named(odd))
    assert named(Conflict((parse_schedule("1e-2", 9), NOT_REPORTED))) == "1e-2 throughout, 9 epochs or not stated"
    assert named(NOT_APPLICABLE) == "no training"


def test_two_schedules_that_print_alike_and_differ() -> None:
    """Case 39 of the public reports: the difference is visible."""
    short, long = (parse_schedule("0:1e-1,80:1e-2,120:1e-3", epochs) for epochs in (160, 200))
    assert str(short) == str(long)
    assert against(short, long).endswith("160 epochs; against 1e-1, a tenth from epoch 80 and 120, 200 epochs")
    a, b = (from_vector((*([0.1] * 50), *(0.1 / (1 + e * e % 7 + x) for e in range(90)))) for x in (0.0, 0.3))
    assert "the first epoch that differs is 50: 1e-1 against 7.69231e-2" in against(a, b)


schedules = st.builds(
    lambda vector: from_vector(tuple(vector)),
    st.lists(st.sampled_from([0.1, 0.05, 0.01, 0.0101, 0.0]), min_size=1, max_size=40),
)  # fmt: skip


@quick
@given(schedules, schedules)
def test_schedules_that_differ_never_read_alike(a: LRSchedule, b: LRSchedule) -> None:
    words = against(a, b)
    if not a.close_to(b):
        one, _, other = words.partition("; against ")
        assert "the first epoch that differs" in words or one != other


HOSTILE = ["<script>alert(1)</script>", "a|b`c`*d*_e_", "@everyone #1 https://x.y", "$\\input{/etc/passwd}$%&~^{}",
           "猫" * 60, "x" * 400, "[a](javascript:b)", "--- ## h", '" onload="x']  # fmt: skip
DOCUMENT = (EXAMPLES / "1-l1reimpl-vs-hrank.yaml").read_text()


@pytest.mark.parametrize("name", HOSTILE)
def test_no_form_acts_on_a_strangers_name(name: str) -> None:
    from prunemark.audit.report.forms import FORMS, render

    quoted = "'" + name.replace("'", "''") + "'"
    found = audit_comparison(loads(DOCUMENT.replace("method: L1\n", f"method: {quoted}\n")))
    assert found.pair.winner.method == name
    forms = {form: render([found], form) for form in FORMS}
    for form in ("html", "markdown", "badge"):
        assert "<script>" not in forms[form] and (form == "markdown" or 'onload="' not in forms[form])
    assert "@everyone" not in forms["markdown"] and "https://x.y" not in forms["markdown"]
    assert "[a](" not in forms["markdown"] and "\\input" not in forms["latex"]
    assert not re.search(r"(?<!\\)[%#_&](?!.*prunemark audit)", forms["latex"].split("\n", 1)[1].replace(" & ", ""))
    assert max(map(cell_len, lines(answer.answer(found)))) <= 80
    assert max(map(cell_len, forms["checklist"].splitlines())) <= 80


def test_a_checklist_says_where() -> None:
    found = checklist(audit(EXAMPLES / "1-l1reimpl-vs-hrank.yaml"))
    replies = [item.reply for item in found]
    assert replies.count("yes") == 3 and replies[5] == "no" and replies[8] == "not stated"
    assert replies[2] == "not stated" and "its dense MACs on both sides" in found[2].why, "one by name only"
    assert "1-l1reimpl-vs-hrank.yaml:10:14" in found[1].where
    more = "top1: 75.24\n      selection: best_epoch_on_test\n      runs: 1\n      top1_plus_minus: 0.1"
    assert "top1: 75.24" in DOCUMENT
    found = checklist(audit_comparison(loads(DOCUMENT.replace("top1: 75.24", more))))
    assert (found[8].reply, found[9].reply, found[10].reply) == ("no", "no", "not stated")


def test_a_badge_of_several_claims_shows_the_worst() -> None:
    fair, open_, unfair = (
        audit(EXAMPLES / f"{name}.yaml")
        for name in ("23-all-stated", "1-l1reimpl-vs-hrank", "7-control-same-method-two-lrs")
    )
    assert badge.message(fair) == ("fair under S4.2", "green")
    assert '"message": "within noise"' in badge.as_shields([fair, open_])
    assert "not attributable" in badge.as_badge([fair, unfair, open_])
    with pytest.raises(InputError, match="there is none"):
        badge.as_badge([])


def test_a_checklist_of_an_unequal_comparison_is_not_twelve_times_yes() -> None:
    whole = [{"stage": "training", "epochs": 270, "lr": "0:1e-1,90:1e-2,180:1e-3"}]
    scratch = entry("scratch", 75.0, kind="scratch", stages=whole)
    del scratch["base"]
    replies = [item.reply for item in checklist(judge(entry("L1", 76.0), scratch))]
    assert replies[4:7] == ["n/a"] * 3 and replies[11] == "no"
    assert checklist(judge(entry("x", 76.0, granularity="weight"), entry("y", 75.0)))[3].reply == "no"
    chosen = entry("x", 76.0, result__selection="best on validation")
    assert checklist(judge(chosen, entry("y", 75.0)))[8].reply == "yes"


@pytest.mark.parametrize(
    ("a", "b", "said", "asked"),
    [
        ({"result": {"top1": "75.8 +- 0.3", "runs": 3}}, {"result": {"top1": "74.9 +- 0.3", "runs": 3}},
         "if the printed +- is a standard error it is within noise", "what the printed +- is"),
        ({"base": {"source": "a", "top1": 76.2}}, {"base": {"source": "b", "top1": 75.2}},
         "as a drop from its own base it is within noise", ""),
    ],
)  # fmt: skip
def test_the_reading_that_makes_a_gap_noise_is_said(a: Any, b: Any, said: str, asked: str) -> None:
    found = answer.answer(judge(entry("x", 76.0) | a, entry("y", 75.0) | b))
    assert found.word == "within-noise" and said in found.sentence
    assert said.partition(" it is")[0] in found.reasons[0]
    assert not any("runs per arm" in step or "needs no experiment" in step for step in found.experiment)
    assert not asked or found.ask[0].startswith(asked)
