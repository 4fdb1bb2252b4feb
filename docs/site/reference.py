"""The reference, as Markdown, from what the code itself says: the rulebook, the command line, docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any

import typer

import prunemark
from prunemark.audit.judgement.verdict import EXIT_CODES, VERDICTS
from prunemark.benchmark import method
from prunemark.cli import catalogue
from prunemark.cli.app import CODES, INTERRUPTED, app
from prunemark.setups.comparison import SETUPS
from prunemark.setups.factors import FACTORS
from prunemark.setups.track_files import released_tracks

UNDECIDED = "4"


def reference_pages() -> dict[str, str]:
    """Every page by the name of its file, in the order of the menu."""
    return {
        "setups": setups_page(),
        "factors": factors_page(),
        "tracks": tracks_page(),
        "methods": methods_page(),
        "commands": commands_page(),
        "exit-codes": exit_codes_page(),
        "python": python_page(),
    }


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table. What a cell says stays in it: a bar would end it."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell(value) for value in line) + " |" for line in lines)


def cell(value: object) -> str:
    """A value on one line."""
    return " ".join(str(value).replace("|", "\\|").split())


def setups_page() -> str:
    """What each setup holds equal, and which factors it is."""
    rows = [(f"`{row['id']}`", row["held_equal"], row["when_run"]) for row in catalogue.setups()]
    marks = [
        (factor.title, *("●" if name in setup.factors else "" for setup in SETUPS.values()))
        for name, factor in FACTORS.items()
    ]
    return "\n\n".join(
        [
            "# Setups",
            "What must be equal between two methods before their results are compared. `prunemark setups show S3.2` "
            "prints one of them; [fairness](../fairness.md) explains them.",
            table(("setup", "held equal", "how it is run"), rows),
            "## Factors of each setup",
            table(("factor", *SETUPS), [row for row in marks if any(row[1:])]),
        ]
    )


def factors_page() -> str:
    """Each factor, where it is from, and the setups that hold it equal."""
    rows = [
        (
            f"`{name}`",
            factor.title,
            factor.source,
            ", ".join(s.id for s in SETUPS.values() if name in s.factors) or "none",
        )
        for name, factor in FACTORS.items()
    ]
    words = "Two pipelines are compared factor by factor. These are all factors that an audit and a board know."
    return "\n\n".join(["# Factors", words, table(("factor", "what", "source", "held equal by"), rows)])


def tracks_page() -> str:
    """Every released track."""
    rows = [(f"`{track['id']}`", track["title"], track["granularity"], track["levels"]) for track in catalogue.tracks()]
    parts = [
        "# Tracks",
        "A dataset, a network, a granularity, levels and recipes. `prunemark tracks show NAME` prints one. "
        "[Networks, data and tracks](../networks-and-data.md) explains each field.",
        table(("track", "what", "prunes", "levels"), rows),
    ]
    for name in dict.fromkeys(track.id for track in released_tracks().values()):
        terms = catalogue.track(name)
        parts += [f"## {name}", table(("term", "value"), [(key, said(value)) for key, value in terms.items() if value])]
    return "\n\n".join(parts)


def said(value: object) -> str:
    """A term in words: lists with commas, tables by their entries."""
    if isinstance(value, dict):
        return "; ".join(f"{key}: {said(each)}" for key, each in value.items() if each)
    return ", ".join(map(said, value)) if isinstance(value, list | tuple) else str(value)


def methods_page() -> str:
    """Every method that ships, with its paper."""
    rows = [
        (f"`{m['name']}`", m["what"], f"[{m['title']}]({m['link']})" if m["link"] else m["title"], m["year"])
        for m in catalogue.methods()
    ]
    words = (
        "What ships with Prunemark: submit them by name. `prunemark methods show NAME` prints one with its settings."
    )
    return "\n\n".join(["# Methods", words, table(("method", "what", "paper", "year"), rows)])


def commands_page() -> str:
    """Every command, with all arguments and options."""
    parts = ["# Commands", "All of `prunemark`, as `--help` says it."]
    command = typer.main.get_command(app)
    for path, each in commands("prunemark", command):
        parts.append(f"## {path}")
        parts.append(str(each.help or "").strip())
        rows = [
            (
                " ".join(f"`{name}`" for name in (*p.opts, *p.secondary_opts)),
                getattr(p, "help", "") or "",
                default_of(p),
            )
            for p in each.params
            if "--help" not in p.opts
        ]
        if rows:
            parts.append(table(("argument or option", "what", "default"), rows))
    return "\n\n".join(part for part in parts if part)


def default_of(parameter: Any) -> str:
    """What a parameter is if it is not given; '' where its help says so, or nothing does."""
    value = parameter.default
    return f"`{value}`" if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "" else ""


def commands(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Each command and group with the words that call it."""
    for name, each in getattr(command, "commands", {}).items():
        yield f"{path} {name}", each
        yield from commands(f"{path} {name}", each)


def exit_codes_page() -> str:
    """What each exit code means, and those of the verdicts of an audit."""
    errors = {str(code): inspect.getdoc(kind) for kind, code in CODES.items()}
    open_ = "A verdict is still open when the budget ended, or an audit cannot decide."
    codes = {"0": "Done."} | errors | {UNDECIDED: open_, str(INTERRUPTED): "Interrupted with Ctrl-C."}
    rows = [(code, re.sub(r" \(exit code \d\)", "", words or "")) for code, words in sorted(codes.items())]
    verdicts = [(f"`{word}`", EXIT_CODES[word], meaning) for word, meaning in VERDICTS.items()]
    return "\n\n".join(
        [
            "# Exit codes",
            table(("code", "meaning"), rows),
            "## Verdicts of an audit",
            table(("verdict", "code", "meaning"), verdicts),
        ]
    )


def python_page() -> str:
    """The public names, by their docstrings."""
    parts = [
        "# Python",
        "`import prunemark` has all of these. [Prunemark from Python](../python-api.md) shows them at work.",
    ]
    names = dict.fromkeys([*(n for n in prunemark.__all__ if n != "__version__"), *method.__all__])
    for name in sorted(names, key=str.lower):
        where: ModuleType = prunemark if name in prunemark.__all__ else method
        thing = getattr(where, name)
        parts += [f"## {name}", signature(name, thing), inspect.getdoc(thing) or ""]
        if inspect.isclass(thing):
            rows = [(f"`{member}`", inspect.getdoc(what)) for member, what in members(thing)]
            parts += [table(("member", "what"), rows)] if rows else []
    return "\n\n".join(part for part in parts if part)


def signature(name: str, thing: Any) -> str:
    """How something is called."""
    where = thing.__module__ if name not in prunemark.__all__ else "prunemark"
    try:
        call = re.sub(r"prunemark(\.\w+)+\.", "", str(inspect.signature(thing)))
        call = re.sub(r"(: |-> )'([^']+)'", r"\1\2", call)  # annotations are texts, and read better without marks
        call = re.sub(r", (?=\w+(: | ?=))", ",\n    ", call).replace("(", "(\n    ", 1) if len(call) > 90 else call
    except (TypeError, ValueError):
        call = ""
    return f"```python\nfrom {where} import {name}\n\n{name}{call}\n```"


def members(kind: type) -> list[tuple[str, Any]]:
    """The public functions and properties of a class that say what they are."""
    found = inspect.getmembers(kind, lambda what: inspect.isfunction(what) or isinstance(what, property))
    return [(name, what) for name, what in found if not name.startswith("_") and inspect.getdoc(what)]
