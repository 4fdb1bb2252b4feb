"""Where on this machine the file of given weights lies. Its hash decides, its name only says where to look.

Looked into are the folder of the track's own file, `bases` in the home, the folder of --data, and the caches of torch
and Hugging Face. Nothing is downloaded here: `prunemark base fetch` does that.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from prunemark.benchmark.images import sources
from prunemark.benchmark.networks.checkpoint_files import check_begins_well
from prunemark.benchmark.networks.library_tags import Tag, tag_of
from prunemark.setups.bounded_files import open_plain
from prunemark.setups.errors import InputError
from prunemark.setups.given_base import BASES, FILE, GivenBase


def find_weights(network: str, given: GivenBase, bases: Path) -> Path:
    """The file with the stated hash. Raises InputError: it is not here (how to get it), or has another hash."""
    tag = None if given.library == FILE else tag_of(network, given)
    others: list[str] = []
    for path in dict.fromkeys(_candidates(given, tag, bases)):
        if path.is_file():
            if (found := file_sha256(path)) == given.sha256:
                return path
            check_begins_well(path)
            others.append(f"{path} has {found}")
        elif path.exists():
            raise InputError(f"{path} is not a plain file: the weights of a base are one file")
    raise InputError(_not_here(given, tag, bases, others))


def _candidates(given: GivenBase, tag: Tag | None, bases: Path) -> Iterator[Path]:
    if tag is None:
        if given.tag:
            yield Path(given.folder, Path(given.tag).expanduser())
        for folder in (bases, *(place / BASES for place in _data()[:1])):
            yield from sorted(path for path in folder.glob("*") if path.is_file())
        return
    for folder in (bases, *_data(), _hub()):
        yield from (folder / file for file in tag.files)
    yield from _from_hugging_face(tag)


def _data() -> list[Path]:
    given = os.environ.get(sources.VARIABLE)
    return [Path(given).absolute(), Path(given).absolute() / BASES] if given else []


def _hub() -> Path:
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"


def _from_hugging_face(tag: Tag) -> Iterator[Path]:
    """timm's own downloads: models--OWNER--NAME/snapshots/COMMIT/FILE in Hugging Face's cache."""
    home = os.environ.get("HF_HOME") or Path("~/.cache/huggingface").expanduser()
    cache = Path(os.environ.get("HF_HUB_CACHE") or Path(home, "hub"))
    if tag.hub_id:
        for _file, url in tag.places:
            yield from cache.glob(f"models--{tag.hub_id.replace('/', '--')}/snapshots/*/{url.rpartition('/')[2]}")


def _not_here(given: GivenBase, tag: Tag | None, bases: Path, others: list[str]) -> str:
    named = given.weights if tag is None else tag.name
    if tag is None:
        where = Path(given.folder, Path(given.tag).expanduser()) if given.tag else bases
        others = [other for other in others if given.tag and other.startswith(str(where))]
        todo = f"Lay it as {where}" if given.tag else f"Lay it into {where}, under any name"
    else:
        file, url = tag.place_of(given.sha256)
        todo = f"`prunemark base fetch` gets it from {url}, or lay it as {bases / file}"
    if others:
        return (
            f"the weights {named} have another hash than the track states: {others[0]},\nand stated is {given.sha256}. "
            "Give the right file, or correct the track"
        )
    return f"the weights {named}, with SHA-256 {given.sha256}, are not on this machine.\n{todo}"


def file_sha256(path: Path, copy: Path | None = None) -> str:
    """SHA-256 of a file's bytes, which are also written to `copy`. Raises InputError for one that cannot be read."""
    digest = hashlib.sha256()
    with open_plain(path) as file, (copy or Path(os.devnull)).open("wb") as out:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
            out.write(chunk)
    return digest.hexdigest()
