"""Credentials of an MLflow server: never printed, and named when they are missing. A real server behind a login."""

import os
import sqlite3
from urllib.parse import quote

import pytest
from support.mlflow_server import Way, free_port, running

from prunemark.benchmark.run import tracking
from prunemark.benchmark.run.home import Home, open_home
from prunemark.benchmark.run.mlflow_address import LOG_IN, reason
from prunemark.benchmark.run.mlflow_fields import Submission
from prunemark.benchmark.run.mlflow_store import connect
from prunemark.benchmark.run.tracking import Tracker
from prunemark.setups.errors import InputError

USER, PASSWORD = "admin", "s3cr3t-p@ss word"
SUBMISSION = Submission("digits-resnet8@1", "S3.2", "Mine", "what it is", "key-of-it")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("login")


@pytest.fixture(scope="module")
def server(folder):
    with running(folder) as address:
        way = Way(address, f"{USER}:{PASSWORD}")
        yield way.address
        way.cut()


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("MLFLOW_TRACKING_")]:
        monkeypatch.delenv(name)
    return open_home(Home(tmp_path))


def with_login(server, password=PASSWORD):
    return server.replace("//", f"//{USER}:{quote(password)}@")


def assert_silent(text):
    assert PASSWORD not in text and quote(PASSWORD) not in text and f"{USER}:" not in text


def test_a_login_that_is_missing_names_the_variables(server, home):
    with pytest.raises(InputError) as problem:
        connect(server, home)
    assert str(problem.value) == f"MLflow cannot use {server!r}: it asks for a login (401): {LOG_IN}"


def test_a_wrong_login_is_not_repeated(server, home):
    with pytest.raises(InputError) as problem:
        connect(with_login(server, "wr0ng&secret"), home)
    assert f"(401): {LOG_IN}" in str(problem.value)
    assert "wr0ng" not in str(problem.value) and f"{USER}:" not in str(problem.value)


@pytest.mark.parametrize("how", ["address", "variables"])
def test_trials_are_logged_with_a_login_and_it_is_never_printed(
    server, folder, home, make_record, capfd, monkeypatch, how
):
    if how == "variables":
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", USER)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    said = []
    address = with_login(server) if how == "address" else server
    with Tracker(address, home, SUBMISSION, said.append) as mirror:
        mirror.finish(0, "trial", make_record(method=f"by {how}", key=how), {})
    assert mirror.lacking == 0 and said == []
    assert_silent("".join(capfd.readouterr()))
    assert_silent(texts_of_runs(folder / "server.db"))


def texts_of_runs(database):
    """All that a server's database says of them."""
    connection = sqlite3.connect(database)
    rows = [row for table in ("tags", "params", "runs") for row in connection.execute(f"SELECT * FROM {table}")]
    connection.close()
    assert rows
    return str(rows)


def test_a_server_that_goes_away_is_named_without_the_login(home, make_record, monkeypatch, server):
    monkeypatch.setattr(tracking, "AWAY_PATIENCE_SECONDS", 0.5)
    said = []
    with Tracker(with_login(server), home, SUBMISSION, said.append) as mirror:
        monkeypatch.setattr(mirror, "uri", with_login(f"http://127.0.0.1:{free_port()}"))
        mirror._runs.client = connect_nowhere(mirror.uri)
        mirror.finish(0, "trial", make_record(method="away", key="away"), {})
    assert len(said) == 2 and "takes nothing" in said[0] and "lacks 1 of 1" in said[1]
    assert_silent("".join(said))


def connect_nowhere(uri):
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=uri)


@pytest.mark.parametrize(
    "address",
    [
        f"http://{USER}:{quote(PASSWORD)}@127.0.0.1:9",
        f"http://{USER}:{quote(PASSWORD)}@no-such-host.invalid",
        f"https://{USER}:{quote(PASSWORD)}@127.0.0.1:9/path",
        f"postgresql://{USER}:{quote(PASSWORD)}@127.0.0.1:9/runs",
        f"nonsense://{USER}:{quote(PASSWORD)}@x",
        f"http://{USER}:{quote(PASSWORD)}@:port",
        "http://127.0.0.1:9/?token=s3cr3t-p%40ss%20word",
    ],
)
def test_an_address_that_leads_nowhere_is_said_without_its_login(home, address, capfd):
    with pytest.raises(InputError, match="MLflow") as problem:
        connect(address, home)
    assert_silent(str(problem.value) + "".join(capfd.readouterr()))
    assert "s3cr3t" not in str(problem.value)


def test_a_permission_that_is_missing_names_the_variables():
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import PERMISSION_DENIED

    words = reason(MlflowException("Permission denied", PERMISSION_DENIED), "http://x")
    assert words.startswith("this login must not do that (403)") and LOG_IN in words
