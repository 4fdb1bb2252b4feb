"""What a key follows: everything that changes a number, and nothing else."""

import json
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest

from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.trial import environment, keys, versions
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.records.matched_to import MatchedTo
from prunemark.setups.budget import OWN_NOTHING, Own, budget_for
from prunemark.setups.comparison import SETUPS
from prunemark.setups.execution import Execution
from prunemark.setups.given_base import GivenBase
from prunemark.setups.own_parts import OwnParts
from prunemark.setups.recipe import OwnRecipe, Recipe
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.track import Level, SeedPrior
from prunemark.setups.track_files import find_track

METHOD = """
from prunemark.benchmark.method import FilterCriterion, setting


class Mine(FilterCriterion):
    power: float = setting(1.0, "of the weights")

    def score(self, layer, context):
        return (layer.weight.flatten(1).abs() ** self.power).sum(dim=1)
"""
STAGES = [field.name for field in fields(keys.Keys)]
TRACK = find_track("digits-resnet8")
RECIPE = replace(TRACK.retraining, lr=parse_schedule("0:1e-1,3:1e-2", TRACK.retraining.epochs))


def written(folder, text=METHOD, name="mine.py", **helpers):
    folder.mkdir(exist_ok=True)
    for helper, content in helpers.items():
        (folder / f"{helper}.py").write_text(content)
    (folder / name).write_text(text)
    return locate(f"{folder / name}:Mine")[1]


def trial_of(source, track=TRACK, setup="S3.2", kind="pruned", own=OWN_NOTHING, level=0, **changes):
    entrant = {"name": "Mine", "kind": kind, "role": "submission", "source": source, "settings": (("power", 1.0),),
                  "summary": "words"}  # fmt: skip
    entrant = {name: changes.pop(name, value) for name, value in entrant.items()}
    at = changes.pop("at", track.levels[level])
    budget = budget_for(track, SETUPS[setup], at, kind, own)
    trial = Trial(track, at, SETUPS[setup], 0, Entrant(**entrant, own=own), budget, "cpu", 60.0)
    return replace(trial, **changes)


def all_keys(trial, given=None):
    found = keys.stage_keys(trial, given)
    return asdict(found) | {"retrain": keys.retrain_key(trial, found, trial.recipe)}


@pytest.fixture
def source(tmp_path):
    return written(tmp_path / "one")


@pytest.mark.parametrize(
    "text",
    [
        f'"""What this file is for."""  # nothing that runs\n{METHOD}',
        METHOD.replace("Criterion):", 'Criterion):\n    """A docstring."""\n'),
        METHOD.replace("        return", "        # why not\n\n        return"),
        METHOD.replace("power: float", "about = About(paper='Nobody, 1999')\n    power: float"),
        METHOD.replace("\n", "\r\n"),
    ],
    ids=["module", "docstring", "comment", "about", "line ends"],
)
def test_words_in_a_submission_change_no_key(tmp_path, source, text):
    assert text != METHOD
    again = written(tmp_path / "two", text)
    assert all_keys(trial_of(again, summary="other words")) == all_keys(trial_of(source))


@pytest.mark.parametrize(
    "changes",
    [
        {"pruning_seconds_limit": 1.0}, {"summary": "What it is, said otherwise."},
        {"track": replace(TRACK, title="the same images, described better")},
    ],
    ids=str,
)  # fmt: skip
def test_words_and_limits_change_no_key(source, changes):
    assert all_keys(trial_of(source, **changes)) == all_keys(trial_of(source))


def test_which_gpu_changes_no_key(source):
    found = [all_keys(trial_of(source, device=device)) for device in ("cuda", "cuda:0", "cuda:1")]
    assert found[0] == found[1] == found[2] != all_keys(trial_of(source))


