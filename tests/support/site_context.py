"""A board for tests of the site: real records, and beside them names and failures that nobody would wish for."""

import dataclasses
import functools
import tempfile
from pathlib import Path

from prunemark.leaderboard.site.build import build_site
from prunemark.leaderboard.site.reproduction_pages import read_reproductions
from prunemark.leaderboard.standings.board import make_board
from prunemark.records.admission import Refused
from prunemark.records.load import Loaded, read_records
from prunemark.records.matched_to import RATIOS_OF
from prunemark.records.outcome import Failure
from prunemark.records.source import MethodFiles

ROOT = Path(__file__).parents[2]
TRACK, LEVELS = "digits-resnet8@1", ("90%", "95%", "dense")
SETUPS = ("S2", "S3.2", "SX-A")
METHODS = ("Dense", "FPGM", "L1-norm", "L2-norm", "Random", "Scratch")  # the board grows, and these tests do not
NASTY = "</script><script>hacked=1</script><img src=x onerror=hacked=1>\"'&|{{7*7}}"
L1_SOURCE = MethodFiles("L1Norm", (("l1_norm.py", (ROOT / "baselines" / "l1_norm.py").read_text()),))
IDENTIFIER, CITATION = "prunemark-test-0123456789ab", "@misc{prunemark,\n  title = {A \\& B <b>},\n}"
ENTRANCE, STANDINGS = "track_digits-resnet8-1.html", "track_digits-resnet8-1_s3.2.html"
RECORDS, METHOD, MEANING = "records_digits-resnet8-1.html", "method_fpgm.html", "meaning.html"
KINDS = (
    "index.html",
    STANDINGS,
    "methods.html",
    METHOD,
    RECORDS,
    "records.html",
    MEANING,
    "start.html",
    "compare.html",
    "reproductions.html",
    "reproduction_table4.html",
)
"""One page of each kind."""

OLDER = "0ddba11c0ffe"
"""The start of the hash of a record that was superseded by one that the first real record superseded in turn."""


def _with(record, *, name=None, **outcome):
    method = dataclasses.replace(record.outcome.method, name=name, source_sha256="0" * 64, role="submission")
    return dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, method=method, **outcome))


def _with_filters(record):
    """The record, as if four filters had stayed in every layer: the track's own levels are not for ranking."""
    if not (cost := record.outcome.compression):
        return record
    kept = {layer: max(4, count) for layer, count in cost.kept.items()}
    outcome = dataclasses.replace(record.outcome, compression=dataclasses.replace(cost, kept=kept))
    return dataclasses.replace(record, outcome=outcome)


@functools.cache
def real_records():
    """The committed records of a few methods on one track, at two levels and under three setups; read once a process.

    Ten seeds under the last, so that there are ranks; the same five under the others, so that their verdicts compare.
    """
    records = ROOT / "leaderboard" / "board" / "records"
    with tempfile.TemporaryDirectory() as name:  # the other tracks would take four times as long
        for wanted in (TRACK, "invalidations.jsonl"):
            (Path(name) / wanted).symlink_to(records / wanted)
        found = read_records(Path(name)).records
    return tuple(
        _with_filters(record)
        for record in found
        if (o := record.outcome).track == TRACK and o.setup in SETUPS and o.level in LEVELS
        if o.method.name in METHODS and RATIOS_OF not in o.method.settings and (o.seed < 5 or o.setup == SETUPS[-1])
    )


@functools.cache
def loaded():
    """Real records; under S3.2 also a hostile name, a method that failed, one that broke a rule, one withdrawn."""
    real = list(real_records())
    places = [r for r in real if r.outcome.method.name == "FPGM" and r.outcome.setup == "S3.2"]
    nasty = [_with(r, name=NASTY) for r in places]
    evidence = Failure("exception", f"ValueError: {NASTY}", "Traceback")
    nothing = dict.fromkeys(
        (
            "base",
            "pruning",
            "retraining",
            "retraining_recipe",
            "compression",
            "accuracy",
            "weights_sha256",
            "diagnostics",
        )
    )
    failed = [_with(r, name="Fails", status="failed", failure=evidence, curve=(), **nothing) for r in places]
    broken = [_with(r, name="Breaks", status="budget_exceeded", failure=evidence, curve=(), **nothing) for r in places]
    withdrawn = {nasty[0].record_sha256: f"withdrawn {NASTY}"}
    refused = (
        Refused("x.json", f"was edited {NASTY}"),
        Refused(f"{OLDER}{'0' * 52}.json", "superseded by " + "e" * 12, "e" * 12 + "0" * 52),
        Refused(f"{'e' * 12}{'0' * 52}.json", "superseded by the first", real[0].record_sha256),
    )
    return Loaded(tuple(real + nasty + failed + broken), refused, withdrawn, {"<b>old</b>@1": 1234})


@functools.cache
def reproduced():
    """Two of the paper's tables, from their committed records."""
    committed = ROOT / "leaderboard" / "board" / "reproductions"
    with tempfile.TemporaryDirectory() as name:
        for id in ("m2", "table4"):
            (Path(name) / f"{id}.jsonl.xz").symlink_to(committed / f"{id}.jsonl.xz")
        return read_reproductions(Path(name))


def build(folder, found=None):
    """The site of these records, with one published source and two reproduced tables."""
    found = found or loaded()
    methods = {L1_SOURCE.source_sha256: L1_SOURCE}
    build_site(
        make_board(found),
        found,
        folder,
        methods=methods,
        citation=CITATION,
        identifier=IDENTIFIER,
        reproductions=reproduced(),
    )
    return folder


def tables(*groups):
    """The tables of a board of these groups of records."""
    return make_board(Loaded(tuple(record for group in groups for record in group))).tables


def data(spec, name):
    """The values of one data source of a figure."""
    return next(each["values"] for each in spec["data"] if each["name"] == name)


def changing_verdicts(make_records):
    """L1-norm and a method that is better under S2 and the same under S3.2 and SX-A."""
    return tables(
        make_records("L1-norm", ANCHOR, setup="S2"), make_records("Mine", BETTER, setup="S2"),
        make_records("L1-norm", ANCHOR), make_records("Mine", ANCHOR[::-1]),
        make_records("L1-norm", ANCHOR, setup="SX-A"), make_records("Mine", ANCHOR[::-1], setup="SX-A"),
    )  # fmt: skip


ANCHOR = [94.0, 95.0, 93.6, 94.8, 94.4]
BETTER = [96.2, 96.8, 96.0, 97.0, 96.2]
"""Accuracies on five seeds; nearly two points apart."""
