"""A board's folder with new results, against the folder as it was: examined before they count."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prunemark.setups.errors import InputError, RuleBroken

if TYPE_CHECKING:
    from prunemark.contributions.contribute import Contribution
    from prunemark.records.record import Record
    from prunemark.records.source import MethodFiles

Say = Callable[[str], None]


def examine(folder: Path, base: Path, reruns: int, salt: str, say: Say) -> int:
    """What a board's folder has that its base has not, examined, and `reruns` of its new trials run again.

    Returns how many things are left undecided. Raises RuleBroken when anything is wrong or differs.
    What is said may hold a stranger's text: nothing in it can steer a terminal.
    """
    from prunemark.contributions.append_only import growth
    from prunemark.contributions.contribute import recorded_names
    from prunemark.contributions.review import examine as find
    from prunemark.records.folders import board_folder

    folder, base = board_folder(folder), board_folder(base)
    for given in (folder, base):
        if not given.is_dir():
            raise InputError(
                f"no folder {str(given)!r}. Give two folders of a board, such as leaderboard/board in two clones"
            )
    if reruns < 0:
        raise InputError(f"--rerun is a number of trials; given {reruns}")
    grown = growth(folder, base)
    broken = list(grown.broken)
    held, new = _held(base), _added(folder, grown.added, broken)
    again = {record.record_sha256 for record in new.records} & recorded_names(base)
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
    return undecided


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
    from prunemark.contributions.contribute import Contribution, counting_records
    from prunemark.records.decision import read_decisions
    from prunemark.records.source import read_methods

    return Contribution(
        tuple(counting_records(folder)), read_methods(folder / "methods"), read_decisions(folder / "decisions")
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
