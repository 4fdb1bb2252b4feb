"""Names that imitate: "L1norm", "Ｌ1-norm" and "L1-nоrm" with a Cyrillic o are read as the name of L1-norm.

Two names look alike when nothing is left between them after Unicode's compatible forms, small letters, signs left out
and letters that are drawn alike taken for one. The table of those is short: Greek and Cyrillic, and what a hurried
reader takes for another letter.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from prunemark.setups.errors import InputError
from prunemark.setups.text import LONGEST_NAME, as_given

PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*", re.ASCII)
"""The alphabet of a method's name: that of Python's classes and of the shipped methods."""
_DRAWN_ALIKE = {  # Cyrillic, Greek, Armenian and phonetic letters by the Latin one that they are drawn like
    "a": "\u0430\u03b1\u0251", "b": "\u0432\u044c\u03b2", "c": "\u0441\u03f2", "d": "\u0501", "e": "\u0435\u03b5",
    "g": "\u0433\u0261", "h": "\u04bb\u0570", "i": "\u0456\u0457\u03b9\u0131\u026a", "j": "\u0458\u03f3",
    "k": "\u043a\u03ba", "l": "\u04cf\u01c0", "m": "\u043c", "n": "\u043f\u03b7\u0578", "o": "\u043e\u03bf\u0585",
    "p": "\u0440\u03c1", "q": "\u051b", "r": "\u044f", "s": "\u0455\ua731", "t": "\u0442\u03c4", "u": "\u03c5\u057d",
    "v": "\u0475\u03bd", "w": "\u051d\u0461\u03c9", "x": "\u0445\u03c7", "y": "\u0443\u03b3", "z": "\u03b6",
}  # fmt: skip
_ALIKE = str.maketrans(
    {letter: latin for latin, letters in _DRAWN_ALIKE.items() for letter in letters}
    | {"0": "o", "1": "l", "i": "l", "|": "l", "5": "s", "2": "z", "3": "e", "8": "b"}
)


@lru_cache(maxsize=4096)
def looks(name: str) -> str:
    """What a name looks like: equal for names that a reader takes for one."""
    folded = unicodedata.normalize("NFKD", name[: 4 * LONGEST_NAME]).casefold()
    twice = unicodedata.normalize("NFKD", folded).translate(_ALIKE).casefold().translate(_ALIKE)
    return "".join(letter for letter in twice if letter.isalnum()).replace("rn", "m").replace("vv", "w")


def imitated(name: str, others: Iterable[str]) -> str:
    """The first of the other names that this one looks like, itself included; "" for none."""
    look = looks(name)
    return next((other for other in others if looks(other) == look), "")


def check_plain(name: str) -> str:
    """The name. Raises InputError where it has letters that not every reader can tell apart, or too many."""
    if not PLAIN.fullmatch(name) or len(name) > LONGEST_NAME:
        raise InputError(
            f"a method's name has 1 to {LONGEST_NAME} of the letters A to Z, digits, '_', '.', '+' and '-'; "
            f"given {as_given(name)}.\nRename the class"
        )
    return name
