"""Download several files of a dataset in parallel. A file that fails does not stop the others."""

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
    """Download files of a dataset into a folder.

    Parameters
    ----------
    of
        Dataset to download.
    folder
        Destination folder.
    options
        Mirrors, retries and other settings.
    listener
        Callback that receives each `Event`. It is called from several threads, but never concurrently.

    Examples
    --------
    Copy a dataset from a local folder:

    >>> import os, tempfile
    >>> from pathlib import Path
    >>> from striate.catalog.local_files import DatasetFolder
    >>> from striate.fetch import Downloader
    >>> from striate.fetch.describe_dataset import DatasetDetails, describe_folder
    >>> os.environ["STRIATE_SETTINGS"] = tempfile.mkdtemp()  # keeps this example out of your settings
    >>> source, destination = Path(tempfile.mkdtemp()), Path(tempfile.mkdtemp())
    >>> _ = (source / "notes.txt").write_text("recorded at night")
    >>> dataset = describe_folder(source, DatasetDetails(name="notes"))
    >>> outcome = Downloader(dataset, DatasetFolder(destination)).run(dataset.files)
    >>> list(outcome.paths)
    ['notes.txt']
    >>> del os.environ["STRIATE_SETTINGS"]
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
        """Download files.

        Parameters
        ----------
        files
            Files of the dataset.

        Returns
        -------
        Outcome
            Paths of the complete files, and errors of the others.

        Raises
        ------
        KeyboardInterrupt
            If the user interrupts. Partial files are kept for the next run.
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

        # Daemon threads, so that an interruption does not wait for a silent host; partial files can be left at any time.
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
