"""What is not reported, disputed or a range: it decides only what every reading of it decides."""

from __future__ import annotations

import pytest
from support.audit_pairs import GREG, L1, PRUNING_OF_A, RETRAINING_OF_A, entry, judge, names, setups

from prunemark.audit.judgement.verdict import EXIT_CODES, VERDICTS
from prunemark.audit.report.content import as_dict


def test_unknown_noise_gives_no_positive_verdict() -> None:
    single = {"result__top1_sd": None, "result__runs": 1, "network": {"name": "MobileNet"}}
    found = judge(entry("x", 80.0, **single), entry("y", 70.0, **single))
    assert found.verdict.word == "undecided" and "noise is unknown" in found.verdict.why
    assert as_dict(found)["difference"]["interval"] is None and "top1_sd" in found.missing


def test_silence_does_not_score_better_than_disclosure() -> None:
    disclosed = judge(entry("x", 76.0, retraining__epochs=120), L1)
    silent = judge(entry("x", 76.0, retraining__epochs=None), L1)
    assert (disclosed.verdict.word, silent.verdict.word) == ("confounded", "undecided")
    assert silent.verdict.exit_code != 0


def test_every_verdict_has_a_meaning_and_a_code() -> None:
    assert set(EXIT_CODES) == set(VERDICTS) and set(EXIT_CODES.values()) == {0, 3, 4}
    assert {w for w, c in EXIT_CODES.items() if c == 0} == {"attributable", "attributable-cross-validated", "supported"}
    assert {w for w, c in EXIT_CODES.items() if c == 4} == {
        "undecided", "within-noise", "attributable-presumed", "supported-presumed",
    }  # fmt: skip


def test_an_lr_that_starts_elsewhere_is_another_one_however_long_it_lasts() -> None:
    """Table 3: SSL states an LR of 0.01 and no epochs, L1-norm 0.001 for 20 epochs."""
    ssl = entry("SSL", 74.0, retraining__epochs=None, retraining__lr=0.01)
    found = judge(entry("L1-norm", 75.0, retraining__epochs=20, retraining__lr=0.001), ssl)
    assert "S3.1:undecidable S3.2:refuted" in setups(found) and names(found) == {"retraining_lr": "B"}
    same = judge(entry("L1-norm", 75.0, retraining__epochs=20, retraining__lr=0.01), ssl)
    assert "S3.1:undecidable S3.2:undecidable" in setups(same)


def test_a_range_decides_what_every_number_in_it_decides_within_the_tolerance() -> None:
    near = judge(entry("x", 76.0, speedup={"range": [2.28, 2.30]}), L1)
    assert near.pair.findings["compression"].state == "holds"
    source = {"id": None, "source": "torchvision"}
    winner = entry("x", 76.0, base=source | {"top1": {"range": [76.05, 76.10]}})
    found = judge(winner, entry("y", 75.0, base=source | {"top1": 76.13}))
    assert found.pair.findings["base_accuracy"].state == "holds" and found.pair.assessment.established == "S4.2"
    partly = judge(entry("x", 76.0, speedup={"range": [2.1, 2.30]}), L1)
    assert partly.pair.findings["compression"].state == "undecidable"
    apart = judge(entry("x", 76.0, speedup={"range": [1.9, 2.1]}), L1)
    assert apart.verdict.word == "compression-mismatch"
    assert judge(entry("x", 76.0, dataset={"range": [1, 2]}), entry("y", 75.0, dataset={"range": [3, 4]})).verdict.word


def test_schedules_of_different_length_differ_even_if_a_length_is_not_one_number() -> None:
    """Table 3: Taylor-FO retrains for about 25 epochs, 0.01 step 10/20."""
    taylor = {"retraining__epochs": {"range": [20, 30]}, "retraining__lr": "0:1e-2,10:1e-3,20:1e-4"}
    found = judge(L1, entry("Taylor-FO", 74.0, **taylor))
    assert "S3.1:refuted S3.2:refuted" in setups(found)
    assert names(found) == {"retraining_epochs": "A", "retraining_lr": "A"}
    silent = judge(L1, entry("GAL", 74.0, retraining__epochs=30, retraining__lr=None))
    assert silent.pair.findings["retraining_lr"].state == "undecidable"


def test_what_a_whole_pipeline_costs_is_named_where_it_is_known_to_differ() -> None:
    found = judge(entry("GReg-2", 76.0, retraining__epochs=120), L1)
    assert names(found) == RETRAINING_OF_A
    dearer = judge(entry("GReg-2", 76.0, pruning__epochs=30, pruning__lr="1e-3"), L1)
    assert names(dearer) == PRUNING_OF_A
    assert dearer.verdict.word == "attributable"


def test_a_source_is_one_however_its_name_is_written() -> None:
    a, b = ({"source": name, "top1": 76.13} for name in ("torchvision", "Torchvision"))
    found = judge(entry("x", 76.0, base=a), entry("y", 75.0, base=b))
    assert (found.pair.assessment.established, found.presumed) == ("S4.2", ("base_model",))
    silent = judge(entry("x", 76.0, base=a), entry("y", 75.0, base={"source": "torchvision"}))
    assert (silent.pair.assessment.established, silent.verdict.word) == ("S1", "undecided")


@pytest.mark.parametrize("words", ["best_of_3_runs", "best of 3", "best-of-3"])
def test_the_best_of_so_many_runs_is_inflated(words: str) -> None:
    winner = entry("x", 75.4, result={"top1": 75.4, "top1_sd": 0.1, "runs": 3, "selection": words})
    found = judge(winner, L1)
    assert found.gap.asides[-1].points == pytest.approx(0.4 - 0.085, abs=0.001)
    assert found.verdict.word == "confounded" and names(found) == {"selection": "A"}


