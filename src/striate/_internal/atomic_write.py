"""Atomic writes: files and folders are written under a temporary name and renamed when complete."""

import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from striate._internal.paths import expand_path
from striate.errors import InputError, describe_type, option

_TEMPORARY_SUFFIX = ".partial"
_TEMPORARY_NAME = re.compile(r"^\..+\.[0-9]+-[0-9a-f]{8}\.partial$", re.DOTALL)
_LABEL = 100  # bytes of the target's name in the name of the temporary folder
_LOCK = ".being-written"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SHORT = re.compile(r"\d+ requested and \d+ written")  # message of numpy.ndarray.tofile
_OTHER_LIBRARIES = re.compile(rf"\(os error ({'|'.join(map(str, _FULL))})\)")  # message of libraries written in Rust
_ZEROS = 2**24  # bytes per write
_ABANDONED_AFTER = 3600.0  # seconds; for temporary folders without a lock file


def as_path(given: object, what: str) -> Path:
    """Convert an argument to a path, with ``~`` expanded.

    Parameters
    ----------
    given
        A path or string.
    what
        Name of the argument, for error messages.

    Raises
    ------
    InputError
        If the value has another type, or is not a valid path.
    """
    if not isinstance(given, str | os.PathLike):
        raise InputError(f"{what} is {describe_type(given)}; expected a path.")
    path = os.fspath(given)
    if not path or not isinstance(path, str) or "\0" in path:
        raise InputError(f"{what} is {path!r}; expected a path.")
    return expand_path(path)


def refuse_existing(path: Path | str, overwrite: bool | None) -> None:
    """Raise `InputError` if `path` exists and `overwrite` is not true. With None the message offers no way to overwrite."""
    if not overwrite and os.path.lexists(path):
        allowed = (
            "." if overwrite is None else f", or allow it to be replaced ({option('--overwrite', 'overwrite=True')})."
        )
        raise InputError(f"{path} exists already: choose another name{allowed}")


