"""What was left out, in so many lines as somebody reads: all of it by name while it is little, else by reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from prunemark.records.admission import Refused

MOST, EXAMPLES = 20, 3
_HASH = re.compile(r"\b[0-9a-f]{12,64}\b")


@dataclass(frozen=True)
class LeftOut:
    """Things that were left out for one reason: how many, the reason, and the names of all or the first of them."""

    count: int
    why: str
    names: tuple[str, ...]

    @property
    def words(self) -> str:
        """How many more there are than are named."""
        return f" and {self.count - len(self.names)} more" if self.count > len(self.names) else ""


def in_brief(refused: Sequence[Refused]) -> list[LeftOut]:
    """Up to 20 things one by one; more of them by reason, the commonest first, each with the first three names."""
    if len(refused) <= MOST:
        return [LeftOut(1, each.why, (each.name,)) for each in refused]
    reasons: dict[str, list[str]] = {}
    for each in refused:
        reasons.setdefault(_HASH.sub("...", each.why), []).append(each.name)
    ordered = sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0]))
    return [LeftOut(len(names), why, tuple(names[:EXAMPLES])) for why, names in ordered]
