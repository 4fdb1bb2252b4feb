"""Texts of strangers where they are shown: nothing of them steers a terminal, a page, a spreadsheet or a reader."""

import csv
import dataclasses
import io
import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.bounded import answer

from prunemark.audit.document.yaml_nodes import parse
from prunemark.benchmark.submission.description import MethodDescription, SettingDescription
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.submission.names import check_name
from prunemark.cli.tables import as_csv
from prunemark.leaderboard.formats.tables import FORMATS, render
from prunemark.leaderboard.site.build import build_site
from prunemark.leaderboard.site.method_pages import linked
from prunemark.leaderboard.site.rendering import script_json
from prunemark.leaderboard.standings.board import make_board
from prunemark.records.load import Loaded
from prunemark.records.names import imitated, looks
from prunemark.records.pack import write_pack
from prunemark.records.writer import check_ours
from prunemark.setups.errors import InputError
from prunemark.setups.text import INVISIBLE, LONGEST_NAME, as_given, escaped_json, shown, shown_cell, shown_lines

fixed = settings(derandomize=True, deadline=None, database=None, max_examples=200)
NAMES = [
    "=1+1\x1b[2J\x1b]0;owned\x07\x9b31m", "\u202eLmron\u2066", "L1\u2011norm", "Random\u200b", "a\nL1-norm  99.99",
    "@SUM(1)", "+1+cmd", "-2+3", "\t=1", "\r=1", "a\rb", "a\x00b", "\ufeffa", "a\u2028b", "a\u3164b", "a\u2800b",
    "z" + "\u0351" * 500, "a" * 150, "\U000e0041x", "a\u00adb", "a\x85b", "a\x7fb", "\u061ca",
    "<script>alert(1)</script>", "a|b", "`a`", "a\u2029b", "\ufff9a\ufffb", "x\U000e0100",
]  # fmt: skip


def unseen(text):
    return [
        c for c in text if (c != "\n" and not (c.isprintable() or unicodedata.category(c) == "Zs")) or c in INVISIBLE
    ]


@fixed
@given(st.text(st.characters()) | st.sampled_from(NAMES))
def test_what_is_shown_is_one_line_of_letters_that_can_be_seen(text):
    assert unseen(shown(text)) == [] and "\n" not in shown(text)
    assert unseen(shown_lines(text).replace("\t", "")) == []
    assert shown(shown(text)) == shown(text)
    shown(text).encode()
    assert len(as_given(text)) <= LONGEST_NAME


def test_honest_text_stays_as_it_is():
    for text in ("L1-norm", "95.53 ± 0.20", "S3.2 ≥ 2.31x", "Léger, naïve; 猫", "a  b"):
        assert shown(text) == text == shown_lines(text)
    assert shown("a" * 600) == "a" * 499 + "…" and shown("a" * 500) == "a" * 500
    assert shown_lines("a\n\tb\r\nc") == "a\n\tb\nc"


@pytest.mark.parametrize(
    "value", [15**20_000, [1 << 10**6], {"a": 1 << 10**6}, "x" * 10**7, ["y" * 10**6] * 10], ids="abcde"
)
def test_any_value_can_be_repeated_in_an_error(value):
    found = answer(as_given, value)
    assert found.kind == "value" and len(found.text) <= LONGEST_NAME + 4


@fixed
@given(st.recursive(st.text(st.characters()), lambda inner: st.lists(inner, max_size=3), max_leaves=5))
def test_json_reads_back_the_same_and_has_no_letter_that_is_unseen(data):
    text = escaped_json(json.dumps(data, ensure_ascii=False))
    assert json.loads(text) == data and unseen(text) == []


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", " =1", "\u200b=1", "=cmd|'/c calc'!A0"]
)
def test_no_cell_is_a_formula(text):
    cell = shown_cell(text)
    assert not cell.lstrip().startswith(("=", "+", "-", "@")) or cell.startswith("?")
    assert next(csv.DictReader(io.StringIO(as_csv([{"a": text}]))))["a"] == cell


def test_numbers_stay_numbers():
    assert [shown_cell(value) for value in (-0.5, None, "-0.5", "+1e-3", 3)] == [-0.5, None, "-0.5", "+1e-3", 3]


@pytest.fixture
def records(make_records):
    """An honest table, and one record under each of the names."""
    track = [*make_records("L1-norm", [95.0, 95.5, 96.0], role="anchor"), *make_records("Mine", [96.0, 96.5, 97.0])]
    return track + [record for name in NAMES for record in make_records(name, [90.0, 91.0, 92.0])]


