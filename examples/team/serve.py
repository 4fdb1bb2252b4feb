"""An MLflow server for a team, with logins, on PostgreSQL. Needs no Docker, and nothing of Prunemark.

    python examples/team/serve.py FOLDER                 # starts PostgreSQL and the server; Ctrl-C ends both
    python examples/team/serve.py FOLDER --user alice    # while it runs: makes a login, in FOLDER/users/alice.env

Needs `pip install 'mlflow[auth]' 'psycopg[binary]'` (and boto3 for files on S3), and PostgreSQL's programs. Passwords
are made at the first start, in FOLDER/passwords.env, which only its owner can read. They are on no command line, and in
no log. Connections are not encrypted: keep the server in a closed network, or put a proxy with TLS in front of it.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

NAMES = ("DATABASE_PASSWORD", "ADMIN_PASSWORD", "SECRET_KEY")
ADMIN = "admin"
LONGEST_SOCKET = 90
"""Characters of a folder's path: a socket in it has a name of 107 bytes at most."""
AUTHENTICATION = """[mlflow]
default_permission = EDIT
database_uri = {database}
admin_username = {admin}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 60
"""
"""EDIT: an experiment is a track, which all write to. A password is checked once a minute: each check costs 0.3 s."""


def main(words: Sequence[str] | None = None) -> int:
    """Starts what was asked for; the exit code."""
    os.umask(0o077)
    given = arguments(words)
    folder = given.folder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if given.only_passwords:
            passwords(folder, None)
        elif given.user:
            add_user(folder, given.user, passwords(folder, given.passwords), given.port)
        else:
            serve(folder, given)
    except (OSError, ValueError) as problem:
        print(f"serve.py: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except subprocess.CalledProcessError as problem:
        print(f"serve.py: {Path(problem.cmd[0]).name} ended with code {problem.returncode}", file=sys.stderr)
        return 1
    return 0


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="serve.py", description="An MLflow server for a team.")
    parser.add_argument("folder", type=Path, help="database, files and passwords lie here")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 to be reached from other machines")
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--name", action="append", default=[], help="a name that others call this machine by")
    parser.add_argument("--artifacts", help="s3://bucket/path, and others that MLflow knows [default: a folder]")
    parser.add_argument("--database", help="a PostgreSQL that runs already: postgresql+psycopg://mlflow@host/mlflow")
    parser.add_argument("--passwords", type=Path, help=f"a folder with the files {', '.join(NAMES)}")
    parser.add_argument("--only-passwords", action="store_true", help="make the passwords, and stop")
    parser.add_argument("--user", help="make a login for one person, and stop")
    return parser.parse_args(words)


def passwords(folder: Path, given: Path | None) -> dict[str, str]:
    """From the files of a folder, as Docker has them, or from passwords.env, which is made where there is none."""
    if given is not None:
        return {name: (given / name).read_text().strip() for name in NAMES}
    place = folder / "passwords.env"
    if not place.exists():
        private(place, "".join(f"{name}={secrets.token_urlsafe(24)}\n" for name in NAMES))
    if place.stat().st_mode & 0o077:
        raise ValueError(f"{place} can be read by others. Make new passwords, or at least: chmod 600 {place}")
    found = dict(line.split("=", 1) for line in place.read_text().splitlines() if "=" in line)
    if lacking := [name for name in NAMES if not found.get(name)]:
        raise ValueError(f"{place} has no {', '.join(lacking)}")
    return found


