"""Recordings: what one is, and how it is read, checked, packed, written and made from a lab's own arrays."""

from typing import TYPE_CHECKING

from striate.lazy import import_when_used

if TYPE_CHECKING:
    from striate.folders import cache_folder as cache_folder
    from striate.recordings.cache import open_recording as open
    from striate.recordings.check import check as check
    from striate.recordings.convert import convert as convert
    from striate.recordings.findings import Finding as Finding
    from striate.recordings.findings import Report as Report
    from striate.recordings.findings import Severity as Severity
    from striate.recordings.recording import Recording as Recording
    from striate.recordings.rules import RULES as RULES
    from striate.recordings.statistics import VariableStatistics as VariableStatistics
    from striate.recordings.write import write as write

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

import_when_used(
    __name__,
    {
        "cache_folder": "striate.folders.cache_folder",
        "open": "striate.recordings.cache.open_recording",
        "check": "striate.recordings.check.check",
        "convert": "striate.recordings.convert.convert",
        "Finding": "striate.recordings.findings.Finding",
        "Report": "striate.recordings.findings.Report",
        "Severity": "striate.recordings.findings.Severity",
        "Recording": "striate.recordings.recording.Recording",
        "RULES": "striate.recordings.rules.RULES",
        "VariableStatistics": "striate.recordings.statistics.VariableStatistics",
        "write": "striate.recordings.write.write",
    },
)
