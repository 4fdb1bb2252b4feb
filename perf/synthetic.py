"""Made-up records, valid in every field and as large as real ones, for measuring what becomes of many.

Nothing in them was measured. A track has the same field as every other: more records are more tracks, as a board
grows, and not a larger field in every table.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path

import numpy as np

from prunemark.records.observed import Latency, Observed
from prunemark.records.outcome import (
    Accuracy,
    BaseModel,
    Compression,
    Diagnostics,
    EpochPoint,
    Failure,
    MeteredStage,
    Method,
    Outcome,
    pack_correctness,
)
from prunemark.records.pack import line_of, write_lines
from prunemark.records.record import SCHEMA, Record, canonical_json
from prunemark.records.source import MethodFiles, write_method
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.track import Track
from prunemark.setups.track_files import released_tracks

SETUPS = ("S2", "S3.1", "S3.2", "S4.2", "SX-A")
SEEDS, METHODS, EXAMPLES, IN_A_PACK = 8, 20, 500, 1000
DENSE_MACS = 193_344
SUMMARY = "a made-up method whose accuracy is drawn at random, so that there is something to rank"


def make_records(count: int, seed: int = 0) -> Iterator[Record]:
    """`count` records, the same for the same seed; whole tracks one after the other, the last one cut short."""
    return islice((record for number in iter(range(10**6)) for record in _of_a_track(number, seed)), count)


def write_board(folder: Path, count: int, seed: int = 0) -> None:
    """A board's folder with `count` records in packs, and the sources of their methods."""
    records = make_records(count, seed)
    while lines := [(record.outcome.track, line_of(record)) for record in islice(records, IN_A_PACK)]:
        for track in sorted({track for track, _ in lines}):
            # compressed little: packing is not what is measured, and it would take longer than all the rest
            write_lines([line for of, line in lines if of == track], folder / "records" / track, preset=0)
    for index in range(METHODS):
        write_method(_source(index), folder / "methods")


def _of_a_track(number: int, seed: int) -> Iterator[Record]:
    like = list(released_tracks().values())[number % len(released_tracks())]
    short = parse_schedule("0:1e-1,15:1e-2", 30)
    track = dataclasses.replace(
        like, name=f"synthetic-{number:03d}", family=f"synthetic x {number % 6}",
        pretraining=dataclasses.replace(like.pretraining, lr=short),
        retraining=dataclasses.replace(like.retraining, lr=short),
    )  # fmt: skip
    terms = json.loads(canonical_json(track.as_dict()))
    bits = np.random.default_rng([seed, number])
    for setup, level, index, s in product(SETUPS, track.levels, range(METHODS), range(SEEDS)):
        outcome = _outcome(track, setup, level.name, index, s, bits)
        yield Record(SCHEMA, dataclasses.replace(outcome, track_terms=terms), _observed(bits))


def _source(index: int) -> MethodFiles:
    text = f'class Method{index:02d}:\n    """{SUMMARY}"""\n' + "    # a line of a method\n" * 30
    return MethodFiles(f"Method{index:02d}", ((f"method{index:02d}.py", text),))


_HASHES = [_source(index).source_sha256 for index in range(METHODS)]


def _outcome(track: Track, setup: str, level: str, index: int, seed: int, bits: np.random.Generator) -> Outcome:
    method = Method(
        track.anchor if index == 0 else f"Method{index:02d}", "pruned", "submission" if index else "anchor",
        _HASHES[index], {"allocation": "uniform", "power": 2.0}, SUMMARY,
    )  # fmt: skip
    pretraining = _trained(track.pretraining, DENSE_MACS)
    failed = index == METHODS - 1 and seed % 4 == 3
    outcome = Outcome(
        trial_key=_name("trial", track.id, setup, level, index, seed), track=track.id, track_terms={}, setup=setup,
        level=level, seed=seed, method=method, status="failed" if failed else "ok",
        failure=Failure("exception", "RuntimeError: made up to fail") if failed else None,
        base=BaseModel(_name("base", track.id, seed), 97.0 + seed / 10, pretraining),
        pruning=MeteredStage(0, (), 0, 0, 0),
        retraining=None, retraining_recipe=None, compression=None, curve=(), accuracy=None, weights_sha256=None,
        data_sha256=_name("data", track.dataset),
    )  # fmt: skip
    return outcome if failed else dataclasses.replace(outcome, **_result(track, level, index, bits))


def _trained(recipe: Recipe, macs: int) -> MeteredStage:
    """As metered over the recipe's epochs of 1,097 images."""
    samples, steps = 1097 * recipe.epochs, -(-1097 // recipe.batch_size) * recipe.epochs
    return MeteredStage(
        recipe.epochs, recipe.lr.vector, steps, samples, 6 * samples * macs, samples * macs, 2 * samples * macs
    )


def _result(track: Track, level: str, index: int, bits: np.random.Generator) -> dict[str, object]:
    goal = track.level(level)
    # a field in which some methods are better, most differ by less than the noise
    correct = bits.random(EXAMPLES) < 0.93 + 0.002 * (index % 10) + bits.normal(0, 0.004)
    speedup = goal.speedup or 1.0
    macs = round(DENSE_MACS / speedup)
    stage = _trained(track.retraining, macs)
    epochs = stage.epochs
    validation, loss = bits.uniform(80, 97, epochs).round(1).tolist(), bits.exponential(0.5, epochs).tolist()
    layers = {name: 16 for name in track.prunable}
    return {
        "retraining": stage,
        "retraining_recipe": track.retraining.as_dict(),
        "compression": Compression(
            goal.speedup, None if goal.speedup else goal.ratio, speedup, 0.0 if goal.speedup else goal.ratio,
            DENSE_MACS, macs, 19_810, 4_000, "uniform", dict.fromkeys(layers, 4), layers,
        ),
        "curve": tuple(
            EpochPoint(epoch, stage.lr[epoch], loss[epoch], validation[epoch]) for epoch in range(epochs)
        ),
        "accuracy": Accuracy(
            100.0 * int(correct.sum()) / EXAMPLES, EXAMPLES, pack_correctness(correct), validation[-1], max(validation)
        ),
        "weights_sha256": hashlib.sha256(bits.bytes(8)).hexdigest(),
        "diagnostics": Diagnostics(
            float(np.mean(validation[:15])), 15, float(bits.uniform(0.1, 2)), False, float(bits.normal(0, 0.1)),
            float(bits.random()), max(validation) - validation[-1],
        ),
    }  # fmt: skip


def _observed(bits: np.random.Generator) -> Observed:
    seconds = bits.uniform(0.1, 9.0, 6).tolist()
    versions = {name: "1.2.3" for name in ("mlflow", "numpy", "prunemark", "python", "scikit-learn", "timm", "torch")}
    return Observed(
        "2026-01-01T00:00:00+00:00", *seconds[:3], Latency(1, 60, *seconds[3:]), "cpu", "a processor", versions,
        "process",
    )  # fmt: skip


def _name(*parts: object) -> str:
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()
