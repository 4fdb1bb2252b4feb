"""A stranger's pull request from beginning to end: real repositories, a real submission, the script of the workflow.

The repositories are copies of this one with a small board of a track that trains for two epochs. `.venv` in them is a
stand-in whose `prunemark` is this checkout's, with that track.
"""

import hashlib
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from prunemark.records.pack import unpack, write_lines
from prunemark.records.record import canonical_json

HOUSE = Path(__file__).parents[2]
WORKFLOWS = HOUSE / ".github" / "workflows"
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "build", "*.egg-info", "__pycache__", ".*_cache", "prunemark-home")
METHOD = """from prunemark.benchmark.method import FilterCriterion


class Stranger(FilterCriterion):
    \"\"\"The sum of the weights that are above zero.\"\"\"

    def score(self, layer, context):
        return layer.weight.flatten(1).clamp(min=0).sum(dim=1)
"""
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "PRUNEMARK", "MLFLOW"))}
ENVIRONMENT |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "OMP_NUM_THREADS": "1"}
ENVIRONMENT |= {f"GIT_{who}_{what}": "x@y" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def run(folder, *words, code=0, **more):
    done = subprocess.run(
        list(map(str, words)), cwd=folder, env=ENVIRONMENT | more, check=False,
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert code in (done.returncode, None), done.stdout
    return done.returncode, done.stdout


def commit(repository, message):
    run(repository, "git", "add", "--all")
    run(repository, "git", "commit", "-q", "-m", message)


def make_environment(repository):
    """What `make` would install, in short."""
    program = repository / ".venv" / "bin" / "prunemark"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{HOUSE}/tests/support/quick_cli.py" "$@"\n')
    program.chmod(0o755)
    (repository / ".venv" / ".installed").touch()


def submit(repository, method, home):
    words = ["--track", "quick", "--level", "90%", "--seeds", "0,", "--home", home, "--contribute", "leaderboard/board"]
    run(repository, ".venv/bin/prunemark", "submit", method, *words)
    run(repository, "make", "leaderboard")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two repositories: `origin` with a board of L1-norm, and `fork` with a branch that brings another method."""
    place = tmp_path_factory.mktemp("place")
    origin = shutil.copytree(HOUSE, place / "origin", ignore=LEFT_OUT)
    for part in ("records", "methods", "decisions", "releases"):
        shutil.rmtree(origin / "leaderboard" / "board" / part, ignore_errors=True)
    terms = origin / "leaderboard" / "board" / "board.toml"  # on every machine, with or without a sandbox
    terms.write_text(re.sub(r'(?m)^isolation = "\w+"', 'isolation = "process"', terms.read_text()))
    make_environment(origin)
    submit(origin, "L1-norm", place / "home")
    run(origin, "git", "init", "-q", "-b", "main")
    commit(origin, "The board so far")
    run(place, "git", "clone", "-q", "origin", "fork")
    make_environment(place / "fork")
    run(place / "fork", "git", "switch", "-q", "-c", "stranger")
    (place / "stranger.py").write_text(METHOD)
    submit(place / "fork", f"{place / 'stranger.py'}:Stranger", place / "home")
    commit(place / "fork", "Results: Stranger")
    return place


@pytest.fixture
def fork(place, tmp_path):
    """A copy of the fork, to be changed by a test."""
    return Path(shutil.copytree(place / "fork", tmp_path / "fork", symlinks=True))


def examine(place, fork, tmp_path, code):
    """What the workflow does with a pull request; the exit code has to be `code`. Returns what was printed."""
    merged, base = tmp_path / "merged", tmp_path / "base"
    run(tmp_path, "git", "clone", "-q", place / "origin", merged)
    run(merged, "git", "fetch", "-q", fork, "stranger")
    run(merged, "git", "merge", "-q", "--no-ff", "-m", "merge", "FETCH_HEAD")
    steps = yaml.safe_load((WORKFLOWS / "contribution.yml").read_text())["jobs"]["examine"]["steps"]
    worktree, script = [step["run"] for step in steps if "run" in step]
    run(tmp_path, *worktree.split())
    make_environment(base)
    return run(tmp_path, *script.split(), code=code, SALT="7")[1]


def board(fork):
    return fork / "leaderboard" / "board"


def newest(fork, part):
    """The file of a part that the branch adds."""
    names = run(fork, "git", "diff", "--name-only", "main", "stranger", "--", f"leaderboard/board/{part}")[1].split()
    assert len(names) == 1
    return fork / names[0]


@pytest.mark.slow
def test_an_honest_pull_request_passes(place, fork, tmp_path):
    changed = run(fork, "git", "diff", "--name-status", "main", "stranger")[1].splitlines()
    assert sorted(line.split("/")[0 if "BOARD" in line else 2] for line in changed) == [
        "M\tleaderboard", "decisions", "methods", "records"
    ]  # fmt: skip
    printed = examine(place, fork, tmp_path, 0)
    assert "1 new records, 1 sources, 1 decisions: sound" in printed
    assert "(Stranger 90% seed 0, quick@1 S3.2): same: same bits" in printed
    assert "leaderboard/BOARD.md is that of the records" in printed


def edited_accuracy(fork):
    path = newest(fork, "records")
    text = lzma.decompress(path.read_bytes())
    entry = json.loads(text)["record"]["outcome"]["accuracy"]["test_percent"]
    path.write_bytes(lzma.compress(text.replace(f'"test_percent":{entry}'.encode(), b'"test_percent":99.0')))


def made_up_weights(fork):
    """Everything named by its content as it should be: only running it again can tell."""
    for part in ("records", "decisions"):
        path = newest(fork, part)
        entry = json.loads(unpack(path, 2**23)[0])
        if part == "records":
            entry["record"]["outcome"]["weights_sha256"] = "f" * 64
            sha256 = hashlib.sha256(canonical_json(entry["record"]).encode()).hexdigest()
            entry["sha256"] = sha256
        else:
            entry["record_sha256"] = sha256
        path.unlink()
        write_lines([canonical_json(entry)], path.parent)


def swapped_source(fork):
    path = newest(fork, "methods")
    path.write_text(path.read_text().replace("clamp(min=0)", "abs()"))


def removed_pack(fork):
    old = run(fork, "git", "ls-files", "leaderboard/board/records")[1].split()
    next(fork / name for name in old if fork / name != newest(fork, "records")).unlink()


def changed_decision(fork):
    path = newest(fork, "decisions")
    entry = json.loads(unpack(path, 2**23)[0])
    layer, kept = next(iter(entry["kept"].items()))
    entry["kept"][layer] = kept[:-1]
    path.unlink()
    write_lines([canonical_json(entry)], path.parent)


def code_beside_it(fork):
    with (fork / "benchmark" / "growth.py").open("a") as file:
        file.write("# all is well\n")


def an_invalidation(fork):
    with (board(fork) / "records" / "invalidations.jsonl").open("a") as file:
        file.write(json.dumps({"at": "2026-01-01", "reason": "a rival", "record_sha256": "0" * 64}) + "\n")


def seeds_that_suit(fork):
    line = {
        "at": "2026-11-30T00:00:00.000000+00:00", "levels": ["90%"], "method": "Stranger", "seeds": [1_000],
        "settings": {}, "setup": "S3.2", "source_sha256": newest(fork, "methods").stem, "track": "quick@1",
    }  # fmt: skip
    (board(fork) / "records" / "fresh-seeds.jsonl").write_text(f"{canonical_json(line)}\n")


def a_board_that_asks_for_less(fork):
    path = board(fork) / "board.toml"
    path.write_text(path.read_text().replace("process", "none"))


def a_link(fork):
    (board(fork) / "methods" / f"{'ab' * 32}.json").symlink_to("/etc/hostname")


def stale_board(fork):
    run(fork, "git", "checkout", "-q", "main", "--", "leaderboard/BOARD.md")


def a_board_that_is_compared_with_itself(fork):
    page = fork / "leaderboard" / "BOARD.md"
    page.unlink()
    page.symlink_to("../../base/leaderboard/BOARD.md")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tamper", "code", "said"),
    [
        (edited_accuracy, 3, "does not unpack to the content its name promises: it was edited"),
        (made_up_weights, 3, 'was not obtained again: weights_sha256 differs: recorded "ffffff'),
        (swapped_source, 3, "does not have the content its name promises: it was edited"),
        (removed_pack, 3, "was removed. A board only grows: put it back"),
        (changed_decision, 3, "does not agree with its decision: layer "),
        (code_beside_it, 3, "This one also changes\nbenchmark/growth.py"),
        (seeds_that_suit, 3, "This one also changes\nleaderboard/board/records/fresh-seeds.jsonl"),
        (a_board_that_asks_for_less, 3, "This one also changes\nleaderboard/board/board.toml"),
        (an_invalidation, 3, "This one also changes\nleaderboard/board/records/invalidations.jsonl"),
        (a_link, 3, "is a link, or no plain file"),
        (a_board_that_is_compared_with_itself, 3, "leaderboard/BOARD.md is a link or is not there"),
        (stale_board, 1, "is not that of the records. Run `make leaderboard` and commit what it changed"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_pull_request_that_was_tampered_with_fails(place, fork, tmp_path, tamper, code, said):
    tamper(fork)
    commit(fork, "a little help")
    printed = examine(place, fork, tmp_path, code)
    assert said in printed, printed


@pytest.mark.parametrize("path", sorted(WORKFLOWS.glob("*.yml")), ids=lambda path: path.name)
def test_a_stranger_gets_no_secret_and_no_right_to_write(path):
    text = path.read_text()
    found = yaml.safe_load(text)
    assert found["permissions"] in ({}, {"contents": "read"}) and "secrets." not in text
    triggers = found[True]  # "on" is a truth value in YAML 1.1
    assert "pull_request_target" not in triggers
    if "pull_request" in triggers:
        assert all("permissions" not in job for job in found["jobs"].values())


def test_the_site_is_published_from_main_alone_and_by_a_job_that_runs_no_code_of_ours():
    found = yaml.safe_load((WORKFLOWS / "publish.yml").read_text())
    assert found[True] == {"push": {"branches": ["main"]}}
    publish = found["jobs"]["publish"]
    assert publish["permissions"] == {"pages": "write", "id-token": "write"} and publish["needs"] == "build"
    assert [step["uses"].split("@")[0] for step in publish["steps"]] == ["actions/deploy-pages"]
    assert [step["run"] for step in found["jobs"]["build"]["steps"] if "run" in step] == [
        'python .github/state_home.py "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY"', "make leaderboard",
        "git diff --exit-code leaderboard/BOARD.md",
    ]  # fmt: skip


def test_the_script_can_be_started():
    script = HOUSE / ".github" / "contribution.sh"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
