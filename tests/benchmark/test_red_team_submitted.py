"""Attacks through the whole of `submit`: the run goes on, the record says what happened, the store is as it was."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from prunemark.benchmark.sandbox.confinement import isolation_here

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(isolation_here() != "landlock", reason="this machine has no Landlock and seccomp"),
]
HOSTILE = Path(__file__).parents[1] / "submissions" / "hostile"
CANARY = "canary-4711"
EXPECTED = {
    ("lanes", "Scores"): "ok", ("outside", "KillsHarness"): "ok", ("outside", "WritesStore"): "ok",
    ("outside", "ReadsTestSplit"): "ok", ("outside", "ReadsSecrets"): "failed",
    ("forging", "SaysImagesAreGone"): "failed",
    ("forging", "SaysDiskIsFull"): "failed", ("asking", "AsksForManyEpochs"): "ok",
    ("resources", "DeepFolders"): "noncompliant", ("deciding", "NegativeVariance"): "noncompliant",
}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory, furnish):
    folder = furnish(tmp_path_factory.mktemp("home"))
    for name in ("marks", "site"):
        (folder / name).mkdir()
    (folder / "marks" / "canary").write_text(CANARY)
    (folder / "site" / "index.html").write_text("<h1>Board</h1>")
    return folder


def stored(home):
    """Every entry of the store by its content: what is there is never changed."""
    files = [path for path in (home / "store").rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize(("file", "name"), EXPECTED, ids=[name for _, name in EXPECTED])
def test_a_run_goes_on_and_says_what_happened(home, file, name):
    before, records = stored(home), set((home / "records").glob("*.json"))
    place = HOSTILE.parent if file == "lanes" else HOSTILE
    done = subprocess.run(
        [sys.executable, "-P", "-m", "prunemark", "submit", f"{place / file}.py:{name}", "--track", "digits-resnet8",
         "--setup", "S3.2", "--level", "90%", "--seeds", "1", "--workers", "1", "--no-time", "--home", str(home)],
        env=os.environ | {"PRUNEMARK_CANARY": CANARY, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
        timeout=600, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr and "fault in Prunemark" not in done.stderr, done.stderr[-2000:]
    texts = [path.read_text() for path in set((home / "records").glob("*.json")) - records]
    outcomes = [json.loads(text)["outcome"] for text in texts]
    mine = [outcome for outcome in outcomes if outcome["method"]["name"] == name]
    assert [outcome["status"] for outcome in mine] == [EXPECTED[file, name]], done.stderr[-2000:]
    assert not any(CANARY in text or len(text) > 200_000 for text in texts)
    assert not any((outcome.get("compression") or {}).get("allocation", "").startswith("won") for outcome in mine)
    after = stored(home)
    assert {path: after.get(path) for path in before} == before
    assert (home / "site" / "index.html").read_text() == "<h1>Board</h1>"
