"""The pages are read by people whose first language is not English: short sentences, no phrase to be read twice."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NOT_HERE = {"dependencies.md"}
LONGEST = {"README.md": 30, "CONTRIBUTING.md": 30}  # words of a sentence
LONGEST_ELSEWHERE = 36

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


def prose(text):
    """The sentences of a page, outside of code, tables, links' addresses and headings."""
    text = re.sub(r"^(`{3,}).*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`]*`", "CODE", re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text))
    text = re.sub(r"^(\||#).*$", "", text, flags=re.MULTILINE)
    paragraphs = re.split(r"\n\s*\n|\n\s*(?=[-*] |\d\. )", text)
    flat = (" ".join(paragraph.split()).replace("et al.", "et al").replace("eq.", "eq") for paragraph in paragraphs)
    return [sentence for each in flat for sentence in re.split(r"(?<=[.!?:;])\**\s+", each) if sentence]


def habits(sentences):
    """What is to be written differently, with the sentence."""
    return [
        f"{said}: write {better}: {sentence}"
        for sentence in sentences
        for pattern, better in RETIRED.items()
        for said in [match[0] for match in re.finditer(pattern, sentence, re.IGNORECASE)]
    ]


@pytest.mark.parametrize("page", [p for p in PAGES if p.name not in NOT_HERE], ids=lambda page: page.name)
def test_a_page_is_easy_to_read(page):
    found = prose(page.read_text())
    assert habits(found) == []
    longest = LONGEST.get(page.name, LONGEST_ELSEWHERE)
    assert [sentence for sentence in found if len(sentence.split()) > longest] == []


def test_a_sentence_that_is_read_twice_is_found():
    page = "# One alone\n\nText. `may not` is code;\nit may not be read. So:\n\n```text\nbeside\n```\n| but for |\n"
    assert prose(page) == ["Text.", "CODE is code;", "it may not be read.", "So:"]
    assert [found.partition(":")[0] for found in habits(prose(page))] == ["may not"]
