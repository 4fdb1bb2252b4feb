"""Sources on a board: under the hash that records carry, and refused when they are not what it promises."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prunemark.benchmark.submission.locate import locate
from prunemark.records.source import MethodFiles, examine_methods, read_method, read_methods, write_method
from prunemark.setups.errors import InputError, RuleBroken

fixed = settings(
    derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
METHOD = MethodFiles("Mine", (("pkg/helper.py", "x = 'é\u2028'\r\n"), ("mine.py", "class Mine:\n    pass\n")))


def test_a_source_has_the_hash_that_the_harness_gives_it():
    """`benchmark/submission/locate.py` hashes the files that it finds; here are the same texts."""
    from pathlib import Path

    source = locate("L1-norm")[1]
    path = Path(source.path)
    assert MethodFiles(source.class_name, ((path.name, path.read_text()),)).source_sha256 == source.sha256


def test_a_source_that_was_written_is_read_and_written_once(tmp_path):
    path = write_method(METHOD, tmp_path / "methods")
    assert path.name == f"{METHOD.source_sha256}.json"
    assert json.loads(path.read_text())["files"][0] == list(METHOD.files[0])
    assert read_method(path) == METHOD and read_methods(tmp_path / "methods") == {METHOD.source_sha256: METHOD}
    before = path.stat().st_mtime_ns
    write_method(MethodFiles("Other", METHOD.files), tmp_path / "methods")
    assert path.stat().st_mtime_ns == before


def test_folders_are_not_in_the_hash_and_names_are():
    moved = MethodFiles("Mine", (("elsewhere/helper.py", METHOD.files[0][1]), METHOD.files[1]))
    renamed = MethodFiles("Mine", (("pkg/other.py", METHOD.files[0][1]), METHOD.files[1]))
    assert moved.source_sha256 == METHOD.source_sha256 != renamed.source_sha256


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda text: text.replace("pass", "fail"), "was edited"),
        (lambda text: text.replace('"class":"Mine"', '"class":"Yours"'), "has no class 'Yours'"),
        (lambda text: text.replace("method/1", "method/2"), "is not the source of a method"),
        (lambda text: text.replace('"class"', '"extra":1,"class"'), "is not the source of a method"),
        (lambda text: text[:40], "is not the source of a method"),
        (lambda text: "[]", "is not the source of a method"),
        (lambda text: text.replace('"mine.py"', "7"), "is not the source of a method"),
    ],
)
def test_a_spoiled_source_is_refused_by_name_and_the_others_are_kept(tmp_path, spoil, why):
    bad = write_method(METHOD, tmp_path)
    good = MethodFiles("Good", (("good.py", "class Good: ...\n"),))
    write_method(good, tmp_path)
    bad.write_text(spoil(bad.read_text()))
    with pytest.raises((InputError, RuleBroken), match=why) as problem:
        read_method(bad)
    assert str(problem.value).startswith(bad.name)
    found, wrong = examine_methods(tmp_path)
    assert found == {good.source_sha256: good}
    assert [name for name, _ in wrong] == [bad.name] and why in wrong[0][1]
    assert read_methods(tmp_path / "nowhere") == {}


@fixed
@given(data=st.data())
def test_any_byte_that_is_changed_is_refused_or_harmless(tmp_path, data):
    whole = write_method(METHOD, tmp_path).read_bytes()
    path = tmp_path / f"{METHOD.source_sha256}.json"
    place = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.binary(min_size=0, max_size=2))
    path.write_bytes(whole[:place] + byte + whole[place + 1 :])
    try:
        found, wrong = examine_methods(tmp_path)
    finally:
        path.unlink()
    assert len(found) + len(wrong) == 1
    for method in found.values():  # a folder may have another name: the hash covers the file's own
        assert [text for _, text in method.files] == [text for _, text in METHOD.files]
        assert method.class_name == "Mine" and method.source_sha256 == METHOD.source_sha256
