"""`prunemark base fetch`: the files of a track's given weights, found here or downloaded, each checked by its hash."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from prunemark.benchmark.networks.library_tags import tag_of
from prunemark.benchmark.trial.weight_files import find_weights
from prunemark.records.writer import storage_errors
from prunemark.setups.errors import InputError, WorkFailed
from prunemark.setups.given_base import FILE, GivenBase
from prunemark.setups.track import Track

PATIENCE_SECONDS = 30.0


def fetch(track: Track, bases: Path, say: Callable[[str], None]) -> list[Path]:
    """The files of all its bases, in their order; what is not here is downloaded into `bases`.

    Raises InputError for a track that gives none, and for a file of its author's own that is not here; WorkFailed where
    a download does not work, with what to lay where.
    """
    if not track.base:
        raise InputError(
            f"track {track.id} gives no base model: its bases are trained.\n"
            "Somebody else's trained one comes as a file: `prunemark base add FILE`"
        )
    return [_one(track.network, given, bases, say) for given in track.base]


def _one(network: str, given: GivenBase, bases: Path, say: Callable[[str], None]) -> Path:
    try:
        found = find_weights(network, given, bases)
    except InputError:
        if given.library == FILE:
            raise
    else:
        say(f"{given.weights}: {found} is here, and has the stated hash")
        return found
    file, url = tag_of(network, given).place_of(given.sha256)
    target = bases / file
    with storage_errors(bases):
        bases.mkdir(parents=True, exist_ok=True)
    say(f"{given.weights}: downloading {url}")
    _download(url, target, given.sha256)
    say(f"{given.weights}: {target} is here now, and has the stated hash")
    return target


def _download(url: str, target: Path, sha256: str) -> None:
    """By torch's own downloader, which writes a whole file with this hash, or none."""
    import torch

    todo = f"Lay the file {target.name} of {url}, with SHA-256 {sha256}, as {target}"
    try:
        with _timeout():
            torch.hub.download_url_to_file(url, str(target), hash_prefix=sha256, progress=False)
    except RuntimeError:
        raise WorkFailed(
            f"{url} is another file than the track states: its hash is not {sha256}.\nNothing was kept"
        ) from None
    except (OSError, ValueError) as problem:
        why = getattr(problem, "reason", None) or problem
        raise WorkFailed(f"{url} could not be downloaded ({why}).\n{todo}") from None


@contextlib.contextmanager
def _timeout() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
