"""Shorten the busy waiting of OpenMP threads in processes that imported PyTorch before striate.

After each parallel loop the threads of GNU's OpenMP (libgomp) spin for some milliseconds before they sleep. PyTorch and numba may
each load a library of their own; then the threads of one spin on the cores that the other needs, and an encoder's gradient was
measured to take ten times as long. ``OMP_WAIT_POLICY=PASSIVE`` prevents that, but counts only before PyTorch is imported, and
libgomp has no function to change it later.

It does spin a hundred times shorter while a process has more OpenMP threads than cores. So this module has each library make a
team of threads that never gets work: they sleep, and cost nothing but their being counted.
"""

import ctypes
import os
import re
import threading
from functools import cache
from pathlib import Path

import torch

_MAPS = Path("/proc/self/maps")
_LIBRARY = re.compile(r"(/\S*libgomp[-.][^/\s]*)$")
_SETTINGS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")  # settings of the user take precedence


@cache
def let_waiting_threads_sleep() -> tuple[str, ...]:
    """Shorten the busy waiting of OpenMP threads, once per process.

    Does nothing if the environment configures waiting, if PyTorch uses one thread, or if libgomp is not loaded.

    Returns
    -------
    tuple of str
        Paths of the libraries whose threads now sleep.
    """
    if any(os.environ.get(name) for name in _SETTINGS) or torch.get_num_threads() == 1:
        return ()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    # The main thread's own team counts torch.get_num_threads() of them; together they must be more than the cores.
    team = max(2, cores - torch.get_num_threads() + 2)
    if not cores or not _can_start_threads(team):
        return ()
    return tuple(path for path in _loaded_libraries() if _start_idle_team(path, team))


def _loaded_libraries() -> list[str]:
    """Return the paths of the OpenMP libraries of this process."""
    try:
        lines = _MAPS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:  # not Linux
        return []
    return sorted({match[1] for line in lines if (match := _LIBRARY.search(line))})


def _can_start_threads(count: int) -> bool:
    """Return whether `count` threads can be started; libgomp ends the process if they cannot."""
    release, started = threading.Event(), []
    try:
        for _ in range(count):
            thread = threading.Thread(target=release.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError:
        return False
    finally:
        release.set()
        for thread in started:
            thread.join()
    return True


def _start_idle_team(path: str, count: int) -> bool:
    """Make a library start a team of threads that sleep until the process ends."""
    try:
        library = ctypes.CDLL(path, mode=os.RTLD_NOLOAD | os.RTLD_NOW)
        parallel = library.GOMP_parallel
        no_op = ctypes.cast(ctypes.CDLL(None).free, ctypes.c_void_p)  # free(NULL) does nothing
    except (OSError, AttributeError):
        return False
    parallel.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)
    parallel.restype = None
    started = threading.Event()

    def wait() -> None:
        parallel(no_op, None, count, 0)  # each of the team calls free(NULL)
        started.set()
        threading.Event().wait()  # the team lives as long as the thread that made it

    threading.Thread(target=wait, name="striate-openmp", daemon=True).start()
    return started.wait(timeout=10)
