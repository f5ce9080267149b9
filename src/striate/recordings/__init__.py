"""Recordings: what one is, and how it is read, checked, packed, written and made from a lab's own arrays."""

from striate.recordings.cache import cache_folder
from striate.recordings.cache import open_recording as open
from striate.recordings.recording import Recording
from striate.recordings.statistics import VariableStatistics

__all__ = ["Recording", "VariableStatistics", "cache_folder", "open"]
