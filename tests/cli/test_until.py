"""`submit --until decided`: which seeds it adds, when it ends, and with what code. Trials are pretended but for one."""

import pytest
from support.pretended_trials import ANCHOR, MINE, Pretended, planned, request

from prunemark.benchmark.run.home import home_at, open_home
from prunemark.cli.rounds import Limits
from prunemark.cli.until import until_decided
from prunemark.setups.errors import InputError


@pytest.fixture
def pretended(make_record, tmp_path):
    return lambda differences, **how: Pretended(open_home(home_at(tmp_path / "home")), make_record, differences, **how)


def until(p, levels=("50%", "90%"), max_seeds=60, hours=None):
    asked = request(levels, min(5, max_seeds))
    return until_decided(
        asked, MINE, planned(asked), p.home, p.run,
        limits=Limits(max_seeds, hours), workers=p.workers, say=p.said.append, clock=p.clock,
    )  # fmt: skip


def test_seeds_are_added_where_a_verdict_is_open_and_nowhere_else(pretended):
    p = pretended({"50%": 8.0, "90%": 0.9})
    ended = until(p)
    assert ended.decided
    assert p.seeds("50%") == p.seeds("50%", ANCHOR) == list(range(len(p.seeds("50%"))))
    assert p.seeds("90%") == p.seeds("90%", ANCHOR) == list(range(len(p.seeds("90%"))))
    assert 5 <= len(p.seeds("50%")) < len(p.seeds("90%")) < 60
    assert "2 of 2 comparisons decided" in p.said[-1] and "Mine 50%: better, +" in p.said[-1]
    assert "open with 5 seeds, about" in p.said[0] and "minutes here" in p.said[0]


def test_equivalence_is_decided_too(pretended):
    p = pretended({"90%": 0.05}, sd=0.5)
    assert until(p, ["90%"]).decided
    assert "Mine 90%: equivalent" in p.said[-1]


def test_a_second_call_runs_nothing_that_is_stored(pretended):
    first = pretended({"50%": 8.0, "90%": 0.9})
    until(first)
    again = pretended({"50%": 8.0, "90%": 0.9})
    assert until(again).decided
    assert again.ran == [] and len(again.said) == 1


def test_an_interrupted_run_goes_on_where_it_was(pretended):
    whole = pretended({"90%": 1.2}, sd=1.2)
    assert not until(whole, ["90%"], max_seeds=7).decided
    more = pretended({"90%": 1.2}, sd=1.2)
    assert until(more, ["90%"]).decided
    assert more.seeds("90%")[0] == 7 and more.seeds("90%", ANCHOR)[0] == 7


def test_it_ends_undecided_when_the_seeds_are_spent(pretended):
    p = pretended({"90%": 0.5}, sd=3.0)
    assert not until(p, ["90%"], max_seeds=11).decided
    assert p.seeds("90%") == list(range(11))
    assert p.said[-1].startswith("end: 0 of 1 comparisons decided; for the rest about")


def test_it_ends_undecided_when_the_hours_are_spent(pretended):
    p = pretended({"50%": 0.5, "90%": 0.5}, sd=3.0, slower=2.0)
    hours = 0.05
    assert not until(p, hours=hours, max_seeds=1000).decided
    assert 0.5 * hours * 3600 < p.now < 1.2 * hours * 3600


def test_under_a_limit_of_hours_the_first_seed_says_how_many_fit(pretended):
    p = pretended({"90%": 0.5}, sd=3.0, slower=100.0, recorded=100.0)
    assert not until(p, ["90%"], hours=0.1, max_seeds=1000).decided
    assert p.seeds("90%") == [0]


def test_the_best_value_comes_first(pretended):
    p = pretended({"50%": 0.55, "90%": 2.0}, sd=1.0, slower=200.0)
    until(p, hours=10)
    later = [trial.level.name for new in p.rounds[2:] for trial in new]  # the first is alone, and then the others fit
    assert later.index("90%") < later.index("50%")


def test_a_comparison_that_more_seeds_do_not_move_is_left_and_said(pretended, monkeypatch):
    p = pretended({"90%": 0.5}, sd=3.0)
    run = p.run
    monkeypatch.setattr(p, "run", lambda trials: run(trials) if trials[0].seed < 5 else [None] * len(trials))
    assert not until(p, ["90%"]).decided
    assert "more seeds do not move 1" in p.said[-1] and len(p.said) == 2


def test_the_anchor_has_no_verdict(pretended):
    p = pretended({})
    asked = request(["90%"])
    with pytest.raises(InputError, match="is the anchor"):
        until_decided(
            asked, ANCHOR, [t for t in planned(asked) if t.entrant == ANCHOR], p.home, p.run,
            limits=Limits(), workers=2, say=p.said.append, clock=p.clock,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--until", "decided", "--seeds", "5"], "leave --seeds out"),
        (["--until", "tomorrow"], "--until takes the word decided"),
        (["--max-seeds", "9"], "limits a run with --until decided"),
        (["--hours", "0"], "above 0"),
        (["--until", "decided", "--max-seeds", "2"], "from 3 to 1000"),
        (["--until", "decided", "--hours", "0"], "above 0"),
    ],
)
def test_words_that_contradict_each_other(prunemark, words, expected):
    code, _, err = prunemark("submit", "L2-norm", "--track", "digits-resnet8", *words)
    assert code == 2 and expected in err


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Of the same real trials, which run once."""
    return tmp_path_factory.mktemp("until") / "home"


def test_on_real_trials_it_ends_with_the_code_of_its_end(quick_prunemark, home):
    words = ["submit", "FPGM", "--track", "quick", "--level", "50%", "--until", "decided", "--home", home]
    code, out, err = quick_prunemark(*words, "--max-seeds", "3")
    assert code == 4, err
    assert "end: 0 of 1 comparisons decided" in err and "undetermined" in out
    code, _, err = quick_prunemark(*words, "--max-seeds", "3")
    assert code == 4 and "nothing to run" in err


def test_the_python_api_takes_the_same_words(quick_prunemark, home):
    import prunemark

    with pytest.raises(InputError, match="leave --seeds out"):
        prunemark.submit("FPGM", "quick", seeds=3, until="decided")
    found = prunemark.submit("FPGM", "quick", levels=["50%"], until="decided", max_seeds=3, home=home)
    assert found.decided is False and {record.outcome.seed for record in found.records} == {0, 1, 2}
