"""Trials on a track that gives its base: a ResNet of timm, trained here, as safetensors and as .pth."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support import given
from support.here import Here

from prunemark.benchmark.compression.budget_solver import TargetMissed
from prunemark.benchmark.images.sources import VARIABLE
from prunemark.benchmark.method import FilterCriterion
from prunemark.benchmark.networks.weights import weights_sha256
from prunemark.benchmark.run import submit
from prunemark.benchmark.run.check_track import check_track
from prunemark.benchmark.run.debug import debug
from prunemark.benchmark.run.entrants import entrants
from prunemark.benchmark.run.executor import LocalProcesses
from prunemark.benchmark.run.home import Home, home_at, open_home
from prunemark.benchmark.run.jobs import make_jobs
from prunemark.benchmark.run.work import expected_work
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.trial.given_base import check_stated
from prunemark.benchmark.trial.keys import stage_keys
from prunemark.benchmark.trial.plan import Request, make_trials
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.leaderboard.formats.captions import caption
from prunemark.leaderboard.standings.board import make_board
from prunemark.records.imposed import contradiction
from prunemark.records.load import read_records
from prunemark.records.outcome import MeteredStage
from prunemark.records.record import Record, dump, load
from prunemark.setups.comparison import SETUPS
from prunemark.setups.errors import InputError
from prunemark.setups.given_base import GivenBase
from prunemark.setups.track import Track
from prunemark.setups.track_files import track_from_file

DENSE = Entrant("Dense", "dense", "reference", None, ())


@dataclasses.dataclass(frozen=True)
class Made:
    """Networks, the accuracies of their files, and where these lie."""

    folder: Path
    state: dict[str, torch.Tensor]
    percents: dict[str, float]

    def track(self, *files: str, **changes: Any) -> Track:
        """A track of the network that the files are of, which gives them."""
        bases = [given.base(self.folder / name, self.percents[name]) for name in files]
        changes = {"network": given.SMALL if files[0].startswith("small") else given.NETWORK} | changes
        return track_from_file(given.track(self.folder, *bases, **changes))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("given")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(given.write_shades(folder)))
        data = given.prepared(folder / "prepared")
    model = given.trained(data["train"])
    percents = {}
    for name, each in (
        ("net.safetensors", model), ("net.pth", model),
        ("small.pth", given.trained(data["train"], network=given.SMALL)),
        ("small-other.safetensors", given.trained(data["train"], seed=1, steps=3, network=given.SMALL)),
    ):  # fmt: skip
        given.save(each, folder / name)
        percents[name] = given.percent_of(each, data["test"])
    return Made(folder, dict(model.state_dict()), percents)


@pytest.fixture(autouse=True)
def images(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(made.folder))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(home_at(tmp_path / "home"))


def of_method(name: str, role: str = "submission") -> Entrant:
    return Entrant(name, "pruned", role, locate(name)[1], (("allocation", "uniform"),))  # type: ignore[arg-type]


def planned(track: Track, setup: str = "S3.2", seeds: Sequence[int] = (0,)) -> tuple[Trial, ...]:
    request = Request(track, SETUPS[setup], track.levels, seeds)
    return make_trials(request, of_method("FPGM"), (of_method("L1-norm", "anchor"), DENSE))


def run(trials: Sequence[Trial], home: Home) -> list[Record]:
    records = submit.execute(trials, home, Here(), [])
    return [records[trial] for trial in trials]


@pytest.fixture(scope="module")
def recorded(made: Made, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, list[Record]]:
    """Two methods and the dense network under S3.2, and two methods under S4.2, all on one base."""
    home = open_home(home_at(tmp_path_factory.mktemp("run") / "home"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(made.folder))
        track = made.track("net.safetensors")
        return home, run([*planned(track), *planned(track, "S4.2")[:2]], home)


def test_all_trials_start_from_the_given_base_and_nothing_is_pretrained(
    made: Made, recorded: tuple[Home, list[Record]]
) -> None:
    home, records = recorded
    assert len(records) == 5 and {r.outcome.status for r in records} == {"ok"}
    sha256 = given.sha256(made.folder / "net.safetensors")
    for record in records:
        base = record.outcome.base
        assert base and (base.given, base.file_sha256) == ("file", sha256)
        assert base.sha256 == weights_sha256(made.state) and base.test_percent == made.percents["net.pth"]
        assert base.pretraining == MeteredStage(0, (), 0, 0, 0)
        assert "pretraining" not in record.outcome.track_terms
        assert contradiction(record.outcome) == "" and load(dump(record)) == record
        (stated,) = record.outcome.track_terms["base"]
        assert (stated["weights"], stated["sha256"]) == ("file", sha256) and "net" not in json.dumps(stated)
    under_s4 = [r.outcome for r in records if r.outcome.setup == "S4.2" and r.outcome.method.kind == "pruned"]
    assert [o.pruning and o.pruning.epochs for o in under_s4] == [1, 1]
    assert sum(path.name == "momentum.safetensors" for path in home.store.root.rglob("*")) == 1


def test_the_setups_hold_among_them_and_sums_are_not_known(recorded: tuple[Home, list[Record]]) -> None:
    home, _records = recorded
    board = make_board(read_records(home.records))
    tables = {table.setup: table for table in board.tables}
    assert not board.refused and {setup: table.holds for setup, table in tables.items()} == {
        "S3.2": "S4.2", "S4.2": "S4.2",
    }  # fmt: skip
    said = caption(tables["S4.2"])  # one seed, and still on one base
    assert "Conditional on this test set and on one base model, which all seeds share" in said
    assert "Base model given, not trained here: file (" in said and "from trained by a test." in said
    assert "on one base model" in caption(tables["S3.2"])


def test_both_forms_are_the_same_base(made: Made, home: Home, recorded: tuple[Home, list[Record]]) -> None:
    (dense,) = run([planned(made.track("net.pth"))[-1]], home)
    before = next(r for r in recorded[1] if r.outcome.method.name == "Dense")
    assert dense.outcome.base and before.outcome.base
    assert dense.outcome.base.sha256 == before.outcome.base.sha256
    assert dense.outcome.base.file_sha256 == given.sha256(made.folder / "net.pth")
    assert dense.outcome.weights_sha256 == before.outcome.weights_sha256


def test_a_key_names_content_and_no_path(made: Made, tmp_path: Path) -> None:
    track = made.track("net.pth")
    (tmp_path / "elsewhere.pth").write_bytes((made.folder / "net.pth").read_bytes())
    text = (made.folder / "given.toml").read_text().replace("file:net.pth", "file:elsewhere.pth")
    (tmp_path / "given.toml").write_text(text)
    moved = track_from_file(tmp_path / "given.toml")
    assert stage_keys(planned(track)[-1]) == stage_keys(planned(moved)[-1])
    assert stage_keys(planned(track)[-1]) != stage_keys(planned(made.track("net.safetensors"))[-1])
    keys = [stage_keys(trial) for trial in planned(track, seeds=(0, 5))]
    assert len({each.pretrain for each in keys}) == 1 == len({each.evaluate_base for each in keys})
    assert len({each.evaluate for each in keys}) == len(keys)


def test_a_plan_has_one_job_for_the_base_and_counts_no_epochs_of_it(made: Made, home: Home) -> None:
    trials = planned(made.track("net.pth"), seeds=(0, 1, 2))
    jobs, _trial_of = make_jobs(trials, home.store)
    assert [job.call.partition(":")[2] for job in jobs[:2]] == ["prepare_job", "pretrain_job"]
    assert len(jobs) == 2 + len(trials) and all(jobs[1].id in job.needs for job in jobs[2:])
    assert expected_work(trials).epochs == len(trials)  # of retraining


def test_several_given_bases_stand_for_seeds(made: Made, home: Home) -> None:
    files = ("small.pth", "small-other.safetensors")
    track = made.track(*files)
    dense = [trial for trial in planned(track, seeds=(0, 1)) if trial.entrant == DENSE]
    bases = [record.outcome.base for record in run(dense, home)]
    assert [base and base.file_sha256 for base in bases] == [given.sha256(made.folder / name) for name in files]
    assert [base and base.test_percent for base in bases] == [made.percents[name] for name in files]
    assert len({base and base.sha256 for base in bases}) == 2
    with pytest.raises(InputError, match="gives 2 base models, for seeds 0 to 1; seed 2 has none.\nAsk for fewer"):
        planned(track, seeds=(0, 1, 2))


def _other_accuracy(text: str) -> str:
    return re.sub("top1_percent = .*", "top1_percent = 11.5", text)


def _other_hash(text: str) -> str:
    return re.sub('sha256 = "(.*)"', lambda found: f'sha256 = "{found[1][::-1]}"', text)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_other_accuracy, "the track states 11.5 % within 0.1 points.\nNothing was pruned"),
        (_other_hash, "have another hash than the track states"),
        (lambda text: text.replace("small.pth", "none.pth"), "are not on this machine.\nLay it as .*none.pth"),
        (lambda text: text.replace('"resnet8"', '"resnet14-thin"'), "lacks .* of the network"),
    ],
)
def test_nothing_is_pruned_from_a_base_that_is_not_as_stated(
    damage: Callable[[str], str], words: str, made: Made, home: Home
) -> None:
    made.track("small.pth")
    path = made.folder / "damaged.toml"
    path.write_text(damage((made.folder / "given.toml").read_text()))
    with pytest.raises(InputError, match=words):
        run(planned(track_from_file(path)), home)
    assert not any(home.records.iterdir())


def test_a_track_is_checked_with_its_base(made: Made, home: Home) -> None:
    track = made.track("net.pth")
    found = {each.what: each for each in check_track(track, "cpu", home.store)}
    assert list(found) == ["data", "network", "levels", "base", "a step"]
    assert f"{made.percents['net.pth']:.2f} % on the test split; SHA-256" in found["base"].found
    assert "1 epochs of retraining take about" in found["a step"].found
    assert track.base
    stated = track.base[0]
    wrong = dataclasses.replace(track, base=(dataclasses.replace(stated, top1_percent=11.5),))
    last = check_track(wrong, "cpu", home.store)[-1]
    assert (last.what, last.state) == ("base", "broken") and "the track states 11.5 %" in last.found


def test_scratch_training_is_no_control_of_it(made: Made, home: Home) -> None:
    track = made.track("net.pth")
    request = Request(track, SETUPS["S3.2"], track.levels, [0])
    submission, controls = entrants("FPGM", {}, request, home, LocalProcesses(1))
    assert [submission.name, *(control.name for control in controls)] == ["FPGM", "L1-norm", "Random", "Dense"]


def test_nothing_is_rewound_to_what_a_given_base_was_before(made: Made, home: Home) -> None:
    track = dataclasses.replace(made.track("small.pth"), granularity="weight", pruning_epochs_limit=3)
    level = dataclasses.replace(track.levels[0], speedup=None)
    track = dataclasses.replace(track, levels=(level,))
    ticket = Entrant("Lottery-ticket", "pruned", "submission", locate("Lottery-ticket")[1], (), "weight")
    request = Request(track, SETUPS["S3.2"], track.levels, [0])
    (record,) = run([make_trials(request, ticket)[0]], home)
    assert record.outcome.status == "failed" and record.outcome.failure
    assert "the base model of given@1 is given" in record.outcome.failure.evidence


def test_a_network_trained_on_real_images_is_given_and_pruned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not given.write_cifar(tmp_path):
        pytest.skip("no shared images")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    dataset = "folder:cifar@32"
    data = given.prepared(tmp_path / "prepared", dataset)
    model = given.trained(data["train"], steps=12)
    file = given.save(model, tmp_path / "net.safetensors")
    base = given.base(file, given.percent_of(model, data["test"]))
    track = track_from_file(given.track(tmp_path, base, dataset=dataset, classes=10))
    home = open_home(home_at(tmp_path / "home"))
    dense, pruned = run(planned(track)[::-2], home)
    assert dense.outcome.base == pruned.outcome.base and pruned.outcome.base
    assert pruned.outcome.base.sha256 == weights_sha256(model.state_dict())
    assert pruned.outcome.compression and abs(pruned.outcome.compression.speedup_macs - 1.32) < 0.02


def test_a_method_is_debugged_on_the_given_base(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    made.track("small.pth")
    kept: dict[str, Any] = {}

    class Watched(FilterCriterion):
        """Keeps what it saw."""

        def score(self, layer: Any, context: Any) -> torch.Tensor:
            kept.setdefault("weight", layer.weight.detach().clone())
            return torch.arange(len(layer.weight), dtype=torch.float32)

    with contextlib.suppress(TargetMissed):
        debug(Watched, track=str(made.folder / "given.toml"))
    saved = torch.load(made.folder / "small.pth", weights_only=True)["state_dict"]
    assert torch.equal(kept["weight"], saved["module.blocks.0.conv1.weight"])
    assert "base given" in capsys.readouterr().out


def test_a_share_in_the_place_of_percent_is_said() -> None:
    trial: Any = SimpleNamespace(track=SimpleNamespace(dataset="digits"))
    for stated, words in ((0.97, "top1_percent is in percent, not a share of 1: write 97"), (60.0, "a wrong number")):
        with pytest.raises(InputError, match=words):
            check_stated(trial, GivenBase("file:net", "0" * 64, stated, "by hand"), 97.05)
