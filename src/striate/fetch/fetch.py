"""The function `fetch_dataset`, also callable as ``striate.fetch(…)``."""

import os
from collections.abc import Iterable
from pathlib import Path

from striate._internal.paths import expand_path
from striate.catalog import Dataset, get_dataset
from striate.catalog.local_files import DatasetFolder, preferred_folder
from striate.fetch.data_terms import accept_terms, require_acceptance
from striate.fetch.downloader import Downloader
from striate.fetch.events import Listener, ignore_event
from striate.fetch.options import Options
from striate.fetch.plan import plan_fetch


def fetch_dataset(
    name: str | Dataset,
    names: Iterable[str] = (),
    *,
    tracks: Iterable[str] = (),
    pretraining: bool = False,
    mice: Iterable[int] = (),
    to: str | os.PathLike[str] | None = None,
    accept_licence: bool = False,
    options: Options | None = None,
    listener: Listener = ignore_event,
) -> list[Path]:
    """Download a dataset of the catalogue, or some of its files, and verify every file.

    Parameters
    ----------
    name
        Name of the dataset, or a `Dataset`.
    names, tracks, pretraining, mice
        Files to download, as in `striate.catalog.Dataset.select`; all files by default.
    to
        Destination folder. The default is the folder that the dataset was downloaded to before, or else a subfolder of the
        cache. Recordings in any destination can be opened by name afterwards.
    accept_licence
        Accept the terms of the dataset (``get_dataset(name).licence``). The acceptance is remembered.
    options
        Mirrors, retries and other settings.
    listener
        Callback that receives each `Event`.

    Returns
    -------
    list of Path
        Paths of the verified files, in the order of the catalogue.

    Raises
    ------
    InputError
        If the dataset or a file is unknown, the terms are not accepted, or no mirror has a file.
    OutageError
        If a host is temporarily unavailable. Received bytes are kept, and the same call resumes from them.

    Examples
    --------
    >>> import striate
    >>> striate.fetch("sensorium2023")
    Traceback (most recent call last):
    ...
    striate.errors.InputError: The catalogue has no dataset 'sensorium2023': did you mean 'sensorium2022'? Valid: ...

    Download the recording of one mouse, about 400 MB:

    >>> striate.fetch("sensorium2022", mice=[2], accept_licence=True)  # doctest: +SKIP
    """
    of = name if isinstance(name, Dataset) else get_dataset(name)
    files = of.select(names, tracks=tracks, pretraining=pretraining, mice=mice)
    folder = preferred_folder(of, files) if to is None else DatasetFolder(expand_path(to))
    planned = plan_fetch(of, files, folder)
    if planned.missing:
        if accept_licence:
            accept_terms(of)
        require_acceptance(of)
        planned.refuse_too_little_space()
    outcome = Downloader(of, folder, options, listener).run(files)
    outcome.raise_failures()
    return list(outcome.paths.values())
