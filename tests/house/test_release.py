"""What publishes the project: workflows that run only what they name by hash, and files that an index can show."""

import json
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
USES = re.compile(r"uses: (\S+?)(?:@(\S+))?(?: # (v[\d.]+))?$", re.MULTILINE)
HOME = "https://github.com/someone/prunemark"


def test_every_action_is_named_by_hash_and_version_and_by_the_same_everywhere():
    used = [
        use for path in (*WORKFLOWS, *GITHUB.glob("actions/*/action.yml")) for use in USES.findall(path.read_text())
    ]
    assert len(used) > 10
    assert [use for use in used if not (re.fullmatch(r"[0-9a-f]{40}", use[1]) and use[2])] == []
    assert len({name for name, _, _ in used}) == len(set(used)), "an action in two versions"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_workflow_has_a_password_or_more_rights_than_one_job_needs(path):
    text = path.read_text()
    assert "secrets." not in text and "password:" not in text
    assert yaml.safe_load(text)["permissions"] in ({}, {"contents": "read"})
    assert text.count("persist-credentials: false") == text.count("actions/checkout@")


def test_only_a_tag_publishes():
    jobs = yaml.safe_load((GITHUB / "workflows" / "release.yml").read_text())["jobs"]
    assert jobs["publish"]["if"] == "github.ref_type == 'tag'" and jobs["publish"]["environment"] == "index"
    assert jobs["publish"]["permissions"] == {"id-token": "write", "attestations": "write"}
    steps = [step for step in jobs["image"]["steps"] if "push" in str(step)]
    assert steps and all(step["if"] == "github.ref_type == 'tag'" for step in steps)


@pytest.fixture
def checkout(tmp_path):
    """Where a release is prepared: state(address, tag) -> (what is said, the project's table, the README)."""
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    (tmp_path / "CHANGELOG.md").write_text(f"## {version} - 2026-11-30\n")

    def state(*words):
        done = subprocess.run(
            [sys.executable, GITHUB / "state_home.py", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == bool(done.stderr)
        project = tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]
        return done.stderr, project, (tmp_path / "README.md").read_text()

    return state


def test_an_index_can_follow_every_link_of_the_readme(checkout):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    said, project, readme = checkout(HOME, f"v{version}")
    assert said == "" and project["urls"]["Repository"] == HOME
    outside = re.sub(r"^```.*?^```$", "", readme, flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)", outside)
    assert len(links) > 20 and [link for link in links if not link.startswith("https://")] == []
    assert (
        f"]({HOME}/raw/v{version}/docs/picture.svg)" in readme and f"({HOME}/blob/v{version}/docs/audit.md)" in readme
    )
    assert [text for text in re.findall(r"^```.*?^```$", readme, re.MULTILINE | re.DOTALL) if HOME in text] == []
    assert "states its addresses already" in checkout(HOME)[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "python .github/state_home.py"),
        (("git@github.com:a/b",), "reads https://github.com/OWNER/NAME"),
        ((HOME, "v99.0.0"), "the tag 'v99.0.0' is not v"),
    ],
)
def test_a_release_that_would_say_something_wrong_ends(checkout, words, said):
    found, project, readme = checkout(*words)
    assert said in found and "urls" not in project and readme == (ROOT / "README.md").read_text()


def test_a_version_without_a_date_is_not_released(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text('[project]\nversion = "1.2.3"\n\n[project.scripts]\n')
    Path("README.md").touch()
    Path("CHANGELOG.md").write_text("## 1.2.3 - unreleased\n")
    main = runpy.run_path(str(GITHUB / "state_home.py"))["main"]
    assert "gives version 1.2.3 no date" in main(HOME, "v1.2.3")


def test_images_and_editors_get_a_python_and_a_make_target_that_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    editor = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    docker = (ROOT / "Dockerfile").read_text()
    for image in (editor["image"], docker):
        (version,) = re.findall(r"python:(3\.\d+)-", image)
        assert f"Programming Language :: Python :: {version}" in project["classifiers"]
    assert editor["postCreateCommand"] == "make .venv/.installed"
    assert "READY := .venv/.installed" in (ROOT / "Makefile").read_text()
    assert "'/build/clone[run]'" in docker and "run" in project["optional-dependencies"]
    assert "\nUSER runner\n" in docker, "what strangers submit does not run as root"
