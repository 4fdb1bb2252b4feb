"""What a reader sees of a piece of LaTeX: formatting gone, symbols as letters, unknown macros kept as text."""

from __future__ import annotations

import re
from collections.abc import Mapping

MAX_DEPTH, MAX_MACROS, LONGEST = 25, 200, 5_000

SYMBOLS = {
    "pm": "±", "times": "×", "downarrow": "↓", "uparrow": "↑", "rightarrow": "→", "to": "→", "sim": "~", "approx": "≈",
    "geq": "≥", "ge": "≥", "leq": "≤", "le": "≤", "Delta": "Δ", "ddag": "", "dag": "", "dagger": "", "ddagger": "",
    "ast": "", "star": "", "checkmark": "✓", "cdot": "·", "%": "%", "&": "&", "_": "_", "#": "#", "$": "$", "{": "{",
    "}": "}", " ": " ", ",": " ", ";": " ", ":": " ", "!": "", "\\": " ", "/": "", "-": "", "quad": " ", "qquad": " ",
    "textendash": "–", "textemdash": "—", "textasciitilde": "~", "textbackslash": "", "newline": " ", "linebreak": " ",
    "xspace": "", "ldots": "...", "dots": "...", "infty": "∞", "alpha": "α", "beta": "β", "gamma": "γ", "lambda": "λ",
    "ell": "l", "mid": "|", "textpm": "±", "texttimes": "×", "textdownarrow": "↓", "textuparrow": "↑", "minus": "-",
}  # fmt: skip
_SWITCH_NAMES = (
    "bf it em rm sf tt sc sl bfseries itshape mdseries upshape normalfont rmfamily sffamily ttfamily tiny scriptsize "
    "footnotesize small normalsize large Large LARGE huge centering raggedright raggedleft arraybackslash noindent "
    "displaystyle textstyle scriptstyle boldmath unboldmath bm protect leavevmode strut left right hfill null "
    "selectfont par"
)
SWITCHES = frozenset(_SWITCH_NAMES.split())
DROPPED = {
    "cite": 1, "citep": 1, "citet": 1, "citealp": 1, "citeauthor": 1, "citeyear": 1, "citenum": 1, "footnote": 1,
    "footnotemark": 0, "footnotetext": 1, "tnote": 1, "textsuperscript": 1, "label": 1, "ref": 1, "cellcolor": 1,
    "rowcolor": 1, "color": 1, "hspace": 1, "vspace": 1, "phantom": 1, "hphantom": 1, "vphantom": 1, "rule": 2,
    "setlength": 2, "fontsize": 2, "xmark": 0, "includegraphics": 1, "columncolor": 1, "kern": 0, "makebox": 0,
}  # fmt: skip
LAST_ONLY = {
    "textcolor": 2, "colorbox": 2, "rotatebox": 2, "raisebox": 2, "scalebox": 2, "href": 2, "resizebox": 3,
    "adjustbox": 2, "parbox": 2, "multicolumn": 3, "fcolorbox": 3,
}  # fmt: skip
"""Of so many arguments only the last is seen."""

_DEFINED = re.compile(
    r"\\(?:re|provide)?(?:newcommand|def)\*?\s*\{?\\([A-Za-z]+)\}?\s*(?:\[([1-9])\])?((?:#\d){0,9})\s*"
    r"\{((?:[^{}]|\{(?:[^{}]|\{[^{}]{0,100}\}){0,200}\}){0,200})\}"
)
_WORD = re.compile(r"\\([A-Za-z@]+)\*?\s*|\\(.)", re.DOTALL)


Macros = Mapping[str, tuple[int, str]]
"""Macros that a file defines: how many arguments they take, and what they stand for."""


def defined_macros(text: str) -> dict[str, tuple[int, str]]:
    r"""The macros of a file, as \newcommand{\ours}{GReg} or \newcommand{\std}[1]{$\pm$#1}."""
    found = (match.groups() for match, _ in zip(_DEFINED.finditer(text), range(MAX_MACROS), strict=False))
    return {name: (int(count or 0) or marks.count("#"), body) for name, count, marks, body in found}


