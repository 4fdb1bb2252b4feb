"""Which files are a method's code, and the two hashes that name it: with the name of its own file, and without.

Nothing of them is executed.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path

from prunemark.records.code import code_of, source_sha256
from prunemark.records.python_files import LARGEST_BYTES, MOST_FILES, why_too_much
from prunemark.setups.bounded_files import read_bounded
from prunemark.setups.errors import InputError
from prunemark.setups.text import shown

HARNESS = "prunemark"
ALONE = "submitted_method"
"""What a file that lies in no package is imported as, whatever it is called."""

READS_ITS_NAME = re.compile(rb"__(file|spec|cached|loader)__|co_filename|getfile|getsource|_getframe|traceback")
READS_ITS_MODULE = re.compile(rb"__(name|module|package)__")
"""Code that may depend on what its file is called; the latter only in a package."""


def sha256_of(path: Path, name: str | None = None) -> str:
    """What records call a method's source; the one of the file `path` if that were called `name`."""
    files = covered_files(path, name)
    return source_sha256((name if name and file == path else file.name, content_of(file)) for file in files)


def code_sha256(path: Path) -> str:
    """What the stages that run a method's code know it by: the same when its own file gets another name.

    The name counts where the code could read it, and where a file beside it imports it by that name.
    """
    others = [file for file in covered_files(path) if file != path]
    name = path.name if _name_counts(path, others) else ""
    return source_sha256([(name, content_of(path)), *((file.name, content_of(file)) for file in others)])


def _name_counts(path: Path, others: list[Path]) -> bool:
    code = code_of(content_of(path))
    if READS_ITS_NAME.search(code) or (import_name(path)[0] != ALONE and READS_ITS_MODULE.search(code)):
        return True
    imported = {
        (folder, name) for file in (path, *others) for folder, name in _imported(parsed(file), file, path.parent)
    }
    return path.stem == "__init__" or (path.parent, path.stem) in imported


def covered_files(path: Path, name: str | None = None) -> list[Path]:
    """The method's file and those beside it that it imports, in the order in which they are hashed.

    `name`: in the order that they would have if the file were called so.
    """
    return sorted(_closure(path), key=lambda file: path.with_name(name) if name and file == path else file)


def parsed(path: Path) -> ast.Module:
    """The file as Python, not executed: for reading only. Raises InputError in words for one that cannot be read."""
    try:
        return _tree(content_of(path), str(path))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        line = f", line {problem.lineno}" if isinstance(problem, SyntaxError) else ""
        why = shown(problem.args[0], 200) if problem.args else type(problem).__name__
        raise InputError(f"{path.name}{line} is not Python that can be read: {why}") from None


@lru_cache(maxsize=64)
def _tree(content: bytes, filename: str) -> ast.Module:
    return ast.parse(content, filename=filename)


@lru_cache(maxsize=64)
def imports_in(tree: ast.Module) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """Everything that is imported anywhere in a file. The same few files are asked for many times."""
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))


def content_of(path: Path) -> bytes:
    """The bytes of a method's file. Raises InputError for one that cannot be read, or is more than a method has."""
    content = read_bounded(path, LARGEST_BYTES)
    if why := why_too_much([content]):
        raise InputError(f"{path.name} {why}")
    return content


def _closure(path: Path) -> set[Path]:
    """The file, what runs before it, and every file or package beside it that they import, also through others."""
    found = {path, *_own_packages(path)}
    waiting = list(found)
    sizes = {file: _size(file) for file in found}
    while waiting:
        current = waiting.pop()
        for folder, name in _imported(parsed(current), current, path.parent):
            for candidate in _beside(folder, name):
                if candidate not in found:
                    found.add(candidate)
                    waiting.append(candidate)
                    sizes[candidate] = _size(candidate)
            if len(found) > MOST_FILES or sum(sizes.values()) > LARGEST_BYTES:
                raise InputError(
                    f"{path.name} and what it imports from beside it are more than {MOST_FILES} files or "
                    f"{LARGEST_BYTES >> 20} MB.\nA method is code, not data: leave out what it does not need"
                )
    return found


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # reading it says what is wrong


def _own_packages(path: Path) -> list[Path]:
    """The `__init__.py` of every package that the file lies in: they run when it is loaded. None where all are empty.

    Not those of the harness, which is loaded already.
    """
    inits, folder = [], path.parent
    while (init := folder / "__init__.py").is_file():
        inits.append(init)
        folder = folder.parent
    harness = bool(inits) and inits[-1].parent.name == HARNESS
    return [] if harness or not any(code_of(content_of(init)).strip() for init in inits) else inits


def _imported(tree: ast.Module, current: Path, root: Path) -> set[tuple[Path, str]]:
    """What a file imports, as (folder in which it would lie, name): of a relative import, the folder it names.

    Not the harness, which is loaded when the file is run, also where a folder beside the file is called as it is: a
    clone of it, in which or beside which the file lies.
    """
    names: set[tuple[Path, str]] = set()
    for node in imports_in(tree):
        if isinstance(node, ast.Import):
            names |= {(root, name) for alias in node.names if (name := alias.name.split(".")[0]) != HARNESS}
        else:
            folder = (root, *current.parents)[min(node.level, len(current.parents))]
            parts = node.module.split(".") if node.module else []
            if not node.level and root.name in parts and root.name != HARNESS:  # its own package, by its full name
                parts = parts[parts.index(root.name) + 1 :]
            elif not node.level and parts[0] == HARNESS:
                continue
            names |= {(folder, name) for name in parts[:1] or [alias.name for alias in node.names]}
    return names


def _beside(folder: Path, name: str) -> list[Path]:
    single = folder / f"{name}.py"
    package = folder / name
    return ([single] if single.is_file() else []) + (sorted(package.rglob("*.py")) if package.is_dir() else [])


def import_name(path: Path) -> tuple[str, Path]:
    """What the file is imported as, and the folder that is found from: in a package, relative imports work."""
    root = path.parent
    while (root / "__init__.py").is_file():
        root = root.parent
    if root == path.parent:
        return ALONE, root
    module = path.parent if path.name == "__init__.py" else path.with_suffix("")
    return ".".join(module.relative_to(root).parts), root
