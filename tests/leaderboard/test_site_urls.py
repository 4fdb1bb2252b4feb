"""File names for pages: plain, distinct whatever strangers call their methods, the same in any order."""

import re

from hypothesis import given
from hypothesis import strategies as st

from prunemark.leaderboard.site.urls import LONGEST, make_urls, slug, slugs

NAMES = st.lists(st.text(max_size=80), unique=True, max_size=12)


def test_names_that_people_give_stay_readable():
    assert slugs(["digits-resnet8@1", "S3.2", "SX-A", "L1-norm", "95%"]) == {
        "95%": "95", "L1-norm": "l1-norm", "S3.2": "s3.2", "SX-A": "sx-a", "digits-resnet8@1": "digits-resnet8-1",
    }  # fmt: skip


def test_names_that_would_share_a_file_do_not():
    found = slugs(["Mine", "mine", "MINE!", "other"])
    assert len(set(found.values())) == 4 and found["other"] == "other"
    assert all(name.startswith("mine--") for text, name in found.items() if text != "other")


@given(NAMES)
def test_slugs_are_plain_short_and_distinct_on_disks_that_ignore_case(names):
    found = slugs(names)
    assert len({name.lower() for name in found.values()}) == len(names)
    assert all(re.fullmatch(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", name) for name in found.values())
    assert all(len(name) <= LONGEST + 30 for name in found.values())
    assert slugs(reversed(names)) == found


@given(st.text())
def test_no_name_leaves_its_folder(text):
    assert "/" not in slug(text) and "_" not in slug(text) and not slug(text).startswith(".")


def test_pages_of_different_kinds_never_share_a_file():
    urls = make_urls(dict.fromkeys(["a", "a-s2", "a_s2"], "S2"), ["S2"], ["50%"], ["a", "A"])
    pages = [urls.entrance(track) for track in urls.tracks] + [urls.records(track) for track in urls.tracks]
    pages += [urls.track(track) for track in urls.tracks] + [urls.method(m) for m in urls.methods]
    assert len(set(pages)) == len(pages) == 11
    assert urls.track("a", "S2", "50%") == "track_a_s2.html#level-50"
    assert urls.records("a", "0123456789abcdef" * 4) == "records_a.html#0123456789ab"
