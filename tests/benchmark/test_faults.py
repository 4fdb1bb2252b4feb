"""A fault and then the same command again: the same records, and nothing left. `make torture` has hundreds."""

import pytest
from support import torture
from support.faults import BETWEEN, DURING


@pytest.mark.slow
def test_a_run_whose_processes_are_all_killed_ends_as_if_nothing_had_been(capsys):
    assert torture.torture(1, 3, ["kill_everything"]) == 0
    assert "1 of 1 faults survived" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("clock_jumps", [False, True])
def test_every_kind_of_fault_is_survived(capsys, clock_jumps):
    kinds = [*DURING, *BETWEEN]
    lost = torture.torture(len(kinds), 11, kinds, clock_jumps=clock_jumps)
    assert lost == 0, capsys.readouterr().out


def test_what_was_not_survived_is_seen(monkeypatch, capsys):
    """Else the tests above could not fail: a record that differs, a file that stays, a command that never ends well."""
    monkeypatch.setattr(torture, "to_the_end", lambda *_: (1, ""))
    monkeypatch.setattr(torture, "outcomes", lambda home: {"trial": str(home)})
    monkeypatch.setitem(BETWEEN, "lose_file", lambda *_: "nothing")
    assert torture.torture(2, 0, ["lose_file"]) == 2 and "other records" in capsys.readouterr().out
    monkeypatch.setattr(torture, "outcomes", lambda home: {})
    monkeypatch.setattr(torture, "leftovers", lambda places: ["a draft"])
    assert torture.torture(1, 0, ["lose_file"]) == 1 and "left: ['a draft']" in capsys.readouterr().out
    monkeypatch.setattr(torture, "leftovers", lambda places: [])
    assert torture.torture(1, 0, ["lose_file"]) == 0
    monkeypatch.setattr(torture, "to_the_end", lambda *_: (4, "exit 1"))
    with pytest.raises(SystemExit, match="does not end: exit 1"):
        torture.torture(1, 0, ["lose_file"])
