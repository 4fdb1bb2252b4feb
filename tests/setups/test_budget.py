"""What every setup grants: worked out by hand from the track's terms, and as it was when setups were asked by name."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from prunemark.setups.budget import Own, budget_for, generated, notation, speedup_of
from prunemark.setups.comparison import HARNESS_SETUPS, S1, S2, S3_2, SETUPS, ComparisonSetup
from prunemark.setups.errors import InputError
from prunemark.setups.recipe import OwnRecipe, Recipe
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.track import Level
from prunemark.setups.track_files import find_track, released_tracks

TRACK = find_track("digits-resnet8")  # K1 = 30 epochs of pretraining, K2 = 20 of retraining, 10 of pruning
LEVEL = TRACK.level("90%")
OWN = Own(OwnRecipe(40, "0:5e-2,20:5e-3"), OwnRecipe(10, "0:1e-2,5:1e-3", weight_decay=1e-4))


def granted(setup, kind="pruned", own=Own(), track=TRACK, level=LEVEL):  # noqa: B008 - frozen
    return budget_for(track, SETUPS[setup], level, kind, own)


def final(budget, pruning_epochs=0, speedup=LEVEL.speedup):
    return budget.retraining_after(pruning_epochs, speedup)


@pytest.mark.parametrize("setup", ["S1", "S1-acc"])
def test_s1_admits_the_methods_own_base_and_retraining(setup):
    budget = granted(setup, own=OWN)
    assert (budget.base_epochs, str(budget.pretraining.lr)) == (40, "0:5e-2,20:5e-3")
    assert (str(final(budget).lr), final(budget).weight_decay) == ("0:1e-2,5:1e-3", 1e-4)


def test_s2_shares_the_base_and_admits_its_own_retraining():
    budget = granted("S2", own=OWN)
    assert budget.pretraining == TRACK.pretraining and budget.base_epochs == 30
    assert final(budget).epochs == 10


def test_s31_stretches_the_own_schedule_over_the_imposed_epochs():
    assert str(final(granted("S3.1", own=OWN)).lr) == "0:1e-2,10:1e-3"
    assert final(granted("S3.1", own=OWN)).epochs == 20


@pytest.mark.parametrize("setup", ["S3.2", "S4.1", "S4.2"])
def test_from_s32_on_retraining_is_imposed(setup):
    assert final(granted(setup, own=OWN), 10) == TRACK.retraining


def test_s41_imposes_the_pruning_epochs_and_s42_their_lr_too():
    s32, s41, s42 = (granted(setup) for setup in ("S3.2", "S4.1", "S4.2"))
    assert (s32.pruning_epochs, s32.pruning_exact, s32.pruning_lr) == (60, False, None)
    assert (s41.pruning_epochs, s41.pruning_exact, s41.pruning_lr) == (10, True, None)
    assert s42.pruning_lr == TRACK.pruning.lr and s42.pruning_exact


@pytest.mark.parametrize(
    ("at", "used", "left"), [(30, 0, 20), (15, 0, 35), (15, 10, 25), (0, 0, 50), (47, 0, 3), (30, 17, 3), (0.4, 0, 30)]
)
def test_sxa_gives_what_is_left_of_the_epochs(at, used, left):
    recipe = final(granted("SX-A", own=Own(prune_at=at)), used)
    assert recipe.epochs == left and recipe.lr.final == TRACK.retraining.lr.final


@pytest.mark.parametrize(
    ("own", "epochs"),
    [
        (Own(), 17), (Own(prune_at=0), 47), (Own(prune_at=0.4), 27), (Own(prune_at=0.4, pruning_share=0.5), 15),
        (Own(pruning_share=1.0), 17), (Own(pruning_share=0.0), 0), (Own(prune_at=47), 0),
    ],
)  # fmt: skip
def test_sxa_grants_pruning_what_its_method_chose_and_never_the_last_epochs_of_retraining(own, epochs):
    """50 in all, three LR stages: so many are left for retraining at least."""
    assert granted("SX-A", own=own).pruning_epochs == epochs


def test_sxb_grants_pruning_only_what_leaves_flops_for_every_lr_stage():
    """30 + 20 / k = 33.1 epochs of the dense network in all; three of the pruned one cost 0.47."""
    k = LEVEL.speedup
    for own, epochs in ((Own(), 2), (Own(prune_at=20), 12), (Own(prune_at=0.4, pruning_share=0.5), 6)):
        budget = granted("SX-B", own=own)
        assert budget.pruning_epochs == epochs
        assert final(budget, epochs).epochs == round((30 + 20 / k - budget.base_epochs - epochs) * k) >= 3
    with pytest.raises(InputError, match="has 3 LR stages"):
        final(granted("SX-B"), 3)


def test_sxb_gives_what_is_left_of_the_flops():
    """K1 F1 + K2 F2 in all: pruned at P, (K1 - P) k + K2 epochs of the small network are left."""
    k = LEVEL.speedup
    assert final(granted("SX-B")).epochs == 20
    assert final(granted("SX-B", own=Own(prune_at=15))).epochs == round(15 * k + 20)
    assert final(granted("SX-B", own=Own(prune_at=15)), 5).epochs == round(10 * k + 20)


def test_the_dense_run_of_sx_is_one_for_all_pruning_epochs():
    runs = {str(granted("SX-A", own=Own(prune_at=at)).pretraining.lr) for at in (0, 10, 30, 47)}
    assert runs == {"0:1e-1,25:1e-2,38:1e-3"}


def test_scratch_e_has_the_epochs_and_scratch_b_the_flops_of_the_pipeline():
    assert final(granted("SX-A", "scratch")).epochs == 50
    assert final(granted("S4.2", "scratch")).epochs == 60
    assert final(granted("SX-B", "scratch")).epochs == round(30 * LEVEL.speedup + 20)  # K1 k + K2
    for setup in SETUPS:
        assert final(granted(setup, "scratch")).lr.final == TRACK.retraining.lr.final  # Rule 1: Tables 6 and 7


def test_masked_weights_save_no_flops():
    track = find_track("digits-resnet8-weights")
    level = track.level("98%")
    assert speedup_of(level) == 1.0
    assert final(granted("SX-B", "scratch", track=track, level=level), 0, 1.0).epochs == 50


@pytest.mark.parametrize(
    ("epochs", "schedule"),
    [(1, "0:1e-3"), (2, "0:1e-1,1:1e-3"), (3, "0:1e-1,1:1e-2,2:1e-3"), (20, "0:1e-1,10:1e-2,15:1e-3")],
)
def test_a_generated_schedule_ends_at_the_final_lr_however_short(epochs, schedule):
    assert generated(1e-1, 1e-3, epochs, None) == parse_schedule(schedule, epochs)


def test_the_cap_of_rule_3_bounds_every_stage_but_the_last():
    assert str(generated(1e-1, 1e-5, 120, 30)) == "0:1e-1,30:1e-2,60:1e-3,90:1e-4,105:1e-5"


def test_the_papers_notation():
    assert notation(30, Recipe(parse_schedule("0:1e-2,30:1e-3", 90))) == "P30F90, 1e-2"


@pytest.mark.parametrize(
    ("setup", "own", "words"),
    [
        ("SX-A", Own(prune_at=50), "0 to 49, or in a method a share of it; given 50"),
        ("SX-A", Own(prune_at=-1), "given -1"),
        ("SX-A", Own(prune_at=1.5), "a share of it; given 1.5"),
        ("SX-A", Own(prune_at=48), "leaves 2 epochs for retraining, whose schedule has 3 LR stages"),
        ("SX-A", Own(prune_at=48), "Prune earlier .--prune-at., or train less"),
        ("SX-B", Own(prune_at=34), "leaves 0 epochs for retraining"),
        ("S3.2", Own(prune_at=10), "SX-A and SX-B"),
        (
            "S3.1",
            Own(retraining=OwnRecipe(200, "0:1e-1,1:1e-2,2:1e-3")),
            "cannot be laid over the 20 epochs that S3.1 imposes",
        ),
    ],
)
def test_a_bad_budget_is_refused_before_anything_runs(setup, own, words):
    with pytest.raises(InputError, match=words):
        granted(setup, own=own)


def test_a_budget_that_differs_has_another_plain_form():
    seen = [str(granted(setup, own=OWN).as_dict()) for setup in SETUPS if setup != "S1-acc"]
    assert len(set(seen)) == len(seen)
    assert dataclasses.asdict(Level("x", 0.5))["speedup"] is None


TRAINED = [track for track in released_tracks().values() if not track.base]


@pytest.mark.parametrize("track", TRAINED, ids=lambda track: track.id)
def test_every_track_can_be_run_by_every_kind_under_every_setup_that_its_schedules_allow(track):
    steps = track.pretraining.lr.kind == "step"
    for setup in SETUPS:
        for kind in ("pruned", "scratch", "dense"):
            if not steps and setup.startswith("SX"):
                with pytest.raises(InputError, match=f"track {track.id} states cosine"):
                    granted(setup, kind, track=track, level=track.levels[0])
                continue
            recipe = final(granted(setup, kind, track=track, level=track.levels[0]), 0, track.levels[0].speedup or 1.0)
            assert recipe.lr.kind == track.retraining.lr.kind or setup.startswith("SX")
            assert recipe.epochs >= track.retraining.epochs


def test_scratch_follows_the_curve_of_the_pipeline_from_the_first_lr_to_the_last():
    track = find_track("imagenet-deit-tiny@1")
    assert str(final(granted("S3.2", "scratch", track=track, level=track.levels[0])).lr) == (
        "cosine:1e-3->1e-5+warmup5"
    )
    cycle = dataclasses.replace(TRACK.retraining, lr=parse_schedule("one-cycle:1e-2", 20))
    curved = dataclasses.replace(TRACK, retraining=cycle)
    recipe = final(granted("S3.2", "scratch", track=curved))
    assert (str(recipe.lr), recipe.epochs) == ("one-cycle:1e-1", 50)


ANSWERS = {  # what `budget.py` asked of each setup by its id, and what it answered
    "S1": {"own_base", "own_retraining"},
    "S1-acc": {"own_base", "own_retraining"},
    "S2": {"own_retraining"},
    "S3.1": {"stretched"},
    "S3.2": set(),
    "S4.1": {"exact_pruning"},
    "S4.2": {"exact_pruning", "pruning_lr"},
    "SX-A": {"whole_pipeline"},
    "SX-B": {"whole_pipeline", "total_flops"},
}
QUESTIONS = {
    "own_base": lambda setup: setup.own_base,
    "own_retraining": lambda setup: setup.own_retraining,
    "stretched": lambda setup: setup.own_retraining_lr and not setup.own_retraining,
    "exact_pruning": lambda setup: setup.exact_pruning,
    "pruning_lr": lambda setup: "pruning_lr" in setup.factors,
    "whole_pipeline": lambda setup: setup.whole_pipeline,
    "total_flops": lambda setup: "total_flops" in setup.factors,
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("setup", ANSWERS)
def test_the_factors_answer_what_ids_answered(setup, question):
    assert QUESTIONS[question](SETUPS[setup]) == (question in ANSWERS[setup])


GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "budgets.json").read_text())
"""Hashes of the budgets of each released track, made before setups were asked for their factors.

