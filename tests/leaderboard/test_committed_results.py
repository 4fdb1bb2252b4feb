"""What is committed as a result is what its committed records give: no number in it was typed."""

import lzma
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from prunemark.benchmark.run.executor import LocalProcesses
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.submission.method_files import read_source
from prunemark.benchmark.training.arithmetic import can_be_portable
from prunemark.contributions.contribution import Contribution
from prunemark.contributions.rerun import Code, run_again
from prunemark.contributions.verify import examine_board
from prunemark.leaderboard.formats import citation, overview
from prunemark.leaderboard.formats.found import found_in_words
from prunemark.leaderboard.formats.reproduction import reproduction_markdown
from prunemark.leaderboard.standings import board, frozen_records, release
from prunemark.leaderboard.standings.reproduction import reproduce
from prunemark.records import load
from prunemark.records.matched_to import RATIOS_OF, MatchedTo
from prunemark.records.source import read_methods
from prunemark.setups.comparison import SETUPS
from prunemark.setups.paper_tables import GRIDS

ROOT = Path(__file__).parents[2]
BOARD = ROOT / "leaderboard" / "board"
FEWEST_SEEDS = 5


REPRODUCED = ("m1", "m2", "table4", "table5", "table6")


@pytest.fixture(scope="module")
def found():
    return load.read_records(BOARD / "records")


@pytest.fixture(scope="module")
def standings(found):
    return board.make_board(found)


@pytest.mark.parametrize("id", REPRODUCED)
def test_a_reproduced_table_is_that_of_its_records(id, tmp_path):
    packed = BOARD / "reproductions" / f"{id}.jsonl.xz"
    (tmp_path / packed.name).write_bytes(packed.read_bytes())
    found = load.read_records(tmp_path)
    assert not found.refused and len({r.outcome.seed for r in found.records}) >= FEWEST_SEEDS
    text = reproduction_markdown(reproduce(GRIDS[id], found.records))
    assert text == (BOARD / "reproductions" / f"{id}.md").read_text()


def test_what_the_pages_say_of_the_reproduced_tables():
    """The table and the sentences of docs/experiments.md."""
    tables = {id: (BOARD / "reproductions" / f"{id}.md").read_text() for id in REPRODUCED}
    page = (ROOT / "docs" / "experiments.md").read_text()
    said = " ".join(page.split())
    for name, printed in (("1e-1", "1e-1"), ("1e-2", "1e-2"), ("1e-2, +60", "1e-2, 60 epochs longer")):
        row = re.search(rf"^\| P30F90, {re.escape(name)} \| \S+ \| (.+?) \[(.+?)\] \|", tables["m1"], re.M)
        assert f"| P30F90, {printed} | {row[1]} | {row[2]} |" in page
    for id in REPRODUCED:
        found = re.search(r"(\d+ of \d+) signs agree; (\d+) are significantly opposite. .*?(\d+) are confirmed, (\d+)",
                          tables[id])  # fmt: skip
        assert f"| `{id}` | {found[1]} | {found[2]} | {found[3]} | {found[4]} |" in page
    cell = r"^\| {} \(.*?\| {} \| \S+ \| ([-+.\d]+) "
    mean = {
        (row, level): float(re.search(cell.format(re.escape(row), level), tables["table4"], re.M)[1])
        for row in ("P30F90, 1e-1", "P30F90, 1e-2", "P30/kF90, 1e-1", "P30/kF90, 1e-2")
        for level in ("10%", "30%", "50%", "70%", "90%", "95%")
    }  # fmt: skip
    assert all(mean[f"P30{k}F90, 1e-1", level] > 0 for k in ("", "/k") for level in ("10%", "70%", "90%", "95%"))
    ahead = {(row, level) for (row, level), value in mean.items() if value > 0 and row.endswith("1e-2")}
    assert ahead == {("P30F90, 1e-2", "30%"), ("P30F90, 1e-2", "50%"), ("P30/kF90, 1e-2", "30%")}
    assert "Retrained from 1e-2 it is ahead only at 30 and 50 % (SX-A), or at 30 % (SX-B)" in said
    assert f"by {-mean['P30/kF90, 1e-2', '90%']:.1f} points at 90 %" in said


def test_every_control_on_the_board_names_a_method_that_the_board_has(found):
    records = found.records
    methods = {(o.method.name, o.method.source_sha256, tuple(o.method.settings.items())) for r in records
               if (o := r.outcome).method.kind == "pruned" and o.method.role != "control"}  # fmt: skip
    texts = {str(r.outcome.method.settings[RATIOS_OF]) for r in records if r.outcome.method.matched_to}
    named = [MatchedTo.parse(text) for text in texts]
    assert len(texts) > 20 and {matched.text for matched in named} == texts
    for matched in named:
        assert any(matched.names(name, sha256, dict(settings)) for name, sha256, settings in methods), matched.text


def test_the_board_is_that_of_its_records(found, standings):
    identifier = citation.identifier(None, standings.contents.digest)
    page = (BOARD.parent / "BOARD.md").read_text()
    assert overview.as_overview(standings, identifier) == page and len(page) < 8_000


def test_nothing_on_the_board_was_tampered_with_or_is_missing(found, tmp_path):
    """Of the tracks that have grown since the last release, every file; of all: the slow test."""
    assert not found.refused
    newest = release.read_releases(BOARD / release.FOLDER)[0][-1]
    released = frozen_records.records_of(newest, BOARD / "records")
    grown = {record.outcome.track for record in found.records if record.record_sha256 not in released}
    for part in ("records", "decisions"):
        (tmp_path / part).mkdir()
        for track in grown or {"cifar10-jpeg-small-weights@2"}:
            (tmp_path / part / track).symlink_to(BOARD / part / track)
    (tmp_path / "methods").symlink_to(BOARD / "methods")
    examined = examine_board(tmp_path)
    assert [part.findings for part in examined] == [[]] * 6 and examined[0].sound and examined[3].sound
    sources = read_methods(BOARD / "methods")
    assert {r.outcome.method.source_sha256 for r in found.records} - {""} <= set(sources)


