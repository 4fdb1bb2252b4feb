"""What is presumed stands where a reader looks: headline, review, questions, checklist; gaps are in their own unit."""

from __future__ import annotations

from typing import Any

import pytest
from support.audit_pairs import entry, judge

from prunemark.audit.judgement.audit_claim import Audit
from prunemark.audit.report.answer import answer
from prunemark.audit.report.badge import message
from prunemark.audit.report.checklist import checklist
from prunemark.audit.report.content import as_dict
from prunemark.audit.report.forms import FORMS, render
from prunemark.audit.report.review import review

GPU = {"device": "A100", "batch_size": 1, "precision": "fp16", "runtime": "PyTorch 2.6", "resolution": 224}


def without(made: dict[str, Any], *paths: str) -> dict[str, Any]:
    """An entry less some of its values."""
    for path in paths:
        *parts, last = path.split(".")
        place = made
        for part in parts:
            place = place[part]
        del place[last]
    return made


def timed(method: str, metric: str, value: float, how: dict[str, Any], sd: float | None = 0.1) -> dict[str, Any]:
    result = {metric: value, "runs": 3, "selection": "last", **({f"{metric}_sd": sd} if sd else {})}
    return entry(method, 75.0) | {"result": result, "measured": how}


def silent_pair() -> Audit:
    return judge(
        without(entry("X", 76.0), "recipe.distillation", "result.selection"),
        without(entry("Y", 75.0), "recipe.distillation", "recipe.batch_size"),
    )


def test_the_headline_says_what_and_who_does_not_report_it() -> None:
    found = answer(silent_pair())
    assert found.sentence == (
        "Attributable if the batch size, which Y does not report, and the teacher, which neither reports, and the "
        "choice of epoch and run, which X does not report, were equal: X has 1.00 points more than Y."
    )
    assert "whether a teacher was used (both)" in found.ask and "batch size (Y)" in found.ask


def test_scatter_is_presumed_small_and_not_equal() -> None:
    found = answer(judge(without(entry("X", 76.0), "result.top1_sd"), entry("Y", 75.0)))
    assert found.sentence.startswith(
        "Attributable if the scatter of the runs, which X does not report, is no larger than presumed:"
    )
    assert "for Y the scatter of the runs is as reported" in found.reasons[0]


def test_at_least_as_good_says_it_too() -> None:
    pair = without(entry("X", 75.0), "recipe.weight_decay"), entry("Y", 75.0)
    found = judge(*pair, kind="at_least_as_good", margin=0.3)
    assert answer(found).sentence == (
        "Supported if the weight decay, which X does not report, were equal: X is within 0.3 points of Y."
    )
    assert message(found) == ("not stated", "yellow")


@pytest.mark.parametrize("form", [form for form in FORMS if form not in ("badge", "shields", "checklist")])
def test_every_form_shows_what_is_presumed(form: str) -> None:
    text = render([silent_pair()], form)
    for words in ("distillation", "batch_size", "selection") if form == "json" else ("teacher", "batch size", "choice"):
        assert words in text


def test_the_review_and_the_checklist_say_it() -> None:
    found = silent_pair()
    assert "better than Y if the batch size, which Y does not report, and the teacher" in review(found)
    item = checklist(found)[7]
    assert (item.reply, item.why) == ("not stated", "batch size and teacher")


def test_one_network_by_name_and_one_base_by_source_are_not_stated_to_be_one() -> None:
    pair = [
        without(entry(name, top1, base__source="torchvision"), "network.dense_macs_millions", "base.id")
        for name, top1 in (("X", 76.0), ("Y", 75.0))
    ]
    found = judge(*pair)
    assert {"network", "base_model"} <= set(found.presumed)
    replies = [item.reply for item in checklist(found)]
    assert replies[2] == replies[4] == "not stated"
    assert "dense MACs of the network" in answer(found).sentence


def test_what_a_method_owns_is_not_called_the_same() -> None:
    a = entry("X", 76.0, recipe__weight_decay="5e-4") | {"method_owned": ["weight_decay"]}
    found = judge(a, entry("Y", 75.0))
    assert found.verdict.word == "attributable" and checklist(found)[7].reply == "no"


def test_a_fortiori_names_what_is_silent() -> None:
    a = without(entry("X", 76.0, retraining__epochs=60, retraining__lr="0:1e-2,30:1e-3"), "recipe.distillation")
    found = judge(a, entry("Y", 75.0))
    assert found.verdict.word == "a-fortiori"
    assert answer(found).sentence.endswith("equal one; not stated: the teacher, which X does not report.")


def test_numbers_that_point_the_other_way_are_not_called_unstated() -> None:
    found = judge(entry("X", 74.0), entry("Y", 75.0, recipe__distillation="a teacher"))
    assert found.verdict.word == "undecided"
    assert answer(found).sentence.startswith("The numbers point the other way, in an unequal comparison: X has 1.00")
    assert message(found) == ("points the other way", "yellow") and "point the other way" in review(found)


def test_gaps_are_in_the_unit_of_the_metric() -> None:
    pair = timed("X", "latency_ms", 10.0, GPU, 1.0), timed("Y", "latency_ms", 10.1, GPU, 1.0)
    found = judge(*pair)
    assert found.verdict.word == "within-noise" and found.verdict.why.startswith("latency_ms: +0.10 ms")
    whole = "\n".join(render([found], form) for form in ("json", "markdown", "html", "latex", "review", "checklist"))
    assert "points" not in whole.replace('"points"', "").replace("within 0.10 points", "") and "last epoch" not in whole
    assert "by latency" in answer(found).whole_claim
    assert as_dict(found)["difference"]["readings"][0]["name"] == "latency_ms"


def test_how_it_was_measured_is_asked_for_in_one_question() -> None:
    found = judge(timed("X", "latency_ms", 10.0, GPU), timed("Y", "latency_ms", 12.0, {"device": "A100"}))
    assert answer(found).ask[0] == "how it was measured: batch size, precision, resolution and runtime (Y)"
    other = judge(timed("X", "latency_ms", 10.0, GPU), timed("Y", "latency_ms", 12.0, GPU | {"device": "H200"}))
    assert answer(other).sentence == "X and Y cannot be compared: not the same device."


def test_without_a_prior_the_scatter_is_unknown() -> None:
    how = {"context_length": 2048, "calibration": "C4, 128"}
    found = judge(timed("X", "perplexity", 6.0, how, None), timed("Y", "perplexity", 7.0, how, None))
    assert "nobody knows whether runs scatter by as much" in answer(found).sentence
    assert "no noise prior for perplexity on ImageNet/ResNet-50: undecided" in found.verdict.why


def test_drops_alone_are_called_drops() -> None:
    pair = [
        entry(name, 75.0) | {"result": {"top1_drop_printed": drop, "top1_sd": 0.1, "runs": 3, "selection": "last"}}
        for name, drop in (("X", 0.3), ("Y", 1.3))
    ]
    assert "X loses 1.00 points fewer than Y" in answer(judge(*pair)).sentence
