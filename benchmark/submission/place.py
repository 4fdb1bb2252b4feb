"""The line of a method's file that an error came from, for its author."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from prunemark.benchmark.submission.covered import parsed
from prunemark.setups.errors import InputError

CALLED = ("score", "observe", "prune", "__init__")


def place_of(trace: str, path: str, class_name: str) -> str:
    """`line 12, in score`: the deepest line of this file in a traceback; without one, where the method begins.

    "" where neither is known.
    """
    if places := re.findall(rf'File "{re.escape(path)}", line (\d+), in (\S+)', trace):
        line, function = places[-1]
        return f"line {line}" + ("" if function == "<module>" else f", in {function}")
    try:
        classes = [
            node for node in parsed(Path(path)).body if isinstance(node, ast.ClassDef) and node.name == class_name
        ]
    except InputError:
        return ""
    begins = {node.name: node.lineno for made in classes for node in made.body if isinstance(node, ast.FunctionDef)}
    return next((f"{name} begins at line {begins[name]}" for name in CALLED if name in begins), "")


def said_and_advice(evidence: str) -> tuple[str, str]:
    """What happened, and the line on what to do about it, or ""."""
    happened, _, advice = evidence.partition("\n")
    return (happened.rstrip("."), " ".join(advice.split())) if advice else (evidence, "")


def named_beside(evidence: str, path: str) -> str:
    """The evidence; of a missing file that lies beside the method, that the method's hash does not cover it."""
    found = re.search(r"(?:FileNotFoundError|PermissionError): [^\n]*'([^'\n]+)'", evidence)
    name = Path(found[1]).name if found else ""
    if not found or not name or name.endswith(".py") or not (Path(path).parent / name).exists():
        return evidence
    happened = said_and_advice(evidence)[0].replace(found[1], name)
    return (
        f"{happened}\n{name} lies beside {Path(path).name}, and the hash of the method does not cover it: so it is not "
        "handed over. Put what it says into the source"
    )
