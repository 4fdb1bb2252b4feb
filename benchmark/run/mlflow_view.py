"""What MLflow's own pages show first: the description of an experiment, and the table of one submission's runs.

MLflow keeps a shared view of its table of runs as a tag of the experiment (since 2.4), and shows it where an address
names the view. Its other default columns are empty for Prunemark. Sorted by a parameter and not by time, the table has
every trial on a line; by time MLflow would fold them under the run of the submission.
"""

from __future__ import annotations

import json
from typing import Any

from prunemark.benchmark.run.mlflow_fields import NOTE_TAG, Submission

EXPERIMENT_KIND = ("mlflow.experimentKind", "custom_model_development")
"""What makes MLflow 3 show runs first, and not traces of language models."""
NOTE = (
    "**Compare `test_accuracy_percent` at the same `level`.** For the verdicts, open the run *METHOD under SETUP*.\n\n"
    "- A run with a seed in its name is a trial: one method, level and seed.\n"
    "- `drop_pp`: points of accuracy lost to the base model.\n"
    "- `speedup_macs`: how many times fewer multiply-accumulates, not time.\n"
    "- L1-norm or another anchor, Random, Scratch and Dense ran for comparison.\n"
    "- One seed decides nothing, and neither does the best one. Only the verdict counts the noise between seeds.\n"
    "- MLflow is a mirror: `prunemark leaderboard` has the tables, with intervals."
)
SUBMISSIONS_TAG = "prunemark.submissions"
"""The submissions that a run belongs to, separated by spaces: a control runs once and serves several."""
KEY_SHOWN = 12
COLUMNS = {
    "attributes.`Run Name`": 250,
    "runDateAndNestInfo": 120,
    "params.`level`": 75,
    "params.`seed`": 65,
    "metrics.`test_accuracy_percent`": 185,
    "metrics.`drop_pp`": 90,
    "metrics.`speedup_macs`": 130,
    "params.`method`": 140,
}
"""In order, with their widths in pixels. The first two are MLflow's own and are always there."""


def short_key(submission_key: str) -> str:
    """As much of a submission's key as names it in tags and addresses."""
    return submission_key[:KEY_SHOWN]


def view_name(submission_key: str) -> str:
    """What an address calls the view of a submission."""
    return f"prunemark-{short_key(submission_key)}"


def view_of(submission: Submission) -> tuple[str, str]:
    """The tag of an experiment that holds the view of a submission: its own run, its trials and its controls."""
    state = {
        "searchFilter": f"tags.`{SUBMISSIONS_TAG}` LIKE '%{short_key(submission.key)}%'",
        "orderByKey": "params.`method`",
        "orderByAsc": True,
        "selectedColumns": list(COLUMNS)[2:],
        "columnOrder": list(COLUMNS),
        "columnWidths": COLUMNS,
    }
    return f"mlflow.sharedViewState.{view_name(submission.key)}", json.dumps(state)


def first_tags(there: dict[str, str]) -> dict[str, str]:
    """What an experiment lacks to be shown as runs with a description; what somebody wrote there stays."""
    return {name: text for name, text in (EXPERIMENT_KIND, (NOTE_TAG, NOTE)) if name not in there}


def show(client: Any, experiment: str, submission: Submission) -> None:
    """Keeps the view of a submission in its experiment."""
    client.set_experiment_tag(experiment, *view_of(submission))
