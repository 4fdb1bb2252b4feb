"""The founding paper's experiments as grids of pipelines, at any length of training.

Epochs are written as the paper has them and scaled to a track; LRs are the paper's own. Numbers are facts of
arXiv:2301.05219: Table 1 (ResNet-50, ImageNet), Table 4 (ResNet-34, ImageNet100), Tables 5 and 8 (the same at 95 %),
Table 6 (ResNet-56, CIFAR-10), Table 7 (VGG-19, CIFAR-100).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from prunemark.setups.budget import generated
from prunemark.setups.comparison import SETUPS, ComparisonSetup
from prunemark.setups.errors import unknown_name
from prunemark.setups.schedule import LRSchedule, cosine, halving, parse_schedule

SCRATCH = parse_schedule("0:0.1,30:0.01,60:0.001,90:1e-4,105:1e-5", 120)
STEP_BASE = parse_schedule("0:0.1,100:0.01,150:0.001", 200)
CAP = 30  # Rule 3


@dataclass(frozen=True)
class PaperRow:
    """One row of a table, in the paper's epochs: pruned at epoch `prune_at` of the dense run, then `retraining`.

    `paper_percent` and `paper_ta_percent` are the paper's top-1 and trainability accuracy by ratio. Where FLOPs are
    held equal the pruning epoch is divided by the speed-up, and retraining gets the FLOPs that are left. `method` is
    the shipped method that prunes, None for the track's anchor.
    """

    name: str
    setup: str
    prune_at: int
    retraining: LRSchedule
    paper_percent: tuple[float, ...]
    paper_ta_percent: float | None = None
    method: str | None = None

    @property
    def scratch(self) -> bool:
        """Whether the row trains the pruned architecture from random weights."""
        return self.name.startswith("scratch")

    @property
    def run_under(self) -> ComparisonSetup:
        """The setup on its records: SX-A for what is compared under all of them, S1 for what is under none."""
        return SETUPS[{"all": "SX-A", "none": "S1"}.get(self.setup, self.setup)]


@dataclass(frozen=True)
class Grid:
    """A table: its dense run, the ratios of its columns, its rows.

    `dense_run` None is the track's own pretraining. `note` says how it is run differently here. `published` are
    (method, speed-up, top-1 %) of rows that the paper only quotes.
    """

    id: str
    title: str
    dense_run: LRSchedule | None
    ratios: tuple[float, ...]
    rows: tuple[PaperRow, ...]
    paper_setting: str
    note: str = ""
    published: tuple[tuple[str, float, float], ...] = ()


def reference_of(grid: Grid, row: PaperRow) -> PaperRow | None:
    """The row that a row is compared with: scratch training of its schedule; where there is none, the first row that
    is pruned at the same epoch. None for a reference itself.
    """
    scratch = [other for other in grid.rows if other.scratch]
    kind = row.name.rpartition(", ")[2]
    same_kind = [other for other in scratch if other.name.rpartition(", ")[2] == kind]
    first = [other for other in grid.rows if other.prune_at == row.prune_at]
    found = (same_kind or scratch or first)[0]
    return None if row.scratch or found is row else found


def scaled(schedule: LRSchedule, factor: float) -> LRSchedule:
    """The schedule with all its epochs times `factor`, every LR kept for at least one epoch while there are enough."""
    epochs = max(1, round(schedule.epochs * factor))
    if schedule.kind != "step":
        return replace(schedule, epochs=epochs, points=tuple((min(e, 1) * epochs, lr) for e, lr in schedule.points))
    starts = [min(round(epoch * factor), epochs - 1) for epoch, _ in schedule.points]
    for index, (before, here) in enumerate(pairwise(starts), 1):
        starts[index] = max(here, before + 1)
    kept = [(start, lr) for start, (_, lr) in zip(starts, schedule.points, strict=True) if start < epochs]
    kept[-1] = (kept[-1][0], schedule.points[-1][1])  # Rule 1: the final LR stays the final LR
    return LRSchedule("step", epochs, tuple(kept))


def rest_of(schedule: LRSchedule, epoch: int, longer: int = 0) -> LRSchedule:
    """What follows of a step schedule from an epoch on; its first LR may be kept for so many epochs longer."""
    started = [(max(start - epoch, 0), lr) for start, lr in schedule.points]
    first = max(index for index, (start, _) in enumerate(started) if start == 0)
    points = [(0, started[first][1])] + [(start + longer, lr) for start, lr in started[first + 1 :]]
    return LRSchedule("step", schedule.epochs - epoch + longer, tuple(points))


def _s42(prune_at: int, lr: str, *paper: float) -> PaperRow:
    return PaperRow(f"P{prune_at}F{120 - prune_at}, {lr}", "S4.2", prune_at, rest_of(SCRATCH, prune_at), paper)


def _sx(prune_at: int, lr: str, *paper: float, setup: str = "SX-A") -> PaperRow:
    epochs = 120 - prune_at
    name = f"P{prune_at}{'/k' if 'total_flops' in SETUPS[setup].factors else ''}F{epochs}, {lr}"
    return PaperRow(name, setup, prune_at, halving(float(lr), 1e-5, epochs, cap=CAP), paper)


_TABLE4 = Grid(
    "table4", "Table 4: pruning against scratch training, by ratio and pruning epoch", SCRATCH,
    (0.10, 0.30, 0.50, 0.70, 0.90, 0.95),
    (
        PaperRow("scratch, 120 epochs", "all", 0, SCRATCH, (83.68, 83.31, 82.90, 82.45, 79.37, 76.67)),
        _s42(15, "1e-1", 83.95, 84.01, 83.87, 82.93, 79.86, 77.41),
        _s42(30, "1e-2", 83.88, 84.00, 83.29, 82.61, 80.41, 77.64),
        _s42(45, "1e-2", 83.56, 83.95, 83.28, 82.47, 79.88, 76.17),
        _s42(60, "1e-3", 84.21, 83.87, 82.90, 81.24, 77.29, 70.53),
        _s42(75, "1e-3", 84.24, 83.47, 82.45, 80.81, 73.94, 64.98),
        _s42(90, "1e-4", 84.09, 82.47, 79.70, 74.87, 49.23, 29.89),
        _sx(30, "1e-1", 85.27, 85.37, 85.48, 83.83, 81.56, 79.57),
        _sx(60, "1e-2", 83.72, 83.88, 83.67, 82.96, 80.78, 77.81),
        _sx(90, "1e-2", 83.91, 84.02, 83.41, 82.91, 79.43, 75.20),
        _sx(30, "1e-1", 85.45, 85.06, 84.85, 83.64, 79.65, 75.79, setup="SX-B"),
        _sx(30, "1e-2", 83.40, 82.69, 82.16, 79.97, 74.76, 70.61, setup="SX-B"),
    ),
    "ResNet-34 on ImageNet100",
)  # fmt: skip


def _longer(prune_at: int, lr: str, longer: int, paper: float, ta: float | None = None) -> PaperRow:
    name = f"P{prune_at}F{120 - prune_at}, {lr}" + (f", +{longer}" if longer else "")
    return PaperRow(name, "S4.2" if not longer else "none", prune_at, rest_of(SCRATCH, prune_at, longer), (paper,), ta)


def _larger(prune_at: int, lr: str, paper: float, ta: float) -> PaperRow:
    return replace(_sx(prune_at, lr, paper), paper_ta_percent=ta)


_TABLE5 = Grid(
    "table5", "Tables 5 and 8: given enough epochs, the smaller LR catches up (95 % of the filters)", SCRATCH, (0.95,),
    (
        _larger(30, "1e-1", 79.57, 88.00), _longer(30, "1e-2", 0, 77.64, 77.45),
        _longer(30, "1e-2", 30, 79.12), _longer(30, "1e-2", 60, 79.59),
        _larger(60, "1e-2", 77.81, 87.39), _longer(60, "1e-3", 0, 70.53, 68.19),
        _longer(60, "1e-3", 60, 75.71), _longer(60, "1e-3", 120, 77.17), _longer(60, "1e-3", 180, 77.33),
        _larger(90, "1e-2", 75.20, 84.83), _longer(90, "1e-4", 0, 29.89, 37.93),
        _longer(90, "1e-4", 60, 60.69), _longer(90, "1e-4", 270, 70.78), _longer(90, "1e-4", 1485, 78.18),
    ),
    "ResNet-34 on ImageNet100",
)  # fmt: skip

_TABLE6 = Grid(
    "table6", "Table 6: step and cosine schedules, L1-norm against scratch", STEP_BASE, (0.3, 0.5, 0.7, 0.9),
    (
        PaperRow("scratch, step", "all", 0, generated(1e-1, 1e-4, 200, None), (93.16, 92.78, 92.11, 88.36)),
        PaperRow("L1 (1e-3), step", "S3.2", 200, halving(1e-3, 1e-4, 120), (93.43, 93.12, 91.77, 87.57)),
        PaperRow("L1 (1e-2), step", "S3.2", 200, halving(1e-2, 1e-4, 120), (93.79, 93.51, 92.26, 86.75)),
        PaperRow("scratch, cosine", "all", 0, cosine(1e-1, 1e-4, 200), (93.84, 93.20, 92.15, 88.17)),
        PaperRow("L1 (1e-3), cosine", "S3.2", 200, cosine(1e-3, 1e-4, 120), (93.48, 93.11, 91.65, 87.17)),
        PaperRow("L1 (1e-2), cosine", "S3.2", 200, cosine(1e-2, 1e-4, 120), (93.82, 93.74, 92.27, 86.90)),
    ),
    "ResNet-56 on CIFAR-10; there scratch ended at LR 1e-3, here at the 1e-4 of the others (Rule 1)",
)  # fmt: skip


GIVEN_BASE = "The paper prunes a given base model; every base here is trained from scratch"

_TABLE7 = Grid(
    "table7", "Table 7: step and cosine schedules, L1-norm against scratch", STEP_BASE, (0.3, 0.5, 0.7, 0.9),
    (
        PaperRow("scratch, step", "all", 0, generated(1e-1, 1e-4, 200, None), (72.84, 71.88, 70.79, 66.52)),
        PaperRow("L1 (1e-3), step", "S3.2", 200, halving(1e-3, 1e-4, 120), (73.67, 72.04, 70.21, 64.72)),
        PaperRow("L1 (1e-2), step", "S3.2", 200, halving(1e-2, 1e-4, 120), (74.01, 73.01, 71.49, 66.05)),
        PaperRow("scratch, cosine", "all", 0, cosine(1e-1, 1e-4, 200), (73.54, 71.87, 70.10, 65.92)),
        PaperRow("L1 (1e-3), cosine", "S3.2", 200, cosine(1e-3, 1e-4, 120), (73.69, 72.10, 69.96, 63.93)),
        PaperRow("L1 (1e-2), cosine", "S3.2", 200, cosine(1e-2, 1e-4, 120), (74.39, 73.51, 71.78, 65.70)),
    ),
    "VGG-19 on CIFAR-100, base 74.02 %; scratch ends at the LR of the others here (Rule 1)",
    GIVEN_BASE,
)  # fmt: skip

_FAIR = parse_schedule("0:1e-2,30:1e-3,60:1e-4,75:1e-5", 90)


def _method(name: str, method: str | None, *paper: float) -> PaperRow:
    return PaperRow(name, "S3.2", 0, _FAIR, paper, method=method)


_TABLE1 = Grid(
    "table1", "Table 1: L1-norm with a fair schedule against later methods", None, (0.60, 0.74),
    (
        _method("L1-norm", None, 75.24, 74.77), _method("GReg-1", "GReg-1", 75.16, 74.85),
        _method("GReg-2", "GReg-2", 75.36, 74.93),
    ),
    "ResNet-50 on ImageNet at 2.31x and 2.56x, retrained for 90 epochs",
    f"{GIVEN_BASE}. The ratios are the largest of the paper's stages, here in every layer. All rows retrain alike; "
    "S3.2 leaves the pruning stage free, and only GReg trains in it",
    (
        ("SFP", 1.72, 74.61), ("DCP", 2.25, 74.95), ("GAL-0.5", 1.76, 71.95), ("Taylor-FO", 1.82, 74.50),
        ("CCP-AC", 2.18, 75.32), ("ProvableFP", 1.43, 75.21), ("HRank", 1.78, 74.98), ("CC", 2.12, 75.59),
        ("GAL-1", 2.59, 69.88), ("Factorized", 2.33, 74.55), ("LFPC", 2.55, 74.46), ("CC", 2.68, 74.54),
    ),
)  # fmt: skip


def _part(grid: Grid, id: str, title: str, names: tuple[str, ...]) -> Grid:
    return replace(grid, id=id, title=title, rows=tuple(row for row in grid.rows if row.name in names))


_M1 = _part(
    _TABLE5, "m1", "Mystery 1: is a larger retraining LR better?",
    ("P30F90, 1e-1", "P30F90, 1e-2", "P30F90, 1e-2, +60", "P60F60, 1e-2", "P60F60, 1e-3", "P60F60, 1e-3, +180"),
)  # fmt: skip
_M2 = _part(
    _TABLE4, "m2", "Mystery 2: is training from scratch as good as pruning?",
    ("scratch, 120 epochs", "P30F90, 1e-1", "P30/kF90, 1e-1"),
)  # fmt: skip
GRIDS: dict[str, Grid] = {grid.id: grid for grid in (_M1, _M2, _TABLE1, _TABLE4, _TABLE5, _TABLE6, _TABLE7)}


def find_grid(id: str) -> Grid:
    """The grid of this id. Raises InputError with the valid ids."""
    if id.lower() not in GRIDS:
        raise unknown_name("table to reproduce", id, GRIDS)
    return GRIDS[id.lower()]
