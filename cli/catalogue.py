"""What there is: setups, tracks and methods as rows for a listing. No torch is loaded for it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from prunemark.benchmark.submission.declared import about_of, class_values, lineage, literal, settings_of
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.trial.environment import package_versions
from prunemark.records.card import Card, card_of, peer_cards, shipped_cards
from prunemark.records.python_files import unparsed
from prunemark.records.stated_recipes import recipes_stated
from prunemark.setups.comparison import HARNESS_SETUPS, chain, find_setup, ids_where
from prunemark.setups.execution import USUAL_EXECUTION
from prunemark.setups.harness_factors import HARNESS_FACTORS
from prunemark.setups.recipe import ALL_IMAGES, Recipe
from prunemark.setups.track import Track
from prunemark.setups.track_files import find_track, released_tracks


def setups() -> list[dict[str, Any]]:
    """One row a setup, in the order of their factor sets."""
    return [{"id": s.id, "held_equal": s.title, "when_run": s.when_run} for s in HARNESS_SETUPS.values()]


def setup(id: str) -> dict[str, Any]:
    """Everything about one setup."""
    found = find_setup(id)
    implied = [other.id for other in HARNESS_SETUPS.values() if other is not found and found.implies(other)]
    return {
        "id": found.id,
        "held equal": found.title,
        "when run": found.when_run,
        "implies": ", ".join(implied) or "no other setup",
        "chain": " < ".join(chain()),
    } | {f"factor {f.id}": f"{f.title} ({f.source})" for f in HARNESS_FACTORS.values() if f.id in found.verified}


def tracks() -> list[dict[str, Any]]:
    """One row a track."""
    return [
        {
            "id": t.id,
            "title": f"{t.title} ({t.arithmetic} arithmetic)" if t.arithmetic else t.title,
            "granularity": t.granularity,
            "levels": ", ".join(level.name for level in t.levels),
        }
        for t in released_tracks().values()
    ]


def track(name: str) -> dict[str, Any]:
    """Everything a track fixes."""
    found = find_track(name)
    return {
        "id": found.id,
        "title": found.title,
        "dataset": found.dataset,
        "network": found.network,
        "granularity": found.granularity,
        "pattern": f"{found.pattern} along the input" if found.pattern else "none",
        "prunable layers": ", ".join(found.prunable),
        "levels": "; ".join(_levels(found)),
        "tolerance": f"{100 * found.tolerance:g} % of the target",
        **_base(found),
        "retraining": _recipe(found.retraining),
        "longest LR stage": f"{found.lr_stage_cap} epochs (Rule 3)" if found.lr_stage_cap else "no bound",
        "arithmetic": found.arithmetic or "the processor's own",
        "execution": found.execution.text if found.execution else USUAL_EXECUTION,
        "judged": f"in one look, at {found.planned_seeds} seeds" if found.planned_seeds else "at any number of seeds",
        "anchor": found.anchor,
        "equivalence margin": f"{found.margin_pp:g} percentage points",
        "pruning stage": f"at most {found.pruning_seconds_limit:g} s, {found.pruning_epochs_limit} epochs and "
        f"{found.scoring_epochs_limit} passes that train nothing",
        f"under {', '.join(ids_where(lambda s: s.exact_pruning))}": f"exactly {_recipe(found.pruning)}",
    }


def _base(track: Track) -> dict[str, str]:
    """How the track comes to its base models: trained, or given."""
    if not track.base:
        return {"pretraining": _recipe(track.pretraining)}
    named = (
        f"{given.weights}, SHA-256 {given.sha256}, {given.top1_percent:g} % within {given.tolerance_pp:g} points, from "
        f"{given.source}"
        for given in track.base
    )
    return {"base model": "given: " + "; ".join(named)}


def _levels(track: Track) -> list[str]:
    blocks = track.granularity == "block"
    what = "blocks" if blocks else "filters" if track.of_filters else "weights"
    where = "stage" if blocks else "layer"
    return [
        f"{level.name} of the {what}" + (f" of each {where} ({level.speedup:g}x in MACs)" if level.speedup else "")
        for level in track.levels
    ]


def _recipe(recipe: Recipe) -> str:
    momentum = f", momentum {recipe.momentum:g}{' (Nesterov)' if recipe.nesterov else ''}"
    optimiser = recipe.optimiser + (momentum if recipe.optimiser == "SGD" else "")
    smoothing = f", label smoothing {recipe.label_smoothing:g}" if recipe.label_smoothing else ""
    return (
        f"{recipe.epochs} epochs, LR {recipe.lr}, batch {recipe.batch_size}, {optimiser}, "
        f"weight decay {recipe.weight_decay:g}, augmentation {recipe.augmentation}{smoothing}"
    )


def methods() -> list[dict[str, Any]]:
    """One row a method that ships with Prunemark."""
    return [
        {
            "name": name,
            "class": card.spec,
            "family": card.family,
            "year": card.year or "",
            "authors": ", ".join(card.authors),
            "title": card.title,
            "venue": card.venue,
            "link": card.link,
            "what": method(name)["what"],
        }
        for name, card in shipped_cards().items()
    ]


def method(name: str) -> dict[str, Any]:
    """What can be read off a method's source without running it."""
    shown, source = locate(name)
    classes = lineage(Path(source.path), source.class_name)
    what, _, notes = (ast.get_docstring(classes[0]) or "no description").partition("\n\n")
    values = class_values(classes)
    facts: dict[str, Any] = {"name": shown, "what": " ".join(what.split())}
    if card := card_of(shown):
        facts |= _card(card) | _library(shown)
    facts = facts | _about(values) | facts | {"notes": " ".join(notes.split()) or "none"}
    facts |= {f"setting {setting}": text for setting, text in settings_of(values).items()}
    for what, declared in (("own retraining recipe", "retraining"), ("own pretraining recipe", "pretraining")):
        facts |= _own_recipes(what, values.get(declared))
    facts |= _spent(values)
    contract = ", ".join(unparsed(base) for base in classes[0].bases)
    return facts | {"contract": contract, "file": Path(source.path).name, "source sha256": source.sha256}


