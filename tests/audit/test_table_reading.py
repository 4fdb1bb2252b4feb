"""Tables of LaTeX, HTML, Markdown and CSV become rows of plain texts; any text gives a table or a clear error."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunemark.audit.table.cells import Printed, printed
from prunemark.audit.table.columns import propose, read_columns
from prunemark.audit.table.common import Common
from prunemark.audit.table.grid import MAX_ROWS, Grid
from prunemark.audit.table.latex_text import plain
from prunemark.audit.table.read import READERS, choose, read_tables
from prunemark.audit.table.rows import read_rows
from prunemark.setups.errors import InputError

quick = settings(deadline=None, max_examples=200, database=None, derandomize=True)

TEX = r"""
\newcommand{\ours}{GReg-2}
% \begin{tabular}{c} 1.0 \end{tabular}
\begin{table}[t]
\caption{Pruning on \textbf{ImageNet}~\cite{a}.}
\resizebox{\linewidth}{!}{%
\begin{tabular}{l|l|ccc}
\toprule
\multirow{2}{*}{Network} & \multirow{2}{*}{Method} & \multicolumn{2}{c}{Top-1 (\%)} & FLOPs \\ \cmidrule(lr){3-4}
 & & Base & Pruned & $\downarrow$ (\%) \\
\midrule
\multirow{3}{*}{ResNet-50} & L1~\citep{x} & 76.15 & 75.24$\pm$0.2 & 53.5\% \\ % a comment
 & HRank$^\dagger$ & 76.15 & 74.98 & 43.8 \\
 & \textbf{\ours} (ours) & 76.13 & {\bf 75.36} & 56.7 \\ \hline
\multicolumn{5}{c}{ResNet-18} \\ \midrule
 & \best{SFP} & 70.28 & 67.10 & 41.8 \\[2pt]
 & \begin{tabular}[c]{@{}c@{}}Our\\method\end{tabular} & 70.0 & \textcolor{red}{68.2} & 41.8 \\
\bottomrule
\end{tabular}}
\end{table}
"""


def one(text: str, name: str) -> Grid:
    return choose(read_tables(text.encode(), name), None, name)


def test_a_latex_table_with_all_that_papers_do() -> None:
    grid = one(TEX, "paper.tex")
    assert grid.caption == "Pruning on ImageNet ."
    assert grid.header == ("Network", "Method", "Top-1 (%) / Base", "Top-1 (%) / Pruned", "FLOPs / ↓ (%)")
    cells = [row.cells for row in grid.rows]
    assert cells[0] == ("ResNet-50", "L1", "76.15", "75.24±0.2", "53.5%")
    assert [line[:2] for line in cells[1:3]] == [("ResNet-50", "HRank"), ("ResNet-50", "GReg-2 (ours)")]
    assert grid.rows[3].section == "ResNet-18"
    assert [line[1] for line in cells[4:]] == ["SFP", "Our method"] and cells[5][3] == "68.2"
    assert [row.line for row in grid.rows] == [12, 13, 14, 15, 16, 17]
    found = read_rows(grid, propose(grid), Common(), "paper.tex")
    assert [row.network for row in found.rows] == ["ResNet-50"] * 3 + ["ResNet-18"] * 2
    assert {row.dataset for row in found.rows} == {"ImageNet"} and not found.problems
    assert found.rows[0].stated["result"] == {"top1": "75.24", "top1_plus_minus": "0.2"}
    assert [row.stated["macs_kept"] for row in found.rows] == ["0.465", "0.562", "0.433", "0.582", "0.582"]


@pytest.mark.parametrize(
    ("latex", "seen"),
    [
        (r"\textbf{75.2}", "75.2"),
        (r"{\bfseries 75.2}", "75.2"),
        (r"$75.2_{\pm 0.1}$", "75.2±0.1"),
        (r"75.2\,$\pm$\,0.1", "75.2 ± 0.1"),
        (r"75.2\%~($\downarrow$0.3)", "75.2% (↓0.3)"),
        (r"A\footnote{see \cite{b}} B", "A B"),
        (r"\underline{\textit{x}} \& y\_z", "x & y_z"),
        (r"\mymethod", "mymethod"),
        (r"\mymethod{a}{b}", "a b"),
        (r"75.2\std{0.1}", "75.2 0.1"),
        (r"$75_{1}$", "75 1"),
        (r"\textcolor[HTML]{FF0000}{9}", "9"),
        (r"$2.1\times$", "2.1×"),
        (r"$10^{-3}$ and $x^2$", "10^-3 and x"),
        (r"\makecell{A\\B}", "A B"),
        ("a -- b", "a – b"),
        ("{{{", ""),
        ("\\", ""),
    ],
)
def test_what_is_seen_of_latex(latex: str, seen: str) -> None:
    assert plain(latex, {}) == seen


def test_a_macro_that_stands_for_itself_ends() -> None:
    assert plain(r"\a", {"a": (0, r"\a x"), "b": (0, r"\a")}) == "ax"
    assert plain("{" * 500 + "x" + "}" * 500, {}) == ""


def test_macros_of_the_file() -> None:
    text = r"\newcommand{\std}[1]{{\scriptsize $\pm$#1}} \def\ours{X} \begin{tabular}{ll} M & T \\"
    grid = one(text + r" \ours & 75.2\std{0.1} \\ \end{tabular}", "a.tex")
    assert grid.rows[0].cells == ("X", "75.2±0.1")


@pytest.mark.parametrize(
    ("cell", "text", "unit", "spread", "arrow"),
    [
        ("75.24 ± 0.2", "75.24", "", "0.2", ""),
        ("75.24 (±0.2)", "75.24", "", "0.2", ""),
        ("75.24+-0.2%", "75.24", "", "0.2", ""),
        ("93.73%(-0.23%)", "93.73", "%", "", ""),
        ("↓ 0.89", "0.89", "", "", "↓"),
        ("0.3↑", "0.3", "", "", "↑"),
        ("−0.5", "-0.5", "", "", ""),
        ("4.09 B", "4.09", "B", "", ""),
        ("2.31×", "2.31", "x", "", ""),
        ("12.5 ms", "12.5", "", "", ""),
        ("1.77GFLOPs", "1.77", "G", "", ""),
    ],
)
def test_what_a_cell_prints(cell: str, text: str, unit: str, spread: str, arrow: str) -> None:
    assert printed(cell, "t.md:1") == Printed(text, unit, spread, arrow)


@pytest.mark.parametrize("cell", ["76.1/92.9", "75.2 0.1", "1,000", "about 3", "75..2", "5 of 6"])
def test_what_is_not_one_number_is_refused(cell: str) -> None:
    with pytest.raises(InputError, match="t.md:1"):
        printed(cell, "t.md:1")


def test_a_longtable_keeps_one_head() -> None:
    body = r"A & 1.0 \\ B & 2.0 \\"
    text = rf"\begin{{longtable}}{{ll}} M & T \\ \endfirsthead M & T \\ \endhead {body} \end{{longtable}}"
    grid = one(text, "a.tex")
    assert [row.cells for row in grid.rows] == [("A", "1.0"), ("B", "2.0")]


def test_spans_of_html() -> None:
    text = (
        "<h2>ResNet-50 on ImageNet</h2><table><tr><th rowspan=2>Method<th colspan=2>Top-1</tr><tr><th>a<th>b</tr>"
        "<tr><td rowspan=2>X<td>1.0<sup>1</sup><td>2.0<tr><td>3.0<td>4.0<script>9</script></table>"
    )
    grid = one(text, "a.html")
    assert grid.caption == "ResNet-50 on ImageNet" and grid.header == ("Method", "Top-1 / a", "Top-1 / b")
    assert [row.cells for row in grid.rows] == [("X", "1.0", "2.0"), ("X", "3.0", "4.0")]


def test_markdown_between_code_and_html() -> None:
    text = (
        "# VGG-16\n```\n| a | b |\n|---|---|\n| 1 | 2 |\n```\n\nM | T\n--|--\n**X** [[3]](#3) | 1.5 \\| 2\n\n"
        "<table><tr><td>Y<td>2.5</table>\n"
    )
    first, second = read_tables(text.encode(), "a.md")
    assert (first.caption, first.rows[0].cells, first.rows[0].line) == ("VGG-16", ("X", "1.5 | 2"), 10)
    assert second.rows[0].cells == ("Y", "2.5") and second.caption == "VGG-16"


def test_csv_of_three_kinds() -> None:
    for text, name in (("m,t\nX,1.5\n", "a.csv"), ("m;t\nX;1,5\n", "a.csv"), ("m\tt\nX\t1.5\n", "a.tsv")):
        assert one(text, name).rows[0].cells[0] == "X"
    rows = read_rows(one("m;t\nX;75,5\n", "a.csv"), read_columns("method=1,top1=2", one("m;t\nX;75,5\n", "a.csv"), "a"),
                     Common(), "a")  # fmt: skip
    assert rows.rows[0].stated["result"]["top1"] == "75.5"


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        (r"\begin{tabular}{c} 1 & 2", "a.tex", "a.tex:1: \\begin{tabular} is not closed"),
        ("no table", "a.md", "no table with rows"),
        ("x", "a.pdf", "tables are read from .tex, .md"),
        ('"a', "a.csv", "not a CSV"),
        ("\n".join("a,1.0" for _ in range(MAX_ROWS + 2)), "a.csv", f"at most {MAX_ROWS}"),
        ("," * 100 + "\n" + "," * 99 + "1", "a.csv", "more than 60 columns"),
        ("<table>" + "<tr><td rowspan=9999 colspan=60>x" * 900 + "</table>", "a.html", "a.html"),
        ("| a | b |\n|--|--|\n| 1.0 | 2 |\n" * 2, "a.md", "Choose one with --table N"),
    ],
)
def test_what_is_no_table_is_said(text: str, name: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        choose(read_tables(text.encode(), name), None, name)
    assert said in str(caught.value) and len(str(caught.value)) < 600


PIECES = st.lists(
    st.sampled_from([
        "\\begin{tabular}{cc}", "\\end{tabular}", " & ", "\\\\", "\\multirow{2}{*}{", "\\multicolumn{3}{c}{", "}", "{",
        "75.2", "$\\pm$", "0.1", "%", "\n", "\\hline", "\\midrule", "| a | b |\n", "|---|---|\n", "<table>", "<tr>",
        "<td colspan=0>", "<td rowspan=-1>", "</table>", "\\", "\\cmidrule(lr){", "[", "]", "\\newcommand{\\a}{\\a}",
        "\\a", "^", "_", "Ours", ",", ";", '"', "```\n", "# ResNet-50\n", "\\cite", "\\endhead", "−", "¼", "٣.٥",
    ]),
    max_size=60,
).map("".join)  # fmt: skip


@quick
@given(st.sampled_from(sorted(READERS)), st.text(max_size=200) | PIECES)
def test_any_text_is_tables_or_an_error_that_names_the_file(suffix: str, text: str) -> None:
    name = f"t{suffix}"
    try:
        grids = read_tables(text.encode("utf-8", "replace"), name)
    except InputError as problem:
        assert name in str(problem)
        return
    for grid in grids:
        columns = propose(grid)
        if {"method", "top1"} <= set(columns):
            read_rows(grid, columns, Common(), name)


@quick
@given(st.binary(max_size=200), st.sampled_from(sorted(READERS)))
def test_any_bytes(data: bytes, suffix: str) -> None:
    try:
        read_tables(data, f"t{suffix}")
    except InputError as problem:
        assert f"t{suffix}" in str(problem)


HOSTILE = (
    "\\begin{tabular}{c}" * 3000, "{" * 50_000, "<td><table>" * 5000, "|" * 50_000, "\\multirow{2}{*}{" * 5000,
    "$^{" * 20_000, "\\a" * 50_000, "- | -\n" * 2500, "\\begin{tabular}{c}1.0\\\\\\end{tabular}\n" * 900,
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("suffix", [".tex", ".md", ".html", ".csv"])
def test_hostile_files_end_soon(text: str, suffix: str) -> None:
    from support.bounded import answer

    found = answer(lambda: str(_tried(text, suffix)))
    assert found.kind == "value", found


def _tried(text: str, suffix: str) -> int:
    try:
        return len(read_tables(text.encode(), f"t{suffix}"))
    except InputError:
        return -1
