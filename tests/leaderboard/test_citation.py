"""How a board is cited: stable for the same records, another for others; and the software's own file."""

import tomllib
from pathlib import Path

import yaml

from prunemark.leaderboard.formats.citation import bibtex, identifier, standing
from prunemark.leaderboard.standings.release import freeze
from prunemark.records.load import Loaded

HOUSE = Path(__file__).parents[2]


def test_a_release_is_cited_by_its_id_and_digest(make_records):
    loaded = Loaded(tuple(sorted(make_records("L1-norm", [94.0, 95.0, 96.0]), key=lambda r: r.record_sha256)))
    release = freeze(loaded, "2026.1", "2026-03-31")
    name = f"prunemark-2026.1-{release.digest[:12]}"
    assert identifier(release, "") == name
    assert bibtex(release, "").splitlines() == [
        f"@misc{{{name},",
        "  title = {{Prunemark leaderboard, release 2026.1}},",
        "  author = {{The Prunemark authors}},",
        "  year = {2026},",
        "  month = {3},",
        "  version = {2026.1},",
        f"  note = {{Identifier {name}. Comparison setups of arXiv:2301.05219}},",
        "}",
    ]


def test_a_board_that_is_no_release_is_named_by_its_records(make_records):
    records = make_records("L1-norm", [94.0, 95.0, 96.0], finished="2026-02-03T04:05:06")
    one, other = Loaded(tuple(records)), Loaded(tuple(records[:2]))
    assert one.contents.digest == Loaded(tuple(reversed(records))).contents.digest != other.contents.digest
    withdrawn = Loaded(tuple(records), (), {records[2].record_sha256: "wrong data"})
    assert withdrawn.contents.digest == other.contents.digest
    assert identifier(None, one.contents.digest) == f"prunemark-unreleased-{one.contents.digest[:12]}"
    entry = bibtex(None, one.contents.digest, one.contents.as_of)
    assert "  year = {2026},\n  month = {2},\n" in entry and "version" not in entry and "not released" in entry
    assert "year" not in bibtex(None, Loaded(()).contents.digest, Loaded(()).contents.as_of)


def test_what_a_board_is_among_its_releases_is_said(make_records):
    older = Loaded(tuple(sorted(make_records("L1-norm", [94.0, 95.0]), key=lambda r: r.record_sha256)))
    newer = Loaded(tuple(sorted(make_records("L1-norm", [94.0, 95.0, 96.0]), key=lambda r: r.record_sha256)))
    first = freeze(older, "2026.1", "2026-03-31")
    both = [first, freeze(newer, "2026.2", "2026-06-30", [first])]
    assert standing("2026.1", older.contents, both) == "This board is release 2026.1."
    assert standing(None, older.contents, []) == "This board is not a release."
    assert (
        standing(None, older.contents, both)
        == "This board is not a release: it has other records than 2026.2, the newest one."
    )
    assert "exactly the records of 2026.2: cite that one" in standing(None, newer.contents, both)
    withdrawn = Loaded(newer.records, (), {newer.records[0].record_sha256: "wrong data"})
    assert standing(None, withdrawn.contents, both).startswith(
        "This board is not a release: it has other records than 2026.2"
    )


def test_the_software_is_cited_in_the_version_it_has():
    cited = yaml.safe_load((HOUSE / "CITATION.cff").read_text())
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
    assert cited["version"] == project["version"] and cited["license"] == project["license"]
    assert cited["cff-version"] == "1.2.0" and {"title", "message", "authors"} <= cited.keys()
    assert any("2301.05219" in str(reference) for reference in cited["references"])
