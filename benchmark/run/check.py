"""Is a submission well-formed? The contract, carried out on an untrained network of a small track, in seconds."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from prunemark.benchmark.images.data import load_split, tensor_dict
from prunemark.benchmark.networks.registry import build_network
from prunemark.benchmark.networks.weights import weights_sha256
from prunemark.benchmark.run.doctor import CheckResult
from prunemark.benchmark.sandbox.child import ChildFailed
from prunemark.benchmark.sandbox.explain import SANDBOX
from prunemark.benchmark.submission.describe import describe_in_child
from prunemark.benchmark.submission.description import MethodDescription
from prunemark.benchmark.submission.locate import MethodSource
from prunemark.benchmark.submission.place import place_of, said_and_advice
from prunemark.benchmark.trial.own_data import prepared
from prunemark.benchmark.trial.packing import WEIGHTS
from prunemark.benchmark.trial.plan import runs_on, what_it_prunes
from prunemark.benchmark.trial.pruned import counts_of
from prunemark.benchmark.trial.pruning_stage import Stage, run_stage
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.setups.budget import budget_for
from prunemark.setups.comparison import SETUPS, listed_where
from prunemark.setups.track import Level, Track
from prunemark.setups.track_files import find_track

SMALL_TRACK = {"filter": "digits-resnet8", "weight": "digits-resnet8-weights", "N:M": "digits-resnet8-2to4"}
SETUP = SETUPS["S3.2"]
ADVICE = {
    "failed": "docs/writing-a-method.md has the contract",
    "noncompliant": "return what context.decide gives: it meets the target exactly",
    "timeout": "make it faster, or give submit --pruning-seconds",
    "budget_exceeded": "train for fewer epochs in the pruning stage; `prunemark tracks show` says how many are granted",
    "out_of_memory": "use less memory",
}
SANDBOX_ADVICE = "docs/writing-a-method.md says what a method's process may read and do"


def check_method(
    name: str, source: MethodSource, settings: dict[str, str], track: Track | None, store: Store, isolation: str = ""
) -> list[CheckResult]:
    """All findings, in the order in which a trial would meet them; the last one is 'broken' where it would end.

    `store` has the images of a track with its author's own. Forks: call it in a process whose torch has one thread.
    Raises InputError for an unknown setting.
    """
    findings = [CheckResult("class", "fine", f"{source.class_name} in {Path(source.path).name}")]
    try:
        description = describe_in_child(source, name, isolation)
    except ChildFailed as failure:
        return [*findings, _broken("contract", failure, source)]
    values = description.with_settings(settings)
    found = track or find_track(SMALL_TRACK[description.granularity])
    shown = ", ".join(f"{key}={value}" for key, value in values.items()) or "no settings"
    findings.append(CheckResult("contract", "fine", f"{what_it_prunes(description.granularity)}; {shown}"))
    if not runs_on(description.granularity, found):
        advice = f"choose another track, such as {SMALL_TRACK[description.granularity]}"
        return [*findings, CheckResult("track", "broken", f"{found.id} {what_it_prunes(found.granularity)}", advice)]
    entrant = Entrant(
        name,
        "pruned",
        "submission",
        source,
        tuple(values.items()),
        description.granularity,
        description.own_on(found.class_of_data),
    )
    return findings + _try_levels(entrant, found, source, store, isolation) + _remarks(description)


def _try_levels(
    entrant: Entrant, track: Track, source: MethodSource, store: Store, isolation: str
) -> list[CheckResult]:
    """Prunes an untrained network at every level, twice: the same seed has to give the same decision."""
    findings = []
    with tempfile.TemporaryDirectory(prefix="prunemark-check-") as folder:
        base = Path(folder, "base")
        base.mkdir()
        data = prepared(track, store, Path(folder, "data"))
        shape = load_split(track.dataset, data, "validation", torch.device("cpu")).shape
        save_file(tensor_dict(build_network(track.network, shape, 0).state_dict()), base / WEIGHTS)
        for level in track.levels:
            try:
                findings.append(_try_level(entrant, track, level, base, data, isolation))
            except ChildFailed as failure:
                return [*findings, _broken(f"level {level.name}", failure, source)]
    return findings


def _try_level(entrant: Entrant, track: Track, level: Level, base: Path, data: Path, isolation: str) -> CheckResult:
    budget = budget_for(track, SETUP, level, "pruned")
    trial = Trial(track, level, SETUP, 0, entrant, budget, "cpu", track.pruning_seconds_limit, isolation=isolation)
    stages = [run_stage(trial, base, data, None) for _ in range(2)]
    first = stages[0]
    counts = counts_of(first.said.decision)
    kept = (
        f"keeps {' / '.join(map(str, counts.values()))} {track.granularity}s; {first.said.stage.epochs} epochs trained"
    )
    kept = f"{kept}; lane {first.process.lane}"
    if first.process.lane == "own" and not first.said.stage.steps:
        advice = (
            "nothing was trained, and weights, batch-norm statistics or hooks of the model changed: score a copy, or "
            "in evaluation mode, and the lane is decision"
        )
        return CheckResult(f"level {level.name}", "note", kept, advice)
    if _what_it_gave(first) != _what_it_gave(stages[1]):
        advice = "draw every random number from context.generator, so that a seed gives one result"
        return CheckResult(f"level {level.name}", "note", f"{kept}; a second run with the same seed differs", advice)
    return CheckResult(f"level {level.name}", "fine", f"{kept}; the same when run again")


def _what_it_gave(stage: Stage) -> tuple[dict[str, list[int]], str, str]:
    """Everything that has to come out again: what stays, and the weights."""
    decision = stage.said.decision
    kept = {name: sorted(indices.tolist()) for name, indices in decision.kept.items()}
    return kept, weights_sha256(decision.masks), weights_sha256(stage.weights)


def _broken(what: str, failure: ChildFailed, source: MethodSource) -> CheckResult:
    """The failure with the line of the submitted file that it came from."""
    where = place_of(failure.trace, source.path, source.class_name)
    happened, advice = said_and_advice(failure.evidence)
    if not advice:
        advice = SANDBOX_ADVICE if failure.rule == SANDBOX else ADVICE.get(failure.status, "")
        if failure.status == "failed" and where.startswith("line"):
            advice = f"correct the method at the line named; {advice}"
    return CheckResult(what, "broken", f"{failure.rule}: {happened}{where and f' ({where})'}", advice)


def _remarks(description: MethodDescription) -> list[CheckResult]:
    remarks = []
    if not description.summary:
        remarks.append(
            CheckResult("docstring", "note", "none", "say in one sentence what it is and where it was published")
        )
    if not description.retraining:
        what = f"none declared: the track's is used under {listed_where(lambda setup: setup.own_retraining_lr)}"
        remarks.append(
            CheckResult("own recipe", "note", what, "declare one with `retraining = OwnRecipe(...)` if it has one")
        )
    return remarks
