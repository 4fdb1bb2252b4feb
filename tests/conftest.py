"""Synthetic records, valid in every field, for tests of whatever reads records."""

import contextlib
import gc
import importlib.util
import os
import shutil
import sqlite3
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from prunemark.benchmark.run import fork_server, mlflow_database
from prunemark.records.observed import Latency, Observed
from prunemark.records.outcome import (
    Accuracy,
    BaseModel,
    Compression,
    EpochPoint,
    MeteredStage,
    Method,
    Outcome,
    pack_correctness,
)
from prunemark.records.record import SCHEMA, Record
from prunemark.setups.schedule import from_vector
from prunemark.setups.track_files import find_track, released_tracks

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as in the harness: a process that has threads must not be forked

# Quiet passes at the end of `submit` are short in the processes of an executor.
fork_server.PRELOADED.append("support.brief")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))

LR = (0.1, 0.01)
LONGEST_FIRST = (
    "test_docs", "test_cli", "test_red_team", "test_setups_run", "test_contribution", "test_golden_stages",
    "test_mlflow_server", "test_own_parts", "test_committed_results", "test_check", "test_trial", "test_confirm",
    "test_container", "test_export", "test_unstructured_trials", "test_python_api", "test_faults",
    "test_mlflow_rebuild", "test_site_access", "test_until", "test_fill", "test_given_trials", "test_interruption",
    "test_structured_field", "test_site_browser", "test_docs_shown",
)  # fmt: skip


def pytest_collection_modifyitems(items):
    """With a file to a worker, one that takes a minute must not be begun last."""
    place = {name: index for index, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


def pytest_collection_finish():
    """What was loaded stays to the end: to look for garbage in it, here and in each forked process, costs minutes."""
    gc.freeze()


def _accuracy(percent, examples):
    correct = np.zeros(examples, dtype=bool)
    correct[: round(percent / 100 * examples)] = True
    return Accuracy(100 * correct.sum() / examples, examples, pack_correctness(correct), 90.0, 91.0)


@pytest.fixture
def prunemark(monkeypatch, capsys, tmp_path):
    """Runs `prunemark ...` in this process and in an empty folder: (exit code, output, errors)."""
    from prunemark.cli import app

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("PRUNEMARK_HOME", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["prunemark", *map(str, words)])
        try:
            app.main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def quick_prunemark(prunemark, monkeypatch):
    """The same, with two tracks that train for two epochs."""
    from support.quick_cli import quick_track

    monkeypatch.setitem(released_tracks(), "quick@1", quick_track())
    monkeypatch.setitem(released_tracks(), "quick-weights@1", quick_track("digits-resnet8-weights@1", "quick-weights"))
    return prunemark


@pytest.fixture
def make_record():
    """make_record(method=..., seed=..., percent=..., ...) -> Record; `role` and `kind` as in a real one."""

    def make(
        method="L1-norm", seed=0, percent=95.0, *, level="90%", setup="S3.2", kind="pruned", role="submission",
        lr=LR, speedup=6.373, base="base", base_percent=98.0, settings=None, source="abc",
        finished="2026-01-01T00:00:00",
        track="digits-resnet8", examples=500, status="ok", failure=None, key="key",
    ):  # fmt: skip
        terms = find_track(track)
        macs = round(193_344 / speedup)
        none = MeteredStage(0, (), 0, 0, 0)
        ok = status == "ok"
        plain = _plain(terms.as_dict())
        outcome = Outcome(
            trial_key=f"{key}-{method}-{level}-{seed}", track=terms.id, track_terms=plain, setup=setup, level=level,
            seed=seed, method=Method(method, kind, role, source, settings or {}, ""), status=status, failure=failure,
            base=BaseModel(f"{base}{seed}", base_percent, _trained(LR, 193_344)) if ok and kind != "scratch" else None,
            pruning=none if ok and kind != "scratch" else None, retraining=_trained(lr, macs) if ok else None,
            retraining_recipe=replace(terms.retraining, lr=from_vector(tuple(lr))).as_dict() if ok else None,
            compression=Compression(
                speedup, None, speedup, 0.0, 193_344, macs, 19_810, 4_000, "uniform",
                {"a": 4}, {"a": 8},
            ) if ok else None,
            curve=tuple(EpochPoint(e, x, 0.5, 90.0) for e, x in enumerate(lr)) if ok else (),
            accuracy=_accuracy(percent, examples) if ok else None, data_sha256="d",
            weights_sha256=f"of {method}" if ok else None,
        )  # fmt: skip
        observed = Observed(
            finished, 0.1, 2.0, 0.1, Latency(1, 60, 0.5, 0.4, 0.6), "cpu", "a processor", {"torch": "2.14.1"}, "process"
        )
        return Record(SCHEMA, outcome, observed)

    return make


def _trained(lr, macs):
    """As metered over these epochs: 1,097 images in nine batches, three products for each."""
    samples = 1097 * len(lr)
    return MeteredStage(
        len(lr), tuple(lr), 9 * len(lr), samples, 6 * samples * macs, samples * macs, 2 * samples * macs
    )


@pytest.fixture
def make_records(make_record):
    """make_records(method, [accuracies...]) -> one record a seed."""
    return lambda method, percents, **how: [
        make_record(method, seed, percent, **how) for seed, percent in enumerate(percents)
    ]


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


@pytest.fixture(scope="session")
def bench():
    """tests/support/pruning_stage.py: a pruning stage without a store, and contexts worked out by hand."""
    spec = importlib.util.spec_from_file_location(
        "pruning_stage", Path(__file__).parent / "support" / "pruning_stage.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session", autouse=True)
def databases_are_copied(tmp_path_factory):
    """MLflow takes seconds to make its tables. It makes them once a process, and every other database is a copy."""
    template = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlflow_database, "_fill", partial(_copied, template, mlflow_database._fill))
        yield


def _copied(template, make, draft, artifacts):
    if not template.exists():
        make(template, template.parent)
    shutil.copy(template, draft)
    with contextlib.closing(sqlite3.connect(draft)) as connection:
        places = (template.parent.as_uri(), artifacts.as_uri())
        connection.execute("UPDATE experiments SET artifact_location = replace(artifact_location, ?, ?)", places)
        connection.commit()


@pytest.fixture(scope="session")
def furnish(databases_are_copied):
    """furnish(folder) -> the folder, as a home whose MLflow store is there already: for tests that start processes."""

    def furnished(folder):
        folder.mkdir(parents=True, exist_ok=True)
        mlflow_database.make(folder / "mlflow.db", folder / "mlflow-artifacts")
        return folder

    return furnished


@pytest.fixture(scope="module")
def browser():
    """A real browser, one for all tests of a file; they skip where none is installed."""
    from support.browser import open_browser

    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of a site with real records and bad ones, which tests only read: one a process."""
    from support.site_context import build

    return build(tmp_path_factory.mktemp("built") / "site")


@pytest.fixture
def visit(browser, site):
    """visit(page, ...) -> the open page of that site; a test fails that makes the page complain."""
    from support.browser import visiting

    with visiting(browser, site) as open_page:
        yield open_page
