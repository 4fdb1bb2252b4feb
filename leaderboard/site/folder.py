"""A folder of pages that appears whole or stays as it was, and that replaces only what the same command wrote."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType

from prunemark.leaderboard.standings.parallel import in_processes
from prunemark.setups.bounded_files import read_bounded
from prunemark.setups.errors import InputError, WorkFailed
from prunemark.setups.text import shown

HERE = Path(__file__).parent
MARKER = "written-by-prunemark.txt"
"""The file that says who wrote a folder."""


Pages = Iterable[tuple[str, str | bytes]]


def write_folder(
    pages: Pages,
    folder: Path,
    marker: str,
    parts: Sequence[str],
    apart: Sequence[Pages] = (),
    copies: Mapping[str, Path] = MappingProxyType({}),
) -> None:
    """Writes files, folders of this room and `copies` of files into `folder`, which appears whole or stays as it was.

    Pages `apart` are written by a process each, at the same time. `copies` are by their names there. Only a folder that
    is new, empty or carries this `marker` is replaced. Raises InputError for another one, WorkFailed when the disk
    refuses.
    """
    _check_replaceable(folder, marker)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
        try:
            work = [partial(_write, draft, each) for each in (chain(pages, [(MARKER, marker)]), *apart)]
            for again, done in zip(work, in_processes(work), strict=True):
                if done is None:
                    again()
            for part in parts:
                shutil.copytree(HERE / part, draft / part, copy_function=shutil.copyfile)
            for name, source in copies.items():
                (draft / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, draft / name)
            draft.chmod(0o755)
            _replace(folder, draft)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as problem:
        raise WorkFailed(
            f"cannot write the site to {folder}: {problem.strerror or problem}.\nNothing half-written was kept"
        ) from problem


def _write(draft: Path, pages: Pages) -> bool:
    for name, text in pages:
        (draft / name).parent.mkdir(parents=True, exist_ok=True)
        (draft / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return True


def _check_replaceable(folder: Path, marker: str) -> None:
    """Only a folder that this module wrote, which has its marker, or an empty one is replaced."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{folder} is not a folder. Give one that is new, empty, or written by the same command")
    if not folder.is_dir() or _is_ours(folder / MARKER, marker):
        return
    if foreign := min((path.name for path in folder.iterdir()), default=""):
        raise InputError(
            f"{folder} has other content ({shown(foreign)}), which this would replace.\n"
            "Give a folder that is new, empty, or written by the same command"
        )


def _is_ours(path: Path, marker: str) -> bool:
    try:
        return read_bounded(path, 2 * len(marker)).decode() == marker
    except (InputError, UnicodeDecodeError):
        return False


def _replace(folder: Path, draft: Path) -> None:
    """Puts the draft in the place of the folder; an earlier one is kept until the new one stands there."""
    if not folder.exists():
        draft.rename(folder)
        return
    aside = Path(tempfile.mkdtemp(prefix=".old-", dir=folder.parent))
    folder.rename(aside / folder.name)
    try:
        draft.rename(folder)
    except OSError:
        (aside / folder.name).rename(folder)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
