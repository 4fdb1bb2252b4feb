"""Base models that a track gives: what a table says of them, and how many seeds they allow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prunemark.setups.text import shown

SHOWN = 12  # digits of a hash


def notes(terms: Mapping[str, Any]) -> tuple[str, ...]:
    """What was given, with its hash and its source; nothing where bases are trained."""
    bases = terms.get("base") or ()
    if not bases:
        return ()
    named = [f"{shown(str(each['weights']), 80)} ({str(each['sha256'])[:SHOWN]})" for each in bases]
    source = shown(str(bases[0]["source"]), 120)
    if len(bases) == 1:
        return (f"Base model given, not trained here: {named[0]}, {bases[0]['top1_percent']:g} %, from {source}.",)
    return (f"Base models given, not trained here, one a seed: {', '.join(named)}, from {source}.",)


def is_one(terms: Mapping[str, Any]) -> bool:
    """Whether all seeds there will be share one base."""
    return len(terms.get("base") or ()) == 1


def most_seeds(terms: Mapping[str, Any]) -> int | None:
    """How many seeds have a base; None where there is no bound."""
    bases = terms.get("base") or ()
    return len(bases) if len(bases) > 1 else None
