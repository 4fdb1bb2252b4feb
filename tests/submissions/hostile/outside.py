"""Attacks that need something outside of the process: files, other processes, the network."""

import ctypes
import fcntl
import importlib.util
import os
import signal
import socket
import struct
import time
from pathlib import Path

from tools import honest, outer, places, reached, store, won

from prunemark import PruningMethod

LIBC = ctypes.CDLL(None, use_errno=True)


class Attempts(PruningMethod):
    """One attempt after the other, each a function that raises OSError where it is stopped."""

    def attempts(self, where):
        return ()

    def prune(self, model, context):
        kept = honest(context, model)
        return won(kept, type(self).__name__) if reached(*self.attempts(places())) else kept


class RunsShell(Attempts):
    """Rule: no processes. Won: a program of the system runs, past Python's own barriers."""

    def attempts(self, where):
        mark = where["marks"] / "shell"
        LIBC.system(b"touch '%s'" % os.fsencode(mark))
        return (lambda: os.stat(mark),)


class LeavesDaemon(Attempts):
    """Rule: no processes. Won: a program that goes on after the trial, in a session of its own."""

    def attempts(self, where):
        def daemon(start):
            child = start()
            if child == 0:
                LIBC.setsid()
                time.sleep(20)
                os._exit(0)
            if child < 0:
                raise OSError(ctypes.get_errno(), "no process")

        return [lambda start=start: daemon(start) for start in (LIBC.fork, LIBC.vfork, lambda: LIBC.syscall(57))]


class ReplacesItself(Attempts):
    """Rule: no programs. Won: this process goes on as another one, which no filter of Python watches."""

    def attempts(self, where):
        def by_libc():
            LIBC.execve(b"/bin/sh", (ctypes.c_char_p * 2)(b"sh", None), (ctypes.c_char_p * 1)(None))
            raise OSError(ctypes.get_errno(), "this process goes on")

        yield by_libc
        yield lambda: os.execv("/bin/sh", ["sh", "-c", "exit 0"])
        yield lambda: os.execve(os.open("/proc/self/exe", os.O_RDONLY), ["python", "-c", ""], {})


class KillsHarness(Attempts):
    """Rule: no harm to the harness. Won: the process above ends, and with it the run."""

    def attempts(self, where):
        yield lambda: os.kill(os.getppid(), signal.SIGKILL)
        yield lambda: os.killpg(os.getppid(), signal.SIGKILL)
        yield lambda: os.kill(-1, signal.SIGKILL)

        def queued():
            if LIBC.syscall(129, os.getppid(), signal.SIGKILL, ctypes.create_string_buffer(128)):
                raise OSError(ctypes.get_errno(), "no signal")

        yield queued


class HasSignalsSent(Attempts):
    """Rule: no harm to the harness. Won: the kernel is told to send the harness signals for a file of this process."""

    def attempts(self, where):
        read, write = os.pipe()
        yield lambda: fcntl.fcntl(read, fcntl.F_SETOWN, os.getppid())
        yield lambda: fcntl.fcntl(read, 15, struct.pack("ii", 1, os.getppid()))  # F_SETOWN_EX
        yield lambda: fcntl.fcntl(read, 10, signal.SIGKILL)  # F_SETSIG
        yield lambda: fcntl.fcntl(1, 1024, fcntl.F_RDLCK)  # a lease
        yield lambda: fcntl.ioctl(outer("asking").pipe.fileno(), 0x8901, struct.pack("i", os.getppid()))  # FIOSETOWN
        yield lambda: fcntl.fcntl(write, 1031, 1 << 20)  # a pipe of the kernel's memory


class PinsHarness(Attempts):
    """Rule: no harm to the harness. Won: the harness runs on one processor from now on, or with another priority."""

    def attempts(self, where):
        yield lambda: os.sched_setaffinity(os.getppid(), {0})
        yield lambda: os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)
        yield lambda: os.sched_setscheduler(os.getppid(), os.SCHED_IDLE, os.sched_param(0))


