"""The pattern that a setting's values have to match: a stranger's regular expression, so only a bounded kind is taken.

Letters, classes such as [0-9] and escapes such as \\d, each with a repetition behind it or none; alternatives; and
groups, not in one another, which may be left out but not repeated. In how many ways such a pattern can be tried on a
value is counted beforehand: `(a+)+$` takes twice as long for each letter more.
"""

from __future__ import annotations

import re

from prunemark.setups.errors import InputError
from prunemark.setups.text import as_given, shown

LONGEST_PATTERN, LONGEST_VALUE = 200, 64
MOST_WAYS = 10**6
_PART = re.compile(
    r"(?P<open>\((?:\?:)?)|(?P<close>\)\??)|(?P<bar>\|)"
    r"|(?:\\[dDwWsS.\-+*?()\[\]{}|/^$\\]|\[\^?(?:\\.|[^\[\]\\])+\]|[^\\\[\](){}|*+?^$])"
    r"(?P<repeat>[*+?]|\{\d{1,3}(?:,\d{0,3})?\})?"
)


def check_fits(name: str, pattern: str, text: str) -> bool:
    """Whether a value matches a setting's pattern as a whole. Raises InputError for a pattern of another kind."""
    if not 0 < ways(pattern) <= MOST_WAYS:
        raise InputError(
            f"setting {name!r} has the pattern {as_given(pattern)}, which is of a kind that is not taken.\n"
            "Write letters and classes with a repetition, alternatives, and groups that are not repeated: a|b[0-9]{1,3}"
        )
    try:
        return len(text) <= LONGEST_VALUE and re.fullmatch(pattern, text) is not None
    except (re.error, RecursionError, OverflowError) as problem:
        raise InputError(
            f"setting {name!r}: {as_given(pattern)} is no regular expression: {shown(problem, 80)}"
        ) from None


def ways(pattern: str) -> int:
    """At most how many ways there are to try a pattern on a value; 0 for one of another kind."""
    body = pattern.removeprefix("^").removesuffix("$")
    if len(pattern) > LONGEST_PATTERN:
        return 0
    done, inside, end = (
        [0, 0],
        [1, 1],
        0,
    )  # ways of the alternatives so far, and of the current one; outside, in a group
    depth = 0
    for part in _PART.finditer(body):
        if part.start() != end or (part["open"] and depth) or (part["close"] and not depth):
            return 0
        end = part.end()
        if part["open"]:
            depth, done[1], inside[1] = 1, 0, 1
        elif part["close"]:
            depth = 0
            inside[0] *= done[1] + inside[1] + part["close"].endswith("?")
        elif part["bar"]:
            done[depth], inside[depth] = done[depth] + inside[depth], 1
        else:
            inside[depth] *= _times(part["repeat"])
    return done[0] + inside[0] if end == len(body) and not depth else 0


def _times(repeat: str | None) -> int:
    if repeat is None:
        return 1
    if repeat == "?":
        return 2
    low, comma, high = repeat.strip("{}").partition(",")
    if repeat in ("*", "+") or (comma and not high):
        return LONGEST_VALUE
    return 1 + max(0, int(high or low) - int(low))
