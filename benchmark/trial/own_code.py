"""Code of a track's author: found, hashed as a method's is, and laid out in the store, from where it is run.

What identifies it is the code of its file and of every file next to it that it imports, without comments, docstrings
and the name of the file (`records/code.py`); files that it opens are not covered, and it does not find them: it runs
from a copy. Nothing of it is executed here.
"""

from __future__ import annotations

import ast
import functools
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from prunemark.benchmark.networks.own_modules import ABOUT
from prunemark.benchmark.sandbox.scratch import scratch_folder
from prunemark.benchmark.submission.as_run import laid_out
from prunemark.benchmark.submission.covered import code_sha256, covered_files, import_name, parsed
from prunemark.benchmark.submission.locate import MethodSource, module_file
from prunemark.benchmark.trial.store import Store, key_of
from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.own_parts import FUNCTION, function_of

EVERYWHERE = {"prunemark", "torch", "numpy"}
"""The harness, and what every key holds already."""
OWN_NAME = re.compile(rf"own:({FUNCTION})@([0-9a-f]{{64}})", re.ASCII)


@dataclass(frozen=True)
class OwnFunction:
    """A function of a track's author: its file, its name, the hash of its code, the packages it imports."""

    path: Path
    function: str
    sha256: str
    packages: tuple[tuple[str, str], ...]


def locate_function(name: str, folder: str, what: str) -> OwnFunction:
    """The function that a track names as `file.py:function` or `package.module:function`; `what` is for errors.

    A path starts in `folder`. Raises InputError for a missing file, module or function, and what is no Python.
    """
    found = function_of(name)
    assert found is not None
    place, function = found
    path = Path(folder, place).resolve() if place.endswith(".py") else _module(place, name, what)
    if not path.is_file():
        raise InputError(
            f"{what} {name}: there is no file {str(path)!r}. A path starts in the folder of the track's file"
        )
    names = _top_level(parsed(path))
    if function not in names and "*" not in names:
        try:
            raise unknown_name(f"function of {path.name}", function, [each for each in names if each[0] != "_"])
        except InputError as problem:
            raise InputError(f"{what} {name}: {problem}") from None
    return OwnFunction(path, function, code_sha256(path), _packages(path))


def _module(place: str, name: str, what: str) -> Path:
    try:
        return module_file(place)
    except InputError:
        raise InputError(
            f"{what} {name}: no module {place!r} is installed here. Give path/to/file.py:function, or install it"
        ) from None


def _top_level(tree: ast.Module) -> set[str]:
    """The names that a file defines or imports at its top level, '*' where it imports all of something."""
    found = set()
    for node in ast.walk(ast.Module([n for n in tree.body if not isinstance(n, ast.ClassDef | ast.FunctionDef)], [])):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found | {n.name for n in tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)}


def _packages(path: Path) -> tuple[tuple[str, str], ...]:
    """The installed packages that the code imports, with their versions: they are part of what it computes."""
    modules = set()
    for file in covered_files(path):
        for node in ast.walk(parsed(file)):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.split(".")[0])
    others = modules - set(sys.stdlib_module_names) - EVERYWHERE
    names = {each for module in others for each in _distributions().get(module, ())}
    return tuple(sorted((name, version(name)) for name in names))


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    """By module, the installed packages that bring it: takes most of a second."""
    return packages_distributions()


def kept_in(store: Store, found: OwnFunction, what: str) -> str:
    """Keeps the code in the store, as it is run: `ENTRY/own.json:function`, which `build_network` takes as a name.

    Raises WorkFailed for a file that changes meanwhile, InputError for one that cannot be run without its words.
    """
    key = _key(found.sha256)
    with store.lock(key):
        if not store.read(key, ABOUT):
            packed = _packed(found, what)
            with store.writing(key) as draft:
                (draft / ABOUT).write_text(json.dumps(packed))
    return f"{store.path(key) / ABOUT}:{found.function}"


def kept(store: Store, sha256: str, function: str) -> str | None:
    """The same of code that was kept before; None where this store has none of this hash."""
    folder = store.read(_key(sha256), ABOUT)
    return None if folder is None else f"{folder / ABOUT}:{function}"


def kept_by_name(store: Store | None, name: str) -> str | None:
    """What `build_network` takes for a network as records call it: of own code where it is kept, None where not."""
    found = OWN_NAME.fullmatch(name)
    if found is None:
        return name
    return kept(store, found[2], found[1]) if store else None


def _key(sha256: str) -> str:
    return key_of("own code", {"sha256": sha256})


def _packed(found: OwnFunction, what: str) -> dict[str, Any]:
    """Main file and all others with their texts, as they are run."""
    source = MethodSource(str(found.path), found.function, "", found.sha256, found.path.name)
    with scratch_folder() as folder:
        own = Path(laid_out(source, folder).source.path)
        if not own.is_relative_to(folder):
            raise InputError(f"{what}: {found.path.name} is Prunemark's own code. Name a file of yours")
        files = {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in sorted(folder.rglob("*.py"))}
        return {"main": own.relative_to(folder).as_posix(), "module": import_name(own)[0], "files": files}
