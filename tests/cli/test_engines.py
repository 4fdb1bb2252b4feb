"""Where trials run: which options go together, and that examples for clusters are commands that are read."""

import shlex
import subprocess
import time
from pathlib import Path

import pytest
import typer

from prunemark.benchmark.run.executor import LocalProcesses, default_workers
from prunemark.cli import app, engines
from prunemark.cli.engines import Engine, executor_for, planner, stop_after
from prunemark.setups import errors
from prunemark.setups.errors import InputError

EXAMPLES = Path(__file__).parents[2] / "examples" / "cluster"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "kubernetes"}, "unknown executor 'kubernetes'"),
        ({"name": "slurm", "address": "head:6379"}, "--address goes with --executor ray; given --executor slurm"),
        ({"slurm": ("partition=gpu",)}, "--slurm goes with --executor slurm; given --executor local"),
        ({"gpus": 0.5}, "--gpus-per-trial goes with --executor ray or slurm"),
        ({"name": "slurm", "slurm": ("partition",)}, "--slurm takes name=value"),
        ({"devices": 0}, "--devices-per-trial is at least 1; given 0"),
        ({"name": "ray", "devices": 2, "gpus": 0.5}, "--gpus-per-trial 0.5 with --devices-per-trial 2"),
    ],
)
def test_options_that_do_not_go_together_are_refused(given, words):
    with pytest.raises(InputError, match=words):
        Engine(**given)


def test_a_gpu_is_asked_for_with_a_device():
    assert [Engine("ray", gpus=g).gpus_on(d) for g, d in ((None, "cuda"), (None, "cpu"), (0.25, "cuda"))] == [
        1,
        0,
        0.25,
    ]
    with pytest.raises(InputError, match="say --device cuda"):
        Engine("ray", gpus=0.25).gpus_on("cpu")


@pytest.mark.parametrize(("name", "extra"), [("ray", "ray"), ("slurm", "slurm")])
def test_without_the_extra_the_command_says_what_to_install(name, extra, tmp_path, monkeypatch):
    monkeypatch.setattr(errors, "lacking", lambda asked: [asked] if asked == extra else [])
    with pytest.raises(InputError, match=rf"--executor {name} needs .*\n.*pip install 'prunemark\[{extra}\]'"):
        executor_for(Engine(name), tmp_path, None, "cpu")


def test_workers_of_this_machine_are_spread_over_its_gpus(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(engines, "_gpus", lambda: 3)
    assert executor_for(Engine(), tmp_path, None, "cuda") == LocalProcesses(3, devices=("0", "1", "2"))
    assert executor_for(Engine(), tmp_path, 6, "cuda").workers == 6
    assert executor_for(Engine(), tmp_path, 2, "cuda:1").devices == ()
    with pytest.raises(InputError, match="--workers is at least 1, or auto where trials share GPUs; given 0"):
        executor_for(Engine(), tmp_path, 0, "cpu")


def test_several_gpus_of_one_trial_are_given_together(tmp_path, monkeypatch):
    """As many trials at once as there are such groups; torchrun's own start is refused, Prunemark starts processes."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(engines, "_gpus", lambda: 5)
    two = Engine(devices=2)
    assert executor_for(two, tmp_path, None, "cuda") == LocalProcesses(2, devices=("0,1", "2,3"))
    assert two.gpus_on("cuda") == 2 and two.gpus_on("cpu") == 0
    assert default_workers("cpu", (), 1) >= 1 == default_workers("cpu", (), 10_000)
    with pytest.raises(InputError, match="--devices-per-trial 6, but there are 5 GPUs here"):
        executor_for(Engine(devices=6), tmp_path, None, "cuda")
    with pytest.raises(InputError, match="--device cuda:1, which is one: say --device cuda"):
        executor_for(two, tmp_path, None, "cuda:1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert Engine().devices == 1
    with pytest.raises(InputError, match="torchrun has started this command 2 times"):
        Engine(devices=2)


def test_only_slurm_has_somebody_else_look_at_a_method():
    local = LocalProcesses(2)
    assert planner(Engine(), local) is local and planner(Engine("ray"), local) is local
    assert planner(Engine("slurm"), local) == LocalProcesses(1)


def test_hours_are_a_number_above_zero():
    assert stop_after(None) is None and 3590 < stop_after(1) - time.monotonic() < 3610
    for hours in (0, -1, float("nan"), float("inf")):
        with pytest.raises(InputError, match="--hours is a number above 0"):
            stop_after(hours)


def test_the_sbatch_script_is_one_and_its_command_is_read():
    script = EXAMPLES / "one-node.sbatch"
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    (line,) = [line for line in script.read_text().splitlines() if line.startswith("srun prunemark ")]
    words = shlex.split(line.replace("$SLURM_CPUS_PER_TASK", "8").replace("$method", "L1-norm"))
    command = typer.main.get_command(app.app).commands[words[2]]
    read = command.make_context(words[2], words[3:]).params
    assert (read["method"], read["workers"], read["hours"], read["executor"]) == ("L1-norm", "8", 3.5, "local")


def test_the_file_of_a_ray_cluster_has_what_ray_asks_for():
    import yaml

    found = yaml.safe_load((EXAMPLES / "ray-cluster.yaml").read_text())
    assert found["provider"]["type"] == "local" and len(found["provider"]["worker_ips"]) == found["max_workers"]
    assert all("ray stop" in found[f"{who}_start_ray_commands"][0] for who in ("head", "worker"))
