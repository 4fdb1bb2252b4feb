"""On import, quiet passes of this process are as short as they may be. The fork server of an executor imports it."""

from prunemark.benchmark.metering import in_turns
from prunemark.benchmark.run import timing
from prunemark.records.speed import FEWEST_BLOCKS

in_turns.BLOCKS, in_turns.VISIT_SECONDS = FEWEST_BLOCKS, 0.0
timing.TRIES = 1
