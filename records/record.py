"""The record: everything that is known about one trial, frozen and content-addressed.

`outcome` is what the inputs determine: on a CPU the same inputs give the same bytes, and `outcome_sha256`
names them. `observed` is what the clock and the machine say: seconds, latency, versions. `record_sha256`
covers both, so an edited record no longer answers to its name. Records are written once and never changed.
"""

from __future__ import annotations

import binascii
import dataclasses
import hashlib
import json
import marshal
import math
import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from prunemark.records.observed import Observed
from prunemark.records.outcome import Accuracy, Outcome
from prunemark.records.part import RecordPart
from prunemark.setups.bounded_files import read_bounded
from prunemark.setups.errors import InputError, RuleBroken
from prunemark.setups.text import as_given, shown

SCHEMA = "prunemark-record/1"
LONGEST_RECORD = 2**20
"""Bytes of a record that are read. The longest of the board has 278 kB."""


@dataclass(frozen=True)
class Record(RecordPart):
    """One trial, whole."""

    schema: str
    outcome: Outcome
    observed: Observed

    @property
    def outcome_sha256(self) -> str:
        """The name of everything that is reproducible in this record."""
        return hashlib.sha256(canonical_json(self.outcome).encode()).hexdigest()

    @cached_property
    def record_sha256(self) -> str:
        """The name of the record: its file is called so, and its MLflow run carries it as a tag."""
        return hashlib.sha256(dump(self).encode()).hexdigest()


def _fields(part: object) -> dict[str, Any]:
    """The fields of a part, for the encoder: `dataclasses.asdict` would copy everything first, five times as slow."""
    kind: Any = type(part)
    names, values, later = _shape(kind)
    whole = dict(zip(names, values(part), strict=True))
    for name, default in later:
        if whole[name] == default:
            del whole[name]
    return whole


@cache
def _shape(kind: type) -> tuple[tuple[str, ...], Callable[[object], Iterable[Any]], tuple[tuple[str, Any], ...]]:
    """Of a part: the names of its fields, what gets their values, and the defaults of those that were added later."""
    if not dataclasses.is_dataclass(kind):
        raise TypeError(f"{kind.__name__} is not JSON")
    fields = kind.__dataclass_fields__
    names = tuple(fields)
    values = operator.attrgetter(*names) if len(names) > 1 else lambda part: [getattr(part, name) for name in names]
    return names, values, tuple((name, fields[name].default) for name in getattr(kind, "LATER", ()))


_CANONICAL = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False, default=_fields
)


def canonical_json(data: object) -> str:
    """Sorted keys, no spaces, no NaN: one text for one value. Raises ValueError on NaN and infinity."""
    return _CANONICAL.encode(data)


def dump(record: Record) -> str:
    """The record as canonical JSON."""
    return canonical_json(record)


def load(text: str | bytes, where: str = "record", sha256: str | None = None) -> Record:
    """Reads a record strictly. Raises InputError when it is not one: wrong schema, field or type.

    `sha256` is the name that it goes by: raises RuleBroken when its content has another. A text that hashes to its
    name is what was named, so it is not written out again to compare: `load_exactly` also refuses a text that is
    not canonical.
    """
    if sha256 is not None:
        content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        if hashlib.sha256(content).hexdigest() == sha256 and (record := _read_named(content, sha256)):
            return record
    record = _read_with_words(text, where)
    if sha256 not in (None, record.record_sha256):
        raise RuleBroken(
            f"{where} does not have the content its name promises: it was edited.\nDelete it and run the trial again"
        )
    if not _accuracy_is_that_of_its_bits(record.outcome.accuracy):
        raise InputError(f"{where} is not a valid record: its correctness bits do not give its accuracy")
    return record


def load_exactly(text: str | bytes, where: str, sha256: str) -> Record:
    """Reads a record as `load` does, and refuses (RuleBroken) a text that is not the one this record is written as."""
    record = load(text, where, sha256)
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if dump(record).encode() != content:
        raise RuleBroken(f"{where} is not written canonically: it is not as Prunemark wrote it")
    return record


