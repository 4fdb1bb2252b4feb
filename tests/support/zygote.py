"""An interpreter that has loaded what many tests need. Each of them gets a fork of it: faster than a new one."""

import json
import subprocess
import sys
from pathlib import Path

SERVER = """
import json, os, sys, traceback

def work(told):
    for name, descriptor in (("out", 1), ("err", 2)):
        os.dup2(os.open(told[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    sys.argv = ["-c", *told["words"]]
    code = 0
    try:
        exec(compile(told["code"], "<string>", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush(), sys.stderr.flush()
    os._exit(code)

exec(sys.argv[1])
print(flush=True)
for line in sys.stdin:
    told = json.loads(line)
    if not (pid := os.fork()):
        work(told)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Zygote:
    """Loads by `first` in a new interpreter; `folder` is for what its forks print."""

    def __init__(self, first: str, folder: Path) -> None:
        self._folder = folder
        words = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", SERVER, first]
        self._server = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if not self._server.stdout.readline():
            raise RuntimeError("it does not load: see what it printed")

    def start(self, code: str, *words: object) -> int:
        """Executes code in a fork, with these words as its arguments; the number of its process."""
        places = {name: str(self._folder / name) for name in ("out", "err")}
        print(json.dumps({"code": code, "words": [*map(str, words)], **places}), file=self._server.stdin, flush=True)
        return int(self._server.stdout.readline())

    def ended(self) -> subprocess.CompletedProcess[str]:
        """Waits for that fork: its exit code, and what it printed."""
        code = int(self._server.stdout.readline())
        out, err = ((self._folder / name).read_text() for name in ("out", "err"))
        return subprocess.CompletedProcess([], code, out, err)

    def run(self, code: str, *words: object) -> subprocess.CompletedProcess[str]:
        """Both."""
        self.start(code, *words)
        return self.ended()

    def close(self) -> None:
        """Ends it. Its last fork has to have ended."""
        self._server.communicate()
