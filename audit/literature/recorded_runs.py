"""Records of this harness, and runs of any MLflow experiment, as entries of a comparison.

Of a harness record everything is known. Of a foreign run only what a mapping file points at is: what is not
logged is not reported. Runs that differ only in their seed become one entry with mean, sd and runs.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prunemark.audit.document.entry import Entry, read_entry
from prunemark.audit.document.same_as import EntryNodes
from prunemark.audit.document.yaml_nodes import Node, node_of, parse, read_file
from prunemark.audit.literature.pairs import GroupKey
from prunemark.records.executed import pipeline_of
from prunemark.records.load import read_records
from prunemark.records.record import Record
from prunemark.setups.errors import InputError, WorkFailed, need, unknown_name
from prunemark.setups.factors import plain_name
from prunemark.setups.pipeline import Training
from prunemark.setups.secrets import without_secrets
from prunemark.setups.values import Leaf, known

PLACES = ("params", "metrics", "tags", "value")
MAPPED = (
    "method", "kind", "dataset", "network.name", "network.dense_macs_millions", "granularity", "speedup", "sparsity",
    "params_kept", "base.id", "base.source", "base.top1", "pretraining.epochs", "pretraining.lr", "pruning.epochs",
    "pruning.lr", "retraining.epochs", "retraining.lr", "recipe.batch_size", "recipe.weight_decay",
    "recipe.label_smoothing", "recipe.distillation", "recipe.augmentation", "result.top1", "result.selection",
)  # fmt: skip
"""What a mapping file may point at."""

MAX_RUNS = 5_000


@dataclass(frozen=True)
class Mapped:
    """One line of a mapping: `params.lr`, `metrics.acc * 100`, or a fixed value."""

    place: str
    key: str
    scale: float = 1.0

    def of(self, run: Mapping[str, Mapping[str, Any]]) -> Any:
        """What the run logged there, or None."""
        if self.place == "value":
            return self.key
        found = run.get(self.place, {}).get(self.key)
        return found if found is None or self.scale == 1 else float(found) * self.scale


def entries_of_records(folder: Path) -> list[tuple[GroupKey, Entry]]:
    """The sound records of a folder, seeds together: ((dataset, network), entry), by method, level and setup."""
    sound = [r for r in read_records(folder).records if r.outcome.status == "ok" and r.outcome.accuracy]
    if not sound:
        raise InputError(f"no record in {str(folder)!r} has a result to audit")
    alike: dict[tuple[str, ...], list[Record]] = defaultdict(list)
    for record in sound:
        o = record.outcome
        alike[(o.track, o.setup, o.level, o.method.name, repr(sorted(o.method.settings.items())))].append(record)
    return [_of_records(records) for _, records in sorted(alike.items())]


def _of_records(records: Sequence[Record]) -> tuple[GroupKey, Entry]:
    first, pipeline = records[0].outcome, pipeline_of(records[0])
    accuracies = [r.outcome.accuracy.test_percent for r in records if r.outcome.accuracy]
    bases = [r.outcome.base.test_percent for r in records if r.outcome.base]
    shas = sorted({r.outcome.base.sha256 for r in records if r.outcome.base})
    data: dict[str, Any] = {
        "method": first.method.name,
        "kind": first.method.kind,
        "dataset": known(pipeline.dataset),
        "network": {"name": known(pipeline.network), "dense_macs_millions": (known(pipeline.dense_macs) or 0) / 1e6},
        "granularity": known(pipeline.granularity),
        "speedup": known(pipeline.speedup),
        "sparsity": None if (share := known(pipeline.sparsity)) is None else f"{100 * share:.10g}%",
        "flops_convention": "MACs",
        "base": {"id": " ".join(shas) or None, "top1": _mean(bases)},
        "stages": [
            _stage(stage, training)
            for stage, training in zip(("pretraining", "pruning", "retraining"), pipeline.stages, strict=True)
            if not (first.method.kind == "scratch" and stage != "retraining")
        ],
        "recipe": {k: v for k, v in vars(pipeline.details).items() if known(v) is not None},
        "result": {"top1": _mean(accuracies), **_spread(accuracies), "selection": "last"},
    }
    name = f"{first.method.name} [{first.setup} {first.level}]"
    return (f"{first.track} {first.level}", first.setup), _entry(name, data, f"records of {name}")


def _stage(stage: str, training: Training) -> dict[str, Any]:
    lr: Leaf[Any] = training.lr
    return {"stage": stage, "epochs": known(training.epochs), "lr": str(known(lr)) if known(training.epochs) else None}


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _spread(values: Sequence[float]) -> dict[str, Any]:
    """Runs and their sample standard deviation; no sd of one run."""
    if len(values) < 2:
        return {"runs": len(values)}
    middle = sum(values) / len(values)
    return {"runs": len(values), "top1_sd": math.sqrt(sum((v - middle) ** 2 for v in values) / (len(values) - 1))}


def _entry(name: str, data: dict[str, Any], where: str) -> Entry:
    return read_entry(name, EntryNodes({name: node_of(data, where)}))


def own_repeats(folder: Path) -> dict[GroupKey, float]:
    """This project's own run-to-run sd in points, by (dataset, network): the root mean square over its entries."""
    found: dict[GroupKey, list[float]] = defaultdict(list)
    for _, entry in entries_of_records(folder):
        sd = known(entry["result.top1_sd"].value)
        dataset = str(known(entry["dataset"].value)).split()[0]
        if sd is not None:
            found[(plain_name(dataset), plain_name(str(known(entry["network.name"].value))))].append(sd)
    return {key: math.sqrt(sum(sd**2 for sd in sds) / len(sds)) for key, sds in found.items()}


