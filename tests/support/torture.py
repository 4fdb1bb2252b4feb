"""Faults at random moments, and afterwards the same records as of a run that nothing befell: `make torture`.

Each fault has a home of its own, made by the same command; after the fault the command is run again until it ends
well, three times at most, and then what there is has to equal the undisturbed run: the outcome of each trial bit for
bit, no process left, no temporary folder, no draft. A fault that is not survived is printed with its number.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1])]

from support.faults import BETWEEN, DURING, Places  # noqa: E402

from prunemark.records.record import load_file  # noqa: E402

HERE = Path(__file__).parents[1]
MOST_RUNS, PATIENCE_SECONDS, DISK = 4, 240, "64m"
CLOCK = """import random, time
_time, _back = time.time, random.Random()
time.time = lambda: _time() + _back.choice([-86400.0, 0.0, 86400.0])
"""


@dataclass(frozen=True)
class Setting:
    """Where it is done, and as whom: with file systems of its own where this user may make them."""

    root: Path
    mounts: bool
    clock_jumps: bool = False

    def command(self, home: Path, temporary: Path) -> subprocess.Popen[str]:
        """The command that is tortured: one seed of a method that trains, and its controls."""
        own = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
        paths = [str(self.root / "clock")] if self.clock_jumps else []
        variables = {
            "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1", "HOME": str(self.root),
            "PYTHONPATH": os.pathsep.join([*paths, *(path for path in sys.path if path)]),
        }  # fmt: skip
        words = [
            sys.executable, "-W", "ignore", str(HERE / "support" / "quick_cli.py"), "submit",
            f"{HERE / 'submissions' / 'samples.py'}:Trains", "--track", "quick", "--level", "90%", "--seeds", "0,",
            "--no-time", "--home", str(home),
        ]  # fmt: skip
        return subprocess.Popen(
            words, env=own | variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True, cwd=self.root,
        )  # fmt: skip

    @contextmanager
    def places(self, number: int) -> Iterator[Places]:
        """A new home and a folder of temporary files; each on a small disk of its own where that can be."""
        top = self.root / f"{number}"
        home, temporary = top / "home", top / "temporary"
        for folder in (home, temporary):
            folder.mkdir(parents=True)
            if self.mounts:
                subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)], check=True)
        try:
            yield Places(home, temporary, lambda: self.command(home, temporary))
        finally:
            for folder in (home, temporary) if self.mounts else ():
                subprocess.run(["umount", "--lazy", str(folder)], check=False)
            shutil.rmtree(top, ignore_errors=True)


def outcomes(home: Path) -> dict[tuple[str, str, int], str]:
    """Identity of each trial -> the hash of its outcome; raises ValueError where one is there twice, differently."""
    found: dict[tuple[str, str, int], str] = {}
    for path in sorted((home / "records").glob("*.json")):
        record = load_file(path)
        key = (record.outcome.method.name, record.outcome.level, record.outcome.seed)
        if found.setdefault(key, record.outcome_sha256) != record.outcome_sha256:
            raise ValueError(f"{key} has two records that differ")
    return found


def to_the_end(setting: Setting, places: Places) -> tuple[int, str]:
    """Runs the command until it ends well: how many runs it took, and what the last one said."""
    for run in range(1, MOST_RUNS + 1):
        process = setting.command(places.home, places.temporary)
        try:
            out, errors = process.communicate(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return run, "it hung"
        if process.returncode == 0:
            return run, ""
    return MOST_RUNS, f"exit {process.returncode}: {out[-500:]} {errors[-1500:]}"


def leftovers(places: Places) -> list[str]:
    """What should not be there any more: processes of the home, temporary folders, drafts, checkpoints."""
    deadline = time.monotonic() + 20
    while (processes := _processes(places.home)) and time.monotonic() < deadline:
        time.sleep(0.1)
    files = [path for path in places.temporary.iterdir() if not path.name.startswith("torchinductor_")]
    files += [*places.home.rglob(".draft-*"), *places.home.rglob("*.checkpoint")]
    return [*processes, *(str(path.relative_to(places.home.parent)) for path in files)]


def _processes(home: Path) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if os.fsencode(home.parent) + b"/" in words:
                found.append(f"process {entry.name}")
    return found


def one_fault(setting: Setting, number: int, seed: int, kind: str, expected: dict[tuple[str, str, int], str],
              seconds: float) -> str:  # fmt: skip
    """What was not survived, in words; '' where all is as if nothing had been."""
    draw = random.Random(f"{seed} {number} {kind}")
    with setting.places(number) as places:
        if kind in DURING:
            process = setting.command(places.home, places.temporary)
            time.sleep(draw.uniform(0, seconds))
            did = DURING[kind](process, places, draw)
            process.communicate(timeout=PATIENCE_SECONDS)
        else:
            to_the_end(setting, places)
            did = BETWEEN[kind](places, draw)
        runs, trouble = to_the_end(setting, places)
        if not trouble:
            try:
                found = outcomes(places.home)
                trouble = (
                    "" if found == expected else f"other records: {sorted(set(found.items()) ^ set(expected.items()))}"
                )
            except Exception as problem:
                trouble = f"{type(problem).__name__}: {problem}"
        left = leftovers(places)
        if not trouble and left:
            trouble = f"left: {left}"
        return f"fault {number} ({kind}, {did}, {runs} runs): {trouble}" if trouble else ""


def torture(faults: int, seed: int, kinds: list[str], *, clock_jumps: bool = False) -> int:
    """Prints how many faults were survived; how many were not."""
    root = Path(tempfile.mkdtemp(prefix="torture-"))
    (root / "clock").mkdir()
    (root / "clock" / "sitecustomize.py").write_text(CLOCK)
    setting = Setting(root, _may_mount(root), clock_jumps)
    kinds = [kind for kind in kinds if setting.mounts or not kind.startswith("fill_")]
    if os.getuid() == 0:
        kinds = [kind for kind in kinds if kind != "take_permissions"]
    try:
        with setting.places(-1) as places:
            begin = time.monotonic()
            _, trouble = to_the_end(setting, places)
            seconds, expected = time.monotonic() - begin, {} if trouble else outcomes(places.home)
        if trouble:
            raise SystemExit(f"the undisturbed run does not end: {trouble}")
        print(f"undisturbed: {len(expected)} trials in {seconds:.1f} s; faults: {', '.join(kinds)}", flush=True)
        survived, lost = Counter[str](), Counter[str]()
        for number in range(faults):
            kind = kinds[number % len(kinds)]
            trouble = one_fault(setting, number, seed, kind, expected, seconds)
            (lost if trouble else survived)[kind] += 1
            if trouble:
                print(trouble, flush=True)
        for kind in kinds:
            print(f"{kind:20} {survived[kind]} of {survived[kind] + lost[kind]} survived")
        print(f"{sum(survived.values())} of {faults} faults survived")
        return sum(lost.values())
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _may_mount(root: Path) -> bool:
    (probe := root / "probe").mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(probe)], capture_output=True, check=False)
    subprocess.run(["umount", str(probe)], capture_output=True, check=False)
    return mounted.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", choices=[*DURING, *BETWEEN])
    parser.add_argument("--clock-jumps", action="store_true", help="the clock of every process jumps by a day")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(
        min(torture(given.faults, given.seed, given.kind or [*DURING, *BETWEEN], clock_jumps=given.clock_jumps), 1)
    )


if __name__ == "__main__":
    main()
