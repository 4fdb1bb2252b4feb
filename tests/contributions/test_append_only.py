"""A board's folder only grows: what may be added, and what is noticed."""

import shutil

import pytest

from prunemark.contributions.append_only import DRAWS, INVALIDATIONS, KEEPERS, Additions, additions

SHA = "ab" * 32
PACK = f"records/digits-resnet8@1/{SHA}.jsonl.xz"


@pytest.fixture
def boards(tmp_path):
    """(folder, base): two boards that hold the same."""
    base = tmp_path / "base"
    for name in (PACK, f"methods/{SHA}.json", f"decisions/digits-resnet8@1/{SHA}.jsonl.xz", "records/old.jsonl.xz"):
        add(base, name)
    add(base, INVALIDATIONS, "one\n")
    shutil.copytree(base, tmp_path / "now")
    return tmp_path / "now", base


def add(folder, name, content="content"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_nothing_new_is_nothing_broken(boards):
    assert additions(*boards) == additions(boards[0], boards[0])
    assert (additions(*boards).added, additions(*boards).broken) == ((), ())


def test_what_a_board_has_may_be_added_to_it_and_to_an_empty_one(boards, tmp_path):
    names = sorted([f"records/x@2/{SHA}.jsonl.xz", f"methods/{'cd' * 32}.json", "releases/2026.1.json"])
    for name in names:
        add(boards[0], name)
    assert additions(*boards).added == tuple(names) and not additions(*boards).broken
    shutil.rmtree(boards[0] / "records"), shutil.rmtree(boards[0] / "decisions")
    found = additions(boards[0], tmp_path / "nowhere")
    assert len(found.added) == 3 and not found.broken


def test_what_lies_elsewhere_in_the_folder_is_not_looked_at(boards):
    add(boards[0], "BOARD.md")
    add(boards[0], "site/page.py")
    assert additions(*boards).added == ()


@pytest.mark.parametrize("name", [PACK, f"methods/{SHA}.json", "records/old.jsonl.xz", INVALIDATIONS])
def test_what_was_there_is_neither_removed_nor_changed(boards, name):
    add(boards[0], name, "other")
    assert [found for found in additions(*boards).broken if found.startswith(f"{name} was changed")]
    (boards[0] / name).unlink()
    assert [found for found in additions(*boards).broken if found.startswith(f"{name} was removed")]


def test_invalidations_are_added_at_the_end_alone(boards):
    add(boards[0], INVALIDATIONS, "one\ntwo\n")
    assert not additions(*boards).broken
    add(boards[0], INVALIDATIONS, "two\none\n")
    assert additions(*boards).broken == (f"{INVALIDATIONS} was changed. Lines are only added at its end",)


@pytest.mark.parametrize(
    "name",
    [
        "records/x.py", f"records/{SHA}.jsonl.xz", f"records/x@1/deeper/{SHA}.jsonl.xz", "records/x@1/short.jsonl.xz",
        f"methods/{SHA}.py", f"methods/x/{SHA}.json", "releases/a/b.json", "decisions/x@1/note.txt", "methods/.hidden",
        f"records/..@1/{SHA}.jsonl.xz", f"records/x@1/{SHA.upper()}.jsonl.xz", "records/x@1/.draft-1",
    ],
)  # fmt: skip
def test_a_file_of_another_name_is_not_a_board_s(boards, name):
    add(boards[0], name)
    assert [found for found in additions(*boards).broken if found.startswith(f"{name} is not a file of a board")]


def test_links_are_refused_wherever_they_lead(boards):
    folder, base = boards
    (folder / "methods" / f"{'ef' * 32}.json").symlink_to(folder / PACK)
    (folder / "records" / "y@1").symlink_to(base / "records")
    (folder / PACK).unlink()
    (folder / PACK).symlink_to(base / PACK)
    (folder / "releases").symlink_to(base)
    found = additions(folder, base).broken
    assert len([text for text in found if text.endswith("is a link, or no plain file")]) == 4


@pytest.mark.parametrize("name", KEEPERS)
def test_what_only_maintainers_write_is_not_written_by_a_contribution(boards, name):
    folder, base = boards
    said = (f"{name} {KEEPERS[name]}",)
    add(folder, name)
    assert additions(folder, base).broken == said and additions(folder, base).added == ()
    add(base, name)
    assert additions(folder, base).broken == ()
    add(folder, name, "content and more")
    assert additions(folder, base).broken == said
    (folder / name).unlink()
    assert additions(folder, base).broken == said
    (folder / name).symlink_to(base / name)
    assert additions(folder, base).broken == said, "a link to what is there is not what is there"
    (base / name).unlink()
    assert additions(folder, base).broken == said


def test_the_first_contribution_makes_a_board_of_a_folder_and_draws_no_seeds(tmp_path):
    for name in (PACK, "board.toml"):
        add(tmp_path / "board", name)
    assert additions(tmp_path / "board", tmp_path / "empty") == Additions((PACK,), ())
    add(tmp_path / "board", DRAWS)
    assert additions(tmp_path / "board", tmp_path / "empty").broken == (f"{DRAWS} {KEEPERS[DRAWS]}",)
