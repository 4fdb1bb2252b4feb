"""Which submission a control is matched to: in each layer it keeps as many filters (or weights) as that one.

A record says so in one setting of the control, `layer_ratios_of`, as text: `NAME HASH (setting=value, ...)`. HASH is
the first eight digits of the submission's `source_sha256`. The text is written and read here and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

Settings = Mapping[str, bool | int | float | str]

RATIOS_OF = "layer_ratios_of"
"""The setting of a control that names the submission whose layer ratios it has, where they are that method's own."""
DIGITS = 8
LONGEST = 20_000
"""Characters of a text that is taken apart: the time that takes grows with the square of them."""
_TEXT = re.compile(rf"(.+?) ([0-9a-f]{{{DIGITS}}}) \((.*)\)", re.DOTALL)
_SETTING = r"[^\W\d]\w*="  # a setting is an attribute of a class; a value can hold a comma


@dataclass(frozen=True)
class MatchedTo:
    """A submission as its controls name it: its name, the start of its source's hash, its settings as text in order.

    A text of another form becomes the name, without a hash: it matches no method, and reads as it was written.
    """

    name: str
    source_sha256_start: str
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """What the record of the control holds."""
        if not self.source_sha256_start:
            return self.name
        settings = ", ".join(f"{name}={value}" for name, value in self.settings)
        return f"{self.name} {self.source_sha256_start} ({settings})"

    @classmethod
    def parse(cls, text: str) -> MatchedTo:
        """The inverse of `text`, for every text."""
        whole = _TEXT.fullmatch(text) if len(text) <= LONGEST else None
        parts = re.split(rf", (?={_SETTING})", whole[3]) if whole and whole[3] else []
        if whole is None or not all(re.match(_SETTING, part) for part in parts):
            return cls(text, "")
        pairs = (part.partition("=") for part in parts)
        return cls(whole[1], whole[2], tuple((name, value) for name, _, value in pairs))

    @classmethod
    def of(cls, name: str, source_sha256: str, settings: Settings) -> MatchedTo:
        """A submission by its name, its source and its settings, in the order in which the method declares them."""
        return cls(name, source_sha256[:DIGITS], tuple((key, str(value)) for key, value in settings.items()))

    @classmethod
    def among(cls, settings: Settings) -> MatchedTo | None:
        """What the settings of a control name; None where it has the level's own ratios, or is no control."""
        text = settings.get(RATIOS_OF)
        return cls.parse(str(text)) if text else None

    def names(self, name: str, source_sha256: str, settings: Settings) -> bool:
        """Whether it is this submission that is named. Records do not keep the order of settings."""
        other = MatchedTo.parse(MatchedTo.of(name, source_sha256, settings).text)  # with its settings cut as ours are
        mine, theirs = ((m.name, m.source_sha256_start, sorted(m.settings)) for m in (self, other))
        return bool(self.source_sha256_start) and mine == theirs
