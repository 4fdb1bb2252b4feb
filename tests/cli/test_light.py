"""A light install, without the packages of `run`: all that runs no trial works, and the rest says what it needs."""

import shutil
from pathlib import Path

import pytest
from support.zygote import Zygote

from prunemark.setups.errors import EXTRAS, InputError, need, not_installed

HOUSE = Path(__file__).parents[2]
BOARD = HOUSE / "leaderboard" / "board"
TRACK = "cifar10-jpeg-small-2to4@1"  # the smallest of the board
DOCUMENT = HOUSE / "tests" / "audit" / "examples" / "1-l1reimpl-vs-hrank.yaml"
ABSENT = """
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in NAMES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

NAMES = set(sys.argv.pop(1).split(","))
sys.meta_path.insert(0, Absent())
"""


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """A board with the records of one track, and with all methods."""
    folder = tmp_path_factory.mktemp("board")
    shutil.copytree(BOARD / "records" / TRACK, folder / "records" / TRACK)
    shutil.copytree(BOARD / "methods", folder / "methods")
    for decisions in (BOARD / "decisions").glob(f"{TRACK}*"):
        shutil.copytree(decisions, folder / "decisions" / decisions.name)
    return folder


@pytest.fixture(scope="module")
def light(tmp_path_factory):
    """Runs a command in a Python that finds no package of any extra."""
    absent = ",".join(name for names in EXTRAS.values() for name in names)
    zygote = Zygote(
        f"import sys\nsys.argv.insert(1, {absent!r}){ABSENT}import prunemark.cli.app", tmp_path_factory.mktemp("light")
    )
    yield lambda *words: zygote.run("from prunemark.cli.app import main\nmain()", *words)
    zygote.close()


@pytest.mark.parametrize(
    "words",
    [
        "--help",
        "setups",
        "setups show S3.2",
        "tracks",
        "tracks show digits-resnet8",
        "methods",
        "methods show L1-norm",
        "submit --help",
        "doctor",
    ],
)
def test_looking_around_needs_no_torch(light, words):
    done = light(*words.split())
    assert done.returncode == 0 and done.stdout
    assert not done.stderr or (words == "methods" and "torch-pruning:FPGMImportance" in done.stderr)


@pytest.mark.parametrize("format", ["text", "json", "markdown", "html", "latex", "review", "checklist", "badge"])
def test_an_audit_needs_no_torch(light, format):
    done = light("audit", DOCUMENT, "--format", format)
    assert done.returncode in (0, 3, 4) and done.stderr == ""
    assert "HRank" in done.stdout or "within" in done.stdout


def test_a_whole_table_is_audited_without_torch(light):
    columns = "method=1, base=2, top1=3, change=4, speedup=5"
    path = HOUSE / "tests" / "audit" / "tables" / "torch-pruning.md"
    done = light("audit", "table", path, "--table", 2, "--columns", columns, "--ours", "Ours")
    assert done.returncode == 3 and "Ours > EigenD" in done.stdout, done.stderr


def test_the_table_of_published_comparisons_needs_no_torch(light):
    done = light("audit", "--published", "--network", "ResNet-56")
    assert done.returncode in (0, 3, 4) and done.stdout


def test_the_pages_of_the_literature_need_no_torch(light, tmp_path):
    done = light("audit", "--published", "--report", "--network", "ResNet-110", "--output", tmp_path / "pages")
    assert (done.returncode, done.stderr) == (0, "") and (tmp_path / "pages" / "index.html").stat().st_size > 1000


@pytest.mark.parametrize("format", ["table", "markdown", "csv", "json", "latex", "bibtex"])
def test_the_tables_of_a_board_need_no_torch(light, board, format):
    done = light("leaderboard", "--records", board / "records", "--format", format)
    assert done.returncode == 0, done.stderr
    assert (TRACK if format in ("markdown", "csv", "json") else "2") in done.stdout


def test_the_tables_of_a_home_need_no_torch(light, board, tmp_path):
    """Nor MLflow: a home's records are what counts."""
    (tmp_path / "mlflow.db").write_bytes(b"not a database")
    (tmp_path / "records").symlink_to(board / "records")
    done = light("leaderboard", "--home", tmp_path, "--format", "csv")
    assert done.returncode == 0 and TRACK in done.stdout, done.stderr


def test_the_site_of_a_board_needs_no_torch(light, board, tmp_path):
    done = light("leaderboard", "--records", board / "records", "--output", tmp_path / "site")
    assert done.returncode == 0, done.stderr
    assert '<a href="form.html">Audit a paper</a>' in (tmp_path / "site" / "index.html").read_text()
    page = (tmp_path / "site" / "form.html").read_text()
    assert '<a href="form.html" aria-current="page">Audit a paper</a>' in page and '<a href="methods.html">' in page
    assert (tmp_path / "site" / "form" / "python.js").is_file()


def test_the_form_of_the_audit_needs_no_torch(light, tmp_path):
    """It lies in a folder of its own, which only the same command replaces."""
    done = light("audit", "--form", tmp_path / "form")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.strip().endswith("/form/form.html")
    assert "methods.html" not in (tmp_path / "form" / "form.html").read_text()  # no link leads out of the folder
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    done = light("audit", "--form", tmp_path / "other")
    assert done.returncode == 2 and "notes.txt" in done.stderr and "Traceback" not in done.stderr
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["notes.txt"]


def test_a_board_and_a_pack_are_verified_without_torch(light, board):
    done = light("verify", board)
    assert done.returncode == 0, done.stderr
    (pack,) = (board / "records" / TRACK).iterdir()
    done = light("verify", board, "--rerun", "1")
    assert done.returncode == 2 and "pip install 'prunemark[run]'" in done.stderr and done.stdout == ""
    done = light("verify", pack)
    assert done.returncode == 0 and "sound" in done.stdout, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        "submit L1-norm --track digits-resnet8",
        "check L1-norm",
        "tune L1-norm --track digits-resnet8",
        "cross-validate L1-norm L2-norm --track digits-resnet8",
        "reproduce m1",
        "leaderboard --tracking-uri sqlite:///HOME/mlflow.db",
        "mlflow rebuild",
        "audit --runs an-experiment --mapping mapping.yaml",
    ],
)
def test_what_runs_trials_says_which_command_installs_it(light, tmp_path, words):
    (tmp_path / "mapping.yaml").write_text("method: {value: A}\n")
    (tmp_path / "mlflow.db").touch()
    words = words.replace("mapping.yaml", str(tmp_path / "mapping.yaml")).replace("HOME", str(tmp_path)).split()
    home = [] if words[0] in ("check", "audit") else ["--home", str(tmp_path)]
    done = light(*words, *home)
    assert done.returncode == 2 and done.stdout == "", done.stderr
    assert "pip install 'prunemark[run]'" in done.stderr and len(done.stderr.splitlines()) <= 2


def test_a_missing_package_is_told_by_the_extra_that_brings_it():
    need("run", "this test")
    told = not_installed(ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn"))
    assert isinstance(told, InputError) and "prunemark[run]" in told.args[0] and "torch" in told.args[0]
    assert not_installed(ModuleNotFoundError("No module named 'pygal'", name="pygal")) is None
