"""What identifies a method's code: what it does, not what is written about it.

Results are filed under this hash. A corrected docstring must not make the anchor a new method, with no results.
"""

from __future__ import annotations

import ast
import codecs
import hashlib
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from functools import lru_cache

READS_ITSELF = re.compile(rb"__doc__|getsource|getdoc|\babout\.|coding[:=]")
READS_ITSELF_IN_CODE = re.compile(rb"\babout\b|__file__")
"""In a file with such words, or with the latter in its code, comments and docstrings may matter: every byte counts."""

Span = tuple[int, int, int, int]  # first line (from 0), byte in it, last line, byte in it


def source_sha256(named: Iterable[tuple[str, bytes]]) -> str:
    """The identity of a method's code: of each file its name, without folders, and its code.

    `named` gives (name, content) in the order that `benchmark/submission/locate.py` finds the files in.
    """
    digest = hashlib.sha256()
    for name, content in named:
        digest.update(f"{name}\0".encode() + hashlib.sha256(code_of(content)).digest())
    return digest.hexdigest()


@lru_cache(maxsize=64)  # a method has two hashes of the same files, and a submission shares some with its controls
def code_of(content: bytes) -> bytes:
    """The file without comments, docstrings, `about = About(...)` of a class, and the lines that this leaves empty.

    The same on every Python. A file that is not Python, or that can read its own words, is given back as it is.
    Not covered: the number of lines of a string in `about` that goes over several is still counted, as in the
    identities that boards hold already. Rewording such a string keeps the identity; wrapping it anew does not.
    """
    kept = _kept_lines(content)
    return content if kept is None else b"\n".join(line for _, line in kept)


def as_run(content: bytes) -> tuple[bytes, tuple[int, ...]]:
    """The file as it is executed, and of each of its lines the number that it has in the file itself.

    It is what `code_of` hashes, with `pass` where a body had words alone: so nothing that a submission does can depend
    on what its identity leaves out, nor on the lines that this takes. Raises SyntaxError where that is no Python, or
    would do something else than the file: a docstring shares its line with code, say.
    """
    kept = _kept_lines(content)
    if kept is None:
        return content, tuple(range(1, content.count(b"\n") + 2))
    tree = ast.parse(content)
    words = set(_words(tree))
    texts = [line for _, line in kept]
    for first, _, _, _ in _bare(tree, words):  # on the line before it, wherever the words stood
        at = max(index for index, (number, _) in enumerate(kept) if number <= first)
        texts[at] += b" pass"
    text = b"\n".join(texts)
    if not _same(ast.parse(text), tree, words):
        raise SyntaxError("without its words it would do something else")
    return text, tuple(number + 1 for number, _ in kept)


def _same(run: ast.Module, written: ast.Module, words: set[Span]) -> bool:
    """Whether what is run is the file without its words. Where that is nested too deeply to be told, it is taken so."""
    for node in ast.walk(written):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            kept = [statement for statement in node.body if _span(statement) not in words]
            node.body = kept if kept or isinstance(node, ast.Module) else [ast.Pass()]
    try:
        return ast.dump(run) == ast.dump(written)
    except RecursionError:
        return True


def _kept_lines(content: bytes) -> list[tuple[int, bytes]] | None:
    """Number (from 0) and text of each line that is code; None for a file of which every byte counts.

    That is one, too, whose lines or columns Python counts in another way: with a byte-order mark, or lone returns.
    """
    if READS_ITSELF.search(content) or content.startswith(codecs.BOM_UTF8):
        return None
    content = content.replace(b"\r\n", b"\n")
    if b"\r" in content:
        return None
    lines = content.split(b"\n")
    try:
        tree = ast.parse(content)
        words = list(_words(tree))
        spans = sorted([*words, *_comments(content, lines)], reverse=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        return None
    in_string = {line for first, last in _long_strings(tree, spans) for line in range(first, last)}
    for first, start, last, end in spans:
        lines[first : last + 1] = [lines[first][:start] + lines[last][end:], *[b""] * (last - first)]
    code = [
        (number, line if number in in_string else line.rstrip())
        for number, line in enumerate(lines)
        if line.strip() or number in in_string
    ]
    return None if READS_ITSELF_IN_CODE.search(b"\n".join(line for _, line in code)) else code


def _bare(tree: ast.Module, gone: set[Span]) -> Iterator[Span]:
    """The first words of every class or function that has no other statement."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if all(_span(statement) in gone for statement in node.body):
            yield _span(node.body[0])


def _words(tree: ast.Module) -> Iterator[Span]:
    """Where docstrings are, and what a class says about itself in literals."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or not node.body:
            continue
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            yield _span(first)
        if isinstance(node, ast.ClassDef):
            yield from (_span(statement) for statement in node.body if _is_about(statement))


def _is_about(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.Assign) or [ast.unparse(target) for target in statement.targets] != ["about"]:
        return False
    call = statement.value
    if not isinstance(call, ast.Call) or ast.unparse(call.func) != "About" or call.args:
        return False
    try:
        return all(keyword.arg and isinstance(ast.literal_eval(keyword.value), str | int) for keyword in call.keywords)
    except ValueError:
        return False


def _comments(content: bytes, lines: list[bytes]) -> Iterator[Span]:
    for token in tokenize.tokenize(io.BytesIO(content).readline):
        if token.type == tokenize.COMMENT:
            line = token.start[0] - 1
            start = len(lines[line].decode()[: token.start[1]].encode())
            yield line, start, line, start + len(token.string.encode())


def _long_strings(tree: ast.Module, spans: Iterable[Span]) -> Iterator[tuple[int, int]]:
    """First and last line of every string over several lines that is code: its blank lines count."""
    words = {(first, start) for first, start, _, _ in spans}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)):
            first, start, last, _ = _span(node)
            if last > first and (first, start) not in words:
                yield first, last


def _span(node: ast.stmt | ast.expr) -> Span:
    return node.lineno - 1, node.col_offset, (node.end_lineno or node.lineno) - 1, node.end_col_offset or 0
