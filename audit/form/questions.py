"""The twelve questions of the form, as data: what each asks, why it matters, and which field of a document it fills.

To add a field to the form, add one literal here; the page, the document and the place of an error take it from this
table. A field is named by its place in an entry, such as `recipe.batch_size`; METRIC in it stands for the metric of
the claim, and a name that begins with `claim.` or `protocol.` belongs to the document.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from prunemark.audit.document.metrics import METRICS, READ_AS

METRIC = "METRIC"
OWN_TRAINING = ("scratch", "pruned_at_init", "sparse_training", "dense_to_sparse")
"""Kinds whose whole training is one stage, called training."""


@dataclass(frozen=True)
class Field:
    """One thing to fill in, for both sides or for the document as a whole.

    `choices` are (value, words), of which the first is the default; without them it is a line of text with the names
    of `known` proposed. `when` has another field and the values of it, on any side, with which this one is asked.
    """

    id: str
    label: str
    hint: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    known: tuple[str, ...] = ()
    when: tuple[str, tuple[str, ...]] | None = None

    @property
    def of_both(self) -> bool:
        """Whether each side has one of its own."""
        return not self.id.startswith(("claim.", "protocol."))


@dataclass(frozen=True)
class Question:
    """One question, why it is asked, and its fields."""

    title: str
    why: str
    fields: tuple[Field, ...]


_UNSAID = ("", "not stated")
_KINDS = (
    ("", "pruned from a trained network"),
    ("scratch", "trained from scratch"),
    ("pruned_at_init", "pruned at initialisation (SNIP, GraSP)"),
    ("sparse_training", "sparse training (RigL, SET)"),
    ("dense_to_sparse", "dense to sparse in one training (STR, GMP)"),
    ("dense", "the dense network itself"),
)
_CREDITS = (
    ("", "the pruning method"),
    ("base", "the base model"),
    ("retraining", "the retraining"),
    ("pipeline", "the pipeline as a whole"),
)


@cache
def _names(kind: str) -> tuple[str, ...]:
    import tomllib

    table = files("prunemark.audit.document") / "names.toml"
    return tuple(tomllib.loads(table.read_text(encoding="utf-8"))[kind])


def _measured() -> tuple[Field, ...]:
    """How a metric was measured, asked where the claim is about a metric that needs it."""
    needing: dict[str, list[str]] = {}
    for metric in METRICS.values():
        for name in metric.measured:
            needing.setdefault(name, []).append(metric.name)
    return tuple(
        Field(f"measured.{name}", f"Measured with: {name.replace('_', ' ')}", when=("claim.metric", tuple(metrics)))
        for name, metrics in needing.items()
    )


@cache
def questions() -> tuple[Question, ...]:
    """All twelve, in the order of a pipeline."""
    metrics = (("", "what both report, top-1 first"), *((name, name) for name in (*METRICS, *READ_AS)))
    return (
        Question(
            "Who is said to be better than whom?",
            "The claim decides what has to be equal. A gap that is credited to pruning needs equal retraining; one "
            "that is credited to the pipeline does not.",
            (
                Field("method", "Method", "L1-norm"),
                Field("claim.kind", "The claim", choices=(("", "A is better than B"),
                                                          ("at_least_as_good", "A is at least as good as B"))),
                Field("claim.margin", "Within what margin", "0.3", when=("claim.kind", ("at_least_as_good",))),
                Field("claim.credited_to", "What the difference is credited to", choices=_CREDITS),
                Field("claim.metric", "In which metric", choices=metrics),
            ),
        ),
        Question(
            "On which data?",
            "Results on two datasets cannot be compared at all.",
            (Field("dataset", "Dataset", "ImageNet", known=_names("datasets")),),
        ),
        Question(
            "Which network?",
            "Networks of one name differ: one VGG-19 skips a pooling layer and costs 513 instead of 400 million "
            "multiply-adds (MACs). Its dense MACs tell them apart.",
            (
                Field("network.name", "Name", "ResNet-50", known=_names("networks")),
                Field("network.dense_macs_millions", "MACs of the dense network", "4.09G"),
                Field("network.dense_params_millions", "Parameters of the dense network", "25.56M"),
            ),
        ),
        Question(
            "What is removed, and when?",
            "Single weights leave more choice than filters. Scratch and sparse training are compared over the whole "
            "training, because they have no base model.",
            (
                Field("kind", "Kind of method", choices=_KINDS),
                Field("granularity", "What is pruned", "filter",
                      known=("filter", "channel", "layer", "block", "2:4", "weight")),
            ),
        ),
        Question(
            "How much is removed?",
            "At another size the comparison is another one. State any measure that both have; all that both state must "
            "agree.",
            (
                Field("speedup", "Speed-up: dense MACs over pruned MACs", "2.31"),
                Field("macs_kept", "MACs kept", "43%"),
                Field("sparsity", "Sparsity: weights removed", "90%"),
                Field("params_kept", "Parameters kept", "45%"),
                Field("flops_convention", "What costs count",
                      choices=(_UNSAID, ("MACs", "multiply-adds (MACs)"), ("FLOPs = 2*MACs", "FLOPs, two to a MAC"))),
            ),
        ),
        Question(
            "Which base model was pruned?",
            "A better base makes any method look better. Equal accuracies do not show that it is one model: a hash or "
            "the address of the checkpoint does.",
            (
                Field("base.id", "Checkpoint: a hash or an address", "torchvision resnet50 V1"),
                Field("base.source", "Where it comes from", "torchvision"),
                Field(f"base.{METRIC}", "Its result in the metric", "76.13"),
            ),
        ),
        Question(
            "How was it trained until it was pruned?",
            "Epochs before and while pruning are cost too. One-shot pruning has 0 pruning epochs.",
            (
                Field("pretraining.epochs", "Epochs of the base model", "90"),
                Field("pretraining.lr", "LR of the base model", "0:1e-1,30:1e-2,60:1e-3"),
                Field("pruning.epochs", "Epochs of the pruning stage", "0"),
                Field("pruning.lr", "LR of the pruning stage", "1e-3"),
                Field("training.epochs", "Epochs of the whole training", "100", when=("kind", OWN_TRAINING)),
                Field("training.lr", "LR of the whole training", "cosine:1e-1->0", when=("kind", OWN_TRAINING)),
            ),
        ),
        Question(
            "How was it retrained?",
            "A larger LR or more epochs of retraining look like a better method. This is the most frequent confounder.",
            (
                Field("retraining.epochs", "Epochs", "90"),
                Field("retraining.lr", "LR schedule", "0:1e-2,30:1e-3,60:1e-4"),
            ),
        ),
        Question(
            "What else is in the recipe?",
            "A teacher, label smoothing or stronger augmentation adds points that are not the method's. Write none "
            "where the paper says that there is none.",
            (
                Field("recipe.batch_size", "Batch size", "256"),
                Field("recipe.weight_decay", "Weight decay", "1e-4"),
                Field("recipe.label_smoothing", "Label smoothing", "0.1"),
                Field("recipe.distillation", "Teacher", "none"),
                Field("recipe.augmentation", "Augmentation", "standard"),
            ),
        ),
        Question(
            "What came out?",
            "A gap counts when it is larger than what runs of one method differ by. For that, the standard deviation "
            "and the number of runs are needed.",
            (
                Field(f"result.{METRIC}", "Result", "75.24"),
                Field(f"result.{METRIC}_sd", "Standard deviation over runs", "0.2"),
                Field(f"result.{METRIC}_plus_minus", "A ± that nobody explains", "0.2"),
                Field("result.runs", "Runs", "3"),
                Field(f"result.{METRIC}_drop_printed", "Drop, as printed", "0.89"),
                *_measured(),
            ),
        ),
        Question(
            "Which epoch and which run is reported?",
            "The best epoch on the test split, or the best of several runs, is better than what one run gives.",
            (
                Field("result.selection", "How it was chosen", "last",
                      known=("last", "mean", "best_epoch_on_test", "best_of_runs", "best of 5")),
            ),
        ),
        Question(
            "Where does the paper say so?",
            "A reader has to be able to check. If a section says that both ran under one protocol, what it covers "
            "counts as equal where nothing else is stated.",
            (
                Field("source.locator", "Table or section", "Table 2"),
                Field("source.quoted", "Copied from another paper",
                      choices=(_UNSAID, ("false", "no, run by the authors"), ("true", "yes, not run again"))),
                Field("protocol.locator", "One protocol for both, stated in", "Section 4.1"),
                Field("protocol.except", "All but these of it", "selection, distillation"),
            ),
        ),
    )  # fmt: skip


_EXAMPLE = {
    "A.method": "Method X", "B.method": "Method Y", "*.dataset": "ImageNet", "*.network.name": "ResNet-50",
    "*.network.dense_macs_millions": "4.09G", "*.granularity": "filter", "*.speedup": "2.31",
    "*.base.source": "torchvision", f"*.base.{METRIC}": "76.13", "*.pruning.epochs": "0",
    "*.retraining.epochs": "90", "A.retraining.lr": "0:1e-2,30:1e-3,60:1e-4,75:1e-5",
    "B.retraining.lr": "0:1e-3,30:1e-4,60:1e-5", "*.recipe.batch_size": "256", f"A.result.{METRIC}": "75.36",
    f"B.result.{METRIC}": "74.77", f"A.result.{METRIC}_sd": "0.1", f"B.result.{METRIC}_sd": "0.12",
    "*.result.runs": "3",
}  # fmt: skip
"""`*` is both sides."""


def example() -> dict[str, str]:
    """A comparison to begin with. Its numbers are made up."""
    return {side + key[1:]: value for key, value in _EXAMPLE.items() for side in key[0].replace("*", "AB")}
