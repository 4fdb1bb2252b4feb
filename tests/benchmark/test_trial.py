"""One trial end to end on the real digits, with methods that behave and methods that do not."""

import dataclasses
from pathlib import Path

import pytest

from prunemark.benchmark.run.submit import stored_record
from prunemark.benchmark.sandbox.child import ChildFailed
from prunemark.benchmark.submission.describe import describe_in_child
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.trial.keys import stage_keys
from prunemark.benchmark.trial.pipeline import run_trial
from prunemark.benchmark.trial.plan import Request, make_trials
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Entrant
from prunemark.records.executed import pipeline_of
from prunemark.records.record import dump, load
from prunemark.setups.assessment import assess
from prunemark.setups.comparison import SETUPS
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.track_files import find_track

SUBMISSIONS = Path(__file__).parents[1] / "submissions" / "samples.py"
SHORT = Recipe(lr=parse_schedule("0:1e-1,1:1e-2", 2), augmentation="shift1")


def quick(name="digits-resnet8"):
    return dataclasses.replace(
        find_track(name), pretraining=SHORT, pruning=SHORT, retraining=SHORT, pruning_epochs_limit=3
    )


def entrant(name, **settings):
    _, source = locate(f"{SUBMISSIONS}:{name}")
    return Entrant(name, "pruned", "submission", source, tuple(settings.items()))


def trial_of(method, track=None, seed=0, setup="S3.2", level="90%", seconds=60.0, controls=()):
    track = track or quick()
    method = dataclasses.replace(method, granularity=track.granularity)
    request = Request(track, SETUPS[setup], [track.level(level)], [seed], pruning_seconds_limit=seconds)
    return make_trials(request, method, controls)[0]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


def run(trial, store):
    return run_trial(trial, store, lambda stage, point: None)


def test_a_criterion_meets_the_target_and_is_recorded_whole(store):
    record = run(trial_of(entrant("Fine", power=2.0)), store)
    outcome, observed = record.outcome, record.observed
    assert outcome.status == "ok"
    assert (observed.latency, observed.passes, observed.dense_passes) == (None, (), ()), "a trial takes no times"
    assert 0 < observed.peak_memory_bytes < 2**24
    assert outcome.compression.speedup_macs == pytest.approx(6.373, rel=1e-3)
    assert outcome.compression.kept == {"blocks.0.conv1": 1, "blocks.1.conv1": 2, "blocks.2.conv1": 3}
    assert outcome.retraining.lr == (0.1, 0.01) == SHORT.lr.vector
    assert outcome.retraining.samples == 2 * 1097 and outcome.retraining.steps == 2 * 9
    assert len(outcome.accuracy.correctness()) == 500
    assert outcome.accuracy.test_percent == 100 * outcome.accuracy.correctness().mean()
    assert load(dump(record)) == record


def test_the_same_trial_in_another_store_gives_the_same_bits(store, tmp_path):
    trial = trial_of(entrant("Fine", power=2.0))
    first, second = run(trial, store), run(trial, Store(tmp_path))
    assert first.outcome_sha256 == second.outcome_sha256
    assert first.record_sha256 != second.record_sha256  # seconds and the clock are not the same


def test_a_finished_trial_is_not_run_again(store):
    trial = trial_of(entrant("Fine", power=2.0))
    first = run(trial, store)
    heard = []
    again = run_trial(trial, store, lambda stage, point: heard.append(stage))
    assert again == first and heard == []


def test_another_setting_is_another_trial(store):
    one = stage_keys(trial_of(entrant("Fine", power=2.0)))
    other = stage_keys(trial_of(entrant("Fine", power=1.0)))
    assert one.pretrain == other.pretrain and one.prune != other.prune and one.evaluate != other.evaluate


