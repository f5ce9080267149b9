"""Catalogue of datasets: files, sizes, hashes, tracks, licence and citation. Each dataset is one TOML file."""

from striate.catalog.citation import collect_citations
from striate.catalog.dataset import Citation, DataFile, Dataset, Licence
from striate.catalog.lookup import catalogue_folder, get_dataset, list_datasets
from striate.catalog.open import as_recording, as_recordings, find_dataset, locate, locate_all, open

__all__ = [
    "Citation",
    "DataFile",
    "Dataset",
    "Licence",
    "as_recording",
    "as_recordings",
    "catalogue_folder",
    "collect_citations",
    "find_dataset",
    "get_dataset",
    "list_datasets",
    "locate",
    "locate_all",
    "open",
]
