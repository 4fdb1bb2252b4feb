"""The database of a home: whole or not there, and never what ends a run. With real SQLite files and a real MLflow."""

import importlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
from support.zygote import Zygote

from prunemark.benchmark.run import mlflow_database as database
from prunemark.benchmark.run.home import Home, open_home
from prunemark.benchmark.run.mlflow_database import Unavailable
from prunemark.benchmark.run.mlflow_fields import Submission
from prunemark.benchmark.run.mlflow_store import connect
from prunemark.benchmark.run.tracking import Tracker

SUBMISSION = Submission("digits-resnet8@1", "S3.2", "Mine", "what it is", "key-of-it")
MAKE = (
    "import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\nfrom pathlib import Path\n"
    "from prunemark.benchmark.run.home import Home, open_home\n"
    "from prunemark.benchmark.run.mlflow_store import connect\nimport mlflow.tracking\n"
    "home = open_home(Home(Path(sys.argv[1])))\nconnect(home.mlflow_uri, home)\n"
)


@pytest.fixture
def home(tmp_path, furnish):
    return open_home(Home(furnish(tmp_path)))


@pytest.fixture
def said():
    return []


def path_of(home):
    return home.root / "mlflow.db"


def names(home):
    return {path.name for path in home.root.iterdir() if "mlflow" in path.name}


def logs_a_trial(home, record, say):
    """As a run does. Whether MLflow has the record afterwards."""
    with Tracker(home.mlflow_uri, home, SUBMISSION, say) as mirror:
        mirror.finish(0, "trial", record, {})
    return mirror.lacking == 0


@pytest.fixture(scope="module")
def zygote(tmp_path_factory):
    """It has loaded MLflow, which takes longer than all else here."""
    loaded = Zygote("import mlflow.store.tracking.sqlalchemy_store, mlflow.tracking", tmp_path_factory.mktemp("zygote"))
    yield loaded
    loaded.close()


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_home_opens_that_was_stopped_while_its_database_was_made(tmp_path, zygote, sign):
    draw = random.Random(int(sign))
    home = open_home(Home(tmp_path))
    stopped = 0
    for part in range(3):
        pid = zygote.start(MAKE, home.root)
        wait_for(lambda: begun(home))
        time.sleep((part + draw.random()) * 0.2)
        os.kill(pid, sign)
        stopped += zygote.ended().returncode != 0
        assert not path_of(home).exists() or database.look(path_of(home)) == ""
        path_of(home).unlink(missing_ok=True)
    assert stopped, "it was never stopped"
    assert connect(home.mlflow_uri, home).search_experiments()
    assert names(home) == {"mlflow.db", "mlflow.lock"}, "a draft was left"


def begun(home):
    """Whether somebody makes the database, or has made it."""
    return any(name.startswith((database.DRAFT, "mlflow.db")) for name in names(home))


