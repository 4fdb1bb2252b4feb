"""Every setup run on the real digits, in miniature: what was executed, recomputed by hand, and what then holds."""

import dataclasses
import functools
import math
import re
from pathlib import Path

import pytest
from support.device import DEVICE, SECONDS, run_there

from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.trial.plan import Request, make_trials
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Entrant
from prunemark.records.executed import pipeline_of
from prunemark.setups.assessment import assess, violations
from prunemark.setups.budget import Own
from prunemark.setups.comparison import SETUPS
from prunemark.setups.recipe import OwnRecipe, Recipe
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.track_files import find_track

HERE = Path(__file__).parents[1]
EXAMPLES, TRAIN, MACS = 1097, 9, 193_344  # images to train on, batches of 128 an epoch, MACs of the dense network
LEVEL = "50%"  # under SX-B the speed-up lengthens the trainings


def recipe(text, epochs):
    return Recipe(lr=parse_schedule(text, epochs), augmentation="shift1")


TRACK = dataclasses.replace(
    find_track("digits-resnet8"), name="short", pretraining=recipe("0:1e-1,2:1e-2,3:1e-3", 4),
    pruning=recipe("0:2e-2,1:1e-2", 2), retraining=recipe("0:1e-1,1:1e-2,2:1e-3", 3), pruning_epochs_limit=3,
)  # fmt: skip
OWN = Own(OwnRecipe(3, "5e-2"), OwnRecipe(2, "0:1e-2,1:1e-3"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))

    @functools.cache
    def one(setup, name, file="samples.py", kind="pruned", own=Own(), settings=(), seed=0):  # noqa: B008
        source = locate(f"{HERE / 'submissions' / file}:{name}")[1] if kind == "pruned" else None
        entrant = Entrant(name, kind, "submission", source, settings, "filter", own)
        trial = make_trials(Request(TRACK, SETUPS[setup], [TRACK.level(LEVEL)], [seed], DEVICE, SECONDS), entrant)[0]
        return run_there(trial, store)

    one.store = store
    return one


def lrs(record):
    outcome = record.outcome
    stages = (outcome.base and outcome.base.pretraining, outcome.pruning, outcome.retraining)
    return [stage.lr if stage else None for stage in stages]


def ok(record):
    assert record.outcome.status == "ok", record.outcome.failure
    return record


@pytest.mark.parametrize("setup", ["S1", "S1-acc"])
def test_s1_runs_each_method_from_its_own_base(run, setup):
    mine, other = ok(run(setup, "Fine", own=OWN)), ok(run(setup, "SameAsFine"))
    assert lrs(mine) == [(0.05, 0.05, 0.05), (), (0.01, 0.001)]
    assert lrs(other) == [(0.1, 0.1, 0.01, 0.001), (), (0.1, 0.01, 0.001)]
    assert mine.outcome.base.sha256 != other.outcome.base.sha256
    states = assess([pipeline_of(mine), pipeline_of(other)]).setups
    assert states["S1"] == "holds" and states["S2"] == "refuted"
    near = abs(mine.outcome.base.test_percent - other.outcome.base.test_percent) <= 0.1
    assert states["S1-acc"] == ("holds" if near else "refuted")


def test_s2_s31_and_s32_share_the_base_and_the_pruned_model(run):
    records = {setup: ok(run(setup, "Fine", own=OWN)) for setup in ("S2", "S3.1", "S3.2")}
    assert {setup: lrs(record)[2] for setup, record in records.items()} == {
        "S2": (0.01, 0.001), "S3.1": (0.01, 0.01, 0.001), "S3.2": (0.1, 0.01, 0.001),
    }  # fmt: skip
    assert len({record.outcome.base.sha256 for record in records.values()}) == 1


@pytest.mark.parametrize("setup", ["S4.1", "S4.2"])
@pytest.mark.parametrize("name", ["Fine", "TrainsAll", "Taylor"])
def test_s4_gives_every_method_exactly_the_pruning_epochs(run, setup, name):
    stage = ok(run(setup, name, "samples.py" if name == "Fine" else "evasions.py")).outcome.pruning
    assert stage.epochs == 2 and stage.steps == 2 * TRAIN
    if setup == "S4.2":
        assert stage.lr == (0.02, 0.01)
    scoring = 1 if name == "Taylor" else 0
    assert stage.scoring_epochs == scoring and stage.samples == (2 + scoring) * EXAMPLES
    assert stage.train_flops == (2 + scoring) * EXAMPLES * MACS * 3 * 2


def test_s42_holds_between_a_one_shot_method_and_sparse_training(run):
    pair = [
        pipeline_of(ok(run("S4.2", name, file)))
        for name, file in (("Fine", "samples.py"), ("TrainsAll", "evasions.py"))
    ]
    assert assess(pair).established == "S4.2"


@pytest.mark.parametrize("setup", ["S4.1", "S4.2"])
def test_using_only_some_of_the_imposed_epochs_is_refused(run, setup):
    outcome = run(setup, "TrainsHalf", "evasions.py").outcome
    assert outcome.status == "budget_exceeded" and "exactly 2 pruning epochs" in outcome.failure.evidence


