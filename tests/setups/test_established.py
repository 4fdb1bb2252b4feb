"""The short way to the highest setup of a field is the long one, whatever is known of its pipelines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunemark.setups.assessment import assess, established
from prunemark.setups.comparison import HARNESS_SETUPS
from prunemark.setups.harness_factors import HARNESS_FACTORS
from prunemark.setups.pipeline import Base, Pipeline, Training
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.values import NOT_APPLICABLE, NOT_REPORTED, Between, Conflict, NotReported

fixed = settings(derandomize=True, deadline=None, database=None, max_examples=150)
STEP, NEAR = parse_schedule("0:1e-2,5:1e-3", 10), parse_schedule("0:1.01e-2,5:1e-3", 10)


def leaf(*values: Any) -> st.SearchStrategy[Any]:
    """One of these values, the first as often as all others, or a reason why there is none."""
    rest = [NOT_REPORTED, NotReported("the same"), NOT_APPLICABLE, Conflict(values), *values]
    return st.one_of(st.just(values[0]), st.just(values[0]), st.sampled_from(rest))


training = st.builds(Training, leaf(10.0, 12.0, Between(5.0, 11.0)), leaf(STEP, NEAR, parse_schedule("1e-2", 10)))
pipelines = st.builds(
    Pipeline, st.just("A"), st.just("L1"), st.sampled_from(["pruned", "pruned", "pruned", "scratch"]),
    dataset=leaf("digits", "Digits"), network=leaf("ResNet-8", "resnet8"), dense_macs=leaf(100.0, 102.0, 104.0),
    speedup=leaf(2.0, 2.03, 2.06, float("nan")), sparsity=leaf(0.5, 0.6),
    base=st.builds(Base, leaf("one", "two"), leaf("own"), leaf(90.0, 90.08)),
    pretraining=training, pruning=training, retraining=training,
)  # fmt: skip


@fixed
@given(st.lists(pipelines, min_size=2, max_size=5), st.integers(0, 3))
def test_it_is_what_an_assessment_establishes(field: list[Pipeline], copies: int) -> None:
    field = [*field, *field[:copies]]
    assert established(field) == assess(field).established


@fixed
@given(pipelines, pipelines)
def test_pipelines_of_one_reading_are_alike_to_a_factor(one: Pipeline, other: Pipeline) -> None:
    """What a factor reads is all that it judges by: of pipelines of one reading, either may stand for both."""
    for factor in HARNESS_FACTORS.values():
        same = replace(other, name="B", method="else")
        assert factor.reading(other) == factor.reading(same)
        assert factor.judge(one, other) == factor.judge(one, same)
        finding = factor.compare(one, other)
        assert (finding.state, finding.why) == factor.judge(one, other)
        if factor.reading(one) == factor.reading(other):
            assert factor.judge(one, one)[0] == factor.judge(one, other)[0] == factor.judge(other, other)[0]


def test_a_field_has_two_pipelines_and_some_agree() -> None:
    whole = Pipeline(
        "A", "L1", dataset="d", network="n", speedup=2.0, base=Base("one"), pruning=Training(0.0, STEP),
        retraining=Training(10.0, STEP),
    )  # fmt: skip
    assert established([whole, whole, whole]) == "S4.2"
    assert established([whole, replace(whole, base=Base("two"))]) == "S1"
    assert established([whole, replace(whole, speedup=3.0)]) is None
    with pytest.raises(ValueError, match="at least two"):
        established([whole])
    assert set(HARNESS_FACTORS) >= {f for setup in HARNESS_SETUPS.values() for f in setup.factors}
