"""More than top-1: which way is better, what must have been measured alike, drops alone, errors, several metrics."""

from __future__ import annotations

from typing import Any

import pytest
from support.audit_pairs import entry, judge, names

from prunemark.audit.document.metrics import METRICS
from prunemark.audit.report.content import as_dict


def measured(method: str, metric: str, value: float, sd: float, **how: Any) -> dict[str, Any]:
    made = entry(method, 75.0)
    made["result"] = {metric: value, f"{metric}_sd": sd, "runs": 3, "selection": "last"}
    return made | {"measured": how} if how else made


LLM = {"context_length": 2048, "calibration": {"set": "C4", "samples": 128}}
GPU = {"device": "A100", "batch_size": 1, "precision": "fp16", "runtime": "PyTorch 2.6", "resolution": 224}
HOW: dict[str, dict[str, Any]] = {
    "top1": {}, "top5": {}, "map": {"iou": "0.5:0.95", "resolution": 640}, "f1": {"averaging": "macro"},
    "perplexity": LLM, "latency_ms": GPU, "fps": GPU,
}  # fmt: skip


@pytest.mark.parametrize("metric", METRICS)
def test_the_better_side_wins_in_every_metric(metric: str) -> None:
    high, low = 80.0, 70.0
    better, worse = (high, low) if METRICS[metric].higher_is_better else (low, high)
    found = judge(measured("x", metric, better, 0.1, **HOW[metric]), measured("y", metric, worse, 0.1, **HOW[metric]))
    assert (found.verdict.word, found.verdict.exit_code) == ("attributable", 0)
    assert found.gap.points == pytest.approx(10.0) and as_dict(found)["claim"]["metric"] == metric
    opposite = judge(
        measured("x", metric, worse, 0.1, **HOW[metric]), measured("y", metric, better, 0.1, **HOW[metric])
    )
    assert opposite.verdict.word == "claim-contradicted" and opposite.gap.points == pytest.approx(-10.0)


@pytest.mark.parametrize("metric", [name for name, how in HOW.items() if how])
def test_what_was_measured_otherwise_is_not_comparable_and_unsaid_is_presumed(metric: str) -> None:
    for field in HOW[metric]:
        other = HOW[metric] | {field: "other"}
        better, worse = (80.0, 70.0) if METRICS[metric].higher_is_better else (70.0, 80.0)
        a, b = measured("x", metric, better, 0.1, **HOW[metric]), measured("y", metric, worse, 0.1, **other)
        found = judge(a, b)
        assert found.verdict.word == "not-comparable" and f"{field}, measured" in found.verdict.why
        del b["measured"][field]
        silent = judge(a, b)
        assert (silent.verdict.word, silent.presumed) == ("attributable-presumed", (field,))
        assert f"{field}, which B does not report" in silent.verdict.why


def test_only_what_the_metric_needs_has_to_be_measured_alike() -> None:
    a, b = (entry("x", 76.0) | {"measured": {"device": name}} for name in ("A100", "H200"))
    assert judge(a, b | {"method": "y", "result": entry("y", 75.0)["result"]}).verdict.word == "attributable"


def test_numbers_of_how_it_was_measured_are_numbers() -> None:
    a, b = (measured(name, "map", value, 0.1, iou=0.5, resolution=side) for name, value, side in (
        ("x", 40.0, "640"), ("y", 38.0, 640.0)))  # fmt: skip
    assert judge(a, b).verdict.word == "attributable"


def test_a_finer_granularity_is_no_advantage_in_speed() -> None:
    a, b = (measured(name, "latency_ms", value, 0.1, **GPU) for name, value in (("x", 5.0), ("y", 7.0)))
    assert judge(a | {"granularity": "weight"}, b).verdict.word == "attributable"
    del a["granularity"]
    assert judge(a, b).presumed == ()


def test_without_a_prior_and_an_sd_the_noise_is_unknown() -> None:
    a, b = (measured(name, "perplexity", value, 0.1, **LLM) for name, value in (("x", 6.0), ("y", 6.5)))
    for one in (a, b):
        one["dataset"] = "WikiText-2"
        del one["result"]["perplexity_sd"]
    found = judge(a, b)
    assert found.verdict.word == "undecided"
    assert "no noise prior for perplexity on WikiText-2/ResNet-50: undecided" in found.verdict.why


def test_no_metric_in_common() -> None:
    a, b = measured("x", "perplexity", 6.0, 0.1, **LLM), entry("y", 75.0)
    found = judge(a, b)
    assert (found.verdict.word, found.verdict.exit_code) == ("not-comparable", 3)
    assert found.next_experiments == ("measure both methods by one metric, in one way",)
    a["result"]["top5"], b["result"]["top5"] = 93.0, 92.0
    assert judge(a, b).pair.metric is METRICS["top5"]
    assert judge(a, b, metric="top1").verdict.word == "undecided"  # A does not report it


def test_an_error_is_read_as_what_is_left_of_100() -> None:
    a = entry("x", 76.0)
    a["result"] = {"error": 24.0, "error_sd": 0.1, "runs": 5, "selection": "last"}
    found = judge(a, entry("y", 75.0))
    assert (found.verdict.word, found.gap.points) == ("attributable", pytest.approx(1.0))
    a["result"]["top1"] = 75.0
    assert judge(a, entry("y", 75.0)).verdict.word == "inconsistent-record"


def dropped(method: str, drop: float | None, **result: Any) -> dict[str, Any]:
    made = entry(method, 75.0)
    made["result"] = {"top1_drop_printed": drop, "top1_sd": 0.1, "runs": 5, "selection": "last"} | result
    return made


def test_drops_alone_can_be_compared() -> None:
    found = judge(dropped("x", 0.5), dropped("y", 1.5))
    assert (found.verdict.word, found.gap.points) == ("attributable", pytest.approx(1.0))
    assert found.gap.main is not None and found.gap.main.name == "drop" and "top1" not in found.missing
    mixed = judge(dropped("x", 0.5), entry("y", 74.63))  # 76.13 - 74.63 is a drop of 1.5
    assert mixed.gap.points == pytest.approx(1.0) and mixed.verdict.word == "attributable"
    none = judge(dropped("x", 0.5), dropped("y", None))
    assert none.verdict.word == "undecided" and "top1" in none.missing


def test_a_drop_that_has_to_be_looked_at_and_cannot_be_formed_is_presumed() -> None:
    """Credited to the base, it may differ; then a claim has to hold on the drop too."""
    other = entry("x", 76.0, base={"id": "other"})
    found = judge(other, entry("y", 75.0), credited_to="base")
    assert (found.verdict.word, found.presumed) == ("attributable-presumed", ("base_accuracy",))
    stated = judge(entry("x", 76.0, base={"id": "other", "top1": 76.2}), entry("y", 75.0), credited_to="base")
    assert stated.verdict.word == "attributable"


def test_a_perplexity_drop_is_what_is_lost() -> None:
    a, b = (measured(name, "perplexity", value, 0.05, **LLM) for name, value in (("x", 6.42), ("y", 6.9)))
    for one in (a, b):
        one["base"] = {"id": "llama", "perplexity": 5.12}
    a["result"]["perplexity_drop_printed"] = 1.30
    assert judge(a, b).verdict.word == "attributable" and names(judge(a, b)) == {}
    a["result"]["perplexity_drop_printed"] = 1.9
    assert judge(a, b).verdict.word == "inconsistent-record"
