"""Every filter method end to end: under the strictest setups, on both filter tracks, and at the cost that it states."""

import dataclasses

import pytest
from support.device import DEVICE, SECONDS, run_there

from prunemark.benchmark.compression.surgery import cut
from prunemark.benchmark.method import FilterCriterion
from prunemark.benchmark.networks.cost import count
from prunemark.benchmark.submission.describe import describe
from prunemark.benchmark.submission.load import load_class
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.trial.plan import Request, make_trials
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Entrant
from prunemark.records.card import shipped_methods
from prunemark.setups.comparison import SETUPS
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.track_files import find_track

slow = pytest.mark.slow
SOURCES = {name: locate(name)[1] for name in shipped_methods()}
DESCRIPTIONS = {name: describe(source, name) for name, source in SOURCES.items()}
FILTERS = [name for name, description in DESCRIPTIONS.items() if description.granularity == "filter"]
TRAINING = {"GReg-1", "GReg-2", "Group-norm", "SFP", "Slimming", "TPP"}
REFUSED = {
    "CHIP": "no convolution", "HRank": "no convolution", "Slimming": "no batch norm", "Taylor-FO-BN": "no batch norm"
}  # fmt: skip


def recipe(text, epochs):
    return Recipe(lr=parse_schedule(text, epochs), augmentation="shift1")


TRACK = dataclasses.replace(
    find_track("digits-resnet8"), name="short", pretraining=recipe("0:1e-1,1:1e-2", 2),
    pruning=recipe("0:2e-2,1:1e-2", 2), retraining=recipe("0:1e-1,1:1e-2", 2), pruning_epochs_limit=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """One store, so that the base model is trained once."""
    return Store(tmp_path_factory.mktemp("store"))


def instance(name, **settings):
    return load_class(SOURCES[name])(**settings)


def test_the_field_is_complete():
    """The filter methods that the literature compares with."""
    assert set(FILTERS) == {
        "CHIP", "FPGM", "GReg-1", "GReg-2", "Group-norm", "HRank", "Kron-OBD", "L1-norm", "L2-norm", "LAMP-filters",
        "OBD", "OBD-C", "Random", "SFP", "Slimming", "TPP", "Taylor-FO", "Taylor-FO-BN",
    }  # fmt: skip
    assert {name for name in FILTERS if load_class(SOURCES[name]).about.epochs} == TRAINING


ONE_OF_EACH_KIND = {"L1-norm", "HRank", "Kron-OBD", "Slimming", "GReg-2"}
"""Of weights, of feature maps, of curvature; that trains with an L1 term, and with a penalty that grows."""


@pytest.mark.parametrize("name", [n if n in ONE_OF_EACH_KIND else pytest.param(n, marks=slow) for n in FILTERS])
def test_a_trial_under_the_strictest_setup_ends_well(name, store):
    """S4.2 on the real digits, with the children: exactly the imposed epochs and LR, and the target is met."""
    settings = tuple(DESCRIPTIONS[name].with_settings({}).items())
    own = dataclasses.replace(DESCRIPTIONS[name].own_on("digits"), prune_at=None)  # S4.2 leaves no choice of the base
    entrant = Entrant(name, "pruned", "submission", SOURCES[name], settings, "filter", own)
    trial = make_trials(Request(TRACK, SETUPS["S4.2"], [TRACK.level("90%")], [0], DEVICE, SECONDS), entrant)[0]
    outcome = run_there(trial, store).outcome
    assert outcome.status == "ok", outcome.failure
    assert outcome.pruning.lr == (0.02, 0.01)
    assert abs(outcome.compression.speedup_macs / TRACK.level("90%").speedup - 1) <= TRACK.tolerance


def spent(name, bench, setup, track, **settings):
    """The method run on a random network: its decision, and what the meter counted."""
    with bench.stage(track, setup, level="50%") as (model, context, meter):
        decision = instance(name, **settings).prune(model, context)
        meter.settle()
    shape = bench.random_images().shape
    dense = count(model, shape).macs
    return decision, meter.stage(), dense / count(cut(model, decision.kept, shape), shape).macs


@pytest.mark.parametrize("name", FILTERS)
def test_the_target_is_met_at_the_cost_that_is_stated(name, bench):
    """At the default settings: the passes and epochs of `about`, and the speed-up by a physical cut."""
    track = bench.short_track("digits-resnet8", pruning_epochs_limit=60)
    about = load_class(SOURCES[name]).about
    _, stage, reached = spent(name, bench, "S3.2", track)
    assert (stage.epochs, stage.scoring_epochs) == (about.epochs, about.passes)
    assert abs(reached / track.level("50%").speedup - 1) <= track.tolerance


@pytest.mark.parametrize("name", sorted(TRAINING))
@pytest.mark.parametrize("setup", ["S4.1", "S4.2"])
def test_a_method_that_trains_uses_exactly_the_imposed_epochs(name, setup, bench):
    _, stage, _ = spent(name, bench, setup, bench.short_track("digits-resnet8"))
    assert stage.epochs == 2
    if setup == "S4.2":
        assert stage.lr == (0.1, 0.01)


@pytest.mark.parametrize("name", FILTERS)
def test_on_the_mlp_a_method_runs_or_says_what_it_needs(name, bench):
    """Neurons for filters; where a method needs batch norms or feature maps it says so before it trains."""
    settings = {"epochs": 2} if name in TRAINING else {}
    if name not in REFUSED:
        track = bench.short_track("digits-mlp7", pruning_epochs_limit=60)
        decision, _, reached = spent(name, bench, "S3.2", track, **settings)
        assert len(decision.kept) == 6 and abs(reached / 3.543 - 1) <= 0.01
        return
    with bench.stage(bench.short_track("digits-mlp7"), level="50%") as (model, context, meter):
        with pytest.raises((ValueError, LookupError), match=rf"layer layers\.0 .*{REFUSED[name]}"):
            instance(name).prune(model, context)
        assert (meter.lr, meter.passes) == ([], 0)


@pytest.mark.parametrize("name", ["Taylor-FO", "OBD", "HRank", "LAMP-filters"])
def test_a_criterion_prunes_in_rounds_with_a_look_before_each(name, bench):
    track = bench.short_track("digits-resnet8")
    _, stage, reached = spent(name, bench, "S3.2", track, schedule="rounds:2", epochs=2)
    passes = load_class(SOURCES[name]).about.passes
    assert (stage.epochs, stage.scoring_epochs) == (2, 2 * passes)
    assert abs(reached / 1.911 - 1) <= 0.01


def test_every_look_is_at_the_network_in_evaluation_mode(bench):
    """Also at the second step, after training in between."""

    class Looks(FilterCriterion):
        def observe(self, model, context):
            modes.append(model.training)

        def score(self, layer, context):
            return layer.weight.flatten(1).norm(dim=1)

    modes = []
    with bench.stage(bench.short_track("digits-resnet8"), level="50%") as (model, context, _):
        Looks(schedule="rounds:2", epochs=2).prune(model, context)
    assert modes == [False, False]
