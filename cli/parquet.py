"""A board as Parquet: the rows and columns of its JSON, typed, for programs that read columns."""

from __future__ import annotations

import io
import json
from typing import Any

from prunemark.leaderboard.formats.plain import plain_overall_rows, plain_rows
from prunemark.leaderboard.formats.plain_columns import COLUMNS
from prunemark.leaderboard.standings.board import Board
from prunemark.setups.errors import need
from prunemark.setups.text import MOST_OF_A_TEXT, shown


def as_parquet(board: Board, identifier: str = "") -> bytes:
    """One file with every row of every table; null where there is no value. Lists and tables are JSON texts.

    Its metadata carry the `identifier`. Raises InputError where pyarrow is not installed.
    """
    need("parquet", "a download as Parquet")
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"text": pa.string(), "number": pa.float64(), "count": pa.int64(), "yes or no": pa.bool_()}
    schema = pa.schema([(name, types[kind]) for name, (kind, _) in COLUMNS.items()])
    rows = [*plain_rows(board.tables), *plain_overall_rows(board.overall)]
    columns = {name: [_cell(row.get(name)) for row in rows] for name in COLUMNS}
    table = pa.table(columns, schema=schema.with_metadata({"prunemark": identifier}))
    into = io.BytesIO()
    pq.write_table(table, into, compression="zstd")
    return into.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        return json.dumps(value)
    return shown(value, MOST_OF_A_TEXT) if isinstance(value, str) else value
