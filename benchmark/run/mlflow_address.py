"""Where MLflow is: the address that was given, whether something answers there, and how it is written for a person."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from pathlib import Path
from urllib.parse import urlsplit

from prunemark.benchmark.run.home import Home
from prunemark.benchmark.run.mlflow_view import view_name
from prunemark.setups.errors import InputError
from prunemark.setups.secrets import without_secrets

PROBE_SECONDS = 5
LONGEST_REASON = 160
UI = "http://127.0.0.1:5000"
"""Where `mlflow ui` shows a store, unless it is told otherwise."""
RUNS_VIEW = "runs?workflowType=machine_learning"
"""Of an experiment's page. MLflow 3 opens another view first, which is empty where there are no traces."""
ADVICE = "Start the server, correct --tracking-uri or MLFLOW_TRACKING_URI, or leave both out for a local store"
LOG_IN = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
OUT_OF_REACH = {
    "Connection refused": "the connection was refused",
    "timed out": "it did not answer in time",
    "Name or service not known": "there is no host of this name",
    "Remote end closed connection": "it closed the connection",
    "Connection reset": "it closed the connection",
}
"""Signs in the long errors of libraries, and what they say to a person."""
REFUSED = re.compile(r"error code (401|403)\b")
FAILS = re.compile(r"too many (5\d\d) error responses")
DENIED = {"UNAUTHENTICATED": "401", "CUSTOMER_UNAUTHORIZED": "401", "PERMISSION_DENIED": "403"}


def tracking_uri(given: str | None, home: Home) -> str:
    """--tracking-uri, or $MLFLOW_TRACKING_URI, or the home's own SQLite store."""
    return given or os.environ.get("MLFLOW_TRACKING_URI") or home.mlflow_uri


def is_server(uri: str) -> bool:
    """Whether it is an MLflow server, and not a database or a folder."""
    return urlsplit(uri).scheme in ("http", "https")


def sqlite_file(uri: str) -> Path | None:
    """The file of a SQLite store; None for another store."""
    name = uri.removeprefix("sqlite:///")
    return Path(name) if uri.startswith("sqlite:///") and name and name != ":memory:" and "?" not in name else None


def first_line(problem: Exception, uri: str = "") -> str:
    """What an error says, as far as a person wants to read it, and without credentials."""
    lines = without_secrets(problem, uri).strip().splitlines() or [type(problem).__name__]
    return lines[0][:LONGEST_REASON]


def reason(problem: Exception, uri: str) -> str:
    """Why MLflow does not take something. Of a login that is missing or refused: which variables to set."""
    found = REFUSED.search(str(problem))
    code = found[1] if found else DENIED.get(str(getattr(problem, "error_code", "")), "")
    if code == "401":
        return f"it asks for a login (401): {LOG_IN}"
    if code == "403":
        return f"this login must not do that (403): {LOG_IN} of a user who can write there"
    if is_server(uri) and (words := next((words for sign, words in OUT_OF_REACH.items() if sign in str(problem)), "")):
        return words
    if is_server(uri) and (found := FAILS.search(str(problem))):
        return f"it answers with an error of its own ({found[1]}), as when its database is away"
    return first_line(problem, uri)


def check_address(uri: str) -> None:
    """Fails at once on a server that is not there: MLflow itself would retry. Raises InputError."""
    import socket

    if is_server(uri):
        try:
            parts = urlsplit(uri)
            port = parts.port or (443 if parts.scheme == "https" else 80)
            with socket.create_connection((parts.hostname or "", port), timeout=PROBE_SECONDS):
                return
        except (OSError, ValueError) as problem:
            raise InputError(
                f"no MLflow server answers at {without_secrets(uri)!r}: {first_line(problem, uri)}\n{ADVICE}"
            ) from None


def runs_link(uri: str, experiment: str, submission_key: str) -> str:
    """The page with the runs of a submission; of a store without a server, where `mlflow ui` shows it."""
    base = without_secrets(uri).partition("?")[0].rstrip("/") if is_server(uri) else UI
    return f"{base}/#/experiments/{experiment}/{RUNS_VIEW}&viewStateShareKey={view_name(submission_key)}"


def experiment_in(database: Path, name: str) -> str:
    """The id of an experiment in a SQLite store, read without MLflow; '' where that cannot be read."""
    try:
        with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=1)) as connection:
            found = connection.execute("SELECT experiment_id FROM experiments WHERE name = ?", (name,)).fetchone()
    except sqlite3.Error:
        return ""
    return str(found[0]) if found else ""
