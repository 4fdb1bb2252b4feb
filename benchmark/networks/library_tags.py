"""What torchvision and timm say of their own weights: the file and its address, and the images they are for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.given_base import GivenBase
from prunemark.setups.text import as_given

HUB = "https://huggingface.co"
HUB_FILE = "model.safetensors"


@dataclass(frozen=True)
class Tag:
    """`places` are pairs: a name to lay the weights under, and the address where the library gets them from.

    timm has many weights in two places, in two forms with two hashes: which one is meant, the hash says.

    They are for images of `channels`, normalised by `mean` and `sd`, of `classes`; `evaluated` says in words how the
    library resizes images before it measures accuracy. `hub_id` is timm's repository on Hugging Face, '' without one.
    """

    name: str
    places: tuple[tuple[str, str], ...]
    classes: int
    channels: int
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    evaluated: str
    fixed_size: bool = False
    hub_id: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """The names to look for."""
        return tuple(file for file, _url in self.places)

    def place_of(self, sha256: str) -> tuple[str, str]:
        """Name and address of the file with this hash: file names have its first digits; else the last place."""
        return next((place for place in self.places if sha256[:8] in place[0]), self.places[-1])


def tag_of(network: str, given: GivenBase) -> Tag:
    """What the library says of the tag. Raises InputError for one that it has not for this network."""
    model = network.partition(":")[2]
    return _torchvision(model, given.tag) if given.library == "torchvision" else _timm(model, given.tag)


def _torchvision(model: str, tag: str) -> Tag:
    from torchvision import models

    if model not in models.list_models(module=models):
        raise InputError(f"torchvision has no network {as_given(model)}")
    known = models.get_model_weights(model)
    if tag not in known.__members__:
        raise unknown_name(f"weights of torchvision:{model}", tag, known.__members__)
    weights = known[tag]
    images = weights.transforms()
    size = f"the shorter side resized to {_whole(images.resize_size)}, {_whole(images.crop_size)} from the middle"
    return Tag(
        f"torchvision:{tag} of {model}", (_place(weights.url),),
        len(weights.meta["categories"]), 3, tuple(images.mean), tuple(images.std), size,
    )  # fmt: skip


def _timm(model: str, tag: str) -> Tag:
    import timm
    from timm.models import list_pretrained

    if not timm.is_model(model):
        raise InputError(f"timm has no network {as_given(model)}")
    if f"{model}.{tag}" not in (known := list_pretrained(f"{model}.*")):
        raise unknown_name(f"weights of timm:{model}", tag, [name.partition(".")[2] for name in known])
    config: Any = timm.get_pretrained_cfg(f"{model}.{tag}")
    hub, hub_file = config.hf_hub_id or "", config.hf_hub_filename or HUB_FILE
    places = [_place(config.url)] if config.url else []
    if hub:
        suffix = hub_file.rpartition(".")[2]
        places.append((f"{model}.{tag}.{suffix}", f"{HUB}/{hub}/resolve/main/{hub_file}"))
    size = f"{config.interpolation}, crop_pct {config.crop_pct:g} at {'x'.join(map(str, config.input_size[1:]))}"
    return Tag(
        f"timm:{tag} of {model}", tuple(places), config.num_classes, config.input_size[0],
        tuple(config.mean), tuple(config.std), size, bool(config.fixed_input_size), hub,
    )  # fmt: skip


def _place(url: str) -> tuple[str, str]:
    return Path(urlparse(url).path).name, url


def _whole(size: Any) -> int:
    return int(size[0] if isinstance(size, list | tuple) else size)