@pytest.mark.slow
def test_nothing_on_the_whole_board_was_tampered_with_or_is_missing():
    assert [part.findings for part in examine_board(BOARD)] == [[]] * 6


@pytest.mark.slow
def test_every_release_by_these_rules_can_be_built_again_from_its_own_records():
    releases, refused = release.read_releases(BOARD / release.FOLDER)
    assert releases and not refused
    for each in releases:
        frozen = frozen_records.read_frozen(each, BOARD / "records")
        if each.rules == release.RULES:
            release.check_field(board.make_board(frozen, release=each.id), each)


def test_what_the_readme_says_of_the_board(standings):
    """Its sentences, made from the records."""
    said = " ".join((ROOT / "README.md").read_text().split())

    def random_under(setup):
        found = (t for t in standings.tables if (t.track, t.setup, t.level) == ("digits-resnet8@1", setup, "50%"))
        return next(row for row in next(found).ranked if row.name == "Random").verdict

    loose, strict = random_under("S2"), random_under("S4.2")
    low, high = loose.comparison.interval_pp
    assert (loose.word, strict.word, f"{loose.p_holm:.3f}") == ("better", "undetermined", "0.002")
    assert (
        f"{loose.comparison.difference_pp:.2f} points better than L1-norm ([{low:+.2f}, {high:+.2f}], p .002)" in said
    )
    low, high = strict.comparison.interval_pp
    assert f"difference is {strict.comparison.difference_pp:+.2f} points ([{low:+.2f}, {high:+.2f}])" in said
    first, last = re.findall(r"(S\S+ calls \d+)%", found_in_words(standings.tables))
    assert f"{first} % of the methods better than their anchor, and {last} % better" in said
    glyphs = [t for t in standings.tables if (t.track, t.setup) == ("glyphs-resnet8@1", "S4.2")]
    words = Counter(row.verdict.word for table in glyphs for row in table.ranked if row.verdict)
    open_ones = words.pop("undetermined")
    assert set(words) == {"worse", "equivalent"}
    assert f"{words.total()} of {words.total() + open_ones} comparisons under S4.2 are decided" in said
    assert f"{words['worse']} methods are worse than L1-norm, {words['equivalent']} are equivalent to it" in said
    setups = ("S3.2", "S4.2", "SX-A", "SX-B")
    four = [t for t in standings.tables if t.track == "glyphs-resnet8@1" and t.setup in setups]
    verdicts = [row.verdict.word for table in four for row in table.ranked if row.verdict]
    decided = len(verdicts) - verdicts.count("undetermined")
    assert f"S3.2, S4.2, SX-A and SX-B together, {decided} of {len(verdicts)} are decided" in said


def test_every_track_of_digits_was_run_under_every_setup_of_the_paper(standings):
    """Larger tracks are run where there is time."""
    digits = [table for table in standings.tables if table.track.startswith("digits-")]
    ran = {(table.track, table.level, table.setup) for table in digits}
    places = {(table.track, level) for table in digits for level in table.levels}
    assert ran == {(*place, setup) for place in places for setup in SETUPS}
    assert all(len(table.seeds) >= FEWEST_SEEDS for table in standings.tables)


def test_nothing_on_the_board_was_ever_rewritten_or_removed():
    """Since packs are named by their content. Methods are in the same way; releases are written once.

    They lay in `leaderboard/` until 0.2.0: whole files were moved, which git says of equal content.
    """

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    if git("rev-parse", "--is-shallow-repository").strip() == "true":
        pytest.skip("a clone without its history cannot say what was rewritten: git fetch --unshallow")
    parts = ["records/*@*/*.jsonl.xz", "decisions/*@*/*.jsonl.xz", "methods/*.json", "releases/*.json"]
    packs = [f"{place}/{part}" for place in ("leaderboard", "leaderboard/board") for part in parts]
    assert git("log", "-M100%", "--diff-filter=DM", "--format=", "--name-only", "--", *packs) == ""


def test_the_repository_stays_small():
    """24 MiB since the first field with 10,000 test images, 1.1 kB a record; a release adds 1.5 MB of hashes."""
    packed = [*BOARD.rglob("*.jsonl.xz"), *BOARD.rglob("*.json")]
    assert packed and sum(path.stat().st_size for path in packed) < 24 * 2**20
    assert all(lzma.decompress(path.read_bytes()) for path in packed if path.suffix == ".xz")


def test_a_record_in_portable_arithmetic_is_obtained_again_here(found):
    """On whatever processor this runs, with the libraries that the record names."""
    (record,) = (
        r
        for r in found.records
        if (o := r.outcome).track == "digits-mlp7@2" and o.method.name == "FPGM"
        if (o.setup, o.level, o.seed) == ("S2", "50%", 0)
    )
    if not can_be_portable():
        pytest.skip("this processor has no AVX2: its arithmetic cannot be the portable one")
    shipped = {"FPGM": read_source(locate("FPGM")[1])}
    code = Code(
        {text.source_sha256: text for text in shipped.values()}, {name: t.class_name for name, t in shipped.items()}
    )
    again = run_again(record, Contribution((record,), {}, {}), code, LocalProcesses(1))
    if "numpy: recorded" in again.words or "torch: recorded" in again.words:
        pytest.skip(again.words)
    assert again.state == "same", again.words
