"""Every command in README.md and docs/*.md is executed, every example run, every link and name looked up.

The convention: in a ```console block, a line that starts with `$ ` is a command and every other line is output, which
is not compared. `# exit code N` behind a command says that it fails on purpose. A ```python block starts with the
comment `# name.py`; it is written to that file, which later commands of the page use. ```text holds only output. A
fenced block of another kind fails the test, and so does a command of an unknown kind.

`prunemark` runs in this process, on the released tracks with trainings cut to two epochs and, unless the command names
levels, at the first level only, with one seed, or three where it goes on until something is decided. Whole experiments
are planned (`--dry-run`), and run by a slow test; `make` runs as `make -n`, and `python name.py` in this process too.
`prunemark doctor` does not import the libraries anew, which takes longer than all the rest: test_doctor.py is about
that.
"""

import dataclasses
import importlib
import itertools
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.pages import FENCE, PAGES, ROOT, blocks, commands_of, label

from prunemark.audit.judgement.verdict import EXIT_CODES, VERDICTS
from prunemark.benchmark.run import doctor
from prunemark.benchmark.trial.objects import address_in
from prunemark.cli import app
from prunemark.cli.engines import engine_of
from prunemark.leaderboard.formats import labels
from prunemark.records import speed
from prunemark.setups.comparison import SETUPS
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.track_files import find_track, released_tracks

ELSEWHERE = {"audit.md", "audit-document.md", "published-errors.md"}  # tests/audit/test_docs.py executes these
READ_THE_BOARD = {"README.md", "docs/paper-tables.md", "docs/site.md"}
EXPERIMENTS = ("reproduce", "cross-validate", "tune")
EXPERIMENTS_BEGIN = tuple(f"prunemark {name} " for name in EXPERIMENTS)
OF_CLUSTERS = ("--executor", "--address", "--gpus-per-trial", "--slurm")
SHORT = Recipe(lr=parse_schedule("0:1e-1,1:1e-2", 2), augmentation="shift1")

