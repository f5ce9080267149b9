"""For those who make recordings: the conformance suite, and Hypothesis strategies that draw recordings."""

from striate.testing.conformance import RecordingConformance

__all__ = ["RecordingConformance"]
