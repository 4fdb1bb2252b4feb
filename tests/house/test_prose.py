"""The pages are read by people whose first language is not English: short sentences, no phrase to be read twice."""

import re

import pytest
from support.pages import PAGES, ROOT, label

READ = [page for page in PAGES if page.parent.name != "log"]  # the log is a diary
LONGEST, LONGEST_OF_FIRST_PAGES = 36, 30  # words
FIRST_PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md")

RETIRED = {  # a pattern, and what to write
    r"(?<!there )\b(is|are|was|were) no\b(?! (longer|more|larger|less|smaller))": "is not a ..., or say what it is",
    r"\bbeside\b": "together with, next to, in parallel",
    r"\balone\b": "only",
    r"\bbut for\b": "except",
    r"\b(all|every\w*|nothing|each \w+|every \w+) but\b": "except",
    r"\bmay not\b": "must not",
    r"\bof (one's|your|its|their|his|our) own\b": "your own ..., or its own ...",
    r"\bof (yours|ours|theirs)\b": "your ...",
    r"\bit is named which\b": "the table names it",
    r"\bsaid (not )?to be\b": "the page says that",
    r"\b(is|are) told (from|apart)\b": "differs",
    r"\bnobody\b|\bwhoever\b": "say who",
    r"\bwhat is said to\b": "say who says it",
    r"\blent\b": "matched controls",
    r"\bin the place of\b": "instead of",
    r"\bso (many|few) seeds\b": "this many seeds",
}


def text_of(page):
    """A page without blocks of code, and with links and code as words."""
    text = re.sub(r"^(`{3,}).*?^\1$", "", page, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`]*`", "CODE", re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text))


def sentences(page, ends=".!?:;"):
    """The sentences of a page, outside of code, tables and headings. A colon ends one too, except on first pages."""
    text = re.sub(r"^(\||#).*$", "", text_of(page), flags=re.MULTILINE)
    paragraphs = re.split(r"\n\s*\n|\n\s*(?=[-*] |\d+\. )", text)
    flat = (" ".join(paragraph.split()).replace("et al.", "et al").replace("eq.", "eq") for paragraph in paragraphs)
    return [sentence for each in flat for sentence in re.split(rf"(?<=[{ends}])\**\s+", each) if sentence]


def habits(page):
    """What is to be written differently, with the line or sentence that it is in. Tables count too."""
    rows = re.findall(r"^\|.*$", text_of(page), flags=re.MULTILINE)
    return [
        f"{found[0]}: write {better}: {words}"
        for words in (*sentences(page), *rows)
        for pattern, better in RETIRED.items()
        for found in re.finditer(pattern, words, re.IGNORECASE)
    ]


@pytest.mark.parametrize("page", READ, ids=label)
def test_a_page_is_easy_to_read(page):
    text = page.read_text()
    assert habits(text) == []
    first = page in FIRST_PAGES
    found, longest = (sentences(text, ".!?"), LONGEST_OF_FIRST_PAGES) if first else (sentences(text), LONGEST)
    assert [sentence for sentence in found if len(sentence.split()) > longest] == []


def test_a_phrase_that_is_read_twice_is_found():
    page = "# One alone\n\nText. `may not` is code;\nit may not be read. So:\n\n```text\nbeside\n```\n| all but one |\n"
    assert sentences(page) == ["Text.", "CODE is code;", "it may not be read.", "So:"]
    assert sentences(page, ".")[1] == "CODE is code; it may not be read."
    assert [found.partition(":")[0] for found in habits(page)] == ["may not", "all but"]
