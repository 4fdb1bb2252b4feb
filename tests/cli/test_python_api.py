"""The Python API as a script and a notebook use it: real parts, on a track that trains for two epochs."""

import dataclasses
import inspect
import os
import pickle
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from support.quick_cli import quick_toml

import prunemark
from prunemark.records.record import dump, load_file
from prunemark.setups.errors import InputError

HOUSE = Path(__file__).parents[2]
DOCUMENT = HOUSE / "tests" / "audit" / "examples" / "1-l1reimpl-vs-hrank.yaml"
COLUMNS = {"accuracy_percent", "speedup_macs", "train_seconds", "macs", "model_bytes", "drop_pp"}
METHOD = """
import torch
import prunemark
from prunemark import FilterCriterion, setting

POWER = 2.0

def size(weight, power):
    return torch.linalg.vector_norm(weight.flatten(1), ord=power, dim=1)

class Mine(FilterCriterion):
    '''The norm of a filter.'''

    power: float = setting(POWER, "which norm")

    def score(self, layer, context):
        return size(layer.weight, self.power)
"""
SUBMITTED = """
print("BEGAN")
done = prunemark.submit(Mine, track="quick.toml", seeds=SEEDS, levels=["50%"], home="home", workers=2)
print(done.written.name, len(done.records), len(done.failed))
frame = prunemark.results("home")
print(sorted(frame["method"]), frame["accuracy_percent"].between(0, 100).all())
print(prunemark.leaderboard("home", track="quick.toml")["method"].tolist()[:1], prunemark.audit(DOCUMENT).verdict)
"""
NOTEBOOK = """
import linecache, sys, types
cells = CELLS
history = types.SimpleNamespace(input_hist_parsed=["", *cells])
sys.modules["IPython"] = types.SimpleNamespace(get_ipython=lambda: types.SimpleNamespace(history_manager=history))
for number, cell in enumerate(cells):
    linecache.cache[f"<cell {number}>"] = (len(cell), None, cell.splitlines(True), f"<cell {number}>")
    exec(compile(cell, f"<cell {number}>", "exec"), sys.modules["__main__"].__dict__)
"""


def run(folder, *arguments, text=None):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PRUNEMARK", "MLFLOW"))}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory, furnish):
    made = tmp_path_factory.mktemp("script")
    furnish(made / "home")
    (made / "quick.toml").write_text(quick_toml())
    return made


@pytest.fixture(scope="module")
def script(folder):
    """What a script says that submits a class of its own, without any guard."""
    code = METHOD + SUBMITTED.replace("SEEDS", "1").replace("DOCUMENT", repr(str(DOCUMENT)))
    (folder / "script.py").write_text(code)
    return run(folder, "script.py")


def test_a_script_submits_loads_and_audits_and_runs_once(script):
    assert script.returncode == 0, script.stderr
    began, written, methods, others = script.stdout.splitlines()
    assert began == "BEGAN", "its processes must not run the script again"
    assert written.startswith("Mine_") and written.endswith(".py 5 0")
    assert methods == "['Dense', 'L1-norm', 'Mine', 'Random', 'Scratch'] True"
    assert others.endswith("within-noise") and "Mine is submitted from this file: " in script.stderr


def test_a_notebook_with_the_same_class_runs_nothing_anew(folder, script):
    """Cells are not a file, and the class is the same code: the same submission."""
    first, _, rest = METHOD.partition("def size")
    cells = [
        first,
        "def size" + rest,
        SUBMITTED.replace("SEEDS", "[0]").replace("DOCUMENT", repr(str(DOCUMENT))),
    ]
    done = run(folder, "-c", NOTEBOOK.replace("CELLS", repr(cells)))
    assert done.returncode == 0, done.stderr
    assert done.stdout == script.stdout and "nothing to run: all 5 trials are stored" in done.stderr


def test_a_class_typed_into_a_terminal_is_refused(folder):
    done = run(folder, "-", text=METHOD + SUBMITTED.replace("SEEDS", "1"))
    assert done.returncode == 1
    assert (
        "InputError: the code of Mine cannot be found: it was typed into a terminal.\nPut the class into" in done.stderr
    )


def test_results_have_units_and_one_row_a_record(folder, script):
    frame = prunemark.results(folder / "home")
    assert len(frame) == len(list((folder / "home" / "records").iterdir())) == 5
    assert set(frame.columns) > COLUMNS and (frame["status"] == "ok").all() and frame["invalidated"].isna().all()
    row = frame.set_index("method").loc["Mine"]
    assert row["settings"]["power"] == 2.0 and row["speedup_macs"] == pytest.approx(1.911, rel=0.01)
    assert row["drop_pp"] == pytest.approx(row["base_accuracy_percent"] - row["accuracy_percent"])
    assert prunemark.results(folder / "home" / "records").equals(frame)
    table = prunemark.leaderboard(folder / "home", setup="S3.2").set_index("method")
    assert table.loc["Mine", "accuracy_percent"] == pytest.approx(row["accuracy_percent"])