def wait_for(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_several_at_once_make_one_database(tmp_path):
    home = open_home(Home(tmp_path))
    processes = [subprocess.Popen([sys.executable, "-W", "ignore", "-c", MAKE, str(home.root)]) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert names(home) == {"mlflow.db", "mlflow.lock"}


def half_made(path):
    """As MLflow leaves it when it is stopped in its migrations."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE _alembic_tmp_runs (run_uuid VARCHAR(32))")
        connection.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    connection.close()


def without_a_version(path):
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM alembic_version")
    connection.close()


def of_an_older_step(path):
    """Its version says that steps are still to come, whose tables are there already."""
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    connection.close()


def without_a_table(path):
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE metrics")
    connection.close()


def other_bytes(path):
    path.write_bytes(b"not a database\n" * 1000)


def flipped_bytes(path):
    content = bytearray(path.read_bytes())
    content[100:4096] = bytes(255 - byte for byte in content[100:4096])
    path.write_bytes(content)


def cut_short(path):
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    "damage",
    [half_made, without_a_version, of_an_older_step, without_a_table, other_bytes, flipped_bytes, cut_short],
)
def test_a_damaged_database_is_set_aside_and_made_anew(home, said, make_record, damage):
    damage(path_of(home))
    content = path_of(home).read_bytes()
    (home.root / "mlflow.db-wal").write_bytes(b"what a killed writer leaves")
    assert logs_a_trial(home, make_record(method="Mine"), said.append)
    (line,) = said
    assert line.startswith("mlflow.db was damaged (") and "kept as mlflow.db.damaged0, and made anew" in line
    assert (home.root / "mlflow.db.damaged0").read_bytes() == content
    assert "mlflow.db-wal" not in names(home), "it would be played into the new one"
    assert logs_a_trial(home, make_record(method="Mine"), said.append) and len(said) == 1


def test_what_sqlite_keeps_next_to_a_database_goes_with_it(tmp_path):
    for end in ("", "-journal", "-wal"):
        (tmp_path / f"mlflow.db{end}").write_text(end)
    assert database.set_aside(tmp_path / "mlflow.db").name == "mlflow.db.damaged0"
    left = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert left == {f"mlflow.db.damaged0{end}": end for end in ("", "-journal", "-wal")}


def test_an_empty_file_is_no_database_and_no_loss(home, said, make_record):
    path_of(home).write_bytes(b"")
    assert logs_a_trial(home, make_record(method="Mine"), said.append) and said == []


def test_a_locked_database_waits_and_is_not_set_aside(home, said, make_record, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    other = sqlite3.connect(path_of(home), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with Tracker(home.mlflow_uri, home, SUBMISSION, said.append) as mirror:
        mirror.finish(0, "trial", make_record(method="Mine"), {})
        time.sleep(1.0)
        assert len(said) == 1 and "mlflow.db: database is locked. Trials go on" in said[0]
        other.rollback()
    assert mirror.lacking == 0 and "answers again, and has what it missed" in said[1] and len(said) == 2
    assert "mlflow.db.damaged0" not in names(home)
    other.close()


def test_one_that_stays_locked_ends_nothing(home, said, make_record, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    monkeypatch.setattr("prunemark.benchmark.run.tracking.AWAY_PATIENCE_SECONDS", 0.5)
    other = sqlite3.connect(path_of(home), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert not logs_a_trial(home, make_record(method="Mine"), said.append)
    assert "lacks 1 of 1 trials. All records are kept: `prunemark mlflow rebuild`" in said[-1]
    other.close()
    assert logs_a_trial(home, make_record(method="Mine"), said.append)


def test_a_database_of_a_newer_mlflow_is_left_alone(home, said):
    with sqlite3.connect(path_of(home)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    connection.close()
    before = path_of(home).read_bytes()
    with pytest.raises(Unavailable, match="made by a newer MLflow"):
        connect(home.mlflow_uri, home, said.append)
    assert path_of(home).read_bytes() == before and said == []


def test_a_database_of_an_older_mlflow_is_brought_up_to_date(home, said, make_record):
    """One made by MLflow's own steps up to last year's, with a run in it."""
    from mlflow.store.db import utils
    from mlflow.store.tracking.dbmodels.initial_models import Base

    path_of(home).unlink()
    engine = utils.create_sqlalchemy_engine(home.mlflow_uri)
    Base.metadata.create_all(engine)
    config = utils._get_alembic_config(home.mlflow_uri)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        importlib.import_module("alembic.command").upgrade(config, "400f98739977")  # MLflow brings it
    engine.dispose()
    with sqlite3.connect(path_of(home)) as connection:
        connection.execute("INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES (5, 'old', 'active')")
    connection.close()
    client = connect(home.mlflow_uri, home, said.append)
    assert client.get_experiment_by_name("old").experiment_id == "5"
    assert len(said) == 1 and "made by an older MLflow: brought up to date" in said[0]
    assert "mlflow.db.before-update" in names(home) and "mlflow.db.damaged0" not in names(home)


def test_damage_in_the_middle_of_a_run_is_repaired_and_everything_logged(home, said, make_record, monkeypatch):
    monkeypatch.setattr("prunemark.benchmark.run.tracking.FLUSH_SECONDS", 0.05)
    with Tracker(home.mlflow_uri, home, SUBMISSION, said.append) as mirror:
        mirror.finish(0, "first", make_record(method="Mine", seed=0), {})
        while mirror.lacking:
            time.sleep(0.05)
        other_bytes(path_of(home))
        mirror.finish(1, "second", make_record(method="Mine", seed=1), {})
    assert mirror.lacking == 0, said
    found = connect(home.mlflow_uri, home).search_runs(["1"], "tags.prunemark.kind = 'trial'")
    assert {run.info.run_name for run in found} == {"first", "second"}


def test_mlflow_that_fails_by_itself_sets_nothing_aside(home, said, monkeypatch):
    """A home that is sound, and a setting of the user that MLflow refuses."""
    from mlflow.exceptions import MlflowException

    def refuse(*_, **__):
        raise MlflowException("Cannot disable workspaces")

    monkeypatch.setattr("mlflow.tracking.MlflowClient.search_experiments", refuse)
    with pytest.raises(Unavailable, match="Cannot disable workspaces"):
        connect(home.mlflow_uri, home, said.append)
    assert names(home) == {"mlflow.db", "mlflow.lock"} and said == []


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="mounting a small disk takes root")
def test_a_full_disk_ends_nothing(tmp_path, said, make_record):
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "none", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no right to mount")
    try:
        home = open_home(Home(place))
        with pytest.raises(Unavailable, match="full"):
            connect(home.mlflow_uri, home, said.append)
        assert names(home) == {"mlflow.lock"}
    finally:
        subprocess.run(["umount", place], check=True)
