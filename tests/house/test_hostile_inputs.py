"""Files of strangers that are not a submission: each is answered in words, in bounded memory and time.

A case runs in a fork that may take 200 MB more than there are in use, and 20 seconds: on a quiet machine each takes
less than two.
"""

import hashlib
import json
import lzma
import os
from functools import cache

import pytest
from support.bounded import answer

from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.submission.value_patterns import check_fits
from prunemark.contributions.verify import examine_board
from prunemark.leaderboard.standings.release import read_release
from prunemark.records.card import read_cards
from prunemark.records.decision import read_decisions
from prunemark.records.invalidations import read_invalidations
from prunemark.records.load import read_records
from prunemark.records.matched_to import MatchedTo
from prunemark.records.pack import PACKED
from prunemark.records.record import load
from prunemark.records.source import examine_methods
from prunemark.records.timing import read_timings
from prunemark.setups.track_files import SHIPPED, track_from_file

TRACK = (SHIPPED / "digits-resnet8@1.toml").read_text()
MIB = 2**20


def squeezed(pieces, preset=0):
    """xz of pieces, none of which has to be whole in memory."""
    compressor = lzma.LZMACompressor(preset=preset)
    return b"".join([*(compressor.compress(piece) for piece in pieces), compressor.flush()])


def named(pieces):
    """(name of the content, packed bytes) of pieces that can be gone through twice."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest(), squeezed(pieces)


def forged(number):
    return b'{"record":{"a":%d},"sha256":"%064d"}\n' % (number, number)


def huge_dictionary():
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1536 * MIB, "preset": 0}]
    return lzma.compress(b"{}\n", lzma.FORMAT_XZ, filters=filters)


PACKS = {
    "256 MB of blanks under a wrong name": lambda: ("0" * 64, squeezed([b" " * 2**24] * 16)),
    "256 MB of zeros, rightly named": lambda: named([bytes(2**24)] * 16),
    "a million empty objects": lambda: named([b"{}\n" * 1_000_000]),
    "160 MB of line ends": lambda: named([b"\n" * 2**24] * 10),
    "line ends, and one line": lambda: named([b"\n" * 2**20, b"{}\n"]),
    "100,000 forged lines": lambda: named([b"".join(map(forged, range(100_000)))]),
    "60,000 copies of one line": lambda: named([forged(1) * 60_000]),
    "lines of a megabyte": lambda: named([b"[" + b"0," * 499_990 + b"0]\n"] * 15),
    "deep JSON": lambda: named([b"[" * 500_000 + b"\n"] * 8),
    "a number of a million digits": lambda: named([b'{"record":' + b"9" * 1_000_000 + b',"sha256":"a"}\n'] * 8),
    "many streams": lambda: ("1" * 64, lzma.compress(b"{}\n") * 20_000),
    "a dictionary of 1.5 GB": lambda: ("2" * 64, huge_dictionary()),
    "200 MB of short lines, rightly named": lambda: named([b'{"record":1}\n' * 2**20] * 16),
    "no xz at all": lambda: ("3" * 64, b"PK" + bytes(1000)),
    "nothing": lambda: ("4" * 64, b""),
}


@cache
def made(what):
    return PACKS[what]()


def refusals(folder):
    found = read_records(folder)
    assert not found.records and len(found.refused) <= 1001 and all(len(each.why) < 1000 for each in found.refused)
    return len(found.refused)


@pytest.mark.parametrize("what", PACKS)
@pytest.mark.parametrize("reader", [refusals, read_decisions, examine_board], ids=lambda reader: reader.__name__)
def test_a_pack_is_refused_in_words(tmp_path, what, reader):
    name, content = made(what)
    folder = tmp_path / "digits-resnet8@1"
    folder.mkdir()
    (folder / f"{name}{PACKED}").write_bytes(content)
    found = answer(reader, tmp_path)
    allowed = ("value",) if reader is not read_decisions else ("InputError", "RuleBroken")
    assert found.kind in allowed and len(found.text) < 200_000, found


def test_a_wrong_name_is_known_without_unpacking(tmp_path, monkeypatch):
    (tmp_path / "t@1").mkdir()
    (tmp_path / "t@1" / f"mine{PACKED}").write_bytes(squeezed([bytes(2**20)]))
    monkeypatch.setattr("prunemark.records.pack.unpacked_lines", lambda *_: pytest.fail("it was unpacked"))
    assert "is not named by its content" in read_records(tmp_path).refused[0].why


def test_after_a_thousand_unsound_lines_the_rest_is_not_read(tmp_path, monkeypatch):
    folder = tmp_path / "t@1"
    folder.mkdir()
    name, content = named([b"".join(map(forged, range(3000)))])
    (folder / f"{name}{PACKED}").write_bytes(content)
    read = []
    monkeypatch.setattr("prunemark.records.load._read", lambda *line: read.append(line) or load(b"{}", line[1]))
    found = read_records(tmp_path).refused
    assert len(found) == 1001 and len(read) == 1000 and any("has 2,000 more lines" in each.why for each in found)


@pytest.mark.parametrize("name", [f"{'5' * 64}.json", f"t@1/{'5' * 64}{PACKED}", "invalidations.jsonl"])
@pytest.mark.parametrize("kind", ["pipe", "too large", "a link to a device"])
def test_what_is_no_plain_file_of_a_usual_size_is_not_read(tmp_path, name, kind):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "a link to a device":
        path.symlink_to("/dev/zero")
    else:
        with path.open("wb") as file:
            file.truncate(2**33)  # a hole: no byte of it is on the disk
    found = answer(refusals, tmp_path)
    assert found.kind == "value" and found.text == "1", found


TRACKS = {
    "5,000 digits": lambda text: text.replace("classes = 10", "classes = " + "9" * 5000),
    "15,000 hexadecimal digits": lambda text: text.replace("classes = 10", "classes = 0x" + "f" * 15_000),
    "the same, of a recipe": lambda text: text.replace("batch_size = ", "batch_size = 0x" + "f" * 15_000 + " # "),
    "50,000 brackets": lambda text: text + "\nx = " + "[" * 50_000 + "]" * 50_000,
    "20,000 brackets": lambda text: text + "\nx = " + "[" * 20_000,
    "20,000 inline tables": lambda text: text + "\nx = " + "{a=" * 20_000,
    "a path": lambda text: text.replace('name = "', 'name = "../../../tmp/evil', 1),
    "two dots": lambda text: text.replace('name = "', 'name = "a..b', 1),
    "a slash": lambda text: text.replace('name = "', 'name = "a/b', 1),
    "NUL": lambda text: text.replace('name = "', 'name = "a\\u0000b', 1),
    "HTML": lambda text: text.replace('name = "', 'name = "<img src=x onerror=alert(1)>', 1),
    "300 characters": lambda text: text.replace('name = "', 'name = "' + "a" * 300, 1),
    "another alphabet": lambda text: text.replace('name = "digits', 'name = "digіts', 1),
    "an empty name": lambda text: text.replace('name = "digits-resnet8"', 'name = ""', 1),
    "a title of 10 MB": lambda text: text.replace('title = "', 'title = "' + "A" * 10_000_000, 1),
    "a title of 50 kB": lambda text: text.replace('title = "', 'title = "' + "A" * 50_000, 1),
    "a title that clears the screen": lambda text: text.replace('title = "', 'title = "\\u001b[2J', 1),
    "a title that turns the reader": lambda text: text.replace('title = "', 'title = "\\u202e', 1),
    "a title of two lines": lambda text: text.replace('title = "', 'title = "a\\nb', 1),
    "os.system": lambda text: text.replace('network = "resnet8"', 'network = "os.system"'),
    "an unknown network": lambda text: text.replace('network = "resnet8"', 'network = "resnet9"'),
    "a path in a library": lambda text: text.replace('network = "resnet8"', 'network = "timm:../../x"'),
    "an unknown library": lambda text: text.replace('network = "resnet8"', 'network = "os:system"'),
    "a family in HTML": lambda text: text.replace('family = "', 'family = "<b>', 1),
    "an anchor in HTML": lambda text: text.replace('anchor = "', 'anchor = "<b>', 1),
    "20,000 levels": lambda text: text + '\n[[levels]]\nname = "x"\nratio = 0.5\nspeedup = 2.0' * 20_000,
    "1,000 levels": lambda text: (
        text + "".join(f'\n[[levels]]\nname="{n}"\nratio=0.5\nspeedup=2.0' for n in range(1000))
    ),
    "a level in HTML": lambda text: text.replace('name = "50%"', 'name = "<b>50%"'),
    "a level that is a list": lambda text: text.replace('name = "50%"', "name = [[]]"),
    "a key of 9,000 parts": lambda text: text + "\n" + ".".join("a" * 9000) + " = 1",
    "3,000 tables": lambda text: text + "".join(f"\n[a{n}]" for n in range(3000)),
    "a date of many digits": lambda text: text + "\nx = 1979-05-27T07:32:00." + "9" * 50_000,
    "Latin-1": lambda text: text + "\n# \udcff",
    "infinity": lambda text: text.replace("classes = 10", "classes = inf"),
    "the LR 9e999999": lambda text: text.replace("lr = ", 'lr = "9e999999" # '),
    "an LR of 30,000 digits": lambda text: text.replace("lr = ", f'lr = "{"9" * 30_000}" # '),
}


@pytest.mark.parametrize("what", TRACKS)
def test_a_track_is_refused_in_words(tmp_path, what):
    text = TRACKS[what](TRACK)
    assert text != TRACK
    (tmp_path / "t.toml").write_bytes(text.encode(errors="surrogateescape"))
    found = answer(track_from_file, tmp_path / "t.toml")
    assert found.kind == "InputError" and len(found.text) < 6000 and len(found.text.splitlines()) <= 3, found
    assert found.text.replace("\n", "").isprintable()


@pytest.mark.parametrize("kind", ["pipe", "folder", "nothing", "device"])
def test_a_track_that_is_no_plain_file(tmp_path, kind):
    path = tmp_path / "t.toml"
    {"pipe": os.mkfifo, "folder": os.mkdir, "nothing": str, "device": lambda at: at.symlink_to("/dev/zero")}[kind](path)
    assert answer(track_from_file, path).kind == "InputError"


@pytest.mark.parametrize("text", ["[" * 50_000, "x = " + "9" * 5000, "[Mine]\nclass = 0x" + "f" * 30_000,
                                  "a" * 200_000, '["' + "a" * 9000 + '"]\nx = 1'])  # fmt: skip
def test_a_card_is_refused_in_words(tmp_path, text):
    (tmp_path / "mine.toml").write_text(text)
    found = answer(read_cards, tmp_path)
    assert found.kind == "InputError" and len(found.text) < 12_000, found


@pytest.mark.parametrize(
    "content",
    [
        b"\n" * 2**23, b"{}\n" * 2**20, b"[" * 2**20, b'{"at":' + b"9" * 5000 + b"}",
        b'{"at":"","reason":"","x":1}\n' * 90_000,
    ],
    ids=range(5),
)  # fmt: skip
def test_a_list_of_invalidations_is_read_in_bounds(tmp_path, content):
    (tmp_path / "invalidations.jsonl").write_bytes(content)
    found = answer(lambda folder: len(read_invalidations(folder)[1]), tmp_path)
    assert found.kind == "value" and int(found.text) <= 101, found


JSONS = [b"[" * 2**20, b'{"a":' + b"9" * 5000 + b"}", b"[" + b"0," * 2**20 + b"0]", bytes(2**20), b'"' + b"\\" * 2**20]


@pytest.mark.parametrize("content", JSONS, ids=range(len(JSONS)))
def test_other_files_of_a_board_are_refused_in_words(tmp_path, content):
    path = tmp_path / "2026.9.json"
    path.write_bytes(content)
    assert answer(read_release, path).kind == "InputError"
    for reader in (examine_methods, read_timings):
        found = answer(lambda folder, reader=reader: len(reader(folder)[1]), tmp_path)
        assert (found.kind, found.text) == ("value", "1"), found


def test_a_source_of_a_million_numbers_is_not_taken_apart(tmp_path):
    text = "class Mine:\n    x = [" + "0," * 400_000 + "]\n"
    data = {"class": "Mine", "files": [["mine.py", text]], "schema": "prunemark-method/1"}
    (tmp_path / f"{'0' * 64}.json").write_text(json.dumps(data))
    found = answer(lambda folder: len(examine_methods(folder)[1]), tmp_path)
    assert (found.kind, found.text) == ("value", "1"), found


@pytest.mark.parametrize("text", ["a 01234567 (" * 15_000, "a 01234567 (" + ", a=" * 50_000, "a" * 10**6, "(" * 10**6])
def test_what_a_control_says_it_is_matched_to_is_read_in_bounded_time(text):
    assert answer(lambda: len(MatchedTo.parse(text).text)).text == str(len(text))


METHODS = {
    "a comment of 100 MB": lambda: "# " + "x" * 100_000_000 + "\n",
    "a list of 1,000,000 numbers": lambda: "X = [" + "0, " * 1_000_000 + "]\n",
    "a list of 300,000 numbers": lambda: "X = [" + "0, " * 300_000 + "]\n",
    "300,000 statements": lambda: "x\n" * 300_000,
    "a docstring of 3 MB": lambda: '"""' + "word " * 600_000 + '"""\n',
    "100,000 strings": lambda: "X = (" + '"a" ' * 100_000 + ")\n",
    "50,000 parentheses": lambda: "X = " + "(" * 50_000 + "\n",
    "40,000 signs": lambda: "X = " + "-" * 40_000 + "1\n",
    "10,000 dots": lambda: "X = a" + ".a" * 10_000 + "\n",
    "NUL": lambda: "X = '\0'\n",
    "a number of 5,000 digits": lambda: "X = " + "9" * 5000 + "\n",
}


@pytest.mark.parametrize("what", METHODS)
@pytest.mark.parametrize("where", ["its own file", "a file beside it"])
def test_a_method_is_refused_in_words(tmp_path, what, where):
    mine, other = "class Mine:\n    pass\n", METHODS[what]()
    (tmp_path / "mine.py").write_text(mine + other if where == "its own file" else f"import other\n{mine}")
    (tmp_path / "other.py").write_text(other)
    found = answer(locate, f"{tmp_path}/mine.py:Mine")
    assert found.kind == "InputError" and len(found.text) < 1000, found


def test_a_folder_of_many_files_is_no_method(tmp_path):
    (tmp_path / "parts").mkdir()
    for number in range(300):
        (tmp_path / "parts" / f"p{number}.py").write_text("x = 1\n")
    (tmp_path / "mine.py").write_text("import parts\nclass Mine:\n    pass\n")
    found = answer(locate, f"{tmp_path}/mine.py:Mine")
    assert found.kind == "InputError" and "more than 200 files" in found.text


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|a)*$", "(a|aa)+", "(.*)*x", "a?" * 30 + "a" * 30, "a*" * 6 + "b", "([a-z]+)*!", "(a|ab)(c|bcd){20}",
     "(?=(a+))a*b", "\\1", "a{1,999}" * 9, "(((a)))", "[", "a" * 300, "(?i)a", "(x+x+)+y", "[a-z]{1,99}" * 4],
)  # fmt: skip
def test_a_pattern_that_may_never_end_is_not_tried(pattern):
    found = answer(check_fits, "word", pattern, "a" * 30 + "!")
    assert found.kind == "InputError" and "pattern" in found.text, found


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("[a-z]*[a-z]*[a-z]*", "a" * 63 + "!"), ("a?" * 19, "a" * 18 + "!"), ("(a|a|a|a)" * 9, "a" * 8 + "!"),
        ("[0-9.]+(e-?[0-9]+)?", "1" * 10**6),
    ],
)  # fmt: skip
def test_a_pattern_that_is_tried_ends(pattern, text):
    found = answer(check_fits, "word", pattern, text)
    assert (found.kind, found.text) == ("value", "False") and found.seconds < 10
