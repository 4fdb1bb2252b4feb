"""The numbers of every stage, for every kind of method, as hashes: a script, and what test_golden_stages.py compares.

    python tests/support/golden_stages.py             prints them, computed in portable arithmetic
    python tests/support/golden_stages.py --refresh   writes them to tests/golden/stages.json

Of each number the file also has its key. Where only the number changed, stored results of the old code would be taken
for those of the new one, and the script refuses to write that. Where a case itself was changed here, delete the file
first, and look at what else differs.
"""

import hashlib
import json
import os
import sys
import tempfile
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parents[1]))  # where it runs as a script


from prunemark.benchmark.compression.budget_solver import TargetMissed, choose_filters
from prunemark.benchmark.compression.surgery import cost_model
from prunemark.benchmark.images.augmentation import augment
from prunemark.benchmark.images.data import load_split, prepare
from prunemark.benchmark.metering.meter import Meter
from prunemark.benchmark.networks import cost
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.training import arithmetic
from prunemark.benchmark.training.loop import train
from prunemark.benchmark.trial.diagnostics import diagnose
from prunemark.benchmark.trial.environment import environment, libraries
from prunemark.benchmark.trial.keys import given_to, retrain_key, stage_keys
from prunemark.benchmark.trial.packing import PACKED, read_masks, read_weights
from prunemark.benchmark.trial.pipeline import run_trial
from prunemark.benchmark.trial.pruning_stage import PROCESS
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.benchmark.trial.versions import STAGES
from prunemark.records.outcome import EpochPoint
from prunemark.setups.budget import Own, budget_for
from prunemark.setups.comparison import find_setup
from prunemark.setups.recipe import AUGMENTATIONS, Recipe
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.track import DENSE_LEVEL
from prunemark.setups.track_files import find_track

GOLDEN = Path(__file__).parents[1] / "golden" / "stages.json"
REFRESH = f"python {os.path.relpath(__file__)} --refresh"
SHORT = Recipe(lr=parse_schedule("0:1e-1,1:1e-2", 2), augmentation="shift1")
EVALUATED = ("compression", "accuracy", "diagnostics", "tuning")
TRAINED = ("pretrain", "retrain")  # what follows from the base is voided with it; scratch training has none
RETRAINED = ("weights_sha256", "curve", "retraining")


def track(name, **changes):
    """A released track whose stages last two epochs, in portable arithmetic."""
    short = {"pretraining": SHORT, "pruning": SHORT, "retraining": SHORT, "pruning_epochs_limit": 4}
    return replace(find_track(name), name="golden", arithmetic="portable", **short | changes)


FILTERS = track("digits-resnet8")
NEURONS = track("digits-mlp7")
WEIGHTS = track("digits-resnet8-weights")
PATTERN = track("digits-resnet8-2to4")
ALL_TERMS = track(
    "digits-resnet8",
    retraining=replace(SHORT, nesterov=True, momentum=0.8, weight_decay=1e-3, label_smoothing=0.1, batch_size=64),
)
TUNED = tuple(replace(SHORT, lr=parse_schedule(lr, 2)) for lr in ("5e-2", "1e-2"))
CASES = (  # track, setup, method, and what else: the submission of a control, the pruning epoch, recipes to tune
    (FILTERS, "S3.2", "L1-norm", {}),
    (FILTERS, "S4.2", "L1-norm", {}),  # one-shot under imposed epochs: the dense model is trained first
    (FILTERS, "SX-A", "L1-norm", {"prune_at": 1}),
    (FILTERS, "SX-B", "Scratch", {}),
    (FILTERS, "S3.2", "Taylor-FO", {}),
    (FILTERS, "S4.1", "Slimming", {}),  # a penalty, and one ranking over all layers
    (FILTERS, "S4.1", "Random", {"submission": "Slimming"}),
    (FILTERS, "S4.1", "Scratch", {"submission": "Slimming"}),
    (FILTERS, "S4.2", "GReg-1", {}),  # a growing penalty
    (FILTERS, "S4.2", "SFP", {}),  # filters that come back
    (FILTERS, "S3.2", "StepByStep", {}),  # filters held at zero, rounds, noise
    (FILTERS, "S3.2", "Dense", {}),
    (FILTERS, "S3.1-tuned", "L1-norm", {"tuning": TUNED}),
    (ALL_TERMS, "S3.2", "L1-norm", {}),
    (NEURONS, "S3.2", "L1-norm", {}),
    (WEIGHTS, "S3.2", "Magnitude", {}),
    (WEIGHTS, "S3.2", "Random-weights", {"submission": "Magnitude"}),
    (WEIGHTS, "S3.2", "Scratch", {"submission": "Magnitude"}),
    (WEIGHTS, "S3.2", "Weight-rewinding", {}),  # an earlier checkpoint of the base
    (WEIGHTS, "S4.1", "AGP", {}),  # masks that grow
    (WEIGHTS, "S4.2", "RigL", {}),  # masks that move
    (WEIGHTS, "S3.2", "SNIP", {}),
    (PATTERN, "S3.2", "Magnitude", {}),
    (PATTERN, "S4.1", "SR-STE", {}),
    (PATTERN, "S3.2", "Random-weights", {"submission": "Magnitude"}),
    (PATTERN, "S3.2", "Scratch", {"submission": "Magnitude"}),
)  # fmt: skip


