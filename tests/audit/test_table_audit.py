"""Whole tables: what the columns mean, what is shared, which comparisons are made, and three real ones."""

from __future__ import annotations

import json
import resource
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prunemark.audit.document.comparison import load
from prunemark.audit.judgement.audit_claim import audit_comparison
from prunemark.audit.table.columns import ROLES, as_option, propose, read_columns
from prunemark.audit.table.read import choose, load_tables
from prunemark.cli import app
from prunemark.setups.errors import EXTRAS, InputError

TABLES = Path(__file__).parent / "tables"
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`prunemark audit table WORDS` in an empty folder: code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["prunemark", "audit", "table", *map(str, words)])
        code: Any = 0
        try:
            app.main()
        except SystemExit as end:
            code = end.code or 0
        return code, *capsys.readouterr()

    return run


def found(table: Command, *words: object) -> dict[str, Any]:
    code, out, err = table(*words, "--format", "json")
    assert code in (0, 3, 4), err
    read: dict[str, Any] = json.loads(out)
    return read


def verdicts(read: dict[str, Any]) -> Counter[str]:
    return Counter(one["verdict"] for one in read["comparisons"])


DEPGRAPH = ("--columns", "method=1, base=2, top1=3, change=4, speedup=5", "--ours", "Ours")


def test_a_readme_whose_own_row_contradicts_itself(table: Command) -> None:
    """Torch-Pruning, ResNet-56: +0.38 is printed where 93.77 - 93.53 is +0.24, and HRank's -0.09 is -1.09."""
    read = found(table, TABLES / "torch-pruning.md", "--table", 1, *DEPGRAPH)
    assert len(read["comparisons"]) == 18 and read["pairs_left_out"] == 18
    assert verdicts(read)["inconsistent-record"] == 12
    assert {one["dataset"] for one in read["comparisons"]} == {"CIFAR-10"}
    near = {one["claim"]["loser"]: one["winner_line"] for one in read["comparisons"]}
    assert near["GBN"] != near["Group-L1"], "each is compared with the nearest in compression"
    code, out, _ = table(TABLES / "torch-pruning.md", "--table", 1, *DEPGRAPH)
    assert code == 3 and "prints a drop of -0.38, but 93.53 - 93.77 = -0.24" in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 80
    assert len(found(table, TABLES / "torch-pruning.md", "--table", 1, *DEPGRAPH, "--every")["comparisons"]) == 36


def test_a_latex_table_with_groups(table: Command) -> None:
    """filter_pruning, CIFAR-10: a multirow of nine stands before eleven rows, and costs come from the dense row."""
    words = ("--columns", "network=1, method=2, top1=3, params=4, macs=5", "--ours", "Our-P")
    read = found(table, TABLES / "filter-pruning.tex", "--table", 1, *words)
    groups = Counter(one["network"] for one in read["comparisons"])
    assert groups == {"VGG16": 8, "ResNet56": 8}
    named = {(one["network"], one["claim"]["loser"]): one for one in read["comparisons"]}
    assert named["ResNet56", "L1"]["factors"]["compression"]["right"] == "90.9 M MACs kept"
    assert named["ResNet56", "L1"]["factors"]["compression"]["state"] == "holds_a_fortiori"
    assert named["ResNet56", "KSE (G=4)"]["difference"]["points"] == -0.14
    assert not read["not_read"]
    second = found(table, TABLES / "filter-pruning.tex", "--table", 2, *words[:3], "Ours-E")
    (only,) = second["comparisons"]
    assert only["verdict"] == "compression-mismatch"
    assert any("71.77 M dense MACs; this network has 125.49 to 127.12 M" in odd for odd in only["remarks"])


def test_a_table_of_two_halves(table: Command, tmp_path: Path) -> None:
    """Chase, ResNet-50 at 80 %: the header stands for two halves; a row of percentages is not a method."""
    (tmp_path / "protocol.yaml").write_text("kind: sparse_training\ngranularity: weight\nsparsity: 80%\n")
    words = ("--columns", "method=1, top1=2", "--ours", "Chase (Sc=0)", "--common", "protocol.yaml")
    read = found(table, TABLES / "chase.md", *words)
    assert len(read["comparisons"]) == 12 and {one["network"] for one in read["comparisons"]} == {"ResNet-50"}
    losers = {one["claim"]["loser"]: one for one in read["comparisons"]}
    assert "SET" in losers and losers["SET"]["setups"]["S1"] == "holds"
    assert losers["RigL"]["difference"]["sd_source"] == "prior and stated"
    assert not {"80%", "Sparsity", "ResNet-50 (Dense)"} & set(losers)


