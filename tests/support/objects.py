"""Object stores for tests: in memory, where no library of S3 or Google has to be; and S3's and Google's own."""

import contextlib
import os
import shutil
import subprocess
import time
import urllib.request
from uuid import uuid4

from support.mlflow_server import free_port
from support.moto_server import BUCKET, moto

from prunemark.benchmark.trial.objects import Objects

GOOGLES = "fake-gcs-server"


def in_memory(at="", **more):
    """An object store of its own, or as another machine sees the one at this root."""
    from fsspec.implementations.memory import MemoryFileSystem

    root = at or f"/{uuid4().hex}/lab"
    return Objects(MemoryFileSystem(), root, f"s3:/{root}", **more)


@contextlib.contextmanager
def s3(patch):
    """moto's server; yields an address."""
    with moto() as (endpoint, keys, _):
        for name, value in (keys | {"AWS_ENDPOINT_URL": endpoint}).items():
            patch.setenv(name, value)
        yield f"s3://{BUCKET}/{uuid4().hex}"


@contextlib.contextmanager
def gs(patch):
    """A server that speaks Google's language, where there is one in PATH; yields an address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    patch.setenv("STORAGE_EMULATOR_HOST", address)
    words = [
        "-scheme",
        "http",
        "-host",
        "127.0.0.1",
        "-port",
        str(port),
        "-backend",
        "memory",
        "-external-url",
        address,
    ]
    process = subprocess.Popen(
        [shutil.which(GOOGLES), *words, "-public-host", f"127.0.0.1:{port}"], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env=dict(os.environ),
    )  # fmt: skip
    try:
        import gcsfs

        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{address}/storage/v1/b?project=x", timeout=5).close()
                break
            time.sleep(0.1)
        gcsfs.GCSFileSystem(token="anon", project="x").mkdir(BUCKET)
        yield f"gs://{BUCKET}/{uuid4().hex}"
    finally:
        process.kill()
        process.wait()
