"""Results on their way to a board: written into its folder after a run, and examined there before they count.

With `cli.py`, the composition root: it knows every room of the house.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from prunemark.setups.errors import InputError, RuleBroken

if TYPE_CHECKING:
    from rich.console import Console

    from prunemark.benchmark.run.home import Home
    from prunemark.benchmark.trial.plan import Entrant, Trial
    from prunemark.contributions.contribute import Contribution
    from prunemark.records.record import Record
    from prunemark.records.source import MethodFiles

UNDECIDED = 4
Say = Callable[[str], None]


def check_before_running(submission: Entrant, trials: Sequence[Trial], folder: Path) -> None:
    """Raises InputError, before anything is run, when the results could not be added or accepted afterwards."""
    from prunemark.benchmark.submission.locate import locate
    from prunemark.benchmark.submission.method_files import read_source
    from prunemark.contributions.seed_policy import anchor_seeds, outgrown, planned_seeds
    from prunemark.records.card import shipped_methods

    if folder.exists() and not folder.is_dir():
        raise InputError(f"--contribute {folder} is a file. Give the folder of a board, such as leaderboard in a clone")
    if submission.source:
        read_source(submission.source)
        if submission.name in shipped_methods() and locate(submission.name)[1].sha256 != submission.source.sha256:
            raise InputError(f"{submission.name!r} is a method that ships with Prunemark. Give your class another name")
    if found := outgrown(anchor_seeds(_counting(folder)), planned_seeds(trials)):
        raise InputError(f"--contribute {folder}: {found[0]}.\nChoose --seeds 5, or 10; what has run is not run again")


def contribute(trials: Sequence[Trial], home: Home, folder: Path, console: Console) -> None:
    """Adds to a board's folder what it does not hold yet of these trials: sources, decisions, records."""
    from prunemark.contributions.contribute import contribution_of, gather, not_held
    from prunemark.records.decision import write_decisions
    from prunemark.records.pack import write_pack
    from prunemark.records.source import write_method

    done = gather(trials, home.store)
    fresh, differing = not_held(done, _counting(folder))
    named = _names(folder)
    withdrawn = [trial for trial, record in fresh.items() if record.record_sha256 in named]
    fresh = {trial: record for trial, record in fresh.items() if trial not in withdrawn}
    given = contribution_of(fresh, home.store)
    for text in given.sources.values():  # sources first: wherever it is cut off, no record is without its source
        write_method(text, folder / "methods")
    tracks = {record.record_sha256: record.outcome.track for record in given.records}
    write_decisions(((tracks[sha], sha, decided) for sha, decided in given.decisions.items()), folder / "decisions")
    write_pack(given.records, folder / "records")
    _say_what_next(folder, len(fresh), len(done), differing, lambda text: console.print(text, soft_wrap=True))
    if withdrawn:
        console.print(
            f"{len(withdrawn)} of these very records do not count there: run the trials anew, in another --home"
        )


def _say_what_next(folder: Path, fresh: int, trials: int, differing: Sequence[str], say: Say) -> None:
    say(f"\nBoard:   {folder}: {fresh} records added, {trials - fresh} of these trials were there already")
    if differing:
        say(f"{len(differing)} of those were there with another outcome, and are left as they are: {differing[0]}")
        say("On another kind of processor torch rounds differently; see docs/contributing.md on what happens then")
    if fresh:
        say("Next: make leaderboard, then git add, git commit and a pull request; see docs/contributing.md")


def _counting(folder: Path) -> Sequence[Record]:
    """The records of a board that count, of all versions of its tracks. None where there is no board yet."""
    from prunemark.records.load import read_counting

    if not _names(folder):
        return []
    return read_counting(folder / "records")


def _names(folder: Path) -> set[str]:
    """The hashes of all records of a board, of those too that do not count."""
    from prunemark.records.load import record_names

    return record_names(folder / "records") if (folder / "records").is_dir() else set()


def examine(folder: Path, base: Path, reruns: int, salt: str, say: Say) -> None:
    """What a board's folder has beside its base, examined, and `reruns` of its new trials run again.

    Raises RuleBroken when anything is wrong or differs; ends with exit code 4 when something is left undecided.
    What is said may hold a stranger's text: nothing in it can steer a terminal.
    """
    from prunemark.contributions.append_only import growth
    from prunemark.contributions.review import examine as find

    for given in (folder, base):
        if not given.is_dir():
            raise InputError(
                f"no folder {str(given)!r}. Give two folders of a board, such as leaderboard in two clones"
            )
    if reruns < 0:
        raise InputError(f"--rerun is a number of trials; given {reruns}")
    grown = growth(folder, base)
    broken = list(grown.broken)
    held, new = _held(base), _added(folder, grown.added, broken)
    again = {record.record_sha256 for record in new.records} & _names(base)
    broken += [f"record {sha256[:12]} is there already, in another pack" for sha256 in sorted(again)]
    shipped = _shipped()
    names = {name: text.source_sha256 for name, text in shipped.items()}
    findings = find(new, held, names) if not broken else []
    for text in [*broken, *(f"{finding.state}: {finding.text}" for finding in findings)]:
        say(_plain(text))
    broken += [finding.text for finding in findings if finding.state == "broken"]
    if broken:
        raise RuleBroken(f"{folder}: {len(broken)} findings, the first: {_plain(broken[0])}")
    say(f"{folder}: {len(new.records)} new records, {len(new.sources)} sources, {len(new.decisions)} decisions: sound")
    _say_whose(new, say)
    undecided = len(findings)
    if reruns and new.records:
        undecided += _run_again(new, held, shipped, reruns, salt, say)
    if undecided:
        raise typer.Exit(UNDECIDED)


