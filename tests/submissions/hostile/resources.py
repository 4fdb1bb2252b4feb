"""Attacks by use: time, memory, threads, files."""

import ctypes
import os
import signal
import threading
import time

from tools import honest, won

from prunemark import PruningMethod


class IgnoresSignals(PruningMethod):
    """Rule: bounded in time. Won: it sleeps on beyond the limit."""

    def prune(self, model, context):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)
        time.sleep(600)


class StopsItself(PruningMethod):
    """Rule: bounded in time. Won: a process that is stopped can be neither waited for nor ended."""

    def prune(self, model, context):
        os.kill(os.getpid(), signal.SIGSTOP)
        return won(honest(context, model))


class HoldsMemory(PruningMethod):
    """Rule: bounded in memory. Won: more than is granted is held."""

    def prune(self, model, context):
        held = []
        for _ in range(12):
            held.append(bytearray(b"x") * (128 << 20))
            time.sleep(0.1)
        time.sleep(2)
        return won(honest(context, model), f"{len(held)}")


class HoldsMemoryBehindItsEnd(PruningMethod):
    """Rule: bounded in memory. Won: its first thread ends, its figures read zero, and another one holds it."""

    def prune(self, model, context):
        def hold():
            time.sleep(0.3)
            held = [bytearray(b"x") * (128 << 20) for _ in range(12)]
            time.sleep(3)
            with open("held", "w") as file:
                file.write(str(len(held)))

        threading.Thread(target=hold).start()
        ctypes.CDLL(None).syscall(60, 0)  # exit, of this thread only


class ManyThreads(PruningMethod):
    """Rule: bounded. Won: thousands of threads, and the machine can start no process."""

    def prune(self, model, context):
        threading.stack_size(1 << 16)
        for _ in range(3000):
            threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
        return won(honest(context, model))


class ManyFiles(PruningMethod):
    """Rule: bounded. Won: the harness is busy for ever with a folder of small files."""

    def prune(self, model, context):
        for number in range(10_500):
            os.close(os.open(f"f{number}", os.O_CREAT | os.O_WRONLY))
        return won(honest(context, model))


class DeepFolders(PruningMethod):
    """Rule: bounded. Won: folders nested deeper than Python recurses end the run when they are taken away."""

    def prune(self, model, context):
        here = os.open(".", os.O_RDONLY)
        for _ in range(1500):
            os.mkdir("d" * 8)
            os.chdir("d" * 8)
        os.fchdir(here)
        return honest(context, model)


class LargeFiles(PruningMethod):
    """Rule: bounded. Won: the disk is full."""

    def prune(self, model, context):
        for number in range(120):
            with open(f"f{number}", "wb") as file:
                os.posix_fallocate(file.fileno(), 0, 4 << 20)
        time.sleep(1)
        return won(honest(context, model))


class NamelessFiles(PruningMethod):
    """Rule: bounded. Won: the disk is full of files that no folder names any more."""

    def prune(self, model, context):
        held = []
        for _ in range(120):
            file = open("nameless", "wb")
            os.unlink("nameless")
            os.posix_fallocate(file.fileno(), 0, 4 << 20)
            held.append(file)
        time.sleep(1)
        return won(honest(context, model))


class NamesOfAllKinds(PruningMethod):
    """Rule: a name is a name. Won: the harness fails on names that are no text, or that look like others."""

    def prune(self, model, context):
        for name in (b"\xff\xfe", b"a\nb", b"\x1b[2J", b"-rf", b"~", b"done ", b"x" * 255):
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
            os.mkdir(name + b"d" if len(name) < 255 else b"d" * 255)
        return honest(context, model)


class FloodsLog(PruningMethod):
    """Rule: bounded. Won: gigabytes of output, or a record with them in it."""

    def prune(self, model, context):
        for _ in range(200):
            print("\x1b[2J flood " * 20_000)
        return won(honest(context, model))


class UsesProcessorInSecret(PruningMethod):
    """Rule: bounded. Won: threads of numpy use the processor, and what it took is not on the record."""

    def prune(self, model, context):
        import numpy as np

        end = time.process_time() + 0.5
        while time.process_time() < end:
            np.linalg.svd(np.ones((64, 64)))
        return honest(context, model)
