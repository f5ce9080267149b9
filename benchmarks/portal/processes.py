"""A portal in processes of its own, as an organiser starts it, and what `ps` knows of them."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

from benchmarks.portal.competition import Played
from benchmarks.ports import free_port
from striate.portal.running.parent import PARENT

# As `striate serve`, but it ends if the campaign is killed.
_SERVE = "from striate.portal.running.parent import end_with_parent as end; end(); from striate.cli import main; main()"
KINDS = ("web master", "web process", "worker", "decoder", "serve")


@dataclass(frozen=True)
class Found:
    """A process of the portal.

    Attributes
    ----------
    pid
        Its number.
    kind
        One of `KINDS`; *serve* is the program that an organiser starts, which watches over one of the others.
    memory
        Resident, in bytes.
    """

    pid: int
    kind: str
    memory: int


@dataclass
class Served:
    """A portal that runs: ``striate serve web`` and some ``striate serve worker``."""

    played: Played
    data: Path
    log: Path
    environment: Mapping[str, str]
    workers: int = 1
    port: int = field(default_factory=free_port)
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start what does not run: also what was killed, as the system that looks after services does."""
        self._start("web", "--port", str(self.port))
        for number in range(self.workers):
            self._start(f"worker {number}", "--live-truth", str(self.played.live_truth))

    def wait(self, seconds: float = 90) -> None:
        """Wait until pages are answered."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(OSError), urlopen(f"{self.address}health", timeout=5):
                return
            self.start()
            time.sleep(0.2)
        raise RuntimeError(f"The portal does not answer; its log ends: {self.log.read_text()[-3000:]}")

    def end(self) -> None:
        """End all of it; what does not is killed."""
        for running in self._running.values():
            running.terminate()
        for running in self._running.values():
            try:
                running.wait(40)
            except subprocess.TimeoutExpired:
                running.kill()
        for found in self.found():
            with contextlib.suppress(ProcessLookupError):
                os.kill(found.pid, signal.SIGKILL)

    def found(self) -> list[Found]:
        """All processes of this portal that run now, by what `ps` says of them."""
        listed = subprocess.run(
            ["ps", "-eww", "-o", "pid,ppid,rss,stat,args"], capture_output=True, text=True, check=True
        )
        rows = [line.split(None, 4) for line in listed.stdout.splitlines()[1:]]
        alive = {int(pid): (int(ppid), int(rss) * 1024, args) for pid, ppid, rss, stat, args in rows if "Z" not in stat}
        own = {running.pid for running in self._running.values()}
        while more := {pid for pid, (parent, _, _) in alive.items() if parent in own and pid not in own}:
            own |= more
        return [Found(pid, _kind(alive, pid), alive[pid][1]) for pid in sorted(own & alive.keys()) if _kind(alive, pid)]

    def _start(self, name: str, *options: str) -> None:
        running = self._running.get(name)
        if running is not None and running.poll() is None:
            return
        command = ["serve", name.split()[0], str(self.played.folder), "--data", str(self.data), *options]
        with self.log.open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-c", _SERVE, *command],
                env={**os.environ, **self.environment, PARENT: str(os.getpid())},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def _kind(alive: Mapping[int, tuple[int, int, str]], pid: int) -> str:
    parent, _, args = alive[pid]
    if "portal.running.web" in args:
        return "web process" if "portal.running.web" in alive.get(parent, (0, 0, ""))[2] else "web master"
    modules = {
        "portal.running.worker": "worker",
        "portal.receiving.decode": "decoder",
        "striate.cli import main": "serve",
    }
    return next((kind for module, kind in modules.items() if module in args), "")


@dataclass
class Memory:
    """The most memory that processes of each kind had, in bytes: the largest one, and all of a kind together."""

    largest: dict[str, int] = field(default_factory=dict)
    together: dict[str, int] = field(default_factory=dict)


@contextlib.contextmanager
def watched(served: Served, every: float = 1.0) -> Iterator[Memory]:
    """Watch the memory of a portal."""
    memory, over = Memory(), threading.Event()

    def watch() -> None:
        while not over.wait(every):
            found = served.found()
            for kind in KINDS:
                own = [each.memory for each in found if each.kind == kind]
                memory.largest[kind] = max([memory.largest.get(kind, 0), *own])
                memory.together[kind] = max(memory.together.get(kind, 0), sum(own))

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield memory
    finally:
        over.set()
        watching.join()
