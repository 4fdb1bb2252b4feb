"""The prunemark command with a track that trains for two epochs: for tests that start it as a process."""

import dataclasses
import signal
from pathlib import Path

from prunemark.cli.program import main
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.track_files import released_tracks, text_of

HERE = Path(__file__).parents[1]
SUBMISSIONS = HERE / "submissions" / "samples.py"
EXAMPLE = HERE.parent / "examples" / "geometric_median.py"
SHORT = Recipe(lr=parse_schedule("0:1e-1,1:1e-2", 2), augmentation="shift1")


def quick_track(like="digits-resnet8@1", name="quick", **changes):
    """A track like a released one, but short."""
    changes = {"pretraining": SHORT, "pruning": SHORT, "retraining": SHORT, "pruning_epochs_limit": 3} | changes
    return dataclasses.replace(released_tracks()[like], name=name, **changes)


def quick_toml(like="digits-resnet8", name="quick"):
    """The same as the text of a track's file: for scripts, which read it in their own process."""
    lines = text_of(like).replace(f'name = "{like}"', f'name = "{name}"').splitlines()
    short = ["epochs = 2" if line.startswith("epochs = ") else line for line in lines]
    short = ['lr = "0:1e-1,1:1e-2"' if line.startswith("lr = ") else line for line in short]
    return "\n".join(short) + "\n"


def submit(command, method, home, *more, seeds="2", name="quick", level=("--level", "90%")):
    """`prunemark submit` on that track, by a fixture that runs commands."""
    return command("submit", method, "--track", name, "--seeds", seeds, "--home", home, *level, *more)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    released_tracks()["quick@1"] = quick_track()
    main()
