"""What a newcomer finds behind the link that `submit` prints, as MLflow stores it: its pages show these tags."""

import json

import pytest

from prunemark.benchmark.run import mlflow_view as view
from prunemark.benchmark.run.home import Home, open_home
from prunemark.benchmark.run.mlflow_address import runs_link
from prunemark.benchmark.run.mlflow_fields import Standing, Submission, final_metrics, parameters
from prunemark.benchmark.run.mlflow_store import connect
from prunemark.benchmark.run.tracking import Tracker

TRACK = "digits-resnet8@1"
FIRST, SECOND = (Submission(TRACK, "S3.2", name, f"what {name} is", f"{name}-key-of-32") for name in ("Mine", "Other"))


@pytest.fixture
def home(tmp_path, furnish):
    return open_home(Home(furnish(tmp_path)))


def logged(home, submission, *records):
    with Tracker(home.mlflow_uri, home, submission) as mirror:
        for record in records:
            mirror.finish(record.record_sha256, f"{record.outcome.method.name} seed {record.outcome.seed}", record, {})
        mirror.describe(Standing("0", {"90%": "better"}))
    client = connect(home.mlflow_uri, home)
    return client, client.get_experiment_by_name(TRACK)


def view_in(experiment, submission):
    """The view that the address of a submission names."""
    link = runs_link("http://there", experiment.experiment_id, submission.key)
    assert link.startswith(f"http://there/#/experiments/{experiment.experiment_id}/runs?")
    name = link.rpartition("viewStateShareKey=")[2]
    return json.loads(experiment.tags[f"mlflow.sharedViewState.{name}"])


def test_the_link_leads_to_the_runs_of_a_submission_with_its_controls(home, make_record):
    control = make_record(method="L1-norm", seed=0)
    logged(home, FIRST, make_record(method="Mine", seed=0), control)
    client, experiment = logged(home, SECOND, make_record(method="Other", seed=0), control)
    for submission in (FIRST, SECOND):
        shown = client.search_runs([experiment.experiment_id], view_in(experiment, submission)["searchFilter"])
        names = sorted(run.info.run_name for run in shown)
        assert names == sorted(["L1-norm seed 0", f"{submission.name} seed 0", f"{submission.name} under S3.2"])
    runs = client.search_runs([experiment.experiment_id], "params.method = 'L1-norm'")
    assert [run.data.tags[view.SUBMISSIONS_TAG] for run in runs] == ["Mine-key-of- Other-key-of"]


def test_the_columns_of_the_view_are_what_a_trial_has(home, make_record):
    record = make_record(method="Mine", seed=0)
    _, experiment = logged(home, FIRST, record)
    state = view_in(experiment, FIRST)
    there = {f"params.`{name}`" for name in parameters(record)}
    there |= {f"metrics.`{name}`" for name in final_metrics(record)}
    assert set(state["selectedColumns"]) <= there and state["orderByKey"] in there
    assert state["columnOrder"][0] == "attributes.`Run Name`" and state["columnOrder"][2:] == state["selectedColumns"]
    assert set(state["columnWidths"]) == set(state["columnOrder"])


def test_descriptions_say_what_to_look_at_and_leave_what_somebody_wrote(home, make_record):
    client, experiment = logged(home, FIRST, make_record(method="Mine", seed=0))
    first = experiment.tags["mlflow.note.content"].partition("\n")[0]  # MLflow shows this much of it unasked
    assert "test_accuracy_percent" in first and "verdict" in first
    parent = client.search_runs([experiment.experiment_id], "tags.`prunemark.kind` = 'submission'")[0]
    assert "What to look at: the verdict" in parent.data.tags["mlflow.note.content"]
    client.set_experiment_tag(experiment.experiment_id, "mlflow.note.content", "ours")
    assert logged(home, SECOND)[1].tags["mlflow.note.content"] == "ours"