def test_the_place_of_a_method_changes_no_key_and_its_file_name_only_that_of_the_record(tmp_path, source):
    moved, renamed = written(tmp_path / "elsewhere"), written(tmp_path / "two", name="theirs.py")
    before, after = all_keys(trial_of(source)), all_keys(trial_of(renamed))
    assert all_keys(trial_of(moved)) == before
    assert {stage for stage in before if before[stage] != after[stage]} == {"evaluate"}
    assert renamed.sha256 != source.sha256 and renamed.code_sha256 == source.code_sha256


@pytest.mark.parametrize(
    ("extra", "helpers"),
    [
        ("HERE = __file__\n", {}),
        ("import helper\n", {"helper": "import mine\n"}),
        ("import helper\n", {"helper": "import theirs\n"}),
    ],
    ids=["reads its name", "is imported by its name", "takes the name of another"],
)
def test_a_name_that_the_code_can_see_counts(tmp_path, extra, helpers):
    one = written(tmp_path / "one", extra + METHOD, **helpers)
    other = written(tmp_path / "two", extra + METHOD, "theirs.py", **helpers)
    assert one.code_sha256 != other.code_sha256


def test_a_file_that_it_imports_counts_with_its_name(tmp_path):
    one = written(tmp_path / "one", f"import near\n{METHOD}", near="A = 1\n")
    other = written(tmp_path / "two", f"import near\n{METHOD}", near="A = 2\n")
    third = written(tmp_path / "three", f"import afar\n{METHOD}", afar="A = 1\n")
    assert len({each.code_sha256 for each in (one, other, third)}) == 3
    # it may lie before or behind the method's own file in the order of names
    assert written(tmp_path / "four", f"import near\n{METHOD}", "z.py", near="A = 1\n").code_sha256 == one.code_sha256


def test_no_key_holds_the_text_of_the_harness_or_a_path(monkeypatch, source):
    seen = []
    monkeypatch.setattr(keys, "key_of", lambda stage, inputs: seen.append(json.dumps(inputs)) or f"key of {stage}")
    all_keys(trial_of(source), keys.Given({"blocks.0.conv1": 4}, MatchedTo("Mine", "0123abcd")))
    text = " ".join(seen)
    assert len(seen) > 5 and ".py" not in text and str(Path(source.path).parent) not in text
    hashes = {word for word in text.replace('"', " ").split() if len(word) == 64}
    assert hashes == {source.code_sha256, source.sha256}
    known = environment.environment()
    assert set(known) == {"machine", *environment.NUMERIC_PACKAGES}
    assert known["torch"].split(".")[0].isdigit() and known["machine"]


OTHER_RECIPE = {
    "lr": parse_schedule("0:1e-1,5:1e-2", TRACK.retraining.epochs), "batch_size": 64, "optimiser": "AdamW",
    "momentum": 0.8, "nesterov": True, "weight_decay": 1e-3, "label_smoothing": 0.1, "augmentation": "none",
    "distillation": "temperature=4,weight=0.9", "regulariser": "l1:1e-05 on scales",
}  # fmt: skip
OTHER_LEVEL = {"name": "half", "ratio": 0.51, "speedup": 1.95, "layer_ratios": (("blocks", 0.5),)}
OTHER_TRACK = {
    "name": "other", "version": 7, "dataset": "digits ", "classes": 11, "network": "resnet9", "family": "other",
    "granularity": "weight", "prunable": TRACK.prunable[:2], "levels": TRACK.levels[:1], "anchor": "L2-norm",
    "margin_pp": 2.0, "tolerance": 0.02, "pruning_seconds_limit": 61.0, "pruning_epochs_limit": 7,
    "scoring_epochs_limit": 3, "lr_stage_cap": 3, "allocations": ("uniform",), "prior": SeedPrior(1.0, "a source"),
    "pattern": "2:4", "arithmetic": "portable", "judged": "planned: 5",
    "own": OwnParts("", "a" * 64, (("timm", "1.0"),), "b" * 64, (1, 8, 8), (0.5,), (0.2,)),
    "execution": Execution(precision="bf16"),
    "base": (GivenBase("file:net.pth", "ab" * 32, 90.0, "a test"),),
}  # fmt: skip


