"""The rows of `make bench`: what is measured, by which function, how its cost grows, and where its limit is.

A new row is one entry here. Its function takes nothing and returns figures and notes, or raises NotMeasured.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """`measure` is module:function in this folder."""

    what: str
    measure: str
    grows: str


ROWS = {
    "throughput": Row(
        "Training with Prunemark's loop, against a loop by hand",
        "throughput:of_the_loop",
        "With epochs, images and the network's MACs, as by hand. Order, augmentation and metering cost the same for "
        "each batch, so a larger network makes them smaller. The limit is torch itself.",
    ),
    "own-loop": Row(
        "A submission's own training loop, metered, against the same loop without a meter",
        "throughput:of_an_own_loop",
        "With the number of layers in a step, not with their size: each product and its gradient cost two calls of "
        "Python. Larger layers make it smaller.",
    ),
    "loader": Row(
        "Training from memory, against a DataLoader",
        "throughput:of_a_loader",
        "With the number of images. Data in memory needs room for one byte for each channel of a pixel; larger data "
        "is read from files.",
    ),
    "time": Row(
        "Where the time of a small network goes",
        "time_of_a_step:shares",
        "With the number of layers, until convolutions are large enough to fill a core.",
    ),
    "images": Row(
        "Reading JPEG files, against torchvision's reference loop",
        "images:rates",
        "With the pixels of the file for decoding, and of the crop for resizing. With w worker processes it is w "
        "times as fast, until the cores are used up.",
    ),
    "trials": Row(
        "Trials an hour, against one script for each trial",
        "trials:against_scripts",
        "What a trial costs beyond training is the same for all networks, so long trials hide it. A base model is "
        "trained once for all methods, levels and setups.",
    ),
    "workers": Row(
        "Two workers against one",
        "trials:two_workers",
        "With the number of trials divided by the workers, until a base model is waited for. The limit is one worker "
        "for each core, and memory.",
    ),
    "ray": Row(
        "A job on a Ray cluster, against the same job on this machine",
        "trials:on_ray",
        "With the number of jobs. Loading torch is paid once for each slot.",
    ),
    "resume": Row(
        "Running a command again, and continuing one that was killed",
        "trials:resumed",
        "A finished command reads one record for each trial. A killed one loses what came after its last checkpoint.",
    ),
    "memory": Row(
        "Memory of a process that runs 200 trials",
        "trials:memory",
        "Not with the number of trials.",
    ),
    "board": Row(
        "A board of 1,000, 10,000 and 100,000 made-up records",
        "scale:costs",
        "Linear in the number of records. The limit is memory: all records of a board are read at once.",
    ),
    "resolution": Row(
        "Comparisons decided in a core-hour, on the board's records",
        "resolution:rates",
        "With the square of the noise, divided by the square of the difference: half the difference takes four times "
        "the seeds.",
    ),
    "pairs": Row(
        "Auditing all pairs of published results, against reading them",
        "pairs:cost",
        "With the square of the number of results of one dataset and network.",
    ),
    "solver": Row(
        "Choosing filters of ResNet-50 for a speed-up, against building the network",
        "solver:cost",
        "With the number of layers and of filters.",
    ),
}
