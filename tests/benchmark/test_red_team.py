"""The red team: attacks on the harness by submitted code (tests/submissions/hostile), each with proof that none wins.

An attack that gets through says so in its allocation, which goes on the record. Besides, whatever it did: the store,
the site, the environment and the canaries are as before, nothing was heard on the loopback, no process is left over,
and weights that a method did not make openly are the harness's own.
"""

import contextlib
import hashlib
import os
import socket
import sysconfig
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.faults import descendants

from prunemark.benchmark.images.data import load_split, prepare, tensor_dict
from prunemark.benchmark.networks.registry import build_network
from prunemark.benchmark.networks.weights import weights_sha256
from prunemark.benchmark.sandbox.child import ChildFailed, Limits
from prunemark.benchmark.sandbox.confinement import isolation_here
from prunemark.benchmark.submission.describe import LARGEST, describe_in_child
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.training.seeds import derive_seed
from prunemark.benchmark.trial import pruning_stage
from prunemark.benchmark.trial.packing import WEIGHTS
from prunemark.benchmark.trial.pruning_stage import run_stage
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.setups.budget import budget_for
from prunemark.setups.comparison import find_setup

pytestmark = pytest.mark.skipif(isolation_here() != "landlock", reason="this machine has no Landlock and seccomp")
HOSTILE = Path(__file__).parents[1] / "submissions" / "hostile"
CANARY = "canary-4711"

OUTSIDE = ("ok",)  # with the honest decision: what was tried was refused
FORGED = ("noncompliant", "budget_exceeded", "failed")
EXPECTED = {
    "outside.py": {
        "RunsShell": OUTSIDE, "LeavesDaemon": OUTSIDE, "ReplacesItself": OUTSIDE, "KillsHarness": OUTSIDE,
        "HasSignalsSent": OUTSIDE, "PinsHarness": OUTSIDE, "WritesHarnessMemory": OUTSIDE,
        "LeavesStartupFile": OUTSIDE, "ReadsSecrets": ("failed",), "TalksToNetwork": OUTSIDE,
        "ReadsTestSplit": OUTSIDE, "TakesDigits": OUTSIDE, "TakesOthersWeights": OUTSIDE, "WritesStore": OUTSIDE,
        "WritesSite": OUTSIDE, "LinksOutward": OUTSIDE, "UsesLeftDescriptors": OUTSIDE, "SharesMemory": OUTSIDE,
        "LeavesNoteForNextLife": OUTSIDE, "MakesSpecialFiles": OUTSIDE, "WidensItsRights": OUTSIDE,
    },
    "meter.py": {
        "CallsEngine": ("budget_exceeded",), "TrainsByNumpy": ("budget_exceeded",),
        "SwitchesMeterOff": ("budget_exceeded",), "SetsMeterBack": ("budget_exceeded",),
        "PausesWatch": ("budget_exceeded",), "TrainsWhenRead": ("budget_exceeded",),
        "TrainsInModel": ("budget_exceeded", "failed"), "TrainsInThread": ("budget_exceeded", "failed"),
        "TrainsInHook": ("budget_exceeded", "failed"), "TrainsByTransform": ("budget_exceeded", "failed"),
        "TrainsOnOtherImages": ("ok",), "TrainsThenClaims": ("ok",), "ReadingOfNothing": ("budget_exceeded",),
        "ThreadAfterTheEnd": ("ok", "noncompliant"),
    },
    "forging.py": {
        "ForgesAll": ("budget_exceeded",), "AllocationOfHtml": FORGED, "AllocationOfControls": FORGED,
        "DeepBrackets": FORGED, "NamesTwice": FORGED, "NumbersThatAreNone": FORGED, "NumbersOfDigits": FORGED,
        "ReadingBelowZero": FORGED, "ReadingOfTruths": FORGED, "WaitingFile": FORGED, "FolderAsFile": FORGED,
        "LinkedWeights": FORGED, "HoleyFile": FORGED, "LongHeader": FORGED, "OverlappingTensors": FORGED,
        "MasksOfTwos": FORGED, "MasksOnFilters": FORGED, "MasksOfNoSize": FORGED, "SaysImagesAreGone": ("failed",),
        "SaysDiskIsFull": ("failed",), "SaysItIsNoError": ("failed",), "LongError": ("failed",),
        "ErrorThatCannotBeShown": ("failed",),
    },
    "deciding.py": {
        "MoreFilters": ("noncompliant",),
        "SameFilterTwice": ("noncompliant",), "KeepsAll": ("noncompliant",), "NegativeVariance": FORGED,
        "WeightsThatAreNone": FORGED, "WeightsBeyondMeasure": ("noncompliant",), "ScoresThatAreNone": ("failed",),
        "TensorOfItsOwnKind": FORGED, "DecisionOfItsOwnKind": FORGED, "NetworkOfItsOwnKind": ("ok",),
    },
    "asking.py": {
        "AsksForManyEpochs": ("ok",), "AsksWithLongSchedule": ("ok",), "AsksForOtherImages": ("ok",),
        "AsksForOtherWeights": ("ok",), "AsksWithWrongMasks": ("ok",), "AsksWithBombs": ("ok",),
        "AsksForMuchEarlier": ("ok",), "SaysHalfAWord": FORGED, "SaysTooMuch": FORGED,
        "TrainsWithoutGrant": ("budget_exceeded",), "LeavesTrainerBusy": FORGED,
    },
    "resources.py": {
        "IgnoresSignals": ("timeout",), "StopsItself": ("noncompliant",), "HoldsMemory": ("out_of_memory",),
        "HoldsMemoryBehindItsEnd": ("out_of_memory",), "ManyThreads": ("noncompliant",),
        "ManyFiles": ("noncompliant",), "DeepFolders": ("noncompliant",), "LargeFiles": ("noncompliant",),
        "NamelessFiles": ("noncompliant",), "NamesOfAllKinds": ("ok",), "FloodsLog": ("failed", "noncompliant"),
        "UsesProcessorInSecret": ("ok",),
    },
    "selection.py": {"RunsPipeline": ("ok",), "KnowsItsSeed": ("ok",), "DrawsAnew": ("ok",), "DrawsByClock": ("ok",)},
}  # fmt: skip
CASES = [(file, name, statuses) for file, attacks in EXPECTED.items() for name, statuses in attacks.items()]
SECONDS = {"IgnoresSignals": 1.0}
MEMORY_BYTES = {"HoldsMemory": 1 << 30, "HoldsMemoryBehindItsEnd": 1 << 30}
IMPOSED = ("UntrainedTwice",)


