"""What a board asks of the results that it takes: `board.toml` in its folder. A folder without one is not a board.

On a board, verdicts about a method that does not ship with Prunemark count only fresh seeds (`fresh_seeds.py`), and new
results of it are refused when they ran in less isolation than the board asks. One's own home asks for nothing.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from prunemark.records.writer import write_once
from prunemark.setups.errors import InputError

FILE = "board.toml"
SCHEMA = "prunemark-board/1"
ISOLATION = ("process", "landlock", "container")
"""From the least to the most: a process of its own, the sandbox, and the sandbox in a container."""
DEFAULT = f"""# What this board asks of the results that it takes; see docs/contributing.md.
schema = "{SCHEMA}"
isolation = "landlock" # at least, of results of strangers' methods: {", ".join(ISOLATION)}
"""


@dataclass(frozen=True)
class BoardTerms:
    """What a board asks. `isolation` is the least in which a stranger's method may have run."""

    isolation: str

    def admits(self, isolation: str) -> bool:
        """Whether a record with this isolation may come; one that is not known here may not."""
        return isolation in self.accepted

    @property
    def accepted(self) -> tuple[str, ...]:
        """What is enough, from the least on."""
        return ISOLATION[ISOLATION.index(self.isolation) :]


def is_board(records: Path) -> bool:
    """Whether a folder of records is that of a board."""
    return (records.parent / FILE).is_file()


def read_terms(board: Path) -> BoardTerms | None:
    """What a board's folder asks; None where it is not a board. Raises InputError for a file that is wrong."""
    path = board / FILE
    if not path.is_file():
        return None
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise InputError(f"{path} is not TOML that can be read") from None
    if data.keys() != {"schema", "isolation"} or data["schema"] != SCHEMA or data["isolation"] not in ISOLATION:
        raise InputError(
            f'{path} has two lines: schema = "{SCHEMA}", and isolation, which is one of {", ".join(ISOLATION)}'
        )
    return BoardTerms(data["isolation"])


def make_board(folder: Path) -> None:
    """Makes a new folder a board, with the default terms. One that has records already stays what it is."""
    if not (folder / "records").is_dir():
        write_once(folder / FILE, DEFAULT.encode())
