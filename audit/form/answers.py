"""What the page shows for what was filled in. The page calls these functions and decides nothing itself.

They are those of `prunemark audit`: the same reader, the same judgement, the same words.
"""

from __future__ import annotations

import json
import re
from typing import Any

from prunemark.audit.document.comparison import loads
from prunemark.audit.form.document import DEFAULT_METRIC, Written, document, hidden
from prunemark.audit.form.questions import METRIC
from prunemark.audit.judgement.audit_claim import audit_claims
from prunemark.audit.report.answer import CHECKLIST, answer
from prunemark.audit.report.review import review
from prunemark.setups.errors import InputError

NAME = "document"
UNREADABLE = 2
"""The exit code for a document that cannot be read."""

_PLACE = re.compile(rf"{NAME}:(\d+):\d+: ")


def judged(text: str) -> list[dict[str, Any]]:
    """What `prunemark audit` says of every claim of a document. Raises InputError where it cannot be read."""
    found = []
    for audit in audit_claims(loads(text, NAME)):
        words = answer(audit)
        found.append({
            "verdict": words.word, "exit_code": words.exit_code, "sentence": words.sentence,
            "reasons": list(words.reasons), "ask": [what.removesuffix(CHECKLIST) for what in words.ask],
            "experiment": list(words.experiment),
            "setups": words.setups, "interval": words.interval, "remarks": list(words.remarks),
            "factors": [{"mark": f.mark, "state": f.state, "name": f.name, "words": f.words} for f in words.factors],
            "review": review(audit),
        })  # fmt: skip
    return found


def judged_all(texts: str) -> str:
    """JSON in, JSON out: the same of many documents, with the message of each that cannot be read (for the tests)."""
    found: list[Any] = []
    for text in json.loads(texts):
        try:
            found.append(judged(text))
        except InputError as problem:
            found.append(str(problem.args[0]))
    return json.dumps(found)


def answered(answers: str) -> str:
    """JSON in, JSON out: from what was filled in to the document and its verdict, or to what cannot be read.

    An error comes with the places in the form that fill its line.
    """
    given = {str(place): str(value) for place, value in json.loads(answers).items()}
    made = document(given)
    shown: dict[str, Any] = {"document": made.text, "hidden": hidden(given)}
    try:
        shown |= judged(made.text)[0]
    except InputError as problem:
        shown |= {"exit_code": UNREADABLE} | _error(str(problem.args[0]), made, given)
    return json.dumps(shown)


def _error(message: str, made: Written, given: dict[str, str]) -> dict[str, Any]:
    """The message without its line, and the place whose field it names first, else all that fill the line."""
    found = _PLACE.match(message)
    said = message[found.end() :] if found else message
    filled = made.places[int(found[1]) - 1] if found else ()
    metric = given.get("claim.metric", "").strip() or DEFAULT_METRIC
    at = {place: _first(said, place.rpartition(".")[2].replace(METRIC, metric)) for place in filled}
    named = sorted((place for place in filled if at[place] >= 0), key=lambda place: at[place])
    return {"error": said, "places": named[:1] or [place for place in filled if given.get(place, "").strip()]}


def _first(text: str, name: str) -> int:
    """Where a word stands in a text; -1 where it does not."""
    found = re.search(rf"\b{re.escape(name)}\b", text)
    return found.start() if found else -1
