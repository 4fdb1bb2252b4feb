"""A real SLURM on loopback: one slurmctld, one slurmd, in a folder of its own, without munge and accounting."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from support.mlflow_server import free_port

UNPACKED = os.environ.get("PRUNEMARK_TEST_SLURM", "")
"""A folder that Debian's packages slurmctld, slurmd, slurm-client and slurm-wlm-basic-plugins were unpacked into."""
ROOT = Path(UNPACKED or "/")
LIBRARIES = ROOT / "usr" / "lib" / "x86_64-linux-gnu"
NAMES = ("slurmctld", "slurmd", "slurmstepd")
CONF = """ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/none
CredType=cred/none
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
KillWait=2
PluginDir={plugins}
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=2000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def program(name):
    """Debian calls it slurmctld-wlm, and links slurmctld to it."""
    found = [ROOT / "usr" / "sbin" / each for each in (f"{name}-wlm", name)]
    return next((path for path in found if path.exists()), None)


def missing():
    """Why there can be no SLURM here; '' where there can."""
    if lacks := [name for name in NAMES if not program(name)]:
        return f"no {', '.join(lacks)}: apt install slurmctld slurmd slurm-client"
    return "" if os.getuid() == 0 else "slurmd needs root to start tasks"


@contextlib.contextmanager
def slurm(folder, patch):
    """sbatch and the rest lead to it in this process and what it starts, until the end."""
    (folder / "state").mkdir(parents=True)
    (folder / "spool").mkdir()
    text = CONF.format(
        folder=folder, host=socket.gethostname(), controller=free_port(), node=free_port(),
        plugins=LIBRARIES / "slurm-wlm",
    )  # fmt: skip
    (folder / "slurm.conf").write_text(text)
    patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
    if UNPACKED:
        patch.setenv("LD_LIBRARY_PATH", f"{LIBRARIES / 'slurm-wlm'}:{LIBRARIES}")
        patch.setenv("PATH", f"{os.environ['PATH']}:{ROOT / 'usr' / 'bin'}")
    node = [program("slurmd"), "-D", "-d", program("slurmstepd"), "-N", socket.gethostname()]
    with contextlib.ExitStack() as ends:
        for words in ([program("slurmctld"), "-D", "-c"], node):
            log = ends.enter_context((folder / f"{words[0].name}.log").open("w"))
            process = subprocess.Popen(words, stdout=log, stderr=log, cwd=folder)
            ends.callback(process.wait)
            ends.callback(process.terminate)
        deadline = time.monotonic() + 60
        while "idle" not in ask("sinfo", "--noheader", "--format=%T"):
            assert time.monotonic() < deadline, "SLURM did not start"
            time.sleep(0.2)
        yield
        ask("scancel", "--user=root")


def ask(*words):
    """What one of SLURM's programs says."""
    assert shutil.which(words[0]), f"no {words[0]}"
    return subprocess.run(words, capture_output=True, text=True, timeout=30, check=False).stdout
