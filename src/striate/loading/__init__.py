"""From recordings to batches: standardise, rescale, select, shuffle and cycle, so that training never waits for data."""

from striate.loading.batch import Batch
from striate.loading.settings import DataSettings
from striate.loading.standardisation import Standardisation

__all__ = ["Batch", "DataSettings", "Standardisation"]
