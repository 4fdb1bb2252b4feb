"""The reader: unknown fields with the nearest one, units where they are plain, questions for suspicious sizes."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from support.audit_pairs import L1, entry, judge, names

from prunemark.audit.document import comparison
from prunemark.audit.document.names import canonical, compare_names
from prunemark.audit.judgement.audit_claim import audit_claims
from prunemark.setups.errors import InputError

HEAD = "schema: prunemark-comparison/1\nclaim: {winner: A, loser: B}\nentries:\n  B: {method: b}\n  A:\n    method: a\n"
fixed = settings(derandomize=True, deadline=None, database=None)


def read(lines: str) -> Any:
    return comparison.loads(HEAD + "".join(f"    {line}\n" for line in lines.split("\n"))).entries["A"]


def refused(lines: str) -> str:
    with pytest.raises(InputError) as caught:
        read(lines)
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "near"),
    [
        ("recipe: {distilation: ResNet-101}", "distillation"),
        ("granularty: filter", "granularity"),
        ("result: {top_1: 75}", "top1"),
        ("stages: [{stage: pruning, epoch: 0}]", "epochs"),
        ("base: {sorce: torchvision}", "source"),
        ("measured: {devise: A100}", "device"),
        ("source: {papr: x}", "paper"),
        ("tuning: {config_tried: 3}", "configs_tried"),
        ("method_owned: [weight_decy]", "weight_decay"),
        ("evidence: {retraining.rl: log}", "retraining.lr"),
    ],
)
def test_a_field_that_nobody_knows(line: str, near: str) -> None:
    message = refused(line)
    assert message.startswith("document:7:") and f"Did you mean '{near}'" in message


def test_remarks_may_stand_in_every_part() -> None:
    notes = "{notes: hm}"
    parts = ("base", "recipe", "result", "measured", "source", "tuning")
    read("notes: hm\n" + "\n".join(f"{part}: {notes}" for part in parts))
    text = HEAD.replace("loser: B", "loser: B, notes: hm") + "    stages: [{stage: pruning, epochs: 0, notes: hm}]\n"
    comparison.loads("notes: hm\nprotocol: {shared: true, locator: x, notes: hm}\n" + text)


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("stages: [{stage: retraining, epochs: 90 epochs}]", "retraining.epochs", 90.0),
        ("network: {dense_macs_millions: 4.09G}", "network.dense_macs_millions", 4090.0),
        ("network: {dense_macs_millions: 41M}", "network.dense_macs_millions", 41.0),
        ("network: {dense_params_millions: 12M}", "network.dense_params_millions", 12.0),
        ("network: {dense_params_millions: 6.7B}", "network.dense_params_millions", 6700.0),
        ("macs_kept_millions: 2.0 GMACs", "macs_kept_millions", 2000.0),
        ("macs_kept: 45%", "macs_kept", 0.45),
        ("params_kept: 45%", "params_kept", 0.45),
        ("sparsity: 89.3%", "sparsity", 0.893),
        ("speedup: 2.31x", "speedup", 2.31),
        ("speedup: 2,31", "speedup", 2.31),
        ("base:\n      top1: 75,24", "base.top1", 75.24),
        ("recipe: {weight_decay: 5e-3}", "recipe.weight_decay", 0.005),
        ("recipe: {label_smoothing: none}", "recipe.label_smoothing", 0.0),
        ("result: {runs: 3 seeds}", "result.runs", 3.0),
        ("result: {latency_ms: 12.5 ms}", "result.latency_ms", 12.5),
        ("result: {error: 24.76}", "result.top1", 75.24),
    ],
)
def test_units_where_they_are_plain(line: str, field: str, value: float) -> None:
    assert read(line)[field].value == pytest.approx(value)


@pytest.mark.parametrize("sign", ["±", "+-", "+/-", " +- "])
def test_a_value_with_its_spread(sign: str) -> None:
    found = read(f'result: {{top1: "75.24{sign}0.2", runs: 3}}')
    assert (found["result.top1"].value, found["result.top1_plus_minus"].value) == (75.24, 0.2)
    assert found["result.top1"].decimals == 2
    assert "result.top1_sd gives another" in refused('result: {top1: "75.24 ± 0.2", top1_sd: 0.1}')
    assert "result.top1_plus_minus gives another" in refused('result: {top1: "75.24 ± 0.2", top1_plus_minus: 0.1}')


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("speedup: 1,000", "speedup: 1,000 can be a thousand or a decimal comma. Write 1000 or 1.000"),
        ("speedup: 0.43", "do you mean macs_kept: 0.43?"),
        (
            "network: {name: ResNet-50, dense_macs_millions: 4.09}",
            "4.09 million dense MACs for ResNet-50: do you mean 4.09G?",
        ),
        ("network: {name: ResNet-50, dense_macs_millions: 4089000000}", "do you mean 4089, in millions?"),
        ("network: {name: ResNet-50, dense_params_millions: 25560000}", "do you mean 25.56, in millions?"),
        ("network: {dense_macs_millions: 4089}\nmacs_kept_millions: 2.06", "do you mean 2.06G?"),
        ("network: {dense_macs_millions: 4.09 GFLOPs}", "network.dense_macs_millions: a number of MACs in millions"),
        (
            "stages: [{stage: retraining, epochs: 90k steps}]",
            "retraining.epochs: a number of epochs, as in 90, is wanted",
        ),
        ("stages: [{stage: retraining, epochs: 9, lr: warm}]", "retraining.lr: cannot read the LR schedule 'warm'"),
        ("recipe: {batch_size: 0.1}", "recipe.batch_size: a batch size, at least 1, is wanted; given 0.1"),
        ("recipe: {weight_decay: 5}", "recipe.weight_decay: a weight decay from 0 to 1"),
        ("result: {top1: 0.75}", "result.top1: 0.75 looks like a fraction"),
        ("result: {top1: 75,24}", "Is it the rest of a decimal comma? In braces write a point: 75.24"),
        ("result: {perplexity: 0.6}", "result.perplexity: a perplexity, at least 1"),
    ],
)
def test_what_is_refused_says_the_field_and_what_is_wanted(line: str, message: str) -> None:
    assert message in refused(line)


def test_an_entry_needs_its_method() -> None:
    with pytest.raises(InputError, match="B: an entry needs `method`"):
        comparison.loads(HEAD.replace("{method: b}", "{dataset: x}"))


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        ("shared", "protocol: where is that said?"),
        ("{shared: true}", "where is that said? Give its locator"),
        ("{shared: maybe, locator: x}", "shared is true or false"),
        ("{shared: true, locator: x, except: [selectoin]}", "Did you mean 'selection'"),
        ("{shared: true, locater: x}", "Did you mean 'locator'"),
    ],
)
def test_a_protocol_that_nobody_can_look_up(protocol: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        comparison.loads(f"protocol: {protocol}\n" + HEAD)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("0.01, /10 every 30 epochs", "0:1e-2,30:1e-3,60:1e-4"),
        ("0.01 x0.1 every 30", "0:1e-2,30:1e-3,60:1e-4"),
        ("0.1, divided by 10 at 30, 60", "0:1e-1,30:1e-2,60:1e-3"),
        ("0,01", "1e-2"),
    ],
)
def test_a_schedule_as_a_paper_says_it(written: str, plain: str) -> None:
    a, b = (read(f"stages: [{{stage: retraining, epochs: 90, lr: '{text}'}}]") for text in (written, plain))
    assert a["retraining.lr"].value == b["retraining.lr"].value
    assert "changes every 0 epochs" in refused("stages: [{stage: retraining, epochs: 90, lr: '0.1, /10 every 0'}]")


@pytest.mark.parametrize(
    ("kind", "a", "b", "state"),
    [
        ("datasets", "ImageNet", "ILSVRC-2012", "same"),
        ("datasets", "imagenet_1k", "ILSVRC2012", "same"),
        ("datasets", "ImageNet", "ImageNet (subset?)", "alike"),
        ("datasets", "ImageNet", "ILSVRC", "alike"),
        ("datasets", "ImageNet", "Tiny-ImageNet", "different"),
        ("datasets", "CIFAR-10", "CIFAR100", "different"),
        ("datasets", "ImageNet", "MultiNLI", "different"),
        ("datasets", "mine", "Mine", "same"),
        ("networks", "ResNet-50", "torchvision resnet50", "same"),
        ("networks", "ResNet-50", "ResNet-50 v1.5", "same"),
        ("networks", "ResNet-50", "ResNet-50 v1", "alike"),
        ("networks", "ResNet-50", "resnet50d", "alike"),
        ("networks", "ResNet-50", "RN50", "alike"),
        ("networks", "ResNet-50", "ResNet-152", "different"),
        ("networks", "VGG-16", "vgg16_bn", "different"),
        ("networks", "vgg16_bn", "VGG-16-BN", "same"),
        ("networks", "DeiT-S", "deit_small_patch16_224", "same"),
        ("networks", "LLaMA-2-7B", "Llama-2-7b-hf", "same"),
        ("networks", "ResNet-50", "GoogLeNet", "different"),
    ],
)
def test_names(kind: Any, a: str, b: str, state: str) -> None:
    assert compare_names(kind, a, b) == compare_names(kind, b, a) == state


@fixed
@given(st.text(max_size=20), st.text(max_size=20))
def test_any_two_names_compare_alike_from_both_sides(a: str, b: str) -> None:
    assert compare_names("networks", a, b) == compare_names("networks", b, a)
    assert compare_names("networks", a, a) == "same" and canonical("networks", canonical("networks", a)) == canonical(
        "networks", a
    )


def test_a_name_that_is_alike_is_a_question() -> None:
    found = judge(entry("x", 76.0, network={"name": "ResNet-50 v1"}), L1)
    assert found.pair.findings["network"].why == "is `ResNet-50 v1` the ResNet-50 of B?"
    assert found.verdict.word == "undecided" and "is `ResNet-50 v1`" in found.verdict.why
    spelt = judge(entry("x", 76.0, dataset="ILSVRC2012", network__name="resnet50"), L1)
    assert (spelt.verdict.word, names(spelt)) == ("attributable", {})


def test_several_claims_in_one_document() -> None:
    entries = {"A": entry("x", 76.0), "B": L1, "C": entry("z", 75.05)}
    claims = [{"winner": "A", "loser": "B"}, {"winner": "C", "loser": "B"}, {"winner": "B", "loser": "A"}]
    text = yaml.safe_dump({"schema": comparison.SCHEMA, "claim": claims, "entries": entries})
    found = audit_claims(comparison.loads(text))
    assert [one.verdict.word for one in found] == ["attributable", "within-noise", "claim-contradicted"]
    with pytest.raises(InputError, match="unknown entry 'D'"):
        comparison.loads(text.replace("loser: A", "loser: D"))


def test_the_worst_claim_gives_the_exit_code(prunemark: Any, tmp_path: Any) -> None:
    entries = {"A": entry("x", 76.0), "B": L1, "C": entry("z", 75.05)}
    for claims, worst in (([("A", "B")], 0), ([("A", "B"), ("C", "B")], 4), ([("A", "B"), ("C", "B"), ("B", "A")], 3)):
        claim = [{"winner": a, "loser": b} for a, b in claims]
        text = yaml.safe_dump({"schema": comparison.SCHEMA, "claim": claim, "entries": entries})
        (tmp_path / "claims.yaml").write_text(text)
        code, out, _ = prunemark("audit", tmp_path / "claims.yaml", "--format", "json")
        found = json.loads(out)
        assert code == worst and (len(found) == len(claims) if len(claims) > 1 else found["exit_code"] == 0)