PLAIN = """# ResNet-50 on ImageNet

| Method | Base | Top-1 | FLOPs | Epochs |
|---|---|---|---|---|
| Baseline | - | 76.13 | 4.09G | |
| L1 | 76.13 | 74.0 ± 0.1 | 2.05G | 90 |
| HRank | 76.15 | 74.2 | 2.05G | 30 |
| Ours | 76.13 | 75.5 ± 0.1 | 2.05G | 90 |
"""
PROTOCOL = """protocol: {shared: true, locator: Section 4}
dataset: ImageNet
base: {id: sha256-0a1b, source: torchvision, top1: 76.13}
granularity: filter
stages: [{stage: pruning, epochs: 0}, {stage: retraining, lr: "0:1e-2,30:1e-3,60:1e-4"}]
recipe: {batch_size: 256, weight_decay: 1e-4, label_smoothing: 0, distillation: none, augmentation: standard}
result: {runs: 3, selection: last}
methods:
  HRank: {source: {quoted: true}, base: {id: other, source: own, top1: 76.15}, stages: [{stage: pruning, epochs: 0}]}
"""
COLUMNS = ("--columns", "method=1, base=2, top1=3, macs=4, retraining_epochs=5", "--ours", "ours")


def test_what_the_protocol_states_is_shared(table: Command, tmp_path: Path) -> None:
    (tmp_path / "t.md").write_text(PLAIN)
    (tmp_path / "p.yaml").write_text(PROTOCOL)
    alone = {one["claim"]["loser"]: one for one in found(table, "t.md", *COLUMNS)["comparisons"]}
    shared = {one["claim"]["loser"]: one for one in found(table, "t.md", *COLUMNS, "--common", "p.yaml")["comparisons"]}
    assert alone["L1"]["setups"]["S3.2"] == "undecidable" and shared["L1"]["setups"]["S3.2"] == "holds"
    assert shared["HRank"]["setups"]["S2"] == "refuted"
    assert "quoted" in [c["name"] for c in shared["HRank"]["confounders"]]
    assert shared["HRank"]["factors"]["retraining_epochs"] | {"why": ""} == {
        "state": "refuted", "left": "90", "right": "30", "why": "",
    }  # fmt: skip


def test_the_documents_say_the_same(table: Command, tmp_path: Path) -> None:
    (tmp_path / "t.md").write_text(PLAIN)
    (tmp_path / "p.yaml").write_text(PROTOCOL.partition("\n")[2])
    read = found(table, "t.md", *COLUMNS, "--common", "p.yaml")
    table("t.md", *COLUMNS, "--common", "p.yaml", "--documents", "all")
    table("t.md", *COLUMNS, "--common", "p.yaml", "--documents", "all")  # our own files may be replaced
    words = [audit_comparison(load(path)).verdict.word for path in sorted((tmp_path / "all").iterdir())]
    assert words == [one["verdict"] for one in read["comparisons"]]
    (tmp_path / "all" / "comparison-001.yaml").write_text("mine")
    assert table("t.md", *COLUMNS, "--documents", "all")[0] == 2


def test_a_mapping_is_proposed_and_can_be_pasted(table: Command, tmp_path: Path) -> None:
    (tmp_path / "my t.md").write_text(PLAIN)
    code, out, _ = table("my t.md", "--ours", "Ours")
    assert code == 0 and "base: accuracy of the base model" in out
    command = out.splitlines()[-1]
    assert command.endswith('--columns "method=1, base=2, top1=3, macs=4, retraining_epochs=5"')
    assert table(*shlex.split(command)[3:])[0] == 3


