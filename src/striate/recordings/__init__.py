"""Recordings: what one is, and how it is read, checked, packed, written and made from a lab's own arrays."""

from striate.folders import cache_folder
from striate.recordings.cache import open_recording as open
from striate.recordings.check import check
from striate.recordings.convert import convert
from striate.recordings.findings import Finding, Report, Severity
from striate.recordings.recording import Recording
from striate.recordings.rules import RULES
from striate.recordings.statistics import VariableStatistics
from striate.recordings.write import write

__all__ = [
    "RULES",
    "Finding",
    "Recording",
    "Report",
    "Severity",
    "VariableStatistics",
    "cache_folder",
    "check",
    "convert",
    "open",
    "write",
]
