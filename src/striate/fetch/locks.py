"""One process at a time fetches a file, also where the file system has no locks."""

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
    """Hold a lock; where another process has it, wait until that ends or lets go.

    The system's locks are used, which a killed process leaves by itself. Where the file system has none, a file that
    names its maker stands for the lock, and is removed by the next one when that process is gone.

    Parameters
    ----------
    path
        The lock file; its folder is made.
    waiting
        Told before each wait how long it is; it waits, and may raise to stop.

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