def test_an_own_optimiser_trains_under_s41_and_not_under_s42(run):
    outcome = run("S4.1", "OwnOptimiser", "evasions.py").outcome
    assert outcome.status == "budget_exceeded" and "1 were used" in outcome.failure.evidence
    assert ok(run("S3.2", "OwnOptimiser", "evasions.py")).outcome.pruning.lr == (0.002,)
    assert "only context.train may step" in run("S4.2", "OwnOptimiser", "evasions.py").outcome.failure.evidence


def test_sxa_has_one_sum_of_epochs_whenever_it_prunes(run):
    records = [ok(run("SX-A", "Fine", own=Own(prune_at=at))) for at in (1, 3, 4)]
    records.append(ok(run("SX-A", "Scratch", kind="scratch")))
    assert [pipeline_of(record).total_epochs for record in records] == [7, 7, 7, 7]
    assert all(lrs(record)[2][-1] == 0.001 for record in records)
    dense = (0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.001)  # seven epochs, halved
    assert [lrs(record)[0] for record in records] == [dense[:1], dense[:3], dense[:4], None]
    assert not violations([pipeline_of(record) for record in records], SETUPS["SX-A"])


def test_sxa_takes_what_the_pruning_stage_trained_off_the_retraining(run):
    record = ok(run("SX-A", "Trains", own=Own(prune_at=2)))
    assert record.outcome.pruning.epochs == 1 and record.outcome.retraining.epochs == 4


def test_sxb_has_one_sum_of_flops(run):
    records = [ok(run("SX-B", "Fine", own=Own(prune_at=at))) for at in (2, 4)]
    records.append(ok(run("SX-B", "Scratch", kind="scratch")))
    k = TRACK.level(LEVEL).speedup
    budget = (4 + 3 / k) * EXAMPLES * MACS * 3 * 2
    for record in records:
        assert pipeline_of(record).training_flops == pytest.approx(budget, rel=0.05)
    assert records[0].outcome.retraining.epochs == round(2 * k + 3)
    assert records[2].outcome.retraining.epochs == round(4 * k + 3)
    assert not violations([pipeline_of(record) for record in records], SETUPS["SX-B"])


def test_one_dense_run_gives_every_base_with_the_same_bits(run, tmp_path):
    """P4 taken on from the stored P1 equals P4 trained in one go."""
    together = run("SX-A", "Fine", own=Own(prune_at=4)).outcome
    source = locate(f"{HERE / 'submissions' / 'samples.py'}:Fine")[1]
    entrant = Entrant("Fine", "pruned", "submission", source, (), "filter", Own(prune_at=4))
    trial = make_trials(Request(TRACK, SETUPS["SX-A"], [TRACK.level(LEVEL)], [0], DEVICE, SECONDS), entrant)[0]
    alone = run_there(trial, Store(tmp_path)).outcome
    assert alone == together and alone.base.pretraining.epochs == 4


def test_changing_one_recorded_number_makes_it_fail(run):
    record, other = ok(run("S4.2", "Fine")), ok(run("S4.2", "TrainsAll", "evasions.py"))
    outcome = record.outcome
    changes = {
        "base": dataclasses.replace(outcome.base, sha256="f" * 64),
        "retraining": dataclasses.replace(outcome.retraining, lr=(0.1, 0.01, 0.0001)),
        "pruning": dataclasses.replace(outcome.pruning, lr=(0.02, 0.02)),
        "compression": dataclasses.replace(outcome.compression, speedup_macs=7.0),
        "data_sha256": "f" * 64,
    }
    for name, value in changes.items():
        changed = dataclasses.replace(record, outcome=dataclasses.replace(outcome, **{name: value}))
        assert violations([pipeline_of(changed), pipeline_of(other)], SETUPS["S4.2"]), name
        assert changed.record_sha256 != record.record_sha256


CHEATS = {
    "CachesBatches": "began epoch",
    "StepsByHand": "training FLOPs",
    "AccumulatesGradients": "training FLOPs",
    "TrainsACopy": "began epoch",
    "FunctionalLayers": "training FLOPs",
    "HidesInAHook": "training FLOPs",
    "CompiledNetwork": "training FLOPs",
    "SmallBatches": "began epoch",
    "AsksForMore": "began epoch",
    "ReadsForever": "asked for pass",
    "ForwardHook": "something else trained in it",
    "GradientHook": "something else trained in it",
    "ReplacedForward": "something else trained in it",
    "TrainsInAThread": "training FLOPs",
    "SearchesWithoutGradients": "training FLOPs",
}
HIDDEN_CHEATS = {"SearchesInAThread": "training FLOPs"}

REFUSED_BY_THE_SYSTEM = "may not use the network|Operation not permitted"
OTHERWISE_CAUGHT = {"GradientHook": "training FLOPs"} if DEVICE == "cuda" else {}
"""On a GPU autograd has a thread of its own, in which nothing is ever paused: what runs there is counted at once."""


