"""What new records have to stand, on synthetic ones: sound ones pass, and every way to cheat or to err is named."""

import dataclasses
import hashlib

import pytest

from prunemark.contributions.contribution import Contribution
from prunemark.contributions.review import review
from prunemark.records.outcome import Failure
from prunemark.records.source import MethodFiles

MINE = MethodFiles("Mine", (("mine.py", "class Mine:\n    pass\n"),))
SHIPPED = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("L1-norm", "Random", "Magnitude")}
NOTHING = Contribution((), {}, {})
DECIDED = {"kept": {"a": [0, 3, 5, 6]}, "masks": {}}


@pytest.fixture
def records(make_record):
    """Those of one submission with one seed: itself, anchor, random control and the two references."""
    return [
        make_record("Mine", source=MINE.source_sha256),
        make_record("L1-norm", role="anchor", source=SHIPPED["L1-norm"]),
        make_record("Random", role="control", source=SHIPPED["Random"]),
        make_record("Scratch", role="reference", kind="scratch", source=""),
        make_record("Dense", role="reference", kind="dense", source="", level="dense"),
    ]


def contribution(records, sources=(MINE,), **decisions):
    decided = {r.record_sha256: DECIDED for r in records if r.outcome.method.kind == "pruned" and r.outcome.compression}
    return Contribution(tuple(records), {text.source_sha256: text for text in sources}, decided | decisions)


def found(new, held=NOTHING):
    return [(finding.state, finding.text) for finding in review(new, held, SHIPPED)]


def changed(record, **how):
    return dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, **how))


def test_a_sound_contribution_has_no_finding(records):
    assert found(contribution(records)) == []
    assert found(contribution(records[:1]), contribution(records[1:], ())) == []


def test_what_failed_needs_no_decision(records, make_record):
    failed = make_record(
        "Mine", seed=1, source=MINE.source_sha256, status="failed", failure=Failure("pruning", "ValueError")
    )
    assert found(contribution([*records, failed])) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"status": "failed", "failure": Failure("pruning", "ValueError")}, "ended as failed, but has an accuracy or"),
        ({"status": "noncompliant", "accuracy": None, "weights_sha256": None}, "as noncompliant, but has an accuracy"),
        ({"accuracy": None}, "ended well, it says, but lacks its accuracy or its weights"),
        ({"weights_sha256": None}, "ended well, it says, but lacks its accuracy or its weights"),
        ({"failure": Failure("pruning", "ValueError")}, "ended well, it says, but lacks its accuracy or its weights"),
    ],
)
def test_a_result_is_there_if_and_only_if_the_trial_ended_well(records, change, said):
    new = [changed(records[0], **change), *records[1:]]
    assert any(said in text for _, text in found(contribution(new)))


@pytest.mark.parametrize(
    ("there", "brought", "named"),
    [
        (range(5), range(5, 8), ""),  # any number of seeds may be added, by anybody
        ((), range(3), ""),
        (range(5), (4,), ""),
        (range(5, 8), range(5), ""),  # a gap is filled
        (range(3), (3, 5, 6), "seeds 5, 6 do not count before seed 4 is there"),
        ((), (2,), "seeds 2 do not count before seed 0 is there"),
    ],
)
def test_seeds_that_were_skipped_are_named_and_break_nothing(make_record, there, brought, named):
    def anchors(seeds):
        return [make_record("L1-norm", seed, role="anchor", source=SHIPPED["L1-norm"]) for seed in seeds]

    held = contribution([*anchors(there), make_record("Other", 1, setup="S2")], ())
    new = contribution([r for r in anchors(brought) if r.outcome.seed not in set(there)], ())
    expected = [("noted", f"L1-norm, digits-resnet8@1, S3.2, 90%: {named}")] if named else []
    assert found(new, held) == expected


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"track": "mnist@1"}, "is of track 'mnist@1', which this version does not know. Known: cifar10-"),
        ({"track_terms": {"margin_pp": 9}}, "was run under other terms than those of track digits-resnet8@1"),
        ({"level": "91%"}, "is of level '91%', which track digits-resnet8@1 does not have"),
        ({"macs_convention": "a MAC is two"}, "counts MACs by another convention ('a MAC is two')"),
        ({"setup": "S9"}, "is of setup 'S9', which this version does not know"),
    ],
)
def test_the_rules_are_those_of_this_repository(records, change, said):
    new = [changed(records[0], **change), *records[1:]]
    assert [text for _, text in found(contribution(new))] == [
        next(text for _, text in found(contribution(new)) if said in text)
    ]