def _read_named(content: bytes, sha256: str) -> Record | None:
    """The record in a text that hashes to its name, which it remembers; None where there is anything to explain."""
    try:
        record: Record = _reader().read(content)
    except (ValueError, RecursionError):
        return None
    if record.schema != SCHEMA or not _accuracy_is_that_of_its_bits(record.outcome.accuracy):
        return None
    record.__dict__["record_sha256"] = sha256
    return record


def _read_with_words(text: str | bytes, where: str) -> Record:
    """The record, whatever its spelling, or what is wrong with it in words (InputError)."""
    import pydantic

    try:
        data = json.loads(text, parse_constant=_no_such_number)
        canonical = canonical_json(data)
    except (ValueError, RecursionError):
        raise InputError(f"{where} is not JSON: it is truncated or was not written by Prunemark") from None
    _check_schema(data.get("schema") if isinstance(data, dict) else None, where)
    unknown = f"{where} is not a valid record: it has fields or values that {SCHEMA} does not know"
    try:
        record: Record = _reader().read(canonical)
        same = dump(record) == canonical
    except pydantic.ValidationError as problem:
        first = problem.errors()[0]
        place = ".".join(map(str, first["loc"]))
        if first["type"] == "unexpected_keyword_argument":
            raise InputError(f"{unknown} ({shown(place, 80)})") from None
        raise InputError(f"{where} is not a valid record: {shown(place, 80)}: {shown(first['msg'], 200)}") from None
    except (UnicodeEncodeError, RecursionError):
        same = False
    if not same:
        raise InputError(unknown)
    return record


def _check_schema(schema: object, where: str) -> None:
    if schema == SCHEMA:
        return
    family, _, version = SCHEMA.partition("/")
    if re.fullmatch(rf"{family}/[1-9][0-9]{{0,5}}", str(schema)) and int(str(schema).partition("/")[2]) > int(version):
        raise InputError(
            f"{where} was written by a newer Prunemark: it has schema {as_given(schema)}, and this one reads "
            f"{SCHEMA!r}.\nUpdate Prunemark"
        )
    raise InputError(f"{where} has schema {as_given(schema)}; this version reads {SCHEMA!r}")


def _no_such_number(word: str) -> float:
    raise ValueError(f"{word} is not JSON")


def _accuracy_is_that_of_its_bits(accuracy: Accuracy | None) -> bool:
    """The bits have to be there for every example, and to agree with the accuracy that they are the detail of."""
    if accuracy is None:
        return True
    try:
        bits = binascii.a2b_base64(accuracy.correct, strict_mode=True)
    except ValueError:
        return False
    spare = 8 * len(bits) - accuracy.test_examples
    if spare < 0 or accuracy.test_examples <= 0:
        return False
    right = (int.from_bytes(bits, "big") >> spare).bit_count()
    return math.isclose(100.0 * right / accuracy.test_examples, accuracy.test_percent, abs_tol=1e-9)


class _Reader:
    """Reads JSON text into a Record, strictly: unknown fields, other types, NaN and infinity raise ValueError."""

    def __init__(self) -> None:
        import pydantic

        self._validate = pydantic.TypeAdapter(Record).validator.validate_json
        self._seen: dict[bytes, Any] = {}

    def read(self, content: str | bytes) -> Record:
        """Raises pydantic's ValidationError, which is a ValueError."""
        record: Record = self._validate(content, strict=True)
        for name in ("track_terms", "retraining_recipe"):
            record.outcome.__dict__[name] = self._once(getattr(record.outcome, name))
        return record

    def _once(self, data: Any) -> Any:
        """Most records of a track have the same terms, which are kept once. Raises ValueError for infinity in them."""
        exactly = marshal.dumps(data, 2)  # to == 1, 1.0 and True are alike
        if exactly not in self._seen:
            canonical_json(data)  # pydantic lets infinity through where any JSON may stand
            self._seen[exactly] = data
        return self._seen[exactly]


@cache
def _reader() -> _Reader:
    """Made on first use: that takes longer than reading a thousand records."""
    return _Reader()


def load_file(path: Path) -> Record:
    """Reads `<sha256>.json`. Raises InputError for what is no record or no file, RuleBroken when it was edited."""
    if not path.is_file():
        raise InputError(f"no file {str(path)!r}. Records lie in the folder `records` of --home")
    return load(read_bounded(path, LONGEST_RECORD, path.name), path.name, path.stem)
