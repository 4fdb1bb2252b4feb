"""What the words of a detail, and of how a metric was measured, stand for: ordinary spellings are one word.

`channels` are filters, `RandAug + mix-up` is `mixup, RandAugment`, a `Tesla V100` is a `V100`, `224x224` is `224`, and
`no teacher` is none. Two texts of which one only says more than the other (`C4` and `C4, 128 samples`) may be one
thing: that is a question. Not covered: what a word means that no list has; it stands for itself.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Mapping
from functools import lru_cache

from prunemark.audit.document.metrics import MEASURED
from prunemark.audit.document.names import canonical
from prunemark.audit.document.reported_values import word
from prunemark.audit.document.selection_words import selection_word
from prunemark.audit.document.yaml_nodes import Node
from prunemark.setups.errors import InputError
from prunemark.setups.factors import plain_name
from prunemark.setups.text import as_given

NONE, YES, STANDARD = "none", "yes", "standard"
_PIECE = re.compile(r"[a-z]+|\d+(?:\.\d+)?|\.\d+")
_NO = frozenset(["no", "none", "not", "without", "false", "off", "0", "nothing", "never"])
_SURE = frozenset(["yes", "true", "on"])
AS_A_SLIP = 0.8
"""The share of letters in common from which on an unknown word is taken for a slip of a known one."""

FILTER, WEIGHT, LAYER, BLOCK, STRUCTURED = "filter", "weight", "layer", "block", "structured"
_GRANULARITIES = {
    "channel": FILTER, "head": FILTER, "attentionhead": FILTER, "neuron": FILTER, "outputchannel": FILTER,
    "unstructured": WEIGHT, "element": WEIGHT, "finegrained": WEIGHT, "singleweight": WEIGHT,
    "individualweight": WEIGHT, "parameter": WEIGHT, "connection": WEIGHT, "depth": LAYER,
}  # fmt: skip
_PATTERN = re.compile(r"(\d{1,4})\s*(?::|/|of|-of-|out of)\s*(\d{1,4})", re.ASCII)
_AUGMENTATIONS = (
    (re.compile(r"\b(rand|auto|trivial)[\s_-]*aug(?:ment(?:ation)?)?s?\b"), r" \1augment "),
    (re.compile(r"\bmix[\s_-]?up\b"), " mixup "), (re.compile(r"\bcut[\s_-]?(mix|out)\b"), r" cut\1 "),
    (re.compile(r"\bcolou?r[\s_-]?jitter(?:ing)?\b"), " colorjitter "),
    (re.compile(r"\brandom[\s_-]?eras(?:e|ing)\b"), " randomerasing "),
)  # fmt: skip
NAMED_AUGMENTATIONS = frozenset((
    "randaugment", "autoaugment", "trivialaugment", "augmix", "mixup", "cutmix", "cutout", "colorjitter",
    "randomerasing", "lighting",
))  # fmt: skip
_OF_STANDARD = frozenset((
    "standard", "std", "basic", "default", "simple", "usual", "common", "plain", "random", "randomly",
    "resized", "resize", "resizing", "crop", "crops", "cropped", "cropping", "horizontal", "horizontally",
    "flip", "flips", "flipped", "flipping", "center", "centre", "and", "with", "the", "a", "data",
    "augmentation", "augmentations", "augment", "only", "pad", "padding", "padded", "mirror", "mirroring",
    "normalization", "normalisation",
))  # fmt: skip
_OF_TEACHER = frozenset((
    "teacher", "distillation", "kd", "knowledge", "used", "use", "using", "with", "from", "by", "the", "a",
    "an", "via", "distilled", "model", "network", "student",
))  # fmt: skip
_SAID: Mapping[str, tuple[str, ...]] = {
    "device": ("nvidia", "tesla", "geforce", "gpu", "gpus", "single", "one", "1x", "a", "the", "on", "amd", "intel"),
    "batch_size": ("images", "image", "samples", "sample", "batch", "of"),
    "precision": ("precision", "bit", "bits", "floating", "point"),
    "runtime": ("runtime", "inference", "engine", "v", "version", "nvidia"),
    "resolution": ("px", "pixel", "pixels", "x", "by", "input", "images", "image", "resolution"),
    "context_length": ("token", "tokens", "context", "length", "sequence", "of"),
    "averaging": ("1", "average", "averaged", "averaging", "f", "score", "per", "over", "the", "wise"),
    "calibration": (
        "samples", "sample", "sequences", "sequence", "segments", "examples", "example", "of", "from", "with", "each",
        "set", "dataset", "data", "randomly", "random", "the", "calibration", "name", "x",
    ),
    "iou": (
        "ap", "map", "iou", "coco", "style", "mean", "average", "averaged", "precision", "threshold", "thresholds",
        "at", "metric", "from", "to", "in", "step", "steps", "of", "over",
    ),
}  # fmt: skip
"""Words that say nothing more of a `measured` field than its name does."""
_PRECISIONS = {
    "half": "fp16", "float16": "fp16", "f16": "fp16", "16": "fp16", "float32": "fp32", "single": "fp32", "full": "fp32",
    "f32": "fp32", "float": "fp32", "32": "fp32", "bfloat16": "bf16", "8": "int8", "4": "int4", "mixed": "amp",
}  # fmt: skip
_SAME_WORDS = {"trt": "tensorrt", "torch": "pytorch", "ort": "onnxruntime", "one": "1", "wiki": "wikitext"}


def _tokens(text: str) -> list[str]:
    return _PIECE.findall(text.lower())


def _number(token: str) -> str:
    return f"{float(token):g}" if token[-1].isdigit() and not token[0].isalpha() else token


def _granularity(text: str) -> str:
    if pattern := _PATTERN.search(text):
        return f"{int(pattern[1])}:{int(pattern[2])}"
    plain = plain_name(re.sub(r"(?i)[\s_-]*(?:wise|level|pruning|sparsity)\b", "", text))
    return _GRANULARITIES.get(plain.removesuffix("s"), plain.removesuffix("s"))


def _augmentation(text: str) -> str:
    plain = text.lower()
    for written, meant in _AUGMENTATIONS:
        plain = written.sub(meant, plain)
    found = _tokens(plain)
    if found and all(token in _NO or token in _OF_STANDARD for token in found) and set(found) & _NO:
        return NONE
    more = sorted(token for token in found if token not in _OF_STANDARD)
    whole = any(token.startswith("crop") for token in found) and any(token.startswith("flip") for token in found)
    if more:
        return " ".join(more)
    return STANDARD if whole or {"standard", "std"} & set(found) else " ".join(sorted(found))


def _teacher(text: str) -> str:
    said = [token for token in _tokens(text) if token not in _OF_TEACHER]
    if said and set(said) <= _NO:
        return NONE
    if not said or set(said) <= _SURE:
        return YES if _tokens(text) else text
    name = canonical("networks", re.sub(r"(?i)\b(?:" + "|".join(_OF_TEACHER) + r")\b", " ", text).strip(" ,;:()"))
    return " ".join(sorted(_tokens(name)))


def _iou(text: str) -> str:
    """The thresholds: AP50 is 0.5, 0.5:0.05:0.95 is COCO's range."""
    tokens = _tokens(text)
    numbers = {float(token) / (100 if float(token) > 1 else 1) for token in tokens if not token.isalpha()}
    if not numbers and "coco" in tokens:
        numbers = {0.5, 0.95}
    others = [token for token in tokens if token.isalpha() and token not in _SAID["iou"]]
    return " ".join([":".join(f"{number:g}" for number in sorted(numbers - {0.05})), *sorted(others)]).strip()


