"""Laying a method's files out where its process runs them: what its identity covers, and nothing else.

Of a method that does not ship here, the process gets copies: each file as `records/code.py` says that it is run, so
that neither a comment nor a line number nor a file beside it that no hash names can change what it does.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from prunemark.benchmark.submission.covered import ALONE, code_sha256, covered_files, import_name
from prunemark.benchmark.submission.locate import MethodSource
from prunemark.records.code import as_run
from prunemark.setups.errors import InputError, WorkFailed


@dataclass(frozen=True)
class LaidOut:
    """A method as its process finds it, and of every copied file the original with the numbers of its lines."""

    source: MethodSource
    originals: Mapping[str, tuple[str, tuple[int, ...]]]


def laid_out(source: MethodSource, folder: Path, *, with_words: bool = False) -> LaidOut:
    """Copies a method into an empty folder; one that ships with Prunemark is run where it is.

    `with_words`: as it was written, where what it says about itself is asked for and nothing that it computes counts.
    Raises WorkFailed for files that have changed since the method was located, InputError for what cannot be run
    without its words.
    """
    path = Path(source.path)
    if _ships(path):
        return LaidOut(source, {})
    if code_sha256(path) != source.code_sha256:
        raise WorkFailed(f"{path} has changed since this run began. Run the same command again")
    files = covered_files(path)
    name, root = import_name(path)
    root = Path(os.path.commonpath([root, *(file.parent for file in files)]))
    originals = {}
    for file in files:
        copy = folder / file.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        originals[str(copy)] = (str(file), _copy(file, copy, with_words))
    own = folder / path.relative_to(root)
    if name != ALONE:
        _make_packages(own.parent, folder, path.parent)
    return LaidOut(replace(source, path=str(own)), originals)


def files_sha256(source: MethodSource) -> dict[str, str]:
    """SHA-256 of every byte of the files that a method is, by name: what its code's hash leaves out counts here."""
    path = Path(source.path)
    files = covered_files(path)
    root = Path(os.path.commonpath([file.parent for file in files]))
    return {file.relative_to(root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def original_places(text: str, originals: Mapping[str, tuple[str, tuple[int, ...]]]) -> str:
    """A traceback with the places of the copies named as in the author's own files."""

    def replaced(found: re.Match[str]) -> str:
        if (original := originals.get(found[1])) is None:
            return found[0]
        path, numbers = original
        line = int(found[2])
        return f'File "{path}", line {numbers[line - 1] if 0 < line <= len(numbers) else line}'

    return re.sub(r'File "([^"\n]{1,4096})", line (\d{1,9})', replaced, text)


def _copy(file: Path, copy: Path, with_words: bool) -> tuple[int, ...]:
    content = file.read_bytes()
    if with_words:
        copy.write_bytes(content)
        return tuple(range(1, content.count(b"\n") + 2))
    try:
        text, numbers = as_run(content)
    except SyntaxError as problem:
        raise InputError(
            f"{file.name} cannot be run without its docstrings, which are no part of its identity: {problem.msg}.\n"
            "Put every docstring on lines of its own"
        ) from None
    copy.write_bytes(text)
    return numbers


def _make_packages(folder: Path, top: Path, original: Path) -> None:
    """The folders up to the top are packages where the original's are."""
    while folder != top and (original / "__init__.py").is_file():
        (folder / "__init__.py").touch()
        folder, original = folder.parent, original.parent


def _ships(path: Path) -> bool:
    return path.is_relative_to(Path(__file__).resolve().parents[2] / "baselines")
