"""Finding a value in a document, following `{same_as: OTHER}` wherever it stands on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from prunemark.audit.document.reported_values import NOT_APPLICABLE_WORDS, Provenance, is_silent, read_provenance
from prunemark.audit.document.stages import STAGE_ROLES
from prunemark.audit.document.yaml_nodes import Node
from prunemark.setups.errors import InputError, unknown_name

Path = Sequence[str]
MAX_STAGES = 1_000


@dataclass(frozen=True)
class ResolvedNode:
    """A node and the value it really belongs to: `root` is the same for two values declared to be the same."""

    node: Node | None
    root: str
    provenance: Provenance


@dataclass(frozen=True)
class EntryNodes:
    """The entries of a document by name, as nodes."""

    entries: Mapping[str, Node]
    _stages_of: dict[int, dict[str, Node]] = field(default_factory=dict, repr=False, compare=False)

    def find(self, entry: str, path: Path) -> ResolvedNode:
        """The node at this path of an entry, through every `same_as`. Raises InputError for a cycle."""
        return self._find(entry, path, ())

    def _find(self, entry: str, path: Path, seen: tuple[tuple[str, Path], ...]) -> ResolvedNode:
        node, provenance = self.entries[entry], _provenance_of(self.entries[entry], path, "stated")
        for depth, key in enumerate(path):
            if node.kind == "scalar" and node.text.strip().lower() in NOT_APPLICABLE_WORDS:
                return ResolvedNode(node, _name(entry, path), provenance)  # `base: n/a` says so of everything in it
            child = self._child(node, key)
            if child is None:
                return ResolvedNode(None, _name(entry, path), provenance)
            node = child
            target = self._target(node)
            if target is not None:
                here = (entry, tuple(path[: depth + 1]))
                if here in seen:
                    raise InputError(f"{node.where}: same_as leads back to where it began: {_chain((*seen, here))}")
                return self._find(target, path, (*seen, here))
            provenance = _provenance_of(node, path[depth + 1 :], provenance)
        return ResolvedNode(node, _name(entry, path), provenance)

    def _child(self, node: Node, key: str) -> Node | None:
        if node.kind == "mapping":
            return node.entries.get(key)
        if node.kind != "sequence" or "#" not in key:
            return None
        if id(node) not in self._stages_of:
            self._stages_of[id(node)] = _by_key(node)
        return self._stages_of[id(node)].get(key)

    def _target(self, node: Node) -> str | None:
        if node.kind != "mapping" or "same_as" not in node.entries:
            return None
        target, strange = node.entries["same_as"], set(node.entries) - {"same_as", "stage", "note", "evidence"}
        if strange:
            raise InputError(f"{node.where}: same_as must be the only key; remove {sorted(strange)[0][:60]!r}")
        if target.kind != "scalar" or target.text not in self.entries:
            given = target.text[:60] if target.kind == "scalar" else f"a {target.kind}"
            problem = unknown_name("entry", given, self.entries)
            raise InputError(f"{target.where}: same_as: {problem.args[0]}")
        return target.text

    def stages(self, entry: str) -> list[tuple[str, str]]:
        """(role, key) of every stage in order, where the key finds it again: `retraining`, `retraining#1`."""
        listed = self.find(entry, ("stages",)).node
        if listed is None or is_silent(listed):
            return []
        if listed.kind != "sequence":
            raise InputError(f"{listed.where}: stages is a list, as in [{{stage: pruning, epochs: 0}}, ...]")
        return [(key.partition("#")[0], key) for key in _by_key(listed)]


def _by_key(listed: Node) -> dict[str, Node]:
    """The stages of a list by `retraining#1`: the second one that is a retraining, whatever it is called."""
    if len(listed.items) > MAX_STAGES:
        raise InputError(f"{listed.where}: {len(listed.items)} stages; at most {MAX_STAGES} are read. See `repeat`")
    found: dict[str, Node] = {}
    count = dict.fromkeys(STAGE_ROLES.values(), 0)
    for stage in listed.items:
        role = STAGE_ROLES[_role_name(stage)]
        found[f"{role}#{count[role]}"] = stage
        count[role] += 1
    return found


def _chain(steps: Sequence[tuple[str, Path]]) -> str:
    return " -> ".join(_name(entry, path) for entry, path in steps)


def _name(entry: str, path: Path) -> str:
    return ".".join((entry, *path))


def _role_name(stage: Node) -> str:
    if stage.kind != "mapping" or "stage" not in stage.entries:
        raise InputError(f"{stage.where}: a stage is a mapping with `stage`, as in {{stage: retraining, epochs: 90}}")
    name = stage.entries["stage"].text.strip().lower()
    if name not in STAGE_ROLES:
        problem = unknown_name("stage", name[:60], STAGE_ROLES)
        raise InputError(f"{stage.entries['stage'].where}: {problem.args[0]}")
    return name


def _provenance_of(node: Node, rest: Path, inherited: Provenance) -> Provenance:
    """A mapping may grade everything below it (`evidence: log`), or one value at a time ({lr: code_default})."""
    graded = node.entries.get("evidence") if node.kind == "mapping" else None
    if graded is None:
        return inherited
    if graded.kind == "scalar":
        return read_provenance(graded)
    for depth in range(len(rest), 0, -1):
        plain = [key.partition("#")[0] for key in rest[:depth] if key != "stages"]
        for name in (".".join(plain), "_".join(plain), ".".join(rest[:depth])):
            if name in graded.entries:
                return read_provenance(graded.entries[name])
    return inherited
