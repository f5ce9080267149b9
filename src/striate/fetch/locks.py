"""File locks, so that only one process downloads a file, even on file systems without locks."""

import contextlib
import errno
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from striate.fetch.partial_file import local_error

_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}
_POLL = 0.25  # seconds


@contextlib.contextmanager
def hold_lock(path: Path, waiting: Callable[[float], None]) -> Iterator[None]:
    """Hold a file lock; wait while another process holds it.

    Uses locks of the operating system, which are released when a process is killed. On file systems without locks, a file with
    the process id of the owner is used instead; the next process removes it if the owner has ended.

    Parameters
    ----------
    path
        Lock file. Its folder is created.
    waiting
        Callback that waits for the given number of seconds. It may raise to cancel.

    Raises
    ------
    LocalError
        If the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = _acquired(FileLock(path), waiting)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise local_error(path.parent, error) from error
        lock = _acquired(SoftFileLock(path.with_name(f"{path.name}-file")), waiting)
    try:
        yield
    finally:
        lock.release()


def _acquired(lock: BaseFileLock, waiting: Callable[[float], None]) -> BaseFileLock:
    while True:
        try:
            lock.acquire(blocking=False)
            return lock
        except Timeout:
            waiting(_POLL)
