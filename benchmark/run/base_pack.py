"""A base model as one file: packed where it was trained, and added to the stores of others, who need not train it.

The file is safetensors: tensors, and words that say of which track, seed and training. Reading it runs nothing.
What the receiver can check is checked, and what cannot be checked is said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save, save_file

from prunemark.benchmark.images.data import load_split
from prunemark.benchmark.networks.checkpoint_files import State, check_begins_well
from prunemark.benchmark.networks.given_weights import filled
from prunemark.benchmark.networks.registry import build_network
from prunemark.benchmark.networks.weights import weights_sha256
from prunemark.benchmark.run.home import Home
from prunemark.benchmark.trial import stages
from prunemark.benchmark.trial.base_model import BASE_FILES, prepare_data
from prunemark.benchmark.trial.environment import environment, libraries
from prunemark.benchmark.trial.keys import Keys, stage_keys
from prunemark.benchmark.trial.packing import WEIGHTS
from prunemark.benchmark.trial.pruned import STAGE, read_stage
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.records.load import read_sound
from prunemark.records.outcome import EpochPoint, MeteredStage
from prunemark.records.writer import write_atomically
from prunemark.setups.budget import budget_for
from prunemark.setups.comparison import HARNESS_SETUPS, SETUPS
from prunemark.setups.errors import InputError, RuleBroken
from prunemark.setups.text import as_given, shown
from prunemark.setups.track import DENSE_LEVEL, Track

FORMAT, ABOUT = "prunemark-base/1", "prunemark-base"
DENSE = Entrant("Dense", "dense", "reference", None, ())
TERMS = ("dataset", "classes", "network", "pretraining", "base", "arithmetic", "execution")
"""What of a track a base model rests on."""
PARTS = ("weights", "momentum")


@dataclass(frozen=True)
class Packed:
    """What the file says, and its tensors by part. `about` is plain JSON."""

    about: dict[str, Any]
    parts: dict[str, State]


def trial_of(track: Track, seed: int, device: str) -> Trial:
    """A trial on the base of this seed, which all setups share that hold the base model equal."""
    setup = SETUPS["S3.2"]
    budget = budget_for(track, setup, DENSE_LEVEL, "dense")
    return Trial(track, DENSE_LEVEL, setup, seed, DENSE, budget, device, track.pruning_seconds_limit)


def pack(track: Track, seed: int, device: str, home: Home, out: Path) -> str:
    """Writes the base model of a seed as one file; returns its hash. Raises InputError where there is none."""
    trial = trial_of(track, seed, device)
    keys, store = stage_keys(trial), home.store
    folder = store.read(keys.pretrain, *BASE_FILES)
    if folder is None:
        raise InputError(
            f"{home.root} has no base model of {track.id}, seed {seed}, on {device}.\n"
            f"`prunemark submit ... --track {track.name} --seeds {seed},` makes it; give --home of where it was made"
        )
    state = load_file(folder / WEIGHTS)
    about = {
        "format": FORMAT, "track": track.id, "terms": _terms(track), "seed": seed, "device": device,
        "key": keys.pretrain, "weights_sha256": weights_sha256(state), "stage": asdict(read_stage(folder)),
        "curve": [asdict(point) for point in stages.read_curve(folder)], "made_with": _made_with(track),
        "data_sha256": stages.folder_sha256(prepare_data(trial, keys, store)),
    }  # fmt: skip
    tensors = {f"weights/{name}": tensor for name, tensor in state.items()}
    tensors |= {f"momentum/{name}": tensor for name, tensor in load_file(folder / stages.MOMENTUM).items()}
    write_atomically(out, save(tensors, {ABOUT: json.dumps(about, allow_nan=False)}))
    return str(about["weights_sha256"])


def _terms(track: Track) -> dict[str, Any]:
    plain = json.loads(json.dumps(track.as_dict()))
    return {name: plain[name] for name in TERMS if name in plain}


def _made_with(track: Track) -> dict[str, str]:
    return environment() | libraries(track.network, track.dataset)


def read(path: Path) -> Packed:
    """The file as it was packed. Raises InputError for another file, RuleBroken where its weights were changed."""
    check_begins_well(path)
    try:
        with safe_open(path, "pt") as file:
            words = (file.metadata() or {}).get(ABOUT)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as problem:
        raise InputError(f"{path} is not a base that `prunemark base pack` wrote: {shown(str(problem), 100)}") from None
    if words is None:
        raise InputError(f"{path} is not a base that `prunemark base pack` wrote: it has weights, and no words of it")
    parts: dict[str, State] = {part: {} for part in PARTS}
    for name, tensor in tensors.items():
        part, _, rest = name.partition("/")
        if part in parts:
            parts[part][rest] = tensor
    packed = Packed(_about(words, path), parts)
    if weights_sha256(packed.parts["weights"]) != packed.about["weights_sha256"]:
        raise RuleBroken(f"{path} was changed after it was packed: its weights have another hash than it says")
    return packed


def _about(words: str, path: Path) -> dict[str, Any]:
    try:
        about = json.loads(words)
        if about["format"] != FORMAT:
            raise InputError(f"{path} has format {as_given(about['format'])}; this version reads {FORMAT}")
        _stage_of(about)
        _curve_of(about)
        kinds = {"track": str, "key": str, "weights_sha256": str, "data_sha256": str, "device": str, "seed": int}
        kinds |= {"terms": dict, "made_with": dict}
        if wrong := [name for name, kind in kinds.items() if not isinstance(about[name], kind)]:
            raise TypeError(f"its {' and '.join(wrong)} cannot be")
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise InputError(f"{path} is not a base that `prunemark base pack` wrote: {shown(str(problem), 100)}") from None
    found: dict[str, Any] = about
    return found


def _stage_of(about: Mapping[str, Any]) -> MeteredStage:
    return MeteredStage(**about["stage"] | {"lr": tuple(about["stage"]["lr"])})


def _curve_of(about: Mapping[str, Any]) -> list[EpochPoint]:
    return [EpochPoint(**point) for point in about["curve"]]


def add(packed: Packed, track: Track, home: Home) -> list[str]:
    """Lays the base into the store, where trials find it; returns what was checked, and what could not be.

    Raises InputError for a base of another track, other images or another network; RuleBroken where a record of this
    home, or the base that is in its store, says that it is another one.
    """
    about = packed.about
    trial = trial_of(track, about["seed"], about["device"])
    _check_terms(about, track)
    keys, store = stage_keys(trial), home.store
    data = prepare_data(trial, keys, store)
    if stages.folder_sha256(data) != about["data_sha256"]:
        raise InputError(
            f"the base was made with other images than those here ({about['data_sha256'][:12]} against "
            f"{stages.folder_sha256(data)[:12]}).\nIt would be another base model: give --data the same images"
        )
    shape = load_split(track.dataset, data, "validation", torch.device("cpu")).shape
    filled(build_network(track.network, shape, 0), packed.parts["weights"], "the packed base", shape)
    said = ["the same images and the same terms as here", *_against_records(packed, track, home)]
    said.append(_against_key(packed, keys, track))
    with store.lock(keys.pretrain):
        if folder := store.read(keys.pretrain, *BASE_FILES):
            if weights_sha256(load_file(folder / WEIGHTS)) != about["weights_sha256"]:
                raise RuleBroken(
                    f"the store has another base model of {track.id}, seed {about['seed']}, with the same key: one of "
                    "the two was not made as its words say.\nNothing was added"
                )
            return [*said, "it is in the store already"]
        with store.writing(keys.pretrain) as draft:
            _write(packed, draft)
    return said


def _check_terms(about: Mapping[str, Any], track: Track) -> None:
    mine, theirs = _terms(track), about["terms"]
    if other := [name for name in TERMS if mine.get(name) != theirs.get(name)]:
        raise InputError(
            f"the base is of {as_given(about['track'])}, whose {' and '.join(other)} differ from those of {track.id}.\n"
            "Give --track the file of that track"
        )


def _against_records(packed: Packed, track: Track, home: Home) -> list[str]:
    """What the records of this home say of the base of the seed, under setups that hold it equal."""
    seed, sha256 = packed.about["seed"], packed.about["weights_sha256"]
    there = home.records.is_dir() and any(home.records.iterdir())
    known = {
        o.base.sha256: record.record_sha256
        for record in (read_sound(home.records, []) if there else ())
        if (o := record.outcome).base and (o.track, o.seed) == (track.id, seed)
        and o.setup in HARNESS_SETUPS and "base_model" in HARNESS_SETUPS[o.setup].factors
    }  # fmt: skip
    if others := [record for base, record in known.items() if base != sha256]:
        raise RuleBroken(
            f"the record {others[0][:12]} of this home has another base model of {track.id}, seed {seed}: not "
            f"{sha256[:12]}.\nNothing was added"
        )
    if known:
        return [f"the record {known[sha256][:12]} of this home names the same weights"]
    return [f"not verified: no record of this home names the base model of seed {seed}"]


def _against_key(packed: Packed, keys: Keys, track: Track) -> str:
    if keys.pretrain == packed.about["key"]:
        return "its key is the one that this machine would make it under"
    theirs, mine = packed.about["made_with"], _made_with(track)
    other = [f"{name} {theirs.get(name)} there, {mine.get(name)} here" for name in sorted({*theirs, *mine})
             if theirs.get(name) != mine.get(name)]  # fmt: skip
    why = shown("; ".join(other), 300) or "other versions of Prunemark's stages, or other names of files"
    return f"not verified: it was made under another key ({why}), so training it here could give other bits"


def _write(packed: Packed, draft: Path) -> None:
    save_file(packed.parts["weights"], draft / WEIGHTS)
    save_file(packed.parts["momentum"], draft / stages.MOMENTUM)
    stages.write_json(draft / STAGE, asdict(_stage_of(packed.about)))
    stages.write_json(draft / stages.CURVE, [asdict(point) for point in _curve_of(packed.about)])
