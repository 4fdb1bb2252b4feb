"""Reading: values, schedules, stages, entries that contradict themselves, schema, template, explanations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.audit_pairs import STEPS

from prunemark.audit.document import json_schema
from prunemark.audit.document.comparison import loads
from prunemark.audit.document.fields import CONFOUNDERS
from prunemark.audit.document.lr_schedules import read_schedule
from prunemark.audit.document.quantities import (
    DECAY,
    RUNS,
    percent,
    printed_decimals,
    read_number,
    share,
    times,
)
from prunemark.audit.document.reported_values import read_value, word
from prunemark.audit.document.yaml_nodes import Node, node_of, parse
from prunemark.audit.judgement import contradictions
from prunemark.audit.judgement.entry_pipeline import counts_flops
from prunemark.audit.literature import template
from prunemark.audit.report import explain
from prunemark.setups.errors import InputError
from prunemark.setups.factors import FACTORS
from prunemark.setups.values import NOT_APPLICABLE, NOT_REPORTED, Between, Conflict

HOUSE = Path(__file__).parents[2]
fixed = settings(derandomize=True, deadline=None, database=None)


def value_of(text, convert=read_number):
    return read_value(parse(f"x: {text}\n".encode(), "t").entries["x"], "r", convert)


@pytest.mark.parametrize(("text", "value"), [
    ("5e-3", 0.005), ("'5e-3'", 0.005), ("90", 90.0), (".5", 0.5), ("1E2", 100.0), ("+3", 3.0),
    ("'>=3'", Between(3.0)), ("≥ 3", Between(3.0)), ("{min: 1}", Between(1.0)), ("{value: {min: 3}}", Between(3.0)),
    ("", NOT_REPORTED), ("null", NOT_REPORTED), ("~", NOT_REPORTED), ("nan", NOT_REPORTED),
    ("n/a", NOT_APPLICABLE), ("N/A", NOT_APPLICABLE), ("{value: 90, evidence: code_default}", 90.0),
    ("{range: [20, 30]}", Between(20.0, 30.0)), ("{range: [20, 20]}", 20.0),
    ("{conflict: [90, 100]}", Conflict((90.0, 100.0))),
    ("{conflict: [n/a, {min: 2}]}", Conflict((NOT_APPLICABLE, Between(2.0)))),
])  # fmt: skip
def test_every_form_of_a_value(text, value):
    assert value_of(text).value == value


def test_a_value_carries_its_evidence_and_how_it_was_printed():
    found = value_of("{value: 75.20, evidence: log}")
    assert (found.provenance, found.decimals, value_of("75.20").decimals) == ("log", 2, 2)
    assert [printed_decimals(text) for text in ("75", "75.2", "5e-3", "1.5e-1", "1e2")] == [0, 1, 3, 2, 0]


@fixed
@given(st.floats(-1e15, 1e15).filter(lambda value: not value or abs(value) >= 1e-15))
def test_numbers_read_back(value):
    assert read_number(Node("scalar", "t", repr(value))) == value


@pytest.mark.parametrize(
    "text",
    [
        "1_000",
        "0x1F",
        "1e999",
        "inf",
        "90 epochs",
        "１",
        "1,000",
        "--1",
        "1e",
        "true",
        "1e300",
        "1e-320",
        "-1e16",
        "9" * 5000,
        "0." + "0" * 60 + "1",
    ],
)
def test_what_is_no_number(text):
    with pytest.raises(InputError, match="t: (a number, as in 90 or 5e-3, is wanted|1,000 can be)"):
        read_number(Node("scalar", "t", text))


def scalar(text):
    return Node("scalar", "t", text)


def test_percent_against_fraction():
    assert (percent(scalar("75.2")), percent(scalar("0")), percent(scalar("0.5%"))) == (75.2, 0.0, 0.5)
    with pytest.raises(InputError, match="write 75.24"):
        percent(scalar("0.7524"))
    assert [share(scalar(text)) for text in ("0.9", "90", "90%", "1%", "100%", "0")] == [0.9, 0.9, 0.9, 0.01, 1.0, 0.0]
    for text in ("1", "101", "-0.1"):
        with pytest.raises(InputError, match="t: "):
            share(scalar(text))


def test_words_and_limits():
    assert (times(scalar("2.31x")), times(scalar("2")), DECAY(scalar("none"))) == (2.31, 2.0, 0.0)
    assert word(scalar(" two\n words ")) == "two words"
    with pytest.raises(InputError, match="t: a number of runs, at least 1, is wanted; given 0"):
        RUNS(scalar("0"))


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ({"kind": "step", "initial": "0.01", "milestones": [30, 60, 75], "factor": 0.1}, STEPS),
        ({"kind": "step", "initial": 0.01, "milestones": [30, 60, 75], "final": "1e-5"}, STEPS),
        ({"kind": "step", "initial": 0.01, "milestones": [30], "gamma": 0.1}, "0:1e-2,30:1e-3"),
        ({"kind": "cosine", "initial": 0.01, "final": 0}, "cosine:1e-2"),
        ({"kind": "cosine", "initial": 0.1, "final": 1e-4, "warmup": 5}, "cosine:1e-1->1e-4+warmup5"),
        ({"kind": "constant", "initial": "4e-4"}, "4e-4"),
        ({"kind": "one_cycle", "initial": 0.1}, "one-cycle:1e-1"),
        ({"kind": "halving", "initial": 0.01, "final": 0.0001}, "0:1e-2,45:1e-3,68:1e-4"),
    ],
)
def test_schedules_as_mappings(written, same):
    found = read_schedule(node_of(written, "t")).over(90)
    assert found.close_to(read_schedule(scalar(same)).over(90), tolerance_log10=1e-9)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"kind": "cosin", "initial": 1}, "unknown kind of LR schedule 'cosin'. Did you mean 'cosine'"),
        ({"kind": "cosine"}, "needs `initial`"),
        ({"kind": "step", "initial": 1}, "needs `milestones`"),
        ({"kind": "step", "initial": 1, "milestones": [3]}, "needs `factor`"),
        ({"kind": "constant", "initial": -1}, "not negative"),
        ({"kind": "constant", "initial": 1, "top": 2}, "unknown field of an LR schedule 'top'"),
        ([1], "an LR is 0:1e-2,30:1e-3 or"),
    ],
)
def test_schedules_that_cannot_be_read(written, message):
    with pytest.raises(InputError, match="t: ") as caught:
        read_schedule(node_of(written, "t"))
    assert message in str(caught.value)


def contradictions_of(entry):
    text = "schema: prunemark-comparison/1\nclaim: {winner: A, loser: B}\nentries:\n  B: {method: b}\n"
    return contradictions.contradictions(loads(text + f"  A: {{method: a, {entry[1:]}\n").entries["A"])


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        # from a README
        ("{base: {top1: 73.23}, result: {top1: 72.17, top1_drop_printed: 0.06}}", "prints a drop of 0.06"),
        ("{base: {top1: 93.53}, result: {top1: 93.77, top1_drop_printed: -0.38}}", "93.53 - 93.77 = -0.24"),
        ("{base: {top1: 76.15}, result: {top1: 74.98, top1_drop_printed: 1.17}}", None),
        ("{base: {top1: 76.15}, result: {top1: 74.98, top1_drop_printed: 1.18}}", None),  # one printed unit
        ("{base: {top1: 76.15}, result: {top1: 74.98, top1_drop_printed: 1.19}}", "prints a drop of 1.19"),
        ("{base: {top1: 76.1}, result: {top1: 74.9, top1_drop_printed: 1.17}}", None),  # tenths were printed
        ("{speedup: 2.31, network: {dense_macs_millions: 4089}, macs_kept_millions: 1770}", None),
        ("{speedup: 2.31, network: {dense_macs_millions: 4089}, macs_kept_millions: 2000}", "= 2.04"),
        ("{speedup: 3.608, macs_kept: 25.9%}", "prints a speed-up of 3.608, but keeps 25.9% of the MACs: 3.86"),
        ("{network: {dense_params_millions: 25.56}, params_kept_millions: 27}", "keeps 27 M parameters of 25.56 M"),
        ("{dataset: ImageNet, network: ResNet-50, params_kept_millions: 27}", "25.56 M (what this network has)"),
        (
            "{dataset: ImageNet, network: {name: ResNet-50}, params_kept_millions: 27}",
            "25.56 M (what this network has)",
        ),
        ("{network: {dense_params_millions: 0.85}, params_kept_millions: 0.24, params_kept: 0.3}", "28.2%"),
        ("{stages: [{stage: retraining, epochs: 60, lr: '0:1e-2,60:1e-3'}]}", "changes at epoch 60, but it lasts 60"),
        ("{stages: [{stage: retraining, epochs: 60, lr: '0:1e-2,59:1e-3'}]}", None),
        ("{stages: [{stage: retraining, lr: '0:1e-2,59:1e-3'}]}", None),
    ],
)
def test_contradictions_are_found_first(entry, fault):
    found = contradictions_of(entry)
    assert (found == ()) if fault is None else (len(found) == 1 and fault in found[0])


def test_a_part_may_be_na_and_a_network_a_name():
    text = "schema: prunemark-comparison/1\nclaim: {winner: A, loser: B}\nentries:\n  B: {method: b}\n"
    found = loads(text + "  A: {method: a, base: n/a, network: ResNet-50, recipe: , stages: n/a}\n").entries["A"]
    assert found["base.id"].value == found["base.top1"].value == NOT_APPLICABLE
    assert found["network.name"].value == "ResNet-50"
    assert found["recipe.batch_size"].value == found["retraining.epochs"].value == NOT_REPORTED
    with pytest.raises(InputError, match="base is a mapping, as in base: {id: ...}"):
        loads(text + "  A: {method: a, base: torchvision}\n")


def test_conventions_of_cost():
    said = {"2*MACs": True, "FLOPs = 2 x MACs": True, "MACs": False, "FLOPs=MACs": False, "FLOPs": True, "G": None}
    assert {text: counts_flops(text) for text in said} == said and counts_flops(NOT_REPORTED) is None


def test_the_schema_is_what_the_reader_knows():
    schema = json.loads(json_schema.dump())
    entry = schema["$defs"]["entry"]["properties"]
    assert {"speedup", "base", "stages", "recipe", "result", "network"} <= set(entry)
    assert set(entry["base"]["properties"]) >= {"id", "source", "top1"}


def test_a_field_that_nobody_knows_is_an_error_with_the_nearest_one():
    text = template.template("R011")
    loads(text)
    for right, wrong, near in (
        ("speedup:", "sped_up:", "speedup"),
        ("top1:", "top_1:", "top1"),
        ("epochs:", "epoch:", "epochs"),
        ("winner:", "winer:", "winner"),
        ("paper:", "papr:", "paper"),
    ):
        assert right in text
        with pytest.raises(InputError, match=rf"document:\d+:\d+: unknown field of .* Did you mean '{near}'"):
            loads(text.replace(right, wrong))


def test_every_factor_and_confounder_is_explained():
    for name in {*FACTORS, *CONFOUNDERS}:
        text = explain.explain(name)
        assert name in text and len(text) > 60
    assert set(explain.RULES) == set(FACTORS) and set(explain.DETAILS) == set(CONFOUNDERS) - set(FACTORS)
    assert "Table 2, S3.2" in explain.explain("retraining-LR")
    with pytest.raises(InputError, match="unknown factor 'retraining'"):
        explain.explain("retraining")


def test_a_template_can_be_read_as_it_is():
    for text in (template.template(), template.template("R001"), template.template("R254"), template.template("r400")):
        assert set(loads(text).entries) == {"A", "B"}
    assert loads(template.template("R011")).entries["A"]["result.top1"].value == 75.24
    with pytest.raises(InputError, match="no published row 'R999'"):
        template.template("R999")
