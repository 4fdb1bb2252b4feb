"""What trials cost beyond training: against scripts, by workers, on Ray, run again, and in memory."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from figures import Figure, NotMeasured, in_turns

from prunemark.benchmark.images.data import prepare
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.benchmark.run.executor import LocalProcesses
from prunemark.benchmark.run.jobs import Job
from prunemark.benchmark.run.worker import pretrain_job, trial_job
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.trial.plan import Request, make_trials
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.setups.comparison import SETUPS
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.track_files import find_track

RELEASED = find_track("digits-resnet8")
LEVEL = "90%"
WORKER = "prunemark.benchmark.run.worker"
TRIALS, REPEATS, IN_ONE_PROCESS, EARLY = 6, 3, 200, 50
JOBS = 10

SCRIPT = """
import sys, torch
sys.path.insert(0, {folder!r})
import throughput
torch.set_num_threads(1)
throughput.EPOCHS = {epochs}
parts = [throughput.load_split(throughput.TRACK.dataset, throughput.Path({data!r}), split, torch.device("cpu"))
         for split in ("train", "test")]
model = throughput.build_network(throughput.TRACK.network, parts[0].shape, 0)
model.load_state_dict(torch.load({base!r}))
counts = throughput.uniform_counts(throughput.cost_model(model, throughput.TRACK, parts[0].shape).sizes, {ratio})
model = throughput.cut(model, throughput.first_filters(model, counts, parts[0].shape), parts[0].shape)
throughput.bare_loop(parts[0], model.to(memory_format=torch.channels_last))
model.eval()
with torch.no_grad():
    print((model(parts[1].images).argmax(1) == parts[1].labels).float().mean().item())
"""


def short_trials(count: int, epochs: int = 2) -> tuple[Trial, ...]:
    """Trials of one method and level on so many seeds, trained for so many epochs."""
    name, source = locate("L1-norm")
    method = Entrant(name, "pruned", "submission", source, (("allocation", "uniform"),))
    recipe = dataclasses.replace(RELEASED.retraining, lr=parse_schedule("1e-2", epochs))
    track = dataclasses.replace(RELEASED, pretraining=recipe, retraining=recipe)
    return tuple(make_trials(Request(track, SETUPS["S3.2"], (track.level(LEVEL),), range(count)), method))


def of_trials(trials: Sequence[Trial], store: Path) -> list[Job]:
    """One job a trial; bases are trained before the clock runs."""
    return [Job(f"trial {trial.seed}", f"{WORKER}:trial_job", (trial, store)) for trial in trials]


def _clock(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _silent(_event: Any) -> None:
    """What is told of jobs is not printed."""


def _prepared(folder: Path, trials: Sequence[Trial]) -> Path:
    for trial in trials:
        pretrain_job(_silent, trial, folder)
    return folder


def _ran(trials: Sequence[Trial], workers: int) -> float:
    """Wall seconds of all trials, each with its base model trained before."""
    with tempfile.TemporaryDirectory() as name:
        store = _prepared(Path(name), trials)
        return _clock(lambda: LocalProcesses(workers).run(of_trials(trials, store), _silent))


def against_scripts() -> tuple[list[Figure], list[str]]:
    """A careful user's script: the base model is in a file, the loop is bare, nothing is recorded."""
    torch.set_num_threads(1)
    epochs, trials = RELEASED.retraining.epochs, short_trials(TRIALS, RELEASED.retraining.epochs)
    with tempfile.TemporaryDirectory() as name:
        base = str(Path(name) / "base.pt")
        torch.save(build_network(RELEASED.network, ImageShape(1, 8, 8, 10), 0).state_dict(), base)
        prepare(RELEASED.dataset, Path(name))
        script = SCRIPT.format(
            folder=str(Path(__file__).parent), epochs=epochs, base=base, data=name, ratio=RELEASED.level(LEVEL).ratio
        )

        def scripts() -> float:
            return _clock(lambda: [_python(script) for _ in trials])

        imports = min(_clock(lambda: _python("import torch, torch_pruning")) for _ in range(REPEATS))
        _ran(trials[:1], 1)  # starts the server from which trials are forked
        ours, theirs = in_turns(lambda: _ran(trials, 1), scripts, REPEATS)
    found = [
        Figure("trials an hour, against scripts", min(theirs) / min(ours), "x", repeats=REPEATS),
        Figure("a trial of one worker", min(ours) / TRIALS, "s"),
        Figure("a script", min(theirs) / TRIALS, "s"),
        Figure("of the script, to import torch and torch-pruning", imports, "s"),
        Figure(
            "scripts without their imports, against trials", (min(theirs) / TRIALS - imports) / (min(ours) / TRIALS)
        ),
    ]
    return found, [OF_TRIALS.format(epochs=epochs)]


