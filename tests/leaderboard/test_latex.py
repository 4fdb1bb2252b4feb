"""What an author pastes: environments balance, columns match, and no name breaks it."""

import dataclasses
import re
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunemark.leaderboard.formats.latex import FIT, _tex
from prunemark.leaderboard.formats.tables import render
from prunemark.leaderboard.standings.board import make_board
from prunemark.records.load import Loaded
from prunemark.records.outcome import Failure

LOW, HIGH = [94.0, 95.0, 93.6, 94.8, 94.4, 94.2, 94.6, 93.8], [96.2, 96.8, 96.0, 97.0, 96.2, 96.6, 96.4, 96.0]
NASTY = "[x] *\\input{a} & 50% $y$ #1 ~^ | <z> _\n\nnew -1.5 {"
SPECIAL = re.compile(r"(?<!\\)[&%$#_{}~^]")


@pytest.fixture
def text(make_records):
    groups = [
        make_records("L1-norm", LOW),
        make_records("Fine", HIGH),
        make_records(NASTY, HIGH),
        make_records("Bad", LOW, status="noncompliant", failure=Failure("r", NASTY)),
        make_records("Weak", LOW, status="failed", failure=Failure("r", NASTY)),
    ]
    moved = [
        dataclasses.replace(r, outcome=dataclasses.replace(r.outcome, track="other_1@1")) for g in groups[:2] for r in g
    ]
    terms = [r for g in groups for r in g] + moved
    one_level = [
        dataclasses.replace(r, outcome=dataclasses.replace(
            r.outcome, track_terms=r.outcome.track_terms | {"levels": [{"name": "90%"}]}))
        for r in terms
    ]  # fmt: skip
    return render(make_board(Loaded(tuple(one_level)), release="2026.1"), "latex", identifier="prunemark-2026.1-abc")


def environments(text):
    """(name, body lines) of every environment; raises AssertionError unless they are nested properly."""
    open_, found = [], []
    for line in text.splitlines():
        if match := re.match(r"\\begin\{(\w+)\}", line):
            open_.append((match.group(1), []))
        elif match := re.match(r"\\end\{(\w+)\}", line):
            name, body = open_.pop()
            assert name == match.group(1)
            found.append((name, body))
        for _, body in open_:
            body.append(line)
    assert open_ == []
    return found


def test_environments_balance_and_columns_match(text):
    found = environments(text)
    assert [name for name, _ in found] == ["tabular", "table"] * 3
    for name, body in found:
        if name == "tabular":
            columns = re.match(r"\\begin\{tabular\}\{([lcr]+)\}", body[0]).group(1)
            rows = [line for line in body if line.endswith(r" \\")]
            assert len(rows) > 1 and {len(re.split(r"(?<!\\)&", row)) for row in rows} == {len(columns)}
            assert [line for line in body[1:] if line not in rows] == [r"\toprule", r"\midrule", r"\bottomrule"]


def test_braces_balance_in_every_line(text):
    lines = text.splitlines()
    assert lines.count(FIT) == lines.count("}") == 3
    for line in lines:
        if line in (FIT, "}"):
            continue
        depth = 0
        for brace in re.findall(r"(?<!\\)[{}]", line.replace("\\textbackslash{}", "")):
            depth += 1 if brace == "{" else -1
            assert depth >= 0
        assert depth == 0


def test_it_has_a_label_a_caption_the_package_and_the_identifier(text):
    lines = text.splitlines()
    assert lines[0] == "% prunemark-2026.1-abc" and lines[1].startswith("% Needs \\usepackage{booktabs,graphicx}")
    labels = re.findall(r"\\label\{([^}]*)\}", text)
    assert labels == [
        "tab:digits-resnet8-1-S3.2-90", "tab:other-1-1-S3.2-90", "tab:over-tracks-S3.2-filter",
    ]  # fmt: skip
    (caption, *_) = [line for line in lines if line.startswith("\\caption")]
    for part in (
        "run under S3.2",
        "Seeds 0, 1, 2, 3, 4, 5, 6, 7",
        "Conditional on this test set",
        "release 2026.1",
        "(E2)",
    ):
        assert part in caption


def test_what_is_not_ranked_or_flagged_is_below_the_table(text):
    assert r"Bad: not ranked; disqualified on seeds 0, 1, 2, 3, 4, 5, 6, 7: noncompliant (r): {[}x{]} {*}" in text
    assert r"Weak: failed on seeds 0, 1, 2, 3, 4, 5, 6, 7: counted at chance, 10 \%" in text


def test_times_are_for_the_other_forms_and_one_reason_is_given_once(make_records):
    """A page is as wide as these columns: of what was measured on a machine none fits beside the verdicts."""
    groups = [make_records("L1-norm", LOW), make_records("FPGM", HIGH)]
    groups += [make_records(name, HIGH, role="reference", kind="dense") for name in ("Dense", "Denser")]
    found = render(make_board(Loaded(tuple(record for group in groups for record in group))), "latex")
    assert "Latency" not in found and "Images/s" not in found and "Times were taken" not in found
    assert found.count("for reference") == 1 and "Dense, Denser: not ranked" in found


def test_no_cell_begins_with_what_the_line_break_takes_for_its_argument(text):
    assert not re.search(r"\\\\\s*[\[*]", text) and r"Fine & 98.00 & \textbf{96.40" in text
    assert "$-$1.5" in text and "S3.2" in text and "digits-resnet8" in text


@settings(derandomize=True, deadline=None, database=None)
@given(st.text(max_size=30))
def test_every_text_becomes_one_line_without_commands_of_its_own(name):
    made = _tex(name)
    assert len(made.splitlines()) <= 1 and made.isprintable()
    plain = re.sub(r"\\text\w+\{\}|\{[\[\]*]\}|\$(\\pm|\\geq|[<>-])\$", "", made)
    assert not SPECIAL.search(plain) and not re.search(r"\\(?![&%$#_{}])", plain)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_it_compiles_and_is_no_wider_than_the_text(text, tmp_path):
    body = "\\documentclass{article}\n\\usepackage{booktabs,graphicx}\n\\begin{document}\n" + text + "\\end{document}\n"
    (tmp_path / "t.tex").write_text(body)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
