"""The repository's paperwork: the changelog, decisions and log, and the files that GitHub and pre-commit read."""

import re
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
CHAPTERS = ("Code", "Docs", "Rules", "Results")
VERSION = re.compile(r"## (\d+)\.(\d+)\.(\d+) - (\d{4}-\d{2}-\d{2}|unreleased)")
DECISION = ("Context", "Decision", "Consequences", "Look again")
INPUTS = {"input", "textarea", "dropdown", "checkboxes"}


def read(path):
    return yaml.safe_load(path.read_text())


def changelog():
    """The lines of CHANGELOG.md that say something, from its first version on."""
    lines = [line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line]
    return lines[next(number for number, line in enumerate(lines) if line.startswith("## ")) :]


def test_the_versions_of_the_changelog_have_dates_and_the_newest_is_first():
    found = [VERSION.fullmatch(line) for line in changelog() if line.startswith("## ")]
    assert all(found), "a version reads `## 1.2.3 - 2026-11-30`, and the first one may be unreleased"
    numbers = [tuple(int(part) for part in version.groups()[:3]) for version in found]
    dates = [version[4] for version in found]
    assert all(newer > older for newer, older in pairwise(numbers))
    assert "unreleased" not in dates[1:] and all(newer >= older for newer, older in pairwise(dates))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == ".".join(str(part) for part in numbers[0])
    assert read(ROOT / "CITATION.cff")["version"] == project["version"]


def test_an_entry_of_the_changelog_is_one_line_under_a_known_chapter():
    chapters = []
    for line in changelog():
        if line.startswith("## "):
            chapters = []
        elif line.startswith("### "):
            chapters.append(line.removeprefix("### "))
            assert chapters == sorted(set(chapters), key=CHAPTERS.index), line
        else:
            assert chapters and re.match(r"- \S", line) and line.endswith("."), line
            assert len(line) <= 160, line


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "decisions").glob("0*.md")), ids=lambda path: path.stem)
def test_a_decision_says_why_and_when_to_look_again(path):
    text = path.read_text()
    title = re.match(r"# (\d+)\. (.+)\n", text)
    assert int(title[1]) == int(path.name[:4])
    parts = [text.find(f"**{part}") for part in DECISION]
    assert parts[0] > 0 and parts == sorted(parts)
    assert len(text.splitlines()) <= 40
    index = (path.parent / "README.md").read_text()
    assert f"\n{int(title[1])}. [{title[2]}]({path.name}): " in index


def test_every_month_of_the_log_is_in_its_index():
    folder = ROOT / "docs" / "log"
    linked = re.findall(r"^- \[\w+ \d{4}\]\((\d{4}-\d{2}\.md)\)", (folder / "README.md").read_text(), re.MULTILINE)
    assert linked == sorted((path.name for path in folder.glob("20*.md")), reverse=True)
    for month in linked:
        days = re.findall(r"^## (.+)$", (folder / month).read_text(), re.MULTILINE)
        assert days == sorted(days, reverse=True)
        assert all(re.fullmatch(rf"{month.removesuffix('.md')}-\d\d", day) for day in days)


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_has_what_github_asks_for(path):
    """docs.github.com: Syntax for issue forms, Syntax for GitHub's form schema."""
    form = read(path)
    assert {"name", "description", "body"} <= set(form) <= {"name", "description", "body", "title", "labels"}
    ids = []
    for part in form["body"]:
        assert set(part) <= {"type", "id", "attributes", "validations"}
        attributes = part["attributes"]
        if part["type"] == "markdown":
            assert attributes["value"] and "id" not in part
            continue
        assert part["type"] in INPUTS and attributes["label"]
        ids.append(part["id"])
        options = attributes.get("options", [])
        if part["type"] == "dropdown":
            assert options and len(set(options)) == len(options) and all(isinstance(option, str) for option in options)
        if part["type"] == "checkboxes":
            assert options and all(option["label"] for option in options)
    assert ids and len(set(ids)) == len(ids) and all(re.fullmatch(r"[\w-]+", id) for id in ids)


def test_there_is_a_form_for_a_wrong_record_and_one_for_a_new_method():
    assert [path.stem for path in FORMS] == ["new-method", "wrong-record"]
    assert isinstance(read(GITHUB / "ISSUE_TEMPLATE" / "config.yml")["blank_issues_enabled"], bool)


def test_dependabot_looks_once_a_month():
    settings = read(GITHUB / "dependabot.yml")
    assert settings["version"] == 2
    assert [update["package-ecosystem"] for update in settings["updates"]] == ["pip", "github-actions"]
    for update in settings["updates"]:
        assert update["directory"] == "/" and update["schedule"] == {"interval": "monthly"}


def test_hooks_before_a_commit_are_tools_of_the_environment():
    (local,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local"
    assert [hook["entry"].split()[0] for hook in local["hooks"]] == [
        f".venv/bin/{tool}" for tool in ("ruff", "ruff", "pyright", "mypy")
    ]
    assert all({"id", "name", "entry", "language"} <= set(hook) for hook in local["hooks"])
    assert all(hook["language"] == "system" for hook in local["hooks"])


def test_a_pull_request_is_asked_for_what_contributing_asks():
    asked = (GITHUB / "pull_request_template.md").read_text()
    for word in ("make lint", "make test", "CHANGELOG.md", "docs/log/", "docs/decisions/", *CHAPTERS):
        assert word in asked
