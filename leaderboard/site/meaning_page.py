"""The page that says in plain words what every column, verdict, setup, flag and figure means."""

from __future__ import annotations

from prunemark.leaderboard.formats import labels
from prunemark.leaderboard.inference.any_time import LEAST_SEEDS
from prunemark.leaderboard.site import urls
from prunemark.leaderboard.site.context import SiteContext, page
from prunemark.setups.comparison import HARNESS_SETUPS
from prunemark.setups.harness_factors import HARNESS_FACTORS

STATEMENTS = {
    "E1": "Differences, p-values and ranks of a table: about new seeds, on this very test set.",
    "E2, new images": "About new seeds and new images of the same kind, by a test that counts both as samples.",
    "E3": "The tables over tracks: about these tracks and new seeds, not about others.",
    "E4": "About new families, which are pairs of a dataset and a kind of network. It takes at least five of them.",
    "Conditional on one base": "All seeds started from one base model. The numbers say nothing about another one.",
    "p (any time)": "Adjusted for the other methods in the table. It changes when a method is added, and so does the "
    "number of seeds that an open verdict is expected to need; estimates and intervals do not.",
    "At any time": "Seeds may be added by anybody, whenever they like, and one may stop when the answer is there: "
    "the chance of ever a false verdict in a table is at most .05. Seeds count in the order of their numbers, without "
    "a gap.",
    "Planned": "A track whose trials are dear has one look, when all its planned seeds are there, and none before.",
}
ROWS = {
    "anchor": "The track's fixed reference method. Every other method is compared with it, seed by seed.",
    "control": "Run with every submission under the same budget, such as random pruning. A matched control has the "
    "layer ratios that a method chose. It is compared only with that method, and its row says what was found.",
    "reference": "The dense network and scratch training: shown with the methods, ranked only where a setup admits it.",
    "fewer seeds": "A method with fewer seeds than the anchor is compared on those that it has. All its columns are of "
    "these, so its difference is not its accuracy minus the anchor's in the table.",
    "failed": "A method that failed on a seed counts there with the accuracy of chance, and a flag says so.",
    "diverged": "A run whose loss became infinite counts with the accuracy it ended with, and a flag says so.",
    "same networks": "A method with the same networks as another one, weight for weight on every seed, is ranked, and "
    "a flag says so: two rows with the same numbers are one finding. A control like that is not ranked.",
    "disqualified": "A rule was broken: the method used more than its budget, or returned what the contract forbids.",
    "invalidated": "A record withdrawn after the fact, with a reason. It is not deleted, and it does not count.",
    "refused": "A record that is not what its name promises, or cannot be read. It is named on the overview.",
}
FIGURES = {
    "Difference to the anchor": "A mark for each method, thick line: 95 % interval for new seeds, thin line: for new "
    "images too. The band is the track's margin: a difference inside it is too small to "
    "matter, even where it is shown. A hollow mark is undetermined.",
    "Setup by setup": "A line for each method from setup to setup. A filled mark is a difference that is shown under "
    "that setup, a hollow mark one that is not. A shown difference can be small, and a hollow one large.",
    "Places open": "The places from first to last. Coloured: the places that the evidence leaves open.",
    "Accuracy against speed-up": "Means over the seeds with 95 % intervals, single seeds smaller. The front joins the "
    "means that no other mean beats in both; it is a picture of the means, not a verdict.",
    "Retraining": "Validation accuracy after each epoch, mean over the seeds, with their lowest and highest. Of many "
    "methods twelve are drawn, and the caption says which and why.",
    "Trainability": "Mean validation accuracy over the epochs before the LR first drops, against final accuracy. "
    "Pruning damages trainability, and a small LR does not repair it in time: that explains much of what looks like a "
    "better method. Compare it only between runs of one LR schedule.",
}


def meaning_page(context: SiteContext) -> str:
    """The page as HTML."""
    return page(
        context,
        "meaning",
        urls.MEANING,
        meanings=labels.MEANINGS,
        statements=STATEMENTS,
        evidence=evidence(),
        setups=list(HARNESS_SETUPS.values()),
        factors={id: factor.title for id, factor in HARNESS_FACTORS.items()},
        rows=ROWS,
        figures=FIGURES,
    )


def evidence() -> list[tuple[str, str]]:
    """What a number of seeds allows, as the statistics decide it."""
    return [
        (f"below {LEAST_SEEDS}", "no test"),
        (f"from {LEAST_SEEDS}", "verdicts against the anchor, and ranks"),
        ("all planned ones, on a planned track", "verdicts and ranks"),
    ]
