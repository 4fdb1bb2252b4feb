"""A method's class as a file: the one that it is written in, or one of its own for a class of a notebook or a script.

A submission's identity is the code of its file, and the harness runs that file in processes of its own. A script would
submit itself there, and a change of its last line would be another method; a notebook has no file at all. From these
the class is taken, with what it needs: imports, functions, classes and constants at the top level.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import importlib.util
import linecache
import symtable
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FunctionType

from prunemark.records.card import known_methods
from prunemark.records.writer import write_atomically
from prunemark.setups.errors import InputError

FUTURE = "from __future__ import annotations"
INSTEAD = "Put the class into a file, import it from there, and submit that"


def spec_of(method: type | str, folder: Path) -> tuple[str, Path | None]:
    """What `submit` takes, and the file that was written into `folder` for it, if one was.

    Raises InputError for a class whose code cannot be found or does not stand by itself.
    """
    if isinstance(method, str):
        return method, None
    if not isinstance(method, type):
        raise InputError(f"a method is a class, or a text such as path/to/file.py:Class; given {method!r}")
    shipped = {spec: name for name, spec in known_methods().items()}
    if (spec := f"{method.__module__}:{method.__name__}") in shipped:
        return shipped[spec], None
    module = sys.modules.get(method.__module__)
    place = getattr(module, "__file__", None)
    if "." in method.__qualname__:
        raise InputError(f"{method.__qualname__} is defined inside a function or a class.\n{INSTEAD}")
    if method.__module__ != "__main__" and place:
        return f"{Path(place).resolve()}:{method.__name__}", None
    text = standalone(method.__name__, _sources(method, place), Path(place).parent if place else Path.cwd())
    path = folder / f"{method.__name__}_{hashlib.sha256(text.encode()).hexdigest()[:8]}.py"
    if not path.is_file() or path.read_text() != text:
        write_atomically(path, text)
    return f"{path}:{method.__name__}", path


def _sources(method: type, place: str | None) -> list[str]:
    """The code that has run in `__main__`: of a script its file, of a notebook its cells, the last one last."""
    if place and Path(place).is_file():
        return [Path(place).read_text()]
    code = next((value.__code__ for value in vars(method).values() if isinstance(value, FunctionType)), None)
    cell = "".join(linecache.getlines(code.co_filename)) if code else ""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    cells = list(shell.history_manager.input_hist_parsed) if shell else []
    if not cell and not cells:
        raise InputError(f"the code of {method.__name__} cannot be found: it was typed into a terminal.\n{INSTEAD}")
    return [*cells, cell]


def standalone(name: str, sources: Sequence[str], folder: Path) -> str:
    """A file with the class and what it needs of these sources. `folder` is where they would find modules of yours.

    Raises InputError when the class needs what no statement at the top level defines, or a module of that folder.
    """
    defined: dict[str, tuple[int, str]] = {}
    future = False
    for number, (text, node) in enumerate(_statements(sources)):
        future |= isinstance(node, ast.ImportFrom) and node.module == "__future__"
        defined |= dict.fromkeys(_bound(node), (number, text))
    if name not in defined:
        raise InputError(f"no class {name!r} stands at the top level of this script or notebook.\n{INSTEAD}")
    chosen, waiting = set[tuple[int, str]](), [name]
    while waiting:
        wanted = waiting.pop()
        if wanted not in defined:
            raise InputError(
                f"{name} needs {wanted!r}, which no import or definition at the top level gives.\n{INSTEAD}"
            )
        if defined[wanted] not in chosen:
            chosen.add(defined[wanted])
            _check_imports(name, defined[wanted][1], folder)
            waiting += sorted(_needed(defined[wanted][1], future) - set(vars(builtins)))
    parts = [f'"""{name}, written to a file of its own by prunemark.submit."""', *([FUTURE] if future else [])]
    return "\n\n".join([*parts, *(text for _, text in sorted(chosen))]) + "\n"


def _statements(sources: Sequence[str]) -> Iterator[tuple[str, ast.stmt]]:
    """The statements at the top level with their text; sources that are not Python have none."""
    for source in sources:
        try:
            nodes = ast.parse(source).body
        except (SyntaxError, ValueError):
            continue
        lines = source.splitlines()
        for node in nodes:
            first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
            yield "\n".join(lines[first - 1 : node.end_lineno]), node


def _bound(node: ast.stmt) -> list[str]:
    """The names that an import, a definition or an assignment gives."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return [each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]
    return []


def _needed(text: str, future: bool) -> set[str]:
    """The names of the top level that a statement uses, in whatever depth."""
    found, waiting = set(), [symtable.symtable(f"{FUTURE}\n{text}" if future else text, "<method>", "exec")]
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        top = table.get_type() == "module"
        found |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (top or s.is_global())}
    return found - {"annotations"} - {"__name__", "__qualname__", "__class__"}


def _check_imports(name: str, text: str, folder: Path) -> None:
    """Modules that lie with the script or notebook are not found from the new file."""
    for node in ast.parse(text).body:
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module or "."] if isinstance(node, ast.ImportFrom) else []
        for module in modules:
            top = module.partition(".")[0]
            spec = importlib.util.find_spec(top) if top and top not in sys.builtin_module_names else None
            origin = Path(spec.origin or "") if spec else None
            near = origin is not None and origin in (folder / f"{top}.py", folder / top / "__init__.py")
            if top != "prunemark" and (near or not top):
                raise InputError(f"{name} needs {module!r}, which lies in {folder}.\n{INSTEAD}")
