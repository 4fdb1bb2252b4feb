"""The house rules: which room may import which, what no room may load, and how long a file may be."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent
ROOMS = ("setups", "benchmark", "baselines", "leaderboard", "audit")
MAY_IMPORT = {
    "setups": {"setups"},
    "benchmark": {"setups", "benchmark"},
    "baselines": {"setups", "baselines", "benchmark.method"},
    "leaderboard": {"setups", "leaderboard", "benchmark.record", "benchmark.outcome"},
    "audit": {"setups", "leaderboard", "audit", "benchmark.record", "benchmark.outcome"},
}
EXCEPTIONS = {
    "benchmark/cli.py": set(ROOMS),  # the composition root, and the commands beside it
    "benchmark/commands/experiments.py": set(ROOMS),
    "benchmark/commands/results.py": set(ROOMS),
    "benchmark/commands/pack.py": set(ROOMS),
    "benchmark/commands/contribution.py": set(ROOMS),
}
# The rooms inside two of the folders, each with what it may import from among the others: they point one way too.
_PLAIN = {"outcome", "record"}
_BELOW_A_TRIAL = {"networks", "compression", "images", "metering", "submissions", "results", "method"} | _PLAIN
INSIDE: dict[str, dict[str, set[str]]] = {
    "benchmark": {
        "networks": set(),
        "images": {"networks"},
        "compression": {"networks", "method"},
        "metering": {"networks", "outcome"},
        "submissions": {"method"},
        "results": _PLAIN,
        "trial": _BELOW_A_TRIAL,
        "experiments": {"trial"} | _BELOW_A_TRIAL,
        "exchange": {"experiments", "trial"} | _BELOW_A_TRIAL,
        "commands": {"exchange", "experiments", "trial"} | _BELOW_A_TRIAL,
    },
    "leaderboard": {
        "archive": set(),
        "inference": set(),
        "standings": {"archive", "inference"},
        "forms": {"standings", "archive", "inference", "release"},
        "site": {"forms", "standings", "archive", "inference", "release"},
    },
}
FLAT = {"benchmark": {"cli", "method"} | _PLAIN, "leaderboard": {"release", "verification"}}
HEAVY = {"torch", "torchvision", "timm", "mlflow", "pandas", "scipy", "sklearn", "torch_pruning", "jinja2"}
LONGEST = 300
MODULES = sorted(p for room in ROOMS for p in (HOUSE / room).rglob("*.py"))


def name(path: Path) -> str:
    return str(path.relative_to(HOUSE))


def imported(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def allowed(module: str, rooms: set[str]) -> bool:
    inside = module.removeprefix("prunemark.")
    return any(inside == room or inside.startswith(f"{room}.") for room in rooms)


def wrong_imports(source: str, room: str, file: str) -> list[str]:
    rooms = MAY_IMPORT[room] | EXCEPTIONS.get(file, set())
    ours = [module for module in imported(ast.parse(source)) if module.startswith("prunemark.")]
    return [module for module in ours if not allowed(module, rooms)]


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_point_one_way(path: Path) -> None:
    assert wrong_imports(path.read_text(), path.relative_to(HOUSE).parts[0], name(path)) == []


@pytest.mark.parametrize(("house", "room"), [(house, room) for house, rooms in INSIDE.items() for room in rooms])
def test_imports_inside_a_folder_point_one_way(house: str, room: str) -> None:
    rooms = INSIDE[house]
    modules = {m for path in (HOUSE / house / room).glob("*.py") for m in imported(ast.parse(path.read_text()))}
    inside = {
        m.removeprefix(f"prunemark.{house}.").split(".")[0] for m in modules if m.startswith(f"prunemark.{house}")
    }
    assert inside - {room} <= rooms[room]
    assert all(rooms[below] <= rooms[room] for below in rooms[room] & set(rooms))


@pytest.mark.parametrize("house", INSIDE)
def test_every_room_inside_a_folder_is_known(house: str) -> None:
    rooms = {path.parent.name for path in (HOUSE / house).glob("*/__init__.py")}
    assert rooms == set(INSIDE[house])
    assert {path.stem for path in (HOUSE / house).glob("*.py")} == FLAT[house] | {"__init__"}
    told = (HOUSE / "CONTRIBUTING.md").read_text()
    assert [room for room in sorted(rooms) if f"`{house}/{room}/`" not in told] == []


def test_a_wrong_import_is_found() -> None:
    source = "def f():\n    from prunemark.benchmark import record\n    import prunemark.benchmark.results.store\n"
    assert wrong_imports(source, "leaderboard", "leaderboard/x.py") == ["prunemark.benchmark.results.store"]
    assert wrong_imports("from prunemark.leaderboard import board", "setups", "setups/x.py") != []


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_file_is_one_idea_and_fits(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= LONGEST
    assert ast.get_docstring(tree), "a module says what it is"
    public = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and not node.name.startswith("_")] + [
        node for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]
    assert [node.name for node in public if not ast.get_docstring(node)] == []


def test_a_file_of_tests_fits_too() -> None:
    long = [name(path) for path in (HOUSE / "tests").glob("*.py") if len(path.read_text().splitlines()) > LONGEST]
    assert long == []


def test_the_rulebook_is_pure_python() -> None:
    """Neither torch nor anything else beyond the standard library (a TOML reader is in it)."""
    for path in (HOUSE / "setups").rglob("*.py"):
        for module in imported(ast.parse(path.read_text())):
            top = module.split(".")[0]
            assert top == "prunemark" or top in sys.stdlib_module_names, f"{name(path)} imports {module}"


LIGHT = (
    "--help",
    "setups",
    "tracks",
    "methods",
    "setups show S3.2",
    "tracks show digits-resnet8",
    "submit --help",
    "audit --help",
)


@pytest.mark.parametrize("words", LIGHT)
def test_looking_around_loads_nothing_heavy(words: str) -> None:
    code = (
        "import sys\nfrom prunemark.benchmark.cli import app\n"
        f"try:\n    app({words.split()!r}, standalone_mode=False)\nexcept SystemExit:\n    pass\n"
        f"print('LOADED', sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED []"


def test_the_packages_are_listed() -> None:
    """A subpackage that pyproject.toml does not list would be missing from an installed copy."""
    listed = (HOUSE / "pyproject.toml").read_text()
    for folder in {path.parent for path in MODULES}:
        package = "prunemark." + ".".join(folder.relative_to(HOUSE).parts)
        assert listed.count(f'"{package}"') >= 2, package
