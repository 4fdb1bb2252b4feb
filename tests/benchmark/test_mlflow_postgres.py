"""A real submit to a real MLflow server on a real PostgreSQL, either of which goes away in the middle."""

import threading
import time

import pytest
from support.mlflow_server import free_port, running
from support.postgres import missing, postgres
from support.torture import outcomes
from support.writers import SUPPORT, Writers, assert_each_once, started

from prunemark.records.record import load_file

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing() or "there is a PostgreSQL")]
SEEDS, LEVEL = "4", "90%"


class Submit:
    """A running `prunemark submit`, with what it has said until now."""

    def __init__(self, home, *more):
        home.parent.mkdir(exist_ok=True)
        method = f"{SUPPORT.parent / 'submissions' / 'samples.py'}:Trains"
        words = ["submit", method, "--track", "quick", "--level", LEVEL, "--seeds", SEEDS, "--no-time", "--home", home]
        self.home, self.said = home, ""
        self.process = started("quick_cli.py", *words, *more, folder=home.parent)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        with self.process.stdout as lines:
            for line in lines:
                self.said += line

    def until(self, condition, seconds=240):
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"it ended too early: {self.said}"
            assert time.monotonic() < deadline, f"it did not happen: {self.said}"
            time.sleep(0.05)

    def has_records(self, number):
        return lambda: len(list((self.home / "records").glob("*.json"))) >= number

    def end(self):
        assert self.process.wait(timeout=240) == 0, self.said
        self._reader.join()
        return " ".join(self.said.split())


@pytest.fixture
def database():
    with postgres() as made:
        yield made


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    submit = Submit(tmp_path_factory.mktemp("undisturbed") / "home")
    submit.end()
    return outcomes(submit.home)


@pytest.fixture
def place(tmp_path):
    (tmp_path / "server").mkdir()
    return tmp_path / "server"


def assert_nothing_befell(submit, said, address, undisturbed):
    assert outcomes(submit.home) == undisturbed
    records = [load_file(path) for path in sorted((submit.home / "records").glob("*.json"))]
    client, found = assert_each_once(address, "quick@1", records)
    assert said.count("takes nothing") == 1 and said.count("answers again, and has what it missed") == 1, said
    assert " lacks " not in said and "Traceback" not in said
    parents = {run.data.tags["mlflow.parentRunId"] for run in found}
    assert {client.get_run(parent).info.status for parent in parents} == {"FINISHED"}


def test_a_database_that_stops_in_the_middle(database, place, tmp_path, undisturbed):
    with running(place, store=database.uri, **database.variables) as address:
        submit = Submit(tmp_path / "of" / "home", "--tracking-uri", address)
        submit.until(submit.has_records(5))
        database.stop()
        submit.until(lambda: "takes nothing" in submit.said)
        database.start()
        assert_nothing_befell(submit, submit.end(), address, undisturbed)


def test_a_server_that_is_killed_in_the_middle(database, place, tmp_path, undisturbed):
    port = free_port()
    with running(place, port, store=database.uri, **database.variables) as address:
        submit = Submit(tmp_path / "of" / "home", "--tracking-uri", address)
        submit.until(submit.has_records(5))
    submit.until(lambda: "takes nothing" in submit.said)
    with running(place, port, store=database.uri, **database.variables) as address:
        assert_nothing_befell(submit, submit.end(), address, undisturbed)


@pytest.mark.parametrize("stops", [False, True])
def test_eight_writers_at_once(database, place, tmp_path, make_record, stops):
    """Into an experiment that none has made yet, under one submission, with the same new data."""
    with running(place, store=database.uri, **database.variables) as address:
        writers = Writers(tmp_path, address, make_record(), f"writers{stops}")
        writers.begin()
        if stops:
            time.sleep(2)
            database.stop()
            time.sleep(2)
            database.start()
        said = writers.end()
        writers.assert_one_submission(address)
        assert {each.count("takes nothing") for each in said} <= ({0, 1} if stops else {0}), said
