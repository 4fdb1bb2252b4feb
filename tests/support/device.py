"""Where the trials of tests run: on the CPU, or with PRUNEMARK_TEST_DEVICE=cuda on a GPU, as `make test-gpu` does."""

import os

from prunemark.benchmark.run.executor import LocalProcesses
from prunemark.benchmark.run.jobs import Job
from prunemark.benchmark.trial.pipeline import run_trial
from prunemark.records.record import load

DEVICE = os.environ.get("PRUNEMARK_TEST_DEVICE", "cpu")
SECONDS = 60.0 if DEVICE == "cpu" else 600.0  # of a pruning stage: CHIP's many small decompositions are slow on a GPU


def run_there(trial, store):
    """The trial's record. On a GPU from a process of its own, as with `submit`: one that used CUDA cannot be forked."""
    if DEVICE == "cpu":
        return run_trial(trial, store, lambda stage, point: None)
    said = []
    job = Job("trial", "prunemark.benchmark.run.worker:trial_job", (trial, store.root))
    LocalProcesses(1).run([job], said.append)
    return load(next(event.value for event in said if event.kind == "done"), "a trial of a test")
