"""The common mistakes of a method's author: each ends in one line on what happened and one on what to do."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

from prunemark.benchmark.run.check import check_method
from prunemark.benchmark.run.debug import debug
from prunemark.benchmark.sandbox.explain import MOST_OF_EVIDENCE, explained
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.submission.place import place_of, said_and_advice
from prunemark.benchmark.trial.store import Store
from prunemark.cli.progress import failed_in_words

HEAD = "import torch\nfrom torch.nn import functional as F\nfrom prunemark.benchmark.method import *\n"
SCORES = "{g: g.layer(model).weight.detach().flatten(1).norm(dim=1) for g in context.groups}"
GOOD = "    def score(self, layer, context):\n        return layer.weight.flatten(1).norm(dim=1)\n"


def body(lines):
    return "".join(f"        {line}\n" for line in lines)


def criterion(*lines):
    return "class Mine(FilterCriterion):\n    def score(self, layer, context):\n" + "".join(
        f"        {x}\n" for x in lines
    )


def method(*lines):
    return "class Mine(PruningMethod):\n    def prune(self, model, context):\n" + "".join(
        f"        {x}\n" for x in lines
    )


def declared(line):
    return f"class Mine(FilterCriterion):\n    {line}\n{GOOD}"


@pytest.fixture
def written(tmp_path):
    """The file, in a folder of the name that the sandbox lays it into: by it the author's lines are known."""

    def write(code, name="mine.py"):
        path = tmp_path / "submitted" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(HEAD + code)
        return path

    return write


def told(path):
    """What is said of the mistake when it is met: what happened, what to do, and where."""
    with pytest.raises(BaseException) as caught:  # also SystemExit
        debug(f"{path}:Mine", base_epochs=0)
    error = explained(caught.value, confined=True)
    assert len(error["evidence"]) <= MOST_OF_EVIDENCE
    assert error["evidence"].count("\n") <= 1, "one line on what happened, one on what to do"
    return *said_and_advice(error["evidence"]), place_of(error["traceback"], str(path), "Mine")


DECLARED = {
    'retraining = OwnRecipe(epochs=10, lr=0.01)': ("an LR schedule is a text; given 0.01", 'Write lr="0.01"'),
    'retraining = OwnRecipe(epochs=10, lr="0.01 then less")': ("cannot read the LR schedule", "Write 0:1e-2,30:1e-3"),
    'retraining = OwnRecipe(epochs="10", lr="1e-2")': ("epochs of a recipe are a whole number", ""),
    'retraining = OwnRecipe(epochs=10, lr="1e-2", momentum="0.9")': ("momentum of a recipe is a number", ""),
    'retraining = OwnRecipe(epochs=10, lr="1e-2", optimizer="Adam")': ("unexpected", "OwnRecipe has epochs, lr,"),
    'power: float = setting("which norm")': ("missing 1 required positional", 'setting(2.0, "what it means")'),
    'power = setting(2.0, "which norm")': ("no type annotation", "Write the type too"),
    'power: float = setting(None, "which norm")': ("a setting is a bool, a number", 'Write setting(default, '),
    'ratios: list = setting([0.1, 0.2], "ratios")': ("the default is [0.1, 0.2]", "setting((0.1, 0.2), "),
    'ratios: list = [0.1]': ("mutable default", "is a tuple: setting((0.1, 0.2)"),
}  # fmt: skip


@pytest.mark.parametrize("line", DECLARED)
def test_a_wrong_declaration_is_said_at_its_line(line, written):
    happened, advice, where = told(written(declared(line)))
    words, what_to_do = DECLARED[line]
    assert words in happened and what_to_do in advice
    assert where.startswith("line 5") or (where.startswith("line 4") and "= setting(2.0" in line + "= setting(2.0")


WHOLE = {
    "power: float": ("setting power of Mine has no default", "Write power: float = setting(1.0, "),
    "granularity = 'filters'": ("granularity of Mine is one of filter, weight, N:M; got 'filters'", ""),
    "def __init__(self):\n        self.a = 1": ("__init__ of Mine does not take its settings", "Leave __init__ out"),
    "def __init__(self, **settings):\n        self.a = 1": ("does not pass on allocation, ", "Leave __init__ out"),
}


@pytest.mark.parametrize("line", WHOLE)
def test_a_class_that_cannot_be_made_is_refused_before_anything_runs(line, written, tmp_path):
    name, source = locate(f"{written(declared(line))}:Mine")
    finding = check_method(name, source, {}, None, Store(tmp_path / "store"))[-1]
    words, what_to_do = WHOLE[line]
    assert (finding.what, finding.state) == ("contract", "broken")
    assert words in finding.found and what_to_do in finding.advice and "begins at line" in finding.found


