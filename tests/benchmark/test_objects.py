"""Results in an object store, on one in memory: whole or not there, verified, and the first one stands."""

import dataclasses
import io
import tarfile
from pathlib import Path

import pytest
from support.objects import in_memory
from support.stored import KEY

from prunemark.benchmark.trial.entry import MANIFEST
from prunemark.benchmark.trial.object_leases import Leases
from prunemark.benchmark.trial.objects import Away, address_in, objects_at
from prunemark.benchmark.trial.store import Store
from prunemark.records.record import dump
from prunemark.setups.errors import EXTRAS, InputError

OBJECT = f"store/{KEY}.tar"


@pytest.fixture
def objects():
    return in_memory()


@pytest.fixture
def said():
    return []


@pytest.fixture
def machine(tmp_path, objects, said):
    """machine(name) -> the store of one machine, with what another sees of the object store."""
    return lambda name: Store(tmp_path / name / "store", said.append, in_memory(objects.root))


def put(store, content=b"weights"):
    with store.writing(KEY) as draft:
        (draft / "a.bin").write_bytes(content)
        (draft / "train.json").write_text("{}")


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_one_machine_made_another_reads_bit_for_bit(machine, objects):
    put(mine := machine("a"))
    assert mine.others.give_new(mine) == [] and mine.others.give_new(mine) == []
    theirs = machine("b")
    assert files(theirs.read(KEY)) == files(mine.path(KEY)) and MANIFEST in files(theirs.path(KEY))
    assert theirs.read_part(KEY, "a.bin") and theirs.read("c" * 64) is None
    assert [name.removeprefix(f"{objects.root}/") for name in objects.fs.find(objects.root)] == [OBJECT]


def test_the_first_one_that_is_sent_stands(machine):
    put(first := machine("a"), b"first")
    put(second := machine("b"), b"second")
    assert first.others.give_new(first) == [] and second.others.give_new(second) == [KEY]
    assert (machine("c").read(KEY) / "a.bin").read_bytes() == b"first"


def test_an_upload_that_is_cut_short_leaves_nothing_and_is_made_again(machine, objects, monkeypatch):
    put(mine := machine("a"))
    with monkeypatch.context() as patch, pytest.raises(Away, match=r"cannot be used now: the line is dead"):
        patch.setattr(type(objects.fs), "put_file", lambda *_, **__: (_ for _ in ()).throw(OSError("the line is dead")))
        mine.others.give_new(mine)
    assert objects.fs.find(objects.root) == [] and machine("b").read(KEY) is None
    assert mine.others.give_new(mine) == [] and machine("b").read(KEY)


def archive(**members):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as made:
        for name, text in members.items():
            about = tarfile.TarInfo(name.replace("_UP_", "../"))
            about.size = len(text)
            about.type = tarfile.SYMTYPE if name.startswith("link") else tarfile.REGTYPE
            about.linkname = "/etc/passwd" if name.startswith("link") else ""
            made.addfile(about, io.BytesIO(text))
    return content.getvalue()


@pytest.mark.parametrize("how", ["flipped", "cut", "empty", "outside", "link", "no manifest"])
def test_an_object_that_was_tampered_with_is_refused_and_set_aside(machine, objects, said, tmp_path, how):
    put(mine := machine("a"))
    mine.others.give_new(mine)
    whole = objects.fs.cat_file(f"{objects.root}/{OBJECT}")
    changed = {
        "flipped": whole.replace(b"weights", b"weighty"), "cut": whole[:700], "empty": b"",
        "outside": archive(_UP_evil=b"x"), "link": archive(link=b""), "no manifest": archive(a=b"x"),
    }[how]  # fmt: skip
    objects.fs.pipe_file(f"{objects.root}/{OBJECT}", changed)
    theirs = machine("b")
    assert theirs.read(KEY) is None and len(said) == 1 and f"{OBJECT} is refused (" in said[0], said
    assert not list(tmp_path.rglob("evil")) and not any(theirs.path(KEY).parent.iterdir())
    (aside,) = objects.fs.find(objects.root)
    assert "/refused/" in aside and objects.fs.cat_file(aside) == changed
    put(theirs)
    assert theirs.others.give_new(theirs) == [] and machine("c").read(KEY), "it is made again"


def test_damage_here_is_mended_from_there(machine, said):
    put(mine := machine("a"))
    mine.others.give_new(mine)
    (mine.path(KEY) / "a.bin").write_bytes(b"flipped")
    assert (mine.read(KEY) / "a.bin").read_bytes() == b"weights" and "was damaged" in said[0]