Those of SX-A and SX-B are newer: they leave retraining an epoch for each LR stage.
"""


def answered(track, setup, level, kind, own):
    try:
        budget = budget_for(track, setup, level, kind, own)
        used = budget.pruning_epochs if budget.pruning_exact else 0
        return [budget.as_dict(), budget.retraining_after(used, speedup_of(level)).as_dict()]
    except InputError as problem:
        return str(problem)


@pytest.mark.parametrize("id", GOLDEN)
def test_a_released_track_grants_what_it_granted(id):
    """Under every setup, to every kind, at every level, and to methods with recipes and pruning epochs of all kinds."""
    track = released_tracks()[id]
    last = track.pretraining.epochs + track.retraining.epochs - 1
    owns = (
        Own(), OWN, Own(retraining=OwnRecipe(200, "0:1e-1,1:1e-2,2:1e-3")),
        *(Own(prune_at=epoch) for epoch in (0, 1, last, last + 1)),
    )  # fmt: skip
    for setup, sha256 in GOLDEN[id].items():
        held = HARNESS_SETUPS[setup]
        text = json.dumps(
            [
                answered(track, held, level, kind, own)
                for kind in ("pruned", "scratch", "dense") for level in track.levels for own in owns
            ],
            sort_keys=True,
        )  # fmt: skip
        assert hashlib.sha256(text.encode()).hexdigest()[:12] == sha256, setup


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        (S2 | {"prunning_epochs"}, "unknown factor 'prunning_epochs'. Did you mean 'pruning_epochs'"),
        (S1 | {"overall_lr"}, "only published comparisons are asked for"),
        (S1 | {"total_epochs", "total_flops"}, "holds total_epochs and total_flops equal"),
        (S3_2 | {"total_epochs"}, "holds retraining_epochs and retraining_lr and total_epochs equal"),
    ],
)
def test_factors_that_no_budget_holds_equal_are_refused(factors, words):
    with pytest.raises(InputError, match=words):
        budget_for(TRACK, ComparisonSetup("mine", factors, "", ""), LEVEL, "pruned")


@pytest.mark.parametrize("factors", [S2 | {"retraining_lr"}, S2 | {"final_lr"}, S3_2])
def test_a_recipe_is_imposed_where_its_lr_or_its_last_lr_is(factors):
    """A schedule has one LR for each epoch: held equal, it holds the epochs equal too."""
    budget = budget_for(TRACK, ComparisonSetup("mine", factors, "", ""), LEVEL, "pruned", OWN)
    assert budget.retraining == TRACK.retraining


def test_a_pruning_lr_imposes_its_epochs():
    budget = budget_for(TRACK, ComparisonSetup("mine", S2 | {"pruning_lr"}, "", ""), LEVEL, "pruned", OWN)
    assert (budget.pruning_epochs, budget.pruning_exact, budget.pruning_lr) == (10, True, TRACK.pruning.lr)
    assert budget.retraining.epochs == 10  # the method's own