class Result(NamedTuple):
    status: str
    words: str
    stage: pruning_stage.Stage | None


class Field(NamedTuple):
    """What attacks could win: each part is looked at after every one of them."""

    track: object
    places: dict
    heard: list
    before: dict


@pytest.fixture(scope="module")
def field(tmp_path_factory, bench):
    """A store with a base model, the test split and another trial; a site, canaries, and a listener."""
    root = tmp_path_factory.mktemp("field")
    store, site, marks = (root / name for name in ("store", "site", "marks"))
    for folder in (site, marks, *(store / name for name in ("base", "data", "retrained"))):
        folder.mkdir(parents=True)
    track = bench.short_track("digits-resnet8")
    prepare(track.dataset, store / "data")
    shape = load_split(track.dataset, store / "data", "validation", torch.device("cpu")).shape
    for name in ("base", "retrained"):
        network = build_network(track.network, shape, derive_seed(0, name))
        save_file(tensor_dict(network.state_dict()), store / name / WEIGHTS)
        (store / name / "manifest.json").write_text("{}")
    (site / "index.html").write_text("<h1>Board</h1>")
    (marks / "canary").write_text(CANARY)
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNEMARK_CANARY", CANARY)
        threading.Thread(target=_listen, args=(listener, heard), daemon=True).start()
        packages = Path(sysconfig.get_path("purelib"))
        places = {"root": root, "site": site, "marks": marks, "packages": packages, "port": listener.getsockname()[1]}
        yield Field(track, places, heard, seen(places))


def _listen(listener, heard):
    while True:
        try:
            heard.append(listener.accept()[0].recv(100))
        except OSError:
            return


def seen(places):
    """Everything that no attack may change, in a form that can be compared."""
    files = {
        path: hashlib.sha256(path.read_bytes()).hexdigest() for path in places["root"].rglob("*") if path.is_file()
    }
    folders = {path for path in places["root"].rglob("*") if not path.is_file()}
    environment = {
        entry.name: entry.stat(follow_symlinks=False).st_mtime_ns for entry in os.scandir(places["packages"])
    }
    outside = {name for name in (path.name for path in Path(tempfile.gettempdir()).iterdir()) if "red-team" in name}
    return {"files": files, "folders": folders, "environment": environment, "outside": outside}


