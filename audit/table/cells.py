"""What a cell prints: a number with its decimals, its unit and what stands behind +-."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from prunemark.audit.table.grid import Grid
from prunemark.setups.errors import InputError
from prunemark.setups.text import as_given

NOTHING = frozenset({"", "-", "–", "—", "−", "n/a", "na", "n.a.", "/", "?", "none", "nan", "--", "..."})
FACTORS = {"K": Decimal("0.001"), "M": Decimal(1), "G": Decimal(1000), "B": Decimal(1000), "T": Decimal(1000000)}
"""Millions in a unit; a billion of MACs or parameters is a G."""

_COUNT = re.compile(r"(\d(?:\.\d{1,6})?)[eE]\+?(\d{1,2})", re.ASCII)
_TWO = re.compile(r"\s*(\d{1,3}(?:\.\d+)?)\s*%?\s*/\s*(\d{1,3}(?:\.\d+)?|[-\u2013\u2014]+)\s*%?\s*", re.ASCII)
_CELL = re.compile(
    r"(?P<sign>[-+−–])?\s*(?P<number>\d{1,12}(?:[.,]\d{1,12})?|\.\d{1,12})\s*(?P<unit>%|[x×]|[KMGBT](?:MACs?|FLOPs?)?\b)?"
    r"\s*(?:[(\[]?\s*(?:±|\+/?-|\+−)\s*(?P<spread>\d{0,6}(?:\.\d{1,8})?)\s*%?\s*[)\]]?)?\s*(?P<rest>.*)",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)
_MARKS = "*†‡§¶↑↓ "


@dataclass(frozen=True)
class Printed:
    """A number as printed: `text` keeps its decimals; `unit` is %, x, or one of K M G B T; `spread` follows +-.

    `arrow` is ↑ or ↓ where one stands before or behind it, which is a sign in a column of changes.
    """

    text: str
    unit: str = ""
    spread: str = ""
    arrow: str = ""

    @property
    def value(self) -> Decimal:
        """The number itself."""
        return Decimal(self.text)


def one_of_two(cell: str, role: str) -> str:
    """The first of two results in one cell, as in 75.50/92.62; the second for top5. Another cell as it is."""
    found = _TWO.fullmatch(cell.strip(_MARKS))
    return found[2 if role == "top5" else 1] if found else cell


def as_millions(cell: str) -> str:
    """A count such as 9.09E7 in millions (90.9M); another cell as it is."""
    found = _COUNT.fullmatch(cell.strip(_MARKS))
    return f"{Decimal(found[1]).scaleb(int(found[2]) - 6):f}M" if found else cell


def printed(cell: str, what: str) -> Printed | None:
    """The number of a cell; None where it says nothing. Raises InputError for what is not one number."""
    text = cell.strip(_MARKS)
    if text.lower() in NOTHING or text in ("x", "×", "✗"):
        return None
    found = _CELL.fullmatch(text)
    rest = (found.group("rest") if found else "").strip(_MARKS)
    if found is None or (
        rest and not re.fullmatch(r"[(\[][^()\[\]]*[)\]]|ms|fps|epochs?|points?|pp", rest, re.IGNORECASE)
    ):
        raise InputError(f"{what}: a number is wanted; the cell says {as_given(cell)}")
    number = found.group("number")
    if re.fullmatch(r"\d{1,3},\d{3}", number):
        raise InputError(f"{what}: {as_given(cell)} may mean thousands or decimals. Write it without the comma")
    sign = "-" if found.group("sign") in ("-", "−", "–") else ""
    unit = (found.group("unit") or "").upper()
    unit = {"×": "x", "X": "x"}.get(unit, unit[:1])
    around = cell.strip(" *†‡§¶")
    arrow = next((mark for mark in "↑↓" if around.startswith(mark) or around.endswith(mark)), "")
    return Printed(sign + number.replace(",", "."), unit, found.group("spread") or "", arrow)


def millions(number: Printed, unit: str, what: str) -> str:
    """MACs or parameters with their unit, as the document reads them. Raises InputError without one."""
    unit = number.unit or unit
    if unit == "%":
        raise InputError(f"{what}: {number.text}% is a share. Map the column as macs_kept or macs_removed")
    if unit not in FACTORS:
        raise InputError(f"{what}: is {number.text} in G or in M? Write the unit behind the column, as in macs=6:G")
    return f"{number.text}{'G' if unit == 'B' else unit}"


def in_millions(text: str) -> float:
    """What such a text is in millions."""
    return float(text[:-1]) * float(FACTORS[text[-1]])


def share(number: Printed, what: str, removed: bool, percent: bool) -> str:
    """The share that is left, as a fraction: from 46.5 %, 0.465 or 0.465x, or from what is gone.

    `percent` says how a column of plain numbers is meant. Raises InputError for what is not a share.
    """
    value = number.value / 100 if number.unit == "%" or (percent and not number.unit) else number.value
    if not 0 <= value <= 1 or number.unit in FACTORS:
        raise InputError(f"{what}: a share lies between 0 and 100 %; the cell says {number.text}{number.unit}")
    return f"{1 - value if removed else value:f}"


def sign_of_losses(grid: Grid, base: int, top1: int, index: int) -> str:
    """Whether a column holds base minus result ("drop") or result minus base ("change"), as most rows say; else ""."""
    as_drop = as_change = 0
    for row in grid.rows:
        try:
            before, after, loss = (printed(row.cells[column], "") for column in (base, top1, index))
        except InputError:
            continue
        if before and after and loss and loss.value:
            as_drop += abs(before.value - after.value - loss.value) <= Decimal("0.02")
            as_change += abs(after.value - before.value - loss.value) <= Decimal("0.02")
    return "" if as_drop == as_change else "drop" if as_drop > as_change else "change"
