"""Any document gives an audit or a message with a place; never a traceback, never without end."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from support.guards import must_end

from prunemark.audit.document.comparison import SCHEMA, loads
from prunemark.audit.judgement.audit_claim import audit_comparison
from prunemark.audit.report.content import as_json
from prunemark.setups.errors import InputError

quick = settings(deadline=None, max_examples=150, database=None)

GOOD = """\
schema: prunemark-comparison/1
claim: {winner: A, loser: B}
entries:
  A: {method: a, granularity: filter, dataset: X, network: {name: N}, speedup: 2.0, base: {id: b},
      stages: [{stage: pruning, epochs: 0}, {stage: retraining, epochs: 90, lr: "0:1e-2,30:1e-3"}],
      recipe: {batch_size: 256, weight_decay: 1e-4, label_smoothing: 0, distillation: none, augmentation: standard},
      result: {top1: 75.0, top1_sd: 0.1, runs: 5, selection: last}}
  B: {method: b, granularity: filter, dataset: X, network: {name: N}, speedup: 2.0, base: {id: b},
      stages: [{stage: pruning, epochs: 0}, {stage: retraining, epochs: 90, lr: "0:1e-2,30:1e-3"}],
      recipe: {batch_size: 256, weight_decay: 1e-4, label_smoothing: 0, distillation: none, augmentation: standard},
      result: {top1: 74.0, top1_sd: 0.1, runs: 5, selection: last}}
