"""What a confined process is left with. Each attempt is made in a process of its own, behind all barriers."""

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest
import torch

from prunemark.benchmark.run import fork_server
from prunemark.benchmark.sandbox import confinement, syscalls
from prunemark.benchmark.sandbox.child import Limits, run_in_child
from prunemark.benchmark.sandbox.confinement import Confinement, isolation_here, isolation_of
from prunemark.setups.errors import InputError

pytestmark = pytest.mark.skipif(isolation_here() != "landlock", reason="this machine has no Landlock and seccomp")
SOON = Limits(seconds=30.0)


def confined(work, scratch, *arguments, limits=SOON, **more):
    return run_in_child(work, *arguments, scratch=scratch, limits=limits, confinement=Confinement("landlock", **more))


@pytest.fixture
def secret(tmp_path):
    file = tmp_path / "elsewhere" / "secret"
    file.parent.mkdir()
    file.write_text("secret")
    return file


@pytest.fixture
def scratch(tmp_path):
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


ATTEMPTS = {
    "read a file": lambda secret: secret.read_text(),
    "list a folder": lambda secret: list(secret.parent.iterdir()),
    "write a file": lambda secret: (secret.parent / "new").write_text("x"),
    "cut a file off": lambda secret: os.truncate(secret, 0),
    "remove a file": lambda secret: secret.unlink(),
    "move a file in": lambda secret: secret.rename("mine"),
    "change a mode": lambda secret: secret.chmod(0),
    "change an owner": lambda secret: os.chown(secret, 1, 1),
    "change its time": os.utime,
    "read who there is": lambda _: Path("/etc/passwd").read_text(),
    "read another's environment": lambda _: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
    "read another's memory": lambda _: os.open(f"/proc/{os.getppid()}/mem", os.O_RDONLY),
    "follow its own root": lambda _: Path("/proc/self/root/etc/passwd").read_text(),
    "shared memory": lambda _: Path("/dev/shm/mine").write_text("x"),
    "an anonymous file": lambda _: os.memfd_create("mine"),
    "a program": lambda _: os.execv("/bin/true", ["true"]),
    "a process": lambda _: os.fork(),
    "a spawned program": lambda _: os.posix_spawn("/bin/true", ["true"], {}),
    "a subprocess": lambda _: subprocess.run(["/bin/true"], check=True),
    "a session": lambda _: os.setpgid(0, 0),
    "a socket": lambda _: socket.socket(socket.AF_INET),
    "a local socket": lambda _: socket.socket(socket.AF_UNIX),
    "a pair of sockets": lambda _: socket.socketpair(),
    "a signal to its parent": lambda _: os.kill(os.getppid(), 0),
    "a signal to all": lambda _: os.kill(-1, 0),
    "a kill of itself": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "a stop of itself": lambda _: os.kill(os.getpid(), signal.SIGSTOP),
    "a stop of its thread": lambda _: signal.pthread_kill(threading.get_ident(), signal.SIGTSTP),
    "a link": lambda secret: os.link(secret, "link"),
    "a symbolic link": lambda _: Path("link").symlink_to("/etc/passwd"),
    "a FIFO": lambda _: os.mkfifo("fifo"),
    "a device": lambda _: os.mknod("null", 0o20666, os.makedev(1, 3)),
    "another root": lambda _: os.chroot("."),
    "signals to its parent for a file": lambda _: fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, os.getppid()),
    "signals by a device": lambda _: fcntl.ioctl(os.pipe()[0], 0x8901, bytes(4)),
    "a lease": lambda _: fcntl.fcntl(1, 1024, fcntl.F_RDLCK),
    "a larger pipe": lambda _: fcntl.fcntl(os.pipe()[1], 1031, 1 << 20),
    "the processors of its parent": lambda _: os.sched_setaffinity(os.getppid(), {0}),
    "more descriptors": lambda _: os.dup2(0, 300),
}


def attempt(name, secret):
    """Ends well only if the attempt was refused by the system."""
    try:
        ATTEMPTS[name](secret)
    except OSError:
        return
    raise AssertionError(f"it could: {name}")


@pytest.mark.parametrize("name", ATTEMPTS)
def test_nothing_reaches_out_of_the_scratch_folder(name, secret, scratch):
    confined(attempt, scratch, name, secret)
    assert secret.read_text() == "secret"
    assert sorted(path.name for path in secret.parent.iterdir()) == ["secret"]


RAW_CALLS = {"ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "io_uring_setup": 425, "keyctl": 250,
             "add_key": 248, "mount": 165, "unshare": 272, "setns": 308, "bpf": 321, "userfaultfd": 323, "shmget": 29,
             "pidfd_open": 434, "pidfd_getfd": 438, "memfd_secret": 447, "execveat": 322, "vfork": 58, "clone3": 435,
             "seccomp": 317, "personality": 135, "prlimit64": 302, "perf_event_open": 298, "open_by_handle_at": 304,
             "a call of tomorrow": 511}  # fmt: skip


def raw(name):
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = (0, 7, ctypes.create_string_buffer(16), 0) if name == "prlimit64" else (0, 0, 0, 0, 0)
    if libc.syscall(RAW_CALLS[name], *arguments) >= 0:
        raise AssertionError(f"it could: {name}")
    if ctypes.get_errno() not in (1, 38):  # EPERM, and ENOSYS where libc is to try another way
        raise AssertionError(f"{name}: errno {ctypes.get_errno()}")


