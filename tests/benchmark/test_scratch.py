"""The scratch folder of a child: what counts in it, and that it is taken away whatever was made of it."""

import os
from pathlib import Path

import pytest

from prunemark.benchmark.sandbox import scratch
from prunemark.benchmark.sandbox.child import ChildFailed, Limits, run_in_child
from prunemark.benchmark.sandbox.machine import can_be_written
from prunemark.benchmark.sandbox.scratch import remove, scratch_folder, why_too_much
from prunemark.setups.errors import WorkFailed


def nest(folder, depth):
    here = Path.cwd()
    os.chdir(folder)
    for _ in range(depth):
        Path("deep" * 4).mkdir()
        os.chdir("deep" * 4)
    Path("file").write_text("x")
    os.chdir(here)


def test_folders_deeper_than_a_path_can_be_are_refused_and_taken_away():
    with scratch_folder() as folder:
        nest(folder, 400)
        assert why_too_much(folder, 1 << 30) == "it made a folder that cannot be looked into: File name too long"
    assert not folder.exists()


def test_folders_and_files_count_alike(monkeypatch):
    monkeypatch.setattr(scratch, "MOST_ENTRIES", 10)
    with scratch_folder() as folder:
        for number in range(6):
            (folder / f"folder{number}").mkdir()
            assert why_too_much(folder, 1 << 30) == ""
        for number in range(6):
            (folder / f"folder{number}" / "file").touch()
        assert why_too_much(folder, 1 << 30) == "it left 0 MiB in 11 files, more than a trial grants"
    assert not folder.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root looks into every folder")
def test_a_folder_that_cannot_be_looked_into_is_refused_and_taken_away():
    with scratch_folder() as folder:
        (folder / "closed").mkdir()
        (folder / "closed" / "inner").mkdir()
        (folder / "closed").chmod(0o300)
        assert why_too_much(folder, 1 << 30).startswith("it made a folder that cannot be looked into")
    assert not folder.exists()


def test_files_without_a_name_count_as_long_as_they_are_open():
    with scratch_folder() as folder, (folder / "file").open("wb") as file:
        file.write(bytes(1 << 22))
        file.flush()
        (folder / "file").unlink()
        assert why_too_much(folder, 1 << 21) == ""
        assert why_too_much(folder, 1 << 21, os.getpid()).startswith("it left 4 MiB")


def test_names_that_are_no_text_are_taken_away():
    with scratch_folder() as folder:
        for name in (b"\xff\xfe", b"a\nb", b"x" * 255):
            os.mkdir(os.fsencode(folder) + b"/" + name)  # noqa: PTH102
            Path(os.fsdecode(os.fsencode(folder) + b"/" + name), "file").touch()
    assert not folder.exists()


def test_a_link_is_removed_and_not_followed(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / "link").symlink_to(tmp_path / "kept")
    remove(tmp_path / "scratch")
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "file"]


def full():
    raise OSError(28, "No space left on device")


def test_that_the_disk_is_full_is_tried_where_a_stranger_says_so(tmp_path, monkeypatch):
    from prunemark.benchmark.sandbox import child
    from prunemark.benchmark.sandbox.confinement import Confinement, isolation_here

    with pytest.raises(WorkFailed, match="could not write"):
        run_in_child(full, scratch=tmp_path, limits=Limits(30.0))
    assert can_be_written(tmp_path) and not list(tmp_path.glob("probe-*"))
    confinement = Confinement(isolation_here())
    (first := tmp_path / "first").mkdir()
    (second := tmp_path / "second").mkdir()
    with pytest.raises(ChildFailed, match="No space left") as caught:
        run_in_child(full, scratch=first, limits=Limits(30.0), confinement=confinement)
    assert caught.value.rule == child.RAISED
    monkeypatch.setattr(child, "can_be_written", lambda _: False)
    with pytest.raises(WorkFailed, match="could not write"):
        run_in_child(full, scratch=second, limits=Limits(30.0), confinement=confinement)


def test_an_author_is_told_what_a_method_may_read(tmp_path):
    """The same of what is not there: a file beside the method's is not handed over."""
    from prunemark.benchmark.sandbox.confinement import Confinement, isolation_here

    for place in ("/none/there", tmp_path / "beside.npz"):
        with pytest.raises(ChildFailed, match="A method reads installed packages, the Python files that it imports"):
            run_in_child(
                (tmp_path / place).read_bytes, scratch=tmp_path, limits=Limits(30.0),
                confinement=Confinement(isolation_here()),
            )  # fmt: skip


def test_locks_copies_and_flags_of_files_still_work(tmp_path):
    import fcntl

    from prunemark.benchmark.sandbox.confinement import Confinement, isolation_here

    def work():
        with Path("file").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL))
            os.close(os.dup(file.fileno()))
            assert os.get_inheritable(file.fileno()) is False

    run_in_child(work, scratch=tmp_path, limits=Limits(30.0), confinement=Confinement(isolation_here()))
