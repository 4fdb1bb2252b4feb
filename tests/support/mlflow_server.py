"""A real MLflow server on loopback, and a way to it that can be slow, cut, or lose answers."""

import base64
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextlib.contextmanager
def running(folder, port=None, *more, **environment):
    """`mlflow server` on a SQLite store in the folder; yields its address once it answers."""
    port = port or free_port()
    words = ["--backend-store-uri", f"sqlite:///{folder}/server.db", "--artifacts-destination", str(folder / "files")]
    variables = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"} | environment
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *words, "--port", str(port), "--workers", "1", *more],
            env={**os.environ, **variables}, stdout=log, stderr=log, cwd=folder, start_new_session=True,
        )  # fmt: skip
        try:
            wait_for(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.wait()


def wait_for(port, process, seconds=120):
    """Until it answers, with a page or with a request for a login."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
            return
        except urllib.error.HTTPError as answer:
            answer.close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the MLflow server did not start")


UNAUTHENTICATED = (
    b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=mlflow\r\nContent-Length: 26\r\n\r\n"
    b"You are not authenticated."
)


class Way:
    """Passes connections on to a server.

    With a `login`, "user:password", it asks for that first, in the words of MLflow's own login. `delay_seconds` before
    each request is passed on; `cut()` refuses connections until `mend()`; `lose(path)` passes the next request of that
    path on, and closes the connection in place of its answer.
    """

    def __init__(self, server, login=""):
        self._authorization = b"basic " + base64.b64encode(login.encode()) if login else b""
        self.to = int(server.rpartition(":")[2])
        self.port, self.delay_seconds, self.requests = free_port(), 0.0, 0
        self._losing, self._listener, self._open = [], None, set()
        self.mend()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}"

    def mend(self):
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._listen, args=(self._listener,), daemon=True).start()

    def cut(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def lose(self, *paths):
        """The answer to the next request of each of these paths."""
        self._losing += [path.encode() for path in paths]

    def _listen(self, listener):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near):
        with contextlib.suppress(OSError), near:
            self._open.add(near)
            reading = near.makefile("rb")
            try:
                while head := _head(reading):
                    self.requests += 1
                    body = reading.read(_length(head))
                    if self._authorization.lower() not in head.lower():
                        near.sendall(UNAUTHENTICATED)
                        continue
                    time.sleep(self.delay_seconds)
                    answer = self._ask(head + body)
                    lost = next((path for path in self._losing if path in head.splitlines()[0]), None)
                    if lost:
                        self._losing.remove(lost)
                        return
                    near.sendall(answer)
            finally:
                self._open.discard(near)

    def _ask(self, request):
        """Over a connection of its own: a server closes those that wait for long."""
        with socket.create_connection(("127.0.0.1", self.to)) as far, far.makefile("rb") as answer:
            far.sendall(request)
            return _answer(answer)


def _head(reading):
    head = b""
    while line := reading.readline():
        head += line
        if line == b"\r\n":
            return head
    return b""


def _length(head):
    for line in head.lower().splitlines():
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def _answer(reading):
    head = _head(reading)
    if b"transfer-encoding: chunked" not in head.lower():
        return head + reading.read(_length(head))
    parts = [head]
    while True:
        size = reading.readline()
        parts += [size, reading.read(int(size, 16) + 2)]
        if int(size, 16) == 0:
            return b"".join(parts)
