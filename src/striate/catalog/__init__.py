"""Known datasets: their files, sizes, hashes, tracks, terms and citation. They are data, not code: a TOML file each."""

from striate.catalog.catalogue import catalogue_folder, dataset, dataset_names
from striate.catalog.citation import credit
from striate.catalog.dataset import Citation, DataFile, Dataset, Licence
from striate.catalog.open import as_recording, as_recordings, dataset_of, locate, locate_all, open

__all__ = [
    "Citation",
    "DataFile",
    "Dataset",
    "Licence",
    "as_recording",
    "as_recordings",
    "catalogue_folder",
    "credit",
    "dataset",
    "dataset_names",
    "dataset_of",
    "locate",
    "locate_all",
    "open",
]
