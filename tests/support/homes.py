"""A home with a submission and its control, and what tests do to one."""

from collections.abc import Callable
from pathlib import Path

from support.here import planned

from prunemark.benchmark.run.home import Home
from prunemark.benchmark.trial.keys import stage_keys

TRIALS = planned("digits-resnet8", "L1-norm", "50%")
Verb = Callable[..., tuple[int, str, str]]


def files_of(home: Home) -> list[Path]:
    return sorted(path for path in home.root.rglob("*") if path.is_file())


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def entry(home: Home, stage: str) -> Path:
    return home.store.path(getattr(stage_keys(TRIALS[0]), stage))
