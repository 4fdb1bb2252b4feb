"""Where trials run: the options that commands share, and the executor that they ask for."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from prunemark.benchmark.run.drive import Executor
    from prunemark.benchmark.run.executor import LocalProcesses

LOCAL, RAY, SLURM = "local", "ray", "slurm"
AUTO = "auto"
WorkersOption = Annotated[
    str | None,
    typer.Option("--workers", help="processes; auto: as many as fit on the GPUs [default: one per core or GPU]"),
]

ExecutorOption = Annotated[str, typer.Option("--executor", help="local, ray or slurm: where trials run")]
AddressOption = Annotated[
    str, typer.Option("--address", help="of the Ray cluster: host:port [env: RAY_ADDRESS; default: this machine's]")
]
GpusOption = Annotated[
    float | None, typer.Option("--gpus-per-trial", help="on a cluster; 0.25 on Ray [default: 1 with --device cuda]")
]
SlurmOption = Annotated[
    list[str] | None, typer.Option("--slurm", help="name=value of sbatch, may be repeated: partition=gpu, time=240")
]
DevicesOption = Annotated[
    int, typer.Option("--devices-per-trial", help="GPUs (on the CPU: processes) that train one trial together")
]


@dataclass(frozen=True)
class Engine:
    """What was asked for. Raises InputError for options that do not go together."""

    name: str = LOCAL
    address: str = ""
    gpus: float | None = None
    slurm: tuple[str, ...] = ()
    devices: int = 1

    def __post_init__(self) -> None:
        from prunemark.setups.errors import InputError, unknown_name

        if self.name not in (LOCAL, RAY, SLURM):
            raise unknown_name("executor", self.name, (LOCAL, RAY, SLURM))
        for option, given, owner in (("--address", self.address, RAY), ("--slurm", self.slurm, SLURM)):
            if given and self.name != owner:
                raise InputError(f"{option} goes with --executor {owner}; given --executor {self.name}")
        if self.gpus is not None and not self.elsewhere:
            raise InputError("--gpus-per-trial goes with --executor ray or slurm. Here, --workers says how many share")
        if self.devices < 1:
            raise InputError(f"--devices-per-trial is at least 1; given {self.devices}")
        if self.devices > 1 and self.gpus is not None:
            raise InputError(
                f"--gpus-per-trial {self.gpus:g} with --devices-per-trial {self.devices}: leave the first out, each "
                "trial gets a whole GPU for each of its devices"
            )
        if self.devices > 1 and int(os.environ.get("WORLD_SIZE") or 1) > 1:
            raise InputError(
                f"torchrun has started this command {os.environ['WORLD_SIZE']} times: Prunemark starts the processes "
                "of a trial itself.\nRun it once, as `prunemark ...`"
            )
        if wrong := [text for text in self.slurm if not text.partition("=")[2]]:
            raise InputError(f"--slurm takes name=value, as in --slurm partition=gpu; given {wrong[0]!r}")

    @property
    def elsewhere(self) -> bool:
        """Whether trials run on other machines: this one then needs no GPU, and its clock says nothing of theirs."""
        return self.name != LOCAL

    def gpus_on(self, device: str) -> float:
        """How many GPUs, or what part of one, a trial gets. Raises InputError for one on the CPU."""
        from prunemark.setups.errors import InputError

        if device == "cpu" and self.gpus:
            raise InputError(f"--gpus-per-trial {self.gpus:g} with --device cpu: say --device cuda")
        return float(self.devices * (device != "cpu")) if self.gpus is None else self.gpus


def engine_of(name: str, address: str, gpus: float | None, slurm: list[str] | None, devices: int = 1) -> Engine:
    """From the options of a command."""
    return Engine(name, address, gpus, tuple(slurm or ()), devices)


def executor_for(engine: Engine, home: Path, workers: str | int | None, device: str) -> Executor:
    """What carries trials out.

    Raises InputError, also where the extra or the cluster is not there.
    """
    if workers == AUTO:
        return sharing(engine, home, device)
    workers = read_workers(workers)
    if engine.name == RAY:
        from prunemark.benchmark.run.ray_cluster import RayCluster

        return RayCluster(home, workers or 0, engine.address, engine.gpus_on(device), engine.devices)
    if engine.name == SLURM:
        from prunemark.benchmark.run.slurm_tasks import SlurmTasks

        options = dict(text.split("=", 1) for text in engine.slurm)
        return SlurmTasks(home, workers or 0, engine.gpus_on(device), options, cores=engine.devices)
    return local(workers, device, engine.devices)


def stop_after(hours: float | None) -> float | None:
    """When an executor stops that is given this. Raises InputError for what is no limit."""
    from prunemark.setups.errors import InputError

    if hours is not None and not 0 < hours < 1e5:
        raise InputError(f"--hours is a number above 0; given {hours:g}")
    return None if hours is None else time.monotonic() + hours * 3600


def sharing(engine: Engine, home: Path, device: str) -> LocalProcesses:
    """Processes of this machine, on each of its GPUs as many as fit into its memory. Raises InputError elsewhere."""
    from prunemark.benchmark.run.executor import LocalProcesses, default_workers
    from prunemark.benchmark.run.gpu_room import FOLDER, GpuRoom
    from prunemark.setups.errors import InputError

    if engine.devices > 1:
        raise InputError(f"--workers {AUTO} shares GPUs; with --devices-per-trial {engine.devices} a trial has its own")
    if engine.elsewhere:
        raise InputError(f"--workers {AUTO} shares the GPUs of this machine; on a cluster give --gpus-per-trial 0.25")
    if device == "cpu":
        return local(None, device)
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # the order of nvidia-smi, which reads the memory
    if not (devices := visible_gpus(device)):
        raise InputError(f"--workers {AUTO} goes with --device cuda; CUDA_VISIBLE_DEVICES says which GPUs it may take")
    return LocalProcesses(default_workers("cpu"), devices=devices, shared=GpuRoom(devices, home / FOLDER))


def read_workers(given: str | int | None) -> int | None:
    """A number of them. Raises InputError for what is none."""
    from prunemark.setups.errors import InputError

    if given is None:
        return None
    text = str(given)
    if not text.isascii() or not text.isdigit() or len(text) > 6 or int(text) < 1:
        raise InputError(f"--workers is at least 1, or {AUTO} where trials share GPUs; given {given}")
    return int(text)


def local(workers: str | int | None, device: str, together: int = 1) -> LocalProcesses:
    """Processes of this machine, spread over its GPUs; one to a core, or to a GPU, where no number is given.

    So many devices `together` are one trial's. Raises InputError where there are fewer.
    """
    from prunemark.benchmark.run.executor import LocalProcesses, default_workers, grouped

    devices = grouped(visible_gpus(device), device, together)
    return LocalProcesses(read_workers(workers) or default_workers(device, devices, together), devices=devices)


def visible_gpus(device: str) -> tuple[str, ...]:
    """See `executor.visible_devices`."""
    from prunemark.benchmark.run.executor import visible_devices

    return visible_devices(device, os.environ, _gpus)


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


def planner(engine: Engine, executor: Executor) -> Executor:
    """What looks at a method before trials are planned: it takes seconds, and nobody waits in a queue for that."""
    return local(1, "cpu") if engine.name == SLURM else executor
