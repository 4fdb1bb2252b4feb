"""An MLflow store: finding it, making sure that it answers, and reading trials back from it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from prunemark.benchmark.run.home import Home
from prunemark.setups.errors import InputError

SHA_TAG, KIND_TAG = "prunemark.record_sha256", "prunemark.kind"
PROBE_SECONDS = 5
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
ADVICE = "Start the server, correct --tracking-uri or MLFLOW_TRACKING_URI, or leave both out for a local store"


def tracking_uri(given: str | None, home: Home) -> str:
    """--tracking-uri, or $MLFLOW_TRACKING_URI, or the home's own SQLite store."""
    return given or os.environ.get("MLFLOW_TRACKING_URI") or home.mlflow_uri


def connect(uri: str, home: Home) -> Any:
    """An MlflowClient that has answered once. Raises InputError when the address does not lead to MLflow.

    A new local database is made under a lock: two processes at a new one break it for good.
    """
    _check_address(uri)
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    with _schema_lock(uri, home), quiet_logs():
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient

        try:
            client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            client.search_experiments(max_results=1)
        except (MlflowException, OSError, ImportError) as problem:
            raise InputError(f"no MLflow answers at {uri!r}: {first_line(problem)}\n{ADVICE}") from None
        except Exception as problem:  # SQLAlchemy, drivers and URL parsers each raise their own kind
            raise InputError(f"MLflow cannot use {uri!r}: {first_line(problem)}\n{ADVICE}") from None
    return client


def first_line(problem: Exception) -> str:
    """What an error says, as far as a person wants to read it."""
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0][:160]


def _check_address(uri: str) -> None:
    """Fails at once on a server that is not there: MLflow itself would retry for minutes."""
    import socket

    parts = urlsplit(uri)
    if parts.scheme in ("http", "https"):
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
            with socket.create_connection((parts.hostname or "", port), timeout=PROBE_SECONDS):
                return
        except (OSError, ValueError) as problem:
            raise InputError(f"no MLflow server answers at {uri!r}: {first_line(problem)}\n{ADVICE}") from None


@contextlib.contextmanager
def _schema_lock(uri: str, home: Home) -> Iterator[None]:
    if not uri.startswith("sqlite:") or not home.root.is_dir():
        yield
        return
    with (home.root / "mlflow.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def quiet_logs() -> Iterator[None]:
    """Alembic and MLflow announce every migration step of a new database; a user needs none of it."""
    import logging

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def read_runs(uri: str, home: Home, track: str | None = None) -> list[tuple[str, str, str]]:
    """(run id, record hash in the tag, record JSON) of every finished trial of an MLflow store.

    Raises InputError when there is none.
    """
    if uri == home.mlflow_uri and not (home.root / "mlflow.db").is_file():  # connecting would make one
        raise InputError(f"no results in {str(home.root)!r}. Run `prunemark submit` first, or say where with --home")
    client = connect(uri, home)
    with quiet_logs(), tempfile.TemporaryDirectory() as scratch:
        experiments = [e for e in client.search_experiments() if track is None or e.name == track]
        found, token = [], None
        while experiments:
            page = client.search_runs(
                [e.experiment_id for e in experiments],
                f"tags.`{KIND_TAG}` = 'trial'",
                max_results=1000,
                page_token=token,
            )
            for run in page:
                if sha := run.data.tags.get(SHA_TAG):
                    path = Path(client.download_artifacts(run.info.run_id, "record.json", scratch))
                    found.append((run.info.run_id, sha, path.read_text(encoding="utf-8")))
            token = page.token
            if not token:
                break
    if not found:
        raise InputError(f"no trials of Prunemark in the MLflow store {uri}. Run `prunemark submit` first")
    return found
