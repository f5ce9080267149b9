"""Fetch a dataset with one call."""

import os
from collections.abc import Iterable
from pathlib import Path

from striate._internal.paths import expanded
from striate.catalog import Dataset, dataset
from striate.catalog.local_files import DatasetFolder, home_of
from striate.fetch.data_terms import accept, refuse_unaccepted
from striate.fetch.downloader import Fetching
from striate.fetch.events import Listener, nobody
from striate.fetch.options import Options
from striate.fetch.plan import plan


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
    listener: Listener = nobody,
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
    of = name if isinstance(name, Dataset) else dataset(name)
    files = of.select(names, tracks=tracks, pretraining=pretraining, mice=mice)
    folder = home_of(of, files) if to is None else DatasetFolder(expanded(to))
    planned = plan(of, files, folder)
    if planned.missing:
        if accept_licence:
            accept(of)
        refuse_unaccepted(of)
        planned.refuse_too_little_space()
    outcome = Fetching(of, folder, options, listener).run(files)
    outcome.raise_failures()
    return list(outcome.paths.values())
