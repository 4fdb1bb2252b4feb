"""What the pages say of tracks and limits is what the code has."""

import dataclasses
import re
from pathlib import Path

from prunemark.setups.budget import budget_for
from prunemark.setups.comparison import SETUPS
from prunemark.setups.recipe import Recipe
from prunemark.setups.track import Track
from prunemark.setups.track_files import find_track

ROOT = Path(__file__).parents[2]


def test_the_defaults_of_a_track_are_as_the_page_says():
    """docs/networks-and-data.md, for those who write a track of their own."""
    terms, recipe = ({f.name: f.default for f in dataclasses.fields(kind)} for kind in (Track, Recipe))
    said = " ".join((ROOT / "docs" / "networks-and-data.md").read_text().split())
    assert f"`pruning_seconds_limit` is {terms['pruning_seconds_limit']:g} " in said
    assert f"`pruning_epochs_limit` {terms['pruning_epochs_limit']} and `tolerance` {terms['tolerance']}" in said
    assert f"`batch_size` {recipe['batch_size']}, `momentum` {recipe['momentum']}, `weight_decay` 5e-4" in said
    assert recipe["weight_decay"] == 5e-4 and f'`augmentation` "{recipe["augmentation"]}"' in said
    for name in ("digits-resnet8", "digits-mlp7", "digits-resnet8-weights", "digits-resnet8-2to4"):
        released = find_track(name)
        levels = ", ".join(level.name.removesuffix("%") for level in released.levels)
        row = re.search(rf"\| `{name}` \| (.+?) \| (\d+) \+ (\d+)", said)
        assert row, name
        assert row[1].startswith(f"{levels} %") or released.pattern
        assert (int(row[2]), int(row[3])) == (released.pretraining.epochs, released.retraining.epochs)


def test_the_epochs_left_for_pruning_under_sx_are_as_the_page_says():
    released = find_track("digits-resnet8")
    granted = budget_for(released, SETUPS["SX-A"], released.levels[0], "pruned").pruning_epochs
    said = (ROOT / "docs" / "writing-a-method.md").read_text()
    assert f"({granted} on `digits-resnet8`)" in said
