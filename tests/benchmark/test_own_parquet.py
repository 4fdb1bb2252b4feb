"""Hugging Face's Parquet files of images: what is read, and each mistake with the number of the image."""

import io

import numpy as np
import pytest

from prunemark.benchmark.images.own_arrays import checked_images
from prunemark.benchmark.images.own_datasets import from_parquet
from prunemark.setups.errors import InputError

arrow = pytest.importorskip("pyarrow")  # comes with mlflow
arrow_parquet = pytest.importorskip("pyarrow.parquet")
LABELS = np.arange(30) % 3
IMAGES = np.random.default_rng(0).integers(0, 256, (30, 3, 8, 8), dtype=np.uint8)


def refused(words, call, *given):
    with pytest.raises(InputError) as raised:
        call(*given)
    assert words in str(raised.value), str(raised.value)
    assert len(str(raised.value).splitlines()) <= 2


def parquet(file, images, labels, *, bare=False, **more):
    file.parent.mkdir(parents=True, exist_ok=True)
    column = images if bare else [{"bytes": each, "path": None} for each in images]
    arrow_parquet.write_table(arrow.table({"image": column, "label": labels, **more}), file)


def png(image, mode="RGB"):
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).convert(mode).save(out, "PNG")
    return out.getvalue()


PNGS = [png(image) for image in IMAGES]


def test_parquet_files_of_hugging_face(tmp_path):
    parquet(tmp_path / "data" / "train-00000-of-00002.parquet", PNGS[:10], LABELS[:10])
    parquet(tmp_path / "data" / "train-00001-of-00002.parquet", PNGS[10:20], LABELS[10:20], idx=[1] * 10)
    parquet(tmp_path / "data" / "test-00000-of-00001.parquet", PNGS[20:], LABELS[20:], bare=True)
    found, layout = from_parquet(tmp_path, None)
    assert np.array_equal(checked_images("train", found["train"][0], layout), IMAGES[:20])
    assert np.array_equal(checked_images("test", found["test"][0], layout), IMAGES[20:])
    assert found["train"][1].tolist() == LABELS[:20].tolist()
    assert set(from_parquet(tmp_path / "data" / "test-00000-of-00001.parquet", None)[0]) == {"all"}
    assert from_parquet(tmp_path, 4)[0]["test"][0].shape == (10, 4, 4, 3)
    parquet(tmp_path / "one.parquet", [png(IMAGES[0], "L")], [0])
    assert set(from_parquet(tmp_path / "one.parquet", None)[0]) == {"all"}


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        ([*PNGS[:17], b"no picture"], LABELS[:18], "image 17 of train cannot be decoded"),
        ([PNGS[0], None], [0, 1], "image 1 of train has no bytes in its file"),
        (PNGS[:2], [0, None], "image 1 of train has no label"),
        ([PNGS[0], png(IMAGES[0][:, :4])], [0, 1], "image 1 of train is 4 x 8 x 3, the others are 8 x 8 x 3"),
        (PNGS[:2], ["a", "b"], "no column is the label"), (["a", "b"], [0, 1], "no column is the image"),
    ],
)  # fmt: skip
def test_parquet_files_that_cannot_be_used(tmp_path, images, labels, words):
    parquet(tmp_path / "train.parquet", images, labels, bare=isinstance(images[0], str))
    refused(words, from_parquet, tmp_path, None)


def test_folders_of_parquet_that_cannot_be_used(tmp_path):
    refused("has no .parquet files", from_parquet, tmp_path, None)
    (tmp_path / "train.parquet").write_bytes(b"PAR1 no")
    refused("train.parquet cannot be read as Parquet", from_parquet, tmp_path, None)
    parquet(tmp_path / "train.parquet", PNGS[:2], [0, 1])
    parquet(tmp_path / "part.parquet", PNGS[:2], [0, 1])
    refused("part.parquet names no split", from_parquet, tmp_path, None)
    (tmp_path / "part.parquet").unlink()
    parquet(tmp_path / "train.parquet", PNGS[:2], [0, 1])
    arrow_parquet.write_table(arrow.table({"image": PNGS[:2], "a": [0, 1], "b": [0, 1]}), tmp_path / "train.parquet")
    refused("several columns could be the label", from_parquet, tmp_path, None)
