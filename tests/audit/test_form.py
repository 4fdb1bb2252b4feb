"""The form without a browser: its questions, the document that answers make, and where an error stands."""

import gzip
import hashlib
import json
import re

import pytest
import yaml
from support.audit_documents import made_up
from support.form_answers import typed

from prunemark.audit.document.comparison import loads
from prunemark.audit.document.fields import REPORTED_VALUES
from prunemark.audit.document.yaml_nodes import parse
from prunemark.audit.form import engine
from prunemark.audit.form.answers import answered, judged, judged_all
from prunemark.audit.form.document import document, hidden
from prunemark.audit.form.questions import METRIC, OWN_TRAINING, example, questions
from prunemark.audit.judgement.audit_claim import audit_claims
from prunemark.audit.report.content import as_dict
from prunemark.cli.form import form_files

FIELDS = [field for question in questions() for field in question.fields]
STAGES = ("pretraining", "training", "pruning", "retraining")


def shown(answers):
    return json.loads(answered(json.dumps(answers)))


def error(**change):
    """(message, places) for the example with one thing changed; `A_recipe_batch_size` is written with dots."""
    found = shown(example() | {place.replace("__", "."): value for place, value in change.items()})
    return found["error"], found["places"]


def test_there_are_twelve_questions_and_each_is_explained():
    assert len(questions()) == 12
    assert all(question.title.endswith("?") and len(question.why) > 40 for question in questions())
    assert len({field.id for field in FIELDS}) == len(FIELDS)


def test_every_field_is_one_that_the_reader_knows():
    known = {*REPORTED_VALUES, "method", "kind", "source.locator", "source.quoted"}
    known |= {f"{stage}.{what}" for stage in STAGES for what in ("epochs", "lr")}
    assert {field.id.replace(METRIC, "top1") for field in FIELDS if field.of_both} <= known


def test_an_empty_form_is_a_document_that_states_nothing():
    found = shown({})
    assert found["verdict"] == "undecided" and found["exit_code"] == 4
    assert any("further details" in asked for asked in found["ask"]) and "--format" not in str(found["ask"])
    assert found["document"].count("method") == 2 and "null" not in found["document"]


def test_the_example_is_confounded_by_its_learning_rates():
    found = shown(example())
    assert found["verdict"] == "confounded" and "retraining LR differs" in found["sentence"]
    assert found["review"].startswith("The claim that Method X is better than Method Y may be right")


def test_what_is_typed_is_judged_as_the_document_that_says_it():
    """Documents made up at random, as a person would type them: the verdict, the code and every word are the same."""
    checked = set()
    for seed in range(240):
        made = made_up(seed)
        if (answers := typed(made)) is None:
            continue
        try:
            wanted = judged(yaml.safe_dump(made, sort_keys=False, allow_unicode=True))[0]
        except Exception as problem:  # the same reader: what it refuses, it refuses here too
            assert "error" in shown(answers), (seed, problem)
            continue
        found = shown(answers)
        assert {key: found.get(key) for key in wanted} == wanted, (seed, found["document"])
        checked.add(wanted["verdict"])
    assert len(checked) >= 10, checked


def test_the_page_says_what_the_command_says():
    for seed in range(40):
        text = yaml.safe_dump(made_up(seed, most=8), sort_keys=False, allow_unicode=True)
        for one, audit in zip(json.loads(judged_all(json.dumps([text])))[0], audit_claims(loads(text)), strict=True):
            printed = as_dict(audit)
            assert (one["verdict"], one["exit_code"]) == (printed["verdict"], printed["exit_code"])
            assert one["remarks"] == printed["remarks"]


@pytest.mark.parametrize(
    "text",
    ['a: "b"', "# no", "- x", "? x", "*a", "&b", "!!int 3", "%x", "@x", "`x", "{", "}", "[1, 2]", "{a: 1} # b", "a, b",
     "x\\ny", "'", "|", ">", "ä ± 0.2", "true", "null", "~", "0x1F", "1e3", "12:30:45", "=", "<<", "a\tb", "a" * 300],
)  # fmt: skip
def test_a_text_is_read_as_it_was_typed_by_both_parsers(text, monkeypatch):
    made = document({"A.recipe.augmentation": text}).text
    for _ in range(2):
        entry = parse(made.encode(), "document").entries["entries"].entries["A"]
        assert entry.entries["recipe"].entries["augmentation"].text == text.strip()
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)  # the browser has the one that is written in Python


