"""Verdicts where the pipelines are of different kinds: iterative, scratch, at initialisation, sparse, crossed."""

from __future__ import annotations

from typing import Any

import pytest
from support.audit_pairs import GREG, L1, SCRATCH, STEPS, entry, judge, names, setups


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
    assert names(found) == {"total_flops": "A"} and found.next_experiments == (
        "B with the same total training FLOPs (SX-B)",
    )
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
    assert "S2:refuted" in setups(other) and other.pair.whole_pipelines


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


def test_part_epochs_of_a_pretraining_do_not_hide_another_overall_schedule() -> None:
    """Table 4, SX-B: 30/k epochs at 70 % are 9.7."""
    winner = pruned_early(84.0)
    winner["stages"][0].update(epochs=9.7)
    found = judge(winner | {"speedup": 3.09}, scratch(83.0) | {"speedup": 3.09})
    assert (found.pair.findings["overall_lr"].state, found.pair.assessment.setups["SX-B"]) == ("refuted", "holds")
    assert found.verdict.word == "confounded" or names(found)["overall_lr"] == "B"


def test_a_dense_network_was_neither_pruned_nor_retrained() -> None:
    dense = entry("dense", 76.13, kind="dense", speedup=None)
    dense["stages"] = dense["stages"][:1]
    found = judge(entry("x", 76.1), dense, kind="at_least_as_good", margin=0.3)
    assert found.verdict.word == "supported-not-attributable" and found.missing == ()
    assert found.pair.findings["retraining_epochs"].state == "refuted"


def test_a_winner_that_was_not_even_retrained_wins_a_fortiori() -> None:
    for epochs in (0, "n/a"):
        found = judge(entry("OBC", 76.0, retraining__epochs=epochs, retraining__lr="n/a"), L1)
        assert found.verdict.word == "a-fortiori" and set(names(found).values()) == {"B"}
