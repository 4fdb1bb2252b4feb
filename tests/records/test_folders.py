"""Which folder is meant by what a user gives, also by the paths of older versions."""

import pytest

from prunemark.records.folders import board_folder, records_folder


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "leaderboard" / "board" / "records").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    "given", ["leaderboard", "leaderboard/board", "leaderboard/board/records", "leaderboard/records"]
)
def test_every_way_to_name_a_repositorys_records_leads_to_them(repository, given):
    assert records_folder(repository / given) == repository / "leaderboard" / "board" / "records"


def test_a_board_is_the_folder_that_holds_records(repository):
    board = repository / "leaderboard" / "board"
    assert board_folder(repository / "leaderboard") == board_folder(board) == board


def test_what_is_not_there_stays_as_it_was_given(tmp_path):
    assert records_folder(tmp_path / "records") == tmp_path / "records"
    assert records_folder(tmp_path / "nowhere") == tmp_path / "nowhere"
