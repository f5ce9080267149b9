"""Files that are whole or absent: written aside under a temporary name, then renamed into place."""

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

_ASIDE = ".partial"
_OURS = re.compile(r"^\..+\.[0-9]+-[0-9a-f]{8}\.partial$", re.DOTALL)
_LABEL = 100  # bytes of a file's name that the name of its temporary folder repeats
_LOCK = ".being-written"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SHORT = re.compile(r"\d+ requested and \d+ written")  # as numpy.ndarray.tofile says it
_OTHER_LIBRARIES = re.compile(rf"\(os error ({'|'.join(map(str, _FULL))})\)")  # as libraries in Rust say it
_ZEROS = 2**24  # bytes that are written at a time
_ABANDONED_AFTER = 3600.0  # seconds; for temporary folders without a lock file


def as_path(given: object, what: str) -> Path:
    """Return what a user gave as a path.

    Parameters
    ----------
    given
        A path, or its text.
    what
        The argument, for the sentence.

    Raises
    ------
    InputError
        If it is neither, or is empty.
    """
    if not isinstance(given, str | os.PathLike):
        raise InputError(f"{what} is {describe_type(given)}; expected a path.")
    path = os.fspath(given)
    if not path or not isinstance(path, str) or "\0" in path:
        raise InputError(f"{what} is {path!r}; expected a path.")
    return expand_path(path)


def refuse_existing(path: Path | str, overwrite: bool | None) -> None:
    """Raise `InputError` if something stands at `path` and may not be replaced; None: nobody can allow it."""
    if not overwrite and os.path.lexists(path):
        allowed = (
            "." if overwrite is None else f", or allow it to be replaced ({option('--overwrite', 'overwrite=True')})."
        )
        raise InputError(f"{path} exists already: choose another name{allowed}")


@contextlib.contextmanager
def utf8_path(path: Path) -> Iterator[str]:
    """Yield a path of a file to read for libraries that take UTF-8 only, valid as long as the block lasts.

    Names of files are bytes on Linux, and may be of another encoding; there the opened file has a name of its own.
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
    """Write a file aside; it appears at `path` only when the block ends without an error.

    Parameters
    ----------
    path
        Where the file shall stand in the end. Missing parent folders are made.
    overwrite
        Whether a file that is there already may be replaced; None where nobody is asked that.

    Yields
    ------
    Path
        The temporary name to write to.

    Raises
    ------
    InputError
        If something stands at `path` and may not be replaced, or the folder cannot be written.
    """
    target = expand_path(path)
    refuse_existing(target, overwrite)
    with _workplace(target) as aside:
        new = aside / target.name
        yield new
        _sync(aside)
        if overwrite:
            os.replace(new, target)
            return
        try:
            os.link(new, target)  # unlike a rename, refuses what appeared in the meantime
        except FileExistsError:
            refuse_existing(target, overwrite)
        except OSError:  # a file system without hard links
            os.replace(new, target)


@contextlib.contextmanager
def atomic_write_folder(path: Path | str, *, overwrite: bool | None = None, keep_first: bool = False) -> Iterator[Path]:
    """Fill a folder aside; it appears at `path` only when the block ends without an error.

    Parameters
    ----------
    path
        Where the folder shall stand in the end. Missing parent folders are made.
    overwrite
        Whether a folder that is there already may be replaced; None where nobody is asked that.
    keep_first
        If somebody else put a folder at `path` while this one was being filled, keep theirs and drop
        this one instead of raising (for caches, where both are the same).

    Yields
    ------
    Path
        The temporary folder to fill.

    Raises
    ------
    InputError
        If something stands at `path` and neither `overwrite` nor `keep_first` allows it.
    """
    target = expand_path(path)
    if not keep_first:
        refuse_existing(target, overwrite)
    if target.is_file():
        raise InputError(f"{target} is a file, and a folder would take its place: choose another name.")
    with _workplace(target) as aside:
        new = aside / target.name
        new.mkdir()
        yield new
        _sync(new)
        if overwrite and os.path.lexists(target):
            os.rename(target, aside / f"{_LOCK}.replaced")
        try:
            os.rename(new, target)  # atomic; fails where a file or a filled folder stands
        except OSError:
            if not os.path.lexists(target):
                raise
            if not keep_first:
                refuse_existing(target, overwrite)


@contextlib.contextmanager
def _workplace(target: Path) -> Iterator[Path]:
    """Make a temporary folder beside `target` (so that a rename is atomic) and remove it in the end.

    It is locked for as long as its writer lives: what a killed writer left behind is recognised by its
    free lock, and removed by the next writer of the same target.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target)
        aside, lock = _locked_neighbour(target)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"{target.parent} is not a folder: choose another place for {target.name}.") from error
    except OSError as error:
        raise InputError(f"{target} cannot be written ({error.strerror}): choose another folder.") from error
    try:
        yield aside
    except InputError:
        raise
    except Exception as error:
        if (reason := _why_not_written(error, aside)) is None:
            raise
        raise InputError(f"{target} could not be written ({reason}); nothing was left there.") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        os.close(lock)


def is_disk_full(error: OSError) -> bool:
    """Whether a disk, a quota or a limit on the size of files is in the way of writing."""
    return error.errno in _FULL


def reserve_disk_space(file: Path, size: int) -> None:
    """Take the room on the disk that a file of `size` bytes needs; what is in it already stays.

    A file that is written through a memory map must own its room before: where the disk is full, the operating system
    can tell a process that writes to memory only by ending it (SIGBUS).

    Raises
    ------
    OSError
        If there is no such room; the error names the file.
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


def _why_not_written(error: Exception, aside: Path) -> str | None:
    """Say why something in a folder could not be written; None if the error is of another kind."""
    if isinstance(error, OSError):
        inside = error.filename is not None and Path(os.fsdecode(error.filename)).is_relative_to(aside)
        if inside or is_disk_full(error):
            return error.strerror or str(error)
        if error.errno is None and _SHORT.search(str(error)):  # NumPy does not say why it wrote less
            return "No space left on device"
    if found := _OTHER_LIBRARIES.search(str(error)):
        return os.strerror(int(found[1]))
    return None


def _locked_neighbour(target: Path) -> tuple[Path, int]:
    while True:
        label = os.fsdecode(os.fsencode(target.name)[:_LABEL])  # a name of 255 bytes leaves no room for more
        aside = target.with_name(f".{label}.{os.getpid()}-{secrets.token_hex(4)}{_ASIDE}")
        aside.mkdir()
        try:
            lock = os.open(aside / _LOCK, os.O_CREAT | os.O_RDWR)
        except OSError:  # no room for as much as an empty file
            shutil.rmtree(aside, ignore_errors=True)
            raise
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # taken for abandoned in the instant before it was locked
            os.close(lock)
            continue
        except OSError:  # a file system without locks
            return aside, lock
        if (aside / _LOCK).exists():
            return aside, lock
        os.close(lock)


def _remove_abandoned(target: Path) -> None:
    """Remove temporary folders beside `target`, whatever they were for, whose writers are gone."""
    for folder in target.parent.glob(f".*{_ASIDE}"):
        if not _OURS.match(folder.name) or not folder.is_dir():
            continue
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR)
        except OSError:  # just being made, or killed in that instant
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
    """Bring the bytes to the disk before the rename, so that a power cut cannot leave an empty whole file."""
    for name in folder.rglob("*"):
        if name.is_file() and name.name != _LOCK:
            descriptor = os.open(name, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
