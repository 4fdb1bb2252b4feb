"""Templates to text. Names and reasons come from strangers: everything that a template inserts is escaped."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prunemark.records.python_files import LARGEST_BYTES
from prunemark.setups.text import shown_lines

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent
_UNSAFE = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


def render(template: str, /, **context: Any) -> str:
    """One page. Raises jinja2.UndefinedError for a name that the context lacks."""
    return _environment().get_template(f"{template}.html.j2").render(**context)


def script_json(data: object) -> str:
    """JSON that may stand in a <script>: nothing in it can end the element or a line of a program, or is unseen."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    text = text.translate(_UNSAFE)
    return shown_lines(text, len(text))


def _seen(value: object) -> object:
    """A text as a page may hold it: no letter of it turns the direction of writing, or is there unseen."""
    return shown_lines(value, LARGEST_BYTES) if type(value) is str else value


@cache
def _environment() -> Environment:
    """Made on the first page: loading the library takes longer than a page."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=jinja2.StrictUndefined,
        finalize=_seen, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters["script_json"] = lambda data: Markup(script_json(data))
    return environment