def test_what_is_forgotten_or_discarded_comes_not_back(machine):
    put(mine := machine("a"))
    for away in (mine.forget, lambda key: mine.discard(key, "of another")):
        mine.others.give_new(mine)
        away(KEY)
        assert mine.read(KEY) is None and machine("b").read(KEY) is None
        put(mine)


def test_prepared_data_stay_where_they_are(machine, objects):
    mine = machine("a")
    with mine.writing(KEY) as draft:
        (draft / "train.safetensors").write_bytes(b"images")
    mine.others.give_new(mine)
    assert objects.fs.find(objects.root) == []


def test_records_come_and_go_and_one_that_was_edited_is_refused(objects, tmp_path, make_record, said):
    first, second = (make_record(key=key) for key in ("one", "two"))
    for record, place in ((first, "records"), (second, "reproductions/table6/records")):
        path = tmp_path / "a" / place / f"{record.record_sha256}.json"
        path.parent.mkdir(parents=True)
        path.write_text(dump(record))
    (tmp_path / "a" / "records" / "note.json").write_text("{}")
    objects.give_files(tmp_path / "a")
    names = [name.removeprefix(f"{objects.root}/") for name in objects.fs.find(objects.root)]
    assert names == [f"records/{first.record_sha256}.json", f"reproductions/table6/records/{second.record_sha256}.json"]
    objects.fs.pipe_file(f"{objects.root}/{names[0]}", dump(second).encode())
    in_memory(objects.root).fetch_files(tmp_path / "b", said.append)
    assert [str(path.relative_to(tmp_path / "b")) for path in (tmp_path / "b").rglob("*.json")] == names[1:]
    assert len(said) == 1 and f"{names[0]} is refused: " in said[0]


def test_one_holds_a_lease_and_a_dead_one_is_taken_over_by_the_clock_of_who_waits(objects):
    now = [1000.0]
    mine, theirs = Leases(objects), Leases(in_memory(objects.root), lambda: now[0])
    assert mine.try_lease("x") and mine.try_lease("x") and not theirs.try_lease("x")
    now[0] += 119
    assert not theirs.try_lease("x")
    objects.fs.pipe_file(f"{objects.root}/leases/x", b"touched by its holder")
    now[0] += 119
    assert not theirs.try_lease("x"), "it was alive two minutes ago"
    now[0] += 121
    assert theirs.try_lease("x")
    theirs.let_go("x")
    assert objects.fs.find(objects.root) == [] and Leases(objects).try_lease("x")


def test_leases_end_with_their_holder_and_nobody_waits_for_a_store_that_is_away(objects, monkeypatch):
    with Leases(objects) as mine:
        assert mine.try_lease("x")
        assert objects.fs.find(objects.root)
    assert objects.fs.find(objects.root) == []
    monkeypatch.setattr(type(objects.fs), "pipe_file", lambda *_, **__: 1 / 0)
    assert Leases(objects).try_lease("y")


def test_an_address_is_one_or_is_refused_with_what_is_allowed():
    assert (
        address_in("s3://lab/pruning/2026/")
        == address_in(str(Path("s3://lab/pruning/2026")))
        == "s3://lab/pruning/2026"
    )
    assert address_in("gs://lab") == "gs://lab"
    assert address_in("/home/me/s3") == address_in("prunemark-home") == ""
    for wrong in (
        "az://lab/x",
        "http://lab/x",
        "s3://",
        "s3://lab/../x",
        "s3://Lab/x",
        "s3://key:secret@lab/x",
        "s3://l/?x",
    ):
        with pytest.raises(InputError, match=r"Give s3://bucket/folder or gs://bucket/folder, or a folder") as problem:
            address_in(wrong)
        assert "secret" not in str(problem.value)


@pytest.mark.parametrize("kind", ["s3", "gs"])
def test_a_package_that_is_missing_is_named_with_what_installs_it(kind, monkeypatch):
    monkeypatch.setitem(EXTRAS, kind, ("no_such_module_here",))
    with pytest.raises(
        InputError, match=rf"a home at {kind}:// needs packages .*\n.*pip install 'prunemark\[{kind}\]'"
    ):
        objects_at(f"{kind}://a-bucket/x")


def test_a_secret_key_is_in_no_error(objects, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-s3cret-key")
    monkeypatch.setattr(type(objects.fs), "find", lambda *_: Path("very-s3cret-key").stat())
    with pytest.raises(Away) as problem:
        dataclasses.replace(objects).look()
    assert "very-s3cret-key" not in str(problem.value) and "***" in str(problem.value)
