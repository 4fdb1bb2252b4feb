"""A track written as a file reads back as the same track."""

import dataclasses
import tomllib

import pytest

from prunemark.setups.track_files import released_tracks, track_from_dict
from prunemark.setups.track_text import as_toml


@pytest.mark.parametrize("id", released_tracks())
def test_every_released_track_reads_back_equal(id):
    track = dataclasses.replace(released_tracks()[id], prior=None)
    assert track_from_dict(tomllib.loads(as_toml(track))) == track


def test_comments_stand_above_their_fields_and_change_nothing():
    track = released_tracks()["digits-resnet8@1"]
    text = as_toml(track, {"": "first\nsecond", "margin_pp": "wide", "retraining": "short"})
    assert text.startswith("# first\n# second\nname = ")
    assert "\n# wide\nmargin_pp = 1.0\n" in text and "\n[retraining]\n# short\nepochs = 20\n" in text
    assert track_from_dict(tomllib.loads(text)) == track
    assert all(len(line) <= 120 for line in text.splitlines() if not line.startswith("  {"))


def test_signs_that_toml_knows_are_written_so_that_they_read_back():
    track = dataclasses.replace(released_tracks()["digits-resnet8@1"], title='a "quoted" title with ü and #')
    assert track_from_dict(tomllib.loads(as_toml(track))) == track
