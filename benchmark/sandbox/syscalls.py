"""seccomp: from now on this process may make these calls to the kernel, and no others.

A list of what is allowed, so that a call that a later kernel brings is denied without anybody's doing. What is allowed
is what Python and torch compute with: memory, threads, time, signals to oneself, and files (which Landlock bounds).
Not there: programs and processes, sockets, tracing and other processes' memory, links, mounts, owners and modes of
files, anonymous files, keys, namespaces, io_uring. Numbers are those of x86-64, the one processor covered.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import struct
import sys

from prunemark.benchmark.sandbox.landlock import forbid_new_privileges

ALLOWED = {
    "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "poll": 7, "lseek": 8, "mmap": 9,
    "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, 
    "pread64": 17, "pwrite64": 18, "readv": 19, "writev": 20, "access": 21, "pipe": 22, "select": 23, "sched_yield": 24,
    "mremap": 25, "msync": 26, "mincore": 27, "madvise": 28, "dup": 32, "dup2": 33, "pause": 34, "nanosleep": 35,
    "getitimer": 36, "alarm": 37, "setitimer": 38, "getpid": 39, "exit": 60, "uname": 63, "flock": 73,
    "fsync": 74, "fdatasync": 75, "truncate": 76, "ftruncate": 77, "getdents": 78, "getcwd": 79, "chdir": 80,
    "fchdir": 81, "rename": 82, "mkdir": 83, "rmdir": 84, "creat": 85, "unlink": 87, "readlink": 89, "umask": 95,
    "gettimeofday": 96, "getrlimit": 97, "getrusage": 98, "sysinfo": 99, "times": 100, "getuid": 102, "getgid": 104,
    "geteuid": 107, "getegid": 108, "getppid": 110, "getpgrp": 111, "getgroups": 115, "getresuid": 118,
    "getresgid": 120, "getpgid": 121, "getsid": 124, "rt_sigpending": 127, "rt_sigtimedwait": 128, "rt_sigsuspend": 130,
    "sigaltstack": 131, "statfs": 137, "fstatfs": 138, "getpriority": 140, "sched_getparam": 143,
    "sched_getscheduler": 145, "sched_get_priority_max": 146, "sched_get_priority_min": 147, "arch_prctl": 158,
    "gettid": 186, "readahead": 187, "time": 201, "futex": 202, "sched_getaffinity": 204,
    "epoll_create": 213, "getdents64": 217, "set_tid_address": 218, "restart_syscall": 219, "fadvise64": 221,
    "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230, "exit_group": 231, "epoll_wait": 232,
    "epoll_ctl": 233, "get_mempolicy": 239, "openat": 257, "mkdirat": 258, "newfstatat": 262, "unlinkat": 263,
    "renameat": 264, "readlinkat": 267, "faccessat": 269, "pselect6": 270, "ppoll": 271, "set_robust_list": 273,
    "get_robust_list": 274, "epoll_pwait": 281, "fallocate": 285, "eventfd2": 290, "epoll_create1": 291, "dup3": 292,
    "pipe2": 293, "preadv": 295, "pwritev": 296, "getcpu": 309, "sched_getattr": 315, "renameat2": 316,
    "getrandom": 318, "membarrier": 324, "copy_file_range": 326, "preadv2": 327, "pwritev2": 328, "statx": 332,
    "rseq": 334, "close_range": 436, "openat2": 437, "faccessat2": 439, "futex_waitv": 449, "map_shadow_stack": 453,
    "mseal": 462,
}  # fmt: skip
OF_A_WORKER = {
    "getsockname": 51, "socketpair": 53, "getsockopt": 55, "wait4": 61, "kill": 62, "setsid": 112, "setrlimit": 160,
    "tgkill": 234, "waitid": 247, "pidfd_open": 434, "landlock_create_ruleset": 444, "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
}  # fmt: skip
"""What the harness's own worker needs besides: to start processes, to end them, to confine them further."""
NAMESPACES, OF_PROCESSES = 0x7E020000, (1, 22, 38)
"""Bits of clone that make namespaces; of prctl: to end with the parent, a further list of calls, no new privileges."""
ENDING = (signal.SIGKILL, signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
CLONE, CLONE3, KILL, TGKILL, PRCTL, PRLIMIT = 56, 435, 62, 234, 157, 302
IOCTL, FCNTL, AFFINITY = 16, 72, 203
"""Allowed in part: threads, signals to this process itself, names of threads and memory, limits that are only read;
what a file is asked, but for who gets its signals; descriptors and locks; on which processors this process runs."""

THREAD, MAPPINGS, THREAD_NAMES = 0x00010000, 0x53564D41, (15, 16)
OF_DESCRIPTORS = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032)
"""Of fcntl: copies, flags, locks, and how large a pipe is. Not there: who gets a signal, leases, larger pipes."""
SIGNAL_TO = (0x8901, 0x8902, 0x5452)
"""Of ioctl: another process is named that signals go to."""
X86_64, X32 = 0xC000003E, 0x40000000
LOAD, EQUALS, AT_LEAST, HAS_BITS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16
ALLOW, KILLED, DENIED = 0x7FFF0000, 0x80000000, 0x00050000
SET_FILTER, FILTER_MODE = 22, 2
Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, value


