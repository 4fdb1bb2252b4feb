"""What is committed as a result is what its committed records give: no number in it was typed."""

import lzma
from pathlib import Path

import pytest

from prunemark.leaderboard import board, load, tables
from prunemark.leaderboard.reproduction import markdown, reproduce
from prunemark.setups.grid import GRIDS

LEADERBOARD = Path(__file__).parent.parent / "leaderboard"


@pytest.mark.parametrize("id", GRIDS)
def test_a_reproduced_table_is_that_of_its_records(id, tmp_path):
    packed = LEADERBOARD / "reproductions" / f"{id}.jsonl.xz"
    (tmp_path / packed.name).write_bytes(packed.read_bytes())
    found = load.read_records(tmp_path)
    assert not found.refused and len({r.outcome.seed for r in found.records}) >= 5
    assert markdown(reproduce(GRIDS[id], found.records)) == (LEADERBOARD / "reproductions" / f"{id}.md").read_text()


def test_the_board_is_that_of_its_records():
    found = load.read_records(LEADERBOARD / "records")
    assert not found.refused
    assert tables.render(board.make_board(found), "markdown") == (LEADERBOARD / "BOARD.md").read_text()


def test_the_repository_stays_small():
    packed = [*LEADERBOARD.rglob("*.jsonl.xz")]
    assert packed and sum(path.stat().st_size for path in packed) < 20 * 2**20
    assert all(lzma.decompress(path.read_bytes()) for path in packed)
