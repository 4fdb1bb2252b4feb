"""The metrics that a claim can be about: which way is better, in what unit, and what must be equal to compare.

A literal registry. `error` is no metric of its own: it is read as 100 - top1. To add a metric, add one literal here;
the reader, the schema, the template and the verdict take it from this table.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One field of `result`. `measured` are the fields of an entry's `measured` that have to be equal.

    `priors` are run-to-run standard deviations by (dataset, network), plain names, for results without one.
    `speed` marks what is measured of the network's speed, for which a finer granularity is no advantage.
    """

    name: str
    higher_is_better: bool
    unit: str
    measured: tuple[str, ...] = ()
    priors: tuple[tuple[str, str, float], ...] = ()
    percent: bool = True
    speed: bool = False

    @property
    def sign(self) -> float:
        """What makes more of it better: 1, or -1 where less is better."""
        return 1.0 if self.higher_is_better else -1.0


_TOP1_PRIORS = (
    ("imagenet", "resnet50", 0.16),
    ("cifar10", "resnet56", 0.20),
    ("cifar100", "vgg19", 0.19),
    ("imagenet", "resnet34", 0.17),
)
"""Run-to-run standard deviation in points, pooled from `literature/published/noise_priors.csv`."""
_OF_SPEED = ("device", "batch_size", "precision", "runtime", "resolution")

METRICS: dict[str, Metric] = {
    "top1": Metric("top1", True, "points", priors=_TOP1_PRIORS),
    "top5": Metric("top5", True, "points"),
    "map": Metric("map", True, "points", measured=("iou", "resolution")),
    "f1": Metric("f1", True, "points", measured=("averaging",)),
    "perplexity": Metric("perplexity", False, "perplexity", measured=("context_length", "calibration"), percent=False),
    "latency_ms": Metric("latency_ms", False, "ms", measured=_OF_SPEED, percent=False, speed=True),
    "fps": Metric("fps", True, "images a second", measured=_OF_SPEED, percent=False, speed=True),
}
"""In the order in which a claim that names none takes the first that both sides report."""

READ_AS = {"error": "top1"}
"""Fields that are read as another metric: 100 minus the value."""

MEASURED = tuple(dict.fromkeys(field for metric in METRICS.values() for field in metric.measured))
"""Every field of an entry's `measured`."""

RESULT_NAMES = (*METRICS, *READ_AS)


def result_fields(name: str) -> tuple[str, ...]:
    """What a result can say of one metric."""
    return tuple(f"result.{name}{tail}" for tail in ("", "_sd", "_plus_minus", "_drop_printed"))