def changed(one, other):
    before, after = all_keys(one), all_keys(other)
    return {stage for stage in before if before[stage] != after[stage]}


def test_the_lists_of_what_matters_are_whole():
    assert set(OTHER_RECIPE) == {field.name for field in fields(Recipe)}
    assert set(OTHER_LEVEL) == {field.name for field in fields(Level)}
    recipes = {"pretraining", "pruning", "retraining"}
    assert set(OTHER_TRACK) | recipes | {"title"} == {field.name for field in fields(TRACK)}
    assert set(versions.STAGES) == {"data", "network", "pretrain", "prune", "retrain", "evaluate", "describe"}


@pytest.mark.parametrize("field", OTHER_RECIPE)
@pytest.mark.parametrize(
    ("stage", "follows"),
    [
        ("pretraining", {"pretrain", "prune", "retrain", "evaluate_base", "evaluate"}),
        ("pruning", {"prune", "retrain", "evaluate"}),
        ("retraining", {"retrain", "evaluate"}),
    ],
)
def test_every_field_of_a_recipe_is_in_the_keys(source, field, stage, follows):
    one = replace(TRACK, pretraining=replace(RECIPE), pruning=replace(RECIPE), retraining=replace(RECIPE))
    other = replace(one, **{stage: replace(RECIPE, **{field: OTHER_RECIPE[field]})})
    assert changed(trial_of(source, one, "S4.2"), trial_of(source, other, "S4.2")) == follows


@pytest.mark.parametrize("field", OTHER_LEVEL)
def test_every_field_of_a_level_is_in_the_keys(source, field):
    other = replace(TRACK.levels[0], **{field: OTHER_LEVEL[field]})
    assert changed(trial_of(source), trial_of(source, at=other)) == {"prune", "retrain", "evaluate"}


FELT_BY_PRUNING = {
    "prunable", "tolerance", "pruning_epochs_limit", "scoring_epochs_limit", "allocations", "granularity", "pattern",
}  # fmt: skip
FELT_BY_ALL = {"dataset", "arithmetic", "own"}


@pytest.mark.parametrize("field", OTHER_TRACK)
def test_every_term_of_a_track_is_in_the_keys(monkeypatch, source, field):
    monkeypatch.setattr(keys, "source_of", lambda _: "")
    found = changed(trial_of(source), trial_of(source, replace(TRACK, **{field: OTHER_TRACK[field]})))
    least = {"evaluate"} | ({"prune", "retrain"} if field in FELT_BY_PRUNING else set())
    least |= {"pretrain", "prune", "retrain", "evaluate_base"} if field in ("network", "base", "execution") else set()
    assert found == (set(STAGES) | {"retrain"} if field in FELT_BY_ALL else least)


@pytest.mark.parametrize(
    ("other", "stages"),
    [
        ({"seed": 1}, {"pretrain", "prune", "evaluate_base", "evaluate", "retrain"}),
        ({"settings": (("power", 2.0),)}, {"prune", "retrain", "evaluate"}),
        ({"setup": "S2"}, {"evaluate"}),
        ({"setup": "S4.1"}, {"prune", "retrain", "evaluate"}),
        ({"setup": "SX-A"}, {"pretrain", "prune", "retrain", "evaluate_base", "evaluate"}),
        ({"name": "Yours"}, {"evaluate"}),
        ({"role": "anchor"}, {"evaluate"}),
        ({"kind": "dense"}, {"prune", "retrain", "evaluate"}),
        ({"level": 1}, {"prune", "retrain", "evaluate"}),
        ({"tuning": (RECIPE,)}, {"evaluate"}),
        ({"device": "cuda"}, {*STAGES, "retrain"}),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),  # xdist: the same in each process
)
def test_what_a_trial_is_of_is_in_its_keys(source, other, stages):
    assert changed(trial_of(source), trial_of(source, **other)) == stages