def test_an_init_that_passes_its_settings_on_is_fine(written):
    line = "def __init__(self, **settings):\n        super().__init__(**settings)\n        self.cache = {}"
    assert debug(f"{written(declared(line))}:Mine", base_epochs=0).kept


RUNNING = [
    (criterion("layer.weight.flatten(1).norm(dim=1)"), "got NoneType", "Does `score` return", "score begins at line 5"),
    (criterion("return layer.weight.norm()"), "must have shape (8,); got ()", "One score a filter", "score begins"),
    (criterion("return layer.weight.detach().flatten(1).norm(dim=1).numpy()"), "got ndarray", "torch.as_tensor", ""),
    (criterion("return layer.weight.flatten(1).norm(dim=1) / 0 * 0"), "contain NaN", "Look for 0 / 0", "score begins"),
    (criterion("return torch.zeros(8, device='meta')"), "have no values", "on the device of layer.weight", ""),
    (criterion("return layer.bias.abs()"), "'NoneType' object", "Some layers have no bias", "line 6, in score"),
    (criterion("return layer.running_mean"), "no attribute 'running_mean'", "is a Conv2d or a Linear", "line 6"),
    (criterion("assert layer.weight.dim() == 2"), "assert layer.weight.dim() == 2", "", "line 6, in score"),
    (criterion("exit('done')"), "SystemExit: done", "leave exit() and sys.exit() out", "line 6, in score"),
    (criterion("import not_installed_here"), "No module named", "Install the package here", "line 6, in score"),
    (criterion("return self.score(layer, context)"), "RecursionError", "calls itself without end", "line 6, in score"),
    (criterion("return self.powr"), "no attribute 'powr'", "Mine has allocation, schedule, epochs", "line 6, in score"),
    (method(f"context.decide({SCORES})"), "must return the Decision", "End prune with `return", "prune begins at"),
    (method("return {g.name: [0] for g in context.groups}"), "got dict", "to context.decide, and return", "prune"),
    (method("return model"), "got ResNet", "return Decision.from_pruned(model)", "prune begins at line 5"),
    (method("return context.decide({g.name: 1 for g in context.groups})"), "by group; got str", "Write {group:", ""),
    (method("return context.decide({g.layer(model): 1 for g in context.groups})"), "got Conv2d", "Write {group:", ""),
    (method("return context.decide([1])"), "scores by group; got list", "Write {group:", "line 6, in prune"),
    (method("return Decision({g.name: torch.ones(8, dtype=torch.bool) for g in context.groups})"), "got torch.bool",
     "mask.nonzero().flatten()", ""),
    (method("for g in context.layers: pass"), "the context has no attribute 'layers'", "context has target", "line 6"),
    (method("for x, y in context.train_loader: pass"), "no attribute", "Did you mean batches?", "line 6, in prune"),
    (method("context.groups[0].bn(model)"), "'Group' object has no attribute", "Group has name, size", "line 6"),
    (method("context.train(model, epochs=1, lr=0.01)"), "an LR schedule is a text", 'lr="0.01"', "line 6, in prune"),
    (method("context.train(model, 5)"), "positional argument", "context.train(model, epochs=5", "line 6, in prune"),
    (method("context.train(model, epochs=1, penalty=0.1)"), "penalty is a function", "Write penalty=lambda:", "line 6"),
    (method("context.train(model, epochs=1, penalty=lambda: None)"), "got NoneType", "Write penalty=lambda:", "line 6"),
    (method("context.groups[0].layer(model).weight *= 2"), "leaf Variable", "inside `with torch.no_grad():`", "line 6"),
    (method("with torch.no_grad(): model(torch.zeros(2, *context.image_shape)).sum().backward()"),
     "does not require grad", "Gradients are off here", "line 6, in prune"),
    (method("w = context.groups[0].layer(model).weight; y = w.exp(); y.mul_(2); y.sum().backward()"),
     "modified by an inplace", "write `x = x * 2`", "line 6, in prune"),
    (method("w = context.groups[0].layer(model).weight", "return w * w.grad"), "NoneType", "Its gradient is missing",
     "line 7, in prune"),
    (method("model(torch.zeros(1, 3, 224, 224))"), "expected input[1, 3, 224, 224]", "context.image_shape", "line 6"),
    (method(f"scores = {SCORES}", "model.half()", "return context.decide(scores)"), "is float16, and float32",
     "Convert a copy", "prune begins"),
    (method(f"scores = {SCORES}", "model.stem.extra = torch.nn.Parameter(torch.zeros(1))",
            "return context.decide(scores)"), "the model has stem.extra", "Take out what was added", "prune begins"),
    (method(f"scores = {SCORES}", "del model.stem_bn.bias", "return context.decide(scores)"), "has lost stem_bn.bias",
     "change a copy", "prune begins"),
    (method(f"scores = {SCORES}", "torch.nn.utils.weight_norm(model.stem)", "return context.decide(scores)"),
     "layer stem still has a weight norm", "torch.nn.utils.remove_weight_norm(layer", "prune begins"),
    (method(f"scores = {SCORES}", "torch.nn.utils.parametrizations.weight_norm(model.stem)",
            "return context.decide(scores)"), "layer stem still has a parametrization", "remove_parametrizations",
     "prune begins"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "words", "what_to_do", "where"), RUNNING, ids=lambda text: text.strip()[-40:])
