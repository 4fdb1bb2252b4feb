"""LR schedules as papers say them in words, in the notation that is read: `cosine from 0.1 to 0` is `cosine:0.1->0`.

A text that is no such sentence stays as it is. Not covered: more than one change of manner in one sentence.
"""

from __future__ import annotations

import re

from prunemark.setups.schedule import format_lr

_NUM = r"(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d{1,3})?"
_OPENING = re.compile(
    r"^(?:(?:an?|the|initial|starting|base|peak|max(?:imum)?)\s+)*(?:lr|learning[\s_-]rate)\b[\s:=]*(?:of|is)?\s*|^step\s*[:,]?\s*"
)
_WARMUP = re.compile(
    r"(?<![\s,;+])[\s,;+]*(?:\(|with|after|and)?\s*(?:an?\s+)?(?:(?:linear\s+)?warm[\s_-]?up(?:\s*(?:of|for|over|:))?\s*(\d{1,6})\s*(?:epochs?)?"
    r"|(\d{1,6})[\s-]*(?:epochs?)?\s*(?:of\s+)?(?:linear\s+)?warm[\s_-]?up(?:\s*epochs?)?)\s*\)?\s*$"
)
_KIND = r"(?P<kind>cosine|linear|one[\s_-]?cycle|1[\s_-]?cycle|constant|fixed)"
_SAID = (
    r"(?:[\s,:;(]|annealing|annealed|decay|decayed|decaying|schedule|policy|learning[\s_-]rate|lr|peak|max(?:imum)?|with"
    r"|from|of|at)*"
)
_ENDS = rf"(?P<first>{_NUM})(?:\s*(?:->|→|down\s+to|to)\s*(?P<last>{_NUM}))?"
_CURVES = (
    re.compile(rf"{_KIND}{_SAID}{_ENDS}[\s)]*"),
    re.compile(rf"{_ENDS}{_SAID}{_KIND}{_SAID}(?:to\s+(?P<end>{_NUM}))?[\s)]*"),
)
_BY = re.compile(
    rf"(?:is\s+|then\s+)*(?P<verb>divided|multiplied|decayed|decreased|reduced|dropped|scaled|lowered|decay|drop|step)"
    rf"(?:\s+by)?(?:\s+an?)?(?:\s+factor(?:\s+of)?)?\s*(?P<by>{_NUM})x?(?=\s)"
)
_TH = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b")


def in_notation(text: str) -> str:
    """The sentence in the notation of schedules; a text that is none as it was."""
    plain = _OPENING.sub("", text.strip().lower(), count=1)
    warmed = _WARMUP.search(plain)
    body = plain[: warmed.start()].strip() if warmed else plain
    tail = f"+warmup{warmed[1] or warmed[2]}" if warmed else ""
    if match := next((found for curve in _CURVES if (found := curve.fullmatch(body))), None):
        return _curve(match) + tail
    if re.fullmatch(_NUM, body) and (tail or body != text):
        return format_lr(float(body)) + tail
    stepped = _BY.sub(lambda found: f"{_sign(found['verb'], float(found['by']))}{found['by']}", _TH.sub("", body))
    if tail or stepped == text.strip().lower():
        return text
    return re.sub(r"\bat\s+the\s+(?=\d)", "at ", stepped.replace("[", "").replace("]", "")).rstrip(" .")


def _sign(verb: str, by: float) -> str:
    return "x" if verb == "multiplied" or by < 1 else "/"


def _curve(match: re.Match[str]) -> str:
    kind, parts = match["kind"], match.groupdict()
    first, last = match["first"], parts.get("last") or parts.get("end")
    if kind in ("constant", "fixed"):
        return format_lr(float(first)) if last is None else match[0]
    if kind in ("cosine", "linear"):
        return f"{kind}:{first}->{last or 0}"
    return f"one-cycle:{first}"
