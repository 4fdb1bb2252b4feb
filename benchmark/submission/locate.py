"""Finding a submitted method, without running it in this process.

A method is given as its name in `prunemark methods` (`L1-norm`), as `path/to/file.py:Class`, `package.module:Class`,
or, of another library, `torch-pruning:Class`.
Its identity is the hash of the code in its file and in every file next to it that it imports, without comments and
docstrings (`records/code.py`); what it reads at run time is not covered.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

from prunemark.benchmark.submission.covered import code_sha256, parsed, sha256_of
from prunemark.records.card import known_methods, peer_name
from prunemark.setups.errors import InputError, unknown_name


@dataclass(frozen=True)
class MethodSource:
    """Where a method's code lies and what it is: file, class, and the hash of the file and its siblings.

    `code_sha256` leaves out what the file is called. `name` is what `sha256` calls it: see `renamed.py`.
    """

    path: str
    class_name: str
    sha256: str
    code_sha256: str
    name: str


def locate(spec: str) -> tuple[str, MethodSource]:
    """The display name and the source of a method. Nothing of it is executed.

    Raises InputError for an unknown name, a missing file or module, a syntax error, a missing class.
    """
    if spec.endswith(".py"):
        raise InputError(f"{spec!r} names no class. Write {spec}:ClassName")
    spec = peer_name(spec) or spec
    if ":" not in spec and spec not in (known := known_methods()):
        raise unknown_name("method", spec, known)
    place, _, class_name = (spec if ":" in spec else known[spec]).rpartition(":")
    path = Path(place) if place.endswith(".py") or "/" in place else module_file(place)
    return class_name if ":" in spec else spec, _source(path, class_name)


def module_file(module: str) -> Path:
    """The file of an installed module, found without running the packages that it lies in."""
    found, path = None, None
    try:
        parts = module.split(".")
        for end in range(1, len(parts) + 1):
            name = ".".join(parts[:end])
            specs = (finder.find_spec(name, path) for finder in sys.meta_path)
            found = next((spec for spec in specs if spec is not None), None)
            path = list(found.submodule_search_locations or ()) if found else []
    except (ImportError, ValueError, KeyError, AttributeError):
        found = None
    if found is None or found.origin is None or not found.origin.endswith(".py"):
        raise InputError(f"no module {module!r} is installed here. Give a file: path/to/method.py:ClassName")
    return Path(found.origin)


def _source(path: Path, class_name: str) -> MethodSource:
    if not path.is_file():
        raise InputError(f"no file {str(path)!r}. Give path/to/method.py:ClassName, or a name from `prunemark methods`")
    classes = [node.name for node in parsed(path).body if isinstance(node, ast.ClassDef)]
    if class_name not in classes:
        raise unknown_name(f"class in {path.name}", class_name, classes)
    path = path.resolve()
    return MethodSource(str(path), class_name, sha256_of(path), code_sha256(path), path.name)
