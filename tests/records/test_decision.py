"""Packs of decisions: what is written is read back, once, and what is no decision is refused by name."""

import base64
import lzma

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunemark.records.decision import disagreement, read_decisions, write_decisions
from prunemark.records.outcome import Compression, pack_correctness
from prunemark.records.pack import write_lines
from prunemark.setups.errors import InputError, RuleBroken

LAYERS = st.dictionaries(st.text(min_size=1, max_size=8), st.lists(st.integers(0, 99), max_size=5), max_size=3)
DECISIONS = st.dictionaries(
    st.text("0123456789abcdef", min_size=64, max_size=64), st.tuples(st.sampled_from(["a@1", "b@2"]), LAYERS)
)
ONE = {"kept": {"a": [0, 2]}, "masks": {}}


@settings(max_examples=25, deadline=None)  # every example is forced to the disk
@given(DECISIONS)
def test_what_is_written_is_read_and_written_once(tmp_path_factory, found):
    folder = tmp_path_factory.mktemp("decisions")
    given = [(track, sha, {"kept": kept, "masks": {}}) for sha, (track, kept) in found.items()]
    written = write_decisions(given, folder)
    assert read_decisions(folder) == {sha: decided for _, sha, decided in given}
    assert {path.parent.name for path in written} == {track for track, _, _ in given}
    before = {path: path.read_bytes() for path in folder.rglob("*.xz")}
    assert write_decisions(given, folder) == []
    assert {path: path.read_bytes() for path in folder.rglob("*.xz")} == before


def test_later_decisions_go_into_a_pack_of_their_own(tmp_path):
    first = write_decisions([("a@1", "1" * 64, ONE)], tmp_path)
    second = write_decisions([("a@1", "1" * 64, ONE), ("a@1", "2" * 64, ONE)], tmp_path)
    assert first != second and len(list(tmp_path.rglob("*.xz"))) == 2 and len(read_decisions(tmp_path)) == 2


def test_no_folder_no_decisions(tmp_path):
    assert read_decisions(tmp_path / "nowhere") == {}


def test_a_track_that_strays_out_of_the_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="is not written name@version"):
        write_decisions([("../a@1", "1" * 64, ONE)], tmp_path / "in")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("line", ["[]", "{}", "no JSON", '{"kept":{},"masks":{},"record_sha256":1}', '{"kept":{}}'])
def test_a_line_that_is_no_decision_is_named(tmp_path, line):
    path = write_lines([line], tmp_path / "a@1")
    with pytest.raises(InputError, match=f"{path.name[:20]}.*, line 1 is not a decision"):
        read_decisions(tmp_path)


def test_an_edited_pack_and_a_second_decision_break_the_rule(tmp_path):
    (path,) = write_decisions([("a@1", "1" * 64, ONE)], tmp_path)
    text = lzma.decompress(path.read_bytes())
    write_lines([text.decode().strip(), '{"kept":{},"masks":{},"record_sha256":"' + "2" * 64 + '"}'], tmp_path / "a@1")
    with pytest.raises(RuleBroken, match="decides for record 111111111111 a second time"):
        read_decisions(tmp_path)
    path.write_bytes(lzma.compress(text.replace(b"[0,2]", b"[0,3]")))
    with pytest.raises(RuleBroken, match="it was edited"):
        read_decisions(tmp_path)


def compression(total, kept):
    return Compression(None, 0.5, 1.0, 0.5, 1, 1, 1, 1, "global", {"a": kept}, {"a": total})


@settings(max_examples=100, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(-1, 1))
def test_a_mask_agrees_when_it_keeps_as_many_weights_as_the_record_says(bits, off):
    mask = {"bits": pack_correctness(np.array(bits)), "shape": [len(bits), 1]}
    why = disagreement(compression(len(bits), sum(bits) + off), {"kept": {}, "masks": {"a": mask}})
    assert why == ("" if off == 0 else f"layer a keeps {sum(bits) + off} by the record, {sum(bits)} by the decision")


@pytest.mark.parametrize(
    "decided",
    [
        {}, {"kept": {}}, {"kept": [], "masks": {}}, {"kept": {"b": [0]}, "masks": {}},
        {"kept": {"a": [1, 1]}, "masks": {}}, {"kept": {"a": [2, 1]}, "masks": {}}, {"kept": {"a": [8]}, "masks": {}},
        {"kept": {"a": [-1]}, "masks": {}}, {"kept": {"a": [True]}, "masks": {}}, {"kept": {"a": 1}, "masks": {}},
        {"kept": {"a": ["0"]}, "masks": {}}, {"kept": {}, "masks": {"a": {"bits": "gA==", "shape": [9]}}},
        {"kept": {}, "masks": {"a": {"bits": "!", "shape": [8]}}}, {"kept": {}, "masks": {"a": None}},
        {"kept": {}, "masks": {"a": {"bits": "gAA=", "shape": [8]}}},
        {"kept": {}, "masks": {"a": {"bits": "gA==", "shape": ["8"]}}},
    ],
)  # fmt: skip
def test_a_decision_that_is_none_is_malformed_and_never_a_fault(decided):
    assert disagreement(compression(8, 1), decided).startswith("it is malformed (")


def test_bits_behind_the_last_weight_are_noticed():
    mask = {"bits": base64.b64encode(b"\x90").decode(), "shape": [3]}
    assert "bits behind the last weight" in disagreement(compression(3, 1), {"kept": {}, "masks": {"a": mask}})


def test_a_layer_without_a_decision_keeps_everything():
    assert disagreement(compression(8, 8), {"kept": {}, "masks": {}}) == ""
    assert "keeps 1 by the record, 8 by the decision" in disagreement(compression(8, 1), {"kept": {}, "masks": {}})
