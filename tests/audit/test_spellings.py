"""Ordinary spellings of details, of how a metric was measured, of bases, schedules and fields are read as one thing."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from support.audit_pairs import entry, judge

from prunemark.audit.document.comparison import loads
from prunemark.audit.document.detail_words import may_be_one, meant
from prunemark.audit.document.lr_schedules import read_schedule
from prunemark.audit.document.names import compare_names
from prunemark.audit.document.yaml_nodes import node_of
from prunemark.audit.judgement.details import GRANULARITIES
from prunemark.setups.errors import InputError

ONE_THING = {
    "selection": [
        ("last", "last checkpoint", "Final model", "mean of 3 runs", "average over seeds", "median", "lastepoch"),
        ("best_epoch_on_test", "best", "best top-1 test accuracy", "best checkpoint", "mean of best epochs", "peak"),
        ("best_of_3", "best of three", "Best-of-3 seeds", "max over 3 runs"),
        ("best_of_runs", "best run", "max of runs"),
        ("best_on_validation", "best epoch on val"),
    ],
    "granularity": [
        ("filter", "channels", "channel-wise", "Filter pruning", "attention heads"),
        ("weight", "unstructured", "element-wise", "fine-grained", "individual weights"),
        ("2:4", "2 : 4", "N:M 2:4", "2:4 semi-structured"),
        ("layer", "layers", "depth"),
    ],
    "augmentation": [
        ("none", "no augmentation", "off"),
        ("standard", "Standard augmentation", "std", "random crop + flip", "random resized crop and horizontal flip"),
        ("RandAugment + mixup", "mix-up, RandAug", "standard + RandAugment + Mixup"),
    ],
    "distillation": [
        ("none", "no teacher", "without distillation", "not used", "false", "0"),
        ("ResNet-101", "KD from ResNet-101", "torchvision resnet101", "ResNet-101 teacher"),
        ("yes", "true", "KD"),
    ],
    "device": [("V100", "NVIDIA Tesla V100 GPU", "1x V100"), ("RTX 3090", "NVIDIA GeForce RTX3090")],
    "precision": [("fp16", "half", "float16", "FP-16", "half precision"), ("fp32", "full"), ("int8", "8-bit")],
    "runtime": [("TensorRT 8.5", "TRT 8.5"), ("PyTorch", "torch")],
    "resolution": [("224", "224x224", "224 x 224", "224px", "3x224x224"), ("1333x800", "800 x 1333")],
    "iou": [("0.50:0.95", "0.5-0.95", "AP@[.5:.95]", "0.5:0.05:0.95", "COCO"), ("0.5", "AP50", "50%")],
    "context_length": [("4096", "4096 tokens", "4k", "4096.0")],
    "calibration": [("C4, 128 samples", "128 samples of C4", "C4 (128 sequences)", "samples 128, set C4")],
    "averaging": [("macro", "Macro F1", "macro-averaged")],
}  # fmt: skip
"""What one thing is called, by detail or field of `measured`."""


@pytest.mark.parametrize("name", ONE_THING)
def test_spellings_of_one_thing_mean_one_thing_and_others_do_not(name: str) -> None:
    for spellings in ONE_THING[name]:
        assert len({meant(name, text) for text in spellings}) == 1, spellings
    assert len({meant(name, spellings[0]) for spellings in ONE_THING[name]}) == len(ONE_THING[name])


@pytest.mark.parametrize(
    ("name", "a", "b", "open_"),
    [
        ("calibration", "C4", "C4, 128 samples", True),
        ("calibration", "C4, 128 samples", "C4, 256 samples", False),
        ("device", "A100", "A100-40GB", True),
        ("device", "A100", "V100", False),
        ("runtime", "TensorRT", "TensorRT 8.5", True),
        ("iou", "AP50", "COCO", False),
        ("distillation", "yes", "ResNet-101", True),
        ("distillation", "yes", "none", False),
        ("augmentation", "RandAugment", "RandAugment m9", True),
        ("augmentation", "RandAugment", "RandAugment + mixup", False),
        ("augmentation", "default", "standard", True),
        ("augmentation", "none", "standard", False),
        ("granularity", "structured", "filter", True),
        ("granularity", "structured", "weight", False),
        ("granularity", "4x4 block", "block", True),
        ("selection", "last", "EMA", False),
    ],
)
def test_what_only_says_more_is_a_question(name: str, a: str, b: str, open_: bool) -> None:
    first, second = meant(name, a), meant(name, b)
    assert first != second and may_be_one(name, first, second) is may_be_one(name, second, first) is open_


def test_a_question_is_presumed_in_words_that_are_true() -> None:
    found = judge(entry("x", 76.0, recipe__distillation="yes"), entry("y", 75.0, recipe__distillation="ResNet-101"))
    assert (found.verdict.word, found.verdict.presumed) == ("attributable-presumed", ("distillation",))
    assert "distillation, which the two do not clearly state as the same" in found.verdict.why
    assert found.undisclosed[0].why.endswith("is this the same?")


def test_the_richer_augmentation_is_the_one_that_has_all_of_the_other_and_more() -> None:
    more = entry("x", 76.0, recipe__augmentation="RandAug + mixup")
    less = entry("y", 75.0, recipe__augmentation="RandAugment")
    found = judge(more, less)
    assert found.verdict.word == "confounded" and [c.favours for c in found.differing] == ["A"]
    assert set(GRANULARITIES) == {"layer", "filter", "block", "weight"}


@pytest.mark.parametrize(
    ("path", "slip", "near"),
    [
        ("recipe__augmentation", "standart", "standard"), ("result__selection", "lst", "last"),
        ("granularity", "chanel", "channel"), ("granularity", "weigth", "weight"),
    ],
)  # fmt: skip
def test_a_slip_of_a_known_word_is_refused(path: str, slip: str, near: str) -> None:
    with pytest.raises(InputError, match=f"'{slip}': did you mean {near}"):
        judge(entry("x", 76.0, **{path: slip}), entry("y", 75.0))


@pytest.mark.parametrize("said", ["unknown", "not stated", "unspecified", "-", "?", "NR"])
def test_words_for_silence_are_silence(said: str) -> None:
    found = judge(entry("x", 76.0, recipe__distillation=said), entry("y", 75.0))
    assert (found.verdict.word, found.verdict.presumed) == ("attributable-presumed", ("distillation",))


@pytest.mark.parametrize(
    ("a", "b", "state"),
    [
        ({"id": "Llama-2-7b-hf"}, {"id": "meta-llama/Llama-2-7b-hf"}, "undecidable"),
        ({"id": "ab12"}, {"id": "AB12"}, "undecidable"),
        ({"id": "ab12"}, {"id": "cd34"}, "refuted"),
        ({"source": "torchvision", "top1": 76.13}, {"source": "PyTorch model zoo", "top1": 76.13}, "holds"),
        ({"source": "torchvision", "top1": 76.13}, {"source": "torchvision V1 weights", "top1": 76.13}, "undecidable"),
        ({"source": "torchvision", "top1": 76.13}, {"source": "torchvision V1", "top1": 77.0}, "refuted"),
        ({"source": "own", "top1": "76.13 ± 0.2"}, {"source": "own", "top1": 76.13}, "holds"),
    ],
)
def test_bases_by_another_name(a: Any, b: Any, state: str) -> None:
    found = judge(entry("x", 76.0, base=a), entry("y", 75.0, base=b)).pair.findings["base_model"]
    assert found.state == state and (state != "undecidable" or found.why.startswith("is `"))


@pytest.mark.parametrize(
    ("kind", "a", "b"),
    [
        ("datasets", "ImageNet", "ImageNet (ILSVRC-2012)"), ("datasets", "ImageNet", "ILSVRC-12"),
        ("networks", "ResNet-50", "torchvision.models.resnet50"), ("networks", "ResNet-50", "ResNet50 (torchvision)"),
        ("networks", "VGG-16-BN", "VGG16 with BN"), ("networks", "VGG-16-BN", "VGG-16 (batch norm)"),
        ("networks", "opt-125m", "facebook/opt-125m"), ("networks", "ViT-B/16", "vit_b_16"),
        ("networks", "DeiT-T", "DeiT-Ti"),
    ],
)  # fmt: skip
def test_names_with_what_says_nothing_more(kind: Any, a: str, b: str) -> None:
    assert compare_names(kind, a, b) == "same"
    assert compare_names("networks", "VGG-16", "VGG-16 (BN)") == "different"


SCHEDULES = {
    "0:1e-2,30:1e-3,60:1e-4": [
        "0.01, decayed by 10 every 30 epochs", "0.01, decay 0.1 at 30 and 60", "LR 0.01, divided by 10 at 30, 60",
        "0.01, reduced by a factor of 10 at the 30th and 60th epoch", "0.01, multiplied by 0.1 at epochs [30, 60]",
        {"kind": "StepLR", "lr": 0.01, "step_size": 30, "gamma": 0.1}, {0: 0.01, 30: 0.001, 60: 1e-4},
    ],
    "1e-3": ["constant 1e-3", "0.001 (constant)", "fixed: 0.001", "constant learning rate of 0.001"],
    "cosine:1e-1->0": [
        "cosine from 0.1 to 0", "0.1, cosine decay", "cosine annealing (0.1 to 0)", "0.1 -> 0, cosine",
        {"kind": "CosineAnnealingLR", "max": 0.1, "min": 0},
    ],
    "cosine:1e-1->0+warmup5": ["cosine 0.1 with 5 warmup epochs", "0.1, cosine (5 epochs of linear warm-up)"],
    "one-cycle:1e-1": ["one cycle with max LR 0.1", {"kind": "OneCycleLR", "max_lr": 0.1}],
    "linear:0.1->0": ["linear decay from 0.1", {"kind": "linear", "initial": 0.1}],
}  # fmt: skip


@pytest.mark.parametrize("plain", SCHEDULES)
def test_schedules_as_papers_say_them(plain: str) -> None:
    wanted = read_schedule(node_of(plain, "x")).over(90).vector
    for said in SCHEDULES[plain]:
        assert read_schedule(node_of(said, "x")).over(90).vector == pytest.approx(wanted, rel=1e-6), said


def test_two_words_for_one_thing_of_a_schedule_are_refused() -> None:
    with pytest.raises(InputError, match="max is another word for initial"):
        read_schedule(node_of({"kind": "cosine", "initial": 0.1, "max": 0.2}, "x"))
    with pytest.raises(InputError, match="cannot read"):
        read_schedule(node_of("0.01, decayed by 10% every 30 epochs", "x"))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("density: 20%", "Write params_kept"), ("flops_reduction: 55%", "55% removed is macs_kept: 45%"),
        ("flops: 2.05G", "Write macs_kept_millions"), ("network: {flops: 4.09G}", "Write dense_macs_millions"),
        ("result: {drop: 1.2}", "Write top1_drop_printed"), ("result: {accuracy: 75}", "Write top1"),
        ("result: {std: 0.2}", "Write top1_sd"), ("result: {mAP: 40}", "Did you mean 'map'"),
        ("top1: 75.2", "as in result: {top1: ...}"), ("accuracy: 75.2", "as in result: {top1: ...}"),
        ("epochs: 90", "stages: [{stage: retraining, epochs: ...}]"), ("batch_size: 64", "batch_size stands in recipe"),
        ("base: {checkpoint: a.pth}", "Write id"), ("macs_kept_millions: 2.0 GFLOPs", "leave FLOPs out"),
        ("stages: [{stage: pruning, epochs: 20-30}]", "{range: [20, 30]}"),
        ("stages: [{stage: pruning, epochs: at least 20}]", "{min: 20}"),
    ],
)  # fmt: skip
def test_an_error_says_what_to_write(line: str, told: str) -> None:
    head = "schema: prunemark-comparison/1\nclaim: {winner: A, loser: B}\n"
    head += "entries:\n  B: {method: b}\n  A:\n    method: a\n"
    with pytest.raises(InputError) as caught:
        loads(f"{head}    {line}\n")
    assert told in str(caught.value) and str(caught.value).startswith("document:7:")


@pytest.mark.parametrize(
    ("path", "plain", "spelt"),
    [
        ("recipe.weight_decay", "1e-4", "1×10^-4"), ("recipe.weight_decay", "1e-4", "10^-4"),
        ("recipe.label_smoothing", "0.1", "10%"), ("result.runs", "3", "3 trials"), ("kind", "scratch", "from scratch"),
        ("kind", "pruned_at_init", "pruning at initialization"), ("result.top1", "74 ± 0.2", "74 (±0.2)"),
        ("macs_kept_millions", "2.05G", "2.05B"),
    ],
)  # fmt: skip
def test_numbers_and_kinds_as_people_write_them(path: str, plain: str, spelt: str) -> None:
    read = []
    for text in (plain, spelt):
        made: dict[str, Any] = {"method": "a"}
        part, _, key = path.partition(".")
        made[part] = {key: text} if key else text
        document = {"schema": "prunemark-comparison/1", "claim": {"winner": "A", "loser": "B"}}
        found = loads(yaml.safe_dump({**document, "entries": {"A": made, "B": {"method": "b"}}})).entries["A"]
        read.append((found.kind, found[path].value, found[f"{path}_plus_minus"].value))
    assert read[0] == read[1]


def test_the_kind_of_a_claim_in_words() -> None:
    found = judge(entry("x", 76.0), entry("y", 75.0), kind="at least as good", margin=0.5)
    assert (found.verdict.word, found.claim.kind) == ("supported", "at_least_as_good")
