"""Terms of execution: what may be stated, what a track on them is called, and that nothing changes without them."""

from __future__ import annotations

import dataclasses

import pytest

from prunemark.setups.errors import InputError
from prunemark.setups.execution import (
    FIELDS,
    IN_WORDS,
    WORDS,
    Execution,
    check_runs_on,
    execution_from_dict,
    execution_of,
    in_words,
    read_words,
    with_execution,
)
from prunemark.setups.track_files import find_track, known_track, text_of, track_from_file
from prunemark.setups.track_text import as_toml

PLAIN = find_track("digits-resnet8")


def test_every_value_has_words_and_no_word_means_two() -> None:
    assert {(name, value) for name, values in FIELDS.items() for value in values} == set(IN_WORDS)
    assert len(set(WORDS.values())) == len(WORDS)
    assert set(IN_WORDS) - set(WORDS.values()) == {("compile", "off")}


def test_a_track_on_other_terms_is_another_track_that_is_the_same_in_all_else() -> None:
    found = find_track("digits-resnet8+compile+bf16")
    assert found.id == f"digits-resnet8+bf16+compile@{PLAIN.version}"
    assert found.title == f"{PLAIN.title}; bf16 autocast, torch.compile"
    changed = {name for name, value in found.as_dict().items() if PLAIN.as_dict().get(name) != value}
    assert changed == {"name", "title", "execution"}
    assert find_track(found.id) == known_track(found.id) == found


def test_released_tracks_state_none_and_are_as_they_were() -> None:
    assert PLAIN.execution is None and "execution" not in PLAIN.as_dict()
    assert with_execution(PLAIN, []) is PLAIN


@pytest.mark.parametrize("words", [["bf16"], ["compile"], ["deterministic", "bf16"]])
def test_a_promise_of_equal_bits_elsewhere_ends_with_a_compiler_and_with_bf16(words: list[str]) -> None:
    assert find_track("digits-mlp7").arithmetic == "portable"
    assert with_execution(find_track("digits-mlp7"), words).arithmetic is None
    assert with_execution(find_track("digits-mlp7"), ["contiguous", "deterministic"]).arithmetic == "portable"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bf17"], "unknown term of execution 'bf17'. Did you mean 'bf16'"),
        (["bf16", "tf32"], "precision is one of float32 or tf32 or bf16; given more than one"),
        (["compile", "reduce-overhead"], "compile is one of compile or reduce-overhead"),
    ],
)
def test_words_that_mean_nothing_or_exclude_each_other_are_refused(words: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        execution_of(words)
    with pytest.raises(InputError, match=said):
        find_track("+".join(("digits-resnet8", *words)))


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"precision": "fp16"}, "execution.precision is one of float32, tf32, bf16"),
        ({"deterministic": 1}, "execution.deterministic is one of true, false"),
        ({"deterministic": "yes"}, "execution.deterministic is one of true, false"),
        ({"compile": True}, "execution.compile is one of off, default, reduce-overhead"),
        ({"precision": ["bf16"]}, "execution.precision is one of"),
        ({"speed": "high"}, "execution has no speed. It has precision"),
        ("bf16", "execution is a table of precision"),
    ],
)
def test_a_file_that_states_anything_else_is_refused(stated: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        execution_from_dict(stated)


def own(tmp_path, lines: str, name: str = "digits-resnet8"):  # type: ignore[no-untyped-def]
    text = text_of(name).replace(f'name = "{name}"', 'name = "mine"')
    (tmp_path / "mine.toml").write_text(f"{text}\n[execution]\n{lines}\n")
    return str(tmp_path / "mine.toml")


def test_what_a_track_states_holds_for_everybody(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = own(tmp_path, 'precision = "bf16"\ndeterministic = true')
    found = find_track(file)
    assert found.execution == Execution(precision="bf16", deterministic=True)
    assert with_execution(found, ["bf16"]) is found
    with pytest.raises(InputError, match="states its terms of execution, which hold for everybody: bf16 autocast"):
        find_track(f"{file}+compile")
    (tmp_path / "again.toml").write_text(as_toml(found))
    assert track_from_file(tmp_path / "again.toml") == found


def test_a_users_track_can_be_asked_for_on_other_terms(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "c++").mkdir()
    file = own(tmp_path / "c++", "")
    assert find_track(file).execution is None
    assert find_track(f"{file}+contiguous").name == "mine+contiguous"


def test_terms_that_contradict_the_track_are_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="gives the same bits on other processors, and bf16 does not"):
        find_track(own(tmp_path, 'precision = "bf16"', "digits-mlp7"))
    theirs = dataclasses.replace(PLAIN, name="theirs", network="model.py:build")
    with pytest.raises(InputError, match="confined process, which starts no compiler"):
        with_execution(theirs, ["compile"])


@pytest.mark.parametrize("word", ["tf32", "reduce-overhead", "any-order"])
def test_what_only_a_gpu_has_is_refused_on_a_cpu(word: str) -> None:
    track = find_track(f"digits-resnet8+{word}")
    with pytest.raises(InputError, match="needs a GPU: give --device cuda"):
        check_runs_on(track, "cpu")
    check_runs_on(track, "cuda:1")


def test_only_what_changes_numbers_is_in_a_key() -> None:
    stated = Execution("float32", "channels_last", "off", True)
    assert stated.numbers("cpu") == {"deterministic": True}
    assert stated.numbers("cuda") == {"precision": "float32", "deterministic": True}  # torch's own choice is TF32
    assert execution_of(["bf16", "contiguous"]).numbers("cpu") == {"precision": "bf16", "memory_format": "contiguous"}


def test_an_option_is_read_with_commas_and_repeated() -> None:
    assert read_words(["bf16, compile", "contiguous"]) == ("bf16", "compile", "contiguous")
    assert read_words([" ,"]) == ()


def test_a_strangers_terms_are_shown_and_end_nothing() -> None:
    assert in_words({}) == in_words({"execution": "bf16"}) == ""
    assert (
        in_words({"execution": {"precision": "fp8\x1b", "x": [1], "compile": "default"}})
        == "precision fp8?, torch.compile"
    )


@pytest.mark.parametrize("id", ["digits-resnet8+compile+bf16@1", "digits-resnet8+bf17@1", "nothing+bf16@1", "a+b"])
def test_no_other_spelling_is_a_known_track(id: str) -> None:
    assert known_track(id) is None