def _resolution(text: str) -> str:
    tokens = [_number(token) for token in _tokens(text.replace("²", "")) if token not in _SAID["resolution"]]
    sizes = sorted((token for token in tokens if token[0].isdigit()), key=float)
    sizes = sizes[1:] if len(sizes) == 3 and sizes[0] == "3" else sizes
    return " ".join([*dict.fromkeys(sizes), *(token for token in tokens if not token[0].isdigit())])


def _length(text: str) -> str:
    if thousands := re.fullmatch(r"\s*(\d+)\s*k(?:\s*tokens?)?\s*", text.lower(), re.ASCII):
        return str(int(thousands[1]) * 1024)
    return _plain("context_length", text)


def _device(text: str) -> str:
    plain = re.sub(r"\b(?:rtx|gtx)\s*(?=\d)|(?<=\d)\s+(?=gb\b)", lambda found: found[0].strip(), text.lower())
    return " ".join(sorted(token for token in re.findall(r"[a-z\d]+", plain) if token not in _SAID["device"]))


def _precision(text: str) -> str:
    written = re.findall(r"[a-z]+\d*|\d+", re.sub(r"(?<=[a-z])[\s_-]+(?=\d)", "", text.lower()))
    found = [str(_PRECISIONS.get(token, token)) for token in written if token not in _SAID["precision"]]
    return " ".join(sorted(found))


