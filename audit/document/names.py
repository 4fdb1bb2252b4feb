"""What names of datasets and networks stand for: one table for documents and for tables of results.

The table is data (`names.toml`). A name that it does not list can be another spelling of one that it does. Whether it
is so is a question to the reader, and never an answer.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal

from prunemark.setups.factors import plain_name

NameKind = Literal["datasets", "networks", "sources"]
NameState = Literal["same", "different", "alike"]
TABLE = "names.toml"
AS_ALIKE = 0.8
"""The share of letters in common from which on two names without a word in common may be slips of one another."""
_PIECE = re.compile(r"[a-z]+|\d+")
LEAST_LETTERS = 3
_ENOUGH = re.compile(r"[A-Za-z]{3}")
_LIBRARY = re.compile(r"(?i)\b(?:torchvision|pytorch)(?:\.models\.)?")
_BATCH_NORM = re.compile(r"(?i)\b(?:with|w/|\+)?\s*(?:bn|batch[\s_-]?norm(?:ali[sz]ation)?)\b")


@cache
def _table(kind: NameKind) -> dict[str, str]:
    """Every spelling of the table, plain, to the name that the table lists first."""
    import tomllib

    listed = tomllib.loads((files("prunemark.audit.document") / TABLE).read_text(encoding="utf-8"))[kind]
    return {plain_name(each): name for name, others in listed.items() for each in (name, *others)}


@lru_cache(maxsize=4096)
def canonical(kind: NameKind, name: str) -> str:
    """The name under which the table lists it; a name that is in no table stays as it is, less the hub's account.

    `ImageNet (ILSVRC-2012)` names one thing twice, `VGG16 with BN` is VGG-16-BN, and `facebook/opt-125m` is opt-125m.
    """
    table = _table(kind)
    if found := table.get(plain_name(name)):
        return found
    account, _, rest = name.rpartition("/")
    if kind == "networks" and account and _ENOUGH.search(rest):
        name = rest
    bare = _BATCH_NORM.sub("bn", _LIBRARY.sub(" ", name)) if kind == "networks" else name
    outer, _, inner = bare.rstrip(") ").partition("(")
    twice = {table.get(plain_name(part)) for part in (outer, inner)} if inner else set()
    if len(twice) == 1 and None not in twice:
        return twice.pop() or name
    return table.get(plain_name(re.sub(r"[()]", "", bare)), name)


@lru_cache(maxsize=4096)
def compare_names(kind: NameKind, a: str, b: str) -> NameState:
    """Whether two names stand for one thing, for two, or whether only their author can say ("alike")."""
    first, second = canonical(kind, a), canonical(kind, b)
    if plain_name(first) == plain_name(second):
        return "same"
    table = _table(kind)
    if plain_name(first) in table and plain_name(second) in table:
        return "different"
    pairs = ((x.lower(), y.lower()) for x in _spellings(kind, first) for y in _spellings(kind, second))
    return "alike" if any(_resemble(x, y) for x, y in pairs) else "different"


def _spellings(kind: NameKind, name: str) -> list[str]:
    """What the table has for a name: ILSVRC resembles ImageNet only as ILSVRC-2012."""
    return [name, *(spelt for spelt, meant in _table(kind).items() if meant == name)]


def _resemble(a: str, b: str) -> bool:
    """A word in common, or nearly the same letters; not when both have numbers and share none (ResNet-152)."""
    (words_a, numbers_a), (words_b, numbers_b) = _pieces(a), _pieces(b)
    if numbers_a and numbers_b and not numbers_a & numbers_b:
        return False
    long = {word for word in words_a & words_b if len(word) >= LEAST_LETTERS}
    shortened = numbers_a == numbers_b and bool(numbers_a) and a[:1] == b[:1]  # RN50 for ResNet-50
    return bool(long) or shortened or SequenceMatcher(None, plain_name(a), plain_name(b)).ratio() >= AS_ALIKE


def _pieces(name: str) -> tuple[set[str], set[str]]:
    pieces = _PIECE.findall(name)
    return {piece for piece in pieces if not piece.isdigit()}, {piece for piece in pieces if piece.isdigit()}
