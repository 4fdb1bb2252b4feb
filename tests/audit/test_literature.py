"""The literature that ships, tables of results, records, foreign runs and the command that shows them."""

from __future__ import annotations

import io
import json
import re
from itertools import combinations
from pathlib import Path

import pytest
from rich.console import Console

from prunemark.audit.judgement.contradictions import contradictions
from prunemark.audit.literature import pairs, recorded_runs, results, results_csv
from prunemark.audit.report.literature_page import pages
from prunemark.audit.report.paper_page import Places
from prunemark.audit.report.scatter_plot import Join, Point, scatter
from prunemark.audit.report.terminal import print_listing
from prunemark.records.record import dump
from prunemark.setups.errors import InputError
from prunemark.setups.values import NOT_REPORTED, Between, Conflict, known

EXAMPLES = Path(__file__).parent / "examples"


@pytest.fixture
def command(prunemark):
    return lambda *words: prunemark("audit", *words)


def row(id):
    return results.find_row(id).entry


def test_the_published_rows_are_all_read():
    rows = results.published()
    assert len(rows) == 1424 and len({r.id for r in rows}) == 1424
    assert {"ImageNet", "CIFAR-10", "WikiText-2", "SQuAD v1.1"} <= {known(r.entry["dataset"].value) for r in rows}
    assert all(r.row["source_key"] != "NaN" and r.row["locator"] != "NaN" for r in rows)


def test_rows_become_what_their_source_says():
    hrank, l1 = row("R007"), row("R011")
    assert hrank.quoted and not l1.quoted
    assert hrank["retraining.epochs"].value == 30 and hrank["pruning.epochs"].value == Between(30)
    assert str(l1["retraining.lr"].value) == "0:1e-2,30:1e-3,60:1e-4,75:1e-5"
    assert row("R028")["result.runs"].value == Between(3)
    assert row("R022").kind == "scratch" and row("R022")["retraining.epochs"].value == 120
    assert row("R022")["sparsity"].value == NOT_REPORTED  # a ratio of filters is no sparsity
    renda = row("R410")
    assert renda["pruning.epochs"].value == 1638 and renda["sparsity"].value == pytest.approx(0.8926)
    rigl = row("R300")
    assert rigl.kind == "sparse_training" and rigl["pruning.epochs"].value == 500
    assert rigl["base.id"].value != NOT_REPORTED


def test_own_is_one_base_only_within_one_source():
    p15, p30 = row("R028"), row("R034")
    assert known(p15["base.source"].value) != known(p30["base.source"].value)
    assert known(row("R171")["base.source"].value) == known(row("R172")["base.source"].value)


def test_the_real_errors_of_the_record_are_found():
    wrong = {r.id: found for r in results.published() if (found := contradictions(r.entry))}
    first = {"R150", "R168", "R175", "R186", "R188", "R254", "R264", "R271"}
    assert set(wrong) == first | {"MS006", "MS060", "MS173", "MS183", "MS187", "MS189"}
    assert "73.23 - 72.17 = 1.06" in wrong["R150"][0] and "1.95" in wrong["R271"][0]