def _plain(field: str, text: str) -> str:
    found = [_SAME_WORDS.get(token, token) for token in _tokens(text)]
    return " ".join(sorted(_number(token) for token in found if token not in _SAID[field]))


_READERS: Mapping[str, Callable[[str], str]] = {
    "granularity": _granularity, "augmentation": _augmentation, "distillation": _teacher, "selection": selection_word,
    "iou": _iou, "resolution": _resolution, "context_length": _length, "precision": _precision, "device": _device,
}  # fmt: skip


@lru_cache(maxsize=4096)
def meant(name: str, text: str) -> str:
    """What the text of a detail or of a `measured` field stands for; spellings of one thing give one word."""
    if name in _READERS:
        return _READERS[name](text)
    return _plain(name, text) if name in MEASURED else plain_name(text)


@lru_cache(maxsize=4096)
def may_be_one(name: str, a: str, b: str) -> bool:
    """Whether two meanings may be one thing because one only says more: of a set, of a device, of a teacher."""
    if name == "granularity":
        blocks = BLOCK in (a, b) and a.endswith(BLOCK) and b.endswith(BLOCK)
        return blocks or (STRUCTURED in (a, b) and bool({a, b} & {LAYER, FILTER, BLOCK}))
    if name == "distillation" and YES in (a, b):
        return NONE not in (a, b)
    if name == "augmentation" and STANDARD in (a, b):  # `default`, or flips only
        return all(token in _OF_STANDARD for token in f"{a} {b}".split())
    if name not in (*MEASURED, "augmentation", "distillation") or {a, b} & {NONE, STANDARD}:
        return False
    first, second = Counter(a.split()), Counter(b.split())
    more = (first - second) or (second - first)
    contained = first <= second or second <= first
    return contained and not (name == "augmentation" and set(more) & NAMED_AUGMENTATIONS)


def richer(a: str, b: str) -> bool | None:
    """Whether the first augmentation has all of the second and more; None where nobody knows."""
    ranks = {NONE: 0, STANDARD: 1}
    if a in ranks or b in ranks:
        return ranks.get(a, 2) > ranks.get(b, 2)
    first, second = set(a.split()), set(b.split())
    return first > second if first > second or second > first else None


WORDS: Mapping[str, tuple[str, ...]] = {
    "granularity": ("layer", "filter", "channel", "head", "block", "weight", "unstructured", STRUCTURED),
    "augmentation": (NONE, STANDARD),
    "distillation": (NONE,),
    "selection": ("last", "mean", "median", "final", "best_epoch_on_test", "best_of_runs", "best_on_validation"),
}
"""Details that are words, and those of their words of which a slip is refused."""


def detail(name: str) -> Callable[[Node], str]:
    """A reader of this detail, which takes any word but a slip of one that it knows. Raises InputError for a slip."""

    def read(node: Node) -> str:
        text = word(node)
        plain, known = plain_name(text), {plain_name(each): each for each in WORDS[name]}
        near = difflib.get_close_matches(plain, known, n=1, cutoff=AS_A_SLIP)
        if near and plain not in known and near[0] not in plain and plain_name(meant(name, text)) == plain:
            raise InputError(f"{node.where}: {as_given(text)}: did you mean {known[near[0]]}?")
        return text

    return read
