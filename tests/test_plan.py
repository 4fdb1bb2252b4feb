"""What a stage's key depends on: every module of the harness that can change a number is in it."""

import ast
from pathlib import Path

from prunemark.benchmark.trial.environment import NUMERIC_SOURCES, environment

HOUSE = Path(__file__).parent.parent
WITHOUT_NUMBERS = {
    # They find, name, describe or refuse; what they hand over to a stage is in its key already.
    "benchmark/compression/prunable.py", "benchmark/images/sources.py", "benchmark/results/store.py",
    "benchmark/submissions/submission.py", "benchmark/trial/preflight.py",
    "setups/about.py", "setups/comparison.py", "setups/errors.py", "setups/identity.py", "setups/image_tracks.py",
    "setups/pipeline.py", "setups/terms.py", "setups/track.py", "setups/user_tracks.py", "setups/values.py",
    "benchmark/metering/footprint.py",  # seconds and bytes of this machine: no two runs of it agree
}  # fmt: skip


def _file(module: str) -> Path | None:
    path = (HOUSE / module.removeprefix("prunemark.").replace(".", "/")).with_suffix(".py")
    return path if module.startswith("prunemark.") and path.exists() else None


def _imports(path: Path) -> set[str]:
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    return {name for n in nodes if n.module for name in (n.module, *(f"{n.module}.{a.name}" for a in n.names))}


def _reached(start: str) -> set[str]:
    found: dict[str, Path] = {}
    waiting = {start}
    while waiting:
        module = waiting.pop()
        path = _file(module)
        if path and module not in found:
            found[module] = path
            waiting |= _imports(path)
    return {str(path.relative_to(HOUSE)) for path in found.values()}


def test_all_that_a_trial_computes_with_is_in_its_key() -> None:
    # jobs choose the arithmetic before they run a trial
    starts = ("prunemark.benchmark.trial.trial", "prunemark.benchmark.trial.arithmetic")
    assert set().union(*(_reached(start) for start in starts)) == set(NUMERIC_SOURCES) | WITHOUT_NUMBERS


def test_the_key_knows_the_libraries_and_the_kind_of_machine() -> None:
    known = environment()
    assert len(known["harness"]) == 64
    assert known["torch"].split(".")[0].isdigit() and known["machine"]
