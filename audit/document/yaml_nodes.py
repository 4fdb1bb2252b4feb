"""Untrusted YAML as nodes that know their place: bounded in size, depth and time.

The parser's events are read one by one and nothing is constructed from tags, so a document cannot make
objects, loop through its own anchors, or grow: an alias counts as much as what it stands for. Scalars keep
their text, because `5e-3` is a string to YAML, and `75.20` says more about rounding than `75.2`.
Not covered: custom tags mean nothing here, and a merge key (`<<`) takes one mapping or a list of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from prunemark.setups.errors import InputError
from prunemark.setups.text import is_seen

MAX_BYTES = 2_000_000
MAX_NODES = 50_000
MAX_DEPTH = 40

NodeKind = Literal["scalar", "mapping", "sequence"]


@dataclass(frozen=True, eq=False)
class Node:
    """One value of a document. `where` is its place as a person finds it: file, line and column.

    `quoted` marks a scalar in quotation marks, which is text even if it reads `null`. `size` counts the
    values below it, aliases written out.
    """

    kind: NodeKind
    where: str
    text: str = ""
    quoted: bool = False
    entries: Mapping[str, Node] = field(default_factory=dict)
    items: Sequence[Node] = ()
    size: int = 1


def read_file(path: Path) -> bytes:
    """The bytes of a document, a few too many if it is too long to be one. Raises InputError when there are none."""
    try:
        if path.is_dir():
            raise InputError(
                f"{path} is a folder. Give a comparison document (`prunemark audit --template` writes one)"
            )
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise InputError(f"cannot read {str(path)!r}: {reason}") from None


def parse(data: bytes, name: str) -> Node:
    """The one document in these bytes. Raises InputError with the place for anything else."""
    import yaml

    text = decoded(data, name)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Builder(name).document(yaml.parse(text, Loader=loader))
    except yaml.YAMLError as problem:
        raise InputError(_in_words(problem, name)) from None
    except RecursionError:
        raise InputError(f"{name}: nested deeper than {MAX_DEPTH} levels") from None


def decoded(data: bytes, name: str) -> str:
    """The text of a file. Raises InputError, with the line, for what is too long or no text."""
    if len(data) > MAX_BYTES:
        raise InputError(f"{name} has more than {MAX_BYTES:,} bytes: that is not a comparison document. Split it")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data[: problem.start].count(b"\n") + 1
        raise InputError(f"{name}:{line}: byte {problem.start} is not UTF-8 text. Is it a document at all?") from None
    for line, row in enumerate(text.split("\n"), 1):
        bad = next((c for c in row if (c < " " and c not in "\t\r") or "\ud800" <= c <= "\udfff"), None)
        if bad is not None:
            raise InputError(f"{name}:{line}: the character {bad!r} cannot stand in a text. Is it a binary file?")
    return text


def _in_words(problem: Any, name: str) -> str:
    mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
    place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
    reason = " ".join(str(getattr(problem, "problem", None) or problem).split())
    return f"{place}: not YAML: {reason[:200]}"


class _Builder:
    """Turns events into nodes; counts and refuses."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.anchors: dict[str, Node | None] = {}
        self.count = 0

    def document(self, events: Iterator[Any]) -> Node:
        found: Node | None = None
        for event in events:
            kind = type(event).__name__
            if kind in ("StreamStartEvent", "StreamEndEvent", "DocumentStartEvent", "DocumentEndEvent"):
                continue
            if found is not None:
                raise InputError(f"{self.where(event)}: a second document begins here. Give one document a file")
            found = self.node(event, events, 0)
        if found is None:
            raise InputError(f"{self.name} is empty. `prunemark audit --template` writes a document to fill in")
        return found

    def where(self, event: Any) -> str:
        return f"{self.name}:{event.start_mark.line + 1}:{event.start_mark.column + 1}"

    def node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise InputError(f"{self.where(event)}: nested deeper than {MAX_DEPTH} levels")
        self._count(1, event)
        kind = type(event).__name__
        if kind == "AliasEvent":
            return self._alias(event)
        if event.anchor:
            self.anchors[event.anchor] = None  # not complete yet: an alias to it now would be a cycle
        if kind == "ScalarEvent":
            self._printable(event)
            made = Node("scalar", self.where(event), event.value, quoted=event.style in ("'", '"'))
        elif kind == "MappingStartEvent":
            made = self._mapping(event, events, depth)
        else:
            items = list(self._until("SequenceEndEvent", events, depth))
            made = Node("sequence", self.where(event), items=items, size=1 + sum(item.size for item in items))
        if event.anchor:
            self.anchors[event.anchor] = made
        return made

    def _printable(self, event: Any) -> None:
        """An escape such as "\\e[2J" would reach the reader's terminal, and turned or hidden letters the reader."""
        value = event.value
        if value.isascii() and value.isprintable():
            return
        bad = next((c for c in value if c not in "\n\t\r" and not is_seen(c)), None)
        if bad is not None:
            raise InputError(f"{self.where(event)}: a value with {bad!a}, which cannot be seen. Take it out")

    def _count(self, more: int, event: Any) -> None:
        self.count += more
        if self.count > MAX_NODES:
            raise InputError(f"{self.where(event)}: more than {MAX_NODES:,} values (aliases count as what they repeat)")

    def _alias(self, event: Any) -> Node:
        if event.anchor not in self.anchors:
            raise InputError(f"{self.where(event)}: the alias *{event.anchor} has no anchor before it")
        target = self.anchors[event.anchor]
        if target is None:
            raise InputError(f"{self.where(event)}: the alias *{event.anchor} stands inside its own anchor")
        self._count(target.size, event)
        return target

    def _until(self, end: str, events: Iterator[Any], depth: int) -> Iterator[Node]:
        for event in events:
            if type(event).__name__ == end:
                return
            yield self.node(event, events, depth + 1)

    def _mapping(self, start: Any, events: Iterator[Any], depth: int) -> Node:
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        nodes = self._until("MappingEndEvent", events, depth)
        for key in nodes:
            value = next(nodes)
            if key.kind != "scalar":
                raise InputError(f"{key.where}: a key is a plain word here, not a {key.kind}")
            if key.text == "<<" and not key.quoted:
                for other in reversed(value.items if value.kind == "sequence" else (value,)):
                    merged.update(other.entries)
                continue
            if key.text in own:
                raise InputError(f"{key.where}: the key {key.text[:60]!r} stands here twice in one mapping")
            own[key.text] = value
        entries = merged | own
        size = 1 + sum(1 + value.size for value in entries.values())
        return Node("mapping", self.where(start), entries=entries, size=size)


def node_of(value: Any, where: str) -> Node:
    """Plain data as nodes, for documents that were never text: rows of a table, runs, records."""
    if isinstance(value, Mapping):
        entries = {str(key): node_of(item, where) for key, item in value.items()}
        return Node("mapping", where, entries=entries)
    if isinstance(value, list | tuple):
        return Node("sequence", where, items=[node_of(item, where) for item in value])
    if value is None:
        return Node("scalar", where)
    return Node("scalar", where, str(value).lower() if isinstance(value, bool) else str(value))
