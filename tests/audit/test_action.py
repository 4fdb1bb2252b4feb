"""The action: its exit code, the job summary, and one comment of the pull request that later runs replace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

HOUSE = Path(__file__).parents[2]
EXAMPLES = HOUSE / "tests" / "audit" / "examples"
ACTION = HOUSE / ".github" / "actions" / "audit"
pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="the action runs in bash")
GH = """#!/bin/sh
# stands in for GitHub's own command: it notes what is asked, and keeps the body of one comment
echo "$*" >> "$ASKED"
for word in "$@"; do case "$word" in body=@*) cp "${word#body=@}" "$KEPT" ;; esac; done
case "$*" in *PATCH*|*POST*) exit "${FAILS:-0}" ;; *) [ -f "$KEPT" ] && echo 77 ;; esac
exit 0
"""


QUICK = """#!/bin/sh
# stands in for the audit itself: a long report, and 3 for one of the two documents
head -c 9000 /dev/zero | tr '\\0' 'x'; echo "## attributable ## not-a-pruning-effect"
case "$2" in a*) exit 0 ;; *) exit 3 ;; esac
"""


@pytest.fixture
def quick(place: Path) -> Path:
    """The same, where nothing is really audited."""
    (place / "bin" / "prunemark").write_text(QUICK)
    return place


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A checkout with two documents, and the two commands that the action calls."""
    (tmp_path / "bin").mkdir()
    ours = f'#!/bin/sh\nexec "{sys.executable}" -m prunemark.cli.app "$@"\n'
    for name, script in (("prunemark", ours), ("gh", GH)):
        (tmp_path / "bin" / name).write_text(script)
        (tmp_path / "bin" / name).chmod(0o755)
    for name, case in (("a", "23-all-stated"), ("b c", "7-control-same-method-two-lrs")):
        shutil.copy(EXAMPLES / f"{case}.yaml", tmp_path / f"{name}.comparison.yaml")
    return tmp_path


def run(place: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(place / "summary.md"),
        "GITHUB_OUTPUT": str(place / "output"),
        "GITHUB_REPOSITORY": "o/r",
        "BADGES": str(place / "badges"),
        "ASKED": str(place / "asked"),
        "KEPT": str(place / "kept"),
    }
    words = ["bash", str(ACTION / "audit.sh")]
    return subprocess.run(words, cwd=place, env=environment | more, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("fail_on", "code"), [("never", 0), ("unfair", 1), ("undecided", 1), ("sometimes", 2)])
def test_the_action_fails_as_it_is_told(quick: Path, fail_on: str, code: int) -> None:
    place = quick
    assert run(place, FAIL_ON=fail_on).returncode == code
    if code < 2:
        summary = (place / "summary.md").read_text()
        assert "## attributable" in summary and "## not-a-pruning-effect" in summary
        assert (place / "output").read_text().startswith("worst=3\nbadges=")
        assert not (place / "asked").exists(), "without a pull request nothing is commented"


def test_a_pull_request_gets_one_comment_with_all_of_it(place: Path) -> None:
    done = run(place, COMMENT="true", PULL_REQUEST="5", FAIL_ON="never")
    assert done.returncode == 0 and "warning" not in done.stdout
    asked = (place / "asked").read_text().splitlines()
    assert "--method POST repos/o/r/issues/5/comments" in asked[1]
    body = (place / "kept").read_text()
    assert body.startswith("<!-- prunemark audit -->\n")
    for part in ("# b c.comparison.yaml", "Supported: X has", "A paragraph for a review", "Checklist", "6. "):
        assert part in body
    assert "    As far as it is reported, the evidence supports the claim" in body
    assert json.loads((place / "badges" / "a.comparison.yaml.json").read_text())["message"] == "fair under S4.2"
    assert (place / "badges" / "b-c.comparison.yaml.svg").read_text().startswith("<svg")
    (place / "bin" / "prunemark").write_text(QUICK)
    run(place, COMMENT="true", PULL_REQUEST="5", FAIL_ON="never")
    assert "--method PATCH repos/o/r/issues/comments/77" in (place / "asked").read_text().splitlines()[3]


def test_a_fork_that_may_not_comment_is_warned(quick: Path) -> None:
    place = quick
    done = run(place, COMMENT="true", PULL_REQUEST="5", FAIL_ON="never", FAILS="1")
    assert done.returncode == 0 and "::warning::" in done.stdout and (place / "summary.md").exists()


def test_an_unreadable_document_fails_and_is_shown_as_code(place: Path) -> None:
    (place / "`<b>@x.comparison.yaml").write_text("schema: '</details>@team'\n")
    done = run(place, COMMENT="true", PULL_REQUEST="5", FAIL_ON="never", FILES="*@x*")
    body = (place / "kept").read_text()
    assert done.returncode == 1 and "# bx.comparison.yaml" in body
    assert all(line.startswith("    ") for line in body.splitlines() if "@team" in line)


def test_a_long_report_is_cut(quick: Path) -> None:
    for number in range(5):
        (quick / f"more{number}.comparison.yaml").touch()
    run(quick, COMMENT="true", PULL_REQUEST="5", FAIL_ON="never")
    body = (quick / "kept").read_text()
    assert 60_000 < len(body) < 65_536 and body.endswith("Cut here: the job summary has the rest.\n")
    assert len((quick / "summary.md").read_text()) > 7 * 27_000


def test_no_document_is_said(place: Path) -> None:
    done = run(place, FILES="nothing/*.yaml", COMMENT="true", PULL_REQUEST="5")
    assert done.returncode == 0 and "No comparison document" in (place / "summary.md").read_text()
    assert not (place / "asked").exists()


def test_the_action_hands_over_what_the_script_reads() -> None:
    action = yaml.safe_load((ACTION / "action.yml").read_text())
    (step,) = (step for step in action["runs"]["steps"] if step.get("name") == "Audit")
    script = (ACTION / "audit.sh").read_text()
    assert set(step["env"]) - {"GH_TOKEN"} == {
        name for name in step["env"] if f"${{{name}" in script or f"${name}" in script
    }
    assert set(action["outputs"]) == {"worst", "badges"} and action["inputs"]["comment"]["default"] == "true"