def private(place: Path, text: str) -> None:
    """Writes a file that only its owner can read, whole or not at all."""
    draft = place.with_name(f".{place.name}-{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
    draft.replace(place)


def serve(folder: Path, given: argparse.Namespace) -> None:
    """Until it is told to stop, or the server ends."""
    known = passwords(folder, given.passwords)
    private(folder / "pgpass", f"*:*:*:mlflow:{known['DATABASE_PASSWORD']}\n")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.ExitStack() as ends:
        database = given.database or ends.enter_context(postgresql(folder, known["DATABASE_PASSWORD"]))
        private(folder / "login.ini", AUTHENTICATION.format(database=database, admin=ADMIN))
        own = {
            "PGPASSFILE": str(folder / "pgpass"), "MLFLOW_AUTH_CONFIG_PATH": str(folder / "login.ini"),
            "MLFLOW_AUTH_ADMIN_PASSWORD": known["ADMIN_PASSWORD"],
            "MLFLOW_FLASK_SERVER_SECRET_KEY": known["SECRET_KEY"],
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true",
        }  # fmt: skip
        mlflow = [sys.executable, "-W", "ignore", "-m", "mlflow"]
        for upgrade in ([*mlflow, "db", "upgrade", database], [*mlflow[:-1], "mlflow.server.auth", "db", "upgrade",
                                                               "--url", database]):  # fmt: skip
            run(upgrade, folder, own)  # the tables are there before the first writer: two that make them break them
        server = [*mlflow, "server", "--app-name", "basic-auth", "--workers", "1", "--backend-store-uri", database]
        server += ["--artifacts-destination", given.artifacts or str(folder / "files")]
        server += ["--host", given.host, "--port", str(given.port), "--allowed-hosts", ",".join(allowed(given.name))]
        print(f"MLflow: http://{given.name[0] if given.name else given.host}:{given.port}, login {ADMIN}; the password "
              f"is in {given.passwords or folder / 'passwords.env'}", flush=True)  # fmt: skip
        run(server, folder, own)


def allowed(names: Sequence[str]) -> list[str]:
    """By which names the server can be called. MLflow's own ones, and those of this machine."""
    private_ones = [f"172.{number}.*" for number in range(16, 32)]
    own = ["localhost", "localhost:*", "127.0.0.1", "127.0.0.1:*", "192.168.*", "10.*", *private_ones]
    return [*own, *(each for name in names for each in (name, f"{name}:*"))]


def run(words: Sequence[str], folder: Path, own: Mapping[str, str]) -> None:
    """A program to its end; it ends with this one. Its words go to FOLDER/server.log."""
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(words, env={**os.environ, **own}, stdout=log, stderr=log, cwd=folder,
                                   start_new_session=True)  # fmt: skip
        try:
            code = process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()
    if code:
        raise ValueError(f"MLflow ended with code {code}; its last words are in {folder / 'server.log'}")


@contextlib.contextmanager
def postgresql(folder: Path, password: str) -> Iterator[str]:
    """A PostgreSQL in FOLDER/postgres that only a socket in this folder leads to; its address, without the password."""
    place, programs = folder / "postgres", programs_of_postgresql()
    if len(str(place)) > LONGEST_SOCKET:
        raise ValueError(f"{place} is too long for PostgreSQL's socket: at most {LONGEST_SOCKET} characters")
    user = None
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        user = "postgres" if "postgres" in (each.pw_name for each in pwd.getpwall()) else "nobody"
        folder.chmod(0o711)
    place.mkdir(exist_ok=True)
    if user:
        shutil.chown(place, user)

    def call(program: str, *words: str) -> None:
        subprocess.run([programs / program, *words], check=True, cwd=place, user=user, stdout=subprocess.DEVNULL,
                       extra_groups=[] if user else None)  # fmt: skip

    data = place / "data"
    if not data.exists():
        draft, secret = place / "draft", place / "password"
        shutil.rmtree(draft, ignore_errors=True)  # of a first start that was killed
        private(secret, f"{password}\n")
        if user:
            shutil.chown(secret, user)
        call(
            "initdb", "--username=mlflow", "--auth=scram-sha-256", "--encoding=UTF8", f"--pwfile={secret}", f"-D{draft}"
        )
        secret.unlink()
        draft.rename(data)
    options = f"-c listen_addresses='' -c unix_socket_directories='{place}'"
    call("pg_ctl", "start", "-w", "-s", f"-D{data}", "-l", str(place / "log"), "-o", options)
    try:
        yield f"postgresql+psycopg://mlflow@/postgres?host={place}"
    finally:
        call("pg_ctl", "stop", "-w", "-s", f"-D{data}", "-m", "fast")


def programs_of_postgresql() -> Path:
    """The folder with initdb and pg_ctl: in PATH, or where Debian has them."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not folders:
        raise ValueError("PostgreSQL is not installed (no initdb). Install it, or name one that runs with --database")
    return folders[-1]


def add_user(folder: Path, name: str, known: Mapping[str, str], port: int) -> None:
    """Makes a login, and the file to give to this person."""
    if not (name.isascii() and name.replace("-", "").replace("_", "").replace(".", "").isalnum()):
        raise ValueError(f"a name has letters, digits, '-', '_' and '.'; given {name!r}")
    (folder / "users").mkdir(exist_ok=True)
    place, password = folder / "users" / f"{name}.env", secrets.token_urlsafe(18)
    login = base64.b64encode(f"{ADMIN}:{known['ADMIN_PASSWORD']}".encode()).decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/2.0/mlflow/users/create",
        json.dumps({"username": name, "password": password}).encode(),
        {"Content-Type": "application/json", "Authorization": f"Basic {login}"},
    )
    try:
        urllib.request.urlopen(request, timeout=60).close()
    except urllib.error.HTTPError as problem:
        code = json.loads(problem.read() or b"{}").get("error_code", problem.code)
        raise ValueError(f"no login was made for {name}: the server says {code}") from None
    except OSError as problem:
        raise ValueError(f"no server answers at port {port} ({problem}). Start it first") from None
    private(place, f"MLFLOW_TRACKING_USERNAME={name}\nMLFLOW_TRACKING_PASSWORD={password}\n")
    print(f"{name} can log in: give them {place}")


if __name__ == "__main__":
    sys.exit(main())
