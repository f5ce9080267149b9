"""Requests, counted over all processes of the web server: prometheus-client keeps a file a process, and adds them up when asked."""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # as prometheus-client calls it; read when that is imported


def share() -> str:
    """Let all processes that are started from here count together; to be called before anything is counted."""
    os.environ[FOLDER] = folder = tempfile.mkdtemp(prefix="striate-metrics-")
    return folder


def end(folder: str) -> None:
    """Remove what was counted."""
    shutil.rmtree(folder, ignore_errors=True)


def count(method: str, page: str, status: int, seconds: float) -> None:
    """Count an answer."""
    from striate.portal.organising.counters import ANSWERS, SECONDS

    method = method if method in ("GET", "HEAD", "POST", "PUT", "OPTIONS") else "other"
    ANSWERS.labels(method, page, str(status)).inc()
    SECONDS.labels(page).observe(seconds)


def measure(*, threads: int, busy: int, connections: int) -> None:
    """Set what a web process measures of itself: its threads, connections and memory."""
    from striate.portal.organising import counters

    counters.THREADS.set(threads)
    counters.BUSY.set(busy)
    counters.CONNECTIONS.set(connections)
    with suppress(OSError):  # there is no /proc
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        counters.MEMORY.set(pages * os.sysconf("SC_PAGE_SIZE"))


def forget(process: int) -> None:
    """Take a web process that has ended out of what is added up."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(process)  # type: ignore[no-untyped-call]
