"""LR schedules: the paper's own come out, every text is read or refused, peers (torch) agree."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.guards import must_end

from prunemark.setups.errors import InputError
from prunemark.setups.schedule import LRSchedule, cosine, format_lr, from_vector, halving, parse_schedule

fixed = settings(derandomize=True, deadline=None, database=None)


positive = st.floats(min_value=0, max_value=1e6, exclude_min=True)  # subnormal numbers too


@st.composite
def schedules(draw: st.DrawFn, max_epochs: int = 40) -> LRSchedule:
    kind = draw(st.sampled_from(("step", "cosine", "one-cycle")))
    epochs = draw(st.integers(0 if kind == "step" else 1, max_epochs))
    warmup = draw(st.integers(0, epochs))
    first = draw(positive)
    if kind == "one-cycle":
        return LRSchedule("one-cycle", epochs, ((0, first),), warmup)
    if kind == "cosine":
        return cosine(first, draw(positive | st.just(0.0)), epochs, warmup_epochs=warmup)
    milestones = sorted(draw(st.sets(st.integers(1, epochs - 1), max_size=4)) if epochs > 1 else ())
    later = tuple((milestone, draw(positive | st.just(0.0))) for milestone in milestones)
    return LRSchedule("step", epochs, ((0, first), *later), warmup)


@pytest.mark.parametrize(
    ("written", "epochs", "made"),
    [
        ("0:1e-2,30:1e-3,60:1e-4,75:1e-5", 90, halving(1e-2, 1e-5, 90, cap=30)),  # Table 1, P30F90
        ("0:0.1,30:0.01,60:0.001,90:1e-4,105:1e-5", 120, halving(1e-1, 1e-5, 120, cap=30)),  # scratch
        ("0:1e-3,30:1e-4,45:1e-5", 60, halving(1e-3, 1e-5, 60, cap=30)),  # P60F60
        ("0:1e-2,30:1e-3,45:1e-4,53:1e-5", 60, halving(1e-2, 1e-5, 60, cap=30)),  # P60F60, 1e-2 of Table 4
        ("0:1e-4,15:1e-5", 30, halving(1e-4, 1e-5, 30, cap=30)),  # P90F30
        ("0:0.1,100:0.01,150:0.001", 200, halving(1e-1, 1e-3, 200)),  # CIFAR scratch, Rule 2 without a cap
        ("1e-3", 20, halving(1e-3, 1e-3, 20)),
    ],
)
def test_the_schedules_of_the_paper_come_out_of_halving(written: str, epochs: int, made: LRSchedule) -> None:
    assert made == parse_schedule(written, epochs)
    assert made.points == parse_schedule(written, epochs).points  # 1e-5 exactly, not 1.0000000000000001e-05


@pytest.mark.parametrize(
    ("pruned_at", "retraining"),
    [(30, "0:1e-2,30:1e-3,60:1e-4,75:1e-5"), (60, "0:1e-3,30:1e-4,45:1e-5"), (90, "0:1e-4,15:1e-5")],
)
def test_the_s42_rows_of_table_4_are_what_is_left_of_the_scratch_schedule(pruned_at: int, retraining: str) -> None:
    scratch = parse_schedule("0:0.1,30:0.01,60:0.001,90:1e-4,105:1e-5", 120)
    assert from_vector(scratch.vector[pruned_at:]) == parse_schedule(retraining, 120 - pruned_at)


@fixed
@given(stages=st.integers(1, 5), epochs=st.integers(1, 300), cap=st.none() | st.integers(1, 60))
def test_halving_gives_each_stage_half_of_what_is_left(stages: int, epochs: int, cap: int | None) -> None:
    final = float(f"1e-{stages}")  # from 0.1 down
    try:
        vector = halving(0.1, final, epochs, cap=cap).vector
    except InputError as problem:
        assert "too few" in str(problem) or "must increase" in str(problem)
        assert epochs < 2**stages
        return
    left = epochs
    for stage in range(1, stages):
        length = vector.count(float(f"1e-{stage}"))
        assert length == min(math.ceil(left / 2), cap or epochs)
        left -= length
    assert vector.count(final) == left and len(vector) == epochs
    assert list(vector) == sorted(vector, reverse=True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0.1, 0.03, 90), "is not the initial LR 0.1 times a power of 0.1"),
        ((0.01, 0.1, 90), "is not the initial LR"),
        ((0.1, 0.0, 90), "is not the initial LR"),
        ((0.1, math.nan, 90), "is not the initial LR"),
        ((0.1, 1e-4, 3), "3 epochs are too few for 4 LR stages"),
    ],
)
def test_halving_refuses_what_it_cannot_do(arguments: tuple[float, float, int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        halving(*arguments)
    with pytest.raises(InputError, match="cap of an LR stage is at least 1"):
        halving(0.1, 0.01, 10, cap=0)


@fixed
@given(schedules())
@example(LRSchedule("step", 0, ((0, 1.0),)))
@example(cosine(5e-324, 0.0, 3, warmup_epochs=3))
def test_what_is_printed_reads_back_the_same(schedule: LRSchedule) -> None:
    again = parse_schedule(str(schedule), schedule.epochs)
    assert again == schedule and hash(again) == hash(schedule)
    assert (again.points, again.warmup_epochs) == (schedule.points, schedule.warmup_epochs)


@fixed
@given(positive | st.just(0.0))
def test_a_printed_lr_is_exact(lr: float) -> None:
    assert float(format_lr(lr)) == lr


def test_lrs_are_printed_as_the_paper_prints_them() -> None:
    assert [format_lr(lr) for lr in (0.1, 0.01, 1e-5, 0.025, 1.0, 30.0, 0.0)] == [
        "1e-1", "1e-2", "1e-5", "2.5e-2", "1e0", "3e1", "0",
    ]  # fmt: skip
    for wrong in (-0.1, math.inf, math.nan):
        with pytest.raises(InputError, match="an LR is a positive finite number"):
            format_lr(wrong)


@fixed
@given(st.lists(positive, min_size=1, max_size=30), st.data())
def test_any_executed_vector_can_be_printed(vector: list[float], data: st.DataObject) -> None:
    repeated = tuple(lr for lr in vector for _ in range(data.draw(st.integers(1, 3))))
    schedule = from_vector(repeated)
    assert schedule.vector == repeated
    assert parse_schedule(str(schedule), len(repeated)) == schedule


def test_a_vector_that_begins_with_epochs_at_lr_zero_can_be_printed() -> None:
    assert from_vector((0.0, 0.0, 0.1)).vector == (0.0, 0.0, 0.1)


def test_equal_is_equal_epoch_by_epoch_however_it_is_written() -> None:
    ways = [
        parse_schedule(text, 20)
        for text in ("1e-2", "0:0.01", "0:.01, 5:1E-02", " 0:10e-3 ", "cosine:1e-2->1e-2", "0:1e-2,19:0.010")
    ]
    ways.append(from_vector((0.01,) * 20))
    assert len(set(ways)) == 1 and all(way == ways[0] for way in ways)
    others = [
        parse_schedule("1e-2", 21),
        parse_schedule("0:1e-2,19:1e-3", 20),
        parse_schedule("1e-2+warmup1", 20),
    ]
    assert all(other != ways[0] for other in others) and ways[0] != "1e-2"


def test_close_is_within_a_tolerance_in_log10() -> None:
    one = parse_schedule("0:1e-2,30:1e-3", 60)
    assert one.close_to(parse_schedule("0:1.04e-2,30:1e-3", 60))  # log10(1.04) = 0.0170
    assert not one.close_to(parse_schedule("0:1.05e-2,30:1e-3", 60))  # log10(1.05) = 0.0212
    assert not one.close_to(parse_schedule("0:1e-2,30:1e-3", 61))
    assert not one.close_to(parse_schedule("0:1e-2,31:1e-3", 60))
    ends = [parse_schedule(text, 60) for text in ("0:1e-2,30:0", "0:1e-2,30:1e-30")]
    assert ends[0].close_to(ends[0]) and not ends[0].close_to(ends[1])


ALPHABET = "0123456789.eE+-:,> cosine-cyclewarmup\tinfna"


REAL = ("0:1e-2,30:1e-3", "cosine:1e-2->1e-4", "one-cycle:1e-1", "1e-3+warmup5")


@st.composite
def nearly_schedules(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(REAL))
    for _ in range(draw(st.integers(1, 3))):
        cut = draw(st.integers(0, len(text)))
        text = text[:cut] + draw(st.text(ALPHABET, max_size=3)) + text[cut + draw(st.integers(0, 2)) :]
    return text


@fixed
@given(st.text(ALPHABET, max_size=40) | st.text(max_size=20) | nearly_schedules(), st.integers(-5, 200))
@example("", 5)
@example("0:1e999", 5)
@example("one-cycle:1e-1->1e-3", 5)
@example("0:1e-2,999999:1e-3", 10)
@example("٠:١", 5)  # digits, but not ASCII
def test_any_text_is_read_or_refused(text: str, epochs: int) -> None:
    try:
        schedule = parse_schedule(text, epochs)
    except InputError:
        return
    assert len(schedule.vector) == epochs and str(parse_schedule(str(schedule), epochs)) == str(schedule)


@pytest.mark.parametrize("text", ["1" * 5000 + "x", "cosine:" + "1" * 5000 + "x"])
def test_a_long_text_is_refused_and_keeps_nobody_busy(text: str) -> None:
    with must_end(), pytest.raises(InputError):
        parse_schedule(text, 10)


@pytest.mark.parametrize(
    ("text", "epochs", "words"),
    [
        ("fast", 10, "cannot read the LR schedule 'fast'"),
        ("fast", 10, "Write 0:1e-2,30:1e-3 or cosine"),
        ("5:1e-2", 10, "starts at epoch 0"),
        ("0:1e-2,5:1e-3,5:1e-4", 10, "milestones must increase; given 0, 5, 5"),
        ("0:1e-2,10:1e-3", 10, "the LR milestone at epoch 10 lies past the end \\(10 epochs\\)"),
        ("0:-1e-2", 10, "cannot read"),
        ("1e-2+warmup11", 10, "warm-up of 11 epochs does not fit into 10"),
        ("1e-2", 100_001, "lasts 0 to 100000 epochs; given 100001"),
        ("1e-2", -1, "lasts 0 to 100000 epochs; given -1"),
        ("cosine:nan->0", 10, "cannot read"),
        ("cosine:1e999->0", 10, "finite"),
    ],
)
def test_a_refusal_says_what_is_wrong(text: str, epochs: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_schedule(text, epochs)


def test_the_last_lr_and_the_first_drop() -> None:
    assert parse_schedule("0:1e-2,30:1e-3,60:1e-4", 90).first_drop == 30
    assert parse_schedule("0:1e-2,30:1e-3,60:1e-4", 90).final == 1e-4
    assert parse_schedule("1e-2", 90).first_drop == 90
    assert parse_schedule("0:1e-2,5:1e-1,9:1e-3", 12).first_drop == 9  # a rise is no drop
    assert parse_schedule("cosine:1e-2", 90).first_drop == 1
    assert parse_schedule("1e-2", 0).final == 0.01 and parse_schedule("1e-2", 0).first_drop == 0


def test_stretched_keeps_the_relative_places() -> None:
    assert parse_schedule("0:1e-1,10:1e-2,15:1e-3", 20).stretched(40) == parse_schedule("0:1e-1,20:1e-2,30:1e-3", 40)
    assert parse_schedule("0:1e-2,36:1e-3,48:1e-4,54:1e-5", 60).stretched(90).points == (
        (0, 1e-2), (54, 1e-3), (72, 1e-4), (81, 1e-5),
    )  # fmt: skip
    assert parse_schedule("cosine:1e-2->1e-4+warmup5", 100).stretched(20) == parse_schedule(
        "cosine:1e-2->1e-4+warmup1", 20
    )
    assert parse_schedule("one-cycle:1e-1", 30).stretched(7) == parse_schedule("one-cycle:1e-1", 7)
    with pytest.raises(InputError, match="must increase"):
        parse_schedule("0:1e-1,10:1e-2,11:1e-3", 20).stretched(4)


@fixed
@given(schedules(), st.integers(0, 80))
def test_stretched_over_anything_is_a_schedule_or_refused(schedule: LRSchedule, epochs: int) -> None:
    assert schedule.stretched(schedule.epochs) == schedule
    try:
        other = schedule.stretched(epochs)
    except InputError:
        return
    assert other.epochs == epochs == len(other.vector)
    assert [lr for _, lr in other.points] == [lr for _, lr in schedule.points]
