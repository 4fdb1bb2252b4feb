"""More seeds of what a board has: from its records to trials, with the sources that lie beside them.

A method is run from the source that its record names: of the board's or the home's `methods` folder, given as a file,
or of a method that ships unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console

from prunemark.benchmark.run.drive import Executor
from prunemark.benchmark.run.home import Home
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.submission.method_files import read_source
from prunemark.benchmark.trial.plan import Request
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.cli import requests
from prunemark.cli.boards import Only
from prunemark.contributions.draw import can_run
from prunemark.contributions.rerun import Code, on_other_bases, trial_of
from prunemark.leaderboard.standings.board import make_board
from prunemark.leaderboard.standings.plan import Plan, Prospect, make_plan
from prunemark.leaderboard.standings.rows import Row
from prunemark.leaderboard.standings.table import Table
from prunemark.records.card import known_methods
from prunemark.records.identity import method_of
from prunemark.records.load import read_together
from prunemark.records.record import Record
from prunemark.records.source import read_methods
from prunemark.setups.errors import WorkFailed

FILL = Entrant("Fill", "pruned", "submission", None, (), summary="more seeds where they decide most an hour")


def code_at_hand(given: Sequence[str], folders: Sequence[Path]) -> Code:
    """Every source: of the methods that ship, of the `methods` folders, and of the files given. Raises InputError."""
    shipped = {name: read_source(locate(name)[1]) for name in known_methods()}
    named = {name: read_source(source) for name, source in map(locate, given)}
    sources = {files.source_sha256: files for files in shipped.values()}
    for folder in folders:
        sources |= read_methods(folder)
    sources |= {files.source_sha256: files for files in named.values()}
    return Code(sources, {name: files.class_name for name, files in (shipped | named).items()})


@dataclass
class Recorded:
    """The records of a home, and of a board beside it, as what can be run again on other seeds.

    `scratch` is an empty folder, for sources; `isolation` is as in `Trial`. `left_out` are the rows that cannot be run
    here, in words.
    """

    home: Home
    board: Path | None
    code: Code
    scratch: Path
    isolation: str = ""
    left_out: dict[tuple[str, str], str] = field(default_factory=dict)
    _by_hash: dict[str, Record] = field(default_factory=dict)
    _templates: dict[str, Trial] = field(default_factory=dict)

    def plan(self, only: Only) -> Plan:
        """What is open now. Raises InputError when there are no records of that."""
        folders = [self.home.records, *([self.board] if self.board else [])]
        loaded = read_together(folders, only.track)
        # the anchor first: a control that can be matched to several is matched to what runs on every seed anyway
        ordered = sorted(loaded.records, key=lambda r: r.outcome.method.role != "anchor")
        self._by_hash = {record.record_sha256: record for record in ordered}
        board = make_board(loaded, track=only.track, setup=only.setup, levels=only.levels)
        return make_plan(board.tables, loaded.records, self._can_run)

    def run(self, prospects: Sequence[Prospect], executor: Executor, uri: str | None, console: Console) -> None:
        """Runs the seeds, for method and anchor, into the home. Raises WorkFailed as `submit` does.

        Also raised where the base model of a seed differs from the one on the board: nothing can be compared then.
        """
        trials: dict[tuple[str, str], dict[Trial, None]] = {}
        for prospect in prospects:
            o = prospect.open
            wanted = trials.setdefault((o.table.track, o.table.setup), {})
            anchor = next(row for row in o.table.ranked if row.name == o.table.anchor)
            for seed in prospect.seeds:
                for row, has in ((anchor, o.anchor_has), (o.row, o.has)):
                    if seed not in has:
                        wanted.update(dict.fromkeys(self._trials(row, seed, executor)))
        for group in trials.values():
            first = next(iter(group))
            request = Request(first.track, first.setup, (), ())
            self._check_bases(requests.run(request, FILL, list(group), self.home, executor, uri, console))

    def _can_run(self, table: Table, row: Row) -> bool:
        """Whether its trials and the anchor's can be made here; where not, it is remembered why."""
        anchor = next(each for each in table.ranked if each.name == table.anchor)
        return all(self._at_hand(each) for each in (anchor, row))

    def _at_hand(self, row: Row) -> bool:
        record = self._by_hash[row.records[-1]]
        o = record.outcome
        source = o.method.source_sha256
        if o.method.kind == "pruned" and source not in self.code.sources:
            self.left_out[row.name, source] = (
                f"{row.name} is left out: no source {source[:12]} is at hand. Give --method path/to/file.py:Class"
            )
            return False
        if not can_run(record, list(self._by_hash.values())):
            self.left_out[row.name, o.setup] = f"{row.name} under {o.setup} is left out: it cannot be run again"
            return False
        return True

    def _trials(self, row: Row, seed: int, executor: Executor) -> Iterator[Trial]:
        """The trial of a row on another seed, after that of the submission whose layer ratios it takes."""
        trial = self._trial(self._by_hash[row.records[-1]], seed, executor)
        if trial.submission:
            yield trial.of(trial.submission)
        yield trial

    def trials_of_home(self, executor: Executor) -> tuple[Trial, ...]:
        """What the home has records of, as trials, after `plan`: what a board can be given."""
        own = {path.stem for path in self.home.records.iterdir()}
        records = [record for sha256, record in self._by_hash.items() if sha256 in own]
        return tuple(self._trial(record, record.outcome.seed, executor) for record in records)

    def _trial(self, record: Record, seed: int, executor: Executor) -> Trial:
        """The trial of the record's method, setup and level on this seed."""
        o = record.outcome
        of = repr((o.track, o.setup, o.level, method_of(record)))
        if of not in self._templates:
            folder = self.scratch / record.record_sha256[:16]
            everything = list(self._by_hash.values())
            self._templates[of] = trial_of(record, everything, self.code, folder, self.home, executor, self.isolation)
        return replace(self._templates[of], seed=seed)

    def _check_bases(self, made: Sequence[Record]) -> None:
        if record := on_other_bases(list(self._by_hash.values()), made):
            raise WorkFailed(
                f"the base model of seed {record.outcome.seed} of {record.outcome.track} is not the one on the "
                "board: this machine rounds differently.\nRun fill where the board's records were made"
            )
