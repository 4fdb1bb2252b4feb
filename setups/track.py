"""A track: dataset x network x granularity x compression levels, with everything that a comparison on it fixes.

A track is frozen and has a version. What it states, no submission may change; a released version never changes, a
change is a new version. `setups/track_files.py` reads tracks from their files.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.execution import Execution
from prunemark.setups.given_base import GivenBase
from prunemark.setups.own_parts import OwnParts, arrays_of, function_of, name_of_own
from prunemark.setups.recipe import Recipe
from prunemark.setups.text import as_given

Granularity = Literal["filter", "stream", "head", "block", "weight"]
WITH_FILTERS = ("filter", "stream", "head")
"""What is a filter or a set of them: a stream is those of a residual sum, a head its queries, keys and values."""
OF_FILTERS = (*WITH_FILTERS, "block")
"""What is taken out, so that a speed-up is the target: a block is a whole residual block."""
PORTABLE = "portable"
ALLOCATIONS = ("uniform", "global")
WORDS = frozenset({"title"})
"""The fields of a track that are said to readers and change no result."""
RECIPES = ("pretraining", "pruning", "retraining")
ANY_TIME = "any-time"
_PLANNED = re.compile(r"planned: ([1-9][0-9]?)", re.ASCII)
_PATTERN = re.compile(r"([1-9][0-9]?):([1-9][0-9]?)", re.ASCII)


@dataclass(frozen=True)
class SeedPrior:
    """What is known beforehand of the noise between seeds, for tracks where a run costs days.

    `sd_pp` is 1.25 times the standard deviation, in points, of the difference of two methods on one seed, as measured
    by `source`; `df` is its weight in degrees of freedom. The leaderboard then uses the moderated t.
    """

    sd_pp: float
    source: str
    df: float = 4.0


@dataclass(frozen=True)
class Level:
    """One compression level: its name on the command line and the target it stands for.

    For filters the target is a speed-up in MACs: the one that removing `ratio` of the prunable filters of
    every layer gives. For weights it is `ratio` itself, the share of prunable weights set to zero.

    `layer_ratios` are those of the literature where it prunes some layers more than others: (how names of layers
    begin, ratio); a layer that none of them fits is spared. `ratio` is then the share of all prunable filters, and
    methods that allocate uniformly keep these in proportion.
    """

    name: str
    ratio: float
    speedup: float | None = None
    layer_ratios: tuple[tuple[str, float], ...] | None = None

    def ratio_of(self, layer: str) -> float:
        """What the level itself removes of a prunable layer."""
        if self.layer_ratios is None:
            return self.ratio
        return next((ratio for start, ratio in self.layer_ratios if layer.startswith(start)), 0.0)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON; layer ratios only where there are some."""
        plain = asdict(self)
        if self.layer_ratios is None:
            del plain["layer_ratios"]
        return plain


DENSE_LEVEL = Level("dense", 0.0)
"""What the dense reference is run at; no track states it."""


