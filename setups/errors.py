"""The one kind of error a user's input can cause: what was given, what is allowed, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """The input is wrong (exit code 2). The message is written for the user, in one or two lines."""


class WorkFailed(Exception):
    """The input is fine but the work could not be done (exit code 1): a full disk, a dead server."""


class RuleBroken(Exception):
    """A rule of the benchmark is broken (exit code 3): unfair, disqualified, tampered with."""


def unknown_name(what: str, given: str, valid: Iterable[str]) -> InputError:
    """Builds the error for a name that is not in a registry, with the nearest match and the valid ones."""
    names = sorted(valid)
    close = difflib.get_close_matches(given, names, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return InputError(f"unknown {what} {given!r}.{hint}\nValid: {', '.join(names) or '(none)'}")
