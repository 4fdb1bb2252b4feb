"""Several trials on a GPU, by measured memory: on made-up GPUs."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from prunemark.benchmark.run import gpu_room
from prunemark.benchmark.run.drive import Event, drive
from prunemark.benchmark.run.executor import Processes
from prunemark.benchmark.run.gpu_room import Card, GpuRoom, card_of
from prunemark.benchmark.run.jobs import Job
from prunemark.benchmark.sandbox.run_folder import run_folder
from prunemark.benchmark.trial.plan import Request, make_trials
from prunemark.benchmark.trial.trial import Entrant
from prunemark.cli.engines import Engine, executor_for
from prunemark.setups.comparison import SETUPS
from prunemark.setups.errors import InputError
from prunemark.setups.track_files import find_track

GIB = 2**30
TRACK = find_track("digits-resnet8")
TRIALS = make_trials(
    Request(TRACK, SETUPS["S3.2"], TRACK.levels, range(8), "cuda"), Entrant("Mine", "pruned", "submission", None, ())
)
LEVELS = len(TRACK.levels)


def job(seed: int, level: int = 0, call: str = "trial_job") -> Job:
    return Job(f"{call} {seed}/{level}", f"module:{call}", (TRIALS[seed * LEVELS + level], Path("store")))


@dataclass
class MadeUp:
    """GPUs of 10 GiB, on which `used` is taken."""

    used: dict[str, int] = field(default_factory=dict)

    def __call__(self, device: str) -> Card:
        return Card("made up", self.used.get(device, 0), 10 * GIB)


def seen(room: GpuRoom, gpus: MadeUp, which: Job, gib: float) -> str | None:
    """A job that runs alone, takes this much and ends well; where it ran."""
    device = room.place(which)
    assert device is not None
    before = gpus.used.get(device, 0)
    for part in (0.5, 1.0, 0.8):
        gpus.used[device] = before + int(part * gib * GIB)
        room.note()
    gpus.used[device] = before
    room.ended(which, well=True)
    return device


def test_the_first_of_a_kind_has_a_gpu_to_itself_and_the_next_are_packed(tmp_path: Path) -> None:
    gpus = MadeUp()
    room = GpuRoom(("0",), tmp_path, gpus)
    assert room.place(job(0)) == "0" and room.measuring
    assert room.place(job(1)) is None  # as long as the first is measured
    room.ended(job(0), well=False)  # which says nothing of what it takes
    assert not list(tmp_path.iterdir())
    seen(room, gpus, job(0), 2.0)
    assert [room.place(job(seed)) for seed in range(1, 6)] == ["0"] * 4 + [None]  # 4 of 2 GiB in 9 of 10
    room.ended(job(2), well=True)
    assert room.place(job(5)) == "0" and not room.measuring


def test_what_was_measured_stays_in_the_home_and_is_of_one_kind_of_trial_and_gpu(tmp_path: Path) -> None:
    gpus = MadeUp()
    seen(GpuRoom(("0",), tmp_path, gpus), gpus, job(0), 2.0)
    (file,) = tmp_path.iterdir()
    assert json.loads(file.read_text())["bytes"] == 2 * GIB
    later = GpuRoom(("0",), tmp_path, gpus)
    assert [later.place(job(seed)) for seed in (3, 4)] == ["0", "0"]
    assert later.place(job(3, level=1)) is None  # another level is measured first, and alone
    other = GpuRoom(("0",), tmp_path, lambda _: Card("another GPU", 0, 10 * GIB))
    assert [other.place(job(seed)) for seed in (3, 4)] == ["0", None]
    file.write_text("{")  # cut short: measured again
    assert [GpuRoom(("0",), tmp_path, gpus).place(job(3)), len(list(tmp_path.iterdir()))] == ["0", 1]


def test_a_base_model_is_of_one_kind_whatever_method_asks_for_it(tmp_path: Path) -> None:
    gpus = MadeUp()
    room = GpuRoom(("0",), tmp_path, gpus)
    seen(room, gpus, job(0, call="pretrain_job"), 1.0)
    assert [room.place(job(seed, level, "pretrain_job")) for seed, level in ((1, 0), (2, 1))] == ["0", "0"]
    assert room.place(job(0, call="prepare_job")) == "0"  # trains nothing


def test_memory_that_somebody_else_uses_is_not_counted_as_free(tmp_path: Path) -> None:
    gpus = MadeUp()
    room = GpuRoom(("0",), tmp_path, gpus)
    seen(room, gpus, job(0), 2.0)
    gpus.used["0"] = 6 * GIB
    assert [room.place(job(seed)) for seed in (1, 2)] == ["0", None]
    gpus.used["0"] = 2 * GIB  # the first one's; what it will take counts from its start
    assert room.place(job(2)) is None  # 6 were in use before it
    room.ended(job(1), well=True)
    gpus.used["0"] = 0
    assert [room.place(job(seed)) for seed in range(2, 7)] == ["0"] * 4 + [None]


def test_a_job_too_large_for_what_is_left_still_gets_an_empty_gpu(tmp_path: Path) -> None:
    gpus = MadeUp()
    room = GpuRoom(("0", "1"), tmp_path, gpus)
    seen(room, gpus, job(0), 9.5)
    assert [room.place(job(seed)) for seed in (1, 2, 3)] == ["0", "1", None]


def test_they_are_spread_over_the_gpus(tmp_path: Path) -> None:
    gpus = MadeUp()
    room = GpuRoom(("3", "GPU-uuid"), tmp_path, gpus)
    seen(room, gpus, job(0), 2.0)
    assert [room.place(job(seed)) for seed in range(1, 5)] == ["3", "GPU-uuid", "3", "GPU-uuid"]


def test_a_job_that_was_hardly_seen_is_not_noted(tmp_path: Path) -> None:
    room = GpuRoom(("0",), tmp_path, MadeUp())
    room.place(job(0))
    room.note()
    room.ended(job(0), well=True)
    assert not list(tmp_path.iterdir())


class Narrow:
    """Room for two."""

    measuring = False

    def __init__(self) -> None:
        self.inside: list[str] = []
        self.most = 0

    def place(self, which: Job) -> str | None:
        if len(self.inside) == 2:
            return None
        self.inside.append(which.id)
        self.most = max(self.most, len(self.inside))
        return "7"

    def note(self) -> None: ...

    def ended(self, which: Job, well: bool) -> None:
        assert well
        self.inside.remove(which.id)


def test_jobs_wait_for_room_and_all_are_carried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parents[1]), *sys.path])
    room: Any = Narrow()
    events: list[Event] = []
    jobs = [Job(name, "support.executor_jobs:double", (1,)) for name in "abcde"]
    with run_folder() as scratch:
        drive(jobs, events.append, Processes(5, scratch, ("7",), shared=room), (0.0,))
    assert [event.job.id for event in events if event.kind == "started"] == list("abcde")
    assert sorted(event.job.id for event in events if event.kind == "done") == list("abcde")
    assert room.most == 2 and room.inside == []


def test_what_nvidia_smi_says_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], **_: Any) -> Any:
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, "NVIDIA H200, SXM, 512, 143771\n", "")

    monkeypatch.setattr(gpu_room.subprocess, "run", run)
    assert card_of("GPU-1") == Card("NVIDIA H200, SXM", 512 * 2**20, 143_771 * 2**20)
    assert asked[0][:3] == ["nvidia-smi", "-i", "GPU-1"]


@pytest.mark.parametrize("said", ["[N/A], [N/A], [N/A]", "", None])
def test_memory_that_cannot_be_read_is_refused(monkeypatch: pytest.MonkeyPatch, said: str | None) -> None:
    def run(command: list[str], **_: Any) -> Any:
        if said is None:
            raise FileNotFoundError
        return subprocess.CompletedProcess(command, 0, said, "")

    monkeypatch.setattr(gpu_room.subprocess, "run", run)
    with pytest.raises(InputError, match="Say how many trials share a GPU: --workers 4"):
        card_of("0")


def test_the_option_shares_the_visible_gpus_and_no_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    found: Any = executor_for(Engine(), tmp_path, "auto", "cuda")
    assert found.devices == found.shared.devices == ("2", "5") and found.shared.folder == tmp_path / "gpu-memory"
    with pytest.raises(InputError, match="goes with --device cuda; CUDA_VISIBLE_DEVICES says which"):
        executor_for(Engine(), tmp_path, "auto", "cuda:1")
    on_cpu: Any = executor_for(Engine(), tmp_path, "auto", "cpu")
    assert on_cpu.shared is None
    with pytest.raises(InputError, match="on a cluster give --gpus-per-trial"):
        executor_for(Engine("slurm"), tmp_path, "auto", "cuda")
    with pytest.raises(InputError, match="at least 1, or auto where trials share GPUs; given many"):
        executor_for(Engine(), tmp_path, "many", "cpu")
