"""The pages that people read, those of the root and docs/, with their fenced blocks and commands."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(.*?)$\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXIT_CODE_SAID = re.compile(r"#\s*exit code (\d)\s*$")


def label(page):
    return str(page.relative_to(ROOT))


def blocks(page):
    """(language, text) of every fenced block of a page."""
    return FENCE.findall(page.read_text())


def commands_of(text):
    """The commands of a console block, in order: (command, the exit code it should have)."""
    found = []
    for line in text.splitlines():
        if line.startswith("$ "):
            code = EXIT_CODE_SAID.search(line)
            found.append((EXIT_CODE_SAID.sub("", line[2:]).strip(), int(code[1]) if code else 0))
    return found