def filters_calls() -> bool:
    """Whether this machine is one whose calls the list covers."""
    return sys.platform == "linux" and platform.machine() == "x86_64" and ctypes.sizeof(ctypes.c_void_p) == 8


def restrict_calls() -> None:
    """Leaves this process, and every thread that it starts, only the calls of the list. Raises OSError.

    Calls outside it end with EPERM; those of another processor's kind end the process.
    """
    _restrict(_program(os.getpid()))


def restrict_worker_calls() -> None:
    """The same for a worker of the harness's that has to start and end processes; they start no other program."""
    denied = (RETURN, 0, 0, DENIED | errno.EPERM)
    program = [
        *_HEAD,
        *_if(CLONE, 0, [(HAS_BITS, 1, 0, NAMESPACES)]), *_if(PRLIMIT, 0, _one_of(0)),
        *_if(PRCTL, 0, _one_of(*OF_PROCESSES, *THREAD_NAMES, MAPPINGS)), *_if(FCNTL, 1, _one_of(*OF_DESCRIPTORS)),
        *_if(AFFINITY, 0, _one_of(0, os.getpid())), *_if(IOCTL, 1, _no_signals()),
    ]  # fmt: skip
    for number in sorted({*ALLOWED.values(), *OF_A_WORKER.values()}):
        program += [(EQUALS, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    _restrict([*program, denied])


def _restrict(program: list[Instruction]) -> None:
    code = b"".join(struct.pack("<HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(buffer))
    forbid_new_privileges()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(SET_FILTER, FILTER_MODE, ctypes.c_char_p(header), 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel refuses the list of allowed calls")


_HEAD: list[Instruction] = [
    (LOAD, 0, 0, ARCHITECTURE), (EQUALS, 1, 0, X86_64), (RETURN, 0, 0, KILLED), (LOAD, 0, 0, NUMBER),
    (AT_LEAST, 0, 1, X32), (RETURN, 0, 0, KILLED),
    (EQUALS, 0, 1, CLONE3), (RETURN, 0, 0, DENIED | errno.ENOSYS),  # its arguments cannot be read: clone is tried
]  # fmt: skip


def _no_signals() -> list[Instruction]:
    return [(EQUALS, len(SIGNAL_TO) - at, 0, value) for at, value in enumerate(SIGNAL_TO)]


def _program(own: int) -> list[Instruction]:
    """The filter as the kernel's own machine reads it, for the process with this number."""
    denied = (RETURN, 0, 0, DENIED | errno.EPERM)
    program: list[Instruction] = [
        *_HEAD,
        *_if(CLONE, 0, [(HAS_BITS, 0, 1, THREAD)]),
        *_if(KILL, 0, _signal(own, 1)), *_if(TGKILL, 0, _signal(own, 2)),
        *_if(PRLIMIT, 2, [(EQUALS, 0, 3, 0), (LOAD, 0, 0, ARGUMENTS + 8 * 2 + 4), (EQUALS, 0, 1, 0)]),
        *_if(PRCTL, 0, _one_of(*THREAD_NAMES, MAPPINGS)), *_if(FCNTL, 1, _one_of(*OF_DESCRIPTORS)),
        *_if(AFFINITY, 0, _one_of(0, own)),
        *_if(IOCTL, 1, _no_signals()),
    ]  # fmt: skip
    for number in sorted(ALLOWED.values()):
        program += [(EQUALS, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    return [*program, denied]


def _if(number: int, argument: int, test: list[Instruction]) -> list[Instruction]:
    """Of one call: allowed if the test of its argument (the lower half) falls through, else denied."""
    body: list[Instruction] = [
        (LOAD, 0, 0, ARGUMENTS + 8 * argument), *test, (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, DENIED | errno.EPERM),
    ]  # fmt: skip
    return [(EQUALS, 0, len(body), number), *body]


def _signal(own: int, argument: int) -> list[Instruction]:
    """A test of `_if`: a signal to itself, its number in this argument, which neither kills nor stops.

    So that a process which was killed or stopped was so from outside, and its method is not blamed.
    """
    last = len(ENDING) - 1
    return [
        (EQUALS, 0, len(ENDING) + 2, own), (LOAD, 0, 0, ARGUMENTS + 8 * argument),
        *((EQUALS, last - at + 1, 0, int(number)) for at, number in enumerate(ENDING)),
    ]  # fmt: skip


def _one_of(*values: int) -> list[Instruction]:
    """A test of `_if`: the argument is one of these."""
    *first, last = values
    return [*((EQUALS, len(first) - at, 0, value) for at, value in enumerate(first)), (EQUALS, 0, 1, last)]
