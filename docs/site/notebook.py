"""Runs a notebook from top to bottom and writes what its cells show into it, without Jupyter.

    python docs/site/notebook.py docs/board.ipynb

A cell shows what it prints, and its last line if that is a value. Nothing else of a notebook is known here: no magics,
no pictures. So the file is the same bytes wherever it was run.
"""

import ast
import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any


def run(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook with the outputs of its cells, run in one namespace. Raises whatever a cell raises."""
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = [dict(cell) for cell in notebook["cells"]]
    for number, cell in enumerate((cell for cell in cells if cell["cell_type"] == "code"), 1):
        printed, value = _run_cell("".join(cell["source"]), f"cell {number}", names)
        cell["execution_count"], cell["outputs"] = number, []
        if printed:
            cell["outputs"].append({"name": "stdout", "output_type": "stream", "text": printed.splitlines(True)})
        if value is not None:
            data = {"text/plain": repr(value).splitlines(True)}
            cell["outputs"].append(
                {"data": data, "execution_count": number, "metadata": {}, "output_type": "execute_result"}
            )
    return notebook | {"cells": cells}


def _run_cell(code: str, name: str, names: dict[str, Any]) -> tuple[str, Any]:
    """What a cell prints, and the value of its last line; None where that is a statement."""
    tree, printed, value = ast.parse(code, name), io.StringIO(), None
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, name, "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), name, "eval"), names)
    return printed.getvalue(), value


def dump(notebook: dict[str, Any]) -> str:
    """A notebook as Jupyter writes it."""
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(dump(run(json.loads(path.read_text()))))
