"""What tests of the container run in it. A module of its own, because a container is told a function by its name."""

import os
import time
from pathlib import Path

import torch


def look_around(paths):
    """Says what it sees: of these paths, those that exist, which Landlock does not hide."""
    there = [path for path in paths if os.path.exists(path)]  # noqa: PTH110
    Path("said").write_text(repr([there, os.getpid(), torch.get_num_threads(), dict(os.environ)]))


def echo(pipe):
    """Answers once through the pipe that it was handed."""
    pipe.send_bytes(b"heard " + pipe.recv_bytes())


def compute(seconds):
    """Uses the processor for so long."""
    began = time.process_time()
    while time.process_time() - began < seconds:
        pass


def fill_memory():
    """Holds 500 MiB."""
    held = torch.ones(500 << 20, dtype=torch.uint8)
    time.sleep(30)
    held.add_(1)


def read(path):
    """Opens a file that it has no right to."""
    Path(path).read_text()


def fork():
    """Starts a process."""
    os.fork()
