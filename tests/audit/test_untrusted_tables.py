"""Any table and any file gives an audit or a message with a place, as documents do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunemark.audit.literature import results_csv
from prunemark.audit.literature.pairs import all_pairs
from prunemark.audit.report.content import as_json
from prunemark.setups.errors import InputError

quick = settings(deadline=None, max_examples=150, database=None)


@quick
@given(st.binary() | st.text().map(lambda text: ("method,dataset,network\n" + text).encode("utf-8", "replace")))
def test_any_table(data: bytes) -> None:
    try:
        list(all_pairs(results_csv.read_table(data, "t.csv")))
    except InputError as problem:
        assert "t.csv" in str(problem)


cells = st.sampled_from(
    ["", "NaN", "n/a", "1", "0", "-3", "90", "abc", "30/60", "1e-3", ">=3", "step", "cosine", "0.5"]
)


columns = st.sampled_from([
    "kind", "timing", "base_top1", "pruned_top1", "speedup", "macs_reduction_pct", "params_reduction_pct", "std",
    "sparsity_pct", "base_macs_M", "pruned_macs_M", "prune_epochs", "ft_epochs", "ft_lr_kind", "ft_lr_initial",
    "ft_lr_milestones", "ft_lr_final", "n_runs", "selection", "weight_decay", "granularity", "drop_reported",
])  # fmt: skip


@quick
@given(st.dictionaries(columns, st.tuples(cells, cells), max_size=8))
def test_any_cells(row: dict[str, tuple[str, str]]) -> None:
    lines = [",".join(["method", "dataset", "network", *row])]
    lines += [",".join([f"m{side}", "X", "N", *(value[side] for value in row.values())]) for side in (0, 1)]
    try:
        as_json(list(all_pairs(results_csv.read_table("\n".join(lines).encode(), "t.csv"))) * 2)
    except InputError as problem:
        assert "t.csv:" in str(problem)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    from prunemark.audit.document.yaml_nodes import read_file

    with pytest.raises(InputError, match="cannot read"):
        read_file(tmp_path / "nothing.yaml")
    with pytest.raises(InputError, match="is a folder"):
        read_file(tmp_path)