@pytest.mark.parametrize(
    ("which", "change", "said"),
    [
        (0, {"source_sha256": "e" * 64}, "was run from source eeeeeeeeeeee, which is not in methods/"),
        (0, {"name": "Other"}, "goes by a name that no class of its source has (Mine)"),
        (0, {"name": "Magnitude"}, "goes by the name or the part of a method that ships"),
        (0, {"role": "anchor"}, "goes by the name or the part of a method that ships"),
        (1, {"source_sha256": MINE.source_sha256}, "goes by the name or the part of a method that ships"),
        (3, {"source_sha256": MINE.source_sha256}, "is a scratch run that claims code"),
        (4, {"role": "submission"}, "is a dense run that claims code or another part"),
        (2, {"role": "anchor"}, "takes the part of anchor, which is that of L1-norm"),
        (1, {"role": "control"}, "takes the part of control, which is that of Random"),
        (3, {"name": "FPGM"}, "takes the part of reference, which is that of Scratch"),
        (4, {"name": "Scratch"}, "takes the part of reference, which is that of Dense"),
        (3, {"settings": {"x": 1}}, "takes the part of reference with settings {'x': 1}; it has none"),
    ],
)
def test_nobody_goes_by_a_name_that_is_not_his(records, which, change, said):
    method = dataclasses.replace(records[which].outcome.method, **change)
    records[which] = changed(records[which], method=method)
    texts = [text for _, text in found(contribution(records))]
    assert any(said in text for text in texts), texts


def test_nobody_replaces_the_anchor_by_one_with_other_settings(records, make_record):
    """All others would be compared with it, since it is newer."""
    held = contribution(records)
    other = [
        make_record("L1-norm", seed, role="anchor", source=SHIPPED["L1-norm"], settings={"allocation": "global"})
        for seed in range(5)
    ]
    said = found(contribution(other, ()), held)
    assert len(said) == 5 and all("with settings {'allocation': 'global'}; it has none" in text for _, text in said)
    matched = {"layer_ratios_of": "Mine cccccccc ()"}
    control = make_record("Random", 0, role="control", source=SHIPPED["Random"], settings=matched)
    assert found(contribution([control], ()), held) == []


def test_older_code_of_a_shipped_method_stands_where_the_board_has_it_already(make_record):
    old = MethodFiles("L1Norm", (("l1_norm.py", "class L1Norm:\n    pass\n"),))
    before, after = (make_record("L1-norm", seed=s, role="anchor", source=old.source_sha256) for s in (0, 1))
    assert found(contribution([after], [old]), contribution([before], [old])) == []
    assert [state for state, _ in found(contribution([after], [old]))] == ["broken", "noted"]


def test_a_decision_is_there_and_is_the_records_own(records):
    new = contribution(records)
    sha = records[0].record_sha256
    without = dataclasses.replace(new, decisions={k: v for k, v in new.decisions.items() if k != sha})
    assert "comes without its decision" in found(without)[0][1]
    other = contribution(records, **{sha: {"kept": {"a": [3, 4]}, "masks": {}}})
    assert "layer a keeps 4 by the record, 2 by the decision" in found(other)[0][1]


def test_what_belongs_to_no_record_is_not_carried_along(records):
    stray = MethodFiles("Stray", (("stray.py", "class Stray:\n    pass\n"),))
    outside = MethodFiles("Mine", (("../mine.py", "class Mine:\n    pass\n"),))
    assert [text for _, text in found(contribution(records, [MINE, stray]))] == [
        f"source {stray.source_sha256[:12]} is that of no record"
    ]
    assert outside.source_sha256 == MINE.source_sha256, "the hash names files without their folders"
    assert "not a plain relative path" in found(contribution(records, [outside]))[0][1]
    assert (
        "a decision is there for record cccccccccccc, which is not"
        in (found(contribution(records, **{"c" * 64: DECIDED}))[0][1])
    )
    again = Contribution((), {}, {records[0].record_sha256: DECIDED})
    assert "a second decision is there" in found(again, contribution(records))[0][1]


def test_a_trial_that_is_there_is_not_brought_again(records, make_record):
    again = make_record("Mine", source=MINE.source_sha256, finished="2027-01-01T00:00:00")
    state, text = found(contribution([again], ()), contribution(records))[0]
    assert state == "broken" and "the trial is there already" in text and "Leave it out, as --contribute does" in text
    assert len(found(contribution([*records, again]))) == 1, "nor twice in one contribution"


def test_two_outcomes_of_one_trial_cannot_both_be(records, make_record):
    better = make_record("L1-norm", role="anchor", source=SHIPPED["L1-norm"], percent=99.0)
    state, text = found(contribution([better], ()), contribution(records))[0]
    assert state == "broken" and "accuracy.test_percent is 95.0 there, 99.0 here" in text
    elsewhere = dataclasses.replace(better, observed=dataclasses.replace(better.observed, hardware="another"))
    state, text = found(contribution([elsewhere], ()), contribution(records))[0]
    assert state == "undecided" and "processor: recorded a processor, here another" in text
