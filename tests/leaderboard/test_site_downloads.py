"""What other programs read: documented columns, a file for each table, Croissant metadata, badges."""

import csv
import hashlib
import io
import json
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from support.site_context import ANCHOR, NASTY, tables

from prunemark.cli.parquet import as_parquet
from prunemark.leaderboard.formats.plain import plain_overall_row, plain_rows
from prunemark.leaderboard.formats.plain_columns import COLUMNS
from prunemark.leaderboard.site import downloads, urls
from prunemark.leaderboard.site.build import build_site
from prunemark.leaderboard.standings.board import make_board
from prunemark.records.load import Loaded
from prunemark.setups import errors


def test_every_column_is_documented_and_nothing_else_is(make_records):
    names = {name for row in plain_rows(tables(make_records("L1-norm", ANCHOR))) for name in row}
    row = dict.fromkeys(("name", "why", "present", "verdict", "flags", "per_track"), "") | {"more_epochs": 0.0}
    row |= dict.fromkeys(("mean_margins", "interval", "p_raw", "p_holm", "e4"))
    each = SimpleNamespace(setup="S2", granularity="filter", pattern="", statement="")
    assert names | set(plain_overall_row(SimpleNamespace(**row), each)) == set(COLUMNS)
    assert all(kind in downloads.TYPES and meaning for kind, meaning in COLUMNS.values())


@pytest.mark.parametrize(("kind", "types"), [("number", (int, float)), ("count", (int,)), ("yes or no", (bool,))])
def test_values_are_of_the_kind_that_is_documented(site, kind, types):
    rows = json.loads((site / "board.json").read_text())["rows"]
    for row in rows:
        for name, value in row.items():
            if COLUMNS[name][0] == kind and value is not None:
                assert isinstance(value, types) and (kind == "yes or no" or not isinstance(value, bool)), name


def test_every_table_is_a_file_with_the_rows_of_the_board(site):
    whole = json.loads((site / "board.json").read_text())
    assert whole["schema"] == "prunemark-board/1"
    rows = [row for path in sorted(site.glob("tables/*.json")) for row in json.loads(path.read_text())["rows"]]
    key = ("setup", "level", "method")
    assert sorted(rows, key=lambda row: [row[k] for k in key]) == sorted(
        whole["rows"], key=lambda r: [r[k] for k in key]
    )
    for path in site.glob("tables/*.csv"):
        there = list(csv.DictReader(io.StringIO(path.read_text())))
        assert len({(row["setup"], row["level"]) for row in there}) == 1
        assert (
            f'href="tables/{path.name}"'
            in (site / f"{path.stem.rpartition('_')[0].replace('digits', 'track_digits', 1)}.html").read_text()
        )


def test_the_metadata_name_the_file_its_hash_and_every_column(site):
    said, content = json.loads((site / "croissant.json").read_text()), (site / "board.csv").read_bytes()
    (file,) = said["distribution"]
    assert (site / file["contentUrl"]).is_file() and file["sha256"] == hashlib.sha256(content).hexdigest()
    assert said["conformsTo"] == "http://mlcommons.org/croissant/1.0" and said["license"] and said["citeAs"]
    columns = [field["source"]["extract"]["column"] for field in said["recordSet"][0]["field"]]
    assert columns == content.decode().partition("\n")[0].split(",")


def test_parquet_has_the_rows_and_types_of_the_json(tmp_path, make_records):
    pq = pytest.importorskip("pyarrow.parquet")
    loaded = Loaded((*make_records("L1-norm", ANCHOR, role="anchor"), *make_records("Mine", ANCHOR)))
    board = make_board(loaded)
    build_site(board, loaded, tmp_path / "site", further=[(urls.PARQUET, as_parquet(board, "x"))])
    found = pq.read_table(tmp_path / "site" / "board.parquet")
    rows = json.loads((tmp_path / "site" / "board.json").read_text())["rows"]
    assert found.schema.metadata[b"prunemark"] == b"x" and found.column_names == list(COLUMNS)
    for read, row in zip(found.to_pylist(), rows, strict=True):
        lists = {name: json.dumps(value) for name, value in row.items() if isinstance(value, list)}
        assert read == dict.fromkeys(COLUMNS) | row | lists
    assert 'href="board.parquet"' in (tmp_path / "site" / "index.html").read_text()


def test_a_light_install_is_told_what_parquet_needs(prunemark, monkeypatch):
    monkeypatch.setitem(errors.EXTRAS, "parquet", ("no_such_package",))
    code, _, err = prunemark("leaderboard", "--parquet", "--output", "site")
    assert code == 2 and "pip install 'prunemark[parquet]'" in err and not Path("site").exists()


def test_a_badge_says_the_verdict_and_holds_whatever_a_stranger_calls_himself(site):
    texts = {path.name: ElementTree.fromstring(path.read_text()) for path in site.glob("badges/*.svg")}
    said = texts["fpgm_digits-resnet8-1.svg"][0].text
    assert said.startswith("Prunemark: ") and " L1-norm under S3.2 on digits-resnet8@1, " in said
    assert "not released" in said and len(texts) > 3
    assert 'href="badges/fpgm_digits-resnet8-1.svg"' in (site / "method_fpgm.html").read_text()
    assert ElementTree.fromstring(downloads.badge(NASTY))[0].text == f"Prunemark: {NASTY}"