def test_forms_in_braces_are_what_they_are_and_same_points_to_the_other_side():
    made = document({"A.retraining.epochs": "{min: 60}", "B.retraining.epochs": "same", "B.base.id": "Same"}).text
    assert "epochs: {min: 60}" in made and "epochs: {same_as: A}" in made and "id: {same_as: A}" in made
    both = document({"A.recipe.batch_size": "same", "B.recipe.batch_size": "same"}).text
    assert both.count("same_as") == 1  # two that point at each other would say nothing


def test_a_field_is_asked_only_where_it_says_something():
    assert {"claim.margin", "training.lr", "measured.device"} <= set(hidden({}))
    assert "claim.margin" not in hidden({"claim.kind": "at_least_as_good"})
    assert all("training.lr" not in hidden({"B.kind": kind}) for kind in OWN_TRAINING)
    assert "measured.device" not in hidden({"claim.metric": "fps"})
    assert "margin" not in document({"claim.margin": "0.3"}).text  # what is hidden is not said


def test_an_error_stands_at_its_field():
    assert error(B__recipe__batch_size="lots")[1] == ["B.recipe.batch_size"]
    assert error(A__result__METRIC_sd="-1")[1] == ["A.result.METRIC_sd"]
    assert error(B__retraining__lr="0:x")[1] == ["B.retraining.lr"]
    assert error(claim__kind="at_least_as_good")[1] == ["claim.margin"]
    assert error(protocol__except="selection")[1] == ["protocol.locator"]
    message, places = error(A__speedup="0.43")
    assert message.startswith("speedup: a speed-up of 0.43") and places == ["A.speedup"]


def test_a_value_that_cannot_be_seen_or_is_half_a_letter_is_refused_and_no_failure():
    assert "cannot be seen" in error(A__method="x\u202e")[0]
    assert "error" in shown({"A.method": "\ud800"})


def test_what_the_page_runs_on_is_what_its_list_says():
    listed = dict(re.findall(r"^\| (\S+) \|.*`([0-9a-f]{64})` \|$", (engine.VENDOR / "README.md").read_text(), re.M))
    files = {path.name.removesuffix(".gz"): path for path in engine.VENDOR.iterdir() if path.suffix in (".gz", ".zip")}
    assert set(files) == set(listed)
    for name, path in files.items():
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        assert hashlib.sha256(content).hexdigest() == listed[name], name
        assert path.stat().st_size < 3 * 10**6
    assert f"| {engine.PYODIDE} |" in (engine.VENDOR / "README.md").read_text()


def test_the_page_brings_every_file_it_loads_and_asks_nobody_else():
    files = dict(form_files())
    page = files["form.html"]
    addresses = re.findall(r'(?:src|href)="([^"#]+)"', page)
    assert {address for address in addresses if not address.startswith(("https://arxiv.org/", "data:,"))} <= set(files)
    loaded = re.findall(r'"([\w.]+\.js)"', re.search(r"const SCRIPTS = \[(.*?)\]", files["form/form.js"])[1])
    assert {f"form/{name}" for name in loaded} <= set(files) and len(loaded) == 5
    assert sum(len(text) for text in files.values()) < 10**7
    assert "Mozilla Public License" in files["form/LICENSES.txt"]
    assert "prunemark/audit/judgement/verdict.py" in engine.sources()


def test_every_control_has_a_name_for_a_screen_reader():
    page = dict(form_files())["form.html"]
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    controls = re.findall(r'<(?:input|select) name="([^"]+)" id="([^"]+)"[^>]*aria-labelledby="([^"]+)"', page)
    assert len(controls) == sum(2 if field.of_both else 1 for field in FIELDS)
    assert all(name == id and set(by.split()) <= set(ids) for name, id, by in controls)
    assert len({by for _, _, by in controls}) == len(controls)
