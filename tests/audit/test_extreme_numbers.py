"""Numbers of every size in every field that takes one: an audit, or a message with the place, and no overflow."""

from __future__ import annotations

import io

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from prunemark.audit.document.comparison import loads
from prunemark.audit.document.fields import REPORTED_VALUES
from prunemark.audit.judgement.audit_claim import audit_comparison
from prunemark.audit.literature import results_csv
from prunemark.audit.literature.pairs import all_pairs
from prunemark.audit.report import markup, terminal
from prunemark.audit.report.content import as_json
from prunemark.setups.errors import InputError

fixed = settings(derandomize=True, deadline=None, database=None, max_examples=300)
FIELDS = sorted(name for name, convert in REPORTED_VALUES.items() if getattr(convert, "__name__", "") != "word")
STAGES = [(stage, what) for stage in ("pretraining", "pruning", "retraining") for what in ("epochs", "repeat", "lr")]
LR_FIELDS = ("initial", "final", "factor", "warmup", "milestones")
EXTREME = [
    "1e300", "1e308", "-1e300", "1e-320", "5e-324", "1e-300", "1" + "0" * 30, "-1" + "0" * 30, "9" * 5000, ".nan",
    ".inf", "-.inf", "1e15", "1e-15", "1e16", "1e999", "1e-999", "0", "-0", "0.0", "1e5", "100", "1e-9",
    "99.999999999999999999",
    "0." + "0" * 40 + "1", "2", "1e6", "1e-14%", "1e15x", ">=1e15", ">=1e300", "0x1F", "1_000",
]  # fmt: skip
forms = st.sampled_from(EXTREME).flatmap(
    lambda number: st.sampled_from(
        [number, {"min": number}, {"range": ["0", number]}, {"conflict": ["1", number]}, {"value": number}]
    )
)


def document(changes: list[tuple[str, str, object]]) -> str:
    entries = {name: _entry(name) for name in "AB"}
    for entry, path, value in changes:
        here = entries[entry]
        *parts, last = path.split(".")
        for part in parts:
            here = here[int(part)] if isinstance(here, list) else here.setdefault(part, {})
        here[last] = value
    whole = {"schema": "prunemark-comparison/1", "claim": {"winner": "A", "loser": "B"}, "entries": entries}
    return yaml.safe_dump(whole, sort_keys=False)


def _entry(name: str) -> dict[str, object]:
    stages = [
        {"stage": stage, "epochs": 10, "lr": "0:1e-2,5:1e-3"} for stage in ("pretraining", "pruning", "retraining")
    ]
    return {
        "method": name, "dataset": "ImageNet", "network": {"name": "ResNet-50"}, "speedup": 2.0, "stages": stages,
        "base": {"id": "b", "top1": 76.0}, "recipe": {}, "result": {"top1": 75.0 if name == "A" else 74.0, "runs": 3},
    }  # fmt: skip


def judged(text: str) -> None:
    """The whole way, in every form."""
    try:
        audit = audit_comparison(loads(text))
    except InputError as problem:
        assert str(problem).startswith("document:") and len(str(problem)) < 2000
        return
    as_json([audit])
    markup.as_markdown([audit])
    markup.as_html([audit])
    terminal.print_audit(audit, Console(file=io.StringIO()))
    terminal.print_many([audit] * 4, Console(file=io.StringIO()))


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("number", EXTREME)
def test_one_extreme_number_in_every_field(number: str, every: int) -> None:
    """A third of the fields, others for each number; the slow test has all."""
    for field in FIELDS[EXTREME.index(number) % every :: every]:
        judged(document([("A", field, number)]))
    for stage in range(3):
        for what in ("epochs", "repeat", "lr"):
            judged(document([("A", f"stages.{stage}.{what}", number)]))
    for field in LR_FIELDS:
        lr = {"kind": "step", "initial": "1e-2", "milestones": ["5"], "factor": "0.1"}
        judged(document([("A", "stages.2.lr", lr | {field: [number] if field == "milestones" else number})]))


places = st.sampled_from([*FIELDS, *(f"stages.{n}.{what}" for n in range(3) for what in ("epochs", "repeat"))])


@fixed
@given(st.lists(st.tuples(st.sampled_from("AB"), places, forms), min_size=1, max_size=6))
def test_several_extreme_numbers_in_any_form(changes: list[tuple[str, str, object]]) -> None:
    judged(document(changes))


@pytest.mark.parametrize("margin", EXTREME)
def test_an_extreme_margin(margin: str) -> None:
    judged(document([]).replace("loser: B", f"loser: B\n  kind: at_least_as_good\n  margin: {margin}"))


@pytest.mark.parametrize("sd", ["1e300", "1e308", "-1e300", "101", "1e-320", ".inf"])
def test_an_sd_that_no_run_has_is_refused(sd: str) -> None:
    with pytest.raises(InputError, match=r"document:\d+:\d+: result.top1_sd: a number"):
        loads(document([("A", "result.top1_sd", sd)]))


COLUMNS = (
    "base_top1", "pruned_top1", "speedup", "macs_reduction_pct", "params_reduction_pct", "std", "sparsity_pct",
    "base_macs_M", "pruned_macs_M", "prune_epochs", "ft_epochs", "pretrain_epochs", "total_epochs", "ft_lr_initial",
    "ft_lr_milestones", "ft_lr_final", "n_runs", "weight_decay", "drop_reported",
)  # fmt: skip


@pytest.mark.parametrize("column", COLUMNS)
def test_extreme_numbers_in_a_table(column: str) -> None:
    for number in [*EXTREME, f"{'9' * 5000} per iteration x {'9' * 5000}", f"{'9' * 9} per iteration x {'9' * 9}"]:
        lines = [f"method,dataset,network,{column},ft_lr_kind", f"a,X,N,{number},step", "b,X,N,1,step"]
        try:
            as_json(list(all_pairs(results_csv.read_table("\n".join(lines).encode(), "t.csv"))) * 2)
        except InputError as problem:
            assert "t.csv" in str(problem) and len(str(problem)) < 2000
