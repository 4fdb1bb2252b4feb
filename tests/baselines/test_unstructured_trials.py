"""Every method for weights and for N:M, run end to end on the real digits in miniature."""

import dataclasses
import functools

import pytest
from support.device import DEVICE, SECONDS, run_there

from prunemark.benchmark.submission.describe import describe_in_child
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.trial.plan import Request, make_trials
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Entrant
from prunemark.records.card import shipped_methods
from prunemark.records.executed import pipeline_of
from prunemark.setups.assessment import assess
from prunemark.setups.budget import Own
from prunemark.setups.comparison import SETUPS
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.track_files import find_track

TRAINING = ("AGP", "LR-rewinding", "Lottery-ticket", "Movement", "RigL", "SET", "SR-STE", "Weight-rewinding")
ONE_SHOT = ("ERK", "GraSP", "LAMP", "Magnitude", "Magnitude-layerwise", "SNIP", "SynFlow", "WoodFisher")
AT_INITIALISATION = ("GraSP", "RigL", "SET", "SNIP", "SR-STE", "SynFlow")
PASSES = {"GraSP": 1, "SNIP": 1, "WoodFisher": 1}
WEIGHTS = 19_072
FEW = {"AGP": (("schedule", "agp:2"),), "Weight-rewinding": (("rewind_to", 1),)}


def recipe(text, epochs):
    return Recipe(lr=parse_schedule(text, epochs), augmentation="shift1")


def short(name):
    return dataclasses.replace(
        find_track(name), name="short", pretraining=recipe("0:1e-1,1:1e-3", 2),
        pruning=recipe("0:2e-2,1:1e-2", 2), retraining=recipe("1e-3", 1), pruning_epochs_limit=2,
    )  # fmt: skip


TRACKS = {"weight": short("digits-resnet8-weights"), "N:M": short("digits-resnet8-2to4")}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))

    @functools.cache
    def one(setup, name, track=None, prune_at=None):
        _, source = locate(name)
        granularity = "N:M" if name == "SR-STE" else "weight"
        own = Own(prune_at=prune_at)
        entrant = Entrant(name, "pruned", "submission", source, FEW.get(name, ()), granularity, own)
        terms = TRACKS[track or granularity]
        trial = make_trials(Request(terms, SETUPS[setup], terms.levels[:1], [0], DEVICE, SECONDS), entrant)[0]
        return run_there(trial, store)

    return one


def ok(record):
    assert record.outcome.status == "ok", record.outcome.failure
    return record.outcome


def removed(outcome):
    return sum(outcome.compression.total.values()) - sum(outcome.compression.kept.values())


@pytest.mark.parametrize("name", [*TRAINING, *ONE_SHOT])
def test_every_method_runs_by_its_defaults_as_far_as_epochs_are_granted(run, name):
    outcome = ok(run("S3.2", name))
    assert removed(outcome) == (WEIGHTS // 2 if name == "SR-STE" else round(0.9 * WEIGHTS))
    assert outcome.pruning.epochs == (2 if name in TRAINING else 0)
    assert outcome.pruning.scoring_epochs == PASSES.get(name, 0)


def some(names, fast):
    """In the fast suite some of them; every method runs under S3.2 above."""
    return [name if name in fast else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", some([*TRAINING, *ONE_SHOT], {*TRAINING, "Magnitude", "SNIP", "WoodFisher"}))
def test_s42_imposes_its_epochs_and_its_lr_on_every_method(run, name):
    stage = ok(run("S4.2", name)).pruning
    assert stage.lr == (0.02, 0.01) and stage.scoring_epochs == PASSES.get(name, 0)


@pytest.mark.parametrize("name", ["AGP", "Movement", "Weight-rewinding"])
def test_s41_imposes_the_epochs_and_leaves_the_lr(run, name):
    stage = ok(run("S4.1", name)).pruning
    assert stage.epochs == 2 and stage.lr != (0.02, 0.01)


def test_s42_holds_among_them(run):
    records = [run("S4.2", name) for name in ("Magnitude", "RigL", "SNIP", "Lottery-ticket", "Movement")]
    assert assess([pipeline_of(record) for record in records]).established == "S4.2"


@pytest.mark.parametrize("name", some(AT_INITIALISATION, {"SNIP", "RigL"}))
def test_methods_for_random_weights_get_them_under_sxa(run, name):
    """The base of epoch 0 is trained for no epoch; the sum of epochs is the track's all the same."""
    assert describe_in_child(locate(name)[1], name).prune_at == 0
    record = run("SX-A", name, prune_at=0)
    outcome = ok(record)
    trained = 2 if name in TRAINING else 0
    assert outcome.base.pretraining.epochs == 0 and outcome.base.pretraining.lr == ()
    assert outcome.base.test_percent < 30  # ten classes
    assert (outcome.pruning.epochs, outcome.retraining.epochs) == (trained, 3 - trained)
    assert pipeline_of(record).total_epochs == 3


@pytest.mark.parametrize(
    "name",
    some(
        ["LAMP", "Magnitude", "SynFlow", "AGP", "Lottery-ticket", "Movement", "WoodFisher"], {"LAMP", "AGP", "Movement"}
    ),
)
def test_methods_for_weights_follow_a_pattern_too(run, name):
    outcome = ok(run("S3.2", name, "N:M"))
    assert removed(outcome) == WEIGHTS // 2
    assert all(2 * kept == outcome.compression.total[layer] for layer, kept in outcome.compression.kept.items())


def test_sparse_training_says_that_it_does_not(run):
    outcome = run("S3.2", "RigL", "N:M").outcome
    assert outcome.status == "failed" and "does not follow an N:M pattern" in outcome.failure.evidence


def test_every_method_for_weights_is_here():
    found = {name: describe_in_child(locate(name)[1], name).granularity for name in shipped_methods()}
    here = {name for name, granularity in found.items() if granularity in ("weight", "N:M")}
    assert here == {*TRAINING, *ONE_SHOT, "Random-weights"}
