"""Who reads images of files: how many processes, and into which memory, changes no pixel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support.image_folders import write_tree

from prunemark.benchmark.images import streaming
from prunemark.benchmark.images.sources import READERS, readers
from prunemark.benchmark.images.streaming import (
    ImageFiles,
    default_workers,
    file_checksums,
    images_in_order,
    images_served,
)
from prunemark.setups.errors import InputError


@pytest.fixture
def files(tmp_path: Path) -> ImageFiles:
    paths = sorted(write_tree(tmp_path / "insects", per_class=3).glob("train/*/*.png"))
    return ImageFiles(tuple(map(str, paths)), file_checksums(paths), (3, 16, 16))


def test_how_many_processes_read_changes_no_pixel(files: ImageFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    for stated in ("0", "1"):
        monkeypatch.setenv(READERS, stated)
        assert default_workers() == int(stated)
        generator = torch.Generator().manual_seed(0)
        batches = images_served(files, iter(torch.arange(6).split(4)), "resized-crop", generator)
        seen.append([pixels for pixels, _ in batches])
    assert [len(batch) for batch in seen[0]] == [4, 2]
    assert all(torch.equal(one, other) for one, other in zip(*seen, strict=True))
    monkeypatch.delenv(READERS)
    assert readers() is None


@pytest.mark.parametrize("stated", ["-1", "many", "1.5", "257"])
def test_a_number_of_readers_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, stated: str) -> None:
    monkeypatch.setenv(READERS, stated)
    with pytest.raises(InputError, match=r"--readers .* is a whole number from 0 to 256"):
        readers()


def test_batches_are_pinned_where_they_go_to_a_gpu(files: ImageFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def loader(*_: Any, pin_memory: bool, **__: Any) -> list[torch.Tensor]:
        asked.append(pin_memory)
        return []

    monkeypatch.setattr(streaming, "DataLoader", loader)
    for used in (False, True):
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda used=used: used)
        assert list(images_in_order(files, 3)) == []
    assert asked == [False, True]