@pytest.mark.parametrize(
    ("header", "roles"),
    [
        ("Method,Top-1 Acc. ↓ (%),FLOPs ↓ (%)", "method drop macs_removed"),
        ("Model,Pruned Acc. (%),Speed-up", "method top1 speedup"),
        ("Arch,Alg,Acc,Params,FLOPs", "network method top1 params macs"),
        ("Approach,Baseline Top-1,Top-5,Sparsity", "method base top5 sparsity"),
        ("Dataset,Method,PPL", "dataset method perplexity"),
    ],
)
def test_headers_of_papers(tmp_path: Path, header: str, roles: str) -> None:
    cells = {"method": "X", "network": "ResNet-18", "dataset": "CIFAR-10", "macs": "2G", "params": "2M"}
    row = ",".join(cells.get(role, "50.1") for role in roles.split())
    (tmp_path / "t.csv").write_text(f"{header}\n{row}\n{row}\n")
    grid = choose(load_tables(tmp_path / "t.csv"), None, "t.csv")
    assert " ".join(propose(grid)) == roles
    assert read_columns(as_option(propose(grid)).split('"')[1], grid, "t.csv") == propose(grid)


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("GFLOPs", "G"),
        ("Params (M)", "M"),
        ("FLOPs [G]", "G"),
        ("MMACs", "M"),
        ("FLOPs (%)", ""),
        ("Model / FLOPs", ""),
    ],
)
def test_the_unit_of_a_header(tmp_path: Path, header: str, unit: str) -> None:
    (tmp_path / "t.csv").write_text(f"method,top1,{header}\nX,75.1,2.0\n")
    grid = choose(load_tables(tmp_path / "t.csv"), None, "t.csv")
    assert read_columns("method=1, top1=2, macs=3", grid, "t.csv")["macs"].unit == unit


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--columns", "methd=1"), "Did you mean 'method'?"),
        (("--columns", "method=1, top1=9"), "no such column\nColumns of t.md: 1: Method (Baseline)"),
        (("--columns", "method=1, top1=3, top1=2"), "names 'top1' twice"),
        (("--columns", "method=1"), "needs a column of results"),
        (("--columns", "top1=3"), "needs the column of the methods"),
        (("--columns", "method=1, top1=3, macs=4:X"), "unknown unit of a column 'X'"),
        (("--columns", "method=1 top1=3"), "no such column"),
        (("--columns", "&"), "Write --columns"),
        (("--columns", "method=1, top1=3"), "Methods of the table: Baseline, L1, HRank, Ours"),
        (("--columns", "method=1, top1=3", "--ours", "Our Method"), "unknown method of the table 'Our Method'"),
        (("--table", "2"), "t.md has no table 2"),
        (("--format", "xml"), "unknown format of a table's audit 'xml'"),
        (("--columns", "method=1, top1=3", "--ours", "Ours", "--common", "c.yaml"), "Did you mean 'dataset'?"),
        (("--columns", "method=1, top1=Epochs", "--ours", "Ours", "--common", "d.yaml"), "c.yaml"),
    ],
)
def test_a_wrong_word_is_named(table: Command, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "t.md").write_text(PLAIN)
    (tmp_path / "c.yaml").write_text("datset: ImageNet\n")
    code, out, err = table("t.md", *words)
    assert (code, out) == (2, "") and len(err.splitlines()) <= 2
    assert said in err or said == "c.yaml"


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("1,000", "thousands or decimals"),
        ("2.05", "in G or in M?"),
        ("50%", "macs_kept"),
        ("a lot", "a number is wanted"),
    ],
)
def test_a_cell_that_cannot_be_read_is_one_row_less(table: Command, tmp_path: Path, cell: str, said: str) -> None:
    (tmp_path / "t.md").write_text(PLAIN.replace("74.2 | 2.05G", f"74.2 | {cell}"))
    code, out, _ = table("t.md", *COLUMNS)
    assert code == 2 and "1 comparisons" in out
    assert said in " ".join(out.split()) and "t.md:7: macs, column 4" in " ".join(out.split())


def test_a_sign_that_most_rows_contradict_is_turned(table: Command, tmp_path: Path) -> None:
    text = "m,b,t,d\nX,76.0,75.0,-1.0\nOurs,76.0,75.5,-0.5\nY,76.0,74.0,-2.0\n"
    (tmp_path / "t.csv").write_text(text)
    words = ("t.csv", "--columns", "method=1, base=2, top1=3, drop=4", "--ours", "Ours")
    read = found(table, *words)
    assert "inconsistent-record" not in verdicts(read)
    assert read["notes"] == ["column 4 is read as result minus base: so it agrees with both"]


@pytest.mark.parametrize("form", ["markdown", "html", "latex", "review", "checklist"])
def test_every_form_of_a_table(table: Command, tmp_path: Path, form: str) -> None:
    (tmp_path / "t.md").write_text(PLAIN.replace("| L1 |", "| L1 <script>@team % |"))
    code, out, _ = table("t.md", *COLUMNS, "--format", form)
    assert code == 3 and "HRank" in out
    assert "<script>" not in out
    assert table("t.md", *COLUMNS, "--format", form, "--output", "o")[0] == 3
    assert table("t.md", *COLUMNS, "--format", form, "--output", "o")[:2] == (3, "")


def test_a_file_called_table_and_the_help(table: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = table("--help")
    assert code == 0 and "--columns" in out
    assert all(what.meaning for what in ROLES.values())
    (tmp_path / "table").write_text("x")
    monkeypatch.setattr(sys, "argv", ["prunemark", "audit", "./table"])
    with pytest.raises(SystemExit):
        app.main()


def test_thirty_rows_take_less_than_a_second_without_torch(tmp_path: Path) -> None:
    rows = [f"| M{n} | 76.13 | {74 + n / 100:.2f} ± 0.1 | 2.05G | 90 |" for n in range(30)]
    (tmp_path / "t.md").write_text(PLAIN + "\n".join(rows) + "\n")
    (tmp_path / "p.yaml").write_text(PROTOCOL)
    absent = sorted({name for names in EXTRAS.values() for name in names} | {"scipy", "pandas", "numpy"})
    code = (
        "import sys\nfrom importlib.abc import MetaPathFinder\nclass Absent(MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] in {absent!r}:\n            raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        f"sys.argv = ['prunemark', 'audit', 'table', 't.md', *{list(COLUMNS)!r}, '--common', 'p.yaml']\n"
        "from prunemark.cli.app import main\nmain()\n"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "32 comparisons" in done.stdout, done.stderr
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0


def test_an_error_in_the_protocol_is_said_once(table: Command, tmp_path: Path) -> None:
    (tmp_path / "t.md").write_text(PLAIN)
    (tmp_path / "p.yaml").write_text("recipe: {batch_size: many}\n")
    code, out, err = table("t.md", *COLUMNS, "--common", "p.yaml")
    assert (code, out) == (2, "") and "p.yaml:1:22" in err
    with pytest.raises(InputError):
        load_tables(tmp_path / "gone.md")
