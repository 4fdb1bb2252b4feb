"""Method cards: the paper, authors, year and family of each shipped method, in `baselines/*.toml` next to the code.

The tables of these files are also the list of the shipped methods: a new method is one `.py` and one `.toml` file.
A card is no part of a method's identity. Editing one changes no `source_sha256` and no stored result.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from prunemark.setups.bounded_files import read_toml
from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.text import LONGEST_NAME, as_given, shown

BASELINES = Path(__file__).resolve().parent.parent / "baselines"

PEERS = "peers"
"""The folder of other libraries' criteria in `baselines/`, with their cards."""

FAMILIES = {
    "magnitude": "the size of weights or filters",
    "similarity": "filters that other filters can replace, found from the weights",
    "feature maps": "the outputs of filters on training images",
    "gradient": "first-order change of the loss",
    "second order": "change of the loss by its Hessian or Fisher matrix",
    "regularisation": "a penalty in training prepares what is removed",
    "dynamic sparse training": "what is removed changes during training and can grow back",
    "at initialisation": "random weights are pruned, before training",
    "rewinding": "rounds of pruning, after each of which weights or the LR schedule go back",
    "random": "chance, as a control",
}
"""The families a card can name. Where two fit, take the one that the paper claims as its idea."""

PAPER = ("title", "authors", "venue", "year")  # all of them, or none for a method without a paper
LINKS = ("arxiv", "doi", "url")
FIELDS = ("class", "family", *PAPER, *LINKS, "also", "note")
FORMS = {
    "class": (r"[A-Za-z_]\w*", "the name of a class, such as L1Norm"),
    "title": (r"\S[^\n]*", "a text on one line"),
    "venue": (r"\S[^\n]*", "a text on one line, such as ICLR"),
    "arxiv": (r"\d{4}\.\d{4,5}", "an arXiv id, such as 1608.08710"),
    "doi": (r"10\.\d{4,9}/\S+", "a DOI, such as 10.1038/s41467-018-04316-3"),
    "note": (r"\S[^\n]*", "a text on one line"),
    "url": (r"https://\S+", "an address that begins with https://"),
}
NAME = r"\w[\w.-]*"


@dataclass(frozen=True)
class Card:
    """What is written about one shipped method. `year` is None, and the texts are empty, where there is no paper.

    `module` is where its file is in `baselines/`; `also` are further papers in words, each with its arXiv id. `note`
    says what is run, where the name promises more.
    """

    name: str
    module: str
    class_name: str
    family: str
    title: str = ""
    authors: tuple[str, ...] = ()
    venue: str = ""
    year: int | None = None
    arxiv: str = ""
    doi: str = ""
    url: str = ""
    also: tuple[str, ...] = ()
    note: str = ""

    @property
    def spec(self) -> str:
        """Where the class is, as `package.module:Class`."""
        return f"prunemark.baselines.{self.module}:{self.class_name}"

    @property
    def citation(self) -> str:
        """Authors, title, venue and year in a line; "" without a paper."""
        return f"{', '.join(self.authors)}: {self.title}, {self.venue} {self.year}" if self.title else ""

    @property
    def links(self) -> tuple[tuple[str, str], ...]:
        """(text, address) of the paper on arXiv, by its DOI, and elsewhere, as far as the card has them."""
        found = (
            (self.arxiv, f"arXiv:{self.arxiv}", f"https://arxiv.org/abs/{self.arxiv}"),
            (self.doi, f"doi:{self.doi}", f"https://doi.org/{self.doi}"),
            (self.url, self.url.removeprefix("https://").partition("/")[0], self.url),
        )
        return tuple((text, address) for given, text, address in found if given)

    @property
    def link(self) -> str:
        """The first of the addresses; "" for none."""
        return self.links[0][1] if self.links else ""


@functools.cache
def shipped_cards() -> Mapping[str, Card]:
    """The cards of the shipped methods by name, in alphabetical order. Raises InputError for a card that is wrong."""
    return MappingProxyType(read_cards(BASELINES))


