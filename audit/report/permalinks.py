"""Where a published number stands, as an address that does not change, and where to say that it is wrong."""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode

from prunemark.audit.literature.results_csv import CsvRow

HOST = "https://github.com"
HOW_TO_CORRECT = "index.html#correct"
_AT_COMMIT = re.compile(r"([\w.-]+/[\w.-]+)@([0-9a-f]{7,40})")
_ISSUE = re.compile(r"([\w.-]+/[\w.-]+) issue (\d+)")
_ARXIV = re.compile(r"arXiv(\d{4}\.\d{4,5})")
_FILE = re.compile(r"(?:README )?([\w.()@+-]+(?:/[\w.()@+-]+)*\.(?:md|csv|pdf|png|PNG|py|yaml|ipynb|log))(?![\w/*])")
_LINE = re.compile(r"\blines? (\d+)")


def source_address(row: CsvRow) -> str:
    """The address of the commit, file and line that a row was read in; empty where its source has none."""
    key, locator = row.get("source_key") or "", row.get("locator") or ""
    if match := _AT_COMMIT.fullmatch(key):
        repository, commit = match.groups()
        file, line = _FILE.match(locator), _LINE.search(locator)
        if file is None or "*" in locator:
            return f"{HOST}/{repository}/tree/{commit}"
        path = quote(file[1])
        return f"{HOST}/{repository}/blob/{commit}/{path}{f'?plain=1#L{line[1]}' if line else ''}"
    if match := _ISSUE.fullmatch(key):
        return f"{HOST}/{match[1]}/issues/{match[2]}"
    if match := _ARXIV.fullmatch(key):
        return f"https://arxiv.org/abs/{match[1]}"
    return f"https://{key.split()[0]}" if key.startswith("huggingface.co/") else ""


def correct_address(repository: str | None, what: str, source: str = "") -> str:
    """A new issue about a number in the repository that these pages are of; without one, how a correction is made."""
    if not repository:
        return HOW_TO_CORRECT
    body = f"What is wrong:\n\nWhat the source prints, and where:\n\nShown now: {what}\n{source}".strip()
    return f"{repository.rstrip('/')}/issues/new?{urlencode({'title': f'Published result: {what}', 'body': body})}"
