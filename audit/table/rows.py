"""The rows of a table as entries of a comparison document; what stands once for a group counts for all its rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from prunemark.audit.document.names import compare_names
from prunemark.audit.table.cells import (
    NOTHING,
    Printed,
    as_millions,
    in_millions,
    millions,
    one_of_two,
    printed,
    share,
    sign_of_losses,
)
from prunemark.audit.table.columns import METRICS, READ_AS, Column, Columns
from prunemark.audit.table.common import Common, text_of
from prunemark.audit.table.grid import Grid, Row
from prunemark.setups.errors import InputError
from prunemark.setups.factors import plain_name

NETWORKS = re.compile(
    r"\b(?:Wide)?(?:ResNe[tX]t?|PreResNet|VGG|MobileNet|DenseNet|WRN|DeiT|ViT|Swin|BERT|LLaMA|OPT|GoogLeNet|AlexNet|"
    r"EfficientNet|Inception|RegNet|ShuffleNet)(?:[-_ ]?(?:[vV]?\d[\w./]*|[A-Z]\b|BN\b|base\b|large\b|Small\b|Tiny\b|"
    r"Base\b))*",
    re.IGNORECASE,
)
DATASETS = re.compile(
    r"\b(?:Tiny[- ]?ImageNet|ImageNet(?:[-_ ]?1[kK]|[-_ ]?100)?|ILSVRC[-_ ]?2012|CIFAR[-_ ]?100?|SVHN|MNLI|SQuAD|COCO|"
    r"WikiText[-_ ]?2)\b",
    re.IGNORECASE,
)
_DENSE_NAMES = (
    "baseline dense original unpruned full base pretrained fullmodel densemodel originalmodel uncompressed "
    "basemodel baselinemodel reference"
)
DENSE = frozenset(_DENSE_NAMES.split())
_FAMILY = re.compile(r"\b(?:PreResNet|ResNet|VGG|DenseNet)\b", re.IGNORECASE)
_N_OF_M = re.compile(r"(\d{1,2})\s*:\s*([1-9]\d?)", re.ASCII)
_AT_SPARSITY = re.compile(
    r"(\d{1,2}(?:\.\d+)?\s?%)\s*(?:unstructured\s+)?spars|sparsity\s*(?:of|=|:)?\s*(\d{1,2}(?:\.\d+)?\s?%)", re.I
)
_COSTS = {"sparsity", "speedup", "macs_kept", "params_kept", "macs_kept_millions", "params_kept_millions"}
_MARKED = re.compile(r"\s*(?:\[[^\[\]]*\]|\((?:ours?|this (?:work|paper)|proposed)\)|[*†‡§]+|(?<=\s)\d{1,3})\s*$", re.I)


@dataclass(frozen=True)
class TableRow:
    """One result: its line in the file, its method, the group it belongs to, and what it states, by field.

    `cost` orders rows by how much they are compressed; None where the table does not say.
    """

    line: int
    method: str
    dataset: str
    network: str
    stated: Mapping[str, Any]
    dense: bool = False
    cost: float | None = None

    @property
    def group(self) -> tuple[str, str]:
        """Dataset and network, without what people spell differently."""
        return plain_name(self.dataset), plain_name(self.network)


@dataclass(frozen=True)
class Rows:
    """The rows that could be read, and the problems of the others."""

    rows: tuple[TableRow, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_rows(grid: Grid, columns: Columns, common: Common, name: str) -> Rows:
    """All rows with a method and a result. A cell that cannot be read is a problem of its row."""
    flip, notes = _sign_of_drops(grid, columns)
    percents = {role: _in_percent(grid, column) for role, column in columns.items()}
    found: list[TableRow] = []
    problems: list[str] = []
    names = {"dataset": "", "network": ""}
    method = section = ""
    over = next((grid.header[columns[role].index] for role in METRICS if role in columns), "")
    for row in grid.rows:
        if row.section:
            if NETWORKS.search(row.section) or DATASETS.search(row.section):
                section, names = row.section, {"dataset": "", "network": ""}
            method = ""
            continue
        for role in names:
            if role in columns and (said := row.cells[columns[role].index].strip()):
                names[role], method = (said, method if said == names[role] else "")
        method = _method(row.cells[columns["method"].index]) or method
        if not method or not _numbers(row, columns):
            method = method if _numbers(row, columns) else ""
            continue
        try:
            stated = _stated(row, columns, flip, percents, name)
        except InputError as problem:
            problems.append(str(problem.args[0]))
            continue
        if not _COSTS & set(stated) and (at := _AT_SPARSITY.search(f"{over} {section} {grid.caption}")):
            stated["sparsity"] = at[1] or at[2]
        where = _names(names, f"{section} {over}", common.of(method), grid)
        found.append(_row(row, method, where, stated))
    return Rows(tuple(_with_dense(found)), tuple(problems), notes)


def _method(cell: str) -> str:
    """A method's name without the marks of citations and footnotes behind it."""
    text = cell.strip()
    while (shorter := _MARKED.sub("", text)) != text and shorter:
        text = shorter
    return "" if text.lower() in NOTHING else text.strip(" *†‡§")