class WritesHarnessMemory(Attempts):
    """Rule: no harm to the harness. Won: a byte in the memory of the process above is another."""

    def attempts(self, where):
        yield lambda: open(f"/proc/{os.getppid()}/mem", "r+b", buffering=0)
        yield lambda: os.readlink(f"/proc/{os.getppid()}/exe")

        def written():
            word = ctypes.create_string_buffer(8)
            vector = struct.pack("QQ", ctypes.addressof(word), 8)
            if LIBC.process_vm_writev(os.getppid(), vector, 1, vector, 1, 0) < 0:
                raise OSError(ctypes.get_errno(), "no memory")

        yield written


class LeavesStartupFile(Attempts):
    """Rule: later processes stay clean. Won: a file that every later Python of this environment runs."""

    def attempts(self, where):
        for name in ("zz_red_team.pth", "sitecustomize.py", "prunemark_red_team.py"):
            yield lambda name=name: (where["packages"] / name).write_text("import os\n")
        yield lambda: os.rename("given", where["packages"] / "given")


class ReadsSecrets(PruningMethod):
    """Rule: what the user has is the user's. Won: a canary of the environment or of a file stands in the evidence."""

    def prune(self, model, context):
        found = [os.environ.get("PRUNEMARK_CANARY", ""), str(LIBC.getenv(b"PRUNEMARK_CANARY"))]
        for path in (places()["marks"] / "canary", Path("/proc/1/environ"), Path("/etc/passwd")):
            try:
                found.append(path.read_text(errors="replace")[:100])
            except OSError as problem:
                found.append(str(problem.errno))
        raise RuntimeError(" ".join(found))


class TalksToNetwork(Attempts):
    """Rule: no network. Won: something listens on the loopback and hears it."""

    def attempts(self, where):
        def connected(family, address):
            with socket.socket(family) as talk:
                talk.connect(address)
                talk.send(b"test-labels")

        yield lambda: connected(socket.AF_INET, ("127.0.0.1", where["port"]))
        yield lambda: connected(socket.AF_UNIX, "\0prunemark-red-team")
        yield lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", where["port"]))
        yield lambda: socket.socketpair()

        def by_libc():
            if (talk := LIBC.socket(2, 1, 0)) < 0:
                raise OSError(ctypes.get_errno(), "no socket")
            address = struct.pack("<H", 2) + struct.pack(">H", where["port"]) + bytes([127, 0, 0, 1]) + bytes(8)
            LIBC.connect(talk, address, 16)
            LIBC.send(talk, b"test-labels", 11, 0)

        yield by_libc


class ReadsTestSplit(Attempts):
    """Rule: no test data. Won: the test split of the store is opened."""

    def attempts(self, where):
        yield lambda: (store() / "data" / "test.safetensors").read_bytes()
        yield lambda: list((store() / "data").iterdir())
        yield lambda: Path(f"/proc/self/root{store()}/data/test.safetensors").read_bytes()
        yield lambda: Path(f"/proc/self/cwd/../{store().name}/data/test.safetensors").read_bytes()


class TakesDigits(Attempts):
    """Rule: no test data. Won: scikit-learn's digits, the test images among them."""

    def attempts(self, where):
        (package,) = importlib.util.find_spec("sklearn").submodule_search_locations
        folder = Path(package) / "datasets" / "data"
        yield lambda: (folder / "digits.csv.gz").read_bytes()
        yield lambda: os.open(folder / "digits.csv.gz", os.O_RDONLY)


class TakesOthersWeights(Attempts):
    """Rule: no other trial's results. Won: retrained weights of another trial are read."""

    def attempts(self, where):
        yield lambda: (store() / "retrained" / "weights.safetensors").read_bytes()
        yield lambda: os.listdir(store())


