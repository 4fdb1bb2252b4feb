"""What the columns of the board's CSV are, which are the keys of a row in its JSON: the kind of value, and its meaning.

These names are stable: one may be added, none changes its meaning. `null` or an empty cell says that there is no value.
"""

from __future__ import annotations

from prunemark.leaderboard.formats.plain import COLUMN_OF

_TIMED = {
    name: ("number", f"time of the dense network over that of the final model, {backend}, median over blocks")
    for backend, name in COLUMN_OF.items()
}

COLUMNS: dict[str, tuple[str, str]] = {
    "scope": ("text", "track: a row of one table; over tracks: a mean over several tracks"),
    "track": ("text", "id of the track with its version"),
    "setup": ("text", "comparison setup under which the trials ran"),
    "granularity": ("text", "what is pruned: filter, stream, head or weight"),
    "pattern": ("text", "N:M, where weights are pruned by a pattern"),
    "level": ("text", "level of compression, as the track names it"),
    "method": ("text", "name of the method, with settings where several ran"),
    "role": ("text", "anchor, submission, control or reference"),
    "ranked": ("yes or no", "whether the row counts among the ranked"),
    "judged": ("text", "any-time, or planned: the number of seeds of its one look"),
    "seeds": ("count", "number of seeds behind the numbers"),
    "seed_list": ("text", "these seeds; in JSON a list"),
    "seeds_drawn": ("yes or no", "true: drawn by the board; false: chosen by the author; null: in order of numbers"),
    "conditional_on": ("text", "what the differences, p and ranks hold for"),
    "accuracy_percent": ("number", "test accuracy of the final model, mean over the seeds"),
    "sd_pp": ("number", "standard deviation of the accuracy over the seeds, in points"),
    "accuracy_low_percent": ("number", "lower end of the 95 % interval of the mean accuracy"),
    "accuracy_high_percent": ("number", "upper end of that interval"),
    "drop_pp": ("number", "accuracy of the base model minus that of the final model, in points"),
    "speedup_macs": ("number", "MACs of the dense network over those of the final model"),
    "sparsity": ("number", "share of the prunable weights that are zero, from 0 to 1"),
    "params": ("count", "parameters of the final model, mean over the seeds"),
    "pruning_epochs": ("number", "epochs of training in the pruning stage, mean over the seeds"),
    "retraining_epochs": ("number", "epochs of retraining, mean over the seeds"),
    "more_pruning_epochs": ("number", "epochs of pruning beyond the anchor's, where the setup leaves them free"),
    "lane": ("text", "what the harness took from the method's process: decision, harness or own"),
    "pruning_cpu_seconds": ("number", "CPU seconds of that process, in the lane own"),
    "accounted_cpu_seconds": ("number", "CPU seconds that its reading of data accounts for"),
    "latency_ms": ("number", "one forward pass of one image, in milliseconds"),
    **{column: value for name, value in _TIMED.items() for column, value in (
        (name, value),
        (f"{name}_low", ("number", f"lower end of the 95 % interval of {name}")),
        (f"{name}_high", ("number", f"upper end of the 95 % interval of {name}")),
    )},
    "timed_on": ("text", "where the times were taken"),
    "timing_withheld": ("text", "why a time is withheld"),
    "peak_memory_bytes": ("count", "most memory of a pass of the final model"),
    "model_bytes": ("count", "size of the final model as a file"),
    "trainability_percent": ("number", "mean validation accuracy before the LR of retraining first drops"),
    "difference_pp": ("number", "mean difference to the anchor on the seeds that both have, in points"),
    "difference_low_pp": ("number", "lower end of its 95 % interval"),
    "difference_high_pp": ("number", "upper end of its 95 % interval"),
    "effect_sd": ("number", "that difference in standard deviations of the differences"),
    "wins": ("count", "seeds on which the method is ahead of the anchor"),
    "ties": ("count", "seeds on which both are equal"),
    "p_raw": ("number", "two-sided p of a difference, of this comparison alone"),
    "p_holm": ("number", "the same, adjusted for all comparisons with the anchor in the table"),
    "p_equivalence_holm": ("number", "adjusted p of equivalence within the margin"),
    "p_new_images_raw": ("number", "p of a difference for new seeds and new images, alone"),
    "p_new_images_holm": ("number", "the same, adjusted"),
    "generalises": ("yes or no", "whether the difference is shown for new images too"),
    "rank_low": ("count", "best place that the evidence leaves open"),
    "rank_high": ("count", "worst place that the evidence leaves open"),
    "verdict": ("text", "anchor, better, worse, equivalent or undetermined"),
    "evidence": ("text", "no test, waiting or verdicts: what so many seeds allow"),
    "more_seeds": ("count", "further seeds that an open verdict is expected to need"),
    "holds": ("text", "strictest setup that verifiably holds between the rows"),
    "flags": ("text", "what a reader must know of some seeds"),
    "why_unranked": ("text", "why the row is not ranked"),
    "not_for_ranking": ("text", "why the whole level is not"),
    "tracks": ("text", "over tracks: on how many of them the method ran"),
    "mean_margins": ("number", "over tracks: mean difference to the anchor, in margins of each track"),
    "margins_low": ("number", "lower end of its 95 % interval"),
    "margins_high": ("number", "upper end of its 95 % interval"),
    "p_new_families_raw": ("number", "p of a difference on new pairs of a dataset and a kind of network, alone"),
    "p_new_families_holm": ("number", "the same, adjusted"),
    "differences_pp": ("text", "over tracks: the difference on each, in points; in JSON by track"),
}  # fmt: skip