"""


def judged(text: str | bytes) -> str:
    """The whole way from text to JSON, or the message."""
    try:
        return as_json([audit_comparison(loads(text))])
    except InputError as problem:
        message = str(problem.args[0])
        assert message and message.splitlines()[0].strip()
        return message


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return judged(GOOD.replace(old, new, 1))


def test_the_plain_document_is_attributable() -> None:
    assert '"verdict": "attributable"' in judged(GOOD)


@quick
@given(st.text() | st.binary())
def test_any_text(text: str | bytes) -> None:
    judged(text)


words = st.sampled_from([
    "n/a", "5e-3", "{min: 1}", "{range: [1, 2]}", "{range: [2, 1]}", "{conflict: [1, 2]}", "{conflict: 3}", "[]", "{}",
    "{same_as: A}", "{same_as: B}", "{same_as: C}", "true", "null", "''", "-1", "0", "1e999", ".nan", ".inf", "0x1F",
    "1_000", "99999999999999", "{value: 3, evidence: log}", "{value: 3, evidence: rumour}", "{value: {value: 1}}",
    "[1]", "0:1e-2,30:1e-3", "{kind: cosine, initial: 0.01}", "{kind: step, initial: 0, milestones: [1], final: 0}",
    "75%", "{kind: halving, initial: 1, final: 1e-300}", "2024-01-01", "'\\0'", "\U0001f600",
    "{conflict: [n/a, {min: 1}]}", "{kind: step, initial: 1e-320, milestones: [1, 2], final: 1e300}", "1e-400",
    "{min: .inf}",
])  # fmt: skip

places = st.sampled_from([
    "schema: prunemark-comparison/1", "{winner: A, loser: B}", "winner: A", "method: a", "dataset: X", "{name: N}",
    "name: N", "speedup: 2.0", "{id: b}", "id: b", "epochs: 0", "epochs: 90", '"0:1e-2,30:1e-3"', "top1: 75.0",
    "top1_sd: 0.1", "runs: 5", "stage: pruning",
])  # fmt: skip

extra = st.sampled_from([
    "", "kind: scratch, ", "kind: sparse_training, ", "kind: pruned_at_init, ", "kind: dense, ", "sparsity: 0.9, ",
    "params_kept: 30, ", "tuning: {configs_tried: 3}, ", "method_owned: [weight_decay], ", "kind: dense_to_sparse, ",
    "measured: {device: A100}, ", "macs_kept_millions: 2G, ",
    "evidence: log, ", "flops_convention: 2*MACs, ",
])  # fmt: skip


@quick
@given(st.lists(st.tuples(places, words), max_size=4), extra, extra)
def test_any_value_in_any_place(changes: list[tuple[str, str]], first: str, second: str) -> None:
    text = GOOD.replace("A: {", "A: {" + first, 1).replace("B: {", "B: {" + second, 1)
    for place, word in changes:
        key, separator, _ = place.partition(": ")
        text = text.replace(place, f"{key}: {word}" if separator and not place.startswith("{") else word, 1)
    judged(text)


scalars = st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers()
keys = st.sampled_from(["claim", "entries", "A", "B", "winner", "stages", "stage", "base", "result", "same_as", "lr"])
any_yaml = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=15,
)


@quick
@given(any_yaml, any_yaml)
def test_any_yaml(claim: object, entries: object) -> None:
    whole = {"A": claim if isinstance(claim, dict) else {}, "B": entries}
    for said, of in ((claim, entries), ({"winner": "A", "loser": "B"}, whole)):
        judged(yaml.safe_dump({"schema": SCHEMA, "claim": said, "entries": of}, allow_unicode=True))


@quick
@given(st.integers(0, len(GOOD)), st.binary(max_size=3))
def test_any_truncation_and_insertion(at: int, junk: bytes) -> None:
    data = GOOD.encode()
    judged(data[:at])
    judged(data[:at] + junk + data[at:])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "document is empty"),
        ("- a\n- b\n", "document:1:1: a comparison document is a mapping"),
        ("a: 1\na: 2\n", "document:2:1: the key 'a' stands here twice"),
        ("a: [1, 2\nb: 3\n", "document:2:2: not YAML"),
        ("a: &x [*x]\n", "document:1:8: the alias *x stands inside its own anchor"),
        ("a: *x\n", "document:1:4"),
        ("a: 1\n---\nb: 2\n", "a second document begins here"),
        ("? [a]\n: 1\n", "document:1:3: a key is a plain word"),
        (b"\xff\xfe\x00\x01", "document:1: byte 0 is not UTF-8"),
        (b"a: \x00\n", "document:1: the character '\\x00'"),
        ('a: "\\e[2J"\n', "document:1:4: a value with '\\x1b', which cannot be seen"),
        ("schema: other/1\n", "document:1:9: schema 'other/1'"),
        ("!!python/object/apply:os.system [echo]\n", "document:1:1: a comparison document is a mapping"),
    ],
)
def test_a_message_says_where(text: str | bytes, message: str) -> None:
    assert message in judged(text)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "speedup: 2.0",
            "speedup: fast",
            "document:4:80: speedup: dense MACs over pruned MACs, as in 2.31 or 2.31x, is wanted",
        ),
        ("id: b", "id: {same_as: B}", '"attributable"'),
        ("winner: A", "winner: C", "unknown entry 'C'"),
        ("top1: 75.0", "top1: 0.75", "looks like a fraction. Accuracies are in percent: write 75"),
        ("top1: 75.0", "top1: 175", "lies between 0 and 100"),
        ("runs: 5", "runs: 0", "a number of runs, at least 1"),
        ("stage: pruning", "stage: prunning", "Did you mean 'pruning'?"),
        ("epochs: 90", "epochs: {range: [30, 20]}", "from the lower to the higher end"),
        ("epochs: 90", "epochs: {value: 90, evidence: rumour}", "unknown grade of evidence 'rumour'"),
        ("epochs: 90", "epochs: {conflict: [90]}", "a conflict lists what two or more sources say"),
        ('"0:1e-2,30:1e-3"', "warm", "cannot read the LR schedule 'warm'"),
    ],
)
def test_a_wrong_value_is_named(old: str, new: str, message: str) -> None:
    assert message in changed(old, new)


def test_a_cycle_of_same_as_is_named() -> None:
    text = GOOD.replace("speedup: 2.0", "speedup: {same_as: B}", 1).replace("speedup: 2.0", "speedup: {same_as: A}", 1)
    assert "leads back to where it began: A.speedup -> B.speedup -> A.speedup" in judged(text)
    assert "leads back" in changed("speedup: 2.0", "speedup: {same_as: A}")


def bounded(data: str | bytes) -> str:
    with must_end():
        return judged(data)


def test_huge_inputs_end_soon() -> None:
    assert "more than 2,000,000 bytes" in bounded("a" * 3_000_000)
    assert "values (aliases count" in bounded("entries:\n" + "".join(f" e{n}: {{}}\n" for n in range(100_000)))
    assert "nested deeper" in bounded("[" * 1_000_000)
    assert "nested deeper" in bounded("a: " + "{b: " * 500)
    bombs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    assert "values (aliases count" in bounded("a0: &a0 [lol]\n" + bombs)
    bounded("a: " + "1" * 1_000_000)
    bounded("x" * 100_000 + ": 1\n")
    assert "500" in bounded(GOOD.replace("entries:\n", "entries:\n" + "".join(f"  e{n}: {{}}\n" for n in range(600))))


def test_many_stages_end_soon() -> None:
    start = "schema: prunemark-comparison/1\nclaim: {winner: A, loser: B}\nentries:\n"
    start += "  B: {method: b}\n  A:\n    method: a\n    stages:\n"
    cycle = "    - {stage: pruning, epochs: 0}\n    - {stage: retraining, epochs: 90, lr: 1e-2}\n"
    assert "1002 stages; at most 1000 are read" in bounded(start + cycle * 501)
    assert '"verdict"' in bounded(start + cycle * 500)


def test_long_schedules_end_soon() -> None:
    lr = ",".join(f"{n}:1e-2" for n in range(100))
    for epochs in ("100000", "1e9", "99999999999"):
        bounded(GOOD.replace("0:1e-2,30:1e-3", lr).replace("epochs: 90", f"epochs: {epochs}, repeat: 9999"))
