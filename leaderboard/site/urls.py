"""Where every page of the site lies. All pages lie side by side, so a link is a file's name.

Names of tracks and methods come from strangers: what becomes part of a file's name is reduced to a few letters.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

INDEX, METHODS, RECORDS, MEANING = "index.html", "methods.html", "records.html", "meaning.html"
COMPARE, START = "compare.html", "start.html"
FORM, LITERATURE, DOCUMENTS = "form.html", "literature/index.html", "docs/index.html"
REPRODUCTIONS, PARQUET = "reproductions.html", "board.parquet"
"""The form of the audit, the published literature, the documents, the reproduced tables and the
board as Parquet, where the site has them."""
LONGEST = 60
SHA_SHOWN = 12
"""So many characters of a hash name a record in links and lists. A link with more of them, or all, works too."""


@dataclass(frozen=True)
class Urls:
    """Names of files, by track id, setup id and method name. A slug has no underscore, so no two pages collide.

    `opening` is the setup with which a track opens, by track.
    """

    opening: Mapping[str, str]
    tracks: Mapping[str, str]
    setups: Mapping[str, str]
    levels: Mapping[str, str]
    methods: Mapping[str, str]

    def track(self, track: str, setup: str | None = None, level: str | None = None) -> str:
        """The page of a track under a setup, or under the one with which it opens; or one level there."""
        page = f"track_{self.tracks[track]}_{self.setups[setup or self.opening[track]]}.html"
        return page if level is None else f"{page}#{self.level(level)}"

    def entrance(self, track: str) -> str:
        """The address of a track whatever the setup; it leads on to the page with which the track opens."""
        return f"track_{self.tracks[track]}.html"

    def level(self, level: str) -> str:
        """The fragment of a level's section."""
        return f"level-{self.levels[level]}"

    def method(self, name: str) -> str:
        """The page of a method, by the name that its records give."""
        return f"method_{self.methods[name]}.html"

    def records(self, track: str, sha256: str | None = None) -> str:
        """All records of a track, or one of them."""
        page = f"records_{self.tracks[track]}.html"
        return page if sha256 is None else f"{page}#{sha256[:SHA_SHOWN]}"

    def table(self, track: str, setup: str, level: str, ending: str) -> str:
        """One table as a file."""
        return f"tables/{self.tracks[track]}_{self.setups[setup]}_{self.levels[level]}.{ending}"

    def pairs(self, track: str, setup: str) -> str:
        """All pairs of methods of a track under a setup, as a script."""
        return f"{self.shards(track)}/pairs_{self.setups[setup]}.js"

    def badge(self, method: str, track: str) -> str:
        """What is shown of a method on a track, as a picture."""
        return f"badges/{self.methods[method]}_{self.tracks[track]}.svg"

    def shards(self, track: str) -> str:
        """The folder with the full records of a track."""
        return f"data/{self.tracks[track]}"


def compare(**chosen: str) -> str:
    """A comparison of two methods: `track`, `setup`, `level`, `a` and `b`, by their own names."""
    return f"{COMPARE}?{urlencode(chosen)}"


def make_urls(opening: Mapping[str, str], setups: Iterable[str], levels: Iterable[str], methods: Iterable[str]) -> Urls:
    """One name for each; the same names whatever the order. `opening` has every track."""
    return Urls(opening, slugs(opening), slugs(setups), slugs(levels), slugs(methods))


def slug(text: str) -> str:
    """Small letters, digits, dots and single hyphens; behind two hyphens a digest where too little or much is left."""
    plain = re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")
    return plain if plain and len(plain) <= LONGEST else f"{plain[:LONGEST].strip('-.') or 'x'}--{_digest(text)}"


def slugs(texts: Iterable[str]) -> dict[str, str]:
    """A slug for each text. Texts that would get the same one all carry a digest of themselves."""
    unique = sorted(set(texts))
    plain = [slug(text) for text in unique]
    counts = Counter(plain)
    return {
        text: name if counts[name] == 1 else f"{name}--{_digest(text)}"
        for text, name in zip(unique, plain, strict=True)
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
