"""The house rules: which room may import which, what no room may load, and how long a file may be."""

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.zygote import Zygote

HOUSE = Path(__file__).parents[2]
ROOMS = ("setups", "records", "benchmark", "baselines", "leaderboard", "contributions", "audit", "cli")
MAY_IMPORT = {
    "setups": {"setups"},
    "records": {"setups", "records"},
    "benchmark": {"setups", "records", "benchmark"},
    "baselines": {"baselines", "benchmark.method"},
    "leaderboard": {"setups", "records", "leaderboard"},
    "contributions": {"setups", "records", "benchmark", "leaderboard", "contributions"},
    "audit": {"setups", "records", "audit"},
    "cli": set(ROOMS),
}
# The rooms inside three of the folders, each with what it may import from among the others: they point one way too.
_TOOLS = {"networks", "images", "compression", "metering", "method"}
INSIDE: dict[str, dict[str, set[str]]] = {
    "benchmark": {
        "networks": set(),
        "images": {"networks"},
        "compression": {"networks", "method"},
        "metering": {"networks"},
        "training": _TOOLS,
        "sandbox": {"training"} | _TOOLS,
        "submission": {"sandbox", "training"} | _TOOLS,
        "trial": {"submission", "sandbox", "training"} | _TOOLS,
        "run": {"trial", "submission", "sandbox", "training"} | _TOOLS,
    },
    "leaderboard": {
        "inference": set(),
        "standings": {"inference"},
        "formats": {"standings", "inference"},
        "site": {"formats", "standings", "inference"},
    },
    "audit": {
        "document": set(),
        "judgement": {"document"},
        "literature": {"document", "judgement"},
        "table": {"document", "judgement"},
        "report": {"document", "judgement", "literature", "table"},
        "form": {"document", "judgement", "literature", "table", "report"},
    },
}
FLAT: dict[str, set[str]] = {"benchmark": {"method"}, "leaderboard": set(), "audit": {"run", "run_table"}}
HEAVY = {"torch", "torchvision", "timm", "mlflow", "sklearn", "torch_pruning", "numpy", "pandas", "scipy", "jinja2"}
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


def wrong_imports(source: str, room: str) -> list[str]:
    rooms = MAY_IMPORT[room]
    ours = [module for module in imported(ast.parse(source)) if f"{module}.".startswith("prunemark.")]
    return [module for module in ours if not allowed(module, rooms)]


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_point_one_way(path: Path) -> None:
    assert wrong_imports(path.read_text(), path.relative_to(HOUSE).parts[0]) == []


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
    source = "def f():\n    from prunemark.records import record\n    import prunemark.benchmark.trial.store\n"
    assert wrong_imports(source, "leaderboard") == ["prunemark.benchmark.trial.store"]
    assert wrong_imports("from prunemark.leaderboard import board", "setups") != []
    assert wrong_imports("import prunemark", "cli") == ["prunemark"], "the package stands on top of its rooms"


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
    long = [name(path) for path in (HOUSE / "tests").rglob("*.py") if len(path.read_text().splitlines()) > LONGEST]
    assert long == []


def test_the_rulebook_is_pure_python() -> None:
    """Neither torch nor anything else beyond the standard library (a TOML reader is in it)."""
    for path in (HOUSE / "setups").rglob("*.py"):
        for module in imported(ast.parse(path.read_text())):
            top = module.split(".")[0]
            assert top == "prunemark" or top in sys.stdlib_module_names, f"{name(path)} imports {module}"


def test_records_are_read_without_torch() -> None:
    """Where nothing is trained: on the machine of a reviewer, or of whoever reads a board."""
    modules = [f"prunemark.records.{path.stem}" for path in sorted((HOUSE / "records").glob("*.py"))]
    code = (
        f"import importlib, sys\nfor module in {modules!r}:\n    importlib.import_module(module)\n"
        f"print(sorted({HEAVY - {'numpy'}!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_inference_takes_numbers_and_knows_no_record() -> None:
    known = ("prunemark.leaderboard.inference.", "prunemark.setups.errors.")
    for path in (HOUSE / "leaderboard" / "inference").glob("*.py"):
        for module in imported(ast.parse(path.read_text())):
            top = module.split(".")[0]
            outside = top in sys.stdlib_module_names or top in ("numpy", "scipy")
            assert outside or module.startswith(known), f"{name(path)} imports {module}"


@pytest.mark.parametrize(
    "path",
    sorted(path for folder in ("perf", "examples", "docs/site") for path in (HOUSE / folder).glob("*.py")),
    ids=name,
)
def test_a_script_outside_the_rooms_imports_what_is_there(path: Path) -> None:
    """No test runs all of them, and a rename would be noticed months later."""
    for module in imported(ast.parse(path.read_text())):
        if module.startswith("prunemark."):
            holder, _, wanted = module.rpartition(".")
            assert hasattr(importlib.import_module(holder), wanted) or importlib.util.find_spec(module), module


LIGHT = (
    "--help",
    "setups",
    "tracks",
    "methods",
    "setups show S3.2",
    "tracks show digits-resnet8",
    "submit --help",
    "audit --help",
    "methods show L1-norm",
    "tracks show digits-resnet8 --toml",
    "verify --help",
    "leaderboard --help",
    "doctor",
    "audit --template",
    f"audit {HOUSE}/tests/audit/examples/1-l1reimpl-vs-hrank.yaml",
    "audit --published --network ResNet-56",
    f"audit table {HOUSE}/tests/audit/tables/torch-pruning.md --table 1",
)


@pytest.fixture(scope="module")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    loaded = Zygote("from prunemark.cli.app import app", tmp_path_factory.mktemp("zygote"))
    yield loaded
    loaded.close()


@pytest.mark.parametrize("words", LIGHT)
def test_looking_around_loads_nothing_heavy(words: str, zygote: Zygote) -> None:
    code = (
        "import sys\nfrom prunemark.cli.app import app\n"
        f"try:\n    app({words.split()!r}, standalone_mode=False)\nexcept SystemExit:\n    pass\n"
        f"print('LOADED', sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = zygote.run(code)
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "LOADED []", done.stderr


def test_every_room_is_linked_into_the_package() -> None:
    """What is not linked would be missing from an installed copy, and no editor could follow its imports."""
    links = {path.name: path.readlink().as_posix() for path in (HOUSE / "prunemark").iterdir() if path.is_symlink()}
    assert links == {room: f"../{room}" for room in ROOMS}
    folders = {path.parent for path in MODULES}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_only_the_command_line_knows_typer() -> None:
    """A script or another program can call whatever is not a verb's own file."""
    users = {path for path in MODULES for module in imported(ast.parse(path.read_text())) if module == "typer"}
    assert {path.parent for path in users} == {HOUSE / "cli"}