@pytest.mark.parametrize("name", [*CHEATS, *HIDDEN_CHEATS])
def test_each_evasion_is_caught(run, name):
    outcome = run("S3.2", name, "evasions.py" if name in CHEATS else "hidden_evasions.py").outcome
    assert outcome.status == "budget_exceeded", outcome.failure or outcome.pruning
    words = (CHEATS | HIDDEN_CHEATS | OTHERWISE_CAUGHT)[name]
    assert words in outcome.failure.evidence and outcome.accuracy is None


@pytest.mark.parametrize(
    ("name", "file", "epochs"),
    [("OptimiserHook", "evasions.py", 1), ("TrainsInEarlier", "hidden_evasions.py", 0),
     ("HookOnTheCheckpoint", "hidden_evasions.py", 0)],
)  # fmt: skip
def test_what_a_method_hangs_on_its_own_process_is_not_in_that_of_the_trainer(run, name, file, epochs):
    """They trained more inside the harness's loop. It is elsewhere now: nothing of theirs has run there."""
    record = ok(run("S3.2", name, file))
    assert record.observed.pruning_process.lane == ("harness" if epochs else "decision")
    assert (record.outcome.pruning.epochs, record.outcome.pruning.steps) == (epochs, 9 * epochs)


def test_a_one_shot_method_is_run_again_in_a_process_that_knows_nothing_of_the_first(run):
    """Under S4.2 the dense model is trained before it; what the first run computed must not reach the second."""
    outcome = ok(run("S4.2", "TwoLives", "hidden_evasions.py")).outcome
    assert outcome.pruning.epochs == 2


def test_the_meter_and_the_data_are_not_handed_over(run):
    ok(run("S3.2", "LooksForTheMeter", "escapes.py"))


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("ClaimsGiven", "noncompliant", r"the decision reaches 1\.000x"),
        ("ForgesItsFiles", "failed", "it ended before"),
        ("Diverges", "failed", "not finite"),
        ("OddMessage", "failed", r"bad \? text \?\[31m"),
        ("WritesTheError", "failed", "no error that can be read"),
        ("ForksAway", "noncompliant", "may not start a process"),
        ("CallsHome", "noncompliant", REFUSED_BY_THE_SYSTEM),
        ("ClaimsFullDisk", "failed", "No space left on device"),
        ("ClaimsBrokenImages", "failed", "UnreadableImage: x"),
    ],
)
def test_what_a_submission_leaves_is_not_taken_at_its_word(run, name, status, words):
    outcome = run("S3.2", name, "escapes.py").outcome
    assert (outcome.status, bool(re.search(words, outcome.failure.evidence))) == (status, True), outcome.failure


def test_the_harness_cannot_be_imported(run):
    ok(run("S3.2", "ImportsTheHarness", "escapes.py"))


def test_sxb_counts_the_passes_for_scores_too(run):
    """Taylor's pass is one epoch of the dense network, k epochs of the pruned one that retraining does not get."""
    early = Own(prune_at=2)
    plain, scored = (ok(run("SX-B", "Fine", own=early)), ok(run("SX-B", "Taylor", "evasions.py", own=early)))
    k = TRACK.level(LEVEL).speedup
    assert plain.outcome.retraining.epochs == round(2 * k + 3) and scored.outcome.pruning.scoring_epochs == 1
    assert scored.outcome.retraining.epochs == round(k + 3)


def test_only_the_base_model_and_the_training_split_are_handed_over(run):
    ok(run("S3.2", "LooksForTheTestSplit", "escapes.py"))


SCHEDULES = {"one-shot": 0, "rounds:2": 2, "agp:3": 3}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_any_criterion_can_be_given_a_schedule(run, schedule):
    settings = (("schedule", schedule), ("epochs", SCHEDULES[schedule]))
    outcome = ok(run("S3.2", "Fine", settings=settings)).outcome
    assert outcome.pruning.epochs == SCHEDULES[schedule]
    assert outcome.compression.kept == {"blocks.0.conv1": 4, "blocks.1.conv1": 8, "blocks.2.conv1": 16}


def test_a_schedule_spends_the_imposed_epochs(run):
    stage = ok(run("S4.2", "Fine", settings=(("schedule", "rounds:2"),))).outcome.pruning
    assert stage.lr == (0.02, 0.01)


def test_an_unknown_schedule_is_said_in_words(run):
    outcome = run("S3.2", "Fine", settings=(("schedule", "sometimes"),)).outcome
    assert outcome.status == "failed" and "one-shot, rounds:K or agp:K" in outcome.failure.evidence


def test_diagnostics_are_of_the_curve_that_was_executed(run):
    outcome = ok(run("S3.2", "Fine")).outcome
    found, curve = outcome.diagnostics, [point.validation_accuracy_percent for point in outcome.curve]
    assert found.first_stage_epochs == 1 and found.trainability_percent == curve[0]
    assert found.mean_jsv > 0 and math.isfinite(found.mean_jsv)
    assert found.immature_decay is None  # one epoch shows no trend
    assert found.best_minus_last_pp == max(curve) - curve[-1]
