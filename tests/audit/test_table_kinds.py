"""Kinds of tables that papers have: what is proposed from the headers, and what the proposal then gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from prunemark.audit.table.claims import TableAudit, audit_table
from prunemark.audit.table.columns import as_option, ours, propose, read_columns
from prunemark.audit.table.common import Common
from prunemark.audit.table.read import choose, load_tables
from prunemark.audit.table.rows import read_rows

LOSSES = r"""
\begin{table}\caption{ResNet-50 on ImageNet.}
\begin{tabular}{lcccc}\toprule
\multirow{2}{*}{Method} & \multicolumn{2}{c}{Top-1 Acc. (\%)} & \multirow{2}{*}{$\Delta$ Top-1 $\downarrow$}
& \multirow{2}{*}{FLOPs $\downarrow$ (\%)} \\ \cmidrule(lr){2-3}
 & Baseline & Pruned & & \\ \midrule
SFP~\cite{sfp} & 76.15 & 74.61 & 1.54 & 41.8 \\
HRank$^\dagger$ & 76.15 & 74.98 & 1.17 & 43.8 \\
\textbf{Ours} & 76.15 & \textbf{75.60} & \textbf{0.55} & \textbf{53.6} \\ \bottomrule
\end{tabular}\end{table}
"""
DEPTHS = r"""
\begin{table}\caption{Pruning ResNet on CIFAR-10.}
\begin{tabular}{|c|c|c|c|c|c|}\hline
Depth & Method & Baseline acc. (\%) & Pruned acc. (\%) & Acc. $\downarrow$ (\%) & FLOPs \\ \hline \hline
\multirow{2}{*}{56} & PFEC & 93.04 & 91.31 & 1.73 & 9.09E7 \\ \cline{2-6}
& \textbf{Ours (40\%)} & 93.59 ($\pm$0.58) & 92.93 ($\pm$0.49) & 0.66 & 5.94E7 \\ \hline
\end{tabular}\end{table}
"""
TWO_IN_ONE = r"""
\begin{table}\caption{ImageNet, ResNet-50.}\begin{tabular}{lrrr}\toprule
Method & Top-1/Top-5 (\%) & $\Delta$ Top-1 & MACs (G)$\downarrow$ \\ \midrule
Baseline & 76.15/92.87 & -- & 4.11 \\
Taylor & 74.50/-- & \textcolor{red}{-1.65} & 2.25 \\
\cellcolor{gray}Ours$^{*}$ & \textbf{75.83}/92.70 & -0.32 & 1.99 \\ \bottomrule
\end{tabular}\end{table}
"""
WIDE = r"""
\begin{tabular}{c|c|cc|cc}
& & \multicolumn{2}{c|}{90\% sparsity} & \multicolumn{2}{c}{95\% sparsity} \\
Dataset & Method & ResNet-32 & VGG-19 & ResNet-32 & VGG-19 \\ \hline
\multirow{2}{*}{CIFAR-10} & SNIP & 92.59 & 93.63 & 91.01 & 93.43 \\
& Ours & 92.70 & 93.80 & 91.60 & 93.50 \\
\end{tabular}
"""
PATTERNS = """
## LLaMA-2-7B, WikiText-2

| Method | Sparsity | PPL ↓ |
|---|:---:|---:|
| Dense | 0% | 5.12 |
| SparseGPT | 50% | 6.51 |
| **Wanda (ours)** | 50% | **6.42** |
| SparseGPT | 2:4 | 8.32 |
| **Wanda (ours)** | 2:4 | 8.27 |
"""
SHARES = """
Table 3: Unstructured pruning of ResNet-50 on ImageNet.

Method | Top-1 Acc (%) | Sparsity (%) | Remaining params | FLOPs (% of dense)
--- | --- | --- | --- | ---
*Dense* | 77.0 | 0.0 | 25.6M | 100
GMP | 75.60 | 80.00 | 5.12M | 20
STR (ours) | **76.19** | 80.00 | 5.12M | 19
"""
NAMED_INSIDE = """<table><tr><th>Model</th><th>Pruning</th><th>Error (%)</th><th>Params</th></tr>
<tr><td rowspan=2>VGG-16 (CIFAR-10)</td><td>Li et al.</td><td>6.60</td><td>5.4M</td></tr>
<tr><td><strong>this work</strong></td><td>6.20</td><td>5.4M</td></tr></table>"""
VISION = """
### DeiT-Small on ImageNet-1K

