"""From recordings to batches: standardise, rescale, select, shuffle and cycle, so that training never waits for data."""

from striate.loading.standardisation import Standardisation

__all__ = ["Standardisation"]