def group_end(text: str, start: int) -> int:
    """The place after the group that opens at `start`; the end of the text where it is not closed."""
    depth, place = 0, start
    while place < len(text):
        letter = text[place]
        if letter == "\\":
            place += 1
        elif letter == "{":
            depth += 1
        elif letter == "}":
            depth -= 1
            if depth == 0:
                return place + 1
        place += 1
    return len(text)


def argument(text: str, start: int) -> tuple[str, int]:
    """The argument that begins at `start` (a group, a command, or a letter), and the place after it."""
    while start < len(text) and text[start].isspace():
        start += 1
    if start >= len(text):
        return "", start
    if text[start] == "{":
        end = group_end(text, start)
        return text[start + 1 : end - (1 if text[end - 1] == "}" else 0)], end
    if text[start] == "\\" and (found := _WORD.match(text, start)):
        return found.group(0), found.end()
    return text[start], start + 1


def optional_end(text: str, start: int) -> int:
    """The place after optional arguments, [..], at `start`."""
    while start < len(text) and text[start] == "[":
        end = text.find("]", start)
        if end < 0:
            return start
        start = end + 1
    return start


def plain(text: str, macros: Macros, depth: int = 0) -> str:
    """The text that is seen. Never raises; what is nested too deeply is left out."""
    if depth > MAX_DEPTH:
        return ""
    found: list[str] = []
    place = 0
    while place < len(text):
        letter = text[place]
        if letter == "\\":
            seen, place = _command(text, place, macros, depth)
            found.append(seen)
        elif letter == "{":
            inner, place = argument(text, place)
            found.append(plain(inner, macros, depth + 1))
        elif letter in "^_":
            inner, place = argument(text, place + 1)
            power = letter == "^" and "".join(found[-3:]).rstrip().endswith("10")
            if letter == "_" or power:
                seen = plain(inner, macros, depth + 1)
                found.append(f"^{seen}" if power else seen if seen.startswith("±") else f" {seen}")
        else:
            found.append({"~": " ", "$": "", "}": ""}.get(letter, letter))
            place += 1
    return "".join(found) if depth else _dashes("".join(found))


def _dashes(text: str) -> str:
    return " ".join(text.replace("---", "—").replace("--", "–").replace("``", '"').replace("''", '"').split())


def _command(text: str, place: int, macros: Macros, depth: int) -> tuple[str, int]:
    r"""What the command at `place` shows, and the place after it and its arguments."""
    match = _WORD.match(text, place)
    if match is None:  # a backslash at the very end
        return "", place + 1
    name, place = match.group(1) or match.group(2), match.end()
    if name in SYMBOLS:
        return SYMBOLS[name], place
    if name in SWITCHES:
        return "", place
    if name in ("begin", "end"):  # a table inside a cell, or a list
        _, place = argument(text, place)
        place = optional_end(text, place)
        return " ", argument(text, place)[1] if name == "begin" and text[place : place + 1] == "{" else place
    place = optional_end(text, place)
    if name in DROPPED:
        for _ in range(DROPPED[name]):
            _, place = argument(text, place)
        return "", place
    if name in LAST_ONLY:
        inner = ""
        for _ in range(LAST_ONLY[name]):
            inner, place = argument(text, optional_end(text, place))
        return plain(inner, macros, depth + 1), place
    if name in macros:
        count, body = macros[name]
        for number in range(1, count + 1):
            inner, place = argument(text, place)
            body = body.replace(f"#{number}", inner)[:LONGEST]
        inside = {other: meant for other, meant in macros.items() if other != name}  # or it would stand for itself
        return plain(body, inside, depth + 1), place
    shown = []
    while text[place : place + 1] == "{":
        inner, place = argument(text, place)
        shown.append(plain(inner, macros, depth + 1))
    return (f" {' '.join(shown)} " if shown else name), place  # apart from what is before: 75.2\std{0.1} is not 75.20.1
