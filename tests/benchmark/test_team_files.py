"""The files of examples/team without a server: who can read the passwords, and what the compose file says."""

import re
import runpy
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

HOUSE = Path(__file__).parents[2]
TEAM = HOUSE / "examples" / "team"


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(TEAM / "serve.py"))


def serve(*words, path=None):
    own = {"PATH": str(path)} if path else None
    script = [sys.executable, TEAM / "serve.py", *map(str, words)]
    done = subprocess.run(script, capture_output=True, text=True, env=own, check=False)
    return done.returncode, done.stdout, done.stderr.strip()


def test_passwords_are_made_once_and_only_their_owner_reads_them(tmp_path):
    folder = tmp_path / "team"
    assert serve(folder, "--only-passwords") == (0, "", "")
    place = folder / "passwords.env"
    before = place.read_text()
    assert stat.S_IMODE(place.stat().st_mode) == 0o600 and stat.S_IMODE(folder.stat().st_mode) == 0o700
    found = dict(line.split("=", 1) for line in before.splitlines())
    assert len(found) == 3 and len(set(found.values())) == 3 and min(map(len, found.values())) >= 32
    assert serve(folder, "--only-passwords") == (0, "", "") and place.read_text() == before
    place.chmod(0o640)
    code, _, said = serve(folder, "--only-passwords")
    assert code == 2 and f"chmod 600 {place}" in said and len(said.splitlines()) == 1
    place.chmod(0o600)
    place.write_text("ADMIN_PASSWORD=x\n")
    assert "has no DATABASE_PASSWORD, SECRET_KEY" in serve(folder, "--only-passwords")[2]


@pytest.mark.skipif(Path("/usr/lib/postgresql").is_dir(), reason="PostgreSQL is found where Debian has it")
def test_without_postgresql_it_says_what_to_do(tmp_path):
    code, _, said = serve(tmp_path / "team", path=tmp_path)
    assert code == 2 and "Install it, or name one that runs with --database" in said and "Traceback" not in said


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--user", "a b"), "a name has letters"), (("--user", "alice", "--port", "9"), "Start it first")],
)
def test_a_mistake_with_a_login_is_one_line(tmp_path, words, said):
    code, _, found = serve(tmp_path / "team", *words)
    assert code == 2 and said in found and len(found.splitlines()) == 1
    assert not list((tmp_path / "team").glob("users/*"))


def test_in_containers_passwords_come_from_files(tmp_path, script):
    for name in script["NAMES"]:
        (tmp_path / name).write_text(f"of {name}\n")
    assert script["passwords"](tmp_path, tmp_path) == {name: f"of {name}" for name in script["NAMES"]}
    assert not (tmp_path / "passwords.env").exists()


def test_the_compose_file_fits_the_script_and_the_versions_that_are_tested(script):
    text = (TEAM / "compose.yaml").read_text()
    found = yaml.safe_load(text)
    database, mlflow = found["services"]["database"], found["services"]["mlflow"]
    assert set(found["secrets"]) == set(mlflow["secrets"]) == set(script["NAMES"]) >= set(database["secrets"])
    assert all(secret == {"environment": name} for name, secret in found["secrets"].items())
    words = [re.sub(r"\$\{\w+:-(.*?)\}", r"\1", word) for word in mlflow["command"]]
    given = script["arguments"](words[2:])
    assert words[:2] == ["python", "/serve.py"] and str(given.passwords) == "/run/secrets"
    assert "./serve.py:/serve.py:ro" in mlflow["volumes"]
    user, host, name = re.fullmatch(r"postgresql\+psycopg://(\w+)@(\w+)/(\w+)", given.database).groups()
    assert user == name == database["environment"]["POSTGRES_USER"] == "mlflow" and host in found["services"]
    assert mlflow["ports"] == ["${ADDRESS:-127.0.0.1}:5000:5000"] and given.port == 5000 and "ports" not in database
    pins = re.findall(r"'(\w+)\[\w+\]==([\d.]+)'", mlflow["build"]["dockerfile_inline"])
    constraints = (HOUSE / "constraints.txt").read_text().splitlines()
    assert len(pins) == 2 and all(f"{name}=={version}" in constraints for name, version in pins)
    assert set(found["volumes"]) == {"database", "team"}


def test_a_name_that_others_call_it_by_is_let_in_and_no_other(script):
    from mlflow.server.security_utils import is_allowed_host_header

    allowed = script["allowed"](["mlflow.lab"])
    assert all(
        is_allowed_host_header(allowed, host) for host in ("mlflow.lab:5000", "mlflow.lab", "localhost:1", "10.1.2.3")
    )
    assert not any(is_allowed_host_header(allowed, host) for host in ("evil.example", "mlflow.lab.evil.example:5000"))