STATISTICS = "statistics|any_time|expected|multiplicity|crossed|power|ranks|standings|families|overall|matched_controls"
FUNCTION = re.compile(rf"`({STATISTICS}|executed|speed|assessment)\.(\w+)`")
UNDECIDED = 4
ROOM = {"executed": "records", "speed": "records", "assessment": "setups"} | dict.fromkeys(
    ("standings", "overall", "matched_controls"), "leaderboard.standings"
)


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A folder with what the commands use of a clone. All pages share it, and so the store of trained stages."""
    folder = tmp_path_factory.mktemp("clone")
    for used in ("examples", "tests/audit/examples"):
        shutil.copytree(ROOT / used, folder / used, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def execute(monkeypatch, capsys, clone):
    """Executes one command in the clone and returns its exit code and what it printed."""
    for name, released in released_tracks().items():
        cut = ("retraining",) if released.base else ("pretraining", "retraining")
        short = dataclasses.replace(released, **dict.fromkeys(cut, SHORT))
        monkeypatch.setitem(released_tracks(), name, short)
    monkeypatch.setattr(doctor, "_try", lambda code: (True, "installed"))
    for limit in ("AGAINST_ITSELF", "SPREAD"):  # whether the machine of the tests is quiet is not asked here
        monkeypatch.setattr(speed, limit, float("inf"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("PRUNEMARK_HOME", raising=False)
    monkeypatch.chdir(clone)

    def run(command):
        command = re.sub(r"\$\((.*?)\)", lambda inner: shell(inner[1], clone), command)
        arguments = shlex.split(command)
        with monkeypatch.context() as patch:
            while re.fullmatch(r"[A-Z_]+=.*", arguments[0]):
                name, _, value = arguments.pop(0).partition("=")
                patch.setenv(name, value)
            code = KINDS.get(arguments[0], unknown_kind)(arguments, patch)
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def shell(command, folder):
    done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def run_prunemark(arguments, patch):
    arguments = here(arguments)
    if "submit" in arguments and "--level" not in arguments and "--dry-run" not in arguments:
        name = arguments[arguments.index("--track") + 1]
        levels = find_track(name if name in TRACK_NAMES else "digits-resnet8").levels
        arguments = [*arguments, "--level", levels[0].name]
    if arguments[1] in ("submit", *EXPERIMENTS) and "--seeds" in arguments and "--dry-run" not in arguments:
        seeds = arguments.index("--seeds") + 1
        arguments[seeds] = "1" if arguments[seeds].isdigit() else re.sub(",.*", ",", arguments[seeds])
    deciding = "--until" in arguments or arguments[1] == "fill"
    if deciding:  # which three seeds never do, so the code is that of an open verdict
        arguments = [*arguments, "--max-seeds", "3"]
    patch.setattr(sys, "argv", arguments)
    try:
        app.main()
    except SystemExit as end:
        code = end.code or 0
        return 0 if deciding and code == UNDECIDED else code
    return 0


def here(arguments):
    """What a page shows of a cluster, on this machine: the options are read, and have to go with that executor."""
    given, kept, rest = {name: [] for name in OF_CLUSTERS}, [], iter(arguments)
    for word in rest:
        given[word].append(next(rest)) if word in given else kept.append(lab(word) if kept[-1:] == ["--home"] else word)
    executor, address, gpus = ("".join(given[name]) for name in OF_CLUSTERS[:3])
    engine_of(executor or "local", address, float(gpus) if gpus else None, given["--slurm"])
    return kept


def lab(home):
    """A folder in place of an object store, which is not here."""
    return "lab" if address_in(home) else home


def run_make(arguments, patch):
    done = subprocess.run(["make", "-n", *arguments[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    print(done.stdout + done.stderr)
    return done.returncode


def run_python(arguments, patch):
    """A script, with the shortened tracks of this process, in a home that no other page looks into."""
    patch.setenv("PRUNEMARK_HOME", "home-of-scripts")
    name, *more = arguments[1:]
    if more:  # a server, which would not end: its options are read; tests/benchmark/test_team_server.py starts it
        runpy.run_path(name)["arguments"](more)
        return 0
    runpy.run_path(name, run_name="__main__")
    return 0


def run_activation(arguments, patch):
    """`. .venv/bin/activate`: right as long as the Makefile makes the environment there."""
    assert arguments == [".", ".venv/bin/activate"]
    assert "-m venv .venv\n" in (ROOT / "Makefile").read_text()
    return 0


def run_git(arguments, patch):
    """In the clone, which the first such command makes a repository with a board of no results."""
    patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for who, what in itertools.product(("AUTHOR", "COMMITTER"), ("NAME", "EMAIL")):
        patch.setenv(f"GIT_{who}_{what}", "x@y")
    if not Path(".git").exists():
        Path("main").mkdir()
        (Path("main") / "leaderboard").mkdir()
        (Path("main") / "leaderboard" / "BOARD.md").touch()
        shell(
            "git init -q -b main && git --work-tree main add . && git --work-tree main commit -q -m Board", Path.cwd()
        )
        shutil.rmtree("main")
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    print(done.stdout + done.stderr)
    return done.returncode


def experiments_of(page):
    """The commands of a page that run whole experiments."""
    found = [each for kind, text in blocks(page) if kind == "console" for each in commands_of(text)]
    return [each for each in found if each[0].startswith(EXPERIMENTS_BEGIN) and "--dry-run" not in each[0]]


def unknown_kind(arguments, patch):
    pytest.fail(f"a command of a kind that no test executes: {shlex.join(arguments)}")


KINDS = {"prunemark": run_prunemark, "make": run_make, "git": run_git, "python": run_python, ".": run_activation}
TRACK_NAMES = {name for t in released_tracks().values() for name in (t.name, t.id)}


@pytest.fixture
def board(request, clone):
    """The repository's own board, for the pages that read it; others contribute to an empty one."""
    folder = clone / "leaderboard" / "board"
    if label(request.node.callspec.params["page"]) not in READ_THE_BOARD:
        yield None
        return
    aside = folder.rename(clone / "aside") if folder.exists() else None
    for used in ("records", "releases"):
        shutil.copytree(ROOT / "leaderboard" / "board" / used, folder / used)
    yield folder
    shutil.rmtree(folder)
    if aside:
        aside.rename(folder)