@contextlib.contextmanager
def utf8_path(path: Path) -> Iterator[str]:
    """Yield a UTF-8 path to an existing file, for libraries that accept no other encoding.

    File names on Linux are bytes of any encoding. If the name is not valid UTF-8, the path is a link in ``/proc/self/fd`` that
    is valid inside the block only.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with path.open("rb") as opened:
            yield f"/proc/self/fd/{opened.fileno()}"
    else:
        yield str(path)


@contextlib.contextmanager
def atomic_write(path: Path | str, *, overwrite: bool | None = None) -> Iterator[Path]:
    """Write a file atomically: it appears at `path` only if the block ends without an error.

    Parameters
    ----------
    path
        Final path of the file. Missing parent folders are created.
    overwrite
        Whether to replace an existing file. None means no, and the error message does not mention the option.

    Yields
    ------
    Path
        Temporary path to write to.

    Raises
    ------
    InputError
        If `path` exists and `overwrite` is not true, or the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from striate._internal.atomic_write import atomic_write
    >>> path = Path(tempfile.mkdtemp()) / "scores.txt"
    >>> with atomic_write(path) as temporary:
    ...     _ = temporary.write_text("0.43")
    >>> path.read_text()
    '0.43'
    """
    target = expand_path(path)
    refuse_existing(target, overwrite)
    with _temporary_folder(target) as temporary:
        new = temporary / target.name
        yield new
        _sync(temporary)
        if overwrite:
            os.replace(new, target)
            return
        try:
            os.link(new, target)  # unlike a rename, fails if the target exists by now
        except FileExistsError:
            refuse_existing(target, overwrite)
        except OSError:  # a file system without hard links
            os.replace(new, target)


@contextlib.contextmanager
def atomic_write_folder(
    path: Path | str, *, overwrite: bool | None = None, keep_existing: bool = False
) -> Iterator[Path]:
    """Write a folder atomically: it appears at `path` only if the block ends without an error.

    Parameters
    ----------
    path
        Final path of the folder. Missing parent folders are created.
    overwrite
        Whether to replace an existing folder. None means no, and the error message does not mention the option.
    keep_existing
        If another process creates `path` in the meantime, keep its folder and discard this one instead of raising an error.
        Used by caches, where both folders are equal.

    Yields
    ------
    Path
        Temporary folder to write to.

    Raises
    ------
    InputError
        If `path` exists, and neither `overwrite` nor `keep_existing` is set.
    """
    target = expand_path(path)
    if not keep_existing:
        refuse_existing(target, overwrite)
    if target.is_file():
        raise InputError(f"{target} is a file, and a folder would take its place: choose another name.")
    with _temporary_folder(target) as temporary:
        new = temporary / target.name
        new.mkdir()
        yield new
        _sync(new)
        if overwrite and os.path.lexists(target):
            os.rename(target, temporary / f"{_LOCK}.replaced")
        try:
            os.rename(new, target)  # atomic; fails if the target is a file or a folder with content
        except OSError:
            if not os.path.lexists(target):
                raise
            if not keep_existing:
                refuse_existing(target, overwrite)


@contextlib.contextmanager
def _temporary_folder(target: Path) -> Iterator[Path]:
    """Create a temporary folder next to `target`, so that the rename is atomic, and remove it afterwards.

    The folder is locked while its writer is alive. The next writer removes folders of killed writers, whose locks are free.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target)
        temporary, lock = _make_locked_folder(target)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"{target.parent} is not a folder: choose another place for {target.name}.") from error
    except OSError as error:
        raise InputError(f"{target} cannot be written ({error.strerror}): choose another folder.") from error
    try:
        yield temporary
    except InputError:
        raise
    except Exception as error:
        if (reason := _why_not_written(error, temporary)) is None:
            raise
        raise InputError(f"{target} could not be written ({reason}); nothing was left there.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        os.close(lock)


def is_disk_full(error: OSError) -> bool:
    """Whether an error means a full disk, an exceeded quota or a limit on file sizes."""
    return error.errno in _FULL


def reserve_disk_space(file: Path, size: int) -> None:
    """Allocate disk space for a file of `size` bytes; existing content stays.

    Needed before a file is written through a memory map: if the disk is full then, the operating system kills the process
    (SIGBUS).

    Raises
    ------
    OSError
        If the disk has too little space. The error names the file.
    """
    try:
        with file.open("r+b") as opened:
            try:
                os.posix_fallocate(opened.fileno(), 0, size)
            except (AttributeError, OSError) as error:  # not on macOS, and not on every file system
                if isinstance(error, OSError) and error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                    raise
                opened.seek(0, os.SEEK_END)
                while (missing := size - opened.tell()) > 0:
                    opened.write(bytes(min(missing, _ZEROS)))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from error


def _why_not_written(error: Exception, temporary: Path) -> str | None:
    """Return why a file in the temporary folder could not be written; None for unrelated errors."""
    if isinstance(error, OSError):
        inside = error.filename is not None and Path(os.fsdecode(error.filename)).is_relative_to(temporary)
        if inside or is_disk_full(error):
            return error.strerror or str(error)
        if error.errno is None and _SHORT.search(str(error)):  # NumPy does not say why it wrote less
            return "No space left on device"
    if found := _OTHER_LIBRARIES.search(str(error)):
        return os.strerror(int(found[1]))
    return None


def _make_locked_folder(target: Path) -> tuple[Path, int]:
    while True:
        label = os.fsdecode(os.fsencode(target.name)[:_LABEL])  # so that the name stays below 255 bytes
        temporary = target.with_name(f".{label}.{os.getpid()}-{secrets.token_hex(4)}{_TEMPORARY_SUFFIX}")
        temporary.mkdir()
        try:
            lock = os.open(temporary / _LOCK, os.O_CREAT | os.O_RDWR)
        except OSError:  # the disk is full
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another process considered it abandoned before it was locked
            os.close(lock)
            continue
        except OSError:  # a file system without locks
            return temporary, lock
        if (temporary / _LOCK).exists():
            return temporary, lock
        os.close(lock)


def _remove_abandoned(target: Path) -> None:
    """Remove temporary folders next to `target` whose writers have ended."""
    for folder in target.parent.glob(f".*{_TEMPORARY_SUFFIX}"):
        if not _TEMPORARY_NAME.match(folder.name) or not folder.is_dir():
            continue
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR)
        except OSError:  # created or killed just now
            with contextlib.suppress(OSError):
                if time.time() - folder.stat().st_mtime > _ABANDONED_AFTER:
                    shutil.rmtree(folder, ignore_errors=True)
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # held by a living writer
            pass
        finally:
            os.close(lock)


def _sync(folder: Path) -> None:
    """Flush all files to disk before the rename, so that a power failure cannot leave an empty file."""
    for name in folder.rglob("*"):
        if name.is_file() and name.name != _LOCK:
            descriptor = os.open(name, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
