"""Running code of a track's author from its copy: modules that are made of texts, and found while that code runs.

Only processes that may run submitted code call this. The modules are taken out of `sys.modules` again, so that a
method's `blocks.py` and a network's `blocks.py` do not meet.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.abc
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

ABOUT = "own.json"
"""The file of a store's entry that has the texts."""


@dataclass
class OwnModules(importlib.abc.MetaPathFinder):
    """The files of one author's code by path, the main one, and its name as a module. `made` are those that ran."""

    main: str
    module: str
    files: Mapping[str, str]
    made: dict[str, ModuleType] = field(default_factory=dict)

    @contextlib.contextmanager
    def found(self) -> Iterator[None]:
        """Inside, imports find these files before any other module, and afterwards not."""
        before = {name: sys.modules.pop(name) for name in list(sys.modules) if self._text_of(name)}
        sys.modules.update(self.made)
        sys.meta_path.insert(0, self)
        try:
            yield
        finally:
            sys.meta_path.remove(self)
            self.made = {name: sys.modules.pop(name) for name in list(sys.modules) if self._text_of(name)}
            sys.modules.update(before)

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: Any = None) -> Any:
        """Of `importlib`."""
        if (found := self._text_of(fullname)) is None:
            return None
        place, text = found
        is_package = place.endswith("__init__.py")
        return importlib.util.spec_from_loader(fullname, _Text(place, text), is_package=is_package)

    def _text_of(self, module: str) -> tuple[str, str] | None:
        """Where a module's text is: the main file by its own name, others from the top or next to the main file."""
        if module == self.module:
            return self.main, self.files[self.main]
        inner = module.replace(".", "/")
        for folder in dict.fromkeys(("", f"{PurePosixPath(self.main).parent.as_posix()}/".removeprefix("./"))):
            for place in (f"{folder}{inner}.py", f"{folder}{inner}/__init__.py"):
                if place in self.files:
                    return place, self.files[place]
        return None


class _Text(importlib.abc.InspectLoader):
    """Loads a module from its text; tracebacks show its lines."""

    def __init__(self, place: str, text: str) -> None:
        self.place, self.text = place, text

    def get_source(self, fullname: str) -> str:
        return self.text

    def get_filename(self, fullname: str) -> str:
        return self.place

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self.place
        exec(compile(self.text, self.place, "exec"), module.__dict__)


@functools.cache
def own_modules(packed: Path) -> OwnModules:
    """The code that a store's entry keeps."""
    about = json.loads(packed.read_text("utf-8"))
    return OwnModules(about["main"], about["module"], about["files"])


def own_function(name: str) -> tuple[OwnModules, Callable[..., Any]]:
    """The function that a name `ENTRY/own.json:function` means. Runs the code's top level, the first time.

    Raises whatever that raises, and AttributeError.
    """
    place, _, function = name.rpartition(":")
    modules = own_modules(Path(place))
    with modules.found():
        return modules, getattr(importlib.import_module(modules.module), function)


def is_kept(name: str) -> bool:
    """Whether the name is one of code that a store keeps."""
    return f"{ABOUT}:" in name


def files_of(name: str) -> tuple[Path, ...]:
    """What has to be readable where a network of this name is built."""
    return (Path(name.rpartition(":")[0]),) if is_kept(name) else ()
