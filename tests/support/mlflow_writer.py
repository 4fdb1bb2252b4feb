"""Logs the records of a folder as one trial each, epoch by epoch; a script, to have many of it at once."""

import sys
import time
from pathlib import Path

from prunemark.benchmark.run import tracking
from prunemark.benchmark.run.home import Home, open_home
from prunemark.benchmark.run.mlflow_fields import Submission
from prunemark.records.record import load_file

if __name__ == "__main__":
    address, home, folder, begin = sys.argv[1:]
    records = [load_file(path) for path in sorted(Path(folder).glob("*.json"))]
    under = Submission(records[0].outcome.track, "S3.2", "Mine", "w", "k")
    tracking.FLUSH_SECONDS = 0.2
    import mlflow.tracking  # noqa: F401  before the others are waited for: seconds that differ

    (Path(folder) / "ready").touch()
    while not Path(begin).exists():
        time.sleep(0.01)
    with tracking.Tracker(address, open_home(Home(Path(home))), under, lambda line: print(line, flush=True)) as its:
        for record in records:
            for point in record.outcome.curve:
                its.epoch(record.outcome.seed, str(record.outcome.seed), "retraining", point)
            its.finish(record.outcome.seed, str(record.outcome.seed), record, {})
            time.sleep(0.1)
    sys.exit(its.lacking)
