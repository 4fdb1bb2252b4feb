"""A board's folder with new results, against the folder as it was: examined before they count."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from prunemark.benchmark.images.sources import INSTALLED, VARIABLE
from prunemark.benchmark.run.executor import LocalProcesses
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.submission.method_files import read_source
from prunemark.contributions.append_only import additions
from prunemark.contributions.asked import asked_by
from prunemark.contributions.contribution import Contribution, added_to, held_by, recorded_names
from prunemark.contributions.draw import accused, draw
from prunemark.contributions.rerun import Code, run_again
from prunemark.contributions.review import label, review
from prunemark.records.card import known_methods
from prunemark.records.folders import board_folder
from prunemark.records.record import Record
from prunemark.records.source import MethodFiles
from prunemark.setups.errors import InputError, RuleBroken
from prunemark.setups.text import shown

Say = Callable[[str], None]


def examine(folder: Path, base: Path, reruns: int, salt: str, say: Say) -> int:
    """What a board's folder has that its base has not, examined, and `reruns` of its new trials run again.

    Returns how many things are left undecided. Raises RuleBroken when anything is wrong or differs.
    What is said may hold a stranger's text: nothing in it can steer a terminal.
    """
    folder, base = board_folder(folder), board_folder(base)
    for given in (folder, base):
        if not given.is_dir():
            raise InputError(
                f"no folder {str(given)!r}. Give two folders of a board, such as leaderboard in two clones"
            )
    _check_number(reruns)
    grown = additions(folder, base)
    broken = list(grown.broken)
    held, new = held_by(base), added_to(folder, grown.added, broken)
    again = {record.record_sha256 for record in new.records} & recorded_names(base)
    broken += [f"record {sha256[:12]} is there already, in another pack" for sha256 in sorted(again)]
    names = {name: files.source_sha256 for name, files in _shipped().items()}
    findings = review(new, held, names, asked_by(base)) if not broken else []
    for text in [*broken, *(f"{finding.state}: {finding.text}" for finding in findings)]:
        say(shown(text))
    broken += [finding.text for finding in findings if finding.state == "broken"]
    if broken:
        raise RuleBroken(f"{folder}: {len(broken)} findings, the first: {shown(broken[0])}")
    say(f"{folder}: {len(new.records)} new records, {len(new.sources)} sources, {len(new.decisions)} decisions: sound")
    _say_whose(new, say)
    undecided = sum(finding.state == "undecided" for finding in findings)
    if reruns and new.records:
        left, beyond = _run_again(new, held, accused(new.records, held.records), reruns, salt, say)
        if beyond:
            why = sorted({f"{r.outcome.status} on {r.observed.device} under {r.outcome.setup}" for r in beyond})
            say(shown(f"undecided: {len(beyond)} new trials cannot be run again here ({'; '.join(why)})"))
        undecided += left + len(beyond)
    return undecided


def run_board_again(folder: Path, reruns: int, salt: str, say: Say) -> int:
    """Runs `reruns` trials of a board again: of those that count, can be repeated, and have their images at hand.

    Returns how many are left undecided. Raises RuleBroken when one differs, InputError when there is none to run.
    """
    _check_number(reruns)
    held = held_by(board_folder(folder))
    here = tuple(record for record in held.records if _has_images(record))
    if not here:
        raise InputError(f"{folder} has no trial whose images are at hand. Name their folder with --data")
    return _run_again(Contribution(here, held.sources, held.decisions), held, (), reruns, salt, say)[0]


def _check_number(reruns: int) -> None:
    if reruns < 0:
        raise InputError(f"--rerun is a number of trials; given {reruns}")


def _has_images(record: Record) -> bool:
    """Whether the images of a record's track are installed, or lie where --data says."""
    dataset = str(record.outcome.track_terms["dataset"])
    return dataset in INSTALLED or bool(os.environ.get(VARIABLE))


def _shipped() -> dict[str, MethodFiles]:
    return {name: read_source(locate(name)[1]) for name in known_methods()}


def _say_whose(new: Contribution, say: Say) -> None:
    """A line for each method: packs cannot be read in a pull request, and people should see what they merge."""
    ended: dict[tuple[str, str, str], list[str]] = {}
    for o in (record.outcome for record in new.records):
        ended.setdefault((o.method.name, o.method.source_sha256, o.method.summary), []).append(o.status)
    for (name, sha256, summary), statuses in sorted(ended.items()):
        first, source = ("new" if sha256 in new.sources else "more"), f", source {sha256[:12]}" if sha256 else ""
        say(shown(f"{first}: {name}{source}, {len(statuses)} trials, {statuses.count('ok')} ok: {summary}"))


def _run_again(
    new: Contribution, held: Contribution, suspects: Sequence[Record], reruns: int, salt: str, say: Say
) -> tuple[int, tuple[Record, ...]]:
    """How many re-runs were left undecided, and which of `new` nobody can draw. Raises RuleBroken when one differs."""
    shipped = _shipped()
    known = {record.record_sha256: record for record in (*new.records, *held.records)}
    everything = Contribution(tuple(known.values()), {}, {**held.decisions, **new.decisions})
    sources = {**{files.source_sha256: files for files in shipped.values()}, **held.sources, **new.sources}
    code = Code(sources, {name: files.class_name for name, files in shipped.items()})
    found = draw(new.records, everything.records, reruns, salt, suspects)
    done = [run_again(record, everything, code, LocalProcesses(1)) for record in found.drawn]
    for again in done:
        say(shown(f"run again: {label(again.record)}: {again.state}: {again.words}"))
    if differing := [again for again in done if again.state == "differs"]:
        first = differing[0]
        raise RuleBroken(shown(f"record {label(first.record)} was not obtained again: {first.words}"))
    return sum(again.state == "undecided" for again in done), found.beyond