def _own_recipes(what: str, value: ast.expr | None) -> dict[str, str]:
    """Each declared recipe under its class of data, and the class that has none."""
    return {what if of == ALL_IMAGES else f"{what}, {of}": told for of, told in recipes_stated(value).items()}


def _spent(values: dict[str, ast.expr]) -> dict[str, str]:
    """How the method spends an imposed total: where its base is taken, and how long pruning may train."""
    choices = ", ".join(ids_where(lambda s: s.own_pruning_epoch))
    at = literal(values["prune_at"]) if "prune_at" in values else None
    share = literal(values["pruning_share"]) if "pruning_share" in values else None
    base = f"{100 * at:g} % of the dense run" if isinstance(at, float) else f"epoch {at} of the dense run"
    left = "all except one epoch for each LR stage of retraining"
    most = f"{100 * share:g} % of what is left after the base" if isinstance(share, int | float) else left
    return {
        f"base under {choices}": "the trained one" if at is None else base,
        f"pruning epochs under {choices}": f"at most {most}",
    }


def _card(card: Card) -> dict[str, Any]:
    """The family and, where the card has one, the paper."""
    facts: dict[str, Any] = {"family": card.family}
    if card.title:
        facts |= {"paper": card.citation, "year": card.year}
    if card.note:
        facts |= {"what is run": card.note}
    if card.links:
        facts["link"] = ", ".join(address for _, address in card.links)
    return facts | ({"see also": "; ".join(card.also)} if card.also else {})


def _library(name: str) -> dict[str, str]:
    """Of a peer: whose code is run, and in which version it is installed here."""
    library = name.partition(".")[0]
    if name not in peer_cards():
        return {}
    return {"library": f"{library} {package_versions([library])[library]}, which every stored result's key holds"}


def _about(values: dict[str, ast.expr]) -> dict[str, str]:
    """The five axes of the founding paper, and where the formula comes from."""
    about = about_of(values)
    granularity = literal(values["granularity"]) if "granularity" in values else "not stated"
    if about is None:
        return {"granularity (what)": granularity, "about": "nothing stated; a method says it as about = About(...)"}
    return {
        "paper": about["paper"],
        "formula": about["formula"],
        "base model (when)": about["base_model"],
        "granularity (what)": about["granularity"] or granularity,
        "ratio (how many)": about["ratio"],
        "criterion (which)": about["criterion"],
        "schedule (over time)": about["schedule"],
        "cost": f"{about['passes']} passes over the training split that train nothing, {about['epochs']} epochs of "
        "training (at the defaults)",
        "conformance test": about["test"] or "none",
    }
