"""`prunemark.results` and `prunemark.leaderboard`: what has been recorded, as pandas DataFrames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from prunemark.records.record import Record


def results(place: Path | str | None = None, everything: bool = False) -> pd.DataFrame:
    """The records that count, one a row, with units in the names of the columns; those of failed trials too.

    `place` is a home, the folder of a board, a repository's `leaderboard/`, or a folder of records
    [$PRUNEMARK_HOME, or ./prunemark-home]. `status` is "ok" for a trial with a result. With `everything`,
    records that do not count are there too: `counts` is False for an invalidated one, which says why in
    `invalidated`, and for one whose trial was run again. `train_seconds` is pruning and retraining together.

    Raises InputError when there are no records.
    """
    import pandas as pd

    from prunemark.records.invalidations import read_invalidations
    from prunemark.records.load import read_sound
    from prunemark.records.one_a_trial import one_a_trial

    folder = _records(place)
    invalid = {entry.record_sha256: entry.reason for entry in read_invalidations(folder)[0]}
    sound = read_sound(folder, [])
    counting = one_a_trial([record for record in sound if record.record_sha256 not in invalid], [], {})
    counts = {record.record_sha256 for record in counting}
    shown = sound if everything else counting
    rows = [_row(r, invalid.get(r.record_sha256)) | {"counts": r.record_sha256 in counts} for r in shown]
    rows.sort(key=lambda row: (row["track"], row["setup"], row["level"], row["method"], row["seed"]))
    return pd.DataFrame(rows)


def leaderboard(place: Path | str | None = None, track: str | None = None, setup: str | None = None) -> pd.DataFrame:
    """The leaderboard, one row a method of each table, ranked rows first: the columns of `--format csv`.

    `place` as for `results`. Units are in the names of the columns: `accuracy_percent`, `difference_pp`,
    `speedup_macs`. `verdict` says what the evidence can tell of a method and the anchor.

    Raises InputError for an unknown track or setup, and when there are no records.
    """
    from prunemark.cli import boards
    from prunemark.records.load import read_records

    only = boards.only(track, setup)
    folder = _records(place)
    loaded, only = boards.load_version(lambda version: read_records(folder, version), only, track)
    return boards.frame(boards.ranked(loaded, folder, only, None))


def _records(place: Path | str | None) -> Path:
    from prunemark.benchmark.run.home import home_at
    from prunemark.records.folders import records_folder

    return home_at(None).records if place is None else records_folder(Path(place))


def _row(record: Record, invalidated: str | None) -> dict[str, Any]:
    o, seen = record.outcome, record.observed
    method, accuracy, base, size, why = o.method, o.accuracy, o.base, o.compression, o.failure
    pruning, retraining, diagnostics = o.pruning, o.retraining, o.diagnostics
    test, before = accuracy.test_percent if accuracy else None, base.test_percent if base else None
    return {
        "track": o.track, "setup": o.setup, "level": o.level, "method": method.name, "role": method.role,
        "kind": method.kind, "seed": o.seed, "status": o.status, "invalidated": invalidated,
        "accuracy_percent": test, "base_accuracy_percent": before,
        "drop_pp": before - test if before is not None and test is not None else None,
        "validation_last_percent": accuracy and accuracy.validation_last_percent,
        "validation_best_percent": accuracy and accuracy.validation_best_percent,
        "trainability_percent": diagnostics and diagnostics.trainability_percent,
        "speedup_macs": size and size.speedup_macs, "sparsity_percent": size and 100 * size.sparsity,
        "macs": size and size.macs, "params": size and size.params,
        "pruning_epochs": pruning and pruning.epochs, "retraining_epochs": retraining and retraining.epochs,
        "train_flops": sum(stage.train_flops for stage in (pruning, retraining) if stage),
        "pruning_seconds": seen.pruning_seconds, "retraining_seconds": seen.retraining_seconds,
        "train_seconds": seen.pruning_seconds + seen.retraining_seconds,
        "peak_memory_bytes": seen.peak_memory_bytes, "model_bytes": seen.model_bytes,
        "device": seen.device, "hardware": seen.hardware, "finished_at": seen.finished_at,
        "settings": dict(method.settings), "source_sha256": method.source_sha256,
        "failure": why and f"{why.rule}: {why.evidence}", "record_sha256": record.record_sha256,
    }  # fmt: skip
