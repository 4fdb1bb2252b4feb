"""A method's source carried as text: what comes back is what ran, and no path of a stranger's leads anywhere else."""

import dataclasses
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunemark.benchmark.submission.covered import covered_files
from prunemark.benchmark.submission.describe import describe
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.submission.method_files import (
    read_source,
    write_source,
)
from prunemark.records.card import shipped_methods
from prunemark.records.python_files import LARGEST_BYTES
from prunemark.records.source import MethodFiles, check_files
from prunemark.setups.errors import InputError, RuleBroken, WorkFailed

CRITERION = """from prunemark.benchmark.method import FilterCriterion
{imports}

class {name}(FilterCriterion):
    \"\"\"A criterion.\"\"\"

    def score(self, layer, context):
        return layer.weight.flatten(1).sum(dim=1)
"""


def write(folder, **files):
    for name, content in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def carried(path, name, tmp_path):
    """A source read, and written back into another folder: (as it was, the text, as it is there)."""
    source = locate(f"{path}:{name}")[1]
    text = read_source(source)
    return source, text, write_source(text, tmp_path / "back")


def test_one_file_comes_back_as_it_was(tmp_path):
    write(tmp_path, mine=CRITERION.format(name="Mine", imports=""))
    source, text, back = carried(tmp_path / "mine.py", "Mine", tmp_path)
    assert (text.class_name, [name for name, _ in text.files]) == ("Mine", ["mine.py"])
    assert back.sha256 == source.sha256 == text.source_sha256 and back.path != source.path


def test_files_beside_it_come_too_and_no_others(tmp_path):
    write(tmp_path, mine=CRITERION.format(name="Mine", imports="import tools.maths, other"), other="X = 1\n")
    write(tmp_path, tools__maths="import math\n", tools__more="Y = 2\n", unused="Z = 3\n")
    source, text, back = carried(tmp_path / "mine.py", "Mine", tmp_path)
    assert [name for name, _ in text.files] == ["mine.py", "other.py", "tools/maths.py", "tools/more.py"]
    assert back.sha256 == source.sha256


@pytest.mark.parametrize("place", ["", "prunemark"])
def test_a_clone_of_the_harness_is_no_part_of_a_method_in_it_or_beside_it(tmp_path, place):
    """Whoever clones it has a folder of its name; what is imported is the harness that runs."""
    for name in ("benchmark/method.py", ".venv/lib/old.py"):
        (tmp_path / "prunemark" / name).parent.mkdir(parents=True)
        (tmp_path / "prunemark" / name).write_text("this is not Python\n")
    path = tmp_path / place / "mine.py"
    path.write_text(
        "import prunemark.benchmark\nfrom prunemark import setups\n"
        "from prunemark.benchmark.method import FilterCriterion\nimport helper\n\n\nclass Mine: ...\n"
    )
    (path.parent / "helper.py").write_text("x = 1\n")
    assert [file.name for file in covered_files(path)] == ["helper.py", "mine.py"]
    assert locate(f"{path}:Mine")[0] == "Mine"


def test_relative_imports_work_where_it_is_put_back(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    write(tmp_path, pack__sub__mine=CRITERION.format(name="Far", imports="from ..base import X\nfrom .near import Y"))
    write(tmp_path, pack____init__="", pack__sub____init__="", pack__base="X = 1\n", pack__sub__near="Y = 1\n")
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "pack" / "sub" / "__init__.py").write_text("")
    source, _, back = carried(tmp_path / "pack" / "sub" / "mine.py", "Far", tmp_path)
    assert back.sha256 == source.sha256
    assert describe(back, "Far").summary == "A criterion."