@dataclass(frozen=True)
class Track:
    """What one competition fixes. Sizes are in images, limits in seconds, `margin_pp` in points.

    `classes` is their number (chance accuracy is one of them). `family` is the dataset x network family: tracks of one
    family are no independent evidence (E4).

    `prunable` names the layers that may lose filters (or weights); all others are spared. `margin_pp` is the
    largest difference in accuracy that counts as none (equivalence). `tolerance` is relative, on the target.
    `pruning` is what S4.1 and S4.2 impose on the pruning stage; `pruning_epochs_limit` bounds it under the
    others, and `scoring_epochs_limit` the passes over the training split that train nothing. `lr_stage_cap` is
    the longest that one LR of a generated schedule lasts, in epochs (the paper's Rule 3).

    `pattern` "N:M" allows, of every M consecutive weights along a layer's input, exactly N to stay (N:M sparsity, as
    sparse tensor cores read it); a layer whose inputs M does not divide is spared, so it is not among the prunable.

    `arithmetic` "portable" has trials on a CPU compute by instructions that x86-64 processors with AVX2 share, so that
    they give the same bits on them; None leaves the choice to torch, which takes the widest that a processor has.

    `base` gives the base models, and then nothing is pretrained: see `given_base`. Seeds share one, or have one each.

    `judged` is "any-time" (also where it is not stated): evidence that holds at any number of seeds. "planned: 5", for
    tracks whose trials are dear, means one look, when all five seeds are there.

    `own` says of which files of its author's the network and the images are; None where both go by a name.

    `execution` states precision, layout, compiler and determinism of training; None leaves all as it always was.
    """

    name: str
    version: int
    title: str
    dataset: str
    classes: int
    network: str
    family: str
    granularity: Granularity
    prunable: tuple[str, ...]
    levels: tuple[Level, ...]
    pretraining: Recipe
    pruning: Recipe
    retraining: Recipe
    anchor: str
    margin_pp: float
    tolerance: float = 0.01
    pruning_seconds_limit: float = 60.0
    pruning_epochs_limit: int = 60
    scoring_epochs_limit: int = 2
    lr_stage_cap: int | None = None
    allocations: tuple[str, ...] = ALLOCATIONS
    prior: SeedPrior | None = None
    pattern: str | None = None
    arithmetic: str | None = None
    judged: str | None = None
    base: tuple[GivenBase, ...] | None = None
    own: OwnParts | None = None
    execution: Execution | None = None

    @property
    def network_id(self) -> str:
        """What keys and records call the network: its name, or of one's own code its function and its hash."""
        if self.own is None or self.own.network_sha256 is None:
            return self.network
        return name_of_own(self.network.rpartition(":")[2], self.own.network_sha256)

    @property
    def dataset_id(self) -> str:
        """What keys and records call the dataset: its name, or of one's own files its kind and the images' hash."""
        if self.own is None or self.own.dataset_sha256 is None:
            return self.dataset
        found = function_of(self.dataset)
        kind = found[1] if found else "npz" if arrays_of(self.dataset) else "parquet"
        return name_of_own(kind, self.own.dataset_sha256)

    @property
    def class_of_data(self) -> str:
        """The dataset's name, or of one's own images a folder of their size: what decides which recipe fits."""
        shape = self.own.shape if self.own else None
        return self.dataset if shape is None else f"folder:own@{max(shape[1:])}"

    @property
    def planned_seeds(self) -> int | None:
        """How many seeds its one look needs where the track is judged "planned: n"; None where at any time."""
        return None if self.judged in (None, ANY_TIME) else parse_planned(self.judged or "")

    @property
    def of_filters(self) -> bool:
        """Whether filters are removed, one by one, in sets or in blocks; otherwise weights are set to zero."""
        return self.granularity in OF_FILTERS

    @property
    def id(self) -> str:
        """`name@version`, which results are filed under."""
        return f"{self.name}@{self.version}"

    @property
    def n_of_m(self) -> tuple[int, int] | None:
        """The pattern as two numbers, None where single weights are free."""
        return None if self.pattern is None else parse_pattern(self.pattern)

    def level(self, name: str) -> Level:
        """The level of this name. Raises InputError with the valid names."""
        found = {level.name: level for level in self.levels}
        if name not in found:
            raise unknown_name(f"level of {self.id}", name, found)
        return found[name]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON with every field that is set: what stage keys and records hold of the track.

        What a track does not state (None) is left out, so that an optional field added later changes no released track.
        """
        plain = {name: value for name, value in asdict(self).items() if value is not None}
        plain["levels"] = tuple(level.as_dict() for level in self.levels)
        if self.own is not None:
            plain |= {"network": self.network_id, "dataset": self.dataset_id, "own": self.own.as_dict()}
        plain |= {name: getattr(self, name).as_dict() for name in RECIPES}
        if self.execution is not None:
            plain["execution"] = self.execution.as_dict()
        if self.base:
            plain["base"] = tuple(given.as_dict() for given in self.base)
            del plain["pretraining"]
        return plain


def parse_planned(text: str) -> int:
    """'planned: 5' -> 5. Raises InputError unless it is a number of seeds from 3 to 99."""
    match = _PLANNED.fullmatch(text)
    if match is None or int(match[1]) < 3:
        raise InputError(f'judged is "{ANY_TIME}" or "planned: n" with n seeds from 3 to 99; given {as_given(text)}')
    return int(match[1])


def as_pattern(granularity: object) -> str | None:
    """The pattern that a granularity such as "2:4" is another word for: single weights by that pattern; else None."""
    return granularity if isinstance(granularity, str) and _PATTERN.fullmatch(granularity) else None


def parse_pattern(text: str) -> tuple[int, int]:
    """'2:4' -> (2, 4). Raises InputError unless it is N:M with N below M."""
    match = _PATTERN.fullmatch(text)
    if match is None or int(match[1]) >= int(match[2]):
        raise InputError(f"a pattern is N:M with N from 1 to below M, such as 2:4; given {as_given(text)}")
    return int(match[1]), int(match[2])
