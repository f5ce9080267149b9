"""Fetch a dataset with one call."""

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
    """Fetch a dataset of the catalogue, or some of its files.

    Parameters
    ----------
    name
        Of the dataset, or the dataset itself.
    names, tracks, pretraining, mice
        Which of its files; see `striate.catalog.Dataset.select`. All by default.
    to
        Folder; by default where the dataset was fetched to before, else below the cache. The recordings open by name afterwards.
    accept_licence
        Whether you accept the terms of the dataset (``dataset(name).licence``). Once is enough.
    options
        Mirrors, waiting, patience.
    listener
        Told what happens.

    Returns
    -------
    list of Path
        The files, whole and verified, in the order of the catalogue.

    Raises
    ------
    InputError
        If the dataset or a file is unknown, the terms are not accepted, or a file cannot be had.
    OutageError
        If a host is down; what was received is kept, and the same call goes on from there.
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