def test_imports_by_the_full_name_of_a_package_work_where_it_is_put_back(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    write(tmp_path, own__deep__mine=CRITERION.format(name="Own", imports="from own.deep.near import Y"))
    write(tmp_path, own__deep__near="Y = 1\n")
    for folder in ("own", "own/deep"):
        (tmp_path / folder / "__init__.py").write_text("")
    source, text, back = carried(tmp_path / "own" / "deep" / "mine.py", "Own", tmp_path)
    assert [name for name, _ in text.files] == ["mine.py", "near.py"] and back.sha256 == source.sha256
    assert back.path.endswith("own/deep/mine.py") and describe(back, "Own").summary == "A criterion."


def test_line_ends_and_letters_survive(tmp_path):
    content = CRITERION.format(name="Mine", imports="# Größe ∑").replace("\n", "\r\n").encode()
    (tmp_path / "mine.py").write_bytes(content)
    source, _, back = carried(tmp_path / "mine.py", "Mine", tmp_path)
    assert back.sha256 == source.sha256 and (tmp_path / "back/0/submitted/mine.py").read_bytes() == content


@pytest.mark.parametrize("name", shipped_methods())
def test_every_method_that_ships_can_be_carried(name, tmp_path):
    source = locate(name)[1]
    text = read_source(source)
    assert text.source_sha256 == source.sha256 and source.class_name in text.classes


def test_of_several_classes_in_one_file_each_can_be_asked_for(tmp_path):
    two = CRITERION.format(name="A", imports="") + CRITERION.format(name="B", imports="")
    write(tmp_path, mine=two)
    _, text, _ = carried(tmp_path / "mine.py", "A", tmp_path)
    assert text.classes == {"A", "B"}
    assert write_source(dataclasses.replace(text, class_name="B"), tmp_path / "b").class_name == "B"
    with pytest.raises(RuleBroken, match="class C is not found"):
        write_source(dataclasses.replace(text, class_name="C"), tmp_path / "c")


def test_a_file_that_was_changed_meanwhile_is_not_passed_off_as_the_one_that_ran(tmp_path):
    write(tmp_path, mine=CRITERION.format(name="Mine", imports=""))
    source = locate(f"{tmp_path / 'mine.py'}:Mine")[1]
    write(tmp_path, mine=CRITERION.format(name="Mine", imports="import os"))
    with pytest.raises(WorkFailed, match="has changed since it was run"):
        read_source(source)


def test_what_cannot_be_carried_is_said(tmp_path):
    (tmp_path / "latin.py").write_bytes(
        ("# coding: latin-1\n" + CRITERION.format(name="Mine", imports="# ü")).encode("latin-1")
    )
    with pytest.raises(InputError, match="it is not UTF-8"):
        carried(tmp_path / "latin.py", "Mine", tmp_path)
    write(tmp_path, big=CRITERION.format(name="Mine", imports="# " + "x" * LARGEST_BYTES))
    with pytest.raises(InputError, match="has more than 1,048,576 bytes"):
        carried(tmp_path / "big.py", "Mine", tmp_path)


BAD_PATHS = (
    "../mine.py", "/etc/mine.py", "a/../../mine.py", "./mine.py", "a//mine.py", "a\\..\\mine.py", "c:/mine.py",
    "mine.txt", "mine", "", ".", "..", "a\0.py", "a\n.py", "mine.py/", "~/\u202emine.py", "x" * 300 + ".py",
)  # fmt: skip


@pytest.mark.parametrize("name", BAD_PATHS)
def test_a_path_that_could_lead_out_is_refused_before_anything_is_written(name, tmp_path):
    text = MethodFiles("Mine", (("mine.py", CRITERION.format(name="Mine", imports="")), (name, "X = 1\n")))
    with pytest.raises(RuleBroken, match="not a plain relative path|of one name"):
        write_source(text, tmp_path / "in" / "here")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("names", [("a.py", "a.py"), ("a.py", "A.py"), ("a.py", "a.py/b.py"), ()])
def test_files_that_would_lie_on_each_other_are_refused(names, tmp_path):
    with pytest.raises(RuleBroken, match="of one name|cannot be written"):
        write_source(MethodFiles("Mine", tuple((name, "X = 1\n") for name in names)), tmp_path)


def test_a_link_that_waits_there_is_not_written_through(tmp_path):
    outside = tmp_path / "outside.py"
    outside.write_text("mine\n")
    (tmp_path / "in" / "0" / "submitted").mkdir(parents=True)
    (tmp_path / "in" / "0" / "submitted" / "mine.py").symlink_to(outside)
    with pytest.raises(RuleBroken, match="cannot be written"):
        write_source(MethodFiles("Mine", (("mine.py", "X = 1\n"),)), tmp_path / "in")
    assert outside.read_text() == "mine\n"


def test_a_source_that_is_no_python_has_no_classes():
    assert MethodFiles("Mine", (("mine.py", "class Mine(:\n"), ("b.py", "class B:\n    pass\n"))).classes == {"B"}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.sampled_from("ab./\\~:- "), max_size=12), max_size=3).map(tuple))
def test_whatever_is_let_through_stays_inside(tmp_path_factory, names):
    text = MethodFiles("Mine", tuple((f"{name}.py", "") for name in names))
    try:
        check_files(text)
    except RuleBroken:
        return
    root = tmp_path_factory.getbasetemp()
    for name, _ in text.files:
        assert (root / name).resolve().is_relative_to(root.resolve()) and ".." not in name.split("/")


@pytest.mark.parametrize("line", ["from . import SIGN", "from pack import SIGN", "from pack.sub import OTHER"])
def test_what_runs_before_a_method_in_a_package_is_part_of_it(tmp_path, line):
    """The `__init__.py` of its packages: the same file prunes otherwise where one of them says otherwise."""
    hashes = []
    for sign in (1, -1):
        place = tmp_path / str(sign)
        (place / "pack" / "sub").mkdir(parents=True)
        (place / "pack" / "__init__.py").write_text(f"SIGN = {sign}\n")
        (place / "pack" / "sub" / "__init__.py").write_text("SIGN = OTHER = 1\n")
        (place / "pack" / "sub" / "mine.py").write_text(f"{line}\n\n\nclass Mine:\n    pass\n")
        source = locate(f"{place}/pack/sub/mine.py:Mine")[1]
        hashes.append(source.sha256)
        text = read_source(source)
        assert sorted(Path(name).as_posix() for name, _ in text.files) == [
            "__init__.py",
            "sub/__init__.py",
            "sub/mine.py",
        ]
        assert text.source_sha256 == source.sha256
    assert hashes[0] != hashes[1]


def test_packages_that_do_nothing_are_no_part_of_it(tmp_path):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "mine.py").write_text("class Mine:\n    pass\n")
    alone = locate(f"{tmp_path}/pack/mine.py:Mine")[1]
    (tmp_path / "pack" / "__init__.py").write_text('"""Mine."""\n')
    assert locate(f"{tmp_path}/pack/mine.py:Mine")[1].sha256 == alone.sha256
