"""A board read from where it is published: by http and from a folder, verified, and fetched only once."""

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from prunemark.records import published
from prunemark.records.board_terms import DEFAULT, FILE
from prunemark.records.fresh_seeds import FILE as DRAWS
from prunemark.records.pack import write_pack
from prunemark.setups.errors import InputError

ANCHOR, MINE = [94.0, 95.0, 93.6, 94.8, 94.4], [96.2, 96.8, 96.0, 97.0, 96.2]


@pytest.fixture
def site(tmp_path, make_records, prunemark, monkeypatch):
    """The site of a board with two methods of this package's kind, and a cache of one's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("PRUNEMARK_BOARD", raising=False)
    board = tmp_path / "board"
    write_pack([*make_records("L1-norm", ANCHOR, role="anchor"), *make_records("Mine", MINE)], board / "records")
    (board / FILE).write_text(DEFAULT)
    (board / "notes.txt").write_text("not of the board")
    code, _, err = prunemark("leaderboard", "--records", board / "records", "--output", tmp_path / "site")
    assert code == 0, err
    return tmp_path / "site"


@pytest.fixture
def server(site):
    """The address of a server of the site, and the paths that were asked of it."""
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(site))) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}", asked
        served.shutdown()
        thread.join()


def test_the_site_of_a_board_holds_the_board_itself(site):
    index = json.loads((site / "board" / "index.json").read_text())
    assert index["schema"] == published.SCHEMA and index["identifier"].startswith("prunemark-unreleased-")
    held = {path.relative_to(site / "board").as_posix() for path in (site / "board").rglob("*") if path.is_file()}
    assert held == {*index["files"], "index.json"} and {FILE} < set(index["files"])
    (pack,) = (site / "board").rglob("*.xz")
    assert pack.read_bytes() == next((site.parent / "board" / "records").rglob("*.xz")).read_bytes()


def test_the_official_board_is_read_over_http_and_gives_the_same_tables(prunemark, server, site, monkeypatch):
    address, asked = server
    local = prunemark("leaderboard", "--records", site.parent / "board" / "records", "--format", "csv")[1]
    monkeypatch.setenv("PRUNEMARK_BOARD", address)
    code, out, err = prunemark("leaderboard", "--official", "--format", "csv")
    assert code == 0 and out == local, err
    assert "prunemark-unreleased-" in err and f"from {address}: 2 files fetched" in err
    asked.clear()
    code, out, err = prunemark("leaderboard", "--records", f"{address}/", "--format", "csv")
    assert code == 0 and out == local and asked == ["/board/index.json"] and "0 files fetched" in err


def test_a_site_in_a_folder_is_read_too_and_what_it_dropped_is_dropped(prunemark, site):
    address = (site / "board").as_uri()
    code, first, err = prunemark("leaderboard", "--records", address)
    assert code == 0 and "Mine" in first, err
    (pack,) = published.cache_folder(address).rglob("*.xz")
    stale = pack.with_name(f"{'0' * 64}.jsonl.xz")
    stale.write_bytes(pack.read_bytes())
    pack.write_bytes(b"half")
    code, again, err = prunemark("leaderboard", "--records", address)
    assert code == 0 and again == first and "1 files fetched" in err and not stale.exists()


def test_the_official_board_can_be_a_folder(prunemark, site, monkeypatch):
    monkeypatch.setenv("PRUNEMARK_BOARD", str(site))
    code, out, err = prunemark("leaderboard", "--official")
    assert code == 0 and "Mine" in out and f"from {site.as_uri()}" in err, err


def spoiled(change):
    def edit(site):
        path = site / "board" / "index.json"
        index = json.loads(path.read_text())
        change(index)
        path.write_text(json.dumps(index))

    return edit


def flipped(site):
    (pack,) = (site / "board").rglob("*.xz")
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 1
    pack.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        (flipped, 3, "is not what its index says: its SHA-256 differs"),
        (lambda site: next((site / "board").rglob("*.xz")).unlink(), 3, "is in the index of"),
        (spoiled(lambda index: index["files"].update({"../x": {"bytes": 1, "sha256": ""}})), 2, "is not the index of"),
        (spoiled(lambda index: index["files"].update({"a.sh": {"bytes": 1, "sha256": ""}})), 2, "is not the index"),
        (spoiled(lambda index: index.update(schema="prunemark-published/9")), 2, "has schema 'prunemark-published/9'"),
        (spoiled(lambda index: index.update(files=[1])), 2, "is not the index of a board that this version reads"),
        (lambda site: (site / "board" / "index.json").write_bytes(b"\xff{"), 2, "is not the index of a board"),
        (lambda site: (site / "board" / "index.json").unlink(), 2, "no board is published at"),
    ],
)  # fmt: skip
def test_what_is_not_as_published_is_refused_in_a_line(prunemark, site, spoil, code, words):
    spoil(site)
    got, _, err = prunemark("leaderboard", "--records", site.as_uri())
    assert got == code and words in err and len(err.splitlines()) == 1
    assert not list((site.parent / "cache").rglob("*.xz"))


def test_an_address_that_is_missing_wrong_or_silent_is_named(prunemark, site):
    code, _, err = prunemark("leaderboard", "--official")
    assert code == 2 and "does not state where the official board is published.\nSet PRUNEMARK_BOARD" in err
    assert prunemark("leaderboard", "--official", "--records", site)[0] == 2
    code, _, err = prunemark("leaderboard", "--records", "http://127.0.0.1:9/x")
    assert code == 1 and "cannot read http://127.0.0.1:9/x/board/index.json" in err
    with pytest.raises(InputError, match="is no address of a board"):
        published.fetch("ftp://example.org", site)


def test_what_a_board_holds_is_published_and_nothing_else(tmp_path):
    sha = "ab" * 32
    names = [
        f"records/x@1/{sha}.jsonl.xz", f"decisions/x@1/{sha}.jsonl.xz", f"methods/{sha}.json", f"timings/{sha}.json",
        "releases/2026.1.json", "records/invalidations.jsonl", f"records/{DRAWS}", FILE,
    ]  # fmt: skip
    for name in (*names, "notes.txt", "records/loose.json", "records/x@1/.draft-1", "reproductions/m1.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    (tmp_path / "records" / "y@1").symlink_to(tmp_path / "records" / "x@1")
    assert set(published.files_of(tmp_path)) == set(names)