def shipped_methods() -> Mapping[str, str]:
    """The shipped methods: name on a leaderboard -> `prunemark.baselines.module:Class`, in alphabetical order."""
    return {name: card.spec for name, card in shipped_cards().items()}


@functools.cache
def peer_cards() -> Mapping[str, Card]:
    """The criteria of other libraries by name, such as torch-pruning.LAMPImportance, in alphabetical order."""
    return MappingProxyType(read_cards(BASELINES / PEERS, f"{PEERS}."))


def known_methods() -> Mapping[str, str]:
    """The shipped methods and the peers, as in `shipped_methods`: the code of both is Prunemark's own."""
    return {**shipped_methods(), **{name: card.spec for name, card in peer_cards().items()}}


def card_of(name: str) -> Card | None:
    """The card of a shipped method or a peer; None for another name."""
    return shipped_cards().get(name) or peer_cards().get(name)


def peer_name(spec: str) -> str | None:
    """The name of `torch-pruning:LAMPImportance` on a board; None for what names no such library.

    Raises InputError, with the names, for one that the library does not have here.
    """
    library, _, wanted = spec.partition(":")
    names = [name.removeprefix(f"{library}.") for name in peer_cards() if name.startswith(f"{library}.")]
    if not names:
        return None
    if wanted not in names:
        raise unknown_name(f"method of {library}", wanted, names)
    return f"{library}.{wanted}"


def read_cards(folder: Path, package: str = "") -> dict[str, Card]:
    """All cards of a folder by name, in alphabetical order. `package`: what stands before the module's name.

    Raises InputError, with the file and the field.
    """
    found: dict[str, Card] = {}
    for path in sorted(folder.glob("*.toml")):
        for name, data in _tables(path).items():
            try:
                card = _card(name, path.stem, data)
                if name in found:
                    raise InputError(f"this name is taken: {found[name].module}.toml has it too")
                if not path.with_suffix(".py").is_file():
                    raise InputError(f"a card lies next to its method; {path.stem}.py is missing")
            except InputError as problem:
                raise InputError(f"{folder.name}/{path.name}, [{shown(name, LONGEST_NAME)}]: {problem}") from None
            found[name] = replace(card, module=package + card.module)
    return dict(sorted(found.items()))


def _tables(path: Path) -> dict[str, Any]:
    return read_toml(path, f"{path.parent.name}/{path.name}")


def _card(name: str, module: str, data: object) -> Card:
    """Raises InputError, in words that name the field."""
    if not isinstance(data, dict):
        raise InputError("a card is a table; this line stands outside of one")
    if not re.fullmatch(NAME, name, re.ASCII) or len(name) > LONGEST_NAME:
        raise InputError(f"a method's name has letters, digits, '.', '_' and '-', at most {LONGEST_NAME}")
    for field, value in data.items():
        _check(field, value)
    needed = ("class", "family", *(PAPER if any(field in data for field in (*PAPER, *LINKS)) else ()))
    if missing := [field for field in needed if field not in data]:
        raise InputError(f"{', '.join(missing)} missing. A card has class and family; with a paper {', '.join(PAPER)}")
    rest = {field: value for field, value in data.items() if field not in ("class", "authors", "also")}
    return Card(
        name, module, data["class"], authors=tuple(data.get("authors", ())), also=tuple(data.get("also", ())), **rest
    )


def _check(field: str, value: object) -> None:
    if field not in FIELDS:
        raise unknown_name("field", field, FIELDS)
    if field == "family":
        if value not in FAMILIES:
            raise unknown_name("family", str(value), FAMILIES)
    elif field == "year":
        if type(value) is not int or not 1900 <= value <= 2100:
            raise InputError(f"year is a year, such as 2017, without quotes; given {as_given(value)}")
    elif field in ("authors", "also"):
        texts = isinstance(value, list) and [v for v in value if isinstance(v, str) and v.strip() and shown(v) == v]
        if not value or texts != value:
            raise InputError(f"{field} is a list of texts; given {as_given(value)}")
    else:
        form, words = FORMS[field]
        if not isinstance(value, str) or shown(value) != value or not re.fullmatch(form, value, re.ASCII):
            raise InputError(f"{field} is {words}; given {as_given(value)}")