def test_executed_pipelines_of_two_methods_satisfy_the_setup_they_ran_under(store):
    a = run(trial_of(entrant("Fine", power=2.0)), store)
    b = run(trial_of(entrant("Trains", epochs=1)), store)
    found = assess([pipeline_of(a), pipeline_of(b)])
    assert found.setups["S3.2"] == "holds" and found.established == "S3.2"
    assert "pruning_epochs" in found.differing  # one trained while pruning, so S4.1 does not hold


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("Raises", "failed", "the Hessian is singular"),
        ("WrongShape", "failed", "must have shape (8,); got (3,)"),
        ("NotANumber", "failed", "contain NaN"),
        ("NotATensor", "failed", "must be a tensor"),
        ("TooFewFilters", "noncompliant", "was asked for"),
        ("NoFilters", "noncompliant", "kept filters must be 1 to 8"),
        ("OtherLayer", "noncompliant", "may not be pruned"),
        ("ReturnsNothing", "failed", "got NoneType"),
        ("ReplacesTheModel", "noncompliant", "the model has stem.bias"),
        ("Exits", "failed", "it ended before the harness"),
        ("Kills", "noncompliant", "Operation not permitted"),  # so that who is killed was killed from outside
        ("TooManyEpochs", "budget_exceeded", "3 pruning epochs were granted"),
    ],
)
def test_a_method_that_goes_wrong_is_recorded_with_its_reason(store, name, status, words):
    record = run(trial_of(entrant(name)), store)
    assert record.outcome.status == status
    assert words in record.outcome.failure.evidence
    assert record.outcome.accuracy is None and load(dump(record)) == record


def test_the_traceback_of_a_method_names_its_line(store):
    record = run(trial_of(entrant("Raises")), store)
    assert "samples.py" in record.outcome.failure.traceback
    assert "raise RuntimeError" in record.outcome.failure.traceback


def test_a_method_that_hangs_is_stopped_and_is_run_again_when_it_is_asked_for_again(store):
    """The machine may have been busy, so the store does not keep that it was too slow; it keeps that a method fails."""
    late, broken = trial_of(entrant("Hangs"), seconds=1.0), trial_of(entrant("Raises"))
    record = run(late, store)
    assert record.outcome.status == "timeout" and "1 s" in record.outcome.failure.evidence
    assert stored_record(late, store) is None and run(late, store).observed != record.observed
    failed = run(broken, store)
    assert stored_record(broken, store) == failed == run(broken, store)


def test_a_method_that_eats_memory_is_stopped(store):
    record = run(trial_of(entrant("EatsMemory")), store)
    assert record.outcome.status == "out_of_memory"


def test_a_method_that_trains_is_metered(store):
    record = run(trial_of(entrant("Trains", epochs=2)), store)
    pruning = record.outcome.pruning
    assert (pruning.epochs, pruning.lr, pruning.samples, pruning.steps) == (2, (0.01, 0.01), 2 * 1097, 18)
    assert pruning.train_flops == 2 * 1097 * 193_344 * 6
    assert record.outcome.compression.speedup_macs == pytest.approx(6.373, rel=0.01)


def test_a_method_that_looks_at_data_is_metered(store):
    record = run(trial_of(entrant("UsesData")), store)
    assert record.outcome.pruning.samples == 1097 and record.outcome.pruning.steps == 0