def forks():
    """What was forked from this process and has not ended, or has lost its parent; not what another worker forked."""
    own, ours = Path("/proc/self/cmdline").read_bytes(), {"1", *map(str, [os.getpid(), *descendants(os.getpid())])}
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                if (entry / "cmdline").read_bytes() == own and parent in ours:
                    found.add(entry.name)
    return found


def run(field, file, name, setup="S3.2", isolation=""):
    places = field.places  # attacks find it in the frames that the fork keeps
    held, level = find_setup(setup), field.track.level("50%")
    source = locate(f"{HOSTILE / file}:{name}")[1]
    entrant = Entrant(name, "pruned", "submission", source, ())
    budget = budget_for(field.track, held, level, "pruned")
    trial = Trial(field.track, level, held, 0, entrant, budget, "cpu", SECONDS.get(name, 60.0), isolation=isolation)
    store = places["root"] / "store"
    try:
        stage = run_stage(trial, store / "base", store / "data", None)
    except ChildFailed as failure:
        return Result(failure.status, f"{failure.rule}\n{failure.evidence}\n{failure.trace}", None)
    return Result("ok", stage.said.decision.allocation, stage)


@pytest.fixture
def limited(monkeypatch):
    def so(name):
        if name in MEMORY_BYTES:
            monkeypatch.setattr(
                pruning_stage, "Limits", lambda seconds, **more: Limits(seconds, MEMORY_BYTES[name], **more)
            )

    return so


@pytest.mark.parametrize(("file", "name", "statuses"), CASES, ids=[name for _, name, _ in CASES])
def test_nothing_is_won(field, limited, file, name, statuses):
    limited(name)
    before = forks()
    result = run(field, file, name)
    assert result.status in statuses, result.words
    assert not result.words.startswith("won"), result.words
    assert CANARY not in result.words and len(result.words) < 50_000
    assert not any(ord(letter) < 32 and letter != "\n" for letter in result.words)
    if result.stage and result.stage.process.lane == "decision":
        assert weights_sha256(result.stage.weights) == weights_sha256(
            load_file(field.places["root"] / "store" / "base" / WEIGHTS)
        )
    assert seen(field.places) == field.before
    assert field.heard == []
    assert forks() - before == set()


def test_imposed_epochs_are_not_said_to_be_none_for_ever(field):
    assert run(field, "forging.py", "UntrainedTwice", "S4.2").status in FORGED


def test_an_honest_method_is_not_taken_for_one_of_them(field):
    result = run(field, "../lanes.py", "Scores")
    assert (result.status, result.words) == ("ok", "uniform")


DECLARED = {
    "MarkupEverywhere": False, "WideDocstring": True, "EndlessPattern": None, "ManySettings": False, "LongNames": False,
    "NoNumber": False, "LyingClass": None, "LeavesItsOwn": None, "HRank": True,
}  # fmt: skip
"""Whether a class whose words attack can be described: yes, no, or either."""


@pytest.mark.parametrize("name", DECLARED)
def test_what_a_class_says_of_itself_is_short_plain_data(field, name):
    before, began = forks(), time.monotonic()
    try:
        described = describe_in_child(locate(f"{HOSTILE / 'text.py'}:{name}")[1], name)
    except ChildFailed as failure:
        assert DECLARED[name] is not True, failure.evidence
        assert len(failure.evidence) <= 500
    else:
        assert DECLARED[name] is not False, described
        assert described.granularity == "filter" and described.name == name
        assert len(repr(described)) < LARGEST
        assert all(type(setting.default) in (bool, int, float, str) for setting in described.settings.values())
    assert time.monotonic() - began < 30
    assert seen(field.places) == field.before and forks() - before == set()


def test_every_attack_is_in_the_table():
    import ast

    bases = {"Attempts", "Forges", "Asks"}
    for file, attacks in EXPECTED.items():
        tree = ast.parse((HOSTILE / file).read_text())
        found = {node.name for node in tree.body if isinstance(node, ast.ClassDef)} - bases
        assert found - set(IMPOSED) == set(attacks), file
        assert all(ast.get_docstring(node) for node in tree.body if isinstance(node, ast.ClassDef))
