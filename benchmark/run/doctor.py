"""Is this installation able to work? Every finding comes with what to do."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from prunemark.benchmark.trial.environment import package_versions
from prunemark.setups.errors import lacking

MINIMUM_FREE_BYTES = 2 * 2**30
PAIR_ADVICE = (
    "torch and torchvision are not a pair: install both from one index in one command, for example\n"
    "  pip install --force-reinstall torch torchvision"
)

RUNS = {"torch", "torchvision", "torch_pruning", "mlflow"}
NO_SANDBOX = (
    "submitted code is kept apart only as a process: Landlock and seccomp need Linux 6.2 or later on x86-64, and a "
    "container that lets them be used"
)
LIGHT = "a light install audits and reads results; to run trials: pip install 'prunemark[run]'"

BROKEN = "broken: "
ON_THE_GPU = f"""
import torch
if not torch.cuda.is_available():
    print("none")
else:
    try:  # a GPU that torch sees may still be one that it has no kernels for
        torch.ones(2, device="cuda").sum().item()
        print(torch.cuda.get_device_name())
    except RuntimeError as problem:
        print({BROKEN!r} + str(problem).splitlines()[0])
"""


@dataclass(frozen=True)
class CheckResult:
    """One thing that was looked at: `state` is 'fine', 'note' or 'broken'."""

    what: str
    state: str
    found: str
    advice: str = ""

    def as_row(self) -> dict[str, str]:
        """For a listing."""
        return asdict(self)


def examine(home: Path) -> list[CheckResult]:
    """All findings, looked at together: each import in its own process, since a broken library can take one down."""
    if set(lacking("run")) >= RUNS:
        return [_python(), CheckResult("training", "note", "not installed", LIGHT), _disk(home)]
    checks: tuple[Callable[[], CheckResult], ...] = (
        _python,
        lambda: _import("torch", "pip install torch"),
        _torchvision,
        lambda: _import("torch_pruning", "pip install torch-pruning"),
        lambda: _import("mlflow", "pip install mlflow"),
        _gpu,
        lambda: _disk(home),
    )
    with ThreadPoolExecutor() as pool:
        tried = pool.submit(_sandbox)
        return [*pool.map(lambda check: check(), checks), *tried.result()]


def _python() -> CheckResult:
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info < (3, 14):
        return CheckResult("Python", "fine", version)
    return CheckResult("Python", "broken", version, "Prunemark runs on Python 3.11 to 3.13")


def _try(code: str) -> tuple[bool, str]:
    """Runs a line of Python; whether it went well, and the last line it printed."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return done.returncode == 0, lines[-1] if lines else ""


def _import(module: str, advice: str) -> CheckResult:
    works, said = _try(f"import {module}; print(getattr({module}, '__version__', 'installed'))")
    return CheckResult(module, "fine" if works else "broken", said, "" if works else advice)


def _torchvision() -> CheckResult:
    works, said = _try("import torchvision; print(torchvision.__version__)")
    if works:
        return CheckResult("torchvision", "fine", said)
    return CheckResult("torchvision", "broken", said, advice_for(said))


def advice_for(error: str) -> str:
    """What to do about a torchvision that does not import."""
    if "torchvision::nms" in error or "undefined symbol" in error or "libtorch" in error:
        versions = package_versions(("torch", "torchvision"))
        return f"{PAIR_ADVICE}\n(torch {versions['torch']}, torchvision {versions['torchvision']})"
    return "pip install torchvision"


def _gpu() -> CheckResult:
    works, said = _try(ON_THE_GPU)
    if not works or said == "none":
        return CheckResult("GPU", "note", "none seen by torch", "the digits tracks need none")
    if said.startswith(BROKEN):
        advice = "install a torch made for this GPU and its driver, or stay with --device cpu"
        return CheckResult("GPU", "broken", said.removeprefix(BROKEN), advice)
    return CheckResult("GPU", "fine", said, "use it with --device cuda")


def tried_apart() -> tuple[str, str, dict[str, dict[str, bool]]]:
    """The isolation of this machine, why it has no container ('' where it has), and what holds.

    Found out in a process of its own, since it forks. Raises OSError, or ValueError, when that process fails.
    """
    code = "from prunemark.benchmark.sandbox.attempts import say; say()"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode != 0:
        raise OSError((done.stderr.strip() or "it said nothing").splitlines()[-1])
    isolation, why_no_container, held = json.loads(done.stdout.splitlines()[-1])
    return isolation, why_no_container, held


def _sandbox() -> list[CheckResult]:
    """What holds of submitted code here, a line for each kind of barrier."""
    try:
        isolation, why_no_container, held = tried_apart()
    except (OSError, ValueError, subprocess.TimeoutExpired) as problem:
        return [CheckResult("sandbox", "broken", f"it could not be tried: {problem}", "report it; see SECURITY.md")]
    if isolation == "landlock":
        first = CheckResult("sandbox", "fine", "isolation landlock", "what it does not stop: SECURITY.md")
    else:
        first = CheckResult("sandbox", "note", f"isolation {isolation}", NO_SANDBOX)
    container = (
        CheckResult("container", "note", why_no_container, "only --isolation container needs it")
        if why_no_container
        else CheckResult("container", "fine", "bubblewrap works", "use it with --isolation container")
    )
    return [first, *(_barriers(about, tried, isolation) for about, tried in held.items()), container]


def _barriers(about: str, tried: dict[str, bool], isolation: str) -> CheckResult:
    open_ = [name for name, holds in tried.items() if not holds]
    shut = [name for name, holds in tried.items() if holds]
    if not open_:
        return CheckResult(f"sandbox: {about}", "fine", f"stopped: {', '.join(shut)}")
    found = f"not stopped: {', '.join(open_)}" + (f"; stopped: {', '.join(shut)}" if shut else "")
    if isolation == "process":
        return CheckResult(f"sandbox: {about}", "note", found, "run only methods that you trust")
    return CheckResult(
        f"sandbox: {about}", "broken", found, "run no stranger's method here, and report it: SECURITY.md"
    )


def _disk(home: Path) -> CheckResult:
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    found = f"{free / 2**30:.1f} GiB free at {place}"
    if free < MINIMUM_FREE_BYTES:
        return CheckResult("disk", "broken", found, "make room, or choose another folder with --home")
    return CheckResult("disk", "fine", found)