def _numbers(row: Row, columns: Columns) -> bool:
    """Whether a row has a result at all."""
    results = [row.cells[columns[role].index] for role in (*METRICS, "drop", "change") if role in columns]
    return any(re.search(r"\d", cell) for cell in results)


def _names(names: Mapping[str, str], section: str, common: Any, grid: Grid) -> dict[str, str]:
    """Of what a column says, else a line across the table, else the protocol, else the caption."""
    found = dict(names)
    for role, pattern, path in (("dataset", DATASETS, ("dataset",)), ("network", NETWORKS, ("network", "name"))):
        if not found[role]:
            across, above = pattern.search(f"{section} {found['network']}"), pattern.search(grid.caption)
            stated = text_of(common, *path)
            found[role] = across.group(0) if across else stated or (above.group(0) if above else "")
    if found["network"].isdigit() and (family := _FAMILY.search(f"{section} {grid.caption}")):
        found["network"] = f"{family.group(0)}-{found['network']}"
    elif DATASETS.search(found["network"]) and (network := NETWORKS.search(found["network"])):
        found["network"] = network.group(0)
    return {role: text.strip(" -_/.") for role, text in found.items()}


def _row(row: Row, method: str, where: Mapping[str, str], stated: dict[str, Any]) -> TableRow:
    plain = plain_name(re.sub(r"\W", "", method))
    is_network = bool(where["network"]) and compare_names("networks", method, where["network"]) == "same"
    speedup, kept, cost = stated.get("speedup"), stated.get("macs_kept"), None
    if speedup and speedup.strip("x"):
        cost = float(speedup.strip("x"))
    elif kept and Decimal(kept) > 0:
        cost = 1 / float(kept)
    elif "macs_kept_millions" in stated and in_millions(stated["macs_kept_millions"]) > 0:
        cost = 1 / in_millions(stated["macs_kept_millions"])
    elif stated.get("sparsity", "100%") != "100%":
        cost = 100 / max(1e-9, 100 - float(stated["sparsity"].strip("%")))
    untouched = kept is not None and Decimal(kept) == 1
    says_dense = bool(re.search(r"\b(dense|baseline|unpruned|original)\b", method, re.IGNORECASE))
    dense = plain in DENSE or is_network or untouched or says_dense
    return TableRow(row.line, method, where["dataset"], where["network"], stated, dense, cost)


def _with_dense(rows: list[TableRow]) -> list[TableRow]:
    """The dense network's costs, where the table has a row for it, belong to every row of its group."""
    found = []
    for row in rows:
        dense = next((other for other in rows if other.dense and other.group == row.group), None)
        network = {"name": row.network} if row.network else {}
        for kept, whole in (
            ("macs_kept_millions", "dense_macs_millions"),
            ("params_kept_millions", "dense_params_millions"),
        ):
            if dense and kept in dense.stated:
                network[whole] = dense.stated[kept]
        stated = {**row.stated, **({"network": network} if network else {})}
        if row.dataset:
            stated["dataset"] = row.dataset
        found.append(replace(row, stated=stated))
    return found


def _in_percent(grid: Grid, column: Column) -> bool:
    """Whether plain numbers of a column are percentages: its header or unit says so, or one is larger than 1."""
    if column.unit == "%" or "%" in grid.header[column.index]:
        return True
    numbers = re.findall(r"(?m)^\s*(\d+(?:\.\d+)?)\s*$", "\n".join(row.cells[column.index] for row in grid.rows))
    return any(float(number) > 1 for number in numbers)


