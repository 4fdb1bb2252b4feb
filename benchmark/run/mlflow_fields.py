"""What of a record MLflow shows in its columns."""

from __future__ import annotations

from typing import Any

from prunemark.records.record import Record

KEY_TAG, SETUP_TAG = "prunemark.trial_key", "prunemark.setup"


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


def parameters(record: Record) -> dict[str, Any]:
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
    settings = {f"setting.{name}": value for name, value in outcome.method.settings.items()}
    recipe = {f"retraining.{name}": value for name, value in (outcome.retraining_recipe or {}).items()}
    return fixed | settings | recipe


def final_metrics(record: Record) -> dict[str, float]:
    """What was reached: for MLflow's metric columns."""
    outcome, metrics = record.outcome, dict[str, float]()
    if outcome.accuracy:
        metrics["test_accuracy_percent"] = outcome.accuracy.test_percent
    if outcome.base and outcome.accuracy:
        metrics["drop_pp"] = outcome.base.test_percent - outcome.accuracy.test_percent
    if compression := outcome.compression:
        metrics["speedup_macs"] = compression.speedup_macs
        metrics["sparsity"] = compression.sparsity
        metrics["params"] = float(compression.params)
        metrics["macs"] = float(compression.macs)
    return metrics