| Method | Top-1 (%) | FLOPs (G) | Throughput (img/s) |
|:--|--:|--:|--:|
| DeiT-S | 79.8 | 4.6 | 940 |
| PoWER | 78.3 (-1.5) | 2.3 (-50%) | 1,397 |
| **UVC (ours)** | **78.8 (-1.0)** | 2.3 (-50%) | 1,510 |
"""
TABLES = {
    "losses.tex": (LOSSES, "Ours", "method=1, base=2, top1=3, drop=4, macs_removed=5", ["+0.99", "+0.62"]),
    "depths.tex": (DEPTHS, "Ours (40%)", "network=1, method=2, base=3, top1=4, drop=5, macs=6", ["+1.62"]),
    "two.tex": (TWO_IN_ONE, "Ours", "method=1, top1=2, change=3, macs=4:G", ["+1.33"]),
    "wide.tex": (WIDE, "Ours", "dataset=1, method=2, top1=3", ["+0.11"]),
    "patterns.md": (PATTERNS, "Wanda", "method=1, sparsity=2, perplexity=3", ["+0.09", "+0.05"]),
    "shares.md": (SHARES, "STR", "method=1, top1=2, sparsity=3, params=4, macs_kept=5", ["+0.59"]),
    "inside.html": (NAMED_INSIDE, "this work", "network=1, method=2, error=3, params=4", ["+0.40"]),
    "vision.md": (VISION, "UVC", "method=1, top1=2, macs=3:G, fps=4", ["+0.50"]),
}
GROUPS = {
    "losses.tex": ("ImageNet", "ResNet-50"), "depths.tex": ("CIFAR-10", "ResNet-56"),
    "two.tex": ("ImageNet", "ResNet-50"), "wide.tex": ("CIFAR-10", "ResNet-32"),
    "patterns.md": ("WikiText-2", "LLaMA-2-7B"), "shares.md": ("ImageNet", "ResNet-50"),
    "inside.html": ("CIFAR-10", "VGG-16"), "vision.md": ("ImageNet-1K", "DeiT-Small"),
}  # fmt: skip


def audited(name: str, folder: Path, option: str = "") -> tuple[str, str, TableAudit]:
    """(what is proposed, whose table it is, the audit by the proposal or by `option`)."""
    path = folder / name
    path.write_text(TABLES[name][0], encoding="utf-8")
    grid = choose(load_tables(path), None, name)
    columns = propose(grid)
    whose = ours(grid, columns)
    rows = read_rows(grid, read_columns(option, grid, name) if option else columns, Common(), name)
    return as_option(columns), whose, audit_table(rows, [whose], Common(), name, grid.caption)


@pytest.mark.parametrize("name", TABLES)
def test_the_proposal_is_what_a_reader_would_map_and_gives_every_claim(name: str, tmp_path: Path) -> None:
    _, whose, columns, gaps = TABLES[name]
    proposed, named, found = audited(name, tmp_path)
    assert (proposed, named) == (f'--columns "{columns}"', whose)
    assert not found.problems and [f"{one.gap.points:+.2f}" for one in found.audits] == gaps
    assert {(one.winner.dataset, one.winner.network) for one in found.judged} == {GROUPS[name]}


def test_losses_mapped_with_the_wrong_sign_are_read_by_what_base_and_result_say(tmp_path: Path) -> None:
    wrong = "method=1, base=2, top1=3, change=4, macs_removed=5"
    found = audited("losses.tex", tmp_path, wrong)[2]
    assert found.notes == ("column 4 is read as base minus result: so it agrees with both",)
    assert {one.verdict.word for one in found.audits} == {"undecided"}  # and not inconsistent-record


def test_a_pattern_among_sparsities_is_compared_with_its_like_and_a_sparsity_over_the_columns_is_stated(
    tmp_path: Path,
) -> None:
    found = audited("patterns.md", tmp_path)[2]
    assert [one.loser.stated.get("granularity") for one in found.judged] == [None, "2:4"]
    assert [one.winner.stated["sparsity"] for one in found.judged] == ["50%", "50%"]
    assert audited("wide.tex", tmp_path)[2].judged[0].winner.stated["sparsity"] == "90%"
