"""Sound records of which no table can be made: left out by name, and the rest is built."""

import copy
import dataclasses

import pytest

from prunemark.leaderboard.formats import tables
from prunemark.leaderboard.standings.board import make_board
from prunemark.records.admission import why_no_track
from prunemark.records.load import read_texts
from prunemark.records.observed import Latency
from prunemark.records.record import dump

ANCHOR = [94.0, 95.0, 93.6, 94.8, 94.4]
BETTER = [96.2, 96.8, 96.0, 97.0, 96.2]


def loaded(records):
    return read_texts([(r.record_sha256, r.record_sha256, dump(r)) for r in records])


def but(record, **outcome):
    return dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, **outcome))


def timed(record, **observed):
    return dataclasses.replace(record, observed=dataclasses.replace(record.observed, **observed))


def odd_ones(make_record):
    one = make_record("Odd", 0)
    negative = dataclasses.replace(one.outcome.retraining, lr=(-0.1, 0.1))
    none = Latency(64, 9, 0.0, 0.0, 0.0)
    return {
        "ran under 'S9', a setup that this Prunemark does not know: update it": but(one, setup="S9"),
        "is of level '97%', which digits-resnet8@1 does not have": but(one, level="97%"),
        "ended well and has no accuracy": but(one, accuracy=None),
        "has an LR schedule that cannot be: an LR is a finite number, not negative": but(one, retraining=negative),
        "says that a forward pass took no time": timed(one, latency=dataclasses.replace(none, batch_size=1)),
        "was tested on 400 images, the others of digits-resnet8@1 on 500": make_record("Odd", 1, examples=400),
    }


def test_an_odd_record_is_left_out_by_name_and_the_rest_is_built(make_records, make_record):
    good = [*make_records("L1-norm", ANCHOR), *make_records("Mine", BETTER)]
    for why, odd in odd_ones(make_record).items():
        found = loaded([*good, odd])
        board = make_board(found)
        assert [(each.name, each.why) for each in board.refused] == [(f"{odd.record_sha256}.json", why)]
        assert board.records == len(good)
        assert [row.name for row in board.tables[0].ranked] == ["Mine", "L1-norm"] and why in tables.as_markdown(board)
    assert len(make_board(loaded([*good, *odd_ones(make_record).values()])).refused) == 6
    for pass_of in ("passes", "dense_passes"):
        assert loaded([timed(good[0], **{pass_of: (Latency(64, 9, 0.0, 0.0, 0.0),)})]).records == ()


OWN = {"title": "mine", "dataset": "d", "network": "n", "anchor": "L1-norm", "granularity": "filter", "margin_pp": 1.0,
       "levels": [{"name": "90%"}]}  # fmt: skip


@pytest.mark.parametrize("name", sorted(OWN))
def test_a_track_of_ones_own_states_what_a_table_needs(make_records, name):
    lacking = {key: value for key, value in OWN.items() if key != name}
    good = make_records("L1-norm", ANCHOR)
    found = loaded([*good, *(but(r, track="mine@1", track_terms=lacking) for r in make_records("Mine", BETTER))])
    assert len(found.records) == 5 and {r.outcome.track for r in found.records} == {"digits-resnet8@1"}
    assert {each.why for each in found.refused} == {f"states a track of which no table can be made: {name}"}


@pytest.mark.parametrize(
    ("terms", "wrong"),
    [({}, ""), ({"prior": {"df": 4, "sd_pp": 0.4}, "classes": 10, "family": "a", "pattern": "2:4"}, ""),
     ({"margin_pp": 0}, "margin_pp"), ({"margin_pp": "1"}, "margin_pp"), ({"margin_pp": float("nan")}, "margin_pp"),
     ({"classes": 0}, "classes"), ({"classes": True}, "classes"), ({"prior": {"df": 4}}, "prior"),
     ({"prior": 3}, "prior"),
     ({"levels": []}, "levels"), ({"levels": "90%"}, "levels"), ({"levels": [{"ratio": 0.9}]}, "levels"),
     ({"levels": [3]}, "levels"), ({"family": 3, "title": None}, "family, title")],
)  # fmt: skip
def test_terms_of_ones_own(terms, wrong):
    found = why_no_track(copy.deepcopy(OWN) | terms)
    assert found == (f"states a track of which no table can be made: {wrong}" if wrong else "")
