"""`prunemark audit`: reads the options, audits, prints, and says how it ended."""

from __future__ import annotations

import gc
import io
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from prunemark.audit.document.claims import Claim
from prunemark.audit.document.comparison import load
from prunemark.audit.document.entry import Entry
from prunemark.audit.document.yaml_nodes import read_file
from prunemark.audit.judgement.audit_claim import Audit, audit_claims, audit_entries
from prunemark.audit.judgement.noise import OwnRepeats
from prunemark.audit.report import terminal
from prunemark.audit.report.forms import FORMS, render
from prunemark.audit.report.output import save, write
from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.values import known

if TYPE_CHECKING:
    from rich.console import Console

    from prunemark.audit.literature.results_csv import TableEntry

FORMATS = ("text", *FORMS)
WORST_FIRST = (2, 3, 4, 0)


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    files: tuple[Path, ...] = ()
    claims: tuple[str, ...] = ()
    all_pairs: bool = False
    format: str = "text"
    output: Path | None = None
    published: bool = False
    report: bool = False
    errors: bool = False
    network: str | None = None
    dataset: str | None = None
    method: str | None = None
    runs: str | None = None
    mapping: Path | None = None
    tracking_uri: str | None = None
    repeats: Path | None = None
    template: bool = False
    from_row: str | None = None
    schema: bool = False
    explain: str | None = None


def run(options: Options, console: Console) -> int:
    """Does what was asked for; gives the exit code. Raises InputError for what cannot be done."""
    with no_collecting():
        return _run(options, console)


@contextmanager
def no_collecting() -> Iterator[None]:
    """Without looking for garbage, of which an audit makes none: in millions of objects that takes seconds."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _run(options: Options, console: Console) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that knows no ● shows a ? instead of failing
        sys.stdout.reconfigure(errors="replace")
    if options.format not in FORMATS:
        raise unknown_name("format", options.format, FORMATS)
    if options.explain is not None:
        from prunemark.audit.report.explain import explain

        return _write(explain(options.explain), options)
    if options.schema:
        from prunemark.audit.document import json_schema

        return _write(json_schema.dump(), options)
    if options.template or options.from_row:
        from prunemark.audit.literature.template import template

        return _write(template(options.from_row), options)
    if options.published:
        return _published(options, console)
    own = _own(options)
    if options.runs is not None:
        return _show(_of_runs(options, own), options, console)
    if not options.files:
        raise InputError(
            "nothing to audit. Give a comparison document, or --published, --runs, --form, --template or --explain"
        )
    found = [one for path in options.files for one in _of_file(path, options, own)]
    return _show(found, options, console)


def _own(options: Options) -> OwnRepeats | None:
    if options.repeats is None:
        return None
    from prunemark.audit.literature.recorded_runs import own_repeats

    return own_repeats(options.repeats)


def _of_file(path: Path, options: Options, own: OwnRepeats | None) -> list[Audit]:
    if path.suffix.lower() != ".csv":
        if options.claims or options.all_pairs:
            raise InputError(f"{path}: --claim and --all-pairs are for tables (.csv); a document carries its claim")
        return audit_claims(load(path), own)
    from prunemark.audit.literature.results_csv import read_table

    return _of_rows(read_table(read_file(path), str(path)), options, own, str(path))


def _of_rows(rows: Sequence[TableEntry], options: Options, own: OwnRepeats | None, name: str) -> list[Audit]:
    from prunemark.audit.literature import pairs

    if options.claims:
        return [one for claim in options.claims for one in pairs.claimed(rows, claim, own)]
    if not options.all_pairs:
        raise InputError(f"{name} is a table: name pairs with --claim 'L1-norm>HRank', or take --all-pairs")
    return list(pairs.all_pairs(rows, own))


def _published(options: Options, console: Console) -> int:
    from prunemark.audit.literature import results

    if options.errors:
        from prunemark.audit.literature.published_errors import published_errors

        _list([dict(vars(error)) for error in published_errors()], options, console)
        return 0
    rows = results.select(options.network, options.dataset, options.method)
    if options.report:
        from prunemark.audit.report.literature_page import report

        target = options.output or Path("published.html")
        save(report(rows), target)
        console.print(f"{len(rows)} results audited: {target}", markup=False)
        return 0
    if options.claims or options.all_pairs:
        return _show(_of_rows(rows, options, _own(options), "--published"), options, console)
    _list(results.as_rows(rows), options, console)
    return 0


def _list(rows: list[dict[str, object]], options: Options, console: Console) -> None:
    if options.format == "json":
        _write(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", options)
        return
    if options.format in ("markdown", "html"):
        from prunemark.audit.report import markup

        head = tuple(rows[0]) if rows else ()
        cells = [tuple(str(cell) for cell in row.values()) for row in rows]
        text = markup.page("Published results", markup.table(head, cells))
        _write(text if options.format == "html" else markup.markdown_table(head, cells), options)
        return
    terminal.print_listing(rows, console)


def _of_runs(options: Options, own: OwnRepeats | None) -> list[Audit]:
    from prunemark.audit.literature import pairs, recorded_runs

    folder = Path(options.runs or "")
    if options.mapping is None:
        if not folder.is_dir():
            raise InputError(
                f"no folder {str(folder)!r}. Give a folder of records; or the name of an MLflow experiment, with "
                "--mapping saying which logged parameter is what"
            )
        grouped = recorded_runs.entries_of_records(folder)
    else:
        mapping = recorded_runs.read_mapping(options.mapping)
        grouped = recorded_runs.entries_of_runs(
            recorded_runs.read_mlflow(str(options.runs), options.tracking_uri), mapping
        )
    wanted = [pairs.sides(claim, "as in 'L1-norm>Random'") for claim in options.claims]
    found = []
    for (group, a), (other, b) in combinations(grouped, 2):
        if group == other:
            found += _of_two(a, b, wanted, own)
    if not found:
        raise InputError("no two of these runs belong to one dataset and network, or none is named by --claim")
    return found


def _of_two(a: Entry, b: Entry, wanted: Sequence[tuple[str, str]], own: OwnRepeats | None) -> list[Audit]:
    """The higher accuracy claims to be better, unless the claims on the command line say otherwise."""
    first, second = (known(entry["result.top1"].value) for entry in (a, b))
    if wanted:
        chosen = [(x, y) for x, y in ((a, b), (b, a)) if (x.method, y.method) in wanted]
    elif first is None or second is None:
        chosen = []
    else:
        chosen = [(a, b) if first >= second else (b, a)]
    return [audit_entries(x, y, Claim(x.name, y.name), own=own) for x, y in chosen]


def _show(audits: list[Audit], options: Options, console: Console) -> int:
    if options.format == "text" and options.output is None:
        if len(audits) <= 3:
            for one in audits:
                terminal.print_audit(one, console)
        else:
            terminal.print_many(audits, console)
    else:
        _write(render(audits, options.format), options)
    codes = {one.verdict.exit_code for one in audits}
    return next(code for code in WORST_FIRST if code in codes or code == 0)


def _write(text: str, options: Options) -> int:
    write(text, options.output)
    return 0
