"""Made-up records of a board that draws seeds: an anchor, and a method that knows seeds 0 to 9 by heart."""

from prunemark.records.fresh_seeds import FreshSeeds

ANCHOR = [94.0, 95.0, 93.6, 94.8, 94.4, 94.2, 94.6, 93.8, 94.0, 94.4]
LUCKY = [96.2, 96.8, 96.0, 97.0, 96.2, 96.6, 96.4, 96.0, 96.2, 96.8]  # of a method that knows seeds 0 to 9 by heart
FRESH = (40_913, 7_219, 880_001, 5_005, 62_000)
ANCHOR_FRESH, HONEST = [94.2, 94.8, 93.8, 94.6, 94.2], [94.0, 94.6, 94.0, 94.4, 94.6]


def draw(*seeds, method="SeedMasks", levels=("90%",), source="abc", at="2026-02-01T00:00:00.000000+00:00", **more):
    return FreshSeeds(at, levels, method, seeds, more.get("settings", {}), "S3.2", source, "digits-resnet8@1")


def on(make_record, method, seeds, percents, **how):
    return [make_record(method, seed, percent, **how) for seed, percent in zip(seeds, percents, strict=True)]


def usual(make_records):
    """What a board has after a contribution: the anchor, and a method that is lucky on the seeds of its choice."""
    return [make_records("L1-norm", ANCHOR, role="anchor"), make_records("SeedMasks", LUCKY)]


def after_confirmation(make_records, make_record):
    """And after its confirmation."""
    return [
        *usual(make_records), on(make_record, "L1-norm", FRESH, ANCHOR_FRESH, role="anchor"),
        on(make_record, "SeedMasks", FRESH, HONEST),
    ]  # fmt: skip
