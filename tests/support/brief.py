"""On import, quiet passes, recipes of new tracks and glyphs are few here: fork servers of tests import this."""

import dataclasses

from prunemark.benchmark.images import datasets, glyphs
from prunemark.benchmark.metering import in_turns
from prunemark.benchmark.run import new_track, timing
from prunemark.records.speed import FEWEST_BLOCKS

in_turns.BLOCKS, in_turns.VISIT_SECONDS = FEWEST_BLOCKS, 0.0
timing.TRIES = 1
new_track.LEAST_EPOCHS = new_track.MOST_EPOCHS = 10
glyphs.TRAIN_EXAMPLES, glyphs.VALIDATION_EXAMPLES, glyphs.TEST_EXAMPLES = 500, 100, 500
datasets.DATASETS["glyphs"] = dataclasses.replace(datasets.DATASETS["glyphs"], validation_examples=100)
