"""The order of passes and what is taken of them, with a clock that only these tests turn."""

import pytest

from prunemark.benchmark.metering import in_turns
from prunemark.benchmark.metering.in_turns import ORDERS, block_count, pass_count, time_in_turns
from prunemark.records.speed import speed_of


class Machine:
    """Three networks that take so many seconds a pass; `when(now)` is how much slower everything is."""

    def __init__(self, dense=0.004, again=0.004, pruned=0.002, when=lambda passes: 1.0):
        self.now, self.order, self.when = 0.0, [], when
        self.seconds = {"dense": dense, "again": again, "pruned": pruned}

    def run(self, name):
        def one_pass():
            self.order.append(name)
            self.now += self.seconds[name] * self.when(len(self.order))

        return one_pass

    def timed(self):
        return time_in_turns(*map(self.run, self.seconds), lambda: self.now)


def visits(order, passes):
    """The order after the warm-up and the first look at the dense network, a visit each."""
    measured = order[3 * in_turns.WARM_UP + in_turns.FEWEST_PASSES :]
    assert len(measured) % passes == 0
    names = [measured[i : i + passes] for i in range(0, len(measured), passes)]
    assert all(len(set(each)) == 1 for each in names), "a visit is of one network"
    return [each[0] for each in names]


def test_blocks_go_through_all_orders_so_each_network_is_everywhere_and_after_every_other():
    machine = Machine()
    blocks, passes = machine.timed()
    assert (len(blocks.dense_ms), passes) == (36, 3)
    found = visits(machine.order, passes)
    assert len(found) == 36 * 3
    rounds = [tuple(found[i : i + 3]) for i in range(0, len(found), 3)]
    names = ("dense", "again", "pruned")
    assert rounds == [tuple(names[i] for i in order) for order in ORDERS] * 6
    for name in names:
        assert [sum(each[place] == name for each in rounds) for place in range(3)] == [12, 12, 12]


def test_times_are_read_from_the_clock():
    blocks, _ = Machine().timed()
    assert blocks.dense_ms == pytest.approx([4.0] * 36) and blocks.pruned_ms == pytest.approx([2.0] * 36)
    assert speed_of(blocks).speedup.median == pytest.approx(2.0) and speed_of(blocks).withheld == ""


def test_one_interrupted_pass_of_a_visit_does_not_count():
    blocks, _ = Machine(when=lambda passes: 50.0 if passes % 3 == 0 else 1.0).timed()
    assert blocks.dense_ms == pytest.approx([4.0] * 36) and blocks.pruned_ms == pytest.approx([2.0] * 36)


def test_a_machine_that_gets_slower_meets_all_three_alike():
    found = speed_of(Machine(when=lambda passes: 1 + passes / 3000).timed()[0])
    assert found.withheld == ""
    assert found.speedup.median == pytest.approx(2.0, rel=0.01)
    assert found.speedup.low <= 2.0 <= found.speedup.high


def test_a_network_that_is_not_itself_is_withheld():
    assert "against itself" in speed_of(Machine(again=0.003).timed()[0]).withheld


def test_short_passes_are_repeated_and_slow_networks_get_fewer_blocks():
    assert [pass_count(seconds) for seconds in (0.0, 1e-6, 0.0002, 0.003, 0.04, 0.06, 3.0)] == [
        101,
        101,
        15,
        3,
        3,
        1,
        1,
    ]
    assert [block_count(seconds) for seconds in (0.0, 0.003, 0.18, 0.25, 0.37, 0.6, 30.0)] == [
        36,
        36,
        36,
        24,
        18,
        12,
        12,
    ]
    blocks, passes = Machine(dense=1.0, again=1.0, pruned=0.5).timed()
    assert (len(blocks.pruned_ms), passes) == (12, 1)
