"""A class of a notebook or a script, taken out into a file that stands by itself."""

import ast
import sys
import types

import pytest

from prunemark.baselines.l1_norm import L1Norm
from prunemark.cli.api.class_files import spec_of, standalone
from prunemark.setups.errors import InputError

CELLS = (
    "import math\nfrom torch import nn as layers, linalg\nresult = launch()",
    "POWER, OTHER = 2, math.pi\ndef norm(w):\n    return linalg.vector_norm(w, ord=POWER)\n",
    "%magic is not Python",
    "class Helper:\n    kind = layers.Conv2d\n",
    "def wrapped(method):\n    return method\n",
    "class Mine(Helper):\n    old = 1\n",
    "x = 1\n@wrapped\nclass Mine(Helper):\n    '''Its words.'''\n    def score(self, layer, context):\n"
    "        result = [norm(w) for w in layer]\n        return max(result)\nlaunch(Mine)",
)


def names(text):
    return [getattr(node, "name", None) or ast.unparse(node).partition("\n")[0] for node in ast.parse(text).body[1:]]


def test_the_file_has_what_the_class_uses_and_no_more(tmp_path):
    text = standalone("Mine", CELLS, tmp_path)
    assert names(text) == [
        "import math", "from torch import nn as layers, linalg", "POWER, OTHER = (2, math.pi)", "norm", "Helper",
        "wrapped", "Mine",
    ]  # fmt: skip
    assert "@wrapped\nclass Mine" in text and "old = 1" not in text and "launch" not in text
    assert standalone("Mine", [*CELLS, "y = 2\nprint(y)"], tmp_path) == text


def test_annotations_count_unless_they_are_postponed(tmp_path):
    cell = "class Mine:\n    power: Unknown = 1\n"
    with pytest.raises(InputError, match=r"Mine needs 'Unknown', which no import or definition"):
        standalone("Mine", [cell], tmp_path)
    postponed = standalone("Mine", [f"from __future__ import annotations\n{cell}"], tmp_path)
    assert postponed.splitlines()[2] == "from __future__ import annotations"


@pytest.mark.parametrize(
    "line", ["import helpers", "from helpers import f as helpers", "import helpers.deep as helpers"]
)
def test_a_module_next_to_the_notebook_is_not_left_behind(tmp_path, monkeypatch, line):
    (tmp_path / "helpers.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"Mine needs 'helpers\S*', which lies in .*\nPut the class into a file"):
        standalone("Mine", [line, "class Mine:\n    f = helpers\n"], tmp_path)


def test_a_class_of_a_module_is_submitted_by_its_file(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("class Mine:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    import mine

    assert spec_of(mine.Mine, tmp_path / "home") == (f"{tmp_path / 'mine.py'}:Mine", None)
    assert spec_of("L1-norm", tmp_path) == spec_of(L1Norm, tmp_path) == ("L1-norm", None)
    assert not (tmp_path / "home").exists()


def test_what_is_no_class_of_the_top_level_is_refused(tmp_path, monkeypatch):
    class Inside:
        pass

    with pytest.raises(InputError, match="Inside is defined inside a function or a class"):
        spec_of(Inside, tmp_path)
    with pytest.raises(InputError, match="a method is a class, or a text"):
        spec_of(Inside(), tmp_path)
    made = type("Made", (), {"__module__": "__main__"})
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
    with pytest.raises(InputError, match="the code of Made cannot be found"):
        spec_of(made, tmp_path)
    with pytest.raises(InputError, match="no class 'Mine' stands at the top level"):
        standalone("Mine", ["x = 1"], tmp_path)
