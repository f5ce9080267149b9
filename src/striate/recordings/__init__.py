"""Recordings: what one is, and how it is read, checked, packed, written and made from a lab's own arrays."""

from striate.recordings.recording import Recording
from striate.recordings.statistics import VariableStatistics

__all__ = ["Recording", "VariableStatistics"]
