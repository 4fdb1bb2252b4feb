"""A method's source as text, and back as files: what a contribution carries, and what a re-run starts from.

The text may come from a stranger. Nothing of it is executed here, and it is written into a new folder only.
"""

from __future__ import annotations

import ast
import os
import tempfile
from pathlib import Path

from prunemark.benchmark.submission.covered import content_of, covered_files
from prunemark.benchmark.submission.locate import MethodSource, locate
from prunemark.records.source import MethodFiles, check_files
from prunemark.setups.errors import InputError, RuleBroken, WorkFailed

FOLDER = "submitted"  # the package, where its name does not matter
MOST_PACKAGES = 9


def read_source(source: MethodSource) -> MethodFiles:
    """The text of a method that has been run. Tried is whether it can be put back.

    Raises WorkFailed when the files have changed since, InputError when they cannot be carried: not UTF-8, larger
    than 1 MB, or so arranged that they do not find each other elsewhere.
    """
    main = Path(source.path)
    paths = covered_files(main, source.name)
    root = Path(os.path.commonpath([path.parent for path in paths]))
    named = [(path.with_name(source.name) if path == main else path, path) for path in paths]
    texts = tuple((name.relative_to(root).as_posix(), _text_of(path)) for name, path in named)
    text = MethodFiles(source.class_name, texts)
    if text.source_sha256 != source.sha256:
        raise WorkFailed(f"{source.path} has changed since it was run. Run the same command again")
    try:
        with tempfile.TemporaryDirectory(prefix="prunemark-") as folder:
            write_source(text, Path(folder))
    except RuleBroken as problem:
        raise InputError(f"{source.path} cannot be contributed: {problem}") from None
    return text


def _text_of(path: Path) -> str:
    try:
        return content_of(path).decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path} cannot be contributed: it is not UTF-8. Save it as UTF-8 and run again") from None


def write_source(text: MethodFiles, folder: Path) -> MethodSource:
    """Writes the files into an empty folder and finds the class among them.

    A file that imports those beside it by the full name of their package gets them into folders of that name. Of
    methods that ship here those are found where Prunemark is installed.

    Raises RuleBroken for a path that could lead out of the folder, for too much text, and when the files written
    are not the source that the text's hash names.
    """
    check_files(text)
    relative = any(module.startswith(".") for module in _modules(text))
    for number, package in enumerate(_packages(text)):
        top = folder / str(number)
        root = top.joinpath(*package)
        _write(text, root)
        found = _sources(text, root, top if relative or number else None)
        if len(found) == 1:
            return found[0]
    raise RuleBroken(f"class {text.class_name} is not found in it, or more than once, with the hash it should have")


def _write(text: MethodFiles, root: Path) -> None:
    try:
        for name, content in text.files:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(content.encode())
    except (OSError, ValueError) as problem:
        raise RuleBroken(f"its files cannot be written: {problem}") from None


def _sources(text: MethodFiles, root: Path, packages_below: Path | None) -> list[MethodSource]:
    """The files that are the method: they have the class, and what they import is all the others.

    The folders between `packages_below` and such a file are made packages.
    """
    found = []
    for name, content in text.files:
        if text.class_name not in MethodFiles(text.class_name, ((name, content),)).classes:
            continue
        path = root / name
        if packages_below:
            for parent in path.relative_to(packages_below).parents[:-1]:
                (packages_below / parent / "__init__.py").touch()
        source = locate(f"{path}:{text.class_name}")[1]
        if source.sha256 == text.source_sha256:
            found.append(source)
    return found


def _packages(text: MethodFiles) -> list[tuple[str, ...]]:
    """The package that the files lie in, as folders: what they import each other from, or any name will do."""
    beside = {name.split("/")[0].removesuffix(".py") for name, _ in text.files}
    parts = [tuple(module.split(".")) for module in _modules(text) if not module.startswith(".")]
    prefixes = {words[:end] for words in parts for end in range(1, len(words)) if words[end] in beside}
    return [(FOLDER,), *sorted(prefixes)[:MOST_PACKAGES]]


def _modules(text: MethodFiles) -> set[str]:
    """The modules that the files import from, dots of relative imports included, with the names imported."""
    nodes = (node for tree in text.trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return {
        f"{'.' * node.level}{node.module}.{alias.name}" if node.module else "." * node.level + alias.name
        for node in nodes
        for alias in node.names
    }
