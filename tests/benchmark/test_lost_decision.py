"""A damaged decision is neither absent nor failed: it is made again, and controls keep their layer ratios."""

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.here import Here, planned, run

from prunemark.benchmark.run import submit
from prunemark.benchmark.run.home import Home, open_home
from prunemark.benchmark.trial import packing, pipeline
from prunemark.benchmark.trial.entry import seal
from prunemark.benchmark.trial.keys import given_to, retrain_key, stage_keys
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Trial
from prunemark.contributions.contribute import contribute, decided_by
from prunemark.records.record import Record
from prunemark.setups.errors import InputError, WorkFailed


@pytest.fixture(params=[("digits-resnet8", "L1-norm", "50%"), ("digits-resnet8-weights", "Magnitude", "90%")])
def trials(request: pytest.FixtureRequest) -> tuple[Trial, Trial]:
    return planned(*request.param)


def damage(trial: Trial, store: Store, stage: str = "prune", file: str = "decision.json") -> Path:
    """One bit of it; the entry's folder."""
    folder = store.path(getattr(stage_keys(trial, given_to(trial, store)), stage))
    content = bytearray((folder / file).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / file).write_bytes(content)
    return folder


def test_a_control_runs_with_the_layer_ratios_of_a_decision_that_was_damaged(
    trials: tuple[Trial, Trial], tmp_path: Path
) -> None:
    mine, control = trials
    undisturbed = Store(tmp_path / "undisturbed")
    run(mine, undisturbed)
    expected = run(control, undisturbed)
    told: list[str] = []
    store = Store(tmp_path / "store", told.append)
    run(mine, store)
    folder = damage(mine, store)
    found = run(control, store)
    assert found.outcome_sha256 == expected.outcome_sha256
    assert found.outcome.method.matched_to is not None or mine.track.granularity == "filter"
    assert len(told) == 1 and told[0].startswith("a pruning stage was damaged (decision.json has not the bytes")
    assert store.read(folder.name) == folder and folder.with_name(f"{folder.name}.damaged0").is_dir()


@pytest.mark.parametrize("stages", [["prune"], ["prune", "evaluate"]])
def test_what_is_stored_is_found_whatever_became_of_the_decision(
    trials: tuple[Trial, Trial], tmp_path: Path, stages: list[str]
) -> None:
    mine, control = trials
    store = Store(tmp_path)
    first, second = run(mine, store), run(control, store)
    for stage in stages:
        damage(mine, store, stage, "decision.json" if stage == "prune" else "record.json")
    if len(stages) == 1:
        assert submit.stored_record(mine, store) == first and submit.stored_record(control, store) == second
    assert run(control, store) == second
    assert run(mine, store).outcome_sha256 == first.outcome_sha256
    assert store.read(stage_keys(mine).prune) is not None


def test_a_decision_that_a_half_copied_home_lacks_is_made_again(trials: tuple[Trial, Trial], tmp_path: Path) -> None:
    mine, control = trials
    whole = Store(tmp_path / "whole")
    first, expected = run(mine, whole), run(control, whole)
    shutil.copytree(whole.root, tmp_path / "half")
    half = Store(tmp_path / "half")
    keys = stage_keys(mine)
    for key in (keys.prune, stage_keys(control, given_to(control, whole)).evaluate):
        shutil.rmtree(half.path(key))
    assert submit.lost_its_decision(mine, first, half) and not submit.lost_its_decision(mine, first, whole)
    assert run(control, half).outcome_sha256 == expected.outcome_sha256
    assert half.read(keys.prune) is not None and run(mine, half) == first


def test_a_control_does_not_run_where_the_decision_cannot_be_made_again(
    trials: tuple[Trial, Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, control = trials
    store = Store(tmp_path)
    first = run(mine, store)
    damage(mine, store)

    def too_slow(*_: object) -> None:
        raise pipeline.ChildFailed("timeout", "pruning time", "this time it took too long")

    monkeypatch.setattr(pipeline, "run_stage", too_slow)
    with pytest.raises(WorkFailed, match=f"{control.label} did not run: what {mine.label} decided is lost"):
        run(control, store)
    assert submit.stored_record(control, store) is None and submit.stored_record(mine, store) == first


def test_a_stage_is_made_again_when_its_base_has_other_bits(trials: tuple[Trial, Trial], tmp_path: Path) -> None:
    """As a base made anew on a GPU can: what was packed against the old one cannot be put together any more."""
    mine, _ = trials
    told: list[str] = []
    store = Store(tmp_path, told.append)
    first = run(mine, store)
    keys = stage_keys(mine)
    assert packing.base_of(store.path(keys.prune)) == keys.pretrain
    base = store.path(keys.pretrain)
    state = load_file(base / "weights.safetensors")
    with torch.no_grad():
        state["classifier.weight"][0, 0] += 0.5
    save_file(state, base / "weights.safetensors")
    (base / "manifest.json").unlink()
    seal(base)
    shutil.rmtree(store.path(keys.evaluate))
    shutil.rmtree(store.path(retrain_key(mine, keys, mine.recipe)))
    again = run(mine, store)
    assert again.outcome.status == "ok" and again.outcome.weights_sha256 != first.outcome.weights_sha256
    assert len(told) == 1 and told[0].startswith(
        "a pruning stage was damaged (the base model that it is packed against"
    )
    assert packing.read_weights(store.path(keys.prune), base)["classifier.weight"].equal(state["classifier.weight"])


class Heard:
    """A watcher that remembers what was said."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def started(self, trial: Trial) -> None: ...
    def epoch(self, trial: Trial, stage: str, point: object) -> None: ...
    def finished(self, trial: Trial, record: Record, files: dict[str, Path]) -> None: ...
    def said(self, words: str) -> None:
        self.words.append(words)


def test_the_same_command_makes_a_damaged_decision_again_and_a_board_gets_it(tmp_path: Path) -> None:
    told: list[str] = []
    home = open_home(Home(tmp_path / "home", tell=told.append))
    mine, control = planned("digits-resnet8", "L1-norm", "50%")
    records = submit.execute([mine, control], home, Here(), [])
    decided = decided_by(mine, home.store)
    folder = damage(mine, home.store)
    with pytest.raises(InputError, match=r"L1-norm 50% seed 0 decided is no longer in .*\nRun the same command again"):
        contribute([mine, control], home.store, tmp_path / "board", lambda text: None)
    assert submit.execute([mine, control], home, Here(), []) == records
    assert decided_by(mine, home.store) == decided is not None and len(told) == 1
    contribute([mine, control], home.store, tmp_path / "board", lambda text: None)
    (folder / "decision.json").unlink()
    assert submit.trial_files(mine, home.store).keys() == {"predictions.json"}, "what is damaged is not passed on"
    assert submit.execute([mine], home, Here(), [])[mine] == records[mine]
    assert decided_by(mine, home.store) == decided and len(told) == 2


def test_what_a_worker_sets_aside_is_told_to_the_watchers(tmp_path: Path) -> None:
    told: list[str] = []
    home = open_home(Home(tmp_path / "home", tell=told.append))
    mine, _ = planned("digits-resnet8", "L1-norm", "50%")
    submit.execute([mine], home, Here(), [])
    other = dataclasses.replace(mine, level=mine.track.level("90%"))
    folder = damage(mine, home.store, "evaluate_base", "test_accuracy.json")
    heard = Heard()
    submit.execute([other], home, Here(), [heard])
    assert told == [] and len(heard.words) == 1
    assert heard.words[0].startswith("the accuracy of a base model was damaged") and str(folder) in heard.words[0]
