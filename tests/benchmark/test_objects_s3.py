"""A home at s3:// and gs://: real libraries, real servers on loopback, and two machines as two processes."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import objects as servers
from support.moto_server import KEYS
from support.stored import KEY
from support.torture import outcomes

from prunemark.benchmark.trial.object_leases import Leases
from prunemark.benchmark.trial.objects import Away, Objects, objects_at
from prunemark.benchmark.trial.store import Store
from prunemark.setups.errors import InputError

pytestmark = pytest.mark.slow
CLI = Path(__file__).parents[1] / "support" / "quick_cli.py"


def lacking(*modules, program=""):
    found = [name for name in modules if not importlib.util.find_spec(name)]
    return ", ".join([*found, *([program] if program and not shutil.which(program) else [])])


NO_S3, NO_GS = lacking("moto", "s3fs"), lacking("gcsfs", program=servers.GOOGLES)
S3 = pytest.param("s3", marks=pytest.mark.skipif(bool(NO_S3), reason=f"not here: {NO_S3} (make test-slow brings it)"))
GS = pytest.param("gs", marks=pytest.mark.skipif(bool(NO_GS), reason=f"not here: {NO_GS}"))


@pytest.fixture
def address(request, monkeypatch):
    with getattr(servers, request.param)(monkeypatch) as found:
        yield found


@pytest.mark.parametrize("address", [S3, GS], indirect=True)
def test_conditional_writes_hold_and_nothing_is_there_in_part(address, tmp_path, monkeypatch):
    said = []
    one, other = objects_at(address), Objects(objects_at(address).fs, objects_at(address).root, address)
    store, theirs = Store(tmp_path / "a", said.append, one), Store(tmp_path / "b", said.append, other)
    for each, content in ((store, b"first"), (theirs, b"second")):
        with each.writing(KEY) as draft:
            (draft / "a.bin").write_bytes(content)
    with monkeypatch.context() as patch, pytest.raises(Away):
        patch.setattr(one.fs, "put_file", lambda *_, **__: (_ for _ in ()).throw(OSError("cut")))
        one.give_new(store)
    assert one.fs.find(one.root) == []
    assert one.give_new(store) == [] and other.give_new(theirs) == [KEY]
    assert (Store(tmp_path / "c", others=other).read(KEY) / "a.bin").read_bytes() == b"first"
    with Leases(one) as mine, Leases(other) as yours:
        assert mine.try_lease("x") and not yours.try_lease("x")
        mine.let_go("x")
        assert yours.try_lease("x")
    one.fs.pipe_file(f"{one.root}/store/{KEY}.tar", b"tampered")
    assert Store(tmp_path / "d", said.append, other).read(KEY) is None and "is refused" in said[-1]
    one.forget(KEY)
    with pytest.raises(InputError, match=r"no-such-bucket.*\nIs there a bucket of this name"):
        objects_at(f"{address.partition(':')[0]}://no-such-bucket/x")


def submit(address, folder):
    """A machine: its own copy, and the words of one command."""
    folder.mkdir()
    words = ["submit", "L1-norm", "--track", "quick", "--level", "90%", "--seeds", "2", "--no-time", "--workers", "1"]
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "PRUNEMARK_HOME"))}
    own |= {
        "XDG_CACHE_HOME": str(folder),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", str(CLI), *words, "--home", address], env=own, cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


@pytest.mark.parametrize("address", [S3], indirect=True)
def test_two_machines_share_a_home_and_have_the_records_of_one(address, tmp_path):
    machines = [submit(address, tmp_path / name) for name in "ab"]
    said = [machine.communicate(timeout=400)[0] for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], said
    assert all(secret not in "".join(said) for secret in KEYS.values() if "tests" in secret)
    homes = [next((tmp_path / name / "prunemark" / "homes").iterdir()) for name in "ab"]
    found = [{path.name: path.read_bytes() for path in (home / "records").glob("*.json")} for home in homes]
    assert found[0] == found[1] and len(found[0]) == 8, "each trial ran once"
    alone = submit(str(tmp_path / "alone" / "home"), tmp_path / "alone")
    assert alone.communicate(timeout=400) and alone.returncode == 0
    assert outcomes(homes[0]) == outcomes(tmp_path / "alone" / "home"), "and as it would on one machine"
    late = submit(address, tmp_path / "c")
    assert "nothing to run: all 8 trials are stored" in late.communicate(timeout=400)[0]