def test_what_a_method_prints_and_writes_stays_out_of_the_way(store, capfd, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert run(trial_of(entrant("Chatty")), store).outcome.status == "ok"
    assert "hello" not in capfd.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_scratch_and_dense_are_references(store):
    submission = entrant("Fine", power=2.0)
    run(trial_of(submission), store)
    controls = (
        Entrant("Scratch", "scratch", "reference", None, (), shares_ratios=True),
        Entrant("Dense", "dense", "reference", None, ()),
    )
    track = quick()
    trials = make_trials(Request(track, SETUPS["S3.2"], [track.level("90%")], [0]), submission, controls)
    scratch, dense = (run(trial, store).outcome for trial in trials[1:])
    assert scratch.base is None and scratch.retraining.epochs == 4
    assert scratch.retraining.lr[-1] == SHORT.lr.final  # Rule 1
    assert scratch.compression.speedup_macs == pytest.approx(6.373, rel=1e-3)
    assert dense.compression.speedup_macs == 1.0 and dense.retraining.lr == (0.1, 0.01)


def test_random_control_takes_the_layer_ratios_of_the_submission(store):
    submission = entrant("Trains", epochs=1)
    mine = run(trial_of(submission), store).outcome.compression.kept
    _, source = locate("Random")
    random = Entrant("Random", "pruned", "control", source, (("allocation", "uniform"),), shares_ratios=True)
    track = quick()
    trial = make_trials(Request(track, SETUPS["S3.2"], [track.level("90%")], [0]), submission, [random])[1]
    assert run(trial, store).outcome.compression.kept == mine


def test_a_control_beside_a_method_that_failed_takes_the_levels_own_ratios(store):
    """By itself random pruning of weights draws over all layers at once: as many rows as there are seeds."""
    track = quick("digits-resnet8-weights")
    _, source = locate("Random-weights")
    settings = (("allocation", "global"), ("epochs", 0), ("schedule", "one-shot"))
    random = Entrant("Random-weights", "pruned", "control", source, settings, "weight", shares_ratios=True)
    failing = dataclasses.replace(entrant("RaisesWeights"), granularity="weight")
    trials = make_trials(Request(track, SETUPS["S3.2"], [track.level("95%")], [0]), failing, [random])
    assert run(trials[0], store).outcome.status == "failed"
    found = run(trials[1], store).outcome
    total = found.compression.total
    assert all(abs(kept - 0.05 * total[name]) < 1 for name, kept in found.compression.kept.items())
    assert dict(found.method.settings) == dict(settings), "its identity is that of all others"


def test_weights_are_masked_exactly_and_stay_zero(store):
    record = run(trial_of(entrant("FineWeights"), track=quick("digits-resnet8-weights"), level="95%"), store)
    compression = record.outcome.compression
    total = sum(compression.total.values())
    assert sum(compression.kept.values()) == total - int(0.95 * total + 0.5)
    assert compression.speedup_macs == 1.0


def test_neurons_of_a_fully_connected_network_are_pruned(store):
    record = run(trial_of(entrant("Fine", power=1.0), track=quick("digits-mlp7"), level="50%"), store)
    assert record.outcome.status == "ok"
    assert set(record.outcome.compression.kept.values()) == {50}


def test_a_damaged_base_is_set_aside_and_made_again(store, tmp_path):
    trial, own = trial_of(entrant("Fine", power=2.0)), Store(tmp_path)
    first = run(trial, own)
    base = own.path(stage_keys(trial).pretrain)
    (base / "weights.safetensors").write_bytes(b"damaged")
    again = run(trial_of(entrant("Fine", power=3.0)), own)
    assert again.outcome.base.sha256 == first.outcome.base.sha256
    assert list(base.parent.glob("*.damaged0"))


def test_describing_a_method(tmp_path):
    _, source = locate(f"{SUBMISSIONS}:Fine")
    described = describe_in_child(source, "Fine")
    assert described.summary == "L2 norm, with a setting."
    assert described.settings["power"].default == 2.0 and described.settings["power"].meaning == "which norm"
    assert described.with_settings({"power": "1"}) == {
        "allocation": "uniform", "schedule": "one-shot", "epochs": 0, "power": 1.0,
    }  # fmt: skip


def test_what_a_submission_may_not_do_it_may_not_do_when_it_is_loaded_either(tmp_path):
    """Its file is executed to find out what it declares, also in `check` and on a stranger's pull request."""
    text = (
        "from prunemark.benchmark.method import FilterCriterion\n\n\n"
        "class Mine(FilterCriterion):\n    def score(self, *_):\n        return 0\n"
    )
    tricks = {
        "import subprocess\nsubprocess.Popen(['true'], start_new_session=True)\n": "may not start a process",
        "import socket\nsocket.socket().connect(('127.0.0.1', 9))\n": "may not use the network|Operation not permitted",
        "import prunemark.benchmark.images.data\n": "prunemark.benchmark.images",
    }
    for number, (trick, said) in enumerate(tricks.items()):
        (tmp_path / f"mine{number}.py").write_text(trick + text)
        with pytest.raises(ChildFailed, match=said):
            describe_in_child(locate(f"{tmp_path}/mine{number}.py:Mine")[1], "Mine")
    (tmp_path / "sound.py").write_text(text)
    assert describe_in_child(locate(f"{tmp_path}/sound.py:Mine")[1], "Mine").granularity == "filter"
