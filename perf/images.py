"""Reading JPEG files for a network of 224 pixels: Prunemark's reader, torchvision's reference loop, other decoders."""

from __future__ import annotations

import importlib.util
import io
import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import figures
import numpy as np
import torch
from figures import Figure

from prunemark.benchmark.images.data import Images
from prunemark.benchmark.images.datasets import as_rgb
from prunemark.benchmark.images.streaming import ImageFiles, file_checksums

COUNT, HEIGHT, WIDTH, SIDE, BATCH, REPEATS = 96, 375, 500, 224, 32, 12
MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
KINDS = ("baseline 4:2:0", "4:4:4", "progressive", "grayscale", "CMYK", "odd size", "EXIF turned", "cut short")


def photographs(count: int) -> Iterator[np.ndarray]:
    """Parts of scikit-learn's two photographs, as large as images of ImageNet are on average: uint8 (h, w, 3)."""
    from sklearn.datasets import load_sample_image

    whole, draws = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")], np.random.default_rng(0)
    for number in range(count):
        pixels = whole[number % 2]
        top, left = (
            draws.integers(0, have - want + 1) for have, want in zip(pixels.shape, (HEIGHT, WIDTH), strict=False)
        )
        yield pixels[top : top + HEIGHT, left : left + WIDTH]


def rates() -> tuple[list[Figure], list[str]]:
    """Images a second of one process, and in how many kinds of JPEG another decoder gives the same pixels."""
    from PIL import Image

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label in range(2):
            (folder / f"{label}").mkdir()
        for number, pixels in enumerate(photographs(COUNT)):
            Image.fromarray(pixels).save(folder / f"{number % 2}" / f"{number:03}.jpg", quality=90)
        paths = sorted(folder.rglob("*.jpg"))
        ours, reference = _ours(paths), _reference(folder)
        found = [
            figures.ratio(
                "files to normalised batches, against torchvision's loop",
                lambda: figures.seconds(ours), lambda: figures.seconds(reference), REPEATS,
            )
        ]  # fmt: skip
        took = min(figures.seconds(ours) for _ in range(3))
        found.append(Figure("the same", COUNT / took, "images a second of one core"))
        found += decoders([path.read_bytes() for path in paths])
    return found, [DECISION, KINDS_TRIED]


def _ours(paths: list[Path]) -> Callable[[], None]:
    labels, empty = torch.tensor([int(path.parent.name) for path in paths]), torch.empty(0, dtype=torch.uint8)
    files = ImageFiles(tuple(map(str, paths)), file_checksums(paths), (3, SIDE, SIDE), workers=0)
    data = Images(empty, labels, 2, 0.0, MEAN, SD, files)

    seeds = itertools.count()

    def read() -> None:
        generator = torch.Generator().manual_seed(next(seeds))  # other crops each time, as the reference has them
        batches = iter(torch.randperm(len(paths), generator=generator).split(BATCH))
        for _ in data.served(batches, "resized-crop", generator):
            pass

    return read


def _reference(folder: Path) -> Callable[[], None]:
    """As torchvision's own training script does it with the backend PIL."""
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    chain = transforms.Compose([
        transforms.RandomResizedCrop(SIDE), transforms.RandomHorizontalFlip(), transforms.PILToTensor(),
        transforms.ConvertImageDtype(torch.float), transforms.Normalize(MEAN, SD),
    ])  # fmt: skip
    loader: Any = DataLoader(ImageFolder(str(folder), chain), batch_size=BATCH, shuffle=True)
    return lambda: [None for _ in loader] and None


def decoders(contents: list[bytes]) -> list[Figure]:
    """Of each other decoder its speed against Pillow's, and for how many kinds of JPEG it gives the same pixels."""
    from PIL import Image

    known: dict[str, Callable[[bytes], Any]] = {"torchvision's decode_jpeg": _by_torchvision}
    if importlib.util.find_spec("simplejpeg"):
        known["simplejpeg"] = _by_simplejpeg
    found, files = [], kinds()
    for name, decode in known.items():
        found.append(
            figures.ratio(
                f"decoding into an image of Pillow's: {name}, against Pillow",
                lambda: figures.seconds(lambda: [Image.fromarray(decode(content)) for content in contents]),  # noqa: B023
                lambda: figures.seconds(lambda: [_opened(content) for content in contents]), REPEATS,
            )
        )  # fmt: skip
        same = sum(_or_none(decode, content) == _or_none(by_pillow, content) for content in files.values())
        found.append(Figure(f"{name}: kinds of JPEG with the pixels of Pillow, of {len(files)}", same, "kinds"))
    return found


def _or_none(decode: Callable[[bytes], Any], content: bytes) -> tuple[Any, bytes] | None:
    try:
        pixels = np.asarray(decode(content))
    except (OSError, RuntimeError, ValueError, SyntaxError):
        return None
    return pixels.shape, pixels.tobytes()


def _opened(content: bytes) -> Any:
    """As the harness decodes: an image of Pillow's."""
    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        return as_rgb(image)


def by_pillow(content: bytes) -> np.ndarray:
    """Its pixels: uint8 (height, width, 3)."""
    return np.asarray(_opened(content))


def _by_torchvision(content: bytes) -> np.ndarray:
    from torchvision.io import ImageReadMode, decode_jpeg

    pixels = decode_jpeg(torch.frombuffer(bytearray(content), dtype=torch.uint8), mode=ImageReadMode.RGB)
    return np.ascontiguousarray(pixels.permute(1, 2, 0).numpy())


def _by_simplejpeg(content: bytes) -> np.ndarray:
    import simplejpeg

    return simplejpeg.decode_jpeg(content, "RGB")


def kinds() -> dict[str, bytes]:
    """One JPEG of each kind that data sets hold."""
    from PIL import Image

    image = Image.fromarray(next(photographs(1)))
    turned = Image.Exif()
    turned[0x0112] = 6
    made: dict[str, tuple[Any, dict[str, Any]]] = {
        "baseline 4:2:0": (image, {"subsampling": 2}), "4:4:4": (image, {"subsampling": 0}),
        "progressive": (image, {"progressive": True}), "grayscale": (image.convert("L"), {}),
        "CMYK": (image.convert("CMYK"), {}), "odd size": (image.crop((0, 0, 333, 251)), {}),
        "EXIF turned": (image, {"exif": turned}), "cut short": (image, {}),
    }  # fmt: skip
    found = {}
    for name in KINDS:
        whole, options = made[name]
        whole.save(into := io.BytesIO(), "JPEG", quality=90, **options)
        found[name] = into.getvalue()
    found["cut short"] = found["cut short"][: len(found["cut short"]) // 2]
    return found


DECISION = (
    "Files are decoded by Pillow, because resizing by torch gives other pixels: what another decoder reads has to "
    "become an image of Pillow's first. Decoding is about half of the work, and the other half is resizing, so what "
    "is left of a faster decoder's gain is half of what stands here. That is not worth a package, or a second decoder "
    "to keep equal. Records on files state Pillow's version."
)
KINDS_TRIED = f"Kinds of JPEG: {', '.join(KINDS)}. Same pixels means equal in every byte, or refused by both."
