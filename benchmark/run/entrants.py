"""Who runs: the submission and, with it, its controls, each with what it declares and the settings it was given."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

from prunemark.benchmark.run.drive import Event, Executor
from prunemark.benchmark.run.home import Home
from prunemark.benchmark.run.jobs import WORKER, Job
from prunemark.benchmark.run.renamed import locate_here
from prunemark.benchmark.submission.covered import content_of
from prunemark.benchmark.submission.description import MethodDescription
from prunemark.benchmark.submission.locate import MethodSource, locate
from prunemark.benchmark.submission.names import check_name
from prunemark.benchmark.trial.environment import environment
from prunemark.benchmark.trial.plan import Request
from prunemark.benchmark.trial.store import Store, key_of
from prunemark.benchmark.trial.trial import Entrant
from prunemark.benchmark.trial.versions import versions
from prunemark.records.controls import RANDOM_CONTROL, REFERENCES
from prunemark.setups.budget import OWN_NOTHING
from prunemark.setups.errors import InputError


def describe_methods(
    specs: dict[str, MethodSource], home: Home, executor: Executor, isolation: str = ""
) -> dict[str, MethodDescription]:
    """What each method declares; from the store where its code is known already.

    Finding it out executes the method's file, in a child process. Raises InputError when it cannot be used.
    """
    keys = {
        name: key_of(
            "describe",
            # the identity leaves docstrings out, and what is described comes from them
            {
                "sha256": s.sha256,
                "words": hashlib.sha256(content_of(Path(s.path))).hexdigest(),
                "class": s.class_name,
                "name": name,
                "environment": environment(),
                "versions": versions("describe"),
            },
        )
        for name, s in specs.items()
    }
    found = {name: _stored_description(home.store, key) for name, key in keys.items()}
    jobs = [
        Job(name, f"{WORKER}:describe_job", (specs[name], name, isolation)) for name, d in found.items() if d is None
    ]

    def listen(event: Event) -> None:
        if event.kind == "failed" or (event.kind == "done" and isinstance(event.value, str)):
            raise InputError(f"{event.job.id} ({specs[event.job.id].path}) cannot be used:\n{event.value}")
        if event.kind == "done":
            found[event.job.id] = event.value
            with home.store.writing(keys[event.job.id]) as draft:
                (draft / "description.json").write_text(json.dumps(asdict(event.value)))

    if jobs:
        executor.run(jobs, listen)
    return {name: description for name, description in found.items() if description is not None}


def _stored_description(store: Store, key: str) -> MethodDescription | None:
    folder = store.read(key)
    return MethodDescription.from_dict(json.loads((folder / "description.json").read_text())) if folder else None


def entrants(
    spec: str, given_settings: dict[str, str], request: Request, home: Home, executor: Executor
) -> tuple[Entrant, tuple[Entrant, ...]]:
    """The submission, and the controls that run with it: anchor, random, scratch, dense.

    The submission's pruning epoch, where it has chosen one, is also that of the control with its layer ratios. Where
    the base is given, nothing is trained from scratch: how long that would have to be is not known.
    """
    track = request.track
    name, source = locate_here(spec, home.store)
    control = RANDOM_CONTROL[track.granularity]
    sources = {name: source} | {n: locate(n)[1] for n in (track.anchor, control)}
    check_name(name, source)
    described = describe_methods(sources, home, executor, request.isolation)

    def make(
        name: str, role: str, settings: dict[str, str], shares: bool = False, at: int | float | None = None
    ) -> Entrant:
        what = described[name]
        own = what.own_on(track.class_of_data)
        own = own if request.setup.own_pruning_epoch else replace(own, prune_at=None)
        return Entrant(
            name, "pruned", role, sources[name], tuple(what.with_settings(settings).items()),  # type: ignore[arg-type]
            what.granularity, own if at is None else replace(own, prune_at=at), what.summary, shares,
        )  # fmt: skip

    anchor = make(track.anchor, "anchor", {})
    submission = make(name, "submission", given_settings, at=request.prune_at)
    if name == anchor.name and (submission.settings, submission.own) == (anchor.settings, anchor.own):
        submission = anchor
    controls = [] if submission == anchor else [anchor]
    if name != control:
        controls.append(make(control, "control", {}, shares=True, at=submission.own.prune_at))
    controls += [
        Entrant(r.name, r.kind, "reference", None, (), track.granularity, OWN_NOTHING, r.summary, r.matched)
        for r in REFERENCES.values()
        if r.kind != "scratch" or not track.base
    ]
    return submission, tuple(controls)