def _sign_of_drops(grid: Grid, columns: Columns) -> tuple[bool, tuple[str, ...]]:
    """Whether the numbers of the column of drops are changes, as base and result of most rows say."""
    role = next((role for role in ("drop", "change") if role in columns), "")
    if not role or not {"base", "top1"} <= set(columns):
        return role == "change", ()
    index = columns[role].index
    found = sign_of_losses(grid, columns["base"].index, columns["top1"].index, index) or role
    what = {"drop": "base minus result", "change": "result minus base"}[found]
    note = f"column {index + 1} is read as {what}: so it agrees with both"
    return found == "change", (() if found == role else (note,))


def _stated(
    row: Row, columns: Columns, flip: bool, percents: Mapping[str, bool], name: str
) -> dict[str, Any]:  # fmt: skip
    """What the cells of a row state, by field of an entry. Raises InputError for a cell that cannot be read."""
    found: dict[str, Any] = {}
    result: dict[str, Any] = {}
    metric = next((READ_AS.get(role, role) for role in METRICS if role in columns), "top1")
    for role, column in columns.items():
        if role in ("method", "network", "dataset"):
            continue
        cell, what = row.cells[column.index], f"{name}:{row.line}: {role}, column {column.index + 1}"
        if role in ("kind", "granularity", "selection", "base_id"):
            _word(found, result, role, cell)
            continue
        if role == "sparsity" and (pattern := _N_OF_M.fullmatch(cell.strip(" *"))):
            kept, of = int(pattern[1]), int(pattern[2])
            found |= {"sparsity": f"{100 * (1 - kept / of):g}%", "granularity": f"{kept}:{of}"}
            continue
        if role in ("macs", "params"):
            cell = as_millions(cell)
        elif role in METRICS:
            cell = one_of_two(cell.replace(",", "") if role == "fps" else cell, role)
        number = printed(cell, what)
        if number is not None:
            _number(found, result, role, number, column.unit, what, flip, percents[role], metric)
    return {**found, **({"result": result} if result else {})}


def _word(found: dict[str, Any], result: dict[str, Any], role: str, cell: str) -> None:
    text = cell.strip()
    if text.lower() in NOTHING:
        return
    if role == "selection":
        result["selection"] = text
    elif role == "base_id":
        found.setdefault("base", {})["id"] = text
    else:
        found[role] = text


def _number(
    found: dict[str, Any], result: dict[str, Any], role: str, number: Printed, unit: str, what: str, flip: bool,
    percent: bool, metric: str,
) -> None:  # fmt: skip
    if role == "base":
        found.setdefault("base", {})[metric] = number.text
    elif role in ("drop", "change"):
        result[f"{metric}_drop_printed"] = _drop(number, flip)
    elif role in METRICS:
        field, text = ("top1", _from_error(number)) if role == "error" else (role, number.text)
        result[field] = text
        if number.spread:
            result[f"{field}_plus_minus"] = number.spread
    elif role in ("sd", "runs"):
        result[f"{metric}_sd" if role == "sd" else "runs"] = number.text
    elif role == "speedup":
        if number.unit == "%":
            raise InputError(f"{what}: {number.text}% is not a ratio. Map the column as macs_removed or macs_kept")
        found["speedup"] = number.text
    elif role == "sparsity":
        found["sparsity"] = f"{number.value * (1 if number.unit == '%' or percent else 100):f}%"
    elif role in ("macs", "params"):
        found[f"{role}_kept_millions"] = millions(number, unit, what)
    elif role.endswith(("_kept", "_removed")):
        of, _, how = role.partition("_")
        found[f"{of}_kept"] = share(number, what, how == "removed", percent)
    else:
        stage = role.removesuffix("_epochs")
        found.setdefault("stages", []).append({"stage": stage, "epochs": number.text})


def _drop(number: Printed, is_change: bool) -> str:
    """Base minus result. An arrow is the sign of a number that has none: down is a loss."""
    if number.arrow and not number.text.startswith("-"):
        return number.text if number.arrow == "↓" else f"-{number.text}"
    return _negated(number.text) if is_change else number.text


def _negated(text: str) -> str:
    return text[1:] if text.startswith("-") else f"-{text}"


def _from_error(number: Printed) -> str:
    return f"{100 - number.value:f}"