def test_what_a_method_brings_and_what_a_control_is_given_are_in_the_keys(source):
    own = Own(retraining=OwnRecipe(5, "1e-2"))
    assert changed(trial_of(source, setup="S2"), trial_of(source, setup="S2", own=own)) == {"retrain", "evaluate"}
    before = all_keys(trial_of(source, kind="scratch"))
    given = all_keys(trial_of(source, kind="scratch"), keys.Given({"blocks.0.conv1": 4}))
    assert {stage for stage in before if before[stage] != given[stage]} == {"prune", "retrain", "evaluate"}
    named = all_keys(trial_of(source, kind="scratch"), keys.Given({"blocks.0.conv1": 4}, MatchedTo("Mine", "0123abcd")))
    assert {stage for stage in named if named[stage] != given[stage]} == {"evaluate"}


def test_code_and_class_of_a_method_are_in_the_keys(tmp_path, source):
    other = written(tmp_path / "two", METHOD.replace("abs()", "square()"))
    both = written(tmp_path / "three", f"{METHOD}\n\nclass Other(Mine):\n    pass\n")
    twin = locate(f"{tmp_path}/three/mine.py:Other")[1]
    follows = {"prune", "retrain", "evaluate"}
    assert changed(trial_of(source), trial_of(other)) == follows == changed(trial_of(both), trial_of(twin))


@pytest.mark.parametrize(
    ("stage", "voided"),
    [
        ("data", {*STAGES, "retrain"}), ("network", {*STAGES, "retrain"} - {"data"}),
        ("pretrain", {*STAGES, "retrain"} - {"data"}), ("prune", {"prune", "retrain", "evaluate"}),
        ("retrain", {"retrain", "evaluate"}), ("evaluate", {"evaluate_base", "evaluate"}),
    ],
)  # fmt: skip
def test_a_raised_version_voids_its_stage_and_what_follows(monkeypatch, source, stage, voided):
    before = all_keys(trial_of(source))
    scratch = all_keys(trial_of(source, kind="scratch"))
    monkeypatch.setitem(versions.STAGES, stage, 2)
    after, again = all_keys(trial_of(source)), all_keys(trial_of(source, kind="scratch"))
    assert {each for each in before if before[each] != after[each]} == voided
    if stage == "network":  # its weights are drawn, not trained
        assert scratch["prune"] != again["prune"]


def test_the_machine_and_the_libraries_are_in_the_keys(monkeypatch, source):
    before = all_keys(trial_of(source))
    for name in ("machine", *environment.NUMERIC_PACKAGES):
        other = environment.environment() | {name: "other"}
        with monkeypatch.context() as patch:
            patch.setattr(keys, "environment", lambda other=other: other)
            after = all_keys(trial_of(source))
        assert [stage for stage in before if before[stage] == after[stage]] == [], name


@pytest.mark.parametrize(
    ("network", "dataset", "counts"),
    [("resnet8", "digits", set()), ("timm:resnet18", "digits", {"timm"}),
     ("torchvision:resnet18", "digits", {"torchvision"}), ("resnet8", "fashion-mnist", {"torchvision", "pillow"}),
     ("timm:resnet18", "fashion-mnist", {"timm", "torchvision", "pillow"})],
)  # fmt: skip
def test_the_library_of_a_network_and_of_images_is_in_the_keys(monkeypatch, source, network, dataset, counts):
    monkeypatch.setattr(keys, "source_of", lambda _: {})
    trial = trial_of(source, replace(TRACK, network=network, dataset=dataset))
    real, before = environment.package_versions, keys.pretrain_key(trial)
    for name in ("timm", "torchvision", "pillow"):

        def newer(names, name=name):
            return {each: "99.0" if each == name else found for each, found in real(names).items()}

        with monkeypatch.context() as patch:
            patch.setattr(environment, "package_versions", newer)
            assert (keys.pretrain_key(trial) != before) == (name in counts), name