@pytest.fixture
def board(records, tmp_path):
    return make_board(Loaded(tuple(records)))


@pytest.mark.parametrize("format", FORMATS)
def test_no_table_has_a_letter_that_is_unseen(board, format):
    text = render(board, format)
    assert unseen(text) == [] and "\x1b" not in text
    if format == "csv":
        assert not re.search(r'(?m)(^|,)"?[=@\t\r]', text)
        rows = list(csv.DictReader(io.StringIO(text)))
        assert len({row["method"] for row in rows}) >= len(NAMES) - 10  # several are shown as a?b
    if format == "markdown":
        assert not re.search(r"^L1-norm +99.99", text, re.MULTILINE) and "<script>" not in text


def test_a_terminal_gets_a_row_a_method_and_no_escape(records, tmp_path, prunemark):
    write_pack(records, tmp_path / "records")
    code, out, err = prunemark("leaderboard", "--records", tmp_path / "records")
    assert code == 0 and unseen(out + err) == []
    assert not [line for line in out.splitlines() if line.strip().startswith("L1-norm  99.99")]


def test_no_page_has_a_letter_that_is_unseen(records, tmp_path):
    loaded = Loaded(tuple(records))
    build_site(make_board(loaded), loaded, tmp_path / "site")
    for page in (tmp_path / "site").glob("*.*"):
        assert unseen(page.read_text().replace("\t", "")) == [], page.name
    assert unseen(script_json({"a": NAMES})) == []


def test_a_summary_of_200_kb_stops_no_board(make_records, tmp_path):
    def with_summary(text):
        record = make_records("Mine", [96.0])[0]
        method = dataclasses.replace(record.outcome.method, summary=text)
        return dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, method=method))

    def build(text, number):
        loaded = Loaded((*make_records("L1-norm", [95.0], role="anchor"), with_summary(text)))
        build_site(make_board(loaded), loaded, tmp_path / f"site{number}")
        return max(path.stat().st_size for path in (tmp_path / f"site{number}").glob("method*.html"))

    for number, text in enumerate(
        ("S" * 200_000, "10.1234/" * 25_000, "https://" * 25_000, "10.1234/" + "." * 200_000)
    ):
        found = answer(build, text, number)
        assert found.kind == "value" and int(found.text) < 100_000, found


@pytest.mark.parametrize("text", ["S" * 200_000, "10.1234/" + "." * 200_000, "doi: " * 40_000, "arXiv:1234." * 20_000])
def test_links_are_found_in_bounded_time(text):
    assert answer(lambda: len(linked(text))).kind == "value"


@pytest.mark.parametrize("name", [name for name in NAMES if unseen(re.sub("[\\r\\t\\x85]", "", name))])
def test_a_document_with_such_a_name_is_refused(name):
    with pytest.raises(InputError, match="cannot be seen|not YAML|cannot stand in a text"):
        parse(f"method: {json.dumps(name, ensure_ascii=False)}".encode(), "d")


@pytest.mark.parametrize("form", ["text", "json", "markdown", "html", "latex", "review", "checklist"])
def test_no_form_of_an_audited_table_has_a_letter_that_is_unseen(tmp_path, prunemark, form):
    """A paper's table has names of strangers in every cell; what no text can hold is refused with its file."""
    names = [name for name in NAMES if not re.search("[\x00-\x08\x0b-\x1f]", name)]
    rows = "".join(f'"{name}",75.{number:02d}\n' for number, name in enumerate(names, 10))
    (tmp_path / "t.csv").write_text(f"method,top1\n{rows}ours,76.0\n", encoding="utf-8", newline="")
    words = ("audit", "table", tmp_path / "t.csv", "--columns", "method=1, top1=2", "--ours", "ours")
    code, out, err = prunemark(*words, "--format", form)
    assert code in (3, 4) and unseen(out + err) == [] and "\x1b" not in out
    assert "<script>" not in out or form in ("text", "json", "review", "checklist")
    (tmp_path / "t.csv").write_text("method,top1\n\x1b[2J,75.0\nours,76.0\n")
    code, out, err = prunemark(*words, "--format", form)
    assert (code, out) == (2, "") and "cannot stand in a text" in err and unseen(err) == []


ALIKE = ["L1norm", "L1_Norm", "Ll-norm", "l1norm", "\uff2c1-norm", "L1-n\u043erm", "L1\u2011norm", "LI.NORM",
         "\U0001d40b1-norm", "L1-norm\u200b", "L1-nor\u1e41", "L1-norrn"]  # fmt: skip


