"""An entry of a store, and processes that wait for a word: for tests of what several do at once."""

from __future__ import annotations

import subprocess
import sys

from prunemark.benchmark.trial.store import Store

KEY = "ab" * 32


def put(store: Store, key: str = KEY, text: str = "whole") -> None:
    with store.writing(key) as folder:
        (folder / "a.txt").write_text(text)
        (folder / "b.txt").write_text("more")


HOLDER = """
import sys
from pathlib import Path
from prunemark.benchmark.trial.store import Store
print("ready", flush=True)
sys.stdin.readline()
with Store(Path(sys.argv[1])).lock(sys.argv[2]):
    print("held", flush=True)
    sys.stdin.readline()
    print("letting go", flush=True)
sys.stdin.readline()
"""


def child(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def says(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