@pytest.mark.parametrize("name", RAW_CALLS)
def test_calls_past_python_are_refused_by_the_kernel(name, scratch):
    confined(raw, scratch, name)


def test_libc_cannot_run_a_program(scratch):
    def work():
        assert ctypes.CDLL(None).system(b"touch ran") != 0
        assert not Path("ran").exists()

    confined(work, scratch)


def test_what_honest_methods_need_still_works(scratch):
    def work():
        warnings.simplefilter("ignore")  # joblib says that it may start no process
        Path("folder").mkdir()
        Path("folder/file").write_text("x")
        Path("folder/file").rename("file")
        found = []
        thread = threading.Thread(target=lambda: found.append(1))
        thread.start()
        thread.join()
        assert found == [1]
        os.sched_setaffinity(0, os.sched_getaffinity(0))
        torch.set_num_threads(2)
        weights = torch.randn(64, 64, requires_grad=True)
        (weights @ weights).sum().backward()
        torch.linalg.svd(weights.detach())
        layer = torch.nn.Conv2d(3, 8, 3)
        layer(torch.randn(4, 3, 16, 16)).sum().backward()
        torch.optim.SGD(layer.parameters(), lr=0.1).step()
        torch.save(layer.state_dict(), "layer.pt")
        torch.load("layer.pt")
        import scipy.optimize
        import sklearn.cluster

        assert scipy.optimize.minimize(lambda x: (x**2).sum(), [1.0]).success
        sklearn.cluster.KMeans(2, n_init=1).fit(weights.detach().numpy())
        import tempfile

        with tempfile.NamedTemporaryFile() as file:
            assert file.name.startswith(str(scratch))

    confined(work, scratch)


def test_the_test_images_of_the_digits_are_not_to_be_read(scratch):
    def work():
        warnings.simplefilter("ignore")
        from sklearn.datasets import load_digits

        try:
            load_digits()
        except OSError:
            return
        raise AssertionError("the digits were read")

    confined(work, scratch)


def test_boards_and_tests_of_this_repository_are_not_among_what_can_be_read():
    clone = Path(confinement.__file__).resolve().parents[2]
    code = "from prunemark.benchmark.sandbox.confinement import package_folders; print(*package_folders(), sep=chr(10))"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    folders = done.stdout.split()
    assert str(clone / "benchmark") in folders
    for place in ("leaderboard", "tests", "contributions", "."):
        assert not any((clone / place).is_relative_to(folder) for folder in folders)


def test_the_environment_is_a_handful_of_variables(scratch, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "secret")

    def work():
        libc = ctypes.CDLL(None)
        libc.getenv.restype = ctypes.c_char_p
        assert "MY_TOKEN" not in os.environ
        assert libc.getenv(b"MY_TOKEN") is None

    confined(work, scratch)


def test_a_worker_is_started_without_what_its_user_exported():
    given = {"PATH": "/bin", "MY_TOKEN": "secret", "AWS_SECRET_ACCESS_KEY": "secret", "PRUNEMARK_DATA": "/data"}
    handed = fork_server.handed_on(given)
    assert "secret" not in handed.values()
    assert (handed["PATH"], handed["PRUNEMARK_DATA"], handed["OMP_NUM_THREADS"]) == ("/bin", "/data", "1")


def test_descriptors_are_closed(scratch, secret):
    with secret.open() as file:

        def work():
            try:
                os.read(file.fileno(), 1)
            except OSError:
                return
            raise AssertionError("it was open")

        confined(work, scratch)


def test_an_isolation_that_cannot_be_had_is_refused_in_words(monkeypatch):
    monkeypatch.setattr(confinement, "landlock_version", lambda: 2)
    assert isolation_of("") == isolation_of("process") == "process"
    with pytest.raises(InputError, match="--isolation landlock was asked for; this machine has 'process'"):
        isolation_of("landlock")


def test_another_processor_has_no_list_of_calls(monkeypatch):
    monkeypatch.setattr(syscalls.platform, "machine", lambda: "aarch64")
    assert isolation_here() == "process"


HELPER = """
import pathlib, sys
pathlib.Path({mark!r}).touch()
"""


def test_modules_of_the_current_folder_do_not_run_inside_the_harness(tmp_path):
    """A random.py or a package cuda beside the user is not the harness's."""
    mark = tmp_path / "ran"
    for name in ("random.py", "cuda/__init__.py", "sitecustomize.py", "timm.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(HELPER.format(mark=str(mark)))
    code = (
        "import sys; sys.path.pop(0)\n"  # the script's own imports are its own
        "from prunemark.benchmark.run.executor import LocalProcesses\n"
        "from prunemark.benchmark.run.jobs import Job\n"
        "import os; sys.path.insert(0, ''); sys.path.insert(0, os.getcwd())\n"
        "heard = []\n"
        "executor = LocalProcesses(1, (0.0,))\n"
        "executor.run([Job('a', 'prunemark.benchmark.run.worker:check_job', ('L1-norm', None, {}, None))],"
        " heard.append)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert "WorkFailed" in done.stderr  # the job has no source: it ran, and ended
    assert not mark.exists()


def test_packages_that_a_folder_only_links_to_can_be_read(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "package").symlink_to(tmp_path / "far")
    assert list(confinement._linked_packages([str(tmp_path / "site")])) == [str(tmp_path / "far")]
