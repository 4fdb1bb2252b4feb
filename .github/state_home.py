"""Writes into a checkout where the project is at home, before it is built: pyproject.toml and the README's links.

A clone does not know its address, and a fork has another one; a workflow knows it. Links of the README that are
relative work in a clone and not on a package index: there they lead to this version's files.

    python .github/state_home.py https://github.com/OWNER/NAME v1.2.3

The version is optional. Given, it has to be that of pyproject.toml, and the changelog has to give its date.
"""

import re
import sys
import tomllib
from pathlib import Path

LINK = re.compile(r"(!?)(\[[^\]]*\])\((?!https?://|#)([^)\s]+)\)")
FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
BEFORE = "[project.scripts]"


def urls(home: str) -> str:
    """The table of addresses; GitHub's own pages lie under the owner's name."""
    owner, name = home.split("/")[-2:]
    pages = f"https://{owner.lower()}.github.io/{name}"
    stated = {
        "Homepage": f"{pages}/",
        "Documentation": f"{pages}/docs/",
        "Repository": home,
        "Changelog": f"{home}/blob/main/CHANGELOG.md",
        "Issues": f"{home}/issues",
    }
    return "[project.urls]\n" + "".join(f'{key} = "{address}"\n' for key, address in stated.items())


def with_addresses(readme: str, home: str, ref: str) -> str:
    """A page whose relative links lead to the files of `ref`, and pictures to their bytes. Code stays as it is."""

    def address(link: re.Match[str]) -> str:
        return f"{link[1]}{link[2]}({home}/{'raw' if link[1] else 'blob'}/{ref}/{link[3]})"

    return "".join(part if part.startswith("```") else LINK.sub(address, part) for part in FENCED.split(readme))


def main(home: str, tag: str = "") -> str:
    """What is wrong, or '' when both files are written."""
    project, readme = Path("pyproject.toml"), Path("README.md")
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", home):
        return f"the address reads https://github.com/OWNER/NAME; given {home!r}"
    text = project.read_text()
    version = tomllib.loads(text)["project"]["version"]
    if tag and tag != f"v{version}":
        return f"the tag {tag!r} is not v{version}, the version in pyproject.toml: correct one of them"
    if tag and not re.search(rf"^## {re.escape(version)} - \d{{4}}-\d\d-\d\d$", Path("CHANGELOG.md").read_text(), re.M):
        return f"CHANGELOG.md gives version {version} no date: write `## {version} - YYYY-MM-DD`"
    if "[project.urls]" in text:
        return "pyproject.toml states its addresses already"
    project.write_text(text.replace(BEFORE, f"{urls(home)}\n{BEFORE}", 1))
    readme.write_text(with_addresses(readme.read_text(), home, tag or "main"))
    return ""


if __name__ == "__main__":
    sys.exit((main(*sys.argv[1:]) or None) if len(sys.argv) in (2, 3) else __doc__)
