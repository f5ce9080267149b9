"""Download one file: try mirrors in turn until the file is complete or no attempt can succeed."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from striate.catalog import DataFile, Dataset
from striate.catalog.local_files import DatasetFolder
from striate.errors import InputError, StriateError
from striate.fetch import resumable_transfer
from striate.fetch.checksums import Hasher
from striate.fetch.errors import (
    BrokenOffError,
    ChangedError,
    DamagedError,
    DownError,
    OutageError,
    StoppedError,
    UnavailableError,
    UnusableError,
)
from striate.fetch.events import Event, Kind, Listener
from striate.fetch.http_client import Client
from striate.fetch.install import FileInstaller
from striate.fetch.locks import hold_lock
from striate.fetch.mirrors import Mirror, Mirrors
from striate.fetch.options import Options
from striate.fetch.partial_file import PartialFile, local_error
from striate.fetch.resumable_transfer import RangeError, Transfer
from striate.fetch.retry_state import RetryState

_EVENT_INTERVAL = 0.1  # seconds between two progress events of a file


@dataclass
class DownloadContext:
    """State shared by all files of a download.

    Attributes
    ----------
    of, folder, options
        Dataset, destination folder and settings.
    client, mirrors
        HTTP client, and mirrors of the dataset.
    listener
        Callback for events. It is never called concurrently.
    stopped
        Set to cancel the download.
    """

    of: Dataset
    folder: DatasetFolder
    options: Options
    client: Client
    mirrors: Mirrors
    listener: Listener
    stopped: threading.Event = field(default_factory=threading.Event)
    _listener_lock: threading.Lock = field(default_factory=threading.Lock)

    def emit(self, event: Event) -> None:
        """Pass an event to the listener."""
        with self._listener_lock:
            self.listener(event)


class FileDownload:
    """Download of one file.

    Parameters
    ----------
    context
        State shared with the downloads of other files.
    file
        File to download.
    """

    def __init__(self, context: DownloadContext, file: DataFile) -> None:
        self._context = context
        self._file = file
        self._installer = FileInstaller(
            context.of, file, context.folder, context.options, self._progress_callback("checking")
        )

    def run(self) -> Path:
        """Download the file and return its path.

        Raises
        ------
        StriateError
            If the download fails.
        """
        try:
            return self._run()
        except StoppedError:
            raise
        except StriateError as error:
            self._emit("failed", reason=str(error))
            raise
        except OSError as error:
            said = local_error(self._installer.target, error)
            self._emit("failed", reason=str(said))
            raise said from error

    def _run(self) -> Path:
        folder, file = self._context.folder, self._file
        if folder.is_complete(file):  # before locking, which fails in a read-only folder
            return self._present()
        with hold_lock(folder.state_path(file, ".lock"), self._waiting_for_another()):
            if folder.is_complete(file) or self._installer.is_installed():
                return self._present()
            if not self._installer.install_set_aside():
                self._fetch()
        self._emit("fetched", **self._whole())
        return self._installer.target

    def _present(self) -> Path:
        with contextlib.suppress(StriateError):  # read-only folder
            self._partial().discard()  # left by a process that was killed right after it installed the file
        self._emit("present", **self._whole())
        return self._installer.target

    def _partial(self) -> PartialFile:
        return PartialFile(self._context.folder.state_path(self._file, ".part"))

    def _whole(self) -> dict[str, Any]:
        size = self._installer.target.stat().st_size
        return {"done": size, "total": size}

    def _waiting_for_another(self) -> Callable[[float], None]:
        told = False

        def waiting(seconds: float) -> None:
            nonlocal told
            if not told:
                self._emit("waiting", reason="another process is fetching the file")
            told = True
            self._sleep(seconds)

        return waiting

    def _fetch(self) -> None:
        file, mirrors = self._file, self._context.mirrors
        partial = self._partial()
        task = Transfer(
            file,
            partial,
            Hasher(md5=file.md5 is not None),
            watch=self._progress_callback("received"),
            restarted=lambda reason: self._emit("restarted", reason=reason),
        )
        retry_state = RetryState(self._context.options, partial.size)
        while True:
            self._refuse_stopped()
            mirror = mirrors.best(file)
            if mirror is None:
                raise self._no_mirror_error()
            try:
                return self._attempt(task, mirror)
            except UnusableError as failure:
                mirrors.record_failure(mirror)
                mirrors.exclude(mirror, file, failure.reason)
                self._emit("retrying", seconds=0.0, reason=failure.reason, address=mirror.address)
            except (DamagedError, ChangedError) as failure:
                mirrors.record_failure(mirror)
                partial.discard()
                task.hasher.restart()
                retry_state.record_restart(file, failure)
                self._emit("restarted", reason=failure.reason)
            except (DownError, BrokenOffError) as failure:
                mirrors.record_failure(mirror)
                mirror.parts = mirror.parts and not isinstance(failure, RangeError)
                another = mirrors.best(file) is not mirror
                try:
                    wait, outage = retry_state.next_wait(failure, partial.size, another=another, down=mirror.down)
                except OutageError:
                    mirror.down = True  # so that other files do not retry in vain
                    raise
                kind: Kind = "waiting" if outage else "retrying"
                self._emit(kind, seconds=wait, reason=failure.reason, address=mirror.address, done=partial.size)
                self._sleep(wait)

    def _attempt(self, task: Transfer, mirror: Mirror) -> None:
        context, partial = self._context, task.partial
        if not task.complete:
            with context.mirrors.slot(mirror):
                self._refuse_stopped()
                total = task.total or self._file.about
                self._emit("started", address=mirror.address, done=partial.size, total=total)
                while not task.complete:  # a host may send a smaller range than requested
                    if mirror.folder is not None:
                        resumable_transfer.copy(task, mirror.folder)
                    else:
                        retry_policy = context.options.retry_policy
                        resumable_transfer.download(
                            task, context.client, mirror.address, retry_policy, resume=mirror.parts
                        )
            context.mirrors.record_success(mirror)
        if task.key is not None and task.key.md5 is not None:
            task.hasher = Hasher(md5=True)  # the pointer arrived only now, so the MD5 was not computed yet
        content = task.hasher.hash_file(partial.path, self._progress_callback("checking"))
        self._emit("checking", done=content.size, total=content.size)
        origin = partial.origin
        try:
            self._installer.install(partial.path, content, task.key, origin.address if origin else mirror.address)
        except InputError:
            partial.discard()  # the file was moved, but not installed
            raise
        partial.discard()

    def _no_mirror_error(self) -> InputError:
        file, dataset = self._file.name, self._context.of.name
        if reasons := self._context.mirrors.reasons(self._file):
            return UnavailableError(file, dataset, "; ".join(dict.fromkeys(reasons)))
        where = " without the network" if self._context.options.offline else ""
        return InputError(f"{file} of {dataset} is not here, and cannot be had{where}.")

    def _progress_callback(self, kind: Kind) -> Callable[..., None]:
        told = 0.0

        def watch(done: int, total: int | None = None) -> None:
            nonlocal told
            self._refuse_stopped()
            now = time.monotonic()
            if now - told >= _EVENT_INTERVAL:
                told = now
                self._emit(kind, done=done, total=total)

        return watch

    def _emit(self, kind: Kind, **facts: Any) -> None:
        self._context.emit(Event(kind, self._file.name, **facts))

    def _sleep(self, seconds: float) -> None:
        self._context.stopped.wait(seconds)
        self._refuse_stopped()

    def _refuse_stopped(self) -> None:
        if self._context.stopped.is_set():
            raise StoppedError("interrupted")