@pytest.mark.parametrize("name", ALIKE)
def test_a_name_that_reads_like_another_is_found(name):
    assert imitated(name, ["Random", "L1-norm"]) == "L1-norm"


def test_names_that_read_otherwise_are_not_found():
    assert [imitated(name, ["L1-norm"]) for name in ("L2-norm", "L1-norm-2", "MyL1", "", "norm")] == [""] * 5
    assert looks("") == ""


CRITERION = '''from prunemark.benchmark.method import FilterCriterion


class {name}(FilterCriterion):
    """A norm."""

    def score(self, layer, context):
        return layer.weight.flatten(1).norm(dim=1)
'''


@pytest.mark.parametrize("name", ["L1Norm", "LlNorm", "L1_norm", "RANDOM", "Rand0m", "Scratch", "Dense", "FPGM", "Fpgm",
                                  "Größe", "\u0410" * 3, "A" * 81, "LAMP", "Lamp_"])  # fmt: skip
def test_a_class_that_imitates_is_refused_before_anything_runs(tmp_path, prunemark, name):
    (tmp_path / "mine.py").write_text(CRITERION.format(name=name))
    code, _, err = prunemark("submit", f"mine.py:{name}", "--track", "digits-resnet8", "--home", tmp_path / "home")
    assert code == 2 and "Rename the class" in err and not list((tmp_path / "home").glob("records/*"))
    assert prunemark("check", f"mine.py:{name}")[0] == 2


def test_a_copy_of_a_shipped_file_may_have_its_name(tmp_path):
    shipped = locate("L1-norm")[1]
    text = Path(shipped.path).read_text()
    (tmp_path / "copy.py").write_text(f"# a copy\n{text}")
    check_name(*locate(f"{tmp_path}/copy.py:{shipped.class_name}"))
    check_name(*locate("L1-norm"))
    (tmp_path / "copy.py").write_text(f"{text}\nX = 1\n")
    with pytest.raises(InputError, match="reads like 'L1-norm'"):
        check_name(*locate(f"{tmp_path}/copy.py:{shipped.class_name}"))


def described(**changes):
    setting = dataclasses.replace(SettingDescription("a", "m", ""), **changes)
    plain = dataclasses.asdict(MethodDescription("x", "filter", {"s": setting}, summary="S " * 10**6))
    return MethodDescription.from_dict(plain)


def test_what_a_class_says_is_cut_where_it_enters():
    found = described(meaning="m\x1b[2J" * 10**5)
    assert (
        len(found.summary) == 300
        and len(found.settings["s"].meaning) == 500
        and "\x1b" not in found.settings["s"].meaning
    )
    for default in ("a" * 501, "a\nb", 10**30, "\u202e"):
        with pytest.raises(InputError, match="too long or cannot be shown"):
            described(default=default)


@pytest.mark.parametrize("option", ["--output", "--board"])
def test_what_somebody_else_wrote_is_left_as_it_is(tmp_path, prunemark, make_records, option):
    write_pack(make_records("L1-norm", [95.0], role="anchor"), tmp_path / "records")
    (tmp_path / "theirs").mkdir()
    page = tmp_path / "theirs" / "index.html"
    page.write_text("<!doctype html>mine")
    where = page.parent if option == "--output" else page
    code, _, err = prunemark("leaderboard", "--records", tmp_path / "records", option, where)
    assert code == 2 and "index.html" in err and page.read_text() == "<!doctype html>mine"
    page.unlink()
    for _ in range(2):  # a folder that is empty, a file that is new; then one that is ours
        assert prunemark("leaderboard", "--records", tmp_path / "records", option, where)[0] == 0


def test_a_marker_of_another_kind_does_not_give_a_folder_away(tmp_path, prunemark, make_records):
    write_pack(make_records("L1-norm", [95.0], role="anchor"), tmp_path / "records")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "written-by-prunemark.txt").write_text("no")
    assert prunemark("leaderboard", "--records", tmp_path / "records", "--output", tmp_path / "theirs")[0] == 2


def test_only_a_file_that_begins_as_ours_is_replaced(tmp_path):
    path = tmp_path / "x.md"
    assert check_ours(path, "# T", "--board") == path
    for text in ("# T and more", ""):
        path.write_text(text)
        assert check_ours(path, "# T", "--board") == path
    for text in ("# U", "x"):
        path.write_text(text)
        with pytest.raises(InputError, match="did not write"):
            check_ours(path, "# T", "--board")
