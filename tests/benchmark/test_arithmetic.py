"""Portable arithmetic: chosen before anything is computed, part of every key, and the same bits as on the board."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from prunemark.benchmark.run import worker
from prunemark.benchmark.training import arithmetic
from prunemark.benchmark.trial.keys import stage_keys
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.setups.budget import budget_for
from prunemark.setups.comparison import SETUPS
from prunemark.setups.track import PORTABLE
from prunemark.setups.track_files import find_track, released_tracks

GOLDEN = Path(__file__).parents[1] / "golden" / "portable_arithmetic.json"
needs_portable = pytest.mark.skipif(
    not arithmetic.can_be_portable(), reason="this processor has no AVX2: its arithmetic cannot be the portable one"
)
FRESH = """
import os, torch
from prunemark.benchmark.training import arithmetic
{before}
arithmetic.use({which!r})
print(torch.backends.cpu.get_cpu_capability(), *(os.environ.get(name) for name in arithmetic.VARIABLES))
{after}
"""
OTHERS = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "AUTO", "ONEDNN_MAX_CPU_ISA": "SSE41"}


def unset() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in arithmetic.VARIABLES}


def in_a_fresh_process(
    which: str | None, before: str = "", after: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    code = FRESH.format(which=which, before=before, after=after)
    return subprocess.run(
        [sys.executable, "-c", code], env=unset() | variables, capture_output=True, text=True, timeout=120, check=False
    )


@needs_portable
def test_it_holds_every_library_to_the_instructions_that_processors_share() -> None:
    assert in_a_fresh_process(PORTABLE).stdout.split() == ["AVX2", "avx2", "COMPATIBLE", "AVX2"]


@needs_portable
def test_a_process_that_has_computed_otherwise_cannot_become_portable() -> None:
    said = in_a_fresh_process(PORTABLE, before="torch.ones(3).exp()", ATEN_CPU_CAPABILITY="default")
    assert "computes by DEFAULT already" in said.stderr.splitlines()[-1]


@pytest.mark.parametrize(("device", "held"), [("cpu", "False"), ("cuda", "True"), ("cuda:1", "True")])
def test_on_a_gpu_sums_are_held_to_one_order(device: str, held: str) -> None:
    code = f"""
import os, torch
from prunemark.benchmark.training import arithmetic
arithmetic.use(None, {device!r})
print(torch.are_deterministic_algorithms_enabled(), "CUBLAS_WORKSPACE_CONFIG" in os.environ)
"""
    done = subprocess.run([sys.executable, "-c", code], env=unset(), capture_output=True, text=True, check=True)
    assert done.stdout.split() == [held, held]


@pytest.mark.parametrize("job", [worker.prepare_job, worker.pretrain_job, worker.trial_job])
def test_every_job_chooses_by_its_trials_device(
    job: Callable[..., object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    chosen: list[tuple[object, ...]] = []
    monkeypatch.setattr(arithmetic, "use", lambda *which: chosen.append(which))
    for work in ("prepare_data", "pretrain", "run_trial"):
        monkeypatch.setattr(worker, work, lambda *_: None)
    monkeypatch.setattr(worker, "dump", lambda record: "")
    track = find_track("digits-mlp7")
    dense = Entrant("Dense", "dense", "reference", None, ())
    setup = SETUPS["S3.2"]
    budget = budget_for(track, setup, track.levels[0], "dense")
    trial = Trial(track, track.levels[0], setup, 0, dense, budget, "cuda", 60.0)
    job(lambda event: None, trial, tmp_path)
    assert chosen == [(PORTABLE, "cuda", None)]


def test_a_track_that_leaves_it_open_leaves_what_the_user_chose() -> None:
    chosen = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"}
    assert in_a_fresh_process(None, **chosen).stdout.split() == ["DEFAULT", "default", "COMPATIBLE", "None"]


@needs_portable
def test_what_is_changed_after_the_choice_changes_nothing() -> None:
    """Submitted code runs in a fork of the process that has chosen."""
    product = """
