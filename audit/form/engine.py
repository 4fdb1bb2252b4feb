"""What the page runs on: CPython for the browser (Pyodide), and the Python of this audit as it is installed here.

Everything is a classic script, because a page that was opened from a folder can load scripts and nothing else: no
data, no modules, no workers from files. Binary parts are base64 of the compressed file.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

FOLDER = "form"
"""Where the scripts lie, next to the page."""
PYODIDE = "0.29.5"
"""Its version; vendor/README.md has the hashes."""
HERE = Path(__file__).parent
VENDOR = HERE / "vendor"
PLAIN, BINARY = ("pyodide.js", "pyodide.asm.js"), ("pyodide.asm.wasm.gz", "python_stdlib.zip")
KINDS = {".py", ".toml", ".csv"}
NOT_NEEDED = {"__pycache__", "vendor", "tracks", "table"}


def scripts() -> Iterator[tuple[str, str]]:
    """(name, text) of every script that the page loads, the same for the same installation."""
    for name in PLAIN:
        yield f"{FOLDER}/{name}", gzip.decompress((VENDOR / f"{name}.gz").read_bytes()).decode()
    for name in BINARY:
        packed = base64.b64encode((VENDOR / name).read_bytes()).decode()
        yield f"{FOLDER}/{name.removesuffix('.gz')}.js", f'prunemark.part({json.dumps(name)}, "{packed}");\n'
    yield f"{FOLDER}/python.js", f"prunemark.files({json.dumps(sources())});\n"
    for path in (HERE / "form.js", HERE / "form.css", VENDOR / "LICENSES.txt"):
        yield f"{FOLDER}/{path.name}", path.read_text(encoding="utf-8")


def sources() -> dict[str, str]:
    """The text of every file that an audit can need in the browser, by its path in the package's folder."""
    import yaml

    found = {"prunemark/__init__.py": ""}
    for room in ("setups", "audit"):
        found |= {f"prunemark/{room}/{name}": text for name, text in _files(HERE.parents[1] / room)}
    found |= {f"yaml/{name}": text for name, text in _files(Path(yaml.__file__).parent)}
    return found


def _files(room: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(room.rglob("*")):
        name = path.relative_to(room)
        if path.suffix in KINDS and not NOT_NEEDED & set(name.parts):
            yield name.as_posix(), path.read_text(encoding="utf-8")