def read_mapping(path: Path) -> dict[str, Mapped]:
    """A mapping file: field -> where it was logged. Raises InputError with the place and the valid fields."""
    root = parse(read_file(path), str(path))
    if root.kind != "mapping" or not root.entries:
        raise InputError(f"{root.where}: a mapping file has lines such as `retraining.lr: params.lr`")
    return {field: _mapped(field, node) for field, node in root.entries.items()}


def _mapped(field: str, node: Node) -> Mapped:
    if field not in MAPPED:
        problem = unknown_name("field", field[:60], MAPPED)
        raise InputError(f"{node.where}: {problem.args[0]}")
    if node.kind == "mapping" and "value" in node.entries:
        return Mapped("value", node.entries["value"].text)
    text, _, scale = node.text.partition("*")
    place, _, key = text.strip().partition(".")
    if node.kind != "scalar" or place not in PLACES[:3] or not key:
        raise InputError(
            f"{node.where}: {field} is params.NAME, metrics.NAME, tags.NAME (with `* 100` behind it if it is a "
            f"fraction) or {{value: CIFAR-10}}"
        )
    try:
        return Mapped(place, key.strip(), float(scale) if scale else 1.0)
    except ValueError:
        raise InputError(f"{node.where}: {scale.strip()[:40]!r} is not a number to multiply with") from None


def read_mlflow(experiment: str, uri: str | None) -> list[dict[str, dict[str, Any]]]:
    """The finished runs of an experiment: their params, last metrics and tags. Raises InputError if there is none."""
    need("run", "reading runs from MLflow")
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient(tracking_uri=uri)
    try:
        found = client.get_experiment_by_name(experiment)
        if found is None:
            names = [e.name for e in client.search_experiments(max_results=50)]
            raise unknown_name("experiment", experiment, names)
        runs = client.search_runs([found.experiment_id], "attributes.status = 'FINISHED'", max_results=MAX_RUNS)
    except MlflowException as problem:
        raise WorkFailed(f"MLflow does not answer: {without_secrets(problem, uri or '')[:200]}") from None
    if not runs:
        raise InputError(f"the experiment {experiment!r} has no finished run")
    return [
        {"params": dict(r.data.params), "metrics": dict(r.data.metrics), "tags": dict(r.data.tags)} for r in runs
    ]  # fmt: skip


def entries_of_runs(
    runs: Sequence[Mapping[str, Mapping[str, Any]]], mapping: Mapping[str, Mapped]
) -> list[tuple[GroupKey, Entry]]:
    """Foreign runs as entries: those alike in everything mapped but the accuracies are repeats of one pipeline."""
    alike: dict[tuple[tuple[str, str], ...], list[dict[str, Any]]] = defaultdict(list)
    for run in runs:
        values = {field: found for field, where in mapping.items() if (found := where.of(run)) is not None}
        key = tuple(sorted((f, str(v)) for f, v in values.items() if f not in ("result.top1", "base.top1", "base.id")))
        alike[key].append(values)
    return [_of_runs(number, its) for number, its in enumerate(alike.values(), 1)]


def _of_runs(number: int, runs: Sequence[Mapping[str, Any]]) -> tuple[GroupKey, Entry]:
    merged: dict[str, Any] = dict(runs[0])
    accuracies = [_as_float(run["result.top1"]) for run in runs if "result.top1" in run]
    bases = sorted({str(run["base.id"]) for run in runs if "base.id" in run})
    data: dict[str, Any] = {"stages": []}
    for field, value in merged.items():
        part, _, inner = field.partition(".")
        if part in ("pretraining", "pruning", "retraining"):
            continue
        if inner:
            data.setdefault(part, {})[inner] = value
        else:
            data[part] = value
    for stage in ("pretraining", "pruning", "retraining"):
        its = {name: merged[f"{stage}.{name}"] for name in ("epochs", "lr") if f"{stage}.{name}" in merged}
        if its:
            data["stages"].append({"stage": stage, **its})
    if bases:
        data["base"]["id"] = " ".join(bases)
    if accuracies:
        data.setdefault("result", {}).update({"top1": _mean(accuracies), **_spread(accuracies)})
    name = f"{merged.get('method', 'runs')} #{number}"
    return (str(merged.get("dataset", "?")), str(merged.get("network.name", "?"))), _entry(
        name, data, f"runs of {name}"
    )


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(f"result.top1 of a run is {str(value)[:40]!r}, not a number: map it to a metric") from None
