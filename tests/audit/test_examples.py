"""The experts' cases: verdict, setups, confounders and unknowns come out, from files, through the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from prunemark.audit.document.comparison import load
from prunemark.audit.judgement.audit_claim import audit_comparison
from prunemark.audit.judgement.verdict import EXIT_CODES
from prunemark.audit.report.content import as_dict

EXAMPLES = Path(__file__).parent / "examples"
CASES = sorted(path.name.removesuffix(".expected.yaml") for path in EXAMPLES.glob("*.expected.yaml"))


def expected(case: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((EXAMPLES / f"{case}.expected.yaml").read_text())
    return found


def test_the_examples_are_here() -> None:
    assert len(CASES) == 19


@pytest.mark.parametrize("case", CASES)
def test_the_verdict_of_an_expert(case: str) -> None:
    wanted, found = expected(case), as_dict(audit_comparison(load(EXAMPLES / f"{case}.yaml")))
    assert (found["verdict"], found["exit_code"]) == (wanted["verdict"], wanted["exit_code"])
    assert found["presumed"] == wanted.get("presumed", found["presumed"])
    assert {id: found["setups"][id] for id in wanted["setups"]} == wanted["setups"]
    assert [c["name"] for c in found["confounders"]] == wanted["confounders"]
    assert found["unknown"] == wanted.get("unknown", [])
    for name in ("overall_lr", "final_lr"):
        assert found[name] == wanted.get(name, found[name])
    assert {c["state"] for c in found["confounders"]} <= {"differs"}


def test_one_document_is_judged_with_nothing_heavy_loaded() -> None:
    """That is what lets it start at once."""
    code = (
        "import sys\nfrom prunemark.cli.app import app\n"
        f"try:\n    app(['audit', {str(EXAMPLES / f'{CASES[0]}.yaml')!r}, '--format', 'json'], standalone_mode=False)\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'torch', 'mlflow', 'pandas', 'scipy', 'jinja2', 'numpy', 'sklearn'}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED []"


@pytest.mark.parametrize("case", CASES)
def test_the_command_prints_json_and_ends_with_the_code_of_its_verdict(case: str) -> None:
    code = f"import sys; sys.argv = ['prunemark', 'audit', {str(EXAMPLES / f'{case}.yaml')!r}, '--format', 'json']\n"
    code += "from prunemark.cli.app import main\nmain()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    verdict = json.loads(done.stdout)["verdict"]
    assert verdict == expected(case)["verdict"]
    assert done.returncode == EXIT_CODES[verdict]