a = torch.linspace(-1, 1, 16384).reshape(16, 1024).exp()
convolved = torch.nn.functional.conv2d(a.reshape(4, 16, 16, 16), a[:, :144].reshape(16, 16, 3, 3))
print((a @ a.t()).double().sum().item(), convolved.double().sum().item())"""
    held, changed, own = (
        in_a_fresh_process(which, after=f"os.environ.update({variables})\n{product}").stdout.splitlines()[1].split()
        for which, variables in ((PORTABLE, {}), (PORTABLE, OTHERS), (None, OTHERS))
    )
    assert held == changed
    assert all(one != other for one, other in zip(held, own, strict=True))


def base_model(variables: dict[str, str], which: str | None, home: Path) -> str:
    """The hash of a short base model, trained by the executor of a fresh Prunemark with these variables."""
    words = [sys.executable, Path(__file__).parents[1] / "support" / "arithmetic_of_a_job.py", which or "", home]
    found = subprocess.run(words, env=unset() | variables, capture_output=True, text=True, timeout=200, check=True)
    return found.stdout.strip()


@pytest.mark.slow
@needs_portable
def test_jobs_train_in_the_arithmetic_of_their_track(tmp_path: Path) -> None:
    stated = base_model(OTHERS, PORTABLE, tmp_path / "a")
    assert len(stated) == 64 and stated == base_model(arithmetic.VARIABLES, None, tmp_path / "b")


@pytest.mark.parametrize(
    ("flags", "can"),
    [("fpu sse2 avx2 fma avx512f", True), ("fpu sse2 avx2 bmi2", False), ("fpu sse2 avx fma4", False), ("", False)],
)
def test_processors_without_the_instructions_are_known_by_their_flags(tmp_path: Path, flags: str, can: bool) -> None:
    listing = tmp_path / "cpuinfo"
    listing.write_text(f"processor\t: 0\nmodel name\t: one\nflags\t\t: {flags}\n\nprocessor\t: 1\n")
    assert arithmetic.can_be_portable(listing) is can


@needs_portable
def test_this_processor_computes_what_the_others_did() -> None:
    """The hashes are those of an Intel processor with AVX-512, and of an EPYC and a Haswell as QEMU emulates them."""
    script = Path(__file__).parents[1] / "support" / "portable_operations.py"
    said = subprocess.run(
        [sys.executable, script], env=unset(), capture_output=True, text=True, timeout=120, check=True
    )
    here, there = json.loads(said.stdout), json.loads(GOLDEN.read_text())
    if here["libraries"] != there["libraries"]:
        pytest.skip(f"the hashes are of {there['libraries']}: write them anew, on processors of two makers")
    assert here == there


def test_a_machine_that_does_not_list_its_processors_computes_as_it_does(tmp_path: Path) -> None:
    before = dict(os.environ)
    arithmetic.use(PORTABLE, processors=tmp_path / "none")
    assert dict(os.environ) == before


def test_no_stage_of_another_arithmetic_is_taken_for_a_portable_one() -> None:
    track, dense = find_track("digits-mlp7@1"), Entrant("Dense", "dense", "reference", None, ())
    setup = SETUPS["S3.2"]
    budget = budget_for(track, setup, track.levels[0], "dense")
    open_, held = (
        Trial(dataclasses.replace(track, arithmetic=which), track.levels[0], setup, 0, dense, budget, "cpu", 60.0)
        for which in (None, PORTABLE)
    )
    keys = [dataclasses.asdict(stage_keys(trial)) for trial in (open_, held)]
    assert not set(keys[0].values()) & set(keys[1].values())


def test_portable_tracks_train_without_roots() -> None:
    portable = [track for track in released_tracks().values() if track.arithmetic]
    assert len(portable) > 4
    assert all(track.pretraining.optimiser == track.retraining.optimiser == "SGD" for track in portable)


@pytest.mark.parametrize(
    "name", ["digits-mlp7", "digits-resnet8-weights", "digits-resnet8-2to4", "cifar10-jpeg-small-weights"]
)
def test_a_second_version_that_is_portable_has_the_terms_of_the_first(name: str) -> None:
    """The four that docs/networks-and-data.md names; other new versions change terms."""
    first = find_track(f"{name}@1")
    assert find_track(f"{name}@2") == dataclasses.replace(first, version=2, arithmetic=PORTABLE)
