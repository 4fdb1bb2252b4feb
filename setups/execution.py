"""Terms of execution: in which precision, layout and by which compiler a track's networks are trained.

A track may state them, and then they are everybody's. Where it states none, trials run as they always did: float32,
channels last, not compiled, on a GPU in algorithms with one order of sums. A user who asks for others gets another
track, `digits-resnet8+bf16`: the same in all else, filed, ranked and shown under that name. Its records are never
compared with those of `digits-resnet8`, because a faster arithmetic is not a better method.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.own_parts import is_own_network
from prunemark.setups.text import as_given, shown

if TYPE_CHECKING:
    from prunemark.setups.track import Track

TERMS = "execution"
"""The field of a track, and the table of its file."""
SIGN = "+"
"""Before each word in the name of a track that was derived. No track's own name has it."""
FIELDS: Mapping[str, tuple[object, ...]] = MappingProxyType({
    "precision": ("float32", "tf32", "bf16"),
    "memory_format": ("channels_last", "contiguous"),
    "compile": ("off", "default", "reduce-overhead"),
    "deterministic": (True, False),
})  # fmt: skip
WORDS: Mapping[str, tuple[str, object]] = MappingProxyType({
    "float32": ("precision", "float32"),
    "tf32": ("precision", "tf32"),
    "bf16": ("precision", "bf16"),
    "channels_last": ("memory_format", "channels_last"),
    "contiguous": ("memory_format", "contiguous"),
    "compile": ("compile", "default"),
    "reduce-overhead": ("compile", "reduce-overhead"),
    "deterministic": ("deterministic", True),
    "any-order": ("deterministic", False),
})  # fmt: skip
"""What a user may ask for by one word, in the order in which they stand in a name."""
IN_WORDS: Mapping[tuple[str, object], str] = MappingProxyType({
    ("precision", "float32"): "float32, no TF32",
    ("precision", "tf32"): "TF32",
    ("precision", "bf16"): "bf16 autocast",
    ("memory_format", "channels_last"): "channels last",
    ("memory_format", "contiguous"): "contiguous layout",
    ("compile", "off"): "not compiled",
    ("compile", "default"): "torch.compile",
    ("compile", "reduce-overhead"): "torch.compile with CUDA graphs",
    ("deterministic", True): "deterministic algorithms only",
    ("deterministic", False): "sums in any order",
})  # fmt: skip
OF_GPUS = frozenset({("precision", "tf32"), ("compile", "reduce-overhead"), ("deterministic", False)})
"""What has no meaning on a CPU, and is refused there."""
USUAL_EXECUTION = "float32, channels last, not compiled"
"""Where a track states none."""
NOT_PORTABLE = frozenset({"bf16", "compile", "reduce-overhead"})


@dataclass(frozen=True)
class Execution:
    """Terms of execution; None is what is not stated. Raises InputError for what is none of `FIELDS`.

    `precision`: "float32" allows no TF32, "tf32" allows it in products and convolutions, "bf16" has forward passes of
    training under autocast (weights, losses, penalties and the optimiser stay float32). Where none is stated torch's
    own default holds: on a GPU, convolutions may use TF32, and products do not.
    `compile` is of pretraining and retraining. Not compiled is the pruning stage, whose seconds are bounded and whose
    process starts no compiler. Networks are evaluated as they are: not compiled, not under autocast.
    `deterministic` True refuses operations without a deterministic algorithm, False lets a GPU choose the fastest.
    """

    precision: Literal["float32", "tf32", "bf16"] | None = None
    memory_format: Literal["channels_last", "contiguous"] | None = None
    compile: Literal["off", "default", "reduce-overhead"] | None = None
    deterministic: bool | None = None

    def __post_init__(self) -> None:
        for name, allowed in FIELDS.items():
            value = getattr(self, name)
            if value is not None and not any(value is one or (value == one and value not in (0, 1)) for one in allowed):
                said = ", ".join("true" if one is True else "false" if one is False else str(one) for one in allowed)
                raise InputError(f"{TERMS}.{name} is one of {said}, or is left out; given {as_given(value)}")

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON: what is stated."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def numbers(self, device: str) -> dict[str, Any]:
        """What of it gives other numbers on this kind of device than no terms at all: the part of stage keys."""
        on_cpu = device == "cpu"
        same = {("memory_format", "channels_last"), ("compile", "off"), ("precision", "float32" if on_cpu else "")}
        return {name: value for name, value in self.as_dict().items() if (name, value) not in same}

    @property
    def compiles(self) -> bool:
        """Whether anything is compiled."""
        return self.compile in ("default", "reduce-overhead")

    @property
    def words(self) -> tuple[str, ...]:
        """The words of `WORDS` that ask for it."""
        stated = set(self.as_dict().items())
        return tuple(word for word, pair in WORDS.items() if pair in stated)

    @property
    def text(self) -> str:
        """For readers: "bf16 autocast, torch.compile"."""
        return ", ".join(IN_WORDS[pair] for pair in self.as_dict().items())


