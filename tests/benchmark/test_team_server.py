"""A team's MLflow as examples/team starts it: a real PostgreSQL, real logins, and files in a folder or on S3."""

import contextlib
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from support.mlflow_server import free_port, wait_for
from support.moto_server import BUCKET, moto
from support.postgres import missing
from support.writers import Writers, assert_each_once, of, started

from prunemark.benchmark.run.home import Home, open_home
from prunemark.benchmark.run.mlflow_fields import Submission
from prunemark.benchmark.run.mlflow_store import connect
from prunemark.benchmark.run.tracking import Tracker
from prunemark.records.record import dump
from prunemark.setups.errors import InputError

SERVE = Path(__file__).parents[2] / "examples" / "team" / "serve.py"
LACKING = missing() or ("" if importlib.util.find_spec("flask_wtf") else "no flask-wtf: pip install 'mlflow[auth]'")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(LACKING), reason=LACKING or "all is there")]


@pytest.fixture(scope="module")
def place():
    """Not in pytest's own folder, which PostgreSQL's user cannot enter."""
    folder = Path(tempfile.mkdtemp(prefix="team-"))
    folder.chmod(0o711)
    yield folder / "mlflow"
    shutil.rmtree(folder)


@contextlib.contextmanager
def serving(folder, *more, **variables):
    """The script; yields its address, and afterwards nothing of it runs."""
    port = free_port()
    process = subprocess.Popen([sys.executable, str(SERVE), str(folder), "--port", str(port), *more],
                               env={**os.environ, **variables}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True)  # fmt: skip
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
        running = commands_with(str(folder))
        assert all(secret not in running for secret in secrets_of(folder)), "a password is on a command line"
    finally:
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[0]
    assert process.returncode == 143 and "Traceback" not in said, said
    assert commands_with(str(folder)) == "", "something still runs"


def commands_with(text):
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = each.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found += [words] if text in words and "pytest" not in words else []
    return "\n".join(found)


def secrets_of(folder):
    files = [folder / "passwords.env", *folder.glob("users/*.env")]
    lines = [line for file in files for line in file.read_text().splitlines()]
    return [value for name, _, value in (line.partition("=") for line in lines) if not name.endswith("USERNAME")]


def login(folder, address, name):
    """Makes one; the variables of this person."""
    port = address.rpartition(":")[2]
    subprocess.run([sys.executable, str(SERVE), str(folder), "--user", name, "--port", port], check=True)
    return dict(line.split("=", 1) for line in (folder / "users" / f"{name}.env").read_text().splitlines())


@pytest.fixture
def use(monkeypatch):
    """use(variables) logs this process in."""
    return lambda variables: [monkeypatch.setenv(name, value) for name, value in variables.items()]


def test_eight_writers_with_logins_lose_nothing_and_no_password_is_seen(place, tmp_path, make_record, use, capfd):
    with serving(place) as address:
        alice, bob = login(place, address, "alice"), login(place, address, "bob")
        writers = Writers(tmp_path, address, make_record(), "team", (alice, bob))
        writers.begin()
        said = writers.end()
        assert not any("takes nothing" in each or "lacks" in each for each in said), said
        use(bob)
        writers.assert_one_submission(address)
    printed = "".join([*said, *capfd.readouterr()])
    logs = "".join(path.read_text(errors="replace") for path in (place / "server.log", place / "postgres" / "log"))
    texts = "".join(path.read_text(errors="replace") for path in (place / "files").rglob("*.json"))
    assert texts.count('"schema":"prunemark-record') >= len(writers.records)
    for secret in secrets_of(place):
        assert secret not in printed + logs + texts
    private = [place / "passwords.env", place / "pgpass", place / "login.ini", *place.glob("users/*")]
    assert len(private) == 5 and {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}


def test_a_wrong_password_loses_nothing(place, tmp_path, make_record, use):
    """Of eight trials, those that the server did not take are logged later."""
    with serving(place) as address:
        good = login(place, address, "carol")
        use(good | {"MLFLOW_TRACKING_PASSWORD": "wr0ng-one"})
        home, under, said = open_home(Home(tmp_path)), Submission("later", "S3.2", "Mine", "w", "k"), []
        with pytest.raises(InputError, match=r"it asks for a login \(401\)") as problem:
            connect(address, home)
        assert "wr0ng" not in str(problem.value) and len(str(problem.value).splitlines()) == 1
        records = [of(make_record(), "later", seed) for seed in range(2)]
        use(good)
        with Tracker(address, home, under, said.append) as its:
            its.finish(0, "0", records[0], {})
            while its.lacking:
                time.sleep(0.05)
            use({"MLFLOW_TRACKING_PASSWORD": "wr0ng-one"})  # as one that was changed meanwhile
            its.finish(1, "1", records[1], {})
        assert len(said) == 2 and "it asks for a login (401)" in said[0] and "lacks 1 of 2" in said[1], said
        for record in records:
            (home.records / f"{record.record_sha256}.json").write_text(dump(record))
        words = ["mlflow", "rebuild", "--home", home.root, "--tracking-uri", address]
        again = started("quick_cli.py", *words, folder=tmp_path, **good)
        assert "2 trials: 1 were in MLflow, 1 logged now" in again.communicate(timeout=120)[0]
        use(good)
        assert_each_once(address, "later", records)


def test_what_was_there_is_there_after_a_restart_and_logins_go_on(place, tmp_path, make_record, use):
    """Passwords are not made anew. A second login of a name is refused in one line."""
    with serving(place) as address:
        use(login(place, address, "dave"))
        record = of(make_record(), "kept", 0)
        with Tracker(address, open_home(Home(tmp_path)), Submission("kept", "S3.2", "Mine", "w", "k")) as its:
            its.finish(0, "0", record, {})
    before = (place / "passwords.env").read_text()
    with serving(place) as address:
        assert_each_once(address, "kept", [record])
        port = address.rpartition(":")[2]
        words = [sys.executable, str(SERVE), str(place), "--user", "dave", "--port", port]
        again = subprocess.run(words, capture_output=True, text=True, check=False)
        assert again.returncode == 2 and again.stderr.strip().endswith("the server says RESOURCE_ALREADY_EXISTS")
    assert (place / "passwords.env").read_text() == before


def test_files_lie_on_s3_and_writers_need_no_key_to_it(place, tmp_path, make_record, use):
    pytest.importorskip("moto.server", reason="no moto: pip install 'moto[server]'")
    with moto() as (endpoint, keys, s3):
        own = {"MLFLOW_S3_ENDPOINT_URL": endpoint, **keys}
        with serving(place, "--artifacts", f"s3://{BUCKET}/mlflow", **own) as address:
            use(login(place, address, "erin"))
            record = of(make_record(), "on-s3", 0)
            with Tracker(address, open_home(Home(tmp_path)), Submission("on-s3", "S3.2", "Mine", "w", "k")) as its:
                its.finish(0, "0", record, {})
            assert_each_once(address, "on-s3", [record])
        assert any(name.endswith("record.json") for name in s3.find(f"{BUCKET}/mlflow"))
