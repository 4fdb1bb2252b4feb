"""A finished home to be damaged and tidied, and the verbs of `prunemark home` on it."""

import shutil
from pathlib import Path

import pytest
from support.here import Here
from support.homes import TRIALS, Verb

from prunemark.benchmark.run import submit
from prunemark.benchmark.run.home import Home, open_home
from prunemark.cli.app import main
from prunemark.records.source import MethodFiles, write_method


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a submission and its control, and a method's source."""
    home = open_home(Home(tmp_path_factory.mktemp("finished") / "home"))
    submit.execute(TRIALS, home, Here(), [])
    write_method(MethodFiles("Mine", (("mine.py", "class Mine:\n    pass\n"),)), home.root / "methods")
    return home.root


@pytest.fixture
def home(finished: Path, tmp_path: Path) -> Home:
    shutil.copytree(finished, tmp_path / "home")
    return Home(tmp_path / "home")


@pytest.fixture
def verb(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Verb:
    """`prunemark home VERB` on that home: its code, and what it printed on both streams."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["prunemark", "home", *words, "--home", str(home.root)])
        code: object = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        printed = capsys.readouterr()
        return int(str(code)), printed.out, printed.err

    return run