def test_claims_by_method_and_by_row():
    (audit,) = pairs.claimed(results.published(), "R011>R007")
    assert audit.verdict.word == "within-noise"
    assert len(pairs.claimed(results.published(), "GReg-2 > GReg-1")) > 1
    for claim, message in (
        ("L1-norm", "Write WINNER>LOSER"),
        ("nothing>HRank", "unknown row or method 'nothing'"),
        ("RigL>SFP>x", "unknown row or method"),
    ):
        with pytest.raises(InputError, match=message):
            pairs.claimed(results.published(), claim)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "t.csv:1: no column 'method'"),
        (b"method,dataset\n", "t.csv:1: no column 'network'"),
        (b"method,dataset,network,network\n", "the column 'network' is there twice"),
        (b"method,dataset,network\na,b\n", "t.csv:2: this row has not as many cells"),
        (
            b"method,dataset,network,pruned_top1\na,b,c,high\n",
            "t.csv:2: result.top1: a percentage from 0 to 100, as in 75.24, is wanted",
        ),
        (b"method,dataset,network,pruned_top1\na,b,c,0.75\n", "t.csv:2: result.top1: 0.75 looks like a fraction"),
        (b"\xff\n", "t.csv:1: byte 0 is not UTF-8"),
        (b'method,dataset,network\n"a', "t.csv:1: not a CSV"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(text, message):
    with pytest.raises(InputError, match="t.csv") as caught:
        results_csv.read_table(text, "t.csv")
    assert message in str(caught.value)


def test_benjamini_hochberg_by_hand_and_by_scipy():
    from scipy.stats import false_discovery_control

    assert results.benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    p = [0.9, 0.001, 0.2, 0.04, 0.04, 0.5, 0.0]
    assert results.benjamini_hochberg(p) == pytest.approx(list(false_discovery_control(p)))
    assert results.benjamini_hochberg([]) == []
    with pytest.raises(ValueError, match="between 0 and 1"):
        results.benjamini_hochberg([1.5])


def test_completeness_counts_what_is_disclosed():
    found = {c.paper: c for c in results.completeness(results.published())}
    assert found["Torch-Pruning"].disclosed > found["SFP"].disclosed
    assert found["SFP"].fields["speedup"] > 0.9 and found["SFP"].fields["result.runs"] < 0.3
    assert sum(c.rows for c in found.values()) == 1424


def test_a_plot_joins_and_escapes():
    points = [Point("a", 2.0, 75.0, "<b>, a"), Point("b", 2.5, 74.0, "b & c", True)]
    drawn = scatter(points, [Join("a", "b", "S3.2"), Join("a", "gone", "S2")])
    assert drawn.count("<line") == 1 and "&lt;b&gt;" in drawn and "<b>" not in drawn and "b &amp; c" in drawn
    assert scatter(points[:1], []) == ""


def test_names_of_points_cover_neither_each_other_nor_a_point():
    near = [(2.0 + i % 3, 76.0) for i in range(23)]
    points = [Point(str(i), *at, f"a method {i}, 2.0x") for i, at in enumerate([*near, (30.0, 70.0)])]
    figure = scatter(points, [])
    dots = [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', figure)]
    names = [(float(x), float(y), len(t)) for x, y, t in re.findall(r'x="([\d.]+)" y="([\d.]+)">(a m[^<]+)<', figure)]
    boxes = [(x, y - 10, x + 6.6 * letters, y + 3) for x, y, letters in names]
    assert 5 <= len(boxes) < len(points) == figure.count("<title>")
    for one, other in combinations(boxes, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    assert not any(a < x < c and b < y < d for a, b, c, d in boxes for x, y in dots)


def save(folder, records):
    folder.mkdir(exist_ok=True)
    for record in records:
        (folder / f"{record.record_sha256}.json").write_text(dump(record))
    return folder


def test_records_of_this_harness(tmp_path, make_records, command):
    folder = save(
        tmp_path / "records", make_records("Ours", [96.0, 96.4, 96.2]) + make_records("L1-norm", [95.0, 95.2, 95.4])
    )
    (_, ours), (_, l1) = sorted(
        recorded_runs.entries_of_records(folder), key=lambda found: found[1].method, reverse=True
    )
    assert known(ours["result.top1"].value) == pytest.approx(96.2)
    assert known(l1["result.top1_sd"].value) == pytest.approx(0.2)
    code, out, _ = command("--runs", folder, "--format", "json")
    found = json.loads(out)
    assert (code, found["verdict"], found["established"]) == (0, "attributable", "S4.2")
    assert list(recorded_runs.own_repeats(folder)) == [("digits", "resnet8")]
    assert command("--runs", folder, "--claim", "L1-norm>Ours")[0] == 3
    assert "no folder" in command("--runs", tmp_path / "none")[2]


MAPPING = """\
method: tags.method
dataset: {value: CIFAR-10}
network.name: params.arch
speedup: params.speedup
base.id: params.base
pruning.epochs: {value: 0}
retraining.epochs: params.epochs
retraining.lr: params.lr
result.top1: metrics.acc * 100
"""


def foreign(method, seed, acc, **params):
    logged = {"arch": "ResNet-56", "speedup": "2.0", "base": "b0", "epochs": "100", "lr": "5e-3"} | params
    return {"params": logged | {"seed": seed}, "metrics": {"acc": acc}, "tags": {"method": method}}


def test_foreign_runs_by_a_mapping(tmp_path):
    (tmp_path / "map.yaml").write_text(MAPPING)
    mapping = recorded_runs.read_mapping(tmp_path / "map.yaml")
    logged = [foreign("A", s, 0.93 + s / 1000) for s in range(3)] + [
        foreign("B", s, 0.92, lr="0:1e-2,60:1e-3") for s in range(2)
    ]
    (_, a), (_, b) = recorded_runs.entries_of_runs(logged, mapping)
    assert known(a["result.top1"].value) == pytest.approx(93.1) and a["result.runs"].value == 3
    assert str(a["retraining.lr"].value) == "0:5e-3" and b["result.top1_sd"].value == 0
    assert a["recipe.batch_size"].value == NOT_REPORTED  # what is not logged is not reported
    assert not isinstance(a["pretraining.epochs"].value, Conflict)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("lr: params.lr", "map.yaml:1:5: unknown field 'lr'"),
        ("retraining.lr: lr", "params.NAME, metrics.NAME"),
        ("result.top1: metrics.acc * x", "'x' is not a number to multiply with"),
        ("[]", "a mapping file has lines"),
    ],
)
def test_a_wrong_mapping_is_named(tmp_path, line, message):
    (tmp_path / "map.yaml").write_text(line + "\n")
    with pytest.raises(InputError, match="map.yaml") as caught:
        recorded_runs.read_mapping(tmp_path / "map.yaml")
    assert message in str(caught.value)


@pytest.mark.slow
def test_an_mlflow_experiment_that_was_not_made_here(tmp_path, command):
    import mlflow

    uri = f"sqlite:///{tmp_path / 'foreign.db'}"
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.create_experiment("theirs", artifact_location=str(tmp_path / "artifacts"))
    for method, accuracy in (("A", 0.94), ("B", 0.90)):
        for seed in range(3):
            logged = foreign(method, seed, accuracy + seed / 1000)
            run = client.create_run(experiment, tags=logged["tags"])
            for key, value in logged["params"].items():
                client.log_param(run.info.run_id, key, value)
            client.log_metric(run.info.run_id, "acc", logged["metrics"]["acc"])
            client.set_terminated(run.info.run_id)
    (tmp_path / "map.yaml").write_text(MAPPING)
    words = ("--runs", "theirs", "--mapping", tmp_path / "map.yaml", "--tracking-uri", uri, "--format", "json")
    code, out, _ = command(*words)
    assert (code, json.loads(out)["verdict"]) == (4, "attributable-presumed")
    assert "unknown experiment 'there'" in command("--runs", "there", *words[2:])[2]


def test_the_forms_of_the_report(command, tmp_path):
    path = EXAMPLES / "1-l1reimpl-vs-hrank.yaml"
    code, out, _ = command(path)
    assert code == 4 and len(out.splitlines()) <= 55
    for part in (
        "within-noise", "S3.2 ○", "nothing is known to differ up to S2", "which base model was pruned",
        "-0.18 to +0.70", "published repeats", "favours L1", "6 runs per arm", "90 against 30 epochs; must be the same",
    ):  # fmt: skip
        assert part in " ".join(out.split())
    code, out, _ = command(path, "--format", "markdown")
    assert code == 4 and "| ○ retraining LR |" in out
    code, out, _ = command(path, "--format", "html", "--output", tmp_path / "page.html")
    assert code == 4 and out == "" and "<h2>within-noise</h2>" in (tmp_path / "page.html").read_text()
    code, out, _ = command(path, EXAMPLES / "5-t4-30pct-p30f90-1e-2-vs-scratch.yaml", "--format", "json")
    assert code == 4 and [found["verdict"] for found in json.loads(out)] == ["within-noise", "attributable-presumed"]


def test_names_of_strangers_are_escaped(command, tmp_path):
    text = (EXAMPLES / "7-control-same-method-two-lrs.yaml").read_text().replace("method: L1", "method: '<script>|x'")
    (tmp_path / "evil.yaml").write_text(text)
    for form in ("html", "markdown"):
        out = command("evil.yaml", "--format", form)[1]
        assert "<script>" not in out and "script" in out


def test_the_rest_of_the_command(command, tmp_path):
    chosen = ("--network", "resnet50", "--dataset", "ImageNet", "--method", "HRank")
    code, out, _ = command("--published", *chosen, "--format", "json")
    assert code == 0 and {line["method"] for line in json.loads(out)} == {"HRank", "HRankPlus"}
    assert "unknown network 'ResNet-5'" in command("--published", "--network", "ResNet-5")[2]
    assert command("--published", "--claim", "R011>R007")[0] == 4
    assert "S1..S4.2" in (out := command("--published", "--claim", "GReg-2>GReg-1")[1]) and "setups: from" in out
    assert json.loads(command("--schema")[1])["title"] == "prunemark-comparison/1"
    assert "Table 2, S3.1" in command("--explain", "retraining_epochs")[1]
    code, out, _ = command("--template", "--from-row", "R011")
    (tmp_path / "new.yaml").write_text(out)
    assert code == 0 and command("new.yaml")[0] == 4
    for words, message in (
        ((), "nothing to audit"),
        (("--format", "xml"), "unknown format 'xml'"),
        (("gone.yaml",), "cannot read"),
        (("new.yaml", "--all-pairs"), "are for tables"),
    ):
        code, out, err = command(*words)
        assert (code, out) == (2, "") and message in err


def test_a_listing_keeps_its_ids_where_there_is_little_room():
    """Rich cuts all columns alike, which once left the ids, the dataset and every number off."""
    rows = results.as_rows(results.select("ResNet-50", "ImageNet", "HRank"))
    for columns, last in ((40, "paper"), (80, "metric"), (150, "source")):
        out = io.StringIO()
        print_listing(rows, Console(file=out, width=columns))
        head, first, *_ = out.getvalue().splitlines()
        assert (head.split()[0], head.split()[-1], first.split()[0]) == ("row", last, "R007") and len(head) <= columns
        assert ("lines, without" in out.getvalue()) == (last != "source")


def test_the_page_of_a_paper_names_no_option_of_the_command():
    found = {name: body for _, name, body in pages(results.published()[:12], Places(str))}
    body = found["HRank"]
    assert "green from S3.2" in found["Network by network"]
    assert "further details" in body and "--format" not in body and "<li>and " not in body
