"""A method whose file was renamed is the method that it was: its results stay under the name they were made under.

`source_sha256`, by which records and boards know a method, covers the name of its file. A home remembers that name for
each code that it has run. So a renamed file finds its results, and its next seeds stand in the same row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from prunemark.benchmark.submission.covered import covered_files, sha256_of
from prunemark.benchmark.submission.locate import MethodSource, locate
from prunemark.benchmark.trial.store import Store, key_of
from prunemark.benchmark.trial.trial import Trial
from prunemark.records.card import BASELINES

NAME = "name.json"


def locate_here(spec: str, store: Store) -> tuple[str, MethodSource]:
    """The display name and the source of a method; its file by the name that its code had when it first ran here.

    Raises as `locate` does.
    """
    shown, source = locate(spec)
    folder = None if _ships(source) else store.read(_key(source))
    name = json.loads((folder / NAME).read_text()) if folder else source.name
    if name in {file.name for file in covered_files(Path(source.path))}:  # its own, or now that of a file beside it
        return shown, source
    return shown, replace(source, sha256=sha256_of(Path(source.path), name), name=name)


def remember(trials: Iterable[Trial], store: Store) -> None:
    """Keeps the names of the files that are run now, unless their code has one here already."""
    for source in {trial.entrant.source for trial in trials}:
        if source and not _ships(source) and not store.read(_key(source)):
            with store.writing(_key(source)) as draft:
                (draft / NAME).write_text(json.dumps(source.name))


def in_words(trials: Iterable[Trial]) -> list[str]:
    """Which files have another name than their results."""
    names = sorted({(Path(s.path).name, s.name) for trial in trials if (s := trial.entrant.source)})
    return [f"{now} has the code that ran here as {then}: its results stand under that name"
            for now, then in names if now != then]  # fmt: skip


def _ships(source: MethodSource) -> bool:
    return Path(source.path).parent == BASELINES


def _key(source: MethodSource) -> str:
    return key_of("name", {"code": source.code_sha256})
