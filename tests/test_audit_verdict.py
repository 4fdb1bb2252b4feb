"""Verdicts, setups and confounders from real cases: each rule of the decision seen from both sides."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from prunemark.audit.document import loads
from prunemark.audit.referee import Audit, audit
from prunemark.audit.verdict import EXIT_CODES, WORDS
from prunemark.audit.view import as_dict

STEPS = "0:1e-2,30:1e-3,60:1e-4,75:1e-5"
SCRATCH = "0:1e-1,30:1e-2,60:1e-3,90:1e-4,105:1e-5"


def entry(method: str, top1: float, **changes: Any) -> dict[str, Any]:
    """A pruned ResNet-50 of which all is known; `a__b=x` changes the leaf a.b."""
    made: dict[str, Any] = {
        "method": method,
        "dataset": "ImageNet",
        "network": {"name": "ResNet-50", "dense_macs_millions": 4089},
        "speedup": 2.31,
        "base": {"id": "torchvision-v1", "top1": 76.13},
        "stages": [
            {"stage": "pretraining", "epochs": 90, "lr": "0:1e-1,30:1e-2,60:1e-3"},
            {"stage": "pruning", "epochs": 0},
            {"stage": "retraining", "epochs": 90, "lr": STEPS},
        ],
        "recipe": {
            "batch_size": 256,
            "weight_decay": "1e-4",
            "label_smoothing": 0,
            "distillation": "none",
            "augmentation": "standard",
        },
        "result": {"top1": top1, "top1_sd": 0.1, "runs": 5, "selection": "last"},
    }
    for path, value in changes.items():
        *parts, last = path.split("__")
        place = made
        for part in parts:
            place = next(s for s in made["stages"] if s["stage"] == part) if part.endswith("ing") else place[part]
        place[last] = value
    return made


def judge(a: dict[str, Any], b: dict[str, Any], cross: Any = None, **claim: Any) -> Audit:
    document = {
        "schema": "prunemark-comparison/1",
        "claim": {"winner": "A", "loser": "B", **claim},
        "entries": {"A": a, "B": b},
    }
    if cross:
        document["cross"] = cross
    return audit(loads(yaml.safe_dump(document, sort_keys=False)))


def names(found: Audit) -> dict[str, str | None]:
    return {c.name: c.favours for c in found.differing}


def setups(found: Audit) -> str:
    return " ".join(f"{id}:{found.pair.assessment.setups[id]}" for id in ("S1", "S2", "S3.1", "S3.2", "S4.1", "S4.2"))


RETRAINING_OF_A: dict[str, str | None] = dict.fromkeys(
    ("retraining_epochs", "retraining_lr", "total_epochs", "total_flops"), "A"
)
LESS_OF_A: dict[str, str | None] = dict.fromkeys(("retraining_epochs", "retraining_lr", "total_epochs"), "B")
PRUNING_OF_A: dict[str, str | None] = dict.fromkeys(("pruning_epochs", "total_epochs", "total_flops"), "A")
GREG, L1 = entry("GReg-2", 76.0), entry("L1-norm", 75.0)


def test_everything_equal_is_attributable_at_equal_pruning_cost() -> None:
    found = judge(GREG, L1)
    assert found.verdict.word == "attributable" and "at equal pruning cost" in found.verdict.why
    assert (found.pair.assessment.established, found.unknown, names(found)) == ("S4.2", (), {})
    assert found.settle == ()


@pytest.mark.parametrize(
    ("change", "word", "favours"),
    [
        ({"retraining__epochs": 120}, "confounded", RETRAINING_OF_A),
        ({"retraining__lr": "0:2e-2,30:2e-3,60:2e-4,75:1e-5"}, "confounded", {"retraining_lr": "A"}),
        ({"retraining__epochs": 80}, "a-fortiori", LESS_OF_A),
        ({"base__id": "other", "base__top1": 76.3}, "confounded", {"base_model": "A"}),
        ({"base__id": "other", "base__top1": 75.5}, "a-fortiori", {"base_model": "B"}),
        ({"pruning__epochs": 10, "pruning__lr": "1e-3"}, "attributable", PRUNING_OF_A),
        ({"recipe__distillation": "teacher"}, "confounded", {"distillation": "A"}),
        ({"recipe__batch_size": 128}, "confounded", {"batch_size": None}),
        ({"recipe__weight_decay": "1.0e-4"}, "attributable", {}),
        ({"speedup": 2.0}, "compression-mismatch", {}),
        ({"speedup": 3.0}, "attributable", {"total_flops": "B"}),
        ({"dataset": "CIFAR-10"}, "not-comparable", {}),
        ({"network__dense_macs_millions": 4800}, "not-comparable", {"network": None, "total_flops": "A"}),
        ({"method": "l1 norm"}, "not-a-pruning-effect", {}),
        ({"source": {"quoted": True}}, "attributable", {"quoted": "B"}),
        ({"result__top1": 75.02}, "within-noise", {}),
        ({"result__top1": 74.0}, "claim-contradicted", {}),
        ({"result__top1_drop_printed": 0.13}, "attributable", {}),
        ({"result__top1_drop_printed": 0.31}, "inconsistent-record", {}),
        ({"base__id": None}, "undecided", {}),
        ({"retraining__lr": None}, "undecided", {}),
    ],
)
def test_one_change_of_the_winner(change: dict[str, Any], word: str, favours: dict[str, str | None]) -> None:
    found = judge(entry(change.get("method", "GReg-2"), 76.0, **{k: v for k, v in change.items() if k != "method"}), L1)
    assert (found.verdict.word, names(found)) == (word, favours)
    assert found.verdict.exit_code == EXIT_CODES[word] and word in WORDS


def test_a_code_default_alone_never_establishes_s32() -> None:
    graded = {"value": STEPS, "evidence": "code_default"}
    for change in (
        {"retraining__lr": graded},
        {"retraining__evidence": {"lr": "code_default"}},
        {"evidence": {"retraining.lr": "code_default"}},
    ):
        found = judge(entry("GReg-2", 76.0, **change), L1)
        assert (found.verdict.word, found.pair.assessment.established) == ("undecided", "S3.1")
        assert found.unknown == ("retraining_lr",) and any("code_default" in note for note in found.notes)
    log = judge(entry("GReg-2", 76.0, retraining__lr={"value": STEPS, "evidence": "log"}), L1)
    assert log.verdict.word == "attributable"


def test_a_benchmark_that_declares_one_recipe_for_all_reaches_s42() -> None:
    """PruningBench states no retraining, but one for all: what is not reported was declared to be the same."""
    silent = entry("OBD-C", 75.0, retraining__epochs=None, retraining__lr=None)
    same = entry("FPGM", 76.0, retraining__epochs={"same_as": "B"}, retraining__lr={"same_as": "B"})
    found = judge(same, silent)
    assert (found.pair.assessment.established, found.verdict.word) == ("S4.2", "attributable")
    nothing = copy.deepcopy(silent)
    nothing["stages"] = [stage for stage in silent["stages"] if stage["stage"] != "retraining"]
    assert judge(same, nothing).pair.assessment.established == "S4.2"
    assert judge(entry("FPGM", 76.0, stages={"same_as": "B"}), silent).pair.assessment.established == "S4.2"
    assert judge(entry("FPGM", 76.0, base={"same_as": "B"}), L1).pair.assessment.established == "S4.2"
    assert judge(silent, copy.deepcopy(silent)).pair.assessment.established == "S2"


def test_conflicts_ranges_and_minima() -> None:
    hrank = {"conflict": ["0:1e-2,10:1e-3,20:1e-4", "0:1e-2,5:1e-3,10:1e-4"]}
    both_lose = judge(GREG, entry("HRank", 74.0, retraining__epochs=30, retraining__lr=hrank))
    assert "S3.2:refuted" in setups(both_lose) and names(both_lose)["retraining_lr"] == "A"
    one_wins = judge(GREG, entry("Taylor-FO", 74.0, retraining__lr={"conflict": [STEPS, "1e-3"]}))
    assert "S3.2:undecidable" in setups(one_wins) and one_wins.verdict.word == "undecided"
    assert "S3.1:undecidable" in setups(judge(GREG, entry("x", 74.0, retraining__epochs={"range": [80, 100]})))
    assert "S3.1:refuted" in setups(judge(GREG, entry("x", 74.0, retraining__epochs={"range": [20, 30]})))
    least = judge(entry("GReg-2", 76.0, pruning__epochs={"min": 1}), L1)
    assert "S4.1:refuted" in setups(least) and least.verdict.word == "attributable"
    assert names(least) == {"pruning_epochs": "A"} and "at equal pruning cost" not in least.verdict.why


def test_what_does_not_apply_is_vacuous_or_structural() -> None:
    na = {"retraining__epochs": "n/a", "retraining__lr": "n/a"}
    both = judge(entry("x", 76.0, **na), entry("y", 75.0, **na))
    assert "S3.2:holds" in setups(both) and any("vacuous" in note for note in both.notes)
    one = judge(entry("x", 76.0, **na), L1)
    assert "S3.1:refuted" in setups(one) and "structural" in one.pair.findings["retraining_epochs"].why


def test_a_field_the_method_owns_is_no_confounder() -> None:
    """STR sets its sparsity by weight decay: the difference is the method."""
    assert judge(entry("STR", 76.0, recipe__weight_decay=2e-5), L1).verdict.word == "confounded"
    owned = judge(entry("STR", 76.0, recipe__weight_decay=2e-5, method_owned=["weight_decay"]), L1)
    assert owned.verdict.word == "attributable" and any("part of its method" in note for note in owned.notes)


def cycles(top1: float, repeat: int) -> dict[str, Any]:
    made = entry("IMP", top1, speedup=9.31)
    made["stages"][1]["repeat"] = made["stages"][2]["repeat"] = repeat
    return made


def test_iterative_pruning_pays_for_its_earlier_cycles() -> None:
    """Renda et al.: ten cycles of 90 epochs are 810 pruning epochs and one retraining."""
    found = judge(cycles(76.0, 10), entry("one-shot", 74.0, speedup=9.31))
    assert found.pair.findings["pruning_epochs"].left == "810"
    assert "S3.2:holds S4.1:refuted" in setups(found) and found.verdict.word == "attributable"
    written_out = entry("IMP", 76.0, speedup=9.31)
    written_out["stages"] = written_out["stages"][:1] + written_out["stages"][1:] * 10
    again = judge(written_out, entry("one-shot", 74.0, speedup=9.31))
    assert again.pair.findings["pruning_epochs"].left == "810" and setups(again) == setups(found)


def scratch(top1: float, epochs: int = 120, lr: str = SCRATCH, **changes: Any) -> dict[str, Any]:
    made = entry("scratch", top1, kind="scratch", speedup=1.41, **changes)
    made["stages"], made["base"] = [{"stage": "training", "epochs": epochs, "lr": lr}], {}
    return made


def pruned_early(top1: float) -> dict[str, Any]:
    made = entry("L1", top1, speedup=1.41)
    made["stages"][0].update(epochs=30, lr="1e-1")
    return made


def test_scratch_is_compared_over_whole_pipelines() -> None:
    found = judge(pruned_early(84.0), scratch(83.0))
    states = found.pair.assessment.setups
    assert (states["S2"], states["SX-A"], states["SX-B"]) == ("not_applicable", "holds", "refuted")
    assert found.verdict.word == "attributable" and "equal epochs; not shown at equal compute" in found.verdict.why
    assert names(found) == {"total_flops": "A"} and found.settle == ("B with the same total training FLOPs (SX-B)",)
    # Scratch-B: 30 dense epochs are 42.3 epochs of a network 1.41 times as fast
    long = judge(pruned_early(84.0), scratch(83.0, 132, SCRATCH))
    assert long.pair.assessment.setups["SX-B"] == "holds" and long.pair.assessment.setups["SX-A"] == "refuted"
    assert long.verdict.word in ("confounded", "a-fortiori") and "total_epochs" in names(long)


def test_a_different_overall_schedule_against_scratch_is_not_attributable() -> None:
    found = judge(pruned_early(84.0), scratch(83.0, 120, "0:1e-1,60:1e-2,90:1e-5"))
    assert found.pair.assessment.setups["SX-A"] == "holds" and found.verdict.word != "attributable"
    assert found.pair.findings["overall_lr"].state == "refuted"


def at_init(method: str, top1: float, epochs: int = 90) -> dict[str, Any]:
    made = entry(method, top1, kind="pruned_at_init")
    made["stages"], made["base"] = (
        [{"stage": "pruning", "epochs": 0}, {"stage": "training", "epochs": epochs, "lr": STEPS}],
        {},
    )
    return made


def test_pruning_at_initialisation_is_compared_with_its_own_kind_or_through_sx() -> None:
    own_kind = judge(at_init("SNIP", 76.0), at_init("GraSP", 75.0))
    assert own_kind.pair.assessment.established == "S4.2" and own_kind.verdict.word == "attributable"
    other = judge(L1 | {"base": {}}, at_init("SNIP", 74.0))
    assert "S2:refuted" in setups(other) and other.pair.through_sx


def sparse(method: str, top1: float, epochs: int) -> dict[str, Any]:
    made = entry(method, top1, kind="sparse_training")
    made["stages"], made["base"] = [{"stage": "training", "epochs": epochs, "lr": "0:1e-1,50:1e-2"}], {}
    return made


def test_sparse_training_has_no_retraining() -> None:
    """RigL 5x trains five times as long as SET: S3.2 would hold vacuously, so whole pipelines are compared."""
    longer = judge(sparse("RigL", 76.0, 500), sparse("SET", 75.0, 100))
    assert longer.verdict.word == "confounded" and names(longer)["total_epochs"] == "A"
    assert judge(sparse("RigL", 76.0, 100), sparse("SET", 75.0, 100)).verdict.word == "attributable"
    against = judge(L1, sparse("RigL", 74.0, 100))
    assert "S2:refuted" in setups(against) and "structural" in against.pair.findings["retraining_epochs"].why


def crossed(a: float, b: float, sd: float = 0.1) -> list[dict[str, Any]]:
    return [
        {"method": x, "retraining": y, "result": {"top1": top1, "top1_sd": sd, "runs": 5}}
        for x, y, top1 in (("A", "B", a), ("B", "A", b))
    ]


@pytest.mark.parametrize(
    ("a", "b", "word"),
    [
        (75.5, 75.2, "attributable-cross-validated"),
        (73.0, 77.0, "claim-contradicted"),
        (75.5, 77.0, "retraining-dependent"),
    ],
)
def test_crossed_recipes(a: float, b: float, word: str) -> None:
    """A+FT_A is 76.0 and B+FT_B 75.0; under FT_A A meets b, under FT_B it meets B with a."""
    winner = entry("GReg-2", 76.0, retraining__epochs=120)
    found = judge(winner, L1, crossed(a, b))
    assert found.verdict.word == word
    if word == "retraining-dependent":
        assert "The highest was reached by B retrained as A: 77" in found.verdict.why


def test_crossed_results_under_a_second_shared_recipe() -> None:
    """Renda et al.: both entries fine-tune alike, both crossed results rewind alike."""
    assert judge(GREG, L1, crossed(77.5, 77.0)).verdict.word == "attributable-cross-validated"
    assert judge(GREG, L1, crossed(77.0, 77.5)).verdict.word == "retraining-dependent"


def test_at_least_as_good() -> None:
    claim = {"kind": "at_least_as_good", "margin": 0.5}
    assert judge(entry("x", 75.0), L1, **claim).verdict.word == "supported"
    assert judge(entry("x", 75.0, base__id="other"), L1, **claim).verdict.word == "supported-not-attributable"
    assert judge(entry("x", 74.55), L1, **claim).verdict.word == "within-noise"
    assert judge(entry("x", 74.0), L1, **claim).verdict.word == "claim-contradicted"


def test_when_bases_differ_the_claim_has_to_hold_on_the_drop_too() -> None:
    better_base = entry("x", 76.0, base__id="other", base__top1=77.1)
    found = judge(better_base, L1)  # +1.0 in accuracy, +0.03 in drop
    assert found.verdict.word == "within-noise" and found.verdict.why.startswith("drop: +0.03 points")
    opposite = judge(entry("x", 76.0, base__id="other", base__top1=79.0), L1)
    assert opposite.gap.position() == "mixed" and opposite.verdict.word == "confounded"


def test_the_credit_decides_what_has_to_be_equal() -> None:
    longer = entry("L1-norm", 76.0, retraining__epochs=120)
    assert judge(longer, L1).verdict.word == "not-a-pruning-effect"
    assert judge(longer, L1, credited_to="retraining").verdict.word == "attributable"
    other_base = entry("x", 76.0, base__id="other", base__top1=76.2)
    assert judge(other_base, L1, credited_to="base").verdict.word == "attributable"
    assert judge(other_base, L1, credited_to="retraining").verdict.word == "confounded"
    assert judge(longer | {"method": "x"}, L1, credited_to="pipeline").verdict.word == "attributable"


def test_flops_and_macs() -> None:
    flops = entry("x", 76.0, network__dense_macs_millions=8178)
    unclear = judge(flops, L1)
    assert unclear.pair.findings["network"].state == "undecidable" and "flops_convention" in names(unclear)
    declared = judge(flops | {"flops_convention": "FLOPs = 2*MACs"}, L1 | {"flops_convention": "MACs"})
    assert declared.verdict.word == "attributable" and names(declared) == {}


def test_percent_and_fraction_of_sparsity_are_one() -> None:
    found = judge(entry("x", 76.0, speedup=None, sparsity=0.9), entry("y", 75.0, speedup=None, sparsity="90%"))
    assert found.pair.assessment.established == "S4.2"
    assert (
        judge(entry("x", 76.0, speedup=None, sparsity=90), entry("y", 75.0, speedup=None, params_kept=0.1))
        .pair.findings["compression"]
        .state
        == "holds"
    )


def test_unknown_noise_gives_no_positive_verdict() -> None:
    single = {"result__top1_sd": None, "result__runs": 1, "network": {"name": "MobileNet"}}
    found = judge(entry("x", 80.0, **single), entry("y", 70.0, **single))
    assert found.verdict.word == "undecided" and "noise is unknown" in found.verdict.why
    assert as_dict(found)["difference"]["interval"] is None and "top1_sd" in found.unknown


def test_silence_does_not_score_better_than_disclosure() -> None:
    disclosed = judge(entry("x", 76.0, retraining__epochs=120), L1)
    silent = judge(entry("x", 76.0, retraining__epochs=None), L1)
    assert (disclosed.verdict.word, silent.verdict.word) == ("confounded", "undecided")
    assert silent.verdict.exit_code != 0


def test_every_verdict_has_a_meaning_and_a_code() -> None:
    assert set(EXIT_CODES) == set(WORDS) and set(EXIT_CODES.values()) == {0, 3, 4}
    assert {w for w, c in EXIT_CODES.items() if c == 0} == {"attributable", "attributable-cross-validated", "supported"}
    assert {w for w, c in EXIT_CODES.items() if c == 4} == {"undecided", "within-noise"}


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


def test_part_epochs_of_a_pretraining_do_not_hide_another_overall_schedule() -> None:
    """Table 4, SX-B: 30/k epochs at 70 % are 9.7."""
    winner = pruned_early(84.0)
    winner["stages"][0].update(epochs=9.7)
    found = judge(winner | {"speedup": 3.09}, scratch(83.0) | {"speedup": 3.09})
    assert (found.pair.findings["overall_lr"].state, found.pair.assessment.setups["SX-B"]) == ("refuted", "holds")
    assert found.verdict.word == "confounded" or names(found)["overall_lr"] == "B"


def test_what_a_whole_pipeline_costs_is_named_where_it_is_known_to_differ() -> None:
    found = judge(entry("GReg-2", 76.0, retraining__epochs=120), L1)
    assert names(found) == RETRAINING_OF_A
    dearer = judge(entry("GReg-2", 76.0, pruning__epochs=30, pruning__lr="1e-3"), L1)
    assert names(dearer) == PRUNING_OF_A
    assert dearer.verdict.word == "attributable"


def test_a_source_is_one_however_its_name_is_written() -> None:
    a, b = ({"source": name} for name in ("torchvision", "Torchvision"))
    assert judge(entry("x", 76.0, base=a), entry("y", 75.0, base=b)).pair.assessment.established == "S4.2"


@pytest.mark.parametrize("words", ["best_of_3_runs", "best of 3", "best-of-3"])
def test_the_best_of_so_many_runs_is_inflated(words: str) -> None:
    winner = entry("x", 75.2, result={"top1": 75.2, "top1_sd": 0.1, "selection": words})
    readings = judge(winner, L1).gap.readings
    assert readings[-1].points == pytest.approx(0.2 - 0.085, abs=0.001)


def test_dense_costs_in_doubt_leave_the_training_flops_in_doubt() -> None:
    unclear = judge(entry("x", 76.0, network__dense_macs_millions=8178), L1)
    assert unclear.pair.findings["total_flops"].state == "undecidable" and "total_flops" not in names(unclear)


def test_runs_that_are_not_reported_are_missing_once() -> None:
    silent = {"result": {"top1": 93.0}, "network": {"name": "VGG-16"}}
    assert judge(entry("x", 93.0, **silent), entry("y", 92.0, **silent)).unknown == ("runs",)


def test_an_accuracy_that_sources_dispute_decides_what_every_choice_decides() -> None:
    disputed = judge(entry("x", {"conflict": [76.0, 75.6]}), L1)
    assert disputed.verdict.word == "attributable" and disputed.unknown == ()
    assert judge(entry("x", {"conflict": [76.0, 75.05]}), L1).verdict.word == "within-noise"
    assert judge(entry("x", {"range": [74.0, 76.0]}), L1).verdict.word not in ("attributable", "claim-contradicted")
    assert judge(entry("x", {"conflict": [74.0, 73.0]}), L1).verdict.word == "claim-contradicted"
    assert judge(entry("x", {"min": 76.0}), L1).verdict.word == "undecided"


def test_a_dense_network_was_neither_pruned_nor_retrained() -> None:
    dense = entry("dense", 76.13, kind="dense", speedup=None)
    dense["stages"] = dense["stages"][:1]
    found = judge(entry("x", 76.1), dense, kind="at_least_as_good", margin=0.3)
    assert found.verdict.word == "supported-not-attributable" and found.unknown == ()
    assert found.pair.findings["retraining_epochs"].state == "refuted"


def test_one_recipe_for_all_covers_the_stages_that_nobody_lists() -> None:
    """PruningBench lists no retraining at all; `stages: {same_as: B}` says that there is one, and only one."""
    silent = entry("OBD-C", 75.0, stages=[{"stage": "pruning", "epochs": 0}])
    assert judge(entry("FPGM", 76.0, stages={"same_as": "B"}), silent).pair.assessment.established == "S4.2"
    assert judge(silent, entry("FPGM", 74.0, stages={"same_as": "A"})).verdict.word == "attributable"
    one_stage = [{"stage": "pruning", "epochs": 0}, {"stage": "retraining", "same_as": "B"}]
    assert judge(entry("FPGM", 76.0, stages=one_stage), L1).pair.assessment.established == "S4.2"


def test_the_runs_to_settle_are_those_of_the_reading_that_drowns_in_noise() -> None:
    found = judge(entry("x", 75.6, base__id="other", base__top1=76.7), L1)  # +0.6 in accuracy, +0.03 in drop
    assert found.verdict.word == "within-noise" and found.settle[0].startswith("175 runs per arm (a gap of 0.03")


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
    assert (found.verdict.word, found.unknown) == ("undecided", ("top1",))
    assert found.settle == ("report the accuracy of A and B",)


def test_a_spread_given_as_a_range_counts_by_its_worse_end() -> None:
    wide = judge(entry("x", 75.3, result__top1_sd={"range": [0.1, 0.6]}), L1)
    assert (wide.verdict.word, wide.gap.sd_source, wide.unknown) == ("within-noise", "stated", ())
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


def test_a_winner_that_was_not_even_retrained_wins_a_fortiori() -> None:
    for epochs in (0, "n/a"):
        found = judge(entry("OBC", 76.0, retraining__epochs=epochs, retraining__lr="n/a"), L1)
        assert found.verdict.word == "a-fortiori" and set(names(found).values()) == {"B"}


def test_label_smoothing_favours_the_side_that_has_it() -> None:
    assert names(judge(entry("x", 76.0, recipe__label_smoothing=0.1), L1)) == {"label_smoothing": "A"}
    less = judge(GREG, entry("y", 75.0, recipe__label_smoothing=0.1))
    assert (less.verdict.word, names(less)) == ("attributable", {"label_smoothing": "B"})