def digest(value):
    """A short name of plain data, or of tensors by name."""
    found = hashlib.sha256()
    if isinstance(value, dict) and value and all(isinstance(each, torch.Tensor) for each in value.values()):
        for name in sorted(value):
            found.update(f"{name} {tuple(value[name].shape)}".encode() + value[name].contiguous().numpy().tobytes())
    else:
        found.update(json.dumps(value, sort_keys=True, default=str).encode())
    return found.hexdigest()[:16]


def files_digest(folder, base=None):
    """Of all files of a stage, which are JSON and safetensors; `base` is what they may be packed against."""
    read = {"weights.safetensors": lambda _: read_weights(folder, base), "masks.safetensors": masks_of}
    return digest({
        path.name: digest(read.get(path.name, load_file)(path)) if path.suffix == ".safetensors" else
        json.loads(path.read_text())
        for path in sorted(folder.iterdir()) if path.name not in ("manifest.json", PACKED, PROCESS)  # seconds are none
    })  # fmt: skip


def masks_of(path):
    """A byte a weight, as they were before they were packed."""
    return {name: torch.from_numpy(mask).to(torch.uint8) for name, mask in read_masks(path).items()}


def entrant(name, prune_at=None, role="submission"):
    """A method that ships, with its defaults, or a reference."""
    kind = name.lower() if name in ("Scratch", "Dense") else "pruned"
    own_file = f"{Path(__file__).parents[1] / 'submissions' / 'golden_method.py'}:{name}"
    source = None if kind != "pruned" else locate(own_file if name == "StepByStep" else name)[1]
    return Entrant(name, kind, role, source, (), own=Own(prune_at=prune_at))


def trial_of(on, setup, name, submission=None, prune_at=None, tuning=()):
    """One of the cases, on seed 0 at its track's first level."""
    method = entrant(name, prune_at=prune_at, role="control" if submission else "submission")
    level = DENSE_LEVEL if method.kind == "dense" else on.levels[0]
    found = find_setup(setup)
    budget = budget_for(on, found, level, method.kind, method.own)
    other = entrant(submission) if submission else None
    return Trial(on, level, found, 0, method, budget, "cpu", 60.0, other, tuning)


def stages_of(trial, store):
    """Of every stage of a trial: its key, and a hash of its numbers."""
    record = run_trial(trial, store, lambda stage, point: None)
    outcome = asdict(record.outcome)
    assert outcome["status"] == "ok", outcome["failure"]
    keys = stage_keys(trial, given_to(trial, store))
    data, base, decided = (store.path(key) for key in (keys.data, keys.pretrain, keys.prune))
    found = {"data": (keys.data, files_digest(data))}
    if outcome["base"]:
        found["pretrain"] = (keys.pretrain, files_digest(base))
    found["prune"] = (
        keys.prune,
        files_digest(decided, base) if decided.exists() else digest(outcome["compression"]["kept"]),
    )
    recipes = trial.tuning or (trial.recipe,)
    retrained = "".join(retrain_key(trial, keys, recipe) for recipe in recipes)
    found["retrain"] = (retrained, digest({name: outcome[name] for name in RETRAINED}))
    measured = {name: outcome[name] for name in EVALUATED} | {"base": (outcome["base"] or {}).get("test_percent")}
    found["evaluate"] = (keys.evaluate, digest(measured))
    return found


def parts():
    """By name, the stages that use it and its hash: what no trial here goes through."""
    found = {}
    for name in ("mlp7", "mobilenetv2", "resnet14-thin", "resnet20", "resnet20b", "vgg16", "wrn40-2"):
        shape = ImageShape(3, 16, 16, 10)
        model = build_network(name, shape, 3)
        found[name] = (["network"], digest([digest(model.state_dict()), asdict(cost.count(model, shape))]))
    pixels = torch.rand(48, 3, 8, 8, generator=torch.Generator().manual_seed(5))
    for kind in AUGMENTATIONS:
        moved = augment(pixels, kind, -1.0, torch.Generator().manual_seed(7))
        found[f"augmentation {kind}"] = (TRAINED, digest({"images": moved}))
    accuracy = (30.0, 50.0, 60.0, 61.0, 63.0, 66.0, 64.0, 68.0, 69.0, 80.0, 81.0, 80.5)
    curve = [EpochPoint(epoch, 0.1, 1.0, percent) for epoch, percent in enumerate(accuracy)]
    said = asdict(diagnose(curve, parse_schedule("0:1e-1,9:1e-2", 12), 0.5))
    rounded = {name: round(value, 9) if isinstance(value, float) else value for name, value in said.items()}
    found["diagnostics of 12 epochs"] = (["evaluate"], digest(rounded))
    return found | {"AdamW": (TRAINED, adamw()), "filters of a speed-up": (["prune"], solved())} | files()


