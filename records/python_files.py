"""How much Python of a stranger is parsed: a file of millions of numbers is no method, and takes minutes and gigabytes.

The bounds are those of `prunemark submit`, of a board's sources and of a contribution alike.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

LARGEST_BYTES = 1 << 20  # of all files together: a method is code, and weights have no place in it
MOST_TOKENS = 50_000
"""Words, numbers and signs of one file, comments included. The longest shipped method has 2,047."""
MOST_FILES = 200
_TOKEN = re.compile(rb"\w+|[^\w\s]")


def why_too_much(contents: Sequence[bytes]) -> str:
    """Why so many files, or so much in one, are not taken for a method, in words that follow "it"; "" if they are."""
    if len(contents) > MOST_FILES:
        return f"has {len(contents):,} files, and a method has at most {MOST_FILES}"
    if sum(map(len, contents)) > LARGEST_BYTES:
        return f"is larger than {LARGEST_BYTES >> 20} MB, all its files together: a method is code, not data"
    for content in contents:
        if len(content) > MOST_TOKENS and sum(1 for _ in _TOKEN.finditer(content)) > MOST_TOKENS:
            return f"has a file of more than {MOST_TOKENS:,} words, numbers and signs: a method is code, not data"
    return ""


def unparsed(node: ast.AST) -> str:
    """The source of a part of a file; what is nested too deeply to be written out is an ellipsis."""
    try:
        return ast.unparse(node)
    except RecursionError:
        return "..."
