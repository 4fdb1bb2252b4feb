"""A real PostgreSQL on loopback that can be stopped in the middle, for a real MLflow server."""

import contextlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from support.mlflow_server import free_port

NOBODY = 65534
"""PostgreSQL does not run as root."""
DRIVERS = os.environ.get("PRUNEMARK_TEST_PGDRIVER", "")
"""A folder with `psycopg`, where it is not installed next to MLflow: only the server needs it."""


def missing():
    """Why there can be no PostgreSQL here; '' where there can."""
    found = [name for name in ("postgres", "initdb", "pg_ctl") if not shutil.which(name)]
    if found:
        return f"no {', '.join(found)}"
    if os.getuid() == 0 and not shutil.which("setpriv"):
        return "PostgreSQL does not run as root, and there is no setpriv"
    if not importlib.util.find_spec("psycopg") and not (Path(DRIVERS or "/nowhere") / "psycopg").is_dir():
        return "no psycopg: `pip install --target FOLDER 'psycopg[binary]'`, and set PRUNEMARK_TEST_PGDRIVER=FOLDER"
    return ""


class Postgres:
    """A database in a folder of its own, which only its user can read."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self._as(["initdb", "--auth=trust", "--no-sync", "--username=mlflow", "--encoding=UTF8", "-D", self.data])
        self.start()

    @property
    def data(self):
        return str(self.folder / "data")

    @property
    def uri(self):
        return f"postgresql+psycopg://mlflow@127.0.0.1:{self.port}/postgres"

    @property
    def variables(self):
        """For the server, so that it finds the driver."""
        return {"PYTHONPATH": os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), DRIVERS]))} if DRIVERS else {}

    def start(self):
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories='' -c fsync=off"
        self._as(["pg_ctl", "start", "-w", "-D", self.data, "-l", str(self.folder / "log"), "-o", options])

    def stop(self):
        """As a machine that fails: connections are cut, and what was open is recovered from the log at the start."""
        self._as(["pg_ctl", "stop", "-w", "-m", "immediate", "-D", self.data])

    def _as(self, words):
        who = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.getuid() == 0 else []
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} if words[0] == "pg_ctl" else {}
        quiet = quiet or {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.run([*who, *words], check=True, text=True, cwd=self.folder, **quiet)


@contextlib.contextmanager
def postgres():
    """Not in pytest's own folder: nobody else may enter that."""
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    if os.getuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    made = None
    try:
        made = Postgres(folder)
        yield made
    finally:
        if made:
            with contextlib.suppress(subprocess.CalledProcessError):
                made.stop()
        shutil.rmtree(folder)
