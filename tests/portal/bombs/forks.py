"""Children that read files, for thousands of them."""

import json
import subprocess
import sys
from pathlib import Path

_FORKS = """
import io, json, os, sys, traceback
from striate.portal.receiving import decode
for line in sys.stdin:
    told = json.loads(line)
    child = os.fork()
    if child == 0:
        os.setsid()
        for number, name in ((1, told["answer"]), (2, told["complaint"])):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT), number)
        sys.stdin, status = io.StringIO(told["job"]), 0
        try:
            decode.main()
            sys.stdout.flush()
        except BaseException:
            traceback.print_exc()
            status = 1
        os._exit(status)
    _, ended, used = os.wait4(child, 0)
    print(json.dumps([os.waitstatus_to_exitcode(ended), used.ru_maxrss]), flush=True)
"""


class Forks:
    """Children as the portal has them, but forked from one process that has done the imports: for thousands of files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.peak = 0
        self.running = subprocess.Popen(
            [sys.executable, "-P", "-c", _FORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self) -> "Forks":
        """The next child."""
        return self

    waits = True

    def do(self, job: bytes) -> tuple[int, bytes, bytes]:
        """As the portal's own."""
        assert self.running.stdin is not None
        assert self.running.stdout is not None
        said, complaint = self.folder / "answer", self.folder / "complaint"
        for file in (said, complaint):
            file.unlink(missing_ok=True)
        told = {"job": job.decode(), "answer": str(said), "complaint": str(complaint)}
        self.running.stdin.write(json.dumps(told) + "\n")
        self.running.stdin.flush()
        status, peak = json.loads(self.running.stdout.readline())
        self.peak = max(self.peak, peak * 1024)
        return status, said.read_bytes(), complaint.read_bytes()

    def end(self) -> None:
        """Nothing: each child has ended."""
