"""The course of one file: attempt after attempt, at one address or another, until it is whole or nothing more can be done."""

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
from striate.fetch import http_transfer
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
from striate.fetch.http_transfer import NoPartsError, Task
from striate.fetch.install import Place
from striate.fetch.locks import held
from striate.fetch.mirrors import Mirror, Mirrors
from striate.fetch.options import Options
from striate.fetch.partial_file import Partial, local_error
from striate.fetch.retry_state import Trouble

_TOLD_EVERY = 0.1  # seconds between two events about received bytes of a file


@dataclass
class Site:
    """What all files of a fetch share.

    Attributes
    ----------
    of, folder, options
        What is fetched, whereto, and how.
    client, mirrors
        Who asks, and whom.
    listener
        Told what happens, by one thread at a time.
    stopped
        Set when everything shall stop.
    """

    of: Dataset
    folder: DatasetFolder
    options: Options
    client: Client
    mirrors: Mirrors
    listener: Listener
    stopped: threading.Event = field(default_factory=threading.Event)
    _telling: threading.Lock = field(default_factory=threading.Lock)

    def tell(self, event: Event) -> None:
        """Tell the listener."""
        with self._telling:
            self.listener(event)


class Course:
    """Fetches one file.

    Parameters
    ----------
    site
        What it shares with other files.
    file
        The file.
    """

    def __init__(self, site: Site, file: DataFile) -> None:
        self._site = site
        self._file = file
        self._place = Place(site.of, file, site.folder, site.options, self._watching("checking"))

    def run(self) -> Path:
        """Fetch the file, and return where it stands.

        Raises
        ------
        StriateError
            If it cannot be had, or not now.
        """
        try:
            return self._run()
        except StoppedError:
            raise
        except StriateError as error:
            self._tell("failed", reason=str(error))
            raise
        except OSError as error:
            said = local_error(self._place.target, error)
            self._tell("failed", reason=str(said))
            raise said from error

    def _run(self) -> Path:
        folder, file = self._site.folder, self._file
        if folder.holds(file):  # before the lock, which a folder that can only be read does not take
            return self._present()
        with held(folder.beside(file, ".lock"), self._waiting_for_another()):
            if folder.holds(file) or self._place.is_filled():
                return self._present()
            if not self._place.fill_from_aside():
                self._fetch()
        self._tell("fetched", **self._whole())
        return self._place.target

    def _present(self) -> Path:
        with contextlib.suppress(StriateError):  # a folder that can only be read
            self._partial().discard()  # left by a process that was killed when the file had just got its name
        self._tell("present", **self._whole())
        return self._place.target

    def _partial(self) -> Partial:
        return Partial(self._site.folder.beside(self._file, ".part"))

    def _whole(self) -> dict[str, Any]:
        size = self._place.target.stat().st_size
        return {"done": size, "total": size}

    def _waiting_for_another(self) -> Callable[[float], None]:
        told = False

        def waiting(seconds: float) -> None:
            nonlocal told
            if not told:
                self._tell("waiting", reason="another process is fetching the file")
            told = True
            self._sleep(seconds)

        return waiting

    def _fetch(self) -> None:
        file, mirrors = self._file, self._site.mirrors
        partial = self._partial()
        task = Task(
            file,
            partial,
            Hasher(md5=file.md5 is not None),
            watch=self._watching("received"),
            restarted=lambda reason: self._tell("restarted", reason=reason),
        )
        trouble = Trouble(self._site.options, partial.size)
        while True:
            self._refuse_stopped()
            mirror = mirrors.best(file)
            if mirror is None:
                raise self._nowhere()
            try:
                return self._attempt(task, mirror)
            except UnusableError as failure:
                mirrors.failed(mirror)
                mirrors.exclude(mirror, file, failure.reason)
                self._tell("retrying", seconds=0.0, reason=failure.reason, address=mirror.address)
            except (DamagedError, ChangedError) as failure:
                mirrors.failed(mirror)
                partial.discard()
                task.hasher.restart()
                trouble.starts_again(file, failure)
                self._tell("restarted", reason=failure.reason)
            except (DownError, BrokenOffError) as failure:
                mirrors.failed(mirror)
                mirror.parts = mirror.parts and not isinstance(failure, NoPartsError)
                another = mirrors.best(file) is not mirror
                try:
                    wait, outage = trouble.wait_after(failure, partial.size, another=another, down=mirror.down)
                except OutageError:
                    mirror.down = True  # other files need not find that out again
                    raise
                kind: Kind = "waiting" if outage else "retrying"
                self._tell(kind, seconds=wait, reason=failure.reason, address=mirror.address, done=partial.size)
                self._sleep(wait)

    def _attempt(self, task: Task, mirror: Mirror) -> None:
        site, partial = self._site, task.partial
        if not task.complete:
            with site.mirrors.slot(mirror):
                self._refuse_stopped()
                total = task.total or self._file.about
                self._tell("started", address=mirror.address, done=partial.size, total=total)
                while not task.complete:  # a host may send a smaller part than asked for
                    if mirror.folder is not None:
                        http_transfer.copy(task, mirror.folder)
                    else:
                        patience = site.options.patience
                        http_transfer.receive(task, site.client, mirror.address, patience, resume=mirror.parts)
            site.mirrors.worked(mirror)
        if task.key is not None and task.key.md5 is not None:
            task.hasher = Hasher(md5=True)  # only now it is known that this hash is wanted
        content = task.hasher.of_file(partial.path, self._watching("checking"))
        self._tell("checking", done=content.size, total=content.size)
        origin = partial.origin
        try:
            self._place.fill(partial.path, content, task.key, origin.address if origin else mirror.address)
        except InputError:
            partial.discard()  # it was kept aside
            raise
        partial.discard()

    def _nowhere(self) -> InputError:
        file, dataset = self._file.name, self._site.of.name
        if reasons := self._site.mirrors.reasons(self._file):
            return UnavailableError(file, dataset, "; ".join(dict.fromkeys(reasons)))
        where = " without the network" if self._site.options.offline else ""
        return InputError(f"{file} of {dataset} is not here, and cannot be had{where}.")

    def _watching(self, kind: Kind) -> Callable[..., None]:
        told = 0.0

        def watch(done: int, total: int | None = None) -> None:
            nonlocal told
            self._refuse_stopped()
            now = time.monotonic()
            if now - told >= _TOLD_EVERY:
                told = now
                self._tell(kind, done=done, total=total)

        return watch

    def _tell(self, kind: Kind, **facts: Any) -> None:
        self._site.tell(Event(kind, self._file.name, **facts))

    def _sleep(self, seconds: float) -> None:
        self._site.stopped.wait(seconds)
        self._refuse_stopped()

    def _refuse_stopped(self) -> None:
        if self._site.stopped.is_set():
            raise StoppedError("interrupted")
