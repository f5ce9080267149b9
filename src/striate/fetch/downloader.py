"""Fetching a dataset: several files at once, and one that fails does not stop the others."""

import contextlib
import queue
import threading
from collections.abc import Iterable
from pathlib import Path

from striate.catalog import DataFile, Dataset
from striate.catalog.local_files import DatasetFolder, register_folder
from striate.errors import StriateError
from striate.fetch.events import Listener, ignore_event
from striate.fetch.file_download import DownloadContext, FileDownload
from striate.fetch.http_client import Client
from striate.fetch.mirrors import Mirrors
from striate.fetch.options import Options, Outcome

Result = Path | StriateError


class Downloader:
    """Fetches files of a dataset into a folder.

    Parameters
    ----------
    of
        The dataset.
    folder
        Where its files will stand.
    options
        How.
    listener
        Told what happens; called from several threads, one at a time.
    """

    def __init__(
        self, of: Dataset, folder: DatasetFolder, options: Options | None = None, listener: Listener = ignore_event
    ) -> None:
        chosen = options or Options()
        addresses = [*chosen.mirrors, *of.addresses]
        if chosen.offline:
            addresses = [address for address in addresses if not address.startswith(("http://", "https://"))]
        mirrors = Mirrors(addresses, per_host=chosen.per_host)
        self._context = DownloadContext(of, folder, chosen, Client(chosen.retry_policy), mirrors, listener)

    def run(self, files: Iterable[DataFile]) -> Outcome:
        """Fetch files.

        Returns
        -------
        Outcome
            Which of them are whole, and why the others are not.

        Raises
        ------
        KeyboardInterrupt
            If the user interrupts; what was received is kept.
        """
        chosen = list(files)
        waiting: queue.SimpleQueue[DataFile] = queue.SimpleQueue()
        done: queue.SimpleQueue[tuple[str, Path | BaseException]] = queue.SimpleQueue()
        for file in chosen:
            waiting.put(file)

        def work() -> None:
            with contextlib.suppress(queue.Empty):
                while True:
                    file = waiting.get_nowait()
                    try:
                        done.put((file.name, FileDownload(self._context, file).run()))
                    except BaseException as error:
                        done.put((file.name, error))

        # daemons: an interruption need not wait for a host that is silent, for what is on the disk bears being left
        workers = [threading.Thread(target=work, daemon=True) for _ in range(self._context.options.at_once)]
        for worker in workers:
            worker.start()
        results: dict[str, Result] = {}
        try:
            while len(results) < len(chosen):
                name, result = done.get()
                if isinstance(result, BaseException) and not isinstance(result, StriateError):
                    raise result
                results[name] = result
        finally:
            self._context.stopped.set()
            for worker in workers:
                worker.join(timeout=1.0)
            self._context.client.close()
            if self._context.folder.path.is_dir():
                register_folder(self._context.of.name, self._context.folder.path)
        outcome = Outcome()
        for file in chosen:
            result = results[file.name]
            if isinstance(result, StriateError):
                outcome.failures[file.name] = result
            else:
                outcome.paths[file.name] = result
        return outcome