def test_a_trial_with_two_records_is_one_row(folder, script, tmp_path):
    """As when a home of an older version is extended: the first record stands."""
    shutil.copytree(folder / "home" / "records", tmp_path / "records")
    first = load_file(next((tmp_path / "records").iterdir()))
    again = dataclasses.replace(
        first,
        outcome=dataclasses.replace(first.outcome, trial_key="another"),
        observed=dataclasses.replace(first.observed, finished_at="2999-01-01T00:00:00+00:00"),
    )
    (tmp_path / "records" / f"{again.record_sha256}.json").write_text(dump(again))
    every = prunemark.results(tmp_path, everything=True)
    assert len(prunemark.results(tmp_path)) == 5 and len(every) == 6
    assert every.set_index("record_sha256")["counts"].to_dict()[again.record_sha256] is False


def test_places_without_records_are_refused(tmp_path):
    for verb in (prunemark.results, prunemark.leaderboard):
        with pytest.raises(InputError, match="no folder|no records"):
            verb(tmp_path / "nothing")


def test_a_submission_that_fails_is_a_record_and_no_error(quick_prunemark, folder, script, capsys):
    spec = f"{HOUSE / 'tests' / 'submissions' / 'samples.py'}:Raises"
    done = prunemark.submit(spec, "quick", seeds=1, levels=["50%"], home=folder / "failing", workers=2)
    assert [record.outcome.failure.evidence for record in done.failed] == ["RuntimeError: the Hessian is singular"]
    assert repr(done) == done.text and "L1-norm" in done.text and "Raises" in set(done.table["method"])
    frame = prunemark.results(folder / "failing").set_index("method")
    assert frame.loc["Raises", "status"] == "failed" and "singular" in frame.loc["Raises", "failure"]


@pytest.mark.parametrize(("how", "words"), [
    ({"track": "quikc"}, "unknown track 'quikc'"), ({"seeds": 0}, "names 1 to 1000 different seeds"),
    ({"seeds": [1, 1]}, "different seeds"), ({"levels": ["7%"]}, "unknown level"),
    ({"settings": {"powr": 1}}, "unknown setting of L1-norm 'powr'"), ({"workers": 0}, "at least 1"),
])  # fmt: skip
def test_a_wrong_argument_is_refused_before_anything_runs(quick_prunemark, tmp_path, how, words):
    with pytest.raises(InputError, match=words):
        prunemark.submit("L1-norm", **{"track": "quick", "home": tmp_path / "home"} | how)


def test_an_audit_takes_a_path_a_text_and_a_dictionary():
    one = prunemark.audit(DOCUMENT)
    assert (
        one.text == repr(one)
        and one.verdict == "within-noise"
        and one.exit_code == 4
        and "95 % interval -0.18 to +0.70" in one.why
        and "-0.18 to +0.70" in one.text
    )
    for same in (str(DOCUMENT), DOCUMENT.read_text(), yaml.safe_load(DOCUMENT.read_text())):
        assert prunemark.audit(same).verdict == one.verdict
        assert prunemark.audit(same).as_dict()["verdict"] == one.as_dict()["verdict"]
    with pytest.raises(InputError, match="the dictionary:1:1: the first line of a document"):
        prunemark.audit({"claim": "x"})


def test_a_text_is_a_text_in_a_notebook_too(monkeypatch):
    """Where rich finds itself in Jupyter it shows what it should write into a file, and the file stays empty."""
    expected = prunemark.audit(DOCUMENT).text
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")  # as its kernel does
    assert prunemark.audit(DOCUMENT).text == expected and len(expected) > 1000


def test_the_package_names_what_it_has_and_loads_it_late():
    code = "import sys, prunemark; print(prunemark.__version__, prunemark.audit, callable(prunemark.leaderboard))\n"
    code += "print(sorted({'torch', 'pandas', 'numpy', 'typer', 'rich', 'yaml'} & set(sys.modules)))"
    said = run(None, "-c", code).stdout
    assert said.startswith(version("prunemark")) and said.endswith("True\n[]\n")
    for name in prunemark.__all__:
        assert getattr(prunemark, name) is not None and name in dir(prunemark)
    with pytest.raises(AttributeError, match="'prunemark' has no attribute 'sbumit'"):
        prunemark.sbumit  # noqa: B018


def test_a_room_with_the_name_of_a_verb_stays_a_room():
    import prunemark.audit.run as module

    assert prunemark.audit.run is module and callable(prunemark.audit)
    assert list(inspect.signature(prunemark.leaderboard).parameters) == ["place", "track", "setup"]
    assert pickle.loads(pickle.dumps(prunemark.audit(DOCUMENT))).verdict == "within-noise"