class WritesStore(Attempts):
    """Rule: the store is the harness's. Won: a retrained network of one's own lies where the harness will look."""

    def attempts(self, where):
        yield lambda: (store() / "forged").mkdir()
        yield lambda: (store() / "retrained" / "weights.safetensors").write_bytes(b"mine")
        yield lambda: (store() / "base" / "manifest.json").unlink()
        yield lambda: os.truncate(store() / "base" / "weights.safetensors", 0)
        yield lambda: os.rename("given", store() / "given")
        yield lambda: os.rename(store() / "retrained", "mine")


class WritesSite(Attempts):
    """Rule: pages come from records. Won: a page of the site is another."""

    def attempts(self, where):
        yield lambda: (where["site"] / "index.html").write_text("<h1>won</h1>")
        yield lambda: (where["site"] / "index.html").unlink()
        yield lambda: os.symlink("/etc", where["site"] / "etc")


class LinksOutward(Attempts):
    """Rule: only its own files. Won: a name in the scratch folder that stands for a file outside."""

    def attempts(self, where):
        yield lambda: os.symlink(store() / "base" / "weights.safetensors", "weights.safetensors")
        yield lambda: os.link(store() / "base" / "weights.safetensors", "weights.safetensors")
        yield lambda: LIBC.symlink(b"/etc/passwd", b"decision.json") and os.stat("decision.json")


class UsesLeftDescriptors(PruningMethod):
    """Rule: only what was handed over. Won: a descriptor of the harness is open, besides the trainer's pipe."""

    def prune(self, model, context):
        pipe, kept = outer("asking").pipe.fileno(), honest(context, model)
        mine = os.open(".", os.O_RDONLY)
        found = [number for number in range(3, 256) if number not in (pipe, mine) and self.is_open(number)]
        return won(kept, f"descriptors {found}") if found else kept

    def is_open(self, number):
        try:
            place = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            return False
        return not place.startswith(("anon_inode", str(Path.cwd()), "/dev/"))


class SharesMemory(Attempts):
    """Rule: memory is counted. Won: memory that the watch on one process does not see."""

    def attempts(self, where):
        yield lambda: Path("/dev/shm/prunemark-red-team").write_bytes(b"x")
        yield lambda: os.memfd_create("mine")

        def segment():
            if LIBC.shmget(0, 4096, 0o1600) < 0:
                raise OSError(ctypes.get_errno(), "no segment")

        yield segment


class LeavesNoteForNextLife(Attempts):
    """Rule: two runs of one trial share nothing. Won: a place outside of the scratch folder that both can reach."""

    def attempts(self, where):
        import tempfile

        yield lambda: (where["marks"] / "note").write_text("weights")
        for folder in ("/tmp", "/var/tmp", str(Path.cwd().parent), tempfile.gettempdir() + "/.."):
            yield lambda folder=folder: os.mkdir(f"{folder}/prunemark-red-team-note")


class MakesSpecialFiles(Attempts):
    """Rule: plain files only. Won: a file that waits, or that is a device."""

    def attempts(self, where):
        yield lambda: os.mkfifo("decision.json")
        yield lambda: os.mknod("null", 0o20666, os.makedev(1, 3))
        yield lambda: os.chmod(".", 0o4777)
        yield lambda: os.setxattr(".", "user.mine", b"x")


class WidensItsRights(Attempts):
    """Rule: barriers stay. Won: limits or the barriers of this process are lifted."""

    def attempts(self, where):
        import resource

        yield lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
        yield lambda: os.chroot(".")
        yield lambda: os.setuid(1)
        yield lambda: os.setsid()

        def without_parent():
            if LIBC.prctl(1, 0, 0, 0, 0):  # PR_SET_PDEATHSIG
                raise OSError(ctypes.get_errno(), "not allowed")

        def unfiltered():
            if LIBC.syscall(317, 0, 0, 0) or LIBC.unshare(0x10000000):
                raise OSError(ctypes.get_errno(), "not allowed")

        yield without_parent
        yield unfiltered
