"""An MLflow store: reaching it, and reading trials back from it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prunemark.benchmark.run import mlflow_database as database
from prunemark.benchmark.run.home import Home
from prunemark.benchmark.run.mlflow_address import ADVICE, LOG_IN, check_address, first_line, reason, sqlite_file
from prunemark.benchmark.run.mlflow_database import Say, Unavailable
from prunemark.records.admission import Refused
from prunemark.setups.errors import InputError, WorkFailed, need
from prunemark.setups.secrets import without_secrets

SHA_TAG, KIND_TAG = "prunemark.record_sha256", "prunemark.kind"
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # the mirror tries again itself, and looks first what has arrived
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # it has the credentials of the address, if there are any
    "GIT_PYTHON_REFRESH": "quiet",
}
LOCAL_ARTIFACTS = "mlruns"
"""Where files of a SQLite store lie that is not a home's: next to the database. MLflow's own place is where one is."""


def connect(uri: str, home: Home, say: Say = lambda _: None) -> Any:
    """An MlflowClient that has answered once.

    Raises InputError when the address does not lead to MLflow, or it asks for another login. The home's own database
    is made where there is none, and made anew where it is damaged, which is said; Unavailable when that cannot be.
    """
    check_address(uri)
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    with quiet_logs():
        if uri == home.mlflow_uri:
            return _connect_home(uri, home, say)
        try:
            if (path := sqlite_file(uri)) and not path.exists():
                with database.making(path):
                    if not path.exists():
                        database.make(path, local_artifacts(uri, home) or path.parent)
            return _answering(uri)
        except Unavailable as problem:
            raise InputError(f"MLflow cannot use {without_secrets(uri)!r}: {problem}\n{ADVICE}") from None
        except Exception as problem:  # MLflow, SQLAlchemy, drivers and URL parsers each raise their own kind
            why = reason(problem, uri)
            advice = "" if LOG_IN in why else f"\n{ADVICE}"
            raise InputError(f"MLflow cannot use {without_secrets(uri)!r}: {why}{advice}") from None


def local_artifacts(uri: str, home: Home) -> Path | None:
    """Where the files of a SQLite store lie, stated in full; None for a server, which knows."""
    path = sqlite_file(uri)
    return home.mlflow_artifacts if uri == home.mlflow_uri else path and path.absolute().parent / LOCAL_ARTIFACTS


def _connect_home(uri: str, home: Home, say: Say) -> Any:
    path = home.root / "mlflow.db"
    try:
        with database.making(path):
            if path.is_file() and path.stat().st_size == 0:  # SQLite itself leaves one when it is stopped early
                path.unlink()
            if not path.exists():
                database.make(path, home.mlflow_artifacts)
            problem = database.look(path)
            if not problem and database.is_current(path):
                try:
                    return _answering(uri)
                except Exception as found:
                    problem = first_line(found)
            database.let_go(uri)
            database.repair(path, home.mlflow_artifacts, problem, say)
            return _answering(uri)
    except Unavailable:
        raise
    except Exception as found:  # a disk, a permission, whatever MLflow raises: no run ends by it
        raise Unavailable(first_line(found)) from None


def _answering(uri: str) -> Any:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    client.search_experiments(max_results=1)
    return client


@contextlib.contextmanager
def quiet_logs() -> Iterator[None]:
    """Alembic and MLflow announce every migration step of a new database; a user needs none of it."""
    import logging

    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def read_runs(uri: str, home: Home, track: str | None = None) -> tuple[list[tuple[str, str, str]], list[Refused]]:
    """(run id, record hash in the tag, record JSON) of every finished trial of an MLflow store, and what is left out.

    A run without its record is left out by name. Raises InputError when there is no record at all, WorkFailed when the
    store stops answering.
    """
    need("run", "reading runs from MLflow")
    path = sqlite_file(uri)
    if path and not path.is_file():  # connecting would make one
        raise InputError(f"no MLflow store {str(path)!r}. Run `prunemark submit` first, or correct --tracking-uri")
    found: list[tuple[str, str, str]] = []
    lost: list[Refused] = []
    try:
        client = connect(uri, home)
        with quiet_logs(), tempfile.TemporaryDirectory() as scratch:
            for run in _trials(client, track):
                if not (sha := run.data.tags.get(SHA_TAG)):
                    continue
                try:
                    place = client.download_artifacts(run.info.run_id, "record.json", scratch)
                    found.append((run.info.run_id, sha, Path(place).read_text(encoding="utf-8")))
                except Exception as problem:  # each kind of artifact store raises its own
                    client.get_run(run.info.run_id)  # a store that went away is not a file that is missing
                    why = f"has no record.json in MLflow: {first_line(problem, uri)}"
                    lost.append(Refused(f"{run.info.run_name} (run {run.info.run_id})", why))
    except InputError:
        raise
    except Exception as problem:
        raise WorkFailed(f"MLflow at {without_secrets(uri)} cannot be read: {reason(problem, uri)}") from None
    if not found:
        first = f": {lost[0].name} {lost[0].why}" if lost else ". Run `prunemark submit` first"
        raise InputError(f"no records of Prunemark in the MLflow store {without_secrets(uri)}{first}")
    return found, lost


def _trials(client: Any, track: str | None) -> Iterator[Any]:
    experiments = [e.experiment_id for e in client.search_experiments() if track in (None, e.name)]
    token = None
    while experiments:
        page = client.search_runs(experiments, f"tags.`{KIND_TAG}` = 'trial'", max_results=1000, page_token=token)
        yield from page
        if not (token := page.token):
            return
