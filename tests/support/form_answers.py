"""Comparison documents as somebody would type them into the form, and the form opened in a browser."""

import contextlib

from prunemark.audit.form.document import SIDES
from prunemark.audit.form.questions import METRIC, questions

TYPED = {field.id for question in questions() for field in question.fields}
OTHER = {"A": "B", "B": "A"}
READY = "document.getElementById('verdict').textContent !== ''"
PATIENCE = 120_000  # milliseconds: CPython has to be compiled, and the machine may be busy


def typed(document):
    """The answers, or None for a document that says what the form does not ask."""
    claim = {f"claim.{key}": str(value) for key, value in document["claim"].items() if key not in ("winner", "loser")}
    protocol = document.get("protocol", {})
    given = dict(claim) | ({"protocol.locator": protocol["locator"]} if protocol else {})
    given |= {"protocol.except": ", ".join(protocol["except"])} if "except" in protocol else {}
    metric = document["claim"].get("metric", "top1")
    for side in SIDES:
        for place, value in _values(document["entries"][side]):
            id = place.replace(f".{metric}", f".{METRIC}")
            given[f"{side}.{id}"] = "same" if value == {"same_as": OTHER[side]} else _flow(value)
    asked = all(place.partition(".")[2] in TYPED or place in TYPED for place in given)
    return given if asked and "cross" not in document else None


def _values(entry):
    for key, value in entry.items():
        if key == "stages":
            for stage in value:
                yield from ((f"{stage['stage']}.{k}", v) for k, v in stage.items() if k != "stage")
        elif isinstance(value, dict) and key in ("network", "base", "recipe", "result", "source", "measured"):
            yield from ((f"{key}.{inner}", each) for inner, each in value.items())
        else:
            yield key, value


def _flow(value):
    """As a person writes it: 5e-4 and not 0.0005, no quotation marks."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_quoted(each)}" for key, each in value.items()) + "}"
    return str(value)


def _quoted(value):
    if isinstance(value, list):
        return "[" + ", ".join(map(_quoted, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


@contextlib.contextmanager
def opened(browser, folder, **how):
    """The page of a folder when it has judged the empty form; what it says on the console is an error of the test."""
    from support.browser import visiting

    with visiting(browser, folder) as visit:
        page = visit("form.html", **how)
        page.wait_for_function(READY, timeout=PATIENCE)
        yield page