def execution_from_dict(data: object) -> Execution | None:
    """The inverse of `Execution.as_dict`; None for what states nothing. Raises InputError."""
    if data is None:
        return None
    if not isinstance(data, Mapping):
        raise InputError(f"{TERMS} is a table of {', '.join(FIELDS)}; given {as_given(data)}")
    if unknown := sorted(set(data) - {field.name for field in fields(Execution)}):
        raise InputError(f"{TERMS} has no {shown(', '.join(map(str, unknown)), 80)}. It has {', '.join(FIELDS)}")
    made = Execution(**data)
    return made if made.as_dict() else None


def execution_of(words: Sequence[str]) -> Execution:
    """What these words ask for: "bf16", "compile". Raises InputError for unknown ones and for two of one kind."""
    found: dict[str, Any] = {}
    for word in words:
        if word not in WORDS:
            raise unknown_name("term of execution", word, WORDS)
        name, value = WORDS[word]
        if found.get(name, value) != value:
            of_kind = " or ".join(other for other, pair in WORDS.items() if pair[0] == name)
            raise InputError(f"{name.replace('_', ' ')} is one of {of_kind}; given more than one of them")
        found[name] = value
    return Execution(**found)


def read_words(given: Sequence[str]) -> tuple[str, ...]:
    """The words of an option that may be repeated, each with commas or without: "bf16,compile"."""
    return tuple(word for text in given for word in re.split(r"[,\s]+", text.strip()) if word)


def with_execution(track: Track, words: Sequence[str]) -> Track:
    """The track on these terms, under a name that says so; the track itself where there are no words.

    It makes no promise of equal bits on other processors where a compiler or bf16 has a part. Raises InputError for a
    track that states terms itself: these are everybody's.
    """
    if not words:
        return track
    asked = execution_of(words)
    if track.execution is not None:
        if asked.as_dict().items() <= track.execution.as_dict().items():
            return track
        raise InputError(
            f"track {track.id} states its terms of execution, which hold for everybody: {track.execution.text}.\n"
            f"Leave --execution out"
        )
    made = replace(
        track, name=track.name + "".join(SIGN + word for word in asked.words), title=f"{track.title}; {asked.text}",
        execution=asked, arithmetic=None if NOT_PORTABLE & set(asked.words) else track.arithmetic,
    )  # fmt: skip
    check_execution(made)
    return made


def check_execution(track: Track) -> None:
    """Raises InputError for terms that do not go together with what else the track states."""
    if (stated := track.execution) is None:
        return
    if track.arithmetic and (made := NOT_PORTABLE & set(stated.words)):
        raise InputError(
            f"arithmetic {track.arithmetic} gives the same bits on other processors, and {' and '.join(sorted(made))} "
            "does not: leave one of them out"
        )
    if stated.compiles and is_own_network(track.network):
        raise InputError(
            "a network of your own is trained in a confined process, which starts no compiler: leave compile out"
        )


def check_runs_on(track: Track, device: str) -> None:
    """Raises InputError for terms that mean nothing on this kind of device: a record would say what did not hold."""
    stated = (track.execution or Execution()).as_dict().items()
    if device == "cpu" and (needs := [IN_WORDS[pair] for pair in stated if pair in OF_GPUS]):
        raise InputError(f"{track.id} asks for {', '.join(needs)}, which needs a GPU: give --device cuda")


def in_words(terms: Mapping[str, Any]) -> str:
    """What is said with every table of a track, from the terms on its records; "" where they state none."""
    stated = terms.get(TERMS)
    if not isinstance(stated, Mapping):
        return ""
    named = [*(name for name in FIELDS if name in stated), *(name for name in stated if name not in FIELDS)]
    pairs = [(name, value) for name in named if isinstance(value := stated[name], str | bool)]
    return shown(", ".join(IN_WORDS.get(pair, f"{pair[0]} {pair[1]}") for pair in pairs), 200)