def solved():
    """The filters that the solver leaves for many targets, some of which bind, or cannot be met."""
    shape = ImageShape(1, 8, 8, 10)
    cost = cost_model(build_network("resnet8", shape, 0), FILTERS, shape)
    generator = torch.Generator().manual_seed(17)
    scores = {name: torch.rand(size, generator=generator).double() for name, size in cost.sizes.items()}
    found = {}
    for allocation, speedup, tolerance in product(("uniform", "global"), (1.2, 1.7, 2.9, 5.5), (0.01, 0.03, None)):
        try:
            kept = choose_filters(scores, cost, speedup, tolerance, allocation)
            found[f"{allocation} {speedup} {tolerance}"] = {name: indices.tolist() for name, indices in kept.items()}
        except TargetMissed as missed:
            found[f"{allocation} {speedup} {tolerance}"] = str(missed)
    return digest(found)


def adamw():
    """The losses of two epochs, rounded: it takes square roots, which not every processor rounds alike."""
    with tempfile.TemporaryDirectory() as folder:
        prepare("digits", Path(folder))
        data = load_split("digits", Path(folder), "train", torch.device("cpu"))
    recipe = Recipe(lr=parse_schedule("0:1e-3,1:1e-4", 2), optimiser="AdamW", weight_decay=0.05)
    curve, _ = train(build_network("resnet8", data.shape, 1), data, recipe, seed=1, stream="x", meter=Meter(0))
    return digest([round(point.train_loss, 3) for point in curve])


def files():
    """Images that are read from a folder: all at once, and as they are needed."""
    from PIL import Image

    found, generator = {}, torch.Generator().manual_seed(11)
    with tempfile.TemporaryDirectory() as place:
        for split, number in product(("train", "test"), range(24)):
            file = Path(place) / split / f"class{number % 2}" / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            noise = torch.randint(0, 256, (12, 14, 3), generator=generator, dtype=torch.uint8)
            Image.fromarray(noise.numpy()).save(file)
        os.environ["PRUNEMARK_DATA"] = place
        for name in ("folder:toy@8", "folder:toy@8/files"):
            out = Path(place) / name.replace("/", " ")
            out.mkdir()
            prepare(name, out)
            data = load_split(name, out, "train", torch.device("cpu"), workers=0)
            batches = data.served(iter(torch.arange(8).split(4)), "resized-crop", torch.Generator().manual_seed(13))
            served = {f"batch {number}": images for number, (images, _) in enumerate(batches)}
            found[name] = (["data"], digest([files_digest(out), digest(served)]))
    return found


def everything():
    """By case and stage: [key, hash of the numbers]."""
    torch.set_num_threads(1)
    found = {
        f"{name}, {stage}": {stage: [f"version {STAGES[stage]}", numbers]}
        for name, (stages, numbers) in parts().items() for stage in stages
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for on, setup, name, more in CASES:
            words = f"{name} {setup} {on.network} {on.pattern or on.granularity}" + "".join(f" {k}" for k in more)
            words += " all terms" if on is ALL_TERMS else ""
            stages = stages_of(trial_of(on, setup, name, **more), Store(Path(folder)))
            found[words] = {stage: [digest(key), numbers] for stage, (key, numbers) in stages.items()}
    return {"libraries": environment() | libraries("resnet8", "folder:toy@8"), "cases": found}


def changes(golden, here):
    """In words: numbers that are not as they were though their keys are, and keys that are not.

    Of each case the first stage that differs, since the later ones follow from it.
    """
    numbers, keyed = {}, {}
    for case in sorted(golden["cases"].keys() | here["cases"].keys()):
        old, new = golden["cases"].get(case, {}), here["cases"].get(case, {})
        for stage in sorted(old.keys() | new.keys(), key=list(STAGES).index):
            (old_key, was), (new_key, now) = old.get(stage, ("", "")), new.get(stage, ("", ""))
            if (old_key, was) != (new_key, now):
                (numbers if old_key == new_key else keyed).setdefault(stage, []).append(case)
                break
    return [
        f'{stage}: numbers changed: raise STAGES["{stage}"] in benchmark/trial/versions.py and run {REFRESH} '
        f"({', '.join(cases)})"
        for stage, cases in numbers.items()
    ], [
        f"{stage}: another key, as after a raised version: every home computes it once more. If that is meant, run "
        f"{REFRESH} ({', '.join(cases)})"
        for stage, cases in keyed.items()
    ]


if __name__ == "__main__":
    arithmetic.use("portable")
    here = everything()
    if "--refresh" not in sys.argv:
        print(json.dumps(here, indent=1))
        sys.exit()
    before = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else here
    wrong = changes(before, here)[0] if before["libraries"] == here["libraries"] else []
    if wrong:
        sys.exit("not written:\n" + "\n".join(wrong))
    GOLDEN.write_text(json.dumps(here, indent=1) + "\n")
