"""What of a record, and of a submission, MLflow shows in its columns."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from prunemark.benchmark.trial.store import key_of
from prunemark.records.outcome import EpochPoint
from prunemark.records.record import Record
from prunemark.setups.track import DENSE_LEVEL

KEY_TAG, SETUP_TAG = "prunemark.trial_key", "prunemark.setup"
NOTE_TAG = "mlflow.note.content"
LONGEST_DIGEST, LONGEST_PARAMETER, LONGEST_TAG = 36, 500, 5000
WHAT_TO_LOOK_AT = (
    "What to look at: the verdict of each level, above; the whole table with intervals, `tables.md` under *Artifacts*; "
    "single trials under *Child runs*. A control that had run before is under the submission that it first ran with."
)


@dataclass(frozen=True)
class Submission:
    """The parent run: what was submitted, where. `key` is its identity: the same method under the same setup."""

    track: str
    setup: str
    name: str
    summary: str
    key: str
    settings: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Standing:
    """What a parent run says of its submission once there are tables: seeds, verdicts by level, and the tables."""

    seeds: str = ""
    verdicts: dict[str, str] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)
    """Contents by the name of their file."""


def submission_key(track: str, setup: str, name: str, source_sha256: str, settings: dict[str, Any]) -> str:
    """The identity of a submission in MLflow: the same method under the same setup is the same submission."""
    identity = {"track": track, "setup": setup, "name": name}
    return key_of("submission", identity | {"source": source_sha256, "settings": settings})


def label_of(record: Record) -> str:
    """How a trial is called, from its record: as `Trial.label`."""
    outcome = record.outcome
    level = "" if outcome.level == DENSE_LEVEL.name else f" {outcome.level}"
    return f"{outcome.method.name}{level} seed {outcome.seed}"


def filterable_tags(record: Record) -> dict[str, str]:
    """What runs are looked up by."""
    outcome = record.outcome
    return {
        KEY_TAG: outcome.trial_key,
        SETUP_TAG: outcome.setup,
        "prunemark.level": outcome.level,
        "prunemark.method": outcome.method.name,
        "prunemark.role": outcome.method.role,
        "prunemark.status": outcome.status,
    }


def parameters(record: Record) -> dict[str, str]:
    """What was set: for MLflow's parameter columns."""
    outcome = record.outcome
    fixed = {
        "method": outcome.method.name,
        "method_source_sha256": outcome.method.source_sha256,
        "track": outcome.track,
        "level": outcome.level,
        "setup": outcome.setup,
        "seed": outcome.seed,
        "device": record.observed.device,
    }
    fixed |= {"devices": record.observed.processes} if record.observed.processes > 1 else {}
    settings = {f"setting.{name}": value for name, value in outcome.method.settings.items()}
    recipe = {f"retraining.{name}": value for name, value in (outcome.retraining_recipe or {}).items()}
    return {name: str(value)[:LONGEST_PARAMETER] for name, value in (fixed | settings | recipe).items()}


def final_metrics(record: Record) -> dict[str, float]:
    """What was reached: for MLflow's metric columns."""
    outcome, metrics = record.outcome, dict[str, float]()
    if outcome.accuracy:
        metrics["test_accuracy_percent"] = outcome.accuracy.test_percent
    if outcome.base and outcome.accuracy:
        metrics["drop_pp"] = round(outcome.base.test_percent - outcome.accuracy.test_percent, 6)
    if compression := outcome.compression:
        metrics["speedup_macs"] = compression.speedup_macs
        metrics["sparsity"] = compression.sparsity
        metrics["params"] = float(compression.params)
        metrics["macs"] = float(compression.macs)
    return metrics


def epoch_metrics(stage: str, point: EpochPoint) -> dict[str, float]:
    """One epoch; what was not finite is left out."""
    values = {
        "train_loss": point.train_loss,
        "validation_accuracy_percent": point.validation_accuracy_percent,
        "lr": point.lr,
    }
    return {f"{stage}.{name}": value for name, value in values.items() if value is not None}


def curve(points: dict[tuple[str, int], tuple[EpochPoint, int]]) -> list[Any]:
    """MLflow's metrics of the epochs of a trial: (stage, epoch) -> (what was measured, when in milliseconds)."""
    from mlflow.entities import Metric

    return [
        Metric(name, value, when, epoch)
        for (stage, epoch), (point, when) in sorted(points.items(), key=lambda item: item[0])
        for name, value in epoch_metrics(stage, point).items()
    ]


def status(of_record: str) -> str:
    """MLflow's word for the status of a record."""
    return "FINISHED" if of_record == "ok" else "FAILED"


def finished_ms(record: Record) -> int:
    """When a record was made, in milliseconds since 1970: what is logged from it carries this time, however often."""
    try:
        found = datetime.fromisoformat(record.observed.finished_at)
    except ValueError:
        return 0
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def parent_tags(submission: Submission) -> dict[str, str]:
    """What a parent run is looked up by, and its description."""
    return {
        "prunemark.method": submission.name,
        "prunemark.track": submission.track,
        SETUP_TAG: submission.setup,
        NOTE_TAG: submission.summary[:LONGEST_TAG],
    }


def parent_parameters(submission: Submission) -> dict[str, str]:
    """What was submitted, for MLflow's parameter columns."""
    settings = {f"setting.{name}": str(value)[:LONGEST_PARAMETER] for name, value in submission.settings}
    return {"method": submission.name, "track": submission.track, "setup": submission.setup} | settings


def standing_tags(submission: Submission, standing: Standing) -> dict[str, str]:
    """Seeds and verdicts as tags, and all of it as the description that MLflow shows above the run."""
    rows = [f"| {level} | {verdict} |" for level, verdict in standing.verdicts.items()]
    table = ["", "| level | verdict |", "|---|---|", *rows] if rows else []
    seeds = [f"Seeds: {standing.seeds}"] if standing.seeds else []
    words = f"**{submission.name}** on {submission.track} under {submission.setup}"
    note = "\n".join([words, "", submission.summary, "", *seeds, *table, "", WHAT_TO_LOOK_AT])
    verdicts = {f"prunemark.verdict.{_plain(level)}": verdict for level, verdict in standing.verdicts.items()}
    return {NOTE_TAG: note[:LONGEST_TAG], "prunemark.seeds": standing.seeds[:LONGEST_TAG]} | verdicts


def dataset_of(record: Record) -> Any:
    """The data that a trial was trained on, as MLflow's input; its digest is the beginning of the record's hash."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    name = str(record.outcome.track_terms.get("dataset", record.outcome.track))
    digest = record.outcome.data_sha256
    source = f'{{"dataset": "{_plain(name)}", "sha256": "{digest}"}}'
    dataset = Dataset(name=name[:500], digest=digest[:LONGEST_DIGEST], source_type="prunemark", source=source)
    return DatasetInput(dataset=dataset, tags=[InputTag("mlflow.data.context", "training")])


def _plain(text: str) -> str:
    """Letters that MLflow takes in the name of a tag: it refuses a percent sign."""
    return re.sub(r"[^A-Za-z0-9_\-. :/]", "", text.replace("%", " percent"))