def test_dense_costs_in_doubt_leave_the_training_flops_in_doubt() -> None:
    unclear = judge(entry("x", 76.0, network__dense_macs_millions=8178, base={}), L1)
    assert unclear.pair.findings["total_flops"].state == "undecidable" and "total_flops" not in names(unclear)


def test_runs_that_are_not_reported_are_missing_once() -> None:
    silent = {"result": {"top1": 93.0}, "network": {"name": "VGG-16"}}
    assert judge(entry("x", 93.0, **silent), entry("y", 92.0, **silent)).missing == ("runs",)


def test_an_accuracy_that_sources_dispute_decides_what_every_choice_decides() -> None:
    disputed = judge(entry("x", {"conflict": [76.0, 75.6]}), L1)
    assert disputed.verdict.word == "attributable" and disputed.missing == ()
    assert judge(entry("x", {"conflict": [76.0, 75.05]}), L1).verdict.word == "within-noise"
    assert judge(entry("x", {"range": [74.0, 76.0]}), L1).verdict.word not in ("attributable", "claim-contradicted")
    assert judge(entry("x", {"conflict": [74.0, 73.0]}), L1).verdict.word == "claim-contradicted"
    assert judge(entry("x", {"min": 76.0}), L1).verdict.word == "undecided"


def test_one_recipe_for_all_covers_the_stages_that_nobody_lists() -> None:
    """PruningBench lists no retraining at all; `stages: {same_as: B}` says that there is one, and only one."""
    silent = entry("OBD-C", 75.0, stages=[{"stage": "pruning", "epochs": 0}])
    assert judge(entry("FPGM", 76.0, stages={"same_as": "B"}), silent).pair.assessment.established == "S4.2"
    assert judge(silent, entry("FPGM", 74.0, stages={"same_as": "A"})).verdict.word == "attributable"
    one_stage = [{"stage": "pruning", "epochs": 0}, {"stage": "retraining", "same_as": "B"}]
    assert judge(entry("FPGM", 76.0, stages=one_stage), L1).pair.assessment.established == "S4.2"


def test_the_runs_to_settle_are_those_of_the_reading_that_drowns_in_noise() -> None:
    found = judge(entry("x", 75.6, base__id="other", base__top1=76.7), L1)  # +0.6 in accuracy, +0.03 in drop
    assert found.verdict.word == "within-noise" and found.next_experiments[0].startswith(
        "175 runs per arm (a gap of 0.03"
    )


def test_pipelines_whose_every_stage_is_declared_the_same_cost_the_same() -> None:
    silent = entry("OBD-C", 75.0, stages=[{"stage": "pruning", "epochs": 0}])
    states = judge(entry("FPGM", 76.0, stages={"same_as": "B"}), silent).pair.assessment.setups
    assert (states["SX-A"], states["SX-B"]) == ("holds", "holds")
    more = judge(entry("FPGM", 76.0, stages={"same_as": "B"}, speedup=3.0), silent).pair.assessment.setups
    assert (more["SX-A"], more["SX-B"]) == ("holds_a_fortiori", "undecidable")
    states = judge(entry("FPGM", 76.0, stages=silent["stages"]), silent).pair.assessment.setups
    assert (states["SX-A"], states["SX-B"]) == ("undecidable", "undecidable")


def test_without_an_accuracy_nothing_is_said_about_noise() -> None:
    found = judge(entry("x", None), L1)
    assert (found.verdict.word, found.missing) == ("undecided", ("top1",))
    assert found.next_experiments == ("report the accuracy of A and B",)


def test_a_spread_given_as_a_range_counts_by_its_worse_end() -> None:
    wide = judge(entry("x", 75.3, result__top1_sd={"range": [0.1, 0.6]}), L1)
    assert (wide.verdict.word, wide.gap.sd_source, wide.missing) == ("within-noise", "stated", ())
    assert judge(entry("x", 75.3, result__top1_sd={"conflict": [0.1, 0.12]}), L1).verdict.word == "attributable"
    least = judge(entry("x", 75.3, result__top1_sd={"min": 0.1}), L1)
    assert least.gap.sd_source == "prior and stated"


def test_a_fault_of_a_schedule_is_told_in_plain_numbers() -> None:
    late = judge(entry("x", 76.0, retraining__epochs=60), L1)
    assert late.verdict.word == "inconsistent-record" and "at epoch 75, but it lasts 60 epochs" in late.verdict.why
    ranged = judge(entry("x", 76.0, retraining__epochs={"range": [20, 30]}), L1)
    assert ranged.verdict.word == "inconsistent-record" and "lasts 20 to 30 epochs" in ranged.verdict.why


def test_a_linear_decay_is_read() -> None:
    linear = {"kind": "linear", "initial": "1e-2", "final": 0}
    found = judge(entry("x", 76.0, retraining__lr=linear), entry("y", 75.0, retraining__lr=dict(linear)))
    assert found.pair.assessment.established == "S4.2"
    other = judge(entry("x", 76.0, retraining__lr=linear), L1)
    assert other.pair.findings["retraining_lr"].state == "refuted"


def test_label_smoothing_favours_the_side_that_has_it() -> None:
    assert names(judge(entry("x", 76.0, recipe__label_smoothing=0.1), L1)) == {"label_smoothing": "A"}
    less = judge(GREG, entry("y", 75.0, recipe__label_smoothing=0.1))
    assert (less.verdict.word, names(less)) == ("attributable", {"label_smoothing": "B"})