@pytest.mark.filterwarnings("ignore")
def test_a_mistake_is_said_with_what_to_do_and_where(code, words, what_to_do, where, written):
    happened, advice, place = told(written(code))
    assert words in happened and what_to_do in advice and where in place


@pytest.mark.parametrize(
    ("line", "words", "what_to_do"),
    [
        ("input('go on?')", "Bad file descriptor", "use prunemark.debug(...)"),
        (
            "open('sign.json')",
            "such file or directory: 'sign.json'",
            "sign.json lies beside mine.py, and the hash",
        ),
        ("list(torch.utils.data.DataLoader([1, 2], num_workers=1))", "", "num_workers=0"),
        ("import subprocess; subprocess.run(['ls'])", "start a process", "starts no program"),
        ("print('x' * 10**8)", "File too large", "write less"),
    ],
)
def test_what_only_a_trial_forbids_is_said_by_check(line, words, what_to_do, written):
    path = written(criterion(line))
    (path.parent / "sign.json").write_text("{}")
    finding = check_method(*locate(f"{path}:Mine"), {}, None, Store(path.parent / "store"))[2]
    assert finding.state == "broken" and "(line 6, in score)" in finding.found
    assert words in finding.found and what_to_do in finding.advice


@pytest.mark.parametrize("packaged", [True, False])
def test_a_relative_import_works_in_a_package_and_is_explained_elsewhere(packaged, written, monkeypatch):
    another = ModuleType("submitted")
    another.__path__ = ["/nowhere/submitted"]
    monkeypatch.setitem(sys.modules, "submitted", another)
    path = written(f"from .helpers import norm\n{criterion('return norm(layer.weight)')}")
    (path.parent / "helpers.py").write_text("def norm(w):\n    return w.flatten(1).norm(dim=1)\n")
    if packaged:
        (path.parent / "__init__.py").touch()
    found = {
        finding.what: finding
        for finding in check_method(*locate(f"{path}:Mine"), {}, None, Store(path.parent / "store"))
    }
    if packaged:
        assert [(finding.state, finding.found) for finding in found.values() if finding.state == "broken"] == []
        assert found["level 50%"].state == "fine"
    else:
        assert "(line 4)" in found["contract"].found and "__init__.py" in found["contract"].advice


def test_a_model_that_was_left_changed_without_training_is_noted(written):
    path = written(
        method("model.train()", "model(torch.rand(2, *context.image_shape))", f"return context.decide({SCORES})")
    )
    finding = check_method(*locate(f"{path}:Mine"), {}, None, Store(path.parent / "store"))[2]
    assert finding.state == "note" and "lane own" in finding.found and "in evaluation mode" in finding.advice


def test_progress_says_where_a_trial_failed_and_what_to_do(written):
    path = written(criterion("return layer.bias.abs()"))
    trace = f'File "{path}", line 6, in score'
    failure = SimpleNamespace(evidence="AttributeError: None has no abs.\nSome layers have none", traceback=trace)
    record = SimpleNamespace(outcome=SimpleNamespace(failure=failure, status="failed"))
    entrant = SimpleNamespace(source=locate(f"{path}:Mine")[1])
    assert failed_in_words(SimpleNamespace(label="Mine 50% seed 0", entrant=entrant), record) == (
        "Mine 50% seed 0: failed: AttributeError: None has no abs (mine.py, line 6, in score)\nSome layers have none"
    )


def test_decisions_take_groups_and_lists(written):
    path = written(method("return Decision({g: list(range(g.size // 2)) for g in context.groups})"))
    found = debug(f"{path}:Mine", base_epochs=0)
    assert found.kept == {"blocks.0.conv1": 4, "blocks.1.conv1": 8, "blocks.2.conv1": 16}
    assert torch.equal(found.decision.kept["blocks.0.conv1"], torch.arange(4)) and Path(path).is_file()
