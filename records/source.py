"""The sources of the methods on a board, by the hash that their records carry. Nothing of them is executed here.

`methods/<source_sha256>.json`: {"class": ..., "files": [[relative path, text], ...], "schema": "prunemark-method/1"}.
The hash covers the code of the files and neither the class nor what is written about it: where several methods share
a file, the class is that of the one that was written first, and a record names its own.
"""

from __future__ import annotations

import ast
import contextlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from prunemark.records.code import source_sha256
from prunemark.records.python_files import why_too_much
from prunemark.records.record import canonical_json
from prunemark.records.writer import write_once
from prunemark.setups.bounded_files import read_bounded
from prunemark.setups.errors import InputError, RuleBroken

SCHEMA = "prunemark-method/1"
FIELDS = {"class", "files", "schema"}
LARGEST_FILE = 4 << 20  # of a source as JSON, which writes some letters as six
LONGEST_NAME = 200


@dataclass(frozen=True)
class MethodFiles:
    """A method's class and every file that its hash covers: (relative path, text), in the order of the hash.

    It may come from a stranger: see `check_files` before any of it is written to a disk.
    """

    class_name: str
    files: tuple[tuple[str, str], ...]

    @cached_property
    def source_sha256(self) -> str:
        """What records call this source: see `records/code.py`."""
        return source_sha256((PurePosixPath(path).name, text.encode()) for path, text in self.files)

    @property
    def trees(self) -> list[ast.Module]:
        """The files that are Python, parsed."""
        trees = []
        for _, text in self.files:
            with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
                trees.append(ast.parse(text))
        return trees

    @property
    def classes(self) -> set[str]:
        """Every class at the top level of the files: one source may hold several methods."""
        nodes = (node for tree in self.trees for node in tree.body)
        return {node.name for node in nodes if isinstance(node, ast.ClassDef)}


def check_files(method: MethodFiles) -> None:
    """Raises RuleBroken for paths that could lead out of a folder, or that two files share, and for too much text."""
    for name, _ in method.files:
        path = PurePosixPath(name)
        plain = name == str(path) and name.isprintable() and not set(name) & set('\\:*?"<>|')
        if not plain or path.is_absolute() or ".." in path.parts or path.suffix != ".py" or len(name) > LONGEST_NAME:
            raise RuleBroken(f"{name[:LONGEST_NAME]!r} is not a plain relative path of a Python file")
    names = [name for name, _ in method.files]
    if not names or len({name.casefold() for name in names}) != len(names):
        raise RuleBroken("it has no files, or two of one name")
    if why := too_much(method):
        raise RuleBroken(f"it {why}")


def too_much(method: MethodFiles) -> str:
    """Why a source is more than a method has, in words that follow "it"; "" if it is not."""
    return why_too_much([text.encode(errors="replace") for _, text in method.files])


def write_method(method: MethodFiles, folder: Path) -> Path:
    """Writes a source under its hash, unless it is there. Raises WorkFailed when the disk refuses."""
    data = {"class": method.class_name, "files": method.files, "schema": SCHEMA}
    return write_once(folder / f"{method.source_sha256}.json", f"{canonical_json(data)}\n".encode())


def read_method(path: Path) -> MethodFiles:
    """One source. Raises InputError when the file holds none, RuleBroken when its content is not that of its name."""
    try:
        method = _parse(read_bounded(path, LARGEST_FILE))
        if too_much(method):
            raise ValueError("more than a method has")
        sha256 = method.source_sha256
    except (InputError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise InputError(f"{path.name} is not the source of a method ({SCHEMA})") from None
    if not any(re.search(rf"^class {re.escape(method.class_name)}\b", text, re.M) for _, text in method.files):
        raise RuleBroken(f"{path.name} has no class {method.class_name[:60]!r} in its files: it was edited")
    if path.stem != sha256:
        raise RuleBroken(f"{path.name} does not have the content its name promises: it was edited")
    return method


def _parse(content: bytes) -> MethodFiles:
    """Raises one of the errors that `read_method` words."""
    data = json.loads(content)
    files = tuple((path, text) for path, text in data["files"])
    texts = [data["class"], *(part for file in files for part in file)]
    if data["schema"] != SCHEMA or data.keys() != FIELDS or not files or not all(isinstance(x, str) for x in texts):
        raise ValueError("not the fields of a source")
    return MethodFiles(data["class"], files)


def examine_methods(folder: Path) -> tuple[dict[str, MethodFiles], tuple[tuple[str, str], ...]]:
    """The sound sources of a `methods` folder by their hash, and (name, why) of every file that is none."""
    found: dict[str, MethodFiles] = {}
    wrong: list[tuple[str, str]] = []
    for path in sorted(folder.glob("*.json")):
        try:
            found[path.stem] = read_method(path)
        except (InputError, RuleBroken) as problem:
            wrong.append((path.name, str(problem).removeprefix(f"{path.name} ")))
    return found, tuple(wrong)


def read_methods(folder: Path) -> dict[str, MethodFiles]:
    """The sound sources of a `methods` folder, by their hash; a folder that is not there has none."""
    return examine_methods(folder)[0]