def _say_whose(new: Contribution, say: Say) -> None:
    """A line for each method: packs cannot be read in a pull request, and people should see what they merge."""
    ended: dict[tuple[str, str, str], list[str]] = {}
    for o in (record.outcome for record in new.records):
        ended.setdefault((o.method.name, o.method.source_sha256, o.method.summary), []).append(o.status)
    for (name, sha256, summary), statuses in sorted(ended.items()):
        first, source = ("new" if sha256 in new.sources else "more"), f", source {sha256[:12]}" if sha256 else ""
        say(_plain(f"{first}: {name}{source}, {len(statuses)} trials, {statuses.count('ok')} ok: {summary}"))


def _run_again(
    new: Contribution, held: Contribution, shipped: Mapping[str, MethodFiles], reruns: int, salt: str, say: Say
) -> int:
    """How many re-runs were left undecided. Raises RuleBroken when one differs."""
    from prunemark.benchmark.run.executor import LocalProcesses
    from prunemark.contributions.contribute import Contribution
    from prunemark.contributions.rerun import Code, accused, draw, run_again
    from prunemark.contributions.review import label

    everything = Contribution((*new.records, *held.records), {}, {**held.decisions, **new.decisions})
    sources = {**{text.source_sha256: text for text in shipped.values()}, **held.sources, **new.sources}
    code = Code(sources, {name: text.class_name for name, text in shipped.items()})
    found = draw(new.records, everything.records, reruns, salt, accused(new.records, held.records))
    if found.beyond:
        why = sorted({f"{r.outcome.status} on {r.observed.device} under {r.outcome.setup}" for r in found.beyond})
        say(_plain(f"undecided: {len(found.beyond)} new trials cannot be run again here ({'; '.join(why)})"))
    done = [run_again(record, everything, code, LocalProcesses(1)) for record in found.drawn]
    for again in done:
        say(_plain(f"run again: {label(again.record)}: {again.state}: {again.words}"))
    if differing := [again for again in done if again.state == "differs"]:
        first = differing[0]
        raise RuleBroken(_plain(f"record {label(first.record)} was not obtained again: {first.words}"))
    return len(found.beyond) + sum(again.state == "undecided" for again in done)


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _held(folder: Path) -> Contribution:
    """What a board holds that counts."""
    from prunemark.contributions.contribute import Contribution
    from prunemark.records.decision import read_decisions
    from prunemark.records.source import read_methods

    return Contribution(
        tuple(_counting(folder)), read_methods(folder / "methods"), read_decisions(folder / "decisions")
    )


def _added(folder: Path, added: Iterable[str], broken: list[str]) -> Contribution:
    """What the added files hold; what cannot be read of them goes to `broken`."""
    from prunemark.contributions.contribute import Contribution
    from prunemark.records.decision import add_decisions
    from prunemark.records.pack import read_pack
    from prunemark.records.record import load_exactly
    from prunemark.records.source import read_method

    records: list[Record] = []
    sources: dict[str, MethodFiles] = {}
    decisions: dict[str, Any] = {}
    for name in added:
        part, track = name.split("/")[0], Path(name).parent.name
        try:
            if part == "records" and name.endswith(".jsonl.xz"):
                for line in read_pack(folder / name):
                    records.append(load_exactly(line.text, line.place, line.sha256))
                    if records[-1].outcome.track != track:
                        broken.append(f"{name}: {line.place} is of track {records[-1].outcome.track}")
            elif part == "decisions":
                add_decisions(decisions, folder / name)
            elif part == "methods":
                found = read_method(folder / name)
                sources[found.source_sha256] = found
        except (InputError, RuleBroken) as problem:
            broken.append(f"{name}: {str(problem).splitlines()[0]}")
    return Contribution(tuple(records), sources, decisions)


def _shipped() -> dict[str, MethodFiles]:
    """The methods of this repository, as text, by name."""
    from prunemark.benchmark.submission.locate import locate
    from prunemark.benchmark.submission.method_files import read_source
    from prunemark.records.card import shipped_methods

    return {name: read_source(locate(name)[1]) for name in shipped_methods()}
