"""What is declared is what is imported, a light install has what light rooms import, and the wheel has every file."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from prunemark.setups.errors import EXTRAS

HOUSE = Path(__file__).parents[2]
PYRIGHT = Path(sys.executable).with_name("pyright")
LIGHT = ("setups", "records", "leaderboard", "contributions", "audit", "cli", "prunemark")
RUN = ("benchmark", "baselines")
PACKAGES = {"yaml": "pyyaml", "sklearn": "scikit-learn", "PIL": "pillow", "torch_pruning": "torch-pruning"}
PACKAGES |= {"markdown_it": "markdown-it-py"}
PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
ROOMS = {path.name for path in (HOUSE / "prunemark").iterdir() if path.is_symlink()}
BUILD = """
import sys
from setuptools.dist import Distribution

distribution = Distribution({"script_name": "setup.py"})
distribution.parse_config_files()
build = distribution.get_command_obj("build_py")
build.build_lib = sys.argv[1]
build.ensure_finalized()
build.run()
"""


def packages(requirements):
    return {re.split(r"[^\w.-]", text)[0].lower() for text in requirements}


DECLARED = packages(PROJECT["dependencies"])
OPTIONAL = {extra: packages(texts) for extra, texts in PROJECT["optional-dependencies"].items()}


def sources(*folders):
    return [path for folder in folders for path in sorted((HOUSE / folder).rglob("*.py"))]


def third_party(nodes):
    """The packages, as an index names them, that these imports are of."""
    modules = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module)
    tops = {module.split(".")[0] for module in modules} - sys.stdlib_module_names - {"prunemark"}
    return {PACKAGES.get(top, top) for top in tops}


def imports(*folders):
    return {name for path in sources(*folders) for name in third_party(ast.walk(ast.parse(path.read_text())))}


def imported_by_loading(path):
    """What loading a module imports: all imports but those inside functions and for type checkers."""
    waiting, found = [ast.parse(path.read_text())], []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef) or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)):
            continue
        found.append(node)
        waiting += ast.iter_child_nodes(node)
    return third_party(found)


def test_a_light_install_has_what_its_rooms_import_and_nothing_else():
    assert imports(*LIGHT) - OPTIONAL["run"] - OPTIONAL["parquet"] == DECLARED


@pytest.mark.parametrize("path", sources(*LIGHT), ids=lambda path: str(path.relative_to(HOUSE)))
def test_a_module_of_a_light_room_loads_without_the_packages_of_run(path):
    assert imported_by_loading(path) <= DECLARED


def test_run_has_what_training_imports_and_nothing_else():
    read = {"scikit-learn"}  # its file of the digits, without importing it
    assert (imports(*RUN) | read) - DECLARED == OPTIONAL["run"]
    assert OPTIONAL["run"] & DECLARED == set()


def test_the_extras_that_an_error_names_are_those_of_the_project():
    for extra, modules in EXTRAS.items():
        assert {PACKAGES.get(module, module) for module in modules} == OPTIONAL[extra]


def test_what_tests_and_tools_import_is_declared():
    ours = {
        "support",
        "submissions",
        "synthetic",
        "mine",
        "tools",
        "reference",
        "simplejpeg",
    }  # what a test writes; what attacks share; what `make bench` measures only where it is there
    ours |= {path.stem for path in sources("perf")}
    known = DECLARED | {name for names in OPTIONAL.values() for name in names}
    assert {name.replace("_", "-") for name in imports("tests", "perf", "examples", "docs/site") - ours} <= known


def test_every_declared_package_is_pinned_and_has_its_line_in_the_docs():
    pinned = {line.partition("==")[0] for line in (HOUSE / "constraints.txt").read_text().splitlines() if "==" in line}
    told = (HOUSE / "docs" / "dependencies.md").read_text()
    every = (DECLARED | {name for names in OPTIONAL.values() for name in names}) - {"prunemark"}
    assert sorted(every - pinned) == []
    assert [name for name in sorted(every) if f"| {name} |" not in told] == []


def files_of_the_tree():
    """What an installed copy needs: all of the rooms but the board and its data, as paths inside the package."""
    left_out = {HOUSE / "leaderboard" / name for name in ("board", "BOARD.md", "releases")}
    for path in (HOUSE / "prunemark").iterdir():
        files = path.resolve().rglob("*") if path.is_symlink() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts and not left_out & {file, *file.parents}:
                yield f"prunemark/{file.relative_to(HOUSE)}".replace("prunemark/prunemark/", "prunemark/")


def test_the_wheel_holds_the_files_of_the_rooms_and_no_data_of_the_board(tmp_path):
    """Collected by setuptools, as `pip wheel` asks it to, out of links to the rooms: the clone stays as it was."""
    clone, built = tmp_path / "clone", tmp_path / "built"
    clone.mkdir()
    for path in HOUSE.iterdir():
        if path.name in {*ROOMS, "prunemark", "pyproject.toml", "README.md", "LICENSE"}:
            (clone / path.name).symlink_to(path)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BUILD, built], cwd=clone, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = {str(path.relative_to(built)) for path in built.rglob("*") if path.is_file()}
    expected = set(files_of_the_tree())
    assert (sorted(found - expected), sorted(expected - found)) == ([], [])


@pytest.mark.skipif(not PYRIGHT.is_file(), reason="pyright comes with the extra dev")
def test_an_editor_follows_imports_from_a_script_in_a_clone(tmp_path):
    """Pyright with the settings of pyproject.toml and no others, as in VS Code: what is not there is found missing."""
    for name in (*ROOMS, "prunemark", "pyproject.toml"):
        (tmp_path / name).symlink_to(HOUSE / name)
    (tmp_path / "script.py").write_text(
        "import prunemark.setups.track\n"
        "from prunemark.audit.run import Options\n"
        "prunemark.setups.track.Level\n"
        "prunemark.setups.track.not_there\n"
        "Options(nonsense=1)\n"
    )
    words = [PYRIGHT, "--outputjson", "--pythonpath", sys.executable, "script.py"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)["generalDiagnostics"]
    assert [(each["range"]["start"]["line"] + 1, each["rule"]) for each in found if each["severity"] == "error"] == [
        (4, "reportAttributeAccessIssue"),
        (5, "reportCallIssue"),
    ]
