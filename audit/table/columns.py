"""What the columns of a table mean: the option `--columns`, and a first proposal from the header."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prunemark.audit.table.cells import sign_of_losses
from prunemark.audit.table.grid import NUMBER, Grid
from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.text import as_given, shown

EXAMPLE = '--columns "method=1, top1=3, drop=5, macs=6"'
UNITS = ("K", "M", "G", "B", "T", "%")


@dataclass(frozen=True)
class Role:
    """What a column can hold; `header` finds it in a header that is written in small letters."""

    meaning: str
    header: str
    percent: bool = False


ROLES: dict[str, Role] = {
    "dataset": Role("the dataset", r"\bdata ?sets?\b"),
    "change": Role(
        "result minus base, in points; a loss is negative", r"δ|\bdelta\b|\bchange\b|\bgain\b|acc\w*\.? *\+/-"
    ),
    "drop": Role(
        "base minus result, in points; a loss is positive", r"(acc\w*|top-?1|error)\W*(↓|drop|loss|decre)|\bdrop\b"
    ),
    "macs_removed": Role(
        "share of the MACs that is gone", r"(flops?|macs?)\W*.*(↓|drop|reduc|prun|sav|remov|\bred\b|decre)"
    ),
    "params_removed": Role(
        "share of the parameters that is gone", r"(params?|parameters?)\W*.*(↓|drop|reduc|prun|sav|remov|\bred\b|decre)"
    ),
    "macs_kept": Role("share of the MACs that is left", r"(flops?|macs?)\W*.*(kept|remain|left|ratio)"),
    "params_kept": Role("share of the parameters that is left", r"(params?|parameters?)\W*.*(kept|remain|left)"),
    "speedup": Role("dense MACs over those left", r"speed[- ]?up|acceleration"),
    "sparsity": Role("share of the weights that is zero", r"^(?!.*\d *%).*(\bsparsity\b|\bsparse\b)"),
    "pruning_epochs": Role("epochs of the pruning stage", r"prun\w* *epochs?"),
    "retraining_epochs": Role("epochs of retraining", r"epochs?"),
    "runs": Role("number of runs", r"\bruns?\b|\bseeds?\b|\btrials\b"),
    "sd": Role("standard deviation over the runs, in points", r"\bstd\b|\bsd\b|std\.? ?dev|deviation"),
    "base": Role(
        "accuracy of the base model, in percent",
        r"^(?!.*(flop|\bmacs?\b|param|latency|size)).*(\bbase(line)?\b|\borig(inal)?\b|\bdense\b|unpruned)",
    ),
    "top5": Role("top-5 accuracy, in percent", r"(?<!/)(?<!/ )top-?5"),
    "error": Role("top-1 error, in percent", r"\berr(or)?\b"),
    "top1": Role("top-1 accuracy, in percent", r"top-?1|\bacc(uracy)?\b|\bpruned\b|\bresult\b"),
    "perplexity": Role("perplexity", r"\bppl\b|perplexity"),
    "map": Role("mean average precision, in points", r"\bmap\b|\bap\b"),
    "f1": Role("F1, in points", r"\bf1\b"),
    "latency_ms": Role("latency in milliseconds", r"latency|\bms\b"),
    "fps": Role("images a second", r"\bfps\b|throughput|images?/s"),
    "macs": Role("MACs left, with their unit", r"flops?|macs?\b|\bg?ops\b"),
    "params": Role("parameters left, with their unit", r"params?\b|parameters?"),
    "method": Role("the method", r"\bmethods?\b|\bapproach|\balg(orithm)?\b|technique|criterion|pruner"),
    "network": Role("the network", r"\bdepth\b|\bnetworks?\b|\bmodels?\b|\barch(itecture)?\b|backbone"),
    "kind": Role("pruned, scratch, dense and so on", r"\bkind\b"),
    "granularity": Role("filter, weight, 2:4 and so on", r"granularity|pattern"),
    "base_id": Role("which base model: a hash or an address", r"checkpoint|base id"),
    "selection": Role("which epoch or run was chosen", r"selection"),
}
"""What a column can be, in the order in which a header is looked through."""

READ_AS = {"error": "top1"}
"""A column of errors is read as one of accuracies, 100 minus each."""
METRICS = ("top1", "error", "top5", "map", "f1", "perplexity", "latency_ms", "fps")


@dataclass(frozen=True)
class Column:
    """Which column, counted from 0, and the unit of its numbers where they are printed without one."""

    index: int
    unit: str = ""


Columns = Mapping[str, Column]
_PART = re.compile(r"\s*([A-Za-z_0-9]{1,40})\s*=\s*(\"[^\"]*\"|'[^']*'|[^,:]*)(?::\s*([^,\s]{1,8}))?\s*(?:,|$)")


def read_columns(text: str, grid: Grid, name: str) -> dict[str, Column]:
    """The option as columns. Raises InputError that lists the columns of the table for one that it lacks."""
    found: dict[str, Column] = {}
    place = 0
    while place < len(text) and text[place:].strip(" ,"):
        part = _PART.match(text, place)
        if part is None:
            raise InputError(f"cannot read {as_given(text[place:])} of --columns. Write {EXAMPLE}")
        role, given, unit = part.group(1).lower(), part.group(2).strip(" \"'"), part.group(3) or ""
        if role not in ROLES:
            raise unknown_name("kind of column", role, ROLES)
        if role in found:
            raise InputError(f"--columns names {role!r} twice. One table is audited in one {role}: choose a column")
        if unit and unit not in UNITS:
            raise unknown_name("unit of a column", unit, UNITS)
        index = _index(given, grid, name)
        found[role] = Column(index, unit or _unit(role, grid.header[index]))
        place = part.end()
    if "method" not in found:
        raise InputError(f"--columns needs the column of the methods: {EXAMPLE}\n{listed(grid, name)}")
    if not {*METRICS, "drop", "change"} & set(found):
        raise InputError(
            f"--columns needs a column of results: one of {', '.join(METRICS)}, drop\n{listed(grid, name)}"
        )
    return found


def _index(given: str, grid: Grid, name: str) -> int:
    """A number counted from 1, or the text of a header."""
    if given.isascii() and given.isdigit() and len(given) < 4 and 1 <= int(given) <= len(grid.header):
        return int(given) - 1
    wanted = given.casefold()
    matches = [n for n, header in enumerate(grid.header) if header and wanted == header.casefold()]
    matches = matches or [n for n, header in enumerate(grid.header) if wanted and wanted in header.casefold()]
    if len(matches) == 1:
        return matches[0]
    problem = "several columns are called so" if matches else "no such column"
    raise InputError(f"--columns: {as_given(given)}: {problem}\n{listed(grid, name)}")


def listed(grid: Grid, name: str) -> str:
    """The columns of a table with their numbers, for a message."""
    first = grid.rows[0].cells if grid.rows else ()
    parts = [
        f"{n}: {shown(header or 'no header', 30)} ({shown(cell or 'empty', 20)})"
        for n, (header, cell) in enumerate(zip(grid.header, first, strict=False), 1)
    ]
    return f"Columns of {shown(name)}: {', '.join(parts)}"


def propose(grid: Grid) -> dict[str, Column]:
    """A first mapping from the header and the cells; what it does not find it leaves out."""
    found: dict[str, Column] = {}
    for index, header in enumerate(grid.header):
        role = _role_of(header, _cells(grid, index))
        if role and role not in found:
            found[role] = Column(index, _unit(role, header))
    texts = [n for n in range(len(grid.header)) if not _numeric(_cells(grid, n)) and any(_cells(grid, n))]
    taken = {column.index for role, column in found.items() if role != "network"}
    if "method" not in found and (free := [n for n in texts if n not in taken]):
        others = [n for n in free if "network" not in found or n != found["network"].index]
        found["method"] = Column((others or free)[0])
        if not others:  # the one column of names is called Model, and its rows are the methods
            del found["network"]
    if "change" in found and "drop" in found:
        del found["drop"]
    found = _with_results(grid, _with_sign(grid, found))
    return dict(sorted(found.items(), key=lambda item: item[1].index))


def _with_sign(grid: Grid, found: dict[str, Column]) -> dict[str, Column]:
    """The column of losses by the sign that base and result of most rows give it."""
    role = next((role for role in ("drop", "change") if role in found), "")
    if not role or not {"base", "top1"} <= set(found):
        return found
    said = sign_of_losses(grid, found["base"].index, found["top1"].index, found[role].index) or role
    return {said if name == role else name: column for name, column in found.items()}


def _with_results(grid: Grid, found: dict[str, Column]) -> dict[str, Column]:
    """Where no header names a result, the first column of numbers that is nothing else: one column is one audit."""
    if {*METRICS, "drop", "change"} & set(found):
        return found
    taken = {column.index for column in found.values()}
    free = [n for n in range(len(grid.header)) if n not in taken and _numeric(_cells(grid, n))]
    return found | ({"top1": Column(free[0])} if free else {})


def ours(grid: Grid, columns: Columns) -> str:
    """The method that a table calls its own; OURS where it calls none so."""
    cells = [row.cells[columns["method"].index] for row in grid.rows] if "method" in columns else []
    own = next((cell for cell in cells if re.search(r"\b(ours?|proposed|this work)\b", cell, re.IGNORECASE)), "OURS")
    return (
        re.sub(r"\s*[(\[]?\s*\b(ours?|proposed|this work)\b\s*[)\]]?\s*$", "", own, flags=re.IGNORECASE).strip("* ")
        or own
    )


def _role_of(header: str, cells: Sequence[str]) -> str:
    """By the lowest part of the header first, then by the whole; numbers are not names and names not numbers."""
    numeric = _numeric(cells)
    names = ("method", "network", "dataset", "kind", "granularity", "base_id", "selection")
    for text in (header.rpartition(" / ")[2].lower(), header.lower()):
        for role, what in ROLES.items():
            depth = role == "network" and text.strip() == "depth"
            if re.search(what.header, text) and ((role in names) != numeric or depth):
                return _by_unit(role, header, cells)
    return ""


_IN_HEADER = re.compile(r"\b([KMGBT])(?:FLOPs?|MACs?|ops)\b|[(\[]\s*(?:FLOPs? *)?([KMGBT])\s*[)\]]", re.IGNORECASE)


def _unit(role: str, header: str) -> str:
    """The unit that a header gives to numbers without one: GFLOPs, Params (M)."""
    found = _IN_HEADER.search(header) if role in ("macs", "params") else None
    return (found.group(1) or found.group(2)).upper() if found else ""


def _by_unit(role: str, header: str, cells: Sequence[str]) -> str:
    """MACs in percent are a share; what one printed with a sign is a change."""
    of, _, gone = role.partition("_")
    if gone and of in ("macs", "params") and _unit(of, header) and "%" not in header:
        return of
    shares = sum("%" in cell for cell in cells) * 2 > len(cells) or "%" in header
    if (
        role in ("macs", "params")
        and shares
        and not _unit(role, header)
        and not re.search(r"\d\s*[GMBK]\b", " ".join(cells))
    ):
        return f"{role}_removed" if re.search(r"↓|-", header) else f"{role}_kept"
    if (
        role == "macs_removed"
        and not re.search(r"%|\bratio\b", header + "".join(cells))
        and re.search(r"\d\s*[GMBK]\b", " ".join(cells))
    ):
        return "macs"
    return role


def _cells(grid: Grid, index: int) -> list[str]:
    return [row.cells[index] for row in grid.rows if not row.section and row.cells[index].strip("-–— ")]


def _numeric(cells: Sequence[str]) -> bool:
    return sum(bool(NUMBER.match(cell.strip())) for cell in cells) * 2 > len(cells)


def as_option(columns: Columns) -> str:
    """The mapping as it is typed."""
    parts = [f"{role}={column.index + 1}{':' + column.unit if column.unit else ''}" for role, column in columns.items()]
    return f'--columns "{", ".join(parts)}"'