@pytest.mark.parametrize("page", [p for p in PAGES if p.name not in ELSEWHERE], ids=label)
def test_every_command_and_example_of_a_page_works(page, execute, clone, board):
    for kind, text in blocks(page):
        if kind == "python":
            name = re.match(r"# ([\w/]+\.py)\n", text)
            assert name, f"a python block has to start with its file's name, as in `# method.py`:\n{text[:80]}"
            (clone / name[1]).write_text(text)
        elif kind == "console":
            found = commands_of(text)
            assert found, f"a console block without a command: lines with commands start with `$ `:\n{text[:80]}"
            for command, expected in found:
                planned = f"{command} --dry-run" if command.startswith(EXPERIMENTS_BEGIN) else command
                code, printed = execute(planned)
                assert code == expected, f"{planned}\nended with exit code {code}, not {expected}:\n{printed}"
        else:
            assert kind == "text", f"a fenced block of unknown kind {kind!r}:\n{text[:80]}"


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in PAGES if experiments_of(p)], ids=label)
def test_the_experiments_of_a_page_run_to_their_end(page, execute):
    for command, expected in experiments_of(page):
        code, printed = execute(command)
        assert code == expected, f"{command}\nended with exit code {code}, not {expected}:\n{printed}"


def test_the_pages_have_commands_at_all():
    found = [c for page in PAGES for kind, text in blocks(page) if kind == "console" for c in commands_of(text)]
    assert {shlex.split(c)[0] for c, _ in found} >= {"make", "prunemark"}
    told = {shlex.split(c)[1] for c, _ in found if c.startswith("prunemark")}
    existing = {command.name or command.callback.__name__ for command in app.app.registered_commands}
    existing |= {group.name for group in app.app.registered_groups}
    assert told <= existing
    assert existing - told == set(), "a command that no page shows"


def test_a_release_that_the_readme_names_is_the_board_beside_it():
    (identifier,) = re.findall(r"^Identifier: `(.+)`$", (ROOT / "leaderboard" / "BOARD.md").read_text(), re.MULTILINE)
    for id in re.findall(r"release (\d{4}\.\d+)", FENCE.sub("", (ROOT / "README.md").read_text())):
        assert identifier.startswith(f"prunemark-{id}-"), f"README.md calls the board release {id}; it is {identifier}"


def test_every_column_of_the_board_is_explained():
    quickstart = (ROOT / "docs" / "quickstart.md").read_text()
    for column in labels.COLUMNS.values():
        assert f"| {column} |" in quickstart, column


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_functions_that_are_named_exist(page):
    for module, name in FUNCTION.findall(page.read_text()):
        assert hasattr(
            importlib.import_module(f"prunemark.{ROOM.get(module, 'leaderboard.inference')}.{module}"), name
        ), name


def test_the_picture_shows_the_factor_sets_of_the_rulebook():
    shown = {}
    for element in ElementTree.parse(ROOT / "docs" / "picture.svg").iter():
        if setup := element.get("data-setup"):
            shown.setdefault(setup, set()).update(element.get("data-factors").split())
    assert shown == {id: set(s.factors) for id, s in SETUPS.items() if id != "S1-acc"}


def test_no_page_names_a_place_of_one_machine():
    for page in PAGES:
        assert not re.search(r"(?<![\w.])/(work|tmp|home|root)/", page.read_text()), page.name


def test_a_broken_command_is_noticed(execute):
    assert execute("prunemark submit L1-norm --track digits-resnet8 --sedes 5")[0] == 2
    assert execute("make no-such-target")[0] != 0
    with pytest.raises(pytest.fail.Exception, match="no test executes"):
        execute("pip install prunemark")


def test_the_page_about_audits_has_every_verdict_in_order():
    page = (ROOT / "docs" / "audit.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d) \| (.+) \|$", page, re.MULTILINE)
    assert rows == [(word, str(EXIT_CODES[word]), meaning) for word, meaning in VERDICTS.items()]