OF_TRIALS = (
    "Both retrain the same network at 90 % for {epochs} epochs, from a base model and data that are there already. The "
    "first figure is due to imports, which a command pays once and a script pays each time; the start of the command "
    "is not in it. What a script takes beyond these imports still holds the start of Python and other imports."
)


def _python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def two_workers() -> tuple[list[Figure], list[str]]:
    """On a machine with two cores at least."""
    if len(os.sched_getaffinity(0)) < 2:
        raise NotMeasured("this machine has one core")
    trials = short_trials(TRIALS, RELEASED.retraining.epochs)
    two, one = in_turns(lambda: _ran(trials, 2), lambda: _ran(trials, 1), REPEATS)
    found = [Figure("two workers, against one", min(one) / min(two), "x", repeats=REPEATS, at_least=1.8)]
    return found, ["Wall time: what else runs on this machine counts in full. On a busy machine it says little."]


def on_ray() -> tuple[list[Figure], list[str]]:
    """The least of several jobs that do nothing."""
    if not find_spec("ray"):
        raise NotMeasured("the extra is absent (`pip install prunemark[ray]`)")
    from prunemark.benchmark.run.ray_cluster import RayCluster

    jobs = [Job("nothing", "prunemark.benchmark.run.worker:describe_job", (locate("L1-norm")[1], "L1-norm", "process"))]
    with tempfile.TemporaryDirectory() as home:
        cluster, here = RayCluster(Path(home), 1), LocalProcesses(1)
        there, local = in_turns(
            lambda: _clock(lambda: cluster.run(jobs, _silent)), lambda: _clock(lambda: here.run(jobs, _silent)), JOBS
        )
        cluster.close()
    return [Figure("a job dearer by", min(there) - min(local), "s", repeats=JOBS, at_most=0.2)], []


def _command(home: Path) -> list[str]:
    return [
        sys.executable, "-m", "prunemark.cli.app", "submit", "L1-norm", "--track", RELEASED.name, "--setup", "S3.2",
        "--level", "90%", "--seeds", "2", "--home", str(home), "--workers", "1",
    ]  # fmt: skip


def _run(home: Path, stop_after: float | None = None) -> float:
    """Wall seconds of the command; killed with all its processes after so long."""
    began = time.perf_counter()
    to = subprocess.DEVNULL
    with subprocess.Popen(_command(home), start_new_session=True, stdout=to, stderr=to) as process:
        try:
            process.wait(stop_after)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    return time.perf_counter() - began


def resumed() -> tuple[list[Figure], list[str]]:
    """A command with five entrants and two seeds: finished, again, and killed half way."""
    with tempfile.TemporaryDirectory() as name:
        whole = _run(Path(name) / "a")
        again = _run(Path(name) / "a")
        first = _run(Path(name) / "b", whole / 2)
        rest = _run(Path(name) / "b")
    found = [
        Figure("the finished command again, against its first run", again / whole, "x", at_most=0.5),
        Figure("the finished command again", again, "s"),
        Figure("killed half way and run again, against one run", (first + rest) / whole, "x"),
    ]
    return found, [
        f"`prunemark {' '.join(_command(Path('HOME'))[3:])}`, {whole:.0f} s. Starting Python is part of each."
    ]


def memory() -> tuple[list[Figure], list[str]]:
    """Resident memory of this process while it runs whole trials itself: the pruning stages have their own process."""
    torch.set_num_threads(1)
    trials = short_trials(IN_ONE_PROCESS, 1)
    seen: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        for number, trial in enumerate(trials, start=1):
            pretrain_job(_silent, trial, Path(name))
            trial_job(_silent, trial, Path(name))
            if number in (EARLY, IN_ONE_PROCESS):
                seen.append(_resident_mib())
    grown = Figure(
        f"memory after {IN_ONE_PROCESS} trials, more than after {EARLY}", seen[1] - seen[0], "MiB", at_most=16
    )
    return [grown, Figure(f"memory after {IN_ONE_PROCESS} trials", seen[1], "MiB")], ["Trials of one epoch."]


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
